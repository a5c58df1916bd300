// The default profile, and what holds in every filter.
#include <cerrno>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/sys.h"
#include "base/syscalls.h"
#include "container/seccomp.h"

namespace husk::container {
namespace {

constexpr uint32_t kNamespaceFlags = CLONE_NEWNS | static_cast<uint32_t>(sys::kCloneNewCgroup) |
                                     CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                     CLONE_NEWNET | static_cast<uint32_t>(sys::kCloneNewTime);
constexpr uint32_t kTiocsti = 0x5412, kTioclinux = 0x541C;
constexpr uint32_t kAskPersonality = 0xffffffff;

Rule RefuseWhere(std::vector<Condition> conditions) {
    return {std::move(conditions), Refuse(EPERM)};
}

Condition Low(uint8_t argument, Compare compare, uint32_t value, uint64_t mask = UINT64_MAX) {
    return {argument, compare, value, mask, true};
}

bool MayAllow(const Filter& filter, const Rules& rules) {
    for (const Rule& rule : rules) {
        if (IsPermissive(rule.action)) return true;
        if (rule.conditions.empty()) return false;
    }
    return IsPermissive(filter.default_action());
}

// In front of what the call's rules say, where they may allow it.
void PutFirst(Filter& filter, std::string_view name, const Rules& first) {
    const auto number = SyscallNumber(name);
    if (!number || !MayAllow(filter, filter.Of(*number))) return;
    Rules rules = first;
    const Rules& own = filter.Of(*number);
    rules.insert(rules.end(), own.begin(), own.end());
    filter.Set(*number, std::move(rules));
}

}  // namespace

void Guard(Filter& filter, uint64_t capabilities) {
    if ((capabilities >> CAP_SYS_ADMIN & 1) == 0) {
        const Rules namespaces = {RefuseWhere({Low(0, Compare::kNotEqual, 0, kNamespaceFlags)})};
        PutFirst(filter, "clone", namespaces);
        PutFirst(filter, "unshare", namespaces);
        PutFirst(filter, "setns", Always(Refuse(EPERM)));
        // Its flags lie in memory, where no filter can look; where it is not there libcs use
        // clone(2).
        if (auto number = SyscallNumber("clone3")) filter.Set(*number, Always(Refuse(ENOSYS)));
    }
    PutFirst(filter, "ioctl",
             {RefuseWhere({Low(1, Compare::kEqual, kTiocsti)}),
              RefuseWhere({Low(1, Compare::kEqual, kTioclinux)})});
    // READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE and others undo what protects the process.
    PutFirst(filter, "personality",
             {RefuseWhere(
                 {Low(0, Compare::kNotEqual, 0), Low(0, Compare::kNotEqual, kAskPersonality)})});
}

Filter DefaultRules(uint64_t capabilities, uint32_t default_action) {
    Filter filter(default_action, Refuse(ENOSYS), FirstNewSyscall());
    const SyscallGroups groups = DefaultSyscallGroups(capabilities);
    for (size_t i = 0; i < SyscallCount(); ++i)
        if (const Syscall call = SyscallAt(i); call.number && (call.groups & groups) != 0)
            filter.Set(*call.number, Always(SECCOMP_RET_ALLOW));
    // The kernel's ciphers are much code that few programs ask for, and sockets to the machine that
    // this one runs on know no namespaces.
    PutFirst(filter, "socket",
             {RefuseWhere({Low(0, Compare::kEqual, AF_ALG)}),
              RefuseWhere({Low(0, Compare::kEqual, AF_VSOCK)})});
    return filter;
}

Filter DefaultFilter(uint64_t capabilities) {
    Filter filter = DefaultRules(capabilities, Refuse(EPERM));
    Guard(filter, capabilities);
    return filter;
}

}  // namespace husk::container
