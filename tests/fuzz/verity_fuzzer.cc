// A superblock of 512 bytes, then four numbers of 8 bytes: where it lies, and how long what it is
// about is. What is taken must lie within that, and make one line for the kernel.
#include "rootfs/verity.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace husk::rootfs;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const std::string_view block = bytes.substr(0, kVeritySuperblockSize);
    uint64_t numbers[4] = {0, 1 << 20, 1 << 20, 4096};
    if (size >= kVeritySuperblockSize + sizeof numbers)
        std::memcpy(numbers, data + kVeritySuperblockSize, sizeof numbers);
    // Sizes of files, and a place within one.
    for (uint64_t& number : numbers) number %= uint64_t{1} << 48;
    if (numbers[0] > numbers[1]) return 0;
    const VerityPlace place{numbers[0], numbers[1], numbers[2], numbers[3]};
    const auto tree = ParseVeritySuperblock(block, place);
    if (!tree) {
        if (tree.error().text().empty()) std::abort();
        return 0;
    }
    if (!IsVeritySuperblock(block)) std::abort();
    if (tree->data_blocks == 0 || tree->data_blocks > place.data / tree->data_block_size ||
        tree->data_blocks * tree->data_block_size < place.file_system ||
        tree->first_hash * tree->hash_block_size >= place.hash_file)
        std::abort();
    const std::string table = VerityTable(*tree, "7:0", "7:0", "00");
    for (char c : table)
        if (c < ' ' || c > '~') std::abort();
    return 0;
}
