// dm-verity: the superblock that veritysetup(8) writes before a hash tree, and the device that the
// kernel checks an image by. Every block that is read is compared with the tree, whose root is a
// hash from elsewhere: the unit, or a file beside the image.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace husk::rootfs {

inline constexpr size_t kVeritySuperblockSize = 512;

// A superblock that was checked.
struct VerityTree {
    unsigned hash_type = 1;                             // 0: the format of Chrome OS
    std::string algorithm;                              // "sha256" or "sha512"
    uint32_t data_block_size = 0, hash_block_size = 0;  // bytes
    uint64_t data_blocks = 0;
    std::string salt;         // hexadecimal, "-" for none
    uint64_t first_hash = 0;  // block of the tree's top, counted in hash blocks
};

// Where the bytes lie that the superblock is about.
struct VerityPlace {
    uint64_t offset = 0;       // of the superblock in its file
    uint64_t hash_file = 0;    // bytes of that file
    uint64_t data = 0;         // bytes before the tree, or of the whole image where that is apart
    uint64_t file_system = 0;  // bytes that the file system says it has: all must be covered
};
// Pure: of a tree in the first whole block behind a file system, in a file or device of `size`.
VerityPlace TreeBehind(uint64_t file_system, uint64_t size);

// Pure. True where a superblock begins here, whether it is good or not.
bool IsVeritySuperblock(std::string_view block);
// Pure.
Result<VerityTree> ParseVeritySuperblock(std::string_view block, const VerityPlace& place);

// Pure: the root hash in a file's text, in small letters.
Result<std::string> ParseRootHashText(std::string_view text);
// Pure: a root hash has as many digits as its algorithm says.
Status CheckRootHash(const VerityTree& tree, std::string_view root_hash);

// Pure: the parameters of the kernel's target "verity" (verity.rst in its documentation).
std::string VerityTable(const VerityTree& tree, const std::string& data_device,
                        const std::string& hash_device, std::string_view root_hash);
// 512-byte sectors of the device.
uint64_t VeritySectors(const VerityTree& tree);

// What is to be checked, and by what.
struct VeritySource {
    std::string data, hashes;  // block devices in /dev; may be the same
    std::string superblock;    // what `hashes` has at place.offset
    VerityPlace place;
    std::string root_hash;
};

// Makes a device of the device mapper, or finds the same one that an earlier supervisor made: its
// path in /dev. `name` has at most 127 bytes and no '/'.
Result<std::string> MakeVerityDevice(const std::string& name, const VeritySource& source);
// Lets it go: at once, or when its last user is gone.
Status RemoveVerityDevice(const std::string& name, bool when_unused);

// Reads all of the verity device with this number, so that every block of it is checked.
// `progress` gets the bytes that are read.
Status ReadVerityDevice(dev_t device, const std::function<void(uint64_t)>& progress);

}  // namespace husk::rootfs
