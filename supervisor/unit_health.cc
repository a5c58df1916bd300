// UnitRunner's health checks: when, by what, and what follows. What a result means is health.h's.
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "supervisor/unit_runner.h"

namespace husk::supervisor {
namespace {

// The cgroup of a check by command, below the unit's leaf.
constexpr char kHealthGroup[] = "health";
// What a check may write before it has to wait for its end.
constexpr size_t kMostOutput = 64 << 10;

bool RunsForChecks(const Life& life) {
    if (life.main_pid == 0 || !life.executed) return false;
    switch (life.state) {
        case State::kStarting:
        case State::kStartPost:
        case State::kRunning:
        case State::kReloading: return true;
        case State::kInactive:
        case State::kWaiting:
        case State::kCondition:
        case State::kStartPre:
        case State::kExited:
        case State::kStopCommand:
        case State::kStopping:
        case State::kCleaning:
        case State::kStopPost:
        case State::kBackoff:
        case State::kFailed: return false;
    }
    return false;
}

}  // namespace

void UnitRunner::FollowHealth() {
    Health& health = record_.health;
    if (!RunsForChecks(record_.life)) {
        if (health.state == HealthState::kNone) return;
        StopChecking();
        health = {};
        return Save();
    }
    const auto& section = unit_.container.health;
    if (health.state != HealthState::kNone || !section.IsGiven()) return;
    health = BeginHealth(section, MonotonicNow());
    Save();
    ArmCheck();
}

// What its files say now holds from the next check on.
void UnitRunner::ReloadHealth() {
    if (!RunsForChecks(record_.life)) return;
    AdjustHealth(record_.health, unit_.container.health, MonotonicNow());
    if (record_.health.state == HealthState::kNone) StopChecking();
    if (!IsChecking()) ArmCheck();
}

void UnitRunner::AdoptHealth() {
    // A check that an earlier supervisor began has nobody who would read its result.
    if (record_.health.state != HealthState::kNone) KillGroupsBelow(cgroup_.path(), kHealthGroup);
    ReloadHealth();
}

void UnitRunner::StopChecking() {
    device_.loop.CancelTimer(std::exchange(checks_.timer, 0));
    device_.loop.CancelTimer(std::exchange(checks_.deadline, 0));
    if (checks_.output) device_.loop.Remove(checks_.output.get());
    checks_.output.reset();
    checks_.probe.reset();
    if (checks_.command) KillGroupsBelow(cgroup_.path(), kHealthGroup);
    checks_.command.reset();
    const auto waiters = std::exchange(checks_.waiters, {});
    for (const auto& waiter : waiters) waiter({.text = "it does not run any more"});
}

void UnitRunner::ArmCheck() {
    device_.loop.CancelTimer(std::exchange(checks_.timer, 0));
    const Instant next = record_.health.next;
    if (record_.health.state == HealthState::kNone || next == kNever) return;
    checks_.timer = device_.loop.StartTimer(next, [this] {
        checks_.timer = 0;
        BeginCheck();
    });
}

Status UnitRunner::CheckHealthNow(std::function<void(const CheckResult&)> done) {
    if (!unit_.container.health.IsGiven())
        return Fail("it has no health check (HealthCmd=, HealthHttp= or HealthTcp=)");
    if (!RunsForChecks(record_.life)) return Fail("it does not run");
    checks_.waiters.push_back(std::move(done));
    if (!IsChecking()) BeginCheck();
    return {};
}

void UnitRunner::BeginCheck() {
    device_.loop.CancelTimer(std::exchange(checks_.timer, 0));
    if (IsChecking() || !pidfd_) return;
    const auto& section = unit_.container.health;
    const Duration timeout = CheckTimeout(record_.health, section);
    const bool startup = IsStartupCheck(record_.health, section);
    if (!startup && section.command.empty()) {
        checks_.probe = std::make_unique<HealthProbe>(
            device_.loop, section.http ? *section.http : *section.tcp, section.http.has_value(),
            timeout, [this](CheckResult result) { EndCheck(std::move(result)); });
        return checks_.probe->Start(pidfd_.get());
    }
    if (Status begun = BeginCheckCommand(startup ? section.startup_command : section.command);
        !begun) {
        // Told from the loop, as every other end.
        checks_.deadline =
            device_.loop.StartTimer(MonotonicNow(), [this, text = std::move(begun).error().text()] {
                checks_.deadline = 0;
                EndCheck({.text = text, .realtime = RealtimeNow()});
            });
        return;
    }
    checks_.deadline = device_.loop.StartTimer(MonotonicNow() + timeout, [this, timeout] {
        checks_.deadline = 0;
        checks_.late = Cat("no end within ", FormatDuration(timeout));
        checks_.command->Kill();
    });
}

Status UnitRunner::BeginCheckCommand(const std::vector<std::string>& words) {
    HUSK_TRY(FindPlan());
    auto program = container::MakeProgram({.arguments = words,
                                           .environment = plan_->program.environment,
                                           .working_dir = plan_->program.working_dir});
    if (!program) return Fail(std::move(program).error());
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return FailErrno("make a pipe");
    checks_.output.reset(ends[0]);
    const OwnedFd write(ends[1]);
    (void)::fcntl(ends[0], F_SETFL, O_NONBLOCK);  // of a pipe: cannot fail
    checks_.text.clear();
    checks_.read = 0;
    checks_.late.clear();
    UnitCommand::Order order{.program = std::move(*program), .group = kHealthGroup};
    order.input.standard_out = order.input.standard_error = write.get();
    order.done = [this](const CommandEnd& end) { OnCheckCommandDone(end); };
    checks_.command = std::make_unique<UnitCommand>(device_.loop, cgroup_.path(), plan_);
    if (Status started = StartInside(*checks_.command, std::move(order)); !started) {
        checks_.command.reset();
        checks_.output.reset();
        return started;
    }
    if (Status added = device_.loop.Add(ends[0], EPOLLIN, [this](uint32_t) { OnCheckOutput(); });
        !added)
        checks_.output.reset();
    return {};
}

// Its beginning is kept; of a check that writes without end no more is read.
void UnitRunner::OnCheckOutput() {
    char bytes[4096];
    const ssize_t got = ::read(checks_.output.get(), bytes, sizeof bytes);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got > 0) {
        const size_t size = static_cast<size_t>(got);
        checks_.read += size;
        if (checks_.text.size() < kMaxHealthText)
            checks_.text.append(bytes, std::min(size, kMaxHealthText - checks_.text.size()));
        if (checks_.read < kMostOutput) return;
    }
    device_.loop.Remove(checks_.output.get());
    if (got <= 0) checks_.output.reset();
}

void UnitRunner::OnCheckCommandDone(const CommandEnd& end) {
    // What it wrote last may wait in the pipe still.
    for (int i = 0; checks_.output && checks_.read < kMostOutput && i < 16; ++i) OnCheckOutput();
    if (checks_.output) device_.loop.Remove(checks_.output.get());
    checks_.output.reset();
    device_.loop.CancelTimer(std::exchange(checks_.deadline, 0));
    std::string text = checks_.late.empty() ? Describe(end.exit) : std::string(checks_.late);
    while (!checks_.text.empty() && (checks_.text.back() == '\n' || checks_.text.back() == ' '))
        checks_.text.pop_back();
    if (!checks_.text.empty()) text += Cat(": ", PlainLine(checks_.text, kMaxHealthText));
    const bool good =
        checks_.late.empty() && end.exit.kind == ExitKind::kExited && end.exit.code == 0;
    EndCheck({.good = good, .text = std::move(text), .realtime = RealtimeNow()});
}

void UnitRunner::EndCheck(CheckResult result) {
    checks_.probe.reset();
    checks_.command.reset();
    if (record_.health.state == HealthState::kNone) return;
    const auto& section = unit_.container.health;
    const HealthChange change = TakeResult(record_.health, section, result, MonotonicNow());
    if (change.reason.empty())
        Save();
    else
        Note(change.reason);  // saves
    const auto waiters = std::exchange(checks_.waiters, {});
    for (const auto& waiter : waiters) waiter(result);
    ArmCheck();
    if (change.before != change.after) host_.HealthChanged();
    if (change.after == HealthState::kHealthy && record_.life.state == State::kStarting &&
        unit_.container.notify == config::NotifyMode::kHealthy)
        Dispatch({.kind = EventKind::kReady});
    if (change.action != config::HealthAction::kNone && !change.reason.empty())
        Dispatch(
            {.kind = EventKind::kUnhealthy, .text = change.reason, .health_action = change.action});
}

}  // namespace husk::supervisor
