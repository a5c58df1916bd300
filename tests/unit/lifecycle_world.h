// A device full of units that behaves as badly as a kernel, programs and people may: launches fail,
// steps fail, programs crash, ignore SIGTERM, leave children behind, hide from SIGKILL for a while,
// say that they are ready when nobody asked, and everyone wants something else all the time.
//
// Invariants (docs/lifecycle.md names them):
//  1 every transition has a reason
//  2 there are never two main processes of a unit, nor a command beside another
//  3 nothing is launched beside what an earlier run left
//  4 no dependency starts late: what a unit requires and is ordered after is up when it launches
//  5 no unit is forgotten: whatever is not at rest has a process, a deadline or a turn to wait for
//  6 a wanted unit is on its way, up, done, or has failed with a reason
//  7 a stop always ends
//  8 what is at rest holds nothing
//  9 a deadline that changed is told to the runner
// 10 the record read back gives the same state
// 11 OnFailure= and its kin are owed exactly once for each end
#pragma once

#include <random>
#include <string>
#include <vector>

#include "supervisor/lifecycle.h"
#include "supervisor/order.h"

namespace husk::supervisor {

// What was seen: [state][event] -> states that it led to, as bits.
using Seen = std::vector<std::vector<uint32_t>>;

class LifecycleWorld {
  public:
    LifecycleWorld(unsigned seed, Seen& seen);

    // One thing that may happen next, to some unit. False where an invariant broke.
    bool Step();
    // From here on nobody asks for anything, and every process that is killed ends.
    bool StopEnds();

    const std::string& broken() const { return broken_; }
    long launches() const { return launches_; }

  private:
    struct Unit {
        Policy policy;
        Life life;
        OrderUnit node;
        bool wanted = false;
        bool launching = false, alive = false, ending = false, killed = false;
        bool command = false, command_ending = false;
        bool asks = false;  // kJoinOrder was said and is not answered yet
        int children = 0;
        unsigned clinging = 0;
        Instant armed{};
        int owed = 0;  // ends that have to be told
    };

    unsigned Pick(unsigned below) { return static_cast<unsigned>(random_()) % below; }
    bool Chance(unsigned one_in) { return Pick(one_in) == 0; }
    Policy RandomPolicy();
    bool Broken(const Unit& unit, const std::string& rule, const std::string& where = {});
    bool Send(Unit& unit, Event event);
    bool Act(Unit& unit, const Action& action);
    bool CheckMove(const Unit& unit, const Life& before, const Event& event,
                   const std::vector<Action>& actions);
    bool CheckRest(const Unit& unit);
    bool CheckRecord(Unit& unit);
    bool Tell(Unit& unit);
    bool Answer(Unit& unit);
    bool Wish(Unit& unit);
    bool Speak(Unit& unit);
    bool EndCommand(Unit& unit);
    bool ExitMain(Unit& unit, int status);
    bool Advance1(Unit& unit);
    std::vector<Standing> Standings() const;

    std::mt19937 random_;
    Seen& seen_;
    std::vector<Unit> units_;
    std::vector<OrderUnit> nodes_;
    Order order_;
    Instant now_{std::chrono::seconds(1)};
    long launches_ = 0, steps_ = 0;
    bool quiet_ = false;
    std::string broken_;
};

}  // namespace husk::supervisor
