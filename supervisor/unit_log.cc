// UnitRunner's log.
#include <sys/epoll.h>

#include "base/log.h"
#include "base/text.h"
#include "supervisor/unit_runner.h"

namespace husk::supervisor {
namespace {

constexpr Duration kLogRetry = std::chrono::milliseconds(200);
// Who writes without a pause is heard this often. A pipe takes far more meanwhile, and what is
// taken out of it line by line costs reader and writer a page and a wakeup for each.
constexpr Duration kLogPause = std::chrono::milliseconds(1);
// What one container can have left in its pipe, and more.
constexpr int kMostDrains = 64;

}  // namespace

Status UnitRunner::OpenLog() {
    if (log_) {
        FollowLogKeys();
        return {};
    }
    auto log = UnitLog::Create(unit_.name, device_.system.log_buffer_size);
    if (!log) return Fail(std::move(log).error().Wrap("open the log"));
    TakeLog(std::move(*log));
    if (device_.init.connected()) {
        auto keep = [&](int fd, int& slot) -> Status {
            auto stored = device_.init.Store(fd);
            if (!stored) return Fail(std::move(stored).error());
            slot = *stored;
            return {};
        };
        const LogFds& fds = log_->fds();
        HUSK_TRY(keep(fds.text.get(), record_.log_text_slot));
        HUSK_TRY(keep(fds.marks.get(), record_.log_marks_slot));
        HUSK_TRY(keep(fds.pipe.get(), record_.log_pipe_slot));
    }
    return {};
}

void UnitRunner::TakeLog(UnitLog log) {
    log_ = std::move(log);
    device_.logs.Add(&*log_);
    FollowLogKeys();
    WatchLog();
}

void UnitRunner::FollowLogKeys() {
    if (!log_) return;
    log_->SetRate(LogRateOf(unit_.service));
    host_.LogsChanged();
}

void UnitRunner::WatchLog() {
    Status added = device_.loop.Add(log_->pipe_fd(), EPOLLIN, [this](uint32_t) { DrainLog(); });
    if (added) return;
    LogError("unit ", Quote(unit_.name), ": log: ", added.error().text());
    AwaitLog(MonotonicNow() + kLogRetry);
}

void UnitRunner::DrainLog() {
    const Instant now = MonotonicNow();
    if (now - log_heard_ < kLogPause) {
        device_.loop.Remove(log_->pipe_fd());
        return AwaitLog(log_heard_ + kLogPause);
    }
    auto drained = log_->Drain();
    log_heard_ = drained && drained->more ? Instant{} : now;
    device_.logs.Keep();
    if (log_->IsDropping()) AwaitDroppingEnd();
    if (!drained)
        LogError("unit ", Quote(unit_.name), ": log: ", drained.error().text());
    else if (!drained->stuck)
        return;
    // What waits stays in the pipe; watching it now would only spin.
    device_.loop.Remove(log_->pipe_fd());
    AwaitLog(now + kLogRetry);
}

void UnitRunner::AwaitLog(Instant until) {
    log_timer_ = device_.loop.StartTimer(until, [this] {
        log_timer_ = 0;
        WatchLog();
    });
}

// So that who follows the log is told, though the unit says nothing more.
void UnitRunner::AwaitDroppingEnd() {
    if (drop_timer_ != 0) return;
    drop_timer_ = device_.loop.StartTimer(log_->DroppingEnd(), [this] {
        drop_timer_ = 0;
        log_->EndDropping();
    });
}

void UnitRunner::TellLastWords(std::string_view reason) {
    std::vector<std::string> lines;
    if (log_)
        if (auto tail = log_->Tail(CrashLog::kLines)) lines = std::move(*tail);
    device_.crash_log.Tell(unit_.name, reason, lines);
}

void UnitRunner::DrainLogFully() {
    if (!log_) return;
    for (int i = 0; i < kMostDrains; ++i) {
        auto drained = log_->Drain();
        device_.logs.Keep();
        if (!drained || !drained->more || drained->stuck) return;
    }
}

}  // namespace husk::supervisor
