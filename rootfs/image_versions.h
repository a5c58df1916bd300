// Versions of images beside each other, and which of them counts: what `husk image` keeps on the
// state disk, apart from the system.
//
//   FOLDER/NAME/VERSION/image.erofs     or image.squashfs. Renamed into place as a whole folder, so
//                                       that no image is ever there without its root hash
//   FOLDER/NAME/VERSION/image.roothash  where dm-verity checks it
//   FOLDER/NAME/VERSION/image.verity    its hash tree, where that is not at its end
//   FOLDER/NAME/current -> VERSION      what Image=NAME means; replaced by one rename(2), so that a
//                                       power cut leaves the old one or the new one
//   FOLDER/NAME/state                   what the supervisor notes (supervisor/image_trial.h)
//   FOLDER/.new-PID                     what is being added or removed, locked by flock(2)
//
// Without `current`, NAME is built in: the file that FindImage() finds elsewhere.
#pragma once

#include <cstdint>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace husk::rootfs {

// In the place of a version.
inline constexpr const char* kBuiltIn = "built-in";

// Pure: letters, digits, '_', '.' and '-', at most 64, begun by none of the last two; and no word
// that means something else here.
bool IsImageVersion(std::string_view text);
// Pure: the first number that is no version yet, from 1.
std::string NextVersion(const std::vector<std::string>& versions);

// What is being added: a folder that goes with its owner unless it is committed.
class ImageStage {
  public:
    ImageStage(std::string path, OwnedFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
    ImageStage(ImageStage&&) = default;
    ~ImageStage();
    const std::string& path() const { return path_; }

  private:
    friend class ImageVersions;
    std::string path_;
    OwnedFd lock_;  // closed: it is somebody else's now
};

class ImageVersions {
  public:
    explicit ImageVersions(std::string folder) : folder_(std::move(folder)) {}
    const std::string& folder() const { return folder_; }
    std::string PathOf(const std::string& name, const std::string& version) const;

    struct Version {
        std::string version, file;
        uint64_t size = 0;  // bytes of the file
        int64_t added = 0;  // nanoseconds since 1970
        bool verity = false;
    };
    // Sorted; none where the folder is not there.
    Result<std::vector<std::string>> Names() const;
    Result<std::vector<Version>> Versions(const std::string& name) const;

    // kBuiltIn where nothing is switched to.
    Result<std::string> Current(const std::string& name) const;
    // On disk when it returns. An error means that what was current still is.
    Status SetCurrent(const std::string& name, const std::string& version) const;
    // The file that `current` leads to, empty: it is built in. An error where that is not there.
    Result<std::string> CurrentFile(const std::string& name) const;

    Result<ImageStage> Stage() const;
    // Code EEXIST where there is such a version.
    Status Commit(ImageStage& stage, const std::string& name, const std::string& version) const;
    Status Remove(const std::string& name, const std::string& version) const;
    // What an adding or removing that was cut short left behind.
    void Tidy() const;

  private:
    std::string folder_;
};

}  // namespace husk::rootfs
