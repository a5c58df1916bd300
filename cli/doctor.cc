#include "cli/doctor.h"

#include <algorithm>

#include "base/text.h"
#include "cli/answer.h"
#include "config/kernel_needs.h"

namespace husk::cli {
namespace {

constexpr size_t kMostUnitsShown = 3;
constexpr int64_t kClockIsSet = 1'577'836'800'000'000'000;  // 2020-01-01

std::string UnitsOf(const std::vector<std::string>& units) {
    std::vector<std::string> shown(
        units.begin(),
        units.begin() + static_cast<std::ptrdiff_t>(std::min(units.size(), kMostUnitsShown)));
    std::string text = Join(shown, ", ");
    if (units.size() > kMostUnitsShown)
        text += Cat(" and ", std::to_string(units.size() - kMostUnitsShown), " more");
    return text;
}

std::string OptionNames(const config::KernelNeed& need) {
    std::string text = Cat("CONFIG_", need.option);
    if (!need.alternative.empty()) text += Cat(" or CONFIG_", need.alternative);
    return text;
}

Probe ProbeNeed(const config::KernelNeed& need,
                Probe (*probe)(std::string_view option, unsigned since_minor)) {
    const Probe first = probe(need.option, need.since_minor);
    if (first == Probe::kThere || need.alternative.empty()) return first;
    const Probe second = probe(need.alternative, need.since_minor);
    return second == Probe::kAbsent ? first : second;
}

Finding JudgeNeed(const config::KernelNeed& need, const std::vector<config::LoadedUnit>& units,
                  Probe (*probe)(std::string_view option, unsigned since_minor)) {
    Finding finding{.name = OptionNames(need), .text = need.what_for, .advice = {}, .units = {}};
    if (need.keys != nullptr) finding.text += Cat(" (", need.keys, ")");
    if (need.asked_by != nullptr)
        for (const auto& unit : units)
            if (!need.asked_by(unit.unit).empty()) finding.units.push_back(unit.unit.name);
    const bool asked = need.asked_by == nullptr || !finding.units.empty();
    switch (ProbeNeed(need, probe)) {
        case Probe::kThere: return finding;
        case Probe::kUnknown:
            finding.verdict = Verdict::kUnknown;
            finding.advice = "cannot be told here: ask as root, on the device";
            return finding;
        case Probe::kAbsent: break;
    }
    const bool must = need.severity == config::Severity::kError;
    finding.verdict = asked && must ? Verdict::kMissing : Verdict::kAdvice;
    if (need.since_minor != 0)
        finding.advice = Cat("take a kernel 6.", std::to_string(need.since_minor),
                             " or later with ", finding.name);
    else
        finding.advice = Cat("build the kernel with ", finding.name,
                             "=y, or as a module that KernelModules= of system.conf loads; and see "
                             "that its command line does not switch it off");
    return finding;
}

}  // namespace

const char* VerdictName(Verdict verdict) {
    switch (verdict) {
        case Verdict::kOk: return "ok";
        case Verdict::kAdvice: return "advice";
        case Verdict::kMissing: return "missing";
        case Verdict::kUnknown: return "unknown";
    }
    return "unknown";
}

std::vector<Finding> JudgeKernel(const std::vector<config::LoadedUnit>& units,
                                 Probe (*probe)(std::string_view option, unsigned since_minor)) {
    std::vector<Finding> findings;
    for (const auto& need : config::KernelNeeds())
        findings.push_back(JudgeNeed(need, units, probe));
    return findings;
}

Finding JudgeMemory(uint64_t available, uint64_t total) {
    Finding finding{.name = "memory",
                    .text = Cat(FormatBytes(available), " of ", FormatBytes(total), " available"),
                    .advice = {},
                    .units = {}};
    if (total == 0) {
        finding.verdict = Verdict::kUnknown;
        finding.text = "how much is available";
    } else if (available < total / 10) {
        finding.verdict = Verdict::kAdvice;
        finding.advice =
            "less than a tenth is left: 'husk top -s m' shows who has it; set MemoryMax=";
    }
    return finding;
}

Finding JudgeStorage(const std::string& path, uint64_t free_bytes, uint64_t all_bytes,
                     bool writable) {
    Finding finding{.name = "state storage",
                    .text = Cat(FormatBytes(free_bytes), " of ", FormatBytes(all_bytes),
                                " free at ", Quote(path)),
                    .advice = {},
                    .units = {}};
    if (!writable) {
        finding.verdict = Verdict::kMissing;
        finding.text = Cat(Quote(path), " cannot be written to");
        finding.advice =
            "name a disk for it with StateDevice= in system.conf, or mount it writable";
    } else if (free_bytes < all_bytes / 20) {
        finding.verdict = Verdict::kAdvice;
        finding.advice =
            "less than a twentieth is free: 'husk image remove --unused', and files of images and "
            "volumes that no unit uses may go";
    }
    return finding;
}

Finding JudgeClock(int64_t realtime, bool has_rtc) {
    Finding finding{.name = "clock", .text = FormatRealtime(realtime), .advice = {}, .units = {}};
    if (realtime < kClockIsSet) {
        finding.verdict = Verdict::kAdvice;
        finding.advice = "it is not set: run an NTP client, before what checks certificates";
    } else if (!has_rtc) {
        finding.verdict = Verdict::kAdvice;
        finding.text += ", and there is no clock with a battery (/dev/rtc0)";
        finding.advice = "the next boot begins in 1970 until an NTP client sets it";
    }
    return finding;
}

std::string FormatFindings(const std::vector<Finding>& findings, bool all, const Style& style) {
    constexpr size_t kVerdict = 8;
    std::string text;
    size_t fine = 0;
    for (const auto& finding : findings) {
        fine += finding.verdict == Verdict::kOk;
        if (finding.verdict == Verdict::kOk && !all) continue;
        const Colour colour = finding.verdict == Verdict::kOk        ? Colour::kGreen
                              : finding.verdict == Verdict::kMissing ? Colour::kRed
                                                                     : Colour::kYellow;
        text += Cat(Paint(style, colour, PadRight(VerdictName(finding.verdict), kVerdict)),
                    Visible(style, finding.name), ": ", Visible(style, finding.text), "\n");
        const std::string indent(kVerdict, ' ');
        if (!finding.advice.empty())
            text += Cat(indent, "-> ", Visible(style, finding.advice), "\n");
        if (!finding.units.empty() && finding.verdict != Verdict::kOk)
            text += Cat(indent, "needed by ", Visible(style, UnitsOf(finding.units)), "\n");
    }
    return Cat(text, std::to_string(fine), " of ", std::to_string(findings.size()), " are ok",
               all || fine == findings.size() ? "" : " ('husk doctor --all' lists them)", "\n");
}

std::string FindingsJson(const std::vector<Finding>& findings) {
    std::string text =
        Cat("{\"version\":1,\"ok\":", IsHealthy(findings) ? "true" : "false", ",\"findings\":[");
    for (const auto& finding : findings) {
        text += Cat(&finding == findings.data() ? "" : ",", "{\"name\":", JsonString(finding.name),
                    ",\"verdict\":\"", VerdictName(finding.verdict),
                    "\",\"text\":", JsonString(finding.text),
                    ",\"advice\":", JsonString(finding.advice), ",\"units\":[");
        for (const auto& unit : finding.units)
            text += Cat(&unit == finding.units.data() ? "" : ",", JsonString(unit));
        text += "]}";
    }
    return text + "]}\n";
}

bool IsHealthy(const std::vector<Finding>& findings) {
    return std::ranges::none_of(
        findings, [](const Finding& finding) { return finding.verdict == Verdict::kMissing; });
}

}  // namespace husk::cli
