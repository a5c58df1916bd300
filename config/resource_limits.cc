// Limit…= of [Service] and Ulimit= of [Container].
#include <sys/resource.h>

#include "base/text.h"
#include "config/container_values.h"

namespace husk::config {
namespace {

// systemd's nice levels stand with a sign, the kernel's limit is 20 - nice.
Value<uint64_t> ParseNiceLimit(std::string_view text) {
    const bool level = text.starts_with('+') || text.starts_with('-');
    auto number = ParseRange(text, level ? -20 : 1, level ? 19 : 40);
    if (!number)
        return Bad(std::move(number.error()->text), "a nice level with its sign, or 1 to 40");
    return static_cast<uint64_t>(level ? 20 - *number : *number);
}

Value<uint64_t> ParseOne(std::string_view text, LimitUnit unit) {
    if (text == "infinity") return kUnlimited;
    // Podman's spellings; for nice levels -1 is a level.
    if (unit != LimitUnit::kNice && (text == "-1" || text == "unlimited")) return kUnlimited;
    switch (unit) {
        case LimitUnit::kBytes: return ParseSize(text);
        case LimitUnit::kNice: return ParseNiceLimit(text);
        case LimitUnit::kCount: {
            auto number = ParseUnsigned(text);
            if (!number || *number >= kUnlimited)
                return Bad(Cat(Quote(text), " is not a number"), "a whole number or 'infinity'");
            return *number;
        }
        case LimitUnit::kSeconds:
        case LimitUnit::kMicroseconds: {
            const Duration step = unit == LimitUnit::kSeconds ? Duration(std::chrono::seconds(1))
                                                              : std::chrono::microseconds(1);
            auto span = ParseSpan(text, step);
            if (!span) return std::unexpected(std::move(span).error());
            if (*span == kInfinite) return kUnlimited;
            // Rounded up: a limit of 1.5 s must not end a program after 1 s.
            return static_cast<uint64_t>((*span + step - Duration(1)) / step);
        }
    }
    return Bad("unknown kind of limit");
}

struct Ulimit {
    std::string_view name;
    int resource;
    LimitUnit unit;
};

// Podman passes these on to setrlimit(2) as they are, so all but the sizes count plainly.
constexpr Ulimit kUlimits[] = {
    {"core", RLIMIT_CORE, LimitUnit::kBytes},
    {"cpu", RLIMIT_CPU, LimitUnit::kSeconds},
    {"data", RLIMIT_DATA, LimitUnit::kBytes},
    {"fsize", RLIMIT_FSIZE, LimitUnit::kBytes},
    {"locks", RLIMIT_LOCKS, LimitUnit::kCount},
    {"memlock", RLIMIT_MEMLOCK, LimitUnit::kBytes},
    {"msgqueue", RLIMIT_MSGQUEUE, LimitUnit::kBytes},
    {"nice", RLIMIT_NICE, LimitUnit::kCount},
    {"nofile", RLIMIT_NOFILE, LimitUnit::kCount},
    {"nproc", RLIMIT_NPROC, LimitUnit::kCount},
    {"rss", RLIMIT_RSS, LimitUnit::kBytes},
    {"rtprio", RLIMIT_RTPRIO, LimitUnit::kCount},
    {"rttime", RLIMIT_RTTIME, LimitUnit::kMicroseconds},
    {"sigpending", RLIMIT_SIGPENDING, LimitUnit::kCount},
    {"stack", RLIMIT_STACK, LimitUnit::kBytes},
};

}  // namespace

Value<ResourceLimit> ParseResourceLimit(std::string_view text, LimitUnit unit) {
    const size_t colon = text.find(':');
    auto soft = ParseOne(text.substr(0, colon), unit);
    if (!soft) return std::unexpected(std::move(soft).error());
    if (colon == text.npos) return ResourceLimit{*soft, *soft};
    auto hard = ParseOne(text.substr(colon + 1), unit);
    if (!hard) return std::unexpected(std::move(hard).error());
    if (*soft > *hard)
        return Bad(Cat("soft limit in ", Quote(text), " is over the hard limit"), "SOFT:HARD");
    return ResourceLimit{*soft, *hard};
}

Value<std::pair<int, ResourceLimit>> ParseUlimit(std::string_view text) {
    const size_t equals = text.find('=');
    if (equals == text.npos)
        return Bad(Cat(Quote(text), " has no '='"), "NAME=SOFT[:HARD], as in nofile=1024:4096");
    const std::string_view name = text.substr(0, equals);
    std::vector<std::string_view> names;
    for (const Ulimit& known : kUlimits) {
        names.push_back(known.name);
        if (known.name != name) continue;
        auto limit = ParseResourceLimit(text.substr(equals + 1), known.unit);
        if (!limit) return std::unexpected(std::move(limit).error());
        return std::pair(known.resource, *limit);
    }
    if (auto near = Nearest(name, names))
        return Bad(Cat(Quote(name), " is not a limit"), Cat("did you mean ", Quote(*near), "?"));
    return Bad(Cat(Quote(name), " is not a limit"), "a name such as nofile, nproc or core");
}

}  // namespace husk::config
