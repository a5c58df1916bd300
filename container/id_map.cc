#include "container/id_map.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/file.h"
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
    std::sort(sorted.begin(), sorted.end());
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

Status WriteIdMaps(pid_t pid, IdRange range) {
    const std::string map =
        Cat("0 ", std::to_string(range.base), " ", std::to_string(range.count), "\n");
    const std::string process = Cat("/proc/", std::to_string(pid));
    HUSK_TRY(WriteAttribute(process + "/uid_map", map));
    return WriteAttribute(process + "/gid_map", map);
}

Result<OwnedFd> CreateIdMapNamespace(IdRange range) {
    int pidfd_number = -1;
    const pid_t pid = sys::clone3({.flags = CLONE_NEWUSER | sys::kClonePidfd,
                                   .pidfd = reinterpret_cast<uint64_t>(&pidfd_number),
                                   .exit_signal = SIGCHLD});
    if (pid < 0)
        return FailErrno(
            "make a user namespace (CONFIG_USER_NS; /proc/sys/user/max_user_namespaces)");
    if (pid == 0)
        for (;;) ::pause();
    OwnedFd pidfd(pidfd_number);
    auto space = [&]() -> Result<OwnedFd> {
        HUSK_TRY(WriteIdMaps(pid, range));
        return OpenFile(Cat("/proc/", std::to_string(pid), "/ns/user"), O_RDONLY);
    }();
    (void)sys::pidfd_send_signal(pidfd.get(), SIGKILL);  // it only waits
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return space;
}

}  // namespace husk::container
