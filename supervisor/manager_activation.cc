// Manager's part in timers and sockets.
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>

#include "base/log.h"
#include "supervisor/manager.h"

namespace husk::supervisor {
namespace {

// A timer on the wall clock that never ends, but is cancelled when that is set (timerfd_create(2)).
bool ArmClockWatch(int fd) {
    constexpr time_t kFarAway = 1ll << 40;
    const itimerspec at{.it_interval = {}, .it_value = {.tv_sec = kFarAway, .tv_nsec = 0}};
    return ::timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, nullptr) == 0;
}

}  // namespace

void Manager::WatchClock() {
    clock_.reset(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!clock_ || !ArmClockWatch(clock_.get()))
        return LogError(Error::FromErrno("watch the wall clock").text());
    Status added = device_.loop.Add(clock_.get(), EPOLLIN, [this](uint32_t) {
        // Before it is looked at, so that no second change falls between.
        uint64_t ignored = 0;
        (void)!::read(clock_.get(), &ignored, sizeof ignored);  // ECANCELED
        (void)ArmClockWatch(clock_.get());                      // it could be armed before
        for (auto& entry : entries_)
            if (entry.runner) entry.runner->FollowClock();
    });
    if (!added) LogError(added.error().text());
}

void Manager::ArmEnabled() {
    if (shutdown_ != ShutdownAction::kNone) return;
    for (auto& entry : entries_)
        if (entry.runner && !entry.gone) entry.runner->ArmEnabled();
}

void Manager::Activate(UnitRunner& runner, const std::string& by) {
    if (shutdown_ != ShutdownAction::kNone) return;
    if (const auto index = order().Find(runner.unit().name))
        (void)unit_jobs_.Start(std::array{*index}, by, Asked::kWanted);  // tells whom it leaves out
}

void Manager::AnswerTimers(ControlServer::ConnectionId id, const ControlRequest&) {
    std::vector<std::string> names;
    for (const auto& entry : entries_)
        if (entry.runner && entry.runner->unit().timer.IsGiven()) names.push_back(entry.name);
    ReplyWithUnits(id, names, Detail::kPlain);
}

}  // namespace husk::supervisor
