#include "supervisor/partition_table.h"

#include <algorithm>

#include "base/disk_bytes.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

constexpr uint32_t kMostEntries = 128;
constexpr int kPrimaries = 4;

using Names = std::map<int, PartitionName>;

// A GUID has its first three numbers in little-endian, and is printed in big-endian.
std::string Guid(const DiskBytes& table, size_t at) {
    constexpr size_t kOrder[] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    std::string bytes;
    for (size_t i : kOrder) bytes += static_cast<char>(table.Number(at + i, 1));
    return DiskBytes(bytes).Uuid(0);
}

Names OfGpt(const DiskBytes& disk, size_t sector) {
    Names names;
    const uint64_t begin = disk.Number(sector + 72, 8);
    const uint64_t count = std::min<uint64_t>(disk.Number(sector + 80, 4), kMostEntries);
    const uint64_t size = disk.Number(sector + 84, 4);
    if (size < 128 || size > 4096 || begin > kPartitionTable / sector) return names;
    for (uint64_t i = 0; i < count; ++i) {
        const size_t at = begin * sector + i * size;
        if (Guid(disk, at).empty()) continue;  // no type: an entry that is not used
        names[static_cast<int>(i) + 1] = {Guid(disk, at + 16), disk.Utf16(at + 56, 36)};
    }
    return names;
}

// As the kernel numbers them (block/partitions/msdos.c): SIGNATURE-NN; those of an extended
// partition, from 5, lie elsewhere and have the same form.
Names OfMbr(const DiskBytes& disk) {
    Names names;
    const auto signature = static_cast<uint32_t>(disk.Number(440, 4));
    if (signature == 0) return names;
    for (int number = 1; number <= kMostMbrPartitions; ++number) {
        const bool primary = number <= kPrimaries;
        if (primary && disk.Number(446 + 16 * static_cast<size_t>(number - 1) + 4, 1) == 0)
            continue;
        names[number] = {Cat(Hex(signature, 8), "-", Hex(static_cast<uint32_t>(number), 2)), ""};
    }
    return names;
}

}  // namespace

std::map<int, PartitionName> ReadPartitionNames(std::string_view head, size_t sector) {
    const DiskBytes disk(head);
    if (disk.Has(sector, "EFI PART")) return OfGpt(disk, sector);
    // A boot sector of FAT has the same mark, but no partitions, which the kernel would have said.
    if (disk.Number(510, 2) == 0xaa55) return OfMbr(disk);
    return {};
}

}  // namespace husk::supervisor
