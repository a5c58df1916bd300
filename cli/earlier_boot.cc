#include "cli/earlier_boot.h"

#include <algorithm>
#include <map>

#include "base/file.h"
#include "base/sort.h"
#include "base/text.h"
#include "supervisor/crash_log.h"

namespace husk::cli {
namespace {

using Sources = std::vector<std::unique_ptr<LogSource>>;

constexpr size_t kMostPstoreFile = 2 << 20;
constexpr size_t kMostLogFiles = 64u << 20;  // bytes that are looked at, the newest
constexpr std::string_view kBootLine = "-- boot ";

void AddPstore(const std::string& folder, Sources& sources) {
    auto names = ListDirectory(folder);
    if (!names) return;
    std::map<std::string, std::vector<LogEntry>> units;
    std::vector<LogEntry> kernel;
    for (const auto& name : *names) {
        auto text = ReadFile(Cat(folder, "/", name), kMostPstoreFile);
        if (!text) continue;
        if (name.starts_with("pmsg")) {
            for (std::string_view line : Split(*text, '\n'))
                if (auto last = supervisor::ParseCrashLine(line)) {
                    LogEntry entry;
                    entry.realtime = last->realtime;
                    entry.monotonic = last->monotonic;
                    entry.text = std::move(last->text);
                    units[last->unit].push_back(std::move(entry));
                }
        } else if (name.starts_with("dmesg") || name.starts_with("console")) {
            auto lines = KernelLinesOfPstore(*text);
            std::move(lines.begin(), lines.end(), std::back_inserter(kernel));
        }
    }
    for (auto& [unit, entries] : units)
        sources.push_back(StoredSource(std::move(entries), unit, unit));
    // A dump lies in several files, the end of it in the first.
    Sort(kernel, [](const LogEntry& a, const LogEntry& b) { return a.monotonic < b.monotonic; });
    if (!kernel.empty()) sources.push_back(StoredSource(std::move(kernel), "kernel", "kernel"));
}

void AddLogFile(const UnitView& unit, const std::string& boot, Sources& sources) {
    std::string text;
    for (int number = 0; number < 1000 && text.size() < kMostLogFiles; ++number) {
        auto part =
            ReadFile(number == 0 ? unit.log_file : Cat(unit.log_file, ".", std::to_string(number)),
                     kMostLogFiles);
        if (!part) break;
        text.insert(0, *part);
    }
    auto entries = LinesOfEarlierBoot(text, boot);
    if (!entries.empty())
        sources.push_back(StoredSource(std::move(entries), unit.name, unit.identifier));
}

}  // namespace

std::vector<LogEntry> LinesOfEarlierBoot(std::string_view text, std::string_view boot) {
    std::vector<LogEntry> entries;
    bool of_it = true;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.starts_with(kBootLine) && line.ends_with(" --")) {
            of_it = line.substr(kBootLine.size(), line.size() - kBootLine.size() - 3) != boot;
            if (of_it) entries.clear();
            continue;
        }
        if (!of_it) continue;
        LogEntry entry;
        entry.kind = LogEntryKind::kStored;
        entry.text = line;
        entries.push_back(std::move(entry));
    }
    return entries;
}

std::vector<LogEntry> KernelLinesOfPstore(std::string_view text) {
    std::vector<LogEntry> entries;
    for (std::string_view line : Split(text, '\n')) {
        LogEntry entry;
        if (line.starts_with('<')) {
            const size_t end = line.find('>');
            const auto priority = ParseUnsigned(line.substr(1, end == line.npos ? 0 : end - 1));
            if (!priority) continue;
            entry.priority = static_cast<int>(*priority & 7);
            line.remove_prefix(end + 1);
        }
        if (!line.starts_with('[')) continue;  // "Panic#1 Part1"
        const size_t end = line.find(']');
        if (end == line.npos) continue;
        std::string digits(Trim(line.substr(1, end - 1)));
        const size_t dot = digits.find('.');
        if (dot == digits.npos || digits.size() - dot != 7) continue;
        digits.erase(dot, 1);
        const auto microseconds = ParseUnsigned(digits);
        if (!microseconds || *microseconds > INT64_MAX / 1000) continue;
        entry.monotonic = static_cast<int64_t>(*microseconds * 1000);
        line.remove_prefix(std::min(end + 1, line.size()));
        if (line.starts_with(' ')) line.remove_prefix(1);
        entry.text = line;
        entries.push_back(std::move(entry));
    }
    return entries;
}

Result<Sources> EarlierBoot(const Invocation& call) {
    Sources sources;
    const std::string boot = supervisor::ThisBoot();
    auto version = Call(call.call, {.verb = "version"});
    if (!version) return Fail(std::move(version).error());
    auto units = Call(call.call, {.verb = "status"});
    if (!units) return Fail(std::move(units).error());
    for (const auto& unit : units->answer.units)
        if (!unit.log_file.empty()) AddLogFile(unit, boot, sources);
    const std::string pstore = supervisor::PstoreOf(version->answer.state_directory, boot);
    if (!pstore.empty()) AddPstore(pstore, sources);
    if (sources.empty())
        return Fail(
            "storage keeps nothing of the boot before: no unit has a log file "
            "(LogOpt=path=), and pstore had nothing");
    return sources;
}

}  // namespace husk::cli
