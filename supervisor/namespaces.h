// The namespaces of a running unit, and with whom it shares each (namespaces(7)).
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace husk::supervisor {

inline constexpr const char* kNamespaceKinds[] = {"mnt", "pid",    "net",  "ipc",
                                                  "uts", "cgroup", "user", "time"};
// Inodes as /proc/PID/ns has them, in that order; 0 where the kernel has no such kind, or the
// process is gone.
using Namespaces = std::array<uint64_t, std::size(kNamespaceKinds)>;

// Of a process; 0: our own, which are the device's.
Namespaces ReadNamespaces(pid_t pid);

struct NamespaceView {
    const char* kind = nullptr;
    uint64_t inode = 0;
    bool devices = false;           // the device's
    std::vector<std::string> with;  // other units that are in it; of the device's: not listed
};

// Pure. A kind that is not known is left out.
std::vector<NamespaceView> CompareNamespaces(
    const Namespaces& own, const Namespaces& device,
    const std::vector<std::pair<std::string, Namespaces>>& others);

}  // namespace husk::supervisor
