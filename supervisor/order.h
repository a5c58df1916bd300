// In which order units start and stop: pure functions of the units' keys in [Unit] and of where
// each unit stands.
//
// As in systemd, ordering and requirement are separate: After= alone waits, and does not mind a
// unit that failed or is not wanted; Requires= alone starts the other one too and minds only
// whether it can exist; both together wait for it to be up. BindsTo= is as Requires=, but together
// with After= the other one has to be up indeed: that it did its work, or was skipped, is not
// enough. Where one of two ordered units goes down and the other comes up, going down is first,
// whichever of the two is named in After= (systemd.unit(5)). Unlike in systemd, a requirement in
// backoff is waited for instead of failing the start: on a device that nobody attends, the unit
// comes up when what it needs does.
#pragma once

#include <cstddef>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/rare.h"
#include "supervisor/job.h"
#include "supervisor/lifecycle.h"

namespace husk::supervisor {

// Before= is folded into the other unit's `after`.
struct OrderUnit {
    std::string name;
    std::vector<std::string> after, requires_, wants, binds_to, part_of, conflicts, on_failure,
        on_success;
    // Of requires_: the unit whose network it shares, where that outlives that unit's restarts and
    // no other key ties the two.
    std::string joins = {};
};

// Where one unit stands, beside its place in the order.
struct Standing {
    State state = State::kInactive;
    bool wanted = false;   // a start was asked for, and no stop since
    bool done = false;     // Life::done
    bool refused = false;  // its file has errors
    // kStop, kRestart: it is to be told so once its turn has come.
    JobKind job = JobKind::kNone;
    AfterCleaning after = AfterCleaning::kStayDown;  // Life::after
    bool held_up = false;  // kWaiting for what is no unit, nobody knows how long
    bool direct = false;   // RestartMode=direct: its automatic restarts are no matter to others
    Instant started_at{}, ended_at{};  // of its last launch, and of the end before or behind that
};

struct OrderVerdict {
    enum class Kind {
        kReady,
        kWait,  // text: for what, "'db' (starting), 'net' (waiting)"
        kLost,  // text: "requires 'db', which has failed"
    } kind = Kind::kReady;
    std::string text;
};

// On its way down, or about to be told so: whatever it is ordered with waits for that to start.
bool GoesDown(const Standing& standing);
// Nothing of it is there, nor is to come.
bool IsIdle(const Standing& standing);

class Order {
  public:
    // A unit's place in the list given here.
    using Index = size_t;
    using Units = std::vector<Index>;  // sorted, each once

    // Names that no unit has are remembered only where they are required.
    explicit Order(const std::vector<OrderUnit>& units);

    size_t size() const { return nodes_.size(); }
    std::optional<Index> Find(std::string_view name) const;
    const std::string& Name(Index unit) const { return nodes_[unit].name; }

    // May it start now? `standings` has one entry for each unit, here and below.
    OrderVerdict Verdict(Index unit, std::span<const Standing> standings) const;
    // What it waits for; empty unless the verdict is kWait.
    Units WaitsFor(Index unit, std::span<const Standing> standings) const;
    // Who is ordered after this one or requires it.
    const Units& Dependents(Index unit) const { return nodes_[unit].dependents; }
    // Whose turn may come when this unit's standing changes.
    const Units& Neighbours(Index unit) const { return nodes_[unit].neighbours; }

    const Units& Needs(Index unit) const { return nodes_[unit].needs; }  // Requires=, BindsTo=
    const Units& Wants(Index unit) const { return nodes_[unit].wants; }
    const Units& BindsTo(Index unit) const { return nodes_[unit].binds_to; }
    const Units& Conflicts(Index unit) const { return nodes_[unit].conflicts; }  // of both sides
    const Units& OnFailure(Index unit) const { return nodes_[unit].on_failure; }
    const Units& OnSuccess(Index unit) const { return nodes_[unit].on_success; }

    // The only unit whose end may start this one, by OnFailure= or OnSuccess=; nothing where there
    // are others.
    std::optional<Index> MonitoredBy(Index unit) const;

    // What a start of these means: they, and all that they want and need, each once.
    std::vector<Index> StartSet(std::span<const Index> roots) const;
    // What a stop of these means: they, and all that require them, are bound to them or are part of
    // them, each once.
    std::vector<Index> StopSet(std::span<const Index> roots) const;
    // What a restart of these means: the same, but for who merely shares the network of one.
    std::vector<Index> RestartSet(std::span<const Index> roots) const;
    // Which units that go down are ordered after this one: they must be down before it is told to
    // stop. Empty: tell it now.
    std::vector<Index> MustStopFirst(Index unit, std::span<const Standing> standings) const;
    // All units, each behind those that it is ordered after; members of cycles at the end.
    std::vector<Index> Sorted() const;
    // A unit's place in that.
    size_t Rank(Index unit) const { return nodes_[unit].rank; }

  private:
    struct Node {
        std::string name;
        List<Index> after, needs, wants, binds_to, conflicts, on_failure, on_success;
        List<Index> before;      // reverse of after
        List<Index> stops_with;  // who requires it, is bound to it or is part of it
        List<Index> required_by;
        List<Index> dependents;     // before and required_by together
        List<Index> neighbours;     // these, after and conflicts, and who is bound to it
        List<std::string> missing;  // required, and no unit has that name
        std::optional<Index> joins;
        size_t rank = 0;
    };

    Units Resolve(const std::vector<std::string>& names) const;
    void Link(Index unit, const OrderUnit& given);
    std::string LostRequirement(const Node& node, std::span<const Standing> standings) const;

    std::vector<Node> nodes_;
    Units by_name_;  // sorted by their names
};

}  // namespace husk::supervisor
