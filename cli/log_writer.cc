#include "cli/log_writer.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/format_log.h"
#include "cli/log_files.h"

namespace husk::cli {
namespace {

constexpr size_t kPiece = 32 * 1024;
constexpr Duration kTryAgain = std::chrono::seconds(1);
constexpr uint64_t kMagic = 0x31736f706b737568;  // "huskpos1"

// See the header: bytes `done` of what follows `place` were in files before the file with this
// inode had `size` bytes.
struct Position {
    uint64_t magic = kMagic;
    LogAssembler::Place place;
    uint64_t done = 0, size = 0, inode = 0;
};

std::string BootId() {
    auto id = ReadFile("/proc/sys/kernel/random/boot_id", 64);
    return id ? std::string(Trim(std::string_view(*id).substr(0, 36))) : "unknown";
}

// One unit's file.
class LogFile {
  public:
    LogFile(LogFileSpec spec, LogReader reader, OwnedFd position)
        : spec_(std::move(spec)), reader_(std::move(reader)), position_fd_(std::move(position)) {}

    // Writes what there is. What fails is said once, and tried again later.
    void Write(bool finish) {
        if (!finish && MonotonicNow() < try_again_) return;
        Status written = WriteAll(finish);
        if (!written && !std::exchange(failing_, true))
            LogWarning("log file ", Quote(spec_.path), ": ", written.error().text(),
                       "; the log in memory goes on");
        if (written && std::exchange(failing_, false))
            LogInfo("log file ", Quote(spec_.path), ": written again");
        if (!written) try_again_ = MonotonicNow() + kTryAgain;
    }
    LogReader& reader() { return reader_; }

  private:
    Status WriteAll(bool finish) {
        if (!file_) HUSK_TRY(Open());
        if (!began_) HUSK_TRY(GoOn());
        for (bool more = true; more;) {
            HUSK_TRY(WriteText());  // what is left of the piece before
            position_.place = reader_.place();
            position_.done = 0;
            std::vector<LogEntry> entries;
            auto read = reader_.ReadPiece(entries, kPiece);
            if (!read) return Fail(std::move(read).error());
            more = *read;
            if (!more && finish) HUSK_TRY(reader_.Finish(entries));
            Format(entries);
            // What a person wrote into the file is not to count for ever.
            if (!more) skip_ = std::min<uint64_t>(skip_, text_.size());
        }
        return WriteText();
    }

    void Format(const std::vector<LogEntry>& entries) {
        const Now now = ReadClocks();
        text_.clear();
        at_ = 0;
        for (const auto& entry : entries)
            text_ +=
                FormatLogEntry(entry, LogOutput::kShort, now, Style(), {spec_.unit, spec_.shown});
    }

    Status WriteText() {
        while (at_ < text_.size()) {
            if (skip_ > 0) {
                const uint64_t passed = std::min<uint64_t>(skip_, text_.size() - at_);
                skip_ -= passed;
                at_ += passed;
                position_.done += passed;
                continue;
            }
            const std::string_view left = std::string_view(text_).substr(at_);
            const size_t fits = FitLines(left, position_.size, spec_.max_size);
            HUSK_TRY(ExpectRoom(left.size()));
            if (fits == 0) {
                HUSK_TRY(Rotate());
                continue;
            }
            HUSK_TRY(SavePosition());
            const ssize_t put = ::write(file_.get(), left.data(), fits);
            if (put < 0) return FailErrno("write");
            at_ += static_cast<size_t>(put);
            position_.size += static_cast<uint64_t>(put);
            position_.done += static_cast<uint64_t>(put);
        }
        return {};
    }

    Status ExpectRoom(uint64_t bytes) {
        struct statvfs system {};
        if (::fstatvfs(file_.get(), &system) != 0) return FailErrno("look for room");
        const uint64_t free = uint64_t{system.f_bavail} * system.f_frsize;
        const uint64_t reserve = LogReserve(uint64_t{system.f_blocks} * system.f_frsize);
        if (free >= reserve + bytes) return {};
        return Fail("not written while less than ", FormatBytes(reserve),
                    " of its file system is free");
    }

    Status Open() {
        const size_t slash = spec_.path.rfind('/');
        if (slash > 0) HUSK_TRY(MakeDirectories(spec_.path.substr(0, slash)));
        auto file = OpenFile(
            spec_.path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0640);
        if (!file) return Fail(std::move(file).error());
        struct stat info {};
        if (::fstat(file->get(), &info) != 0) return FailErrno("stat");
        if (!S_ISREG(info.st_mode)) return Fail("it is no regular file");
        file_ = std::move(*file);
        position_.size = static_cast<uint64_t>(info.st_size);
        position_.inode = info.st_ino;
        return {};
    }

    // Where the last one that wrote it was; none: the boot is new.
    Status GoOn() {
        Position last;
        if (::pread(position_fd_.get(), &last, sizeof last, 0) != sizeof last ||
            last.magic != kMagic) {
            const std::string line = Cat("-- boot ", BootId(), " --\n");
            HUSK_TRY(ExpectRoom(line.size()));
            HUSK_TRY(husk::WriteAll(file_.get(), line, spec_.path));
            position_.size += line.size();
            began_ = true;
            return SavePosition();
        }
        began_ = true;
        if (!reader_.GoOnAt(last.place)) return {};
        skip_ = last.done;
        struct stat before {};
        if (position_.inode == last.inode)
            skip_ += position_.size - std::min(last.size, position_.size);
        else if (::stat(Cat(spec_.path, ".1").c_str(), &before) == 0 && before.st_ino == last.inode)
            skip_ += static_cast<uint64_t>(before.st_size) -
                     std::min(last.size, static_cast<uint64_t>(before.st_size));
        return {};
    }

    Status SavePosition() {
        if (::pwrite(position_fd_.get(), &position_, sizeof position_, 0) != sizeof position_)
            return FailErrno("note where it is");
        return {};
    }

    Status Rotate() {
        auto name = [&](int number) {
            return number == 0 ? spec_.path : Cat(spec_.path, ".", std::to_string(number));
        };
        // Also those that an earlier, larger max-file= left, as far as they follow each other.
        for (int number = spec_.max_file; ::unlink(name(number).c_str()) == 0; ++number) {
        }
        file_.reset();
        for (int number = spec_.max_file - 1; number > 0; --number)
            if (::rename(name(number - 1).c_str(), name(number).c_str()) != 0 && errno != ENOENT)
                return FailErrno("rename ", Quote(name(number - 1)));
        if (spec_.max_file == 1 && ::unlink(spec_.path.c_str()) != 0 && errno != ENOENT)
            return FailErrno("remove");
        HUSK_TRY(Open());
        return SavePosition();
    }

    LogFileSpec spec_;
    LogReader reader_;
    OwnedFd position_fd_, file_;
    Position position_;
    std::string text_;  // of the piece that is being written
    size_t at_ = 0;
    uint64_t skip_ = 0;  // bytes that are in a file already
    bool began_ = false, failing_ = false;
    Instant try_again_{};
};

struct Options {
    std::string run_directory;
    std::vector<LogFileSpec> files;
    bool kernel_log = false;
};

Result<Options> ParseOptions(int argc, char** argv) {
    Options options{.run_directory = DefaultRunDirectory()};
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word.starts_with("--run-dir=")) {
            options.run_directory = word.substr(10);
        } else if (word == "--kernel-log") {
            options.kernel_log = true;
        } else if (word.starts_with("--file=")) {
            auto spec = ParseLogFileSpec(word.substr(7));
            if (!spec) return Fail("not UNIT:NAME:SIZE:COUNT:PATH: ", Quote(word));
            options.files.push_back(std::move(*spec));
        } else {
            return Fail("unknown option ", Quote(word), "; see 'husk log-files --help'");
        }
    }
    return options;
}

Result<LogFile> OpenLogFile(const Options& options, const LogFileSpec& spec) {
    auto reply =
        Call({.run_directory = options.run_directory}, {.verb = "logs", .units = {spec.unit}});
    if (!reply) return Fail(std::move(reply).error());
    if (!reply->answer.ok) return Fail(reply->answer.error);
    auto reader = LogReader::Create(std::move(reply->files));
    if (!reader) return Fail(std::move(reader).error());
    auto position =
        OpenFile(Cat(options.run_directory, "/log-files/", spec.unit), O_RDWR | O_CREAT, 0600);
    if (!position) return Fail(std::move(position).error());
    return LogFile(spec, std::move(*reader), std::move(*position));
}

Status WriteLogFiles(const Options& options) {
    sigset_t term;
    ::sigemptyset(&term);
    ::sigaddset(&term, SIGTERM);
    (void)::sigprocmask(SIG_BLOCK, &term, nullptr);  // cannot fail
    const OwnedFd end(::signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!end) return FailErrno("make a signal descriptor");
    HUSK_TRY(MakeDirectories(options.run_directory + "/log-files", 0700));
    // The one before may still be dying, in a write that hangs.
    auto lock = OpenFile(options.run_directory + "/log-files/.lock", O_RDWR | O_CREAT, 0600);
    if (!lock) return Fail(std::move(lock).error());
    if (::flock(lock->get(), LOCK_EX) != 0) return FailErrno("lock the log files");

    std::vector<LogFile> files;
    for (const auto& spec : options.files) {
        auto file = OpenLogFile(options, spec);
        if (file)
            files.push_back(std::move(*file));
        else
            LogWarning("log file ", Quote(spec.path), ": ", file.error().text());
    }
    LogWatch watch;
    watch.Add(end.get());
    for (auto& file : files) watch.Add(file.reader());
    for (;;) {
        signalfd_siginfo signal{};
        const bool finish = ::read(end.get(), &signal, sizeof signal) == sizeof signal;
        for (auto& file : files) file.Write(finish);
        if (finish) return {};
        auto waited = watch.Wait(-1);
        if (!waited) return Fail(std::move(waited).error());
    }
}

}  // namespace

std::optional<LogFileSpec> ParseLogFileSpec(std::string_view text) {
    LogFileSpec spec;
    uint64_t count = 0;
    for (int field = 0; field < 4; ++field) {
        const size_t colon = text.find(':');
        if (colon == text.npos || colon == 0) return std::nullopt;
        const std::string_view value = text.substr(0, colon);
        text.remove_prefix(colon + 1);
        if (field == 0) spec.unit = value;
        if (field == 1) spec.shown = value;
        if (field < 2) continue;
        const auto number = ParseUnsigned(value);
        if (!number || *number == 0) return std::nullopt;
        (field == 2 ? spec.max_size : count) = *number;
    }
    if (count > 1000 || !text.starts_with('/')) return std::nullopt;
    spec.max_file = static_cast<int>(count);
    spec.path = text;
    return spec;
}

uint64_t LogReserve(uint64_t file_system) { return std::min<uint64_t>(file_system / 20, 64 << 20); }

size_t FitLines(std::string_view text, uint64_t size, uint64_t max_size) {
    const uint64_t room = max_size - std::min(size, max_size);
    if (text.size() <= room) return text.size();
    const size_t end = text.substr(0, room).rfind('\n');
    return end == text.npos ? 0 : end + 1;
}

int LogFilesMain(int argc, char** argv) {
    (void)::prctl(PR_SET_NAME, "husk-logs");
    if (argc == 2 && std::string_view(argv[1]) == "--help") {
        std::fputs(
            "usage: husk log-files [--run-dir=DIR] [--kernel-log] "
            "--file=UNIT:NAME:SIZE:COUNT:PATH…\n"
            "\n"
            "Writes logs of units to files. The supervisor starts it where units have\n"
            "LogOpt=path=.\n",
            stdout);
        return 0;
    }
    auto options = ParseOptions(argc, argv);
    if (!options) {
        std::fprintf(stderr, "husk: %s\n", options.error().text().c_str());
        return 2;
    }
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    StartLog("husk", LogLevel::kInfo);
    if (options->kernel_log) LogToKernel();
    Status ended = WriteLogFiles(*options);
    if (!ended) LogError("log files: ", ended.error().text());
    return ended ? 0 : 1;
}

}  // namespace husk::cli
