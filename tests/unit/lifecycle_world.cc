#include "lifecycle_world.h"

#include <signal.h>

#include <algorithm>

#include "base/text.h"
#include "supervisor/record.h"

namespace husk::supervisor {
namespace {

using config::KillMode;
using config::RestartPolicy;
using config::ServiceType;
using std::chrono::milliseconds;
using std::chrono::seconds;

bool Has(const std::vector<Action>& actions, ActionKind kind) {
    return std::ranges::any_of(actions, [&](const Action& action) { return action.kind == kind; });
}

bool IsAtRest(State state) {
    return state == State::kInactive || state == State::kExited || state == State::kFailed;
}

bool RunsCommands(State state) {
    return state == State::kCondition || state == State::kStartPre || state == State::kStartPost ||
           state == State::kStopCommand || state == State::kStopPost;
}

// After= and Requires= to units before it only, so that there is no cycle.
std::vector<OrderUnit> RandomGraph(std::mt19937& random) {
    std::vector<OrderUnit> nodes(1 + random() % 5);
    for (size_t i = 0; i < nodes.size(); ++i) {
        nodes[i].name = Cat("u", std::to_string(i));
        for (size_t other = 0; other < i; ++other) {
            const unsigned how = static_cast<unsigned>(random() % 4);
            if (how & 1) nodes[i].after.push_back(nodes[other].name);
            if (how & 2) nodes[i].requires_.push_back(nodes[other].name);
        }
    }
    return nodes;
}

}  // namespace

LifecycleWorld::LifecycleWorld(unsigned seed, Seen& seen)
    : random_(seed), seen_(seen), nodes_(RandomGraph(random_)), order_(nodes_) {
    seen_.resize(kStates, std::vector<uint32_t>(kEventKinds));
    for (const OrderUnit& node : nodes_) {
        Unit unit;
        unit.policy = RandomPolicy();
        unit.node = node;
        units_.push_back(std::move(unit));
    }
}

Policy LifecycleWorld::RandomPolicy() {
    constexpr ServiceType kTypes[] = {ServiceType::kExec, ServiceType::kSimple,
                                      ServiceType::kOneshot, ServiceType::kNotify,
                                      ServiceType::kNotifyReload};
    constexpr RestartPolicy kRestarts[] = {RestartPolicy::kNo,        RestartPolicy::kOnSuccess,
                                           RestartPolicy::kOnFailure, RestartPolicy::kOnAbnormal,
                                           RestartPolicy::kOnAbort,   RestartPolicy::kAlways,
                                           RestartPolicy::kOnWatchdog};
    config::Unit unit;
    unit.service.type = kTypes[Pick(5)];
    unit.service.restart = kRestarts[Pick(7)];
    unit.service.remain_after_exit = Chance(3);
    unit.service.kill_mode = Chance(2) ? KillMode::kControlGroup : KillMode::kMixed;
    if (Chance(2)) unit.service.timeout_start = Chance(3) ? kInfinite : Duration(seconds(5));
    if (Chance(3)) unit.service.runtime_max = seconds(20);
    if (Chance(3)) unit.service.watchdog = seconds(3);
    if (Chance(4)) unit.service.final_kill_signal = SIGABRT;
    unit.service.send_sighup = Chance(4);
    if (Chance(4)) unit.service.reload_signal = SIGUSR1;
    if (Chance(4)) unit.unit.job_timeout = seconds(10);
    if (Chance(6)) unit.container.notify = config::NotifyMode::kHealthy;
    if (Chance(4)) {
        unit.unit.start_limit_burst = 3;
        unit.unit.start_limit_interval = seconds(20);
    }
    for (auto* list :
         {&unit.service.exec_condition, &unit.service.exec_start_pre, &unit.service.exec_start_post,
          &unit.service.exec_reload, &unit.service.exec_stop, &unit.service.exec_stop_post})
        for (unsigned left = Chance(2) ? Pick(3) : 0; left > 0; --left)
            list->push_back({.may_fail = Chance(3), .words = {"/bin/true"}});
    return PolicyOf(unit, {});
}

bool LifecycleWorld::Broken(const Unit& unit, const std::string& rule, const std::string& where) {
    broken_ = Cat(unit.node.name, ": ", rule, where.empty() ? "" : Cat(" (", where, ")"), "; ",
                  SubStateName(unit.life.state), ": ", unit.life.reason);
    return false;
}

std::vector<Standing> LifecycleWorld::Standings() const {
    std::vector<Standing> standings;
    for (const Unit& unit : units_)
        standings.push_back(
            {.state = unit.life.state, .wanted = unit.wanted, .done = unit.life.done});
    return standings;
}

bool LifecycleWorld::Send(Unit& unit, Event event) {
    const Life before = unit.life;
    const std::vector<Action> actions =
        Advance(unit.life, unit.policy, event, now_, static_cast<uint32_t>(random_()));
    const bool fired = event.kind == EventKind::kTimer;
    if (!fired)
        seen_[static_cast<size_t>(before.state)][static_cast<size_t>(event.kind)] |=
            1u << static_cast<int>(unit.life.state);
    if (!CheckMove(unit, before, event, actions)) return false;
    if (before.untold != unit.life.untold && unit.life.untold != Untold::kNothing) ++unit.owed;
    for (const Action& action : actions)
        if (!Act(unit, action)) return false;
    if (unit.armed != NextDeadline(unit.life))
        return Broken(unit, "9: a deadline that changed is told to the runner");
    if (before.state != unit.life.state)
        for (Unit& other : units_)
            if (other.life.state == State::kWaiting) other.asks = true;
    return CheckRest(unit);
}

bool LifecycleWorld::CheckMove(const Unit& unit, const Life& before, const Event& event,
                               const std::vector<Action>& actions) {
    const Life& after = unit.life;
    const std::string where =
        Cat(SubStateName(before.state), " x event ", std::to_string(static_cast<int>(event.kind)));
    const bool moved = before.state != after.state;
    if (moved && after.reason.empty())
        return Broken(unit, "1: every transition has a reason", where);
    if (Has(actions, ActionKind::kLaunch) && after.state != State::kStarting)
        return Broken(unit, "a launch is starting", where);
    if (moved && after.state == State::kCleaning && !Has(actions, ActionKind::kKillGroup))
        return Broken(unit, "cleaning kills what is left", where);
    if (moved && after.state == State::kWaiting && !Has(actions, ActionKind::kJoinOrder))
        return Broken(unit, "5: who waits has asked for its turn", where);
    const bool held = !IsAtRest(before.state);
    if (moved && IsAtRest(after.state) && held && !Has(actions, ActionKind::kRelease))
        return Broken(unit, "8: what is at rest holds nothing", where);
    if (event.kind == EventKind::kStopWanted && after.done)
        return Broken(unit, "stopped is not done", where);
    if (before.state == State::kFailed && moved && after.state == State::kFailed)
        return Broken(unit, "11: a failure is one", where);
    return true;
}

bool LifecycleWorld::Act(Unit& unit, const Action& action) {
    switch (action.kind) {
        case ActionKind::kLaunch: {
            if (unit.alive || unit.launching || unit.command)
                return Broken(unit, "2: never a second main process");
            if (unit.children != 0)
                return Broken(unit, "3: nothing beside what an earlier run left");
            ++launches_;
            unit.launching = true;
            return true;
        }
        case ActionKind::kRunCommand: {
            if (unit.command || unit.launching) return Broken(unit, "2: one command at a time");
            const auto& list = unit.policy.Commands(action.command);
            if (action.index < 0 || static_cast<size_t>(action.index) >= list.size())
                return Broken(unit, "a command that is there");
            unit.command = true;
            unit.command_ending = false;
            return true;
        }
        case ActionKind::kKillCommand: unit.command_ending = true; return true;
        case ActionKind::kSignalMain:
        case ActionKind::kSignalGroup:
            if (!unit.alive) return Broken(unit, "a signal to nobody");
            if (Chance(2) && action.signal != unit.policy.reload_signal) unit.ending = true;
            return true;
        case ActionKind::kKillGroup:
            unit.ending |= unit.alive;
            unit.command_ending |= unit.command;
            unit.killed = true;
            unit.clinging = Chance(4) ? Pick(20) : 0;
            return true;
        case ActionKind::kRelease:
            if (unit.alive || unit.children != 0 || unit.command)
                return Broken(unit, "8: what is let go has no process");
            return true;
        case ActionKind::kJoinOrder: unit.asks = true; return true;
        case ActionKind::kArmTimer: unit.armed = action.at; return true;
        case ActionKind::kCancelTimer: unit.armed = {}; return true;
    }
    return true;
}

// Whether something will happen to it without anybody's wish.
bool LifecycleWorld::CheckRest(const Unit& unit) {
    const State state = unit.life.state;
    const bool has_process = unit.alive || unit.launching || unit.command || unit.children > 0;
    if (IsAtRest(state) || state == State::kBackoff || state == State::kWaiting) {
        if (has_process) return Broken(unit, "8: what is at rest has no process");
    }
    if (state == State::kBackoff && unit.armed == Instant{}) return Broken(unit, "5: backoff ends");
    if (RunsCommands(state) && !unit.command && unit.armed == Instant{})
        return Broken(unit, "5: a state of commands has one, or a deadline");
    if ((state == State::kRunning || state == State::kReloading || state == State::kStopping) &&
        !unit.alive && !unit.launching)
        return Broken(unit, "5: up is a process");
    if (state == State::kCleaning && !unit.killed) return Broken(unit, "5: cleaning ends");
    if (unit.wanted && state == State::kInactive && !unit.life.done)
        return Broken(unit, "6: a wanted unit is not just inactive");
    if (state == State::kFailed && unit.life.reason.empty())
        return Broken(unit, "6: a failure has a reason");
    if (unit.owed > 1) return Broken(unit, "11: each end is told before the next");
    return true;
}

bool LifecycleWorld::CheckRecord(Unit& unit) {
    Record record;
    record.unit = unit.node.name;
    record.life = unit.life;
    const std::string text = Serialize(record);
    auto read = ParseRecord(text);
    if (!read) return Broken(unit, Cat("10: the record reads back: ", read.error().text()));
    if (Serialize(*read) != text) return Broken(unit, "10: the record gives the same state");
    unit.life = read->life;  // and goes on from it
    return true;
}

// The manager's part.
bool LifecycleWorld::Answer(Unit& unit) {
    unit.asks = false;
    if (unit.life.state != State::kWaiting) return true;
    if (Chance(40))
        return Send(unit, {.kind = EventKind::kConditionUnmet, .text = "it does not hold"});
    if (Chance(40)) return Send(unit, {.kind = EventKind::kAssertionFailed, .text = "it does not"});
    const auto index = order_.Find(unit.node.name);
    const std::vector<Standing> standings = Standings();
    const OrderVerdict verdict = order_.Verdict(*index, standings);
    switch (verdict.kind) {
        case OrderVerdict::Kind::kWait:
            return Send(unit, {.kind = EventKind::kOrderWaits, .text = verdict.text});
        case OrderVerdict::Kind::kLost:
            return Send(unit, {.kind = EventKind::kRequirementLost, .text = verdict.text});
        case OrderVerdict::Kind::kReady: break;
    }
    for (const std::string& name : unit.node.requires_) {
        if (std::ranges::find(unit.node.after, name) == unit.node.after.end()) continue;
        const Life& needed = units_[*order_.Find(name)].life;
        if (!IsUp(needed.state) && !needed.done)
            return Broken(unit, "4: what it requires is up before it", needed.reason);
    }
    return Send(unit, {.kind = EventKind::kOrderReady});
}

bool LifecycleWorld::Wish(Unit& unit) {
    switch (Pick(8)) {
        case 0:
        case 1:
        case 2:
            unit.wanted = true;
            return Send(unit, {.kind = EventKind::kStartWanted, .text = "by 'husk start'"});
        case 3:
            if (!Chance(2)) return true;
            unit.wanted = false;
            return Send(unit, {.kind = EventKind::kStopWanted, .text = "by 'husk stop'"});
        case 4:
            if (!Chance(2)) return true;
            unit.wanted = true;
            return Send(unit, {.kind = EventKind::kRestartWanted, .text = "by 'husk restart'"});
        case 5:
            if (!CanReload(unit.policy)) return true;
            return Send(unit, {.kind = EventKind::kReloadWanted, .text = "by 'husk reload'"});
        case 6: {
            if (!Chance(8)) return true;
            // Whoever takes note of a failure does not want it any more.
            if (unit.life.state == State::kFailed) unit.wanted = false;
            return Send(unit, {.kind = EventKind::kResetFailed, .text = "by 'husk reset-failed'"});
        }
        default:
            if (!Chance(30)) return true;
            return Send(unit, {.kind = EventKind::kImageDamaged, .text = "it is damaged"});
    }
}

// What a program says, asked or not, as long as there is one; and what is found out about it.
bool LifecycleWorld::Speak(Unit& unit) {
    if (unit.command && Chance(20))
        return Send(unit, {.kind = EventKind::kExtendTimeout, .duration = seconds(Pick(9))});
    if (!unit.alive) return true;
    switch (Pick(14)) {
        case 0:
        case 1: return Send(unit, {.kind = EventKind::kExecuted});
        case 2:
        case 3: return Send(unit, {.kind = EventKind::kReady});
        case 4:
        case 5: return Send(unit, {.kind = EventKind::kSignOfLife});
        case 6: return !Chance(3) || Send(unit, {.kind = EventKind::kReloadStarted});
        case 7: return !Chance(8) || Send(unit, {.kind = EventKind::kStopAnnounced});
        case 8: return !Chance(10) || Send(unit, {.kind = EventKind::kWatchdogTrigger});
        case 9:
            return !Chance(5) || Send(unit, {.kind = EventKind::kWatchdogInterval,
                                             .duration = milliseconds(Pick(4) * 1000)});
        case 10:
            return !Chance(5) ||
                   Send(unit, {.kind = EventKind::kExtendTimeout, .duration = seconds(Pick(9))});
        case 11: {
            if (!Chance(12)) return true;
            Event event{.kind = EventKind::kMemoryRanOut};
            event.exit = {.kind = ExitKind::kOom, .signal = SIGKILL, .oom_kills = 1, .at = now_};
            return Send(unit, event);
        }
        case 12: {
            if (!Chance(12)) return true;
            return Send(unit, {.kind = EventKind::kUnhealthy,
                               .text = "unhealthy: it does not answer",
                               .health_action = static_cast<config::HealthAction>(1 + Pick(3))});
        }
        default:
            if (unit.life.executed || !Chance(3)) return true;
            unit.ending = true;
            return Send(unit, {.kind = EventKind::kStepFailed, .text = "mount: no"});
    }
}

bool LifecycleWorld::EndCommand(Unit& unit) {
    unit.command = false;
    Event event{.kind = EventKind::kCommandDone};
    event.exit = {.kind = ExitKind::kExited, .at = now_};
    if (unit.command_ending)
        event.exit = {.kind = ExitKind::kSignal, .signal = SIGKILL, .at = now_};
    else if (Chance(6))
        event.exit.code = Chance(2) ? 255 : 1;
    else if (Chance(20))
        event.exit = {.kind = ExitKind::kStartFailed, .text = "no such file"};
    return Send(unit, event);
}

bool LifecycleWorld::ExitMain(Unit& unit, int status) {
    unit.alive = unit.ending = false;
    Event event{.kind = EventKind::kMainExited};
    event.exit = ExitFromWaitStatus(status, 0, 0, now_, 0);
    return Send(unit, event);
}

// What must happen sooner or later.
bool LifecycleWorld::Advance1(Unit& unit) {
    now_ = now_ + Duration(Pick(500'000'000));
    if (unit.launching) {
        unit.launching = false;
        if (!quiet_ && Chance(8))
            return Send(unit, {.kind = EventKind::kLaunchFailed, .text = "clone3: no"});
        unit.alive = true;
        unit.children = static_cast<int>(Pick(3));
        return Send(unit, {.kind = EventKind::kLaunched, .pid = 42});
    }
    if (unit.clinging > 0) {
        --unit.clinging;
    } else {
        if (unit.command && (unit.command_ending || Chance(3))) return EndCommand(unit);
        if (unit.alive && unit.ending) return ExitMain(unit, SIGKILL);
        if (unit.killed && !unit.alive && !unit.command && !unit.launching) {
            unit.children = 0;
            unit.killed = false;
            return Send(unit, {.kind = EventKind::kGroupEmpty});
        }
    }
    if (unit.armed != Instant{} && unit.armed.since_boot < kInfinite && Chance(quiet_ ? 2 : 8)) {
        now_ = std::max(now_, unit.armed);
        unit.armed = {};
        return Send(unit, {.kind = EventKind::kTimer});
    }
    return !unit.asks || Answer(unit);
}

// The manager tells at once; a new supervisor before anything else.
bool LifecycleWorld::Tell(Unit& unit) {
    if (unit.life.untold == Untold::kNothing) return true;
    unit.owed = 0;
    return Send(unit, {.kind = EventKind::kTriggered});
}

bool LifecycleWorld::Step() {
    Unit& unit = units_[Pick(static_cast<unsigned>(units_.size()))];
    if (!Tell(unit)) return false;
    if (++steps_ % 256 == 0 && !CheckRecord(unit)) return false;
    switch (Pick(8)) {
        case 0: return Wish(unit);
        case 1:
        case 2: return Speak(unit);
        case 3:
            if (!unit.alive || unit.clinging > 0 || !Chance(4)) return true;
            return ExitMain(unit, Chance(2) ? 0 : (Chance(2) ? 1 << 8 : SIGSEGV));
        default: return Advance1(unit);
    }
}

bool LifecycleWorld::StopEnds() {
    quiet_ = true;
    for (Unit& unit : units_) {
        unit.wanted = false;
        if (!Tell(unit) || !Send(unit, {.kind = EventKind::kStopWanted, .text = "for poweroff"}))
            return false;
    }
    for (Unit& unit : units_) {
        for (int i = 0; i < 1000 && unit.life.state != State::kInactive; ++i)
            if (!Advance1(unit)) return false;
        if (unit.life.state != State::kInactive) return Broken(unit, "7: a stop always ends");
    }
    return true;
}

}  // namespace husk::supervisor
