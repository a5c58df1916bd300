#include "base/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>

namespace husk {

Result<EventLoop> EventLoop::Create() {
    OwnedFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return FailErrno("create epoll instance");
    return EventLoop(std::move(epoll));
}

Status EventLoop::Add(int fd, uint32_t epoll_events, FdCallback callback) {
    epoll_event event{};
    event.events = epoll_events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
        return FailErrno("add descriptor to epoll");
    const auto index = static_cast<size_t>(fd);
    if (index >= watches_.size()) watches_.resize(index + 1);
    watches_[index] = std::make_shared<Watch>(Watch{std::move(callback), next_generation_++});
    return {};
}

Status EventLoop::Modify(int fd, uint32_t epoll_events) {
    epoll_event event{};
    event.events = epoll_events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0)
        return FailErrno("change descriptor in epoll");
    return {};
}

void EventLoop::Remove(int fd) {
    const auto index = static_cast<size_t>(fd);
    if (index >= watches_.size() || watches_[index] == nullptr) return;
    watches_[index].reset();
    // Fails only for a descriptor that is closed already, which is out of epoll by then.
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::StartTimer(Instant at, TimerCallback callback) {
    const TimerId id = next_timer_++;
    timers_.emplace(std::pair(at, id), std::move(callback));
    deadlines_.emplace(id, at);
    return id;
}

void EventLoop::CancelTimer(TimerId id) {
    auto deadline = deadlines_.find(id);
    if (deadline == deadlines_.end()) return;
    timers_.erase({deadline->second, id});
    deadlines_.erase(deadline);
}

void EventLoop::RunExpiredTimers() {
    const Instant now = MonotonicNow();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
        auto timer = timers_.extract(timers_.begin());
        deadlines_.erase(timer.key().second);
        timer.mapped()();
    }
}

Status EventLoop::RunOnce(Duration at_most) {
    Duration wait = at_most;
    if (!timers_.empty())
        wait = std::clamp(timers_.begin()->first.first - MonotonicNow(), Duration(0), at_most);
    // Rounded up, or a timer a few microseconds away would spin.
    const int64_t milliseconds = wait == kInfinite ? -1 : (wait.count() + 999'999) / 1'000'000;
    epoll_event events[64];
    int count = ::epoll_wait(epoll_.get(), events, 64,
                             static_cast<int>(std::min<int64_t>(milliseconds, 1 << 30)));
    if (count < 0 && errno != EINTR) return FailErrno("wait for events");
    // Descriptors added by a callback of this round may reuse the number of one removed in it: an
    // event belongs to the watch only if that is older than the round.
    const uint64_t round = next_generation_;
    for (int i = 0; i < count; ++i) {
        // A copy keeps the callback alive while it removes itself.
        const auto watch = watches_[static_cast<size_t>(events[i].data.fd)];
        if (watch == nullptr || watch->generation >= round) continue;
        watch->callback(events[i].events);
    }
    RunExpiredTimers();
    return {};
}

Status EventLoop::Run() {
    while (!stopped_) HUSK_TRY(RunOnce(kInfinite));
    return {};
}

}  // namespace husk
