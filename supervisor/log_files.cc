#include "supervisor/log_files.h"

#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include <utility>

#include "base/log.h"
#include "base/sys.h"
#include "base/text.h"
#include "config/log_options.h"

namespace husk::supervisor {
namespace {

constexpr Duration kStartAgain = std::chrono::seconds(1);
constexpr Duration kFinishLimit = std::chrono::seconds(2);

}  // namespace

std::string LogIdentifier(const config::Unit& unit) {
    if (!unit.service.syslog_identifier.empty()) return unit.service.syslog_identifier;
    const std::string tag = config::LogOptionsOf(unit.container.log_options).tag;
    return tag.empty() ? unit.name : tag;
}

std::string LogFileSpec(const config::Unit& unit) {
    const config::LogOptions options = config::LogOptionsOf(unit.container.log_options);
    if (options.path.empty()) return {};
    return Cat(unit.name, ":", LogIdentifier(unit), ":", std::to_string(options.max_size), ":",
               std::to_string(options.max_file), ":", options.path);
}

LogFiles::~LogFiles() {
    loop_.CancelTimer(timer_);
    if (pidfd_) loop_.Remove(pidfd_.get());
}

void LogFiles::Want(std::vector<std::string> specs) {
    wanted_ = std::move(specs);
    if (finishing_) return;
    if (pid_ == 0) {
        if (timer_ == 0) Start();
    } else if (wanted_ != has_) {
        (void)::kill(pid_, SIGKILL);  // ours, and not waited for yet: it is that process
    }
}

void LogFiles::Start() {
    if (wanted_.empty()) return;
    std::vector<std::string> words{"husk", "log-files", Cat("--run-dir=", run_directory_)};
    if (kernel_log_) words.push_back("--kernel-log");
    for (const auto& spec : wanted_) words.push_back(Cat("--file=", spec));
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    char* environment[] = {nullptr};
    started_ = MonotonicNow();
    const int failed =
        ::posix_spawn(&pid_, "/proc/self/exe", nullptr, nullptr, argv.data(), environment);
    if (failed != 0) {
        pid_ = 0;
        return LogError(Error::FromErrno(failed, "start the writer of log files").text());
    }
    has_ = wanted_;
    pidfd_.reset(sys::pidfd_open(pid_));
    Status added = pidfd_ ? loop_.Add(pidfd_.get(), EPOLLIN, [this](uint32_t) { OnExit(); })
                          : Status(FailErrno("watch the writer of log files"));
    if (added) return;
    LogError(added.error().text());
    (void)::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
    pid_ = 0;
}

void LogFiles::OnExit() {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == 0) return;
    loop_.Remove(pidfd_.get());
    pidfd_.reset();
    pid_ = 0;
    loop_.CancelTimer(std::exchange(timer_, 0));
    if (finishing_) {
        if (auto then = std::exchange(then_, nullptr)) then();
        return;
    }
    // By itself it ends for an error only; and what kills it over and over is not to take the CPU.
    const Duration lived = MonotonicNow() - started_;
    const bool replaced = wanted_ != has_;
    if (replaced || lived > kStartAgain) return Start();
    timer_ = loop_.StartTimer(MonotonicNow() + kStartAgain, [this] {
        timer_ = 0;
        Start();
    });
}

bool LogFiles::Finish(std::function<void()> then) {
    if (finishing_) return then_ != nullptr;
    finishing_ = true;
    loop_.CancelTimer(std::exchange(timer_, 0));
    if (pid_ == 0) return false;
    (void)::kill(pid_, SIGTERM);
    then_ = std::move(then);
    timer_ = loop_.StartTimer(MonotonicNow() + kFinishLimit, [this] {
        timer_ = 0;
        LogWarning("log files: not all is written in time");
        if (auto late = std::exchange(then_, nullptr)) late();
    });
    return true;
}

}  // namespace husk::supervisor
