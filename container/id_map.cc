#include "container/id_map.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "base/file.h"
#include "base/sort.h"
#include "base/sys.h"
#include "base/text.h"

namespace husk::container {
namespace {

constexpr uint32_t kRangeSize = 65536;
constexpr uint32_t kFirstSlot = 8, kLastSlot = 28670;

// FNV-1a, written out so that it never changes under us: files on disk hang on it.
uint32_t Hash(std::string_view text) {
    uint32_t hash = 2166136261u;
    for (unsigned char byte : text) hash = (hash ^ byte) * 16777619u;
    return hash;
}

}  // namespace

std::map<std::string, IdRange> AssignIdRanges(const std::vector<std::string>& names,
                                              const std::map<std::string, IdRange>& taken) {
    std::map<std::string, IdRange> ranges;
    std::set<uint32_t> used;
    for (const auto& [name, range] : taken) used.insert(range.base / kRangeSize);
    std::vector<std::string> sorted = names;
    Sort(sorted);
    constexpr uint32_t kSlots = kLastSlot - kFirstSlot + 1;
    for (const auto& name : sorted) {
        if (ranges.contains(name)) continue;
        if (auto old = taken.find(name); old != taken.end()) {
            ranges[name] = old->second;
            continue;
        }
        uint32_t slot = Hash(name) % kSlots;
        // There are more slots than units can be loaded, so one is free.
        while (used.contains(kFirstSlot + slot)) slot = (slot + 1) % kSlots;
        used.insert(kFirstSlot + slot);
        ranges[name] = {(kFirstSlot + slot) * kRangeSize, kRangeSize};
    }
    return ranges;
}

IdMap MapOf(IdRange range) {
    const std::vector<IdExtent> whole = {{0, range.base, range.count}};
    return {whole, whole};
}

std::optional<uint32_t> OnDevice(const std::vector<IdExtent>& map, uint32_t inside) {
    for (const IdExtent& extent : map)
        if (inside >= extent.inside && inside - extent.inside < extent.count)
            return extent.outside + (inside - extent.inside);
    return std::nullopt;
}

std::string TextOf(const std::vector<IdExtent>& map) {
    std::string text;
    for (const IdExtent& extent : map)
        text += Cat(std::to_string(extent.inside), " ", std::to_string(extent.outside), " ",
                    std::to_string(extent.count), "\n");
    return text;
}

Status WriteIdMaps(pid_t pid, const IdMap& map) {
    const std::string process = Cat("/proc/", std::to_string(pid));
    HUSK_TRY(WriteAttribute(process + "/uid_map", TextOf(map.users)));
    return WriteAttribute(process + "/gid_map", TextOf(map.groups));
}

}  // namespace husk::container
