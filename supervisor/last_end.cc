#include "supervisor/last_end.h"

#include <cerrno>
#include <unistd.h>

#include "base/file.h"
#include "base/init_protocol.h"
#include "base/log.h"
#include "base/text.h"
#include "supervisor/crash_log.h"

namespace husk::supervisor {
namespace {

constexpr size_t kMostReason = 4096, kMostPstore = 1 << 20;

// Of what pstore had kept of the boot before.
std::string ReasonInPstore(const std::string& state_directory) {
    const std::string folder = PstoreOf(state_directory, ThisBoot());
    if (folder.empty()) return "";
    auto names = ListDirectory(folder);
    if (!names) return "";
    for (const auto& name : *names)
        if (auto text = ReadFile(Cat(folder, "/", name), kMostPstore))
            if (std::string reason = FindReason(*text); !reason.empty()) return reason;
    return "";
}

std::string LastEndFile(const std::string& run_directory) { return run_directory + "/last-end"; }

}  // namespace

std::string ResetReasonFile(const std::string& state_directory) {
    return state_directory + "/reset-reason";
}

std::string DescribeLastEnd(const std::optional<std::string>& kept, bool watchdog) {
    if (kept && !kept->empty()) return Cat("the hardware watchdog was not fed any more: ", *kept);
    if (watchdog)
        return "the hardware watchdog reset the device: PID 1 or the kernel stood still, or nobody "
               "could write down why";
    return kept ? "without a shutdown: power was cut, the device was reset, or the kernel crashed"
                : "";
}

std::string FindReason(std::string_view log) {
    const size_t end = log.rfind(kNotFed);
    if (end == log.npos) return "";
    std::string_view line = log.substr(0, end);
    line = line.substr(line.rfind('\n') + 1);  // npos + 1 is 0
    for (std::string_view before : {"husk: ", "-- "})
        if (const size_t at = line.find(before); at != line.npos)
            line.remove_prefix(at + before.size());
    return std::string(line);
}

std::string BeginBoot(const std::string& state_directory, const std::string& run_directory,
                      bool watchdog) {
    const std::string path = ResetReasonFile(state_directory);
    std::optional<std::string> kept;
    if (auto text = ReadFile(path, kMostReason)) kept = std::string(Trim(*text));
    if (kept && kept->empty()) kept = ReasonInPstore(state_directory);
    const std::string words = DescribeLastEnd(kept, watchdog);
    if (!words.empty()) LogWarning("the last boot ended: ", words);
    for (const Status& written :
         {WriteFileAtomically(LastEndFile(run_directory), words), WriteFileDurably(path, "", 0600)})
        if (!written) LogWarning(written.error().text());
    return words;
}

std::string ReadLastEnd(const std::string& run_directory) {
    return ReadFile(LastEndFile(run_directory), kMostReason + 256).value_or("");
}

Status NoteOrderlyEnd(const std::string& state_directory) {
    const std::string path = ResetReasonFile(state_directory);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return FailErrno("remove ", Quote(path));
    return {};
}

}  // namespace husk::supervisor
