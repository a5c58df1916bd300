// `husk image add`: a copy of an image file on the state disk, checked, and put in place at once.
//
// The client does it, not the supervisor: copying takes as long as a disk likes, and the supervisor
// must go on. Whoever may write to the state folder may add; a client that is killed leaves a
// folder that the next one removes.
#pragma once

#include <cstdint>

#include <functional>
#include <string>

#include "base/error.h"
#include "rootfs/image_versions.h"

namespace husk::cli {

struct ImageToAdd {
    std::string file;
    std::string name, version;  // empty: of the file; the next number
    std::string verity;         // root hash, path of a file with it; empty: what lies beside
};

struct AddedImage {
    std::string name, version;
    uint64_t size = 0;    // bytes
    bool verity = false;  // each block was compared with the root hash
    bool there = false;   // the same bytes are there already, under this version
};

// `progress` gets a word for what is done, and the share of it, 0 to 100.
using AddProgress = std::function<void(const char* what, unsigned percent)>;

// Pure: bytes that are lacking for `wanted` more, when some of the disk is to stay free for what
// units write: a twentieth, 64 MiB at most.
uint64_t LackingSpace(uint64_t wanted, uint64_t free, uint64_t whole);

Result<AddedImage> AddImage(const rootfs::ImageVersions& images, const ImageToAdd& wish,
                            const AddProgress& progress);

}  // namespace husk::cli
