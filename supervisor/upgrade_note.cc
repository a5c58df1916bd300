#include "supervisor/upgrade_note.h"

#include <cstring>
#include <sys/wait.h>

#include <algorithm>

#include "base/text.h"
#include "supervisor/husk_binary.h"

namespace husk::supervisor {
namespace {

constexpr UpgradeNote::Outcome kOutcomes[] = {
    UpgradeNote::Outcome::kUnderWay, UpgradeNote::Outcome::kDone, UpgradeNote::Outcome::kFailed};

std::string DescribeEnd(int status) {
    if (WIFSIGNALED(status)) return Cat("was killed by ", SignalName(WTERMSIG(status)));
    return Cat("ended with status ", std::to_string(WEXITSTATUS(status)));
}

// One line of the file; false where it is none of it.
bool TakeLine(std::string_view key, std::string_view value, UpgradeNote& note) {
    const auto number = ParseSigned(value);
    if (key == "outcome") {
        for (const auto outcome : kOutcomes)
            if (value == OutcomeName(outcome)) return note.outcome = outcome, true;
        return false;
    }
    if (key == "unit") {
        const size_t space = value.rfind(' ');
        if (space == value.npos) return false;
        const auto pid = ParseUnsigned(value.substr(space + 1));
        if (!pid || *pid > INT32_MAX) return false;
        note.units.push_back({std::string(value.substr(0, space)), static_cast<pid_t>(*pid)});
    } else if (key == "begun" && number) {
        note.begun = *number;
    } else if (key == "ended" && number) {
        note.ended.since_boot = Duration(*number);
    } else if (key == "ended-realtime" && number) {
        note.ended_realtime = *number;
    } else if (key == "version") {
        note.version = value;
    } else if (key == "build") {
        note.build = value;
    } else if (key == "from-version") {
        note.from_version = value;
    } else if (key == "from-build") {
        note.from_build = value;
    } else if (key == "why") {
        note.why = value;
    } else {
        return false;
    }
    return true;
}

}  // namespace

const char* OutcomeName(UpgradeNote::Outcome outcome) {
    switch (outcome) {
        case UpgradeNote::Outcome::kUnderWay: return "under-way";
        case UpgradeNote::Outcome::kDone: return "done";
        case UpgradeNote::Outcome::kFailed: return "failed";
    }
    return "?";
}

std::string WriteUpgradeNote(const UpgradeNote& note) {
    std::string why = note.why;
    std::ranges::replace(why, '\n', ' ');
    std::string text =
        Cat("outcome ", OutcomeName(note.outcome), "\nbegun ", std::to_string(note.begun),
            "\nended ", std::to_string(note.ended.since_boot.count()), "\nended-realtime ",
            std::to_string(note.ended_realtime));
    text += Cat("\nversion ", note.version, "\nbuild ", note.build, "\nfrom-version ",
                note.from_version, "\nfrom-build ", note.from_build, "\nwhy ", why, "\n");
    for (const auto& unit : note.units)
        text += Cat("unit ", unit.name, " ", std::to_string(unit.pid), "\n");
    return text;
}

std::optional<UpgradeNote> ParseUpgradeNote(std::string_view text) {
    UpgradeNote note;
    for (const auto line : Split(text, '\n')) {
        const size_t space = line.find(' ');
        if (line.empty()) continue;
        if (space == line.npos || !TakeLine(line.substr(0, space), line.substr(space + 1), note))
            return std::nullopt;
    }
    if (note.begun == 0) return std::nullopt;
    return note;
}

std::string Describe(const UpgradeNote& note) {
    const std::string what =
        Cat("upgrade from ", Describe(HuskBinary{note.from_version, note.from_build}), " to ",
            Describe(HuskBinary{note.version, note.build}));
    switch (note.outcome) {
        case UpgradeNote::Outcome::kUnderWay: return Cat(what, " is under way");
        case UpgradeNote::Outcome::kDone: return Cat(what, " is done");
        case UpgradeNote::Outcome::kFailed:
            return Cat(what, " failed, the old one goes on: ", note.why);
    }
    return what;
}

std::string DescribeFailure(UpgradeFailure failure, int detail) {
    switch (failure) {
        case UpgradeFailure::kNone: break;
        case UpgradeFailure::kSupervisorEnded:
            return Cat("the new supervisor ", DescribeEnd(detail));
        case UpgradeFailure::kSupervisorSilent:
            return "the new supervisor did not prove itself within its limit (--within=)";
        case UpgradeFailure::kCannotExecute:
            return Cat("PID 1 could not execute it: ", ::strerror(detail));
        case UpgradeFailure::kInitCrashed:
            return Cat("the new PID 1 crashed: ", SignalName(detail));
        case UpgradeFailure::kInitSilent: return "the new PID 1 did not prove itself in time";
        case UpgradeFailure::kInitRefused:
            return Cat("the new PID 1 could not take over: ", ::strerror(detail));
        case UpgradeFailure::kSupervisorLost:
            return "the new supervisor was gone before the new PID 1 had proven itself";
        case UpgradeFailure::kShutdown: return "the system goes down";
    }
    return "nobody knows why";
}

std::string FindLost(const std::vector<RunningUnit>& wanted, const std::vector<RunningUnit>& taken,
                     bool (*lives)(pid_t)) {
    for (const auto& unit : wanted)
        if (std::ranges::find(taken, unit) == taken.end() && lives(unit.pid)) return unit.name;
    return "";
}

}  // namespace husk::supervisor
