// Read-only images: what kind a file is, whether it is whole, and mounting it.
#pragma once

#include <cstdint>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace husk::rootfs {

enum class ImageType { kErofs, kSquashfs };
const char* FileSystemName(ImageType type);  // "erofs", "squashfs": the kernel's names

// Bytes of a file's start that ProbeImage() wants.
inline constexpr size_t kImageHeadSize = 4096;

// Pure: from the first bytes and the size of the file. Says what the file is instead where it is
// something else ("a gzip file"), and how much is missing where it is cut short.
Result<ImageType> ProbeImage(std::string_view head, uint64_t file_size);
// Pure: bytes of the file system in a file that was probed; what lies behind is not its own.
uint64_t FileSystemSize(std::string_view head, ImageType type);

// Mounts what lies on a block device read-only. EIO: its first blocks could not be read, or do not
// match their hashes.
Status MountImageDevice(const std::string& device, ImageType type, const std::string& target);

// BASE.erofs, BASE.squashfs or BASE, the first that is a file; empty: none is.
std::string FindImageFile(const std::string& base);
// Finds the file that `image` means, the text of Image=: the version of NAME that is switched to
// (image_versions.h), NAME.erofs, NAME.squashfs, then NAME itself, in each folder in turn, for each
// of `names`, the best first. An absolute path is taken as it is. The error lists what was looked
// for, and what is there under a name like it.
Result<std::string> FindImage(const std::string& image, const std::vector<std::string>& names,
                              const std::vector<std::string>& folders);

// The same where nothing is switched to; empty: there is none.
std::string FindBuiltIn(const std::string& name, const std::vector<std::string>& folders);

// Pure: those of `files` that may have been meant by one of `names`: another tag of the same image,
// or a name misspelt. At most three.
std::vector<std::string> NearImages(const std::vector<std::string>& names,
                                    const std::vector<std::string>& files);

// Pure: files beside an image: "/a/web.erofs" with ".verity" -> "/a/web.erofs.verity" and
// "/a/web.verity".
std::vector<std::string> FilesBeside(const std::string& image_file, std::string_view suffix);

// Mounts image files at DIRECTORY/KEY, once for all who use the same file, through a loop device
// that is read-only and goes by itself when the last user is gone (LO_FLAGS_AUTOCLEAR, loop(4)).
// KEY comes from the file's device, inode, size and change time, so a replaced file is another
// image, and a new supervisor finds what an earlier one mounted; and from the root hash.
class ImageStore {
  public:
    explicit ImageStore(std::string directory) : directory_(std::move(directory)) {}

    struct Mounted {
        std::string path;  // where it lies
        ImageType type{};
    };
    // `verity` is a root hash or the path of a file with one; empty: a NAME.roothash beside the
    // image is used where there is one, and otherwise nothing is checked.
    Result<Mounted> Mount(const std::string& image_file, const std::string& verity);
    // Whether what was mounted at `path` is this very file, as it is now.
    static bool IsMountOf(std::string_view path, const std::string& image_file);
    // Where images lie, mounted or not.
    Result<std::vector<std::string>> List() const;
    // Containers keep what they have mounted; devices go with the last of them.
    Status Unmount(const std::string& path);

  private:
    std::string directory_;
};

}  // namespace husk::rootfs
