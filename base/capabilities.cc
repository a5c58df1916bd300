#include "base/capabilities.h"

#include <strings.h>

#include <iterator>
#include <string>
#include <vector>

#include "base/text.h"

namespace husk {
namespace {

constexpr std::string_view kNames[] = {"CHOWN",
                                       "DAC_OVERRIDE",
                                       "DAC_READ_SEARCH",
                                       "FOWNER",
                                       "FSETID",
                                       "KILL",
                                       "SETGID",
                                       "SETUID",
                                       "SETPCAP",
                                       "LINUX_IMMUTABLE",
                                       "NET_BIND_SERVICE",
                                       "NET_BROADCAST",
                                       "NET_ADMIN",
                                       "NET_RAW",
                                       "IPC_LOCK",
                                       "IPC_OWNER",
                                       "SYS_MODULE",
                                       "SYS_RAWIO",
                                       "SYS_CHROOT",
                                       "SYS_PTRACE",
                                       "SYS_PACCT",
                                       "SYS_ADMIN",
                                       "SYS_BOOT",
                                       "SYS_NICE",
                                       "SYS_RESOURCE",
                                       "SYS_TIME",
                                       "SYS_TTY_CONFIG",
                                       "MKNOD",
                                       "LEASE",
                                       "AUDIT_WRITE",
                                       "AUDIT_CONTROL",
                                       "SETFCAP",
                                       "MAC_OVERRIDE",
                                       "MAC_ADMIN",
                                       "SYSLOG",
                                       "WAKE_ALARM",
                                       "BLOCK_SUSPEND",
                                       "AUDIT_READ",
                                       "PERFMON",
                                       "BPF",
                                       "CHECKPOINT_RESTORE"};

}  // namespace

std::span<const std::string_view> CapabilityNames() { return kNames; }

Result<int> CapabilityNumber(std::string_view name) {
    std::string_view bare = name;
    if (bare.size() > 4 && ::strncasecmp(bare.data(), "CAP_", 4) == 0) bare.remove_prefix(4);
    for (size_t i = 0; i < std::size(kNames); ++i)
        if (kNames[i].size() == bare.size() &&
            ::strncasecmp(kNames[i].data(), bare.data(), bare.size()) == 0)
            return static_cast<int>(i);
    const std::vector<std::string_view> names(std::begin(kNames), std::end(kNames));
    auto nearest = Nearest(bare, names);
    return Fail("no capability ", Quote(name),
                nearest ? Cat(" (did you mean 'CAP_", *nearest, "'?)") : std::string());
}

uint64_t AllCapabilities() { return (uint64_t{1} << std::size(kNames)) - 1; }

}  // namespace husk
