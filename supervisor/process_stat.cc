// The part of record.h that looks at processes, and process_stat.h.
#include "supervisor/process_stat.h"

#include <cerrno>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/file.h"
#include "base/text.h"
#include "supervisor/record.h"

namespace husk::supervisor {

Result<uint64_t> StartTimeOfStat(std::string_view stat) {
    // Nothing behind the name has a parenthesis, so the last one ends it.
    const size_t name_end = stat.rfind(')');
    if (name_end == stat.npos) return Fail("process status without a name");
    // Behind it comes a blank, and field 3; there is one blank between two.
    constexpr int kStartTime = 22;
    stat.remove_prefix(name_end);
    for (int field = 3; field <= kStartTime; ++field) {
        const size_t blank = stat.find(' ');
        if (blank == stat.npos) return Fail("process status is too short");
        stat.remove_prefix(blank + 1);
    }
    const auto ticks = ParseUnsigned(stat.substr(0, stat.find_first_of(" \n")));
    if (!ticks) return Fail("process status has no start time");
    return *ticks;
}

Result<uint64_t> ProcessStartTime(pid_t pid) {
    if (pid <= 0) return Fail(Error::FromErrno(ESRCH, "read process status"));
    const std::string path = Cat("/proc/", std::to_string(pid), "/stat");
    auto stat = ReadFile(path, 4096);
    if (!stat) return Fail(std::move(stat).error());
    auto ticks = StartTimeOfStat(*stat);
    if (!ticks) return Fail(std::move(ticks).error().Wrap(path));
    return ticks;
}

std::string_view StatusField(std::string_view status, std::string_view field) {
    for (std::string_view line : Split(status, '\n'))
        if (line.starts_with(field)) return Trim(line.substr(field.size()));
    return {};
}

bool IsSecondOfNamespace(std::string_view status) {
    const std::string_view pids = StatusField(status, "NSpid:");
    const auto tab = pids.find('\t');
    return tab != pids.npos && pids.substr(tab + 1) == "2";
}

bool HasDefaultAction(std::string_view status, int signal) {
    if (signal < 1 || signal > 64) return false;
    return std::ranges::none_of(std::array{"SigBlk:", "SigIgn:", "SigCgt:"}, [&](auto field) {
        const std::string_view digits = StatusField(status, field);
        uint64_t mask = ~uint64_t{0};  // nothing is known of it
        std::from_chars(digits.data(), digits.data() + digits.size(), mask, 16);
        return (mask >> (signal - 1) & 1) != 0;
    });
}

}  // namespace husk::supervisor
