// Every state with every event, and a random walk through a world that behaves as badly as a
// kernel may.
#include <gtest/gtest.h>
#include <signal.h>

#include <random>
#include <string>
#include <vector>

#include "base/text.h"
#include "supervisor/lifecycle.h"

namespace husk::supervisor {
namespace {

using config::KillMode;
using config::RestartPolicy;
using config::ServiceType;
using std::chrono::seconds;

bool Has(const std::vector<Action>& actions, ActionKind kind) {
    for (const Action& action : actions)
        if (action.kind == kind) return true;
    return false;
}

bool NeedsTimer(const Life& life, const Policy& policy) {
    switch (life.state) {
        case State::kBackoff:
        case State::kCleaning: return true;
        case State::kStopping: return life.killed || policy.timeout_stop != kInfinite;
        case State::kStarting:
            if (policy.type == ServiceType::kOneshot) return policy.timeout_start != kInfinite;
            return !life.executed && policy.timeout_start != kInfinite;
        case State::kInactive:
        case State::kWaiting:
        case State::kRunning:
        case State::kExited:
        case State::kFailed: return false;
    }
    return false;
}

// What holds after every step, whatever came before it: the broken rule, or nothing.
const char* BrokenRule(const Life& before, const Life& after, const Policy& policy,
                       const Event& event, const std::vector<Action>& actions) {
    const bool moved = before.state != after.state;
    if (moved && after.reason.empty()) return "every transition has a reason";
    const bool launches = Has(actions, ActionKind::kLaunch);
    if (launches && (before.state != State::kWaiting || after.state != State::kStarting))
        return "a launch leads from waiting to starting";
    if (launches && after.main_pid != 0) return "a launch forgets the pid of the last run";
    if (moved && after.state == State::kStarting && !launches) return "starting is a launch";
    if ((after.timer != Instant{}) != NeedsTimer(after, policy))
        return "a timer is armed in the states that need one, and in no other";
    if (after.timer != before.timer && event.kind != EventKind::kTimer &&
        !Has(actions, ActionKind::kArmTimer) && !Has(actions, ActionKind::kCancelTimer))
        return "the runner is told of a timer's change";
    if (moved && after.state == State::kCleaning && !Has(actions, ActionKind::kKillGroup))
        return "cleaning kills what is left";
    if (moved && after.state == State::kWaiting && !Has(actions, ActionKind::kJoinOrder))
        return "who waits has asked for its turn";
    const bool down = after.state == State::kInactive || after.state == State::kFailed ||
                      after.state == State::kExited;
    const bool held = before.state != State::kFailed && before.state != State::kExited;
    if (moved && down && held && !Has(actions, ActionKind::kRelease))
        return "what is down holds nothing";
    if (HasProcesses(before.state) && !HasProcesses(after.state) &&
        event.kind != EventKind::kGroupEmpty && event.kind != EventKind::kLaunchFailed)
        return "processes do not vanish: only an empty group leads to rest";
    if (event.kind == EventKind::kStopWanted && after.done) return "stopped is not done";
    return nullptr;
}

std::string Where(const Life& before, const Event& event, const Life& after) {
    return Cat(StateName(before.state), " x event ", std::to_string(static_cast<int>(event.kind)),
               " -> ", StateName(after.state));
}

Life LifeIn(State state, AfterCleaning after, bool killed, bool executed, const Policy& policy) {
    Life life;
    life.state = state;
    life.reason = "before";
    life.cause = "started at boot";
    life.after = after;
    life.killed = killed;
    life.executed = executed;
    life.started_at = Instant{seconds(1)};
    if (HasProcesses(state) && state != State::kCleaning) life.main_pid = 42;
    if (after == AfterCleaning::kFail || after == AfterCleaning::kBackoff)
        life.last_exit.kind = ExitKind::kExited;
    if (NeedsTimer(life, policy)) life.timer = Instant{seconds(200)};
    return life;
}

Event EventOf(EventKind kind, int wait_status) {
    Event event{kind, "by someone", 43, {}};
    if (kind == EventKind::kMainExited)
        event.exit = ExitFromWaitStatus(wait_status, 0, 0, Instant{seconds(100)}, 0);
    return event;
}

std::vector<Policy> Policies() {
    std::vector<Policy> all;
    for (ServiceType type : {ServiceType::kExec, ServiceType::kSimple, ServiceType::kOneshot})
        for (RestartPolicy restart :
             {RestartPolicy::kNo, RestartPolicy::kOnFailure, RestartPolicy::kAlways})
            for (bool remain : {false, true})
                for (KillMode mode : {KillMode::kControlGroup, KillMode::kMixed})
                    for (Duration limit : {Duration(seconds(10)), kInfinite}) {
                        config::Unit unit;
                        unit.service.type = type;
                        unit.service.restart = restart;
                        unit.service.remain_after_exit = remain;
                        unit.service.kill_mode = mode;
                        unit.service.timeout_start = limit;
                        all.push_back(PolicyOf(unit, {}));
                    }
    return all;
}

TEST(LifecycleWalk, EveryStateDecidesEveryEvent) {
    size_t steps = 0;
    for (const Policy& policy : Policies())
        for (int state = 0; state < kStates; ++state)
            for (int kind = 0; kind < kEventKinds; ++kind)
                for (int after = 0; after < kAfterCleanings; ++after)
                    for (int flags = 0; flags < 4; ++flags)
                        for (int wait_status : {0, 1 << 8, SIGSEGV, SIGTERM}) {
                            const Life before =
                                LifeIn(static_cast<State>(state), static_cast<AfterCleaning>(after),
                                       flags & 1, flags & 2, policy);
                            Life life = before;
                            const Event event = EventOf(static_cast<EventKind>(kind), wait_status);
                            const auto actions =
                                Advance(life, policy, event, Instant{seconds(100)}, 0);
                            ASSERT_STREQ(BrokenRule(before, life, policy, event, actions), nullptr)
                                << Where(before, event, life);
                            ++steps;
                        }
    EXPECT_EQ(steps, Policies().size() * kStates * kEventKinds * kAfterCleanings * 16u);
}

// A kernel and people, at random: launches fail, steps fail, programs crash, ignore SIGTERM, leave
// children behind and hide from SIGKILL for a while.
class World {
  public:
    World(const Policy& policy, unsigned seed) : policy_(policy), random_(seed) {}

    // One thing that may happen next.
    void Step() {
        switch (Pick(12)) {
            case 0: return Send({EventKind::kStartWanted, "by 'husk start'", 0, {}});
            case 1: return Pick(3) ? void() : Send({EventKind::kStopWanted, "by it", 0, {}});
            case 2: return Pick(5) ? void() : Send({EventKind::kRestartWanted, "by it", 0, {}});
            case 3: return Order();
            case 4: return Pick(3) || clinging_ > 0 ? void() : Exit(Pick(2) ? 0 : SIGSEGV);
            case 5: return Pipe();
            case 6:
                return Pick(8) ? void() : Send({EventKind::kImageDamaged, "it is damaged", 0, {}});
            default: return Advance1();
        }
    }

    // From here on nobody asks for anything, and every process that is killed ends.
    bool StopEnds() {
        Send({EventKind::kStopWanted, "at shutdown", 0, {}});
        for (int i = 0; i < 200 && life.state != State::kInactive; ++i) Advance1();
        return life.state == State::kInactive;
    }

    Life life;
    int launches = 0;

  private:
    unsigned Pick(unsigned below) { return static_cast<unsigned>(random_()) % below; }

    void Send(const Event& event) {
        const Life before = life;
        const std::vector<Action> actions =
            Advance(life, policy_, event, now_, static_cast<uint32_t>(random_()));
        ASSERT_STREQ(BrokenRule(before, life, policy_, event, actions), nullptr)
            << Where(before, event, life);
        for (const Action& action : actions) Act(action);
    }

    void Act(const Action& action) {
        switch (action.kind) {
            case ActionKind::kLaunch:
                // Never a second container beside a first one, nor beside what it left.
                ASSERT_FALSE(alive_);
                ASSERT_EQ(children_, 0);
                ++launches;
                launching_ = true;
                break;
            case ActionKind::kSignalMain:
            case ActionKind::kSignalGroup:
                ASSERT_TRUE(alive_) << "signal to nobody";
                if (Pick(2)) ending_ = true;
                break;
            case ActionKind::kKillGroup:
                if (alive_) ending_ = true;
                killed_ = true;
                clinging_ = Pick(4) ? 0 : Pick(20);
                break;
            case ActionKind::kRelease:
                ASSERT_FALSE(alive_);
                ASSERT_EQ(children_, 0);
                break;
            case ActionKind::kJoinOrder:
            case ActionKind::kArmTimer:
            case ActionKind::kCancelTimer: break;
        }
    }

    void Order() {
        if (Pick(8) == 0)
            Send({EventKind::kRequirementLost, "requires 'db', which failed", 0, {}});
        else if (Pick(3) == 0)
            Send({EventKind::kOrderWaits, "'db'", 0, {}});
        else
            Send({EventKind::kOrderReady, "", 0, {}});
    }

    void Exit(int status) {
        if (!alive_) return;
        alive_ = ending_ = false;
        Event event{EventKind::kMainExited, "", 0, {}};
        event.exit = ExitFromWaitStatus(status, 0, 0, now_, 0);
        Send(event);
    }

    // The status pipe speaks, perhaps late.
    void Pipe() {
        if (!alive_) return;
        if (Pick(4)) return Send({EventKind::kExecuted, "", 0, {}});
        if (!life.executed) {
            Send({EventKind::kStepFailed, "mount: no", 0, {}});
            ending_ = true;
        }
    }

    // What must happen sooner or later.
    void Advance1() {
        now_ = now_ + Duration(Pick(1'000'000'000));
        if (launching_) {
            launching_ = false;
            if (Pick(5) == 0) return Send({EventKind::kLaunchFailed, "clone3: no", 0, {}});
            alive_ = true;
            children_ = static_cast<int>(Pick(3));
            return Send({EventKind::kLaunched, "", 42, {}});
        }
        if (clinging_ > 0) {
            --clinging_;
        } else {
            if (alive_ && ending_) return Exit(SIGKILL);
            if (killed_ && !alive_) {
                children_ = 0;
                killed_ = false;
                return Send({EventKind::kGroupEmpty, "", 0, {}});
            }
        }
        if (life.timer != Instant{} && Pick(2)) {
            now_ = std::max(now_, life.timer);
            Send({EventKind::kTimer, "", 0, {}});
        }
    }

    const Policy policy_;
    std::mt19937 random_;
    Instant now_{seconds(1)};
    bool launching_ = false, alive_ = false, ending_ = false, killed_ = false;
    int children_ = 0;
    unsigned clinging_ = 0;
};

TEST(LifecycleWalk, AMillionStepsThroughABadWorldKeepTheRulesAndEveryStopEnds) {
    const std::vector<Policy> policies = Policies();
    long launches = 0;
    for (int run = 0; run < 2000; ++run) {
        Policy policy = policies[static_cast<size_t>(run) % policies.size()];
        World world(policy, static_cast<unsigned>(run));
        for (int step = 0; step < 500; ++step) world.Step();
        launches += world.launches;
        ASSERT_TRUE(world.StopEnds())
            << "run " << run << " is " << StateName(world.life.state) << ": " << world.life.reason;
        ASSERT_FALSE(HasFailure()) << "run " << run;
    }
    EXPECT_GT(launches, 10'000);
}

}  // namespace
}  // namespace husk::supervisor
