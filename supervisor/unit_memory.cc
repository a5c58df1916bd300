// UnitRunner's watch over memory that runs short: kills for memory, and pressure before it.
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "supervisor/memory_pressure.h"
#include "supervisor/unit_runner.h"

namespace husk::supervisor {

// Descriptors are kept for units that ask for it only: one for a limit of memory, one for
// OOMPolicy=stop.
void UnitRunner::WatchMemory() {
    StopWatchingMemory();
    if (!HasProcesses(record_.life.state)) return;
    if (unit_.service.oom_policy == config::OomPolicy::kStop)
        if (auto events = cgroup_.OpenMemoryEvents()) {  // no limits of memory without the file
            Status added =
                device_.loop.Add(events->get(), EPOLLPRI, [this](uint32_t) { OnMemoryEvent(); });
            if (!added) return LogError(added.error().text());
            memory_events_ = std::move(*events);
            OnMemoryEvent();  // what happened before it was watched
        }
    if (!LimitsMemory(BuildLimits(unit_, device_.system, device_.facts, {}))) return;
    // A kernel without CONFIG_PSI, or with psi=0, says nothing of pressure.
    auto pressure = OpenFile(cgroup_.path() + "/memory.pressure", O_RDWR | O_NONBLOCK);
    if (!pressure || !WriteAll(pressure->get(), kPressureTrigger, "memory.pressure")) return;
    Status added = device_.loop.Add(pressure->get(), EPOLLPRI,
                                    [this](uint32_t events) { OnMemoryPressure(events); });
    if (!added) return LogError(added.error().text());
    pressure_ = std::move(*pressure);
}

void UnitRunner::StopWatchingMemory() {
    for (OwnedFd* watch : {&memory_events_, &pressure_}) {
        if (*watch) device_.loop.Remove(watch->get());
        watch->reset();
    }
}

void UnitRunner::OnMemoryEvent() {
    // Reading the file is also what makes the next EPOLLPRI wait for a change.
    char ignored[256];
    (void)!::pread(memory_events_.get(), ignored, sizeof ignored, 0);
    const uint64_t kills = cgroup_.OomKills();
    if (kills <= record_.oom_kills_before) return;
    ExitInfo exit{.kind = ExitKind::kOom,
                  .signal = SIGKILL,
                  .oom_kills = kills - record_.oom_kills_before,
                  .memory_limit = cgroup_.Usage().memory_max.value_or(0),
                  .at = MonotonicNow(),
                  .at_realtime = RealtimeNow()};
    exit.text = Cat("stopped by OOMPolicy=stop: ", std::to_string(exit.oom_kills),
                    exit.oom_kills == 1 ? " process was " : " processes were ", OomWords(exit));
    Dispatch({.kind = EventKind::kMemoryRanOut, .exit = std::move(exit)});
}

void UnitRunner::OnMemoryPressure(uint32_t events) {
    if ((events & EPOLLERR) != 0) {  // the leaf is gone
        device_.loop.Remove(pressure_.get());
        return pressure_.reset();
    }
    const Instant now = MonotonicNow();
    pressure_at_ = now;
    if (pressure_noted_ != Instant{} && now - pressure_noted_ < kPressurePause) return;
    pressure_noted_ = now;
    Note(DescribePressure(cgroup_.Usage()));
}

std::vector<std::string> UnitRunner::Notes() const {
    std::vector<std::string> notes = notes_;
    if (pressure_ && pressure_at_ != Instant{} && MonotonicNow() - pressure_at_ < kPressureLasts)
        notes.push_back(DescribePressure(cgroup_.Usage()));
    if (triggers_ != nullptr) {
        if (!triggers_->socket_problem.empty()) notes.push_back(triggers_->socket_problem);
        for (const auto& problem : triggers_->timer_problems) notes.push_back(problem);
    }
    if (!lost_links_.empty())
        notes.push_back(Cat("link ", Quote(lost_links_), " is gone, and the unit's link upon it"));
    return notes;
}

}  // namespace husk::supervisor
