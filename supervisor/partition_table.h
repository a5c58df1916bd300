// The names that a partition table gives: GPT's (UEFI specification, "GUID Partition Table") and the
// ones that Linux makes of an MBR's disk signature (PARTUUID= of the kernel's root=, block/
// early-lookup.c). Pure.
#pragma once

#include <cstddef>

#include <map>
#include <string>
#include <string_view>

namespace husk::supervisor {

// So much of a disk's beginning has the table of 128 entries, with sectors of 4 KiB too.
inline constexpr size_t kPartitionTable = 24 << 10;
inline constexpr int kMostMbrPartitions = 63;

struct PartitionName {
    std::string uuid;   // "6f5b6e2a-6d6b-…" or "1a2b3c4d-02"
    std::string label;  // of GPT
    friend bool operator==(const PartitionName&, const PartitionName&) = default;
};

// By the number of the partition, from 1. `head`: the disk's first bytes; `sector`: its logical
// block size. Of a table that contradicts itself, what can be read of it.
std::map<int, PartitionName> ReadPartitionNames(std::string_view head, size_t sector);

}  // namespace husk::supervisor
