#include "supervisor/crash_log.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/sort.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

constexpr size_t kMostAMinute = 6;
constexpr size_t kLongestText = 400;
constexpr size_t kMostFileBytes = 1 << 20, kMostFiles = 64;
constexpr size_t kKeptFolders = 4;

std::string PlainText(std::string_view text) {
    std::string plain;
    for (char c : text.substr(0, kLongestText)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f)
            plain += c == '\t' ? std::string(" ") : EscapedByte(c);
        else
            plain += c;
    }
    return plain;
}

// The next field up to a blank, and that blank.
std::string_view TakeWord(std::string_view& rest) {
    const size_t end = std::min(rest.find(' '), rest.size());
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return word;
}

}  // namespace

std::string FormatCrashLine(const CrashLine& line) {
    return Cat("husk ", std::to_string(line.realtime), " ", std::to_string(line.monotonic), " ",
               line.unit, " ", PlainText(line.text), "\n");
}

std::optional<CrashLine> ParseCrashLine(std::string_view text) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (TakeWord(text) != "husk") return std::nullopt;
    const auto realtime = ParseSigned(TakeWord(text)), monotonic = ParseSigned(TakeWord(text));
    CrashLine line;
    line.unit = TakeWord(text);
    if (!realtime || !monotonic || *monotonic < 0 || line.unit.empty()) return std::nullopt;
    line.realtime = *realtime;
    line.monotonic = *monotonic;
    line.text = text;
    return line;
}

void CrashLog::Open() {
    open_ = true;
    auto pmsg = OpenFile("/dev/pmsg0", O_WRONLY | O_NOCTTY);
    if (pmsg) pmsg_ = std::move(*pmsg);
}

bool CrashLog::Admit(std::vector<Instant>& told, Instant now) {
    std::erase_if(told, [&](Instant at) { return now - at > std::chrono::minutes(1); });
    if (told.size() >= kMostAMinute) return false;
    told.push_back(now);
    return true;
}

void CrashLog::Tell(const std::string& unit, std::string_view reason,
                    const std::vector<std::string>& last_lines) {
    const Instant now = MonotonicNow();
    if (!open_ || !Admit(told_, now)) return;
    if (!pmsg_) {
        // The reason is there already.
        for (const auto& line : last_lines)
            LogInfo("unit ", Quote(unit), ": last words: ", PlainText(line));
        return;
    }
    CrashLine line{.unit = unit, .realtime = RealtimeNow(), .monotonic = now.since_boot.count()};
    std::string text;
    for (const auto& last : last_lines) {
        line.text = last;
        text += FormatCrashLine(line);
    }
    line.text = Cat("-- ", reason, " --");
    text += FormatCrashLine(line);
    (void)!::write(pmsg_.get(), text.data(), text.size());  // there is nowhere else to say so
}

namespace {

// Copies that are complete are renamed into place; the folder is on disk before pstore is emptied.
Status CopyFiles(const std::vector<std::string>& names, const std::string& folder) {
    HUSK_TRY(RemoveTree(folder + ".new"));
    HUSK_TRY(MakeDirectories(folder + ".new", 0700));
    auto boot = ReadFile("/proc/sys/kernel/random/boot_id", 64);
    if (!boot) return Fail(std::move(boot).error());
    HUSK_TRY(WriteFileDurably(Cat(folder, ".new/", kFoundInBoot), *boot, 0600));
    for (const auto& name : names) {
        auto text = ReadFile(Cat(kPstoreFolder, "/", name), kMostFileBytes);
        if (!text) return Fail(std::move(text).error());
        HUSK_TRY(WriteFileDurably(Cat(folder, ".new/", name), *text, 0600));
    }
    if (::rename((folder + ".new").c_str(), folder.c_str()) != 0)
        return FailErrno("rename ", Quote(folder));
    return SyncDirectory(folder.substr(0, folder.rfind('/')));
}

}  // namespace

std::string ThisBoot() { return ReadAttribute("/proc/sys/kernel/random/boot_id"); }

std::string PstoreOf(const std::string& state_directory, std::string_view boot) {
    const std::string parent = state_directory + "/pstore";
    auto folders = ListDirectory(parent);
    if (!folders) return {};
    for (const auto& folder : *folders) {
        std::string path = Cat(parent, "/", folder);
        auto found_in = ReadFile(Cat(path, "/", kFoundInBoot), 64);
        if (found_in && found_in->substr(0, found_in->find('\n')) == boot) return path;
    }
    return {};
}

Status CollectPstore(const std::string& state_directory) {
    struct stat there {};
    if (::stat(kPstoreFolder, &there) != 0) return {};  // the kernel has none
    if (!IsMountPoint(kPstoreFolder) &&
        ::mount("pstore", kPstoreFolder, "pstore", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
        return FailErrno("mount pstore");
    auto names = ListDirectory(kPstoreFolder);
    if (!names) return Fail(std::move(names).error());
    if (names->empty()) return {};
    if (names->size() > kMostFiles) names->resize(kMostFiles);
    const std::string parent = state_directory + "/pstore";
    HUSK_TRY(MakeDirectories(parent, 0700));
    auto folders = ListDirectory(parent);
    if (!folders) return Fail(std::move(folders).error());
    std::vector<uint64_t> numbers;
    for (const auto& folder : *folders)
        if (auto number = ParseUnsigned(folder)) numbers.push_back(*number);
    Sort(numbers);
    const uint64_t next = numbers.empty() ? 1 : numbers.back() + 1;
    HUSK_TRY(CopyFiles(*names, Cat(parent, "/", std::to_string(next))));
    for (const auto& name : *names)
        if (::unlink(Cat(kPstoreFolder, "/", name).c_str()) != 0)
            return FailErrno("remove ", Quote(name), " from pstore");
    for (size_t i = 0; i + kKeptFolders <= numbers.size(); ++i)
        HUSK_TRY(RemoveTree(Cat(parent, "/", std::to_string(numbers[i]))));
    LogInfo("the boot before ended in a crash: 'husk logs -b -1' shows what pstore kept of it");
    return {};
}

}  // namespace husk::supervisor
