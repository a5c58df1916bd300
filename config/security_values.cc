#include "config/security_values.h"

#include <algorithm>

#include "base/syscalls.h"
#include "base/text.h"
#include "config/network_values.h"
#include "config/words.h"

namespace husk::config {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHexDigit(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

constexpr std::string_view kArchitectures =
    "native x86 x86-64 x32 arm arm64 loongarch64 m68k mips mips64 mips64-n32 mips-le mips64-le "
    "mips64-le-n32 parisc parisc64 ppc ppc64 ppc64-le riscv32 riscv64 s390 s390x";
#if defined(__x86_64__)
constexpr std::string_view kNativeArchitecture = "x86-64";
#elif defined(__aarch64__)
constexpr std::string_view kNativeArchitecture = "arm64";
#elif defined(__arm__)
constexpr std::string_view kNativeArchitecture = "arm";
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::string_view kNativeArchitecture = "riscv64";
#endif

// From 1 on, with the numbers that all our architectures have.
constexpr std::string_view kErrors =
    "EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT "
    "ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG "
    "ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY "
    "ELOOP";
constexpr int kNotSupported = 95;  // EOPNOTSUPP
constexpr uint64_t kMostError = 4095;

// Kernel parameters that a namespace has its own of: namespaces(7), sysctl(8).
constexpr std::string_view kNamespaced[] = {"net.",       "fs.mqueue.", "kernel.msg",
                                            "kernel.shm", "kernel.sem", "kernel.auto_msgmni"};

std::unexpected<BadValue> NoSuch(std::string_view name, std::string_view what,
                                 const std::vector<std::string_view>& known,
                                 std::string_view otherwise) {
    auto near = Nearest(name, known);
    return Bad(Cat(Quote(name), " is not ", what),
               near ? Cat("did you mean ", Quote(*near), "?") : std::string(otherwise));
}

// The name of a call, or of a group with its '@'.
Outcome CheckCallName(std::string_view name) {
    if (name.starts_with('~'))
        return Bad(Cat(Quote(name), " is not a system call"),
                   "'~' stands once, before the first name");
    if (name.starts_with('@')) {
        const auto groups = SyscallGroupNames();
        if (std::find(groups.begin(), groups.end(), name.substr(1)) != groups.end()) return {};
        return NoSuch(name.substr(1), "a group of system calls", groups,
                      "husk.units(5) lists the groups");
    }
    if (FindSyscall(name)) return {};
    std::vector<std::string_view> calls;
    for (size_t i = 0; i < SyscallCount(); ++i) calls.push_back(SyscallAt(i).name);
    return NoSuch(name, "a system call", calls, "names such as openat, or groups such as @mount");
}

}  // namespace

Outcome OneOf(std::string_view word, std::string_view words, std::string_view what) {
    const auto known = SplitWords(words);
    if (std::find(known.begin(), known.end(), word) != known.end()) return {};
    auto near = Nearest(word, known);
    return Bad(Cat(Quote(word), " is not ", what),
               near ? Cat("did you mean ", Quote(*near), "?") : Cat("one of ", words));
}

Value<int> ParseSystemCallError(std::string_view text) {
    if (text == "kill") return 0;
    if (text == "EOPNOTSUPP" || text == "ENOTSUP") return kNotSupported;
    if (auto number = ParseUnsigned(text); number && *number >= 1 && *number <= kMostError)
        return static_cast<int>(*number);
    const auto names = SplitWords(kErrors);
    const auto found = std::find(names.begin(), names.end(), text);
    if (found != names.end()) return static_cast<int>(found - names.begin()) + 1;
    auto near = Nearest(text, names);
    return Bad(Cat(Quote(text), " is not an error number"),
               near ? Cat("did you mean ", Quote(*near), "?")
                    : std::string("a name such as EPERM, a number of 1 to 4095, or 'kill'"));
}

Value<SystemCallList> ParseSystemCallList(std::string_view text) {
    SystemCallList list;
    list.deny = text.starts_with('~');
    if (list.deny) text.remove_prefix(1);
    for (std::string_view word : SplitWords(text)) {
        SystemCallList::Entry entry;
        const size_t colon = word.find(':');
        const std::string_view name = word.substr(0, colon);
        if (colon != word.npos) {
            auto error = ParseSystemCallError(word.substr(colon + 1));
            if (!error) return std::unexpected(std::move(error).error());
            entry.error = *error;
        }
        if (auto known = CheckCallName(name); !known)
            return std::unexpected(std::move(known).error());
        entry.name = name;
        list.entries.push_back(std::move(entry));
    }
    if (list.entries.empty()) return Bad("'~' alone names no system call", "~NAME...");
    return list;
}

Value<std::string> ParseArchitecture(std::string_view text) {
    HUSK_TRY_VALUE(OneOf(text, kArchitectures, "an architecture"));
    if (text != "native" && text != kNativeArchitecture)
        return Bad(Cat("calls of architecture ", Quote(text), " always kill the process"),
                   Cat("'native', here ", kNativeArchitecture, ", is what programs may use"));
    return std::string(text);
}

Value<std::string> ParseSeccompProfile(std::string_view text) {
    if (text == "unconfined")
        return Bad("'unconfined' is refused: a filter always holds",
                   "SystemCallFilter= adds to what is allowed");
    return ParsePath(text);
}

Value<IdMapping> ParseIdMapping(std::string_view text) {
    constexpr char kHint[] = "CONTAINER-ID:DEVICE-ID[:COUNT]";
    const auto parts = Split(text, ':');
    if (text.find_first_of("+@ug") != text.npos)
        return Bad(Cat("flags of ", Quote(text), " are not supported"), kHint);
    if (parts.size() < 2 || parts.size() > 3)
        return Bad(Cat(Quote(text), " is not a map of ids"), kHint);
    uint64_t numbers[3] = {0, 0, 1};
    for (size_t i = 0; i < parts.size(); ++i) {
        auto number = ParseUnsigned(parts[i]);
        if (!number || *number >= UINT32_MAX)
            return Bad(Cat(Quote(parts[i]), " is not an id"), "0 to 4294967294");
        numbers[i] = *number;
    }
    if (numbers[2] == 0 || numbers[0] + numbers[2] > UINT32_MAX ||
        numbers[1] + numbers[2] > UINT32_MAX)
        return Bad(Cat(Quote(text), " maps no ids, or more than there are"), kHint);
    return IdMapping{.inside = static_cast<uint32_t>(numbers[0]),
                     .outside = static_cast<uint32_t>(numbers[1]),
                     .count = static_cast<uint32_t>(numbers[2])};
}

Value<std::vector<std::string>> ParseLandlockPaths(std::string_view text) {
    std::vector<std::string> paths;
    for (std::string_view part : Split(text, ':')) {
        const bool optional = part.starts_with('-');
        auto path = ParsePath(part.substr(optional));
        if (!path) return std::unexpected(std::move(path).error());
        paths.push_back(Cat(optional ? "-" : "", *path));
    }
    return paths;
}

Value<std::vector<uint16_t>> ParsePorts(std::string_view text) {
    std::vector<uint16_t> ports;
    for (std::string_view word : SplitWords(text)) {
        auto port = ParsePort(word);
        if (!port) return std::unexpected(std::move(port).error());
        ports.push_back(*port);
    }
    return ports;
}

Value<std::string> ParseNamespacedSysctl(std::string_view text) {
    const size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    if (equals == text.npos || name.empty())
        return Bad(Cat(Quote(text), " is not a kernel parameter"),
                   "NAME=VALUE, as in net.ipv4.ip_forward=1");
    std::string dotted(name);
    std::replace(dotted.begin(), dotted.end(), '/', '.');
    if (dotted == "kernel.domainname")
        return Bad("'kernel.domainname' cannot be written in a user namespace",
                   "nothing but NIS uses it; leave it out");
    if (equals + 1 == text.size())
        return Bad(Cat(Quote(name), " has no value"), "NAME=VALUE, as in net.ipv4.ip_forward=1");
    for (std::string_view own : kNamespaced)
        if (dotted.starts_with(own)) return Cat(dotted, text.substr(equals));
    return Bad(Cat("kernel parameter ", Quote(name), " is the device's, not the container's"),
               "set it with Sysctl= in system.conf");
}

Value<std::string> ParseRootHash(std::string_view text) {
    if (text.starts_with('/')) return ParsePath(text);
    if (text.size() < 64 || text.size() > 128 || text.size() % 2 != 0 ||
        !std::all_of(text.begin(), text.end(), IsHexDigit))
        return Bad(Cat(Quote(text), " is not a root hash"),
                   "64 to 128 hexadecimal digits as veritysetup(8) prints them, or a file's path");
    return std::string(text);
}

namespace {

// target=: for a variable its name, for a file its name in /run/secrets or its path.
Outcome CheckSecretTarget(SecretSpec& secret) {
    const std::string& target = secret.target.empty() ? secret.name : secret.target;
    if (secret.environment) {
        if (!IsVariableName(target))
            return Bad(Cat("secret ", Quote(target), " cannot name a variable"),
                       "add target=NAME: letters, digits and _");
        return {};
    }
    if (target.starts_with('/')) {
        auto path = ParsePath(target);
        if (!path) return std::unexpected(std::move(path).error());
        secret.target = std::move(*path);
    } else if (target.find('/') != target.npos || target == "." || target == "..") {
        return Bad(Cat("secret target ", Quote(target), " is no name"),
                   "a file's name in /run/secrets, or a full path");
    }
    return {};
}

}  // namespace

Value<SecretSpec> ParseSecret(std::string_view text) {
    constexpr char kHint[] = "NAME[,type=mount|env][,target=NAME][,uid=ID][,gid=ID][,mode=0400]";
    const auto parts = Split(text, ',');
    SecretSpec secret{.name = std::string(parts[0])};
    if (!IsUnitName(secret.name)) return Bad(Cat(Quote(parts[0]), " is not a secret"), kHint);
    bool of_file = false;
    for (size_t i = 1; i < parts.size(); ++i) {
        const size_t equals = parts[i].find('=');
        const std::string_view key = parts[i].substr(0, equals);
        const std::string_view value =
            equals == parts[i].npos ? std::string_view() : parts[i].substr(equals + 1);
        const auto bad = [&] {
            return Bad(Cat("secret option ", Quote(parts[i]), " is not one of the options"), kHint);
        };
        if (value.empty()) return bad();
        if (key == "type") {
            if (value != "mount" && value != "env") return bad();
            secret.environment = value == "env";
        } else if (key == "target") {
            secret.target = value;
        } else if (key == "mode") {
            auto mode = ParseFileMode(value);
            if (!mode) return std::unexpected(std::move(mode).error());
            secret.mode = *mode;
            of_file = true;
        } else if (key == "uid" || key == "gid") {
            auto id = ParseUserName(value);
            if (!id) return std::unexpected(std::move(id).error());
            (key == "uid" ? secret.user : secret.group) = std::move(*id);
            of_file = true;
        } else {
            return bad();
        }
    }
    if (secret.environment && of_file)
        return Bad("a variable has no uid=, gid= and mode=", "leave them out, or type=mount");
    HUSK_TRY_VALUE(CheckSecretTarget(secret));
    return secret;
}

}  // namespace husk::config
