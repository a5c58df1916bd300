// In which order units start and stop: pure functions of the units' After=, Requires= and Wants=
// and of where each unit stands.
//
// As in systemd, ordering and requirement are separate: After= alone waits, and does not mind a
// unit that failed or is not wanted; Requires= alone starts the other one too and minds only
// whether it can exist; both together wait for it to be up. Unlike in systemd, a requirement in
// backoff is waited for instead of failing the start: on a device that nobody attends, the unit
// comes up when what it needs does.
#pragma once

#include <cstddef>

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/lifecycle.h"

namespace husk::supervisor {

// Before= is folded into the other unit's `after`.
struct OrderUnit {
    std::string name;
    std::vector<std::string> after, requires_, wants;
};

// Where one unit stands, beside its place in the order.
struct Standing {
    State state = State::kInactive;
    bool wanted = false;   // a start was asked for, and no stop since
    bool done = false;     // Life::done
    bool refused = false;  // its file has errors
};

struct OrderVerdict {
    enum class Kind {
        kReady,
        kWait,  // text: for what, "'db' (starting), 'net' (waiting)"
        kLost,  // text: "requires 'db', which has failed"
    } kind = Kind::kReady;
    std::string text;
};

class Order {
  public:
    // A unit's place in the list given here.
    using Index = size_t;

    // Names that no unit has are remembered only where they are required.
    explicit Order(const std::vector<OrderUnit>& units);

    size_t size() const { return nodes_.size(); }
    std::optional<Index> Find(std::string_view name) const;
    const std::string& Name(Index unit) const { return nodes_[unit].name; }

    // May it start now? `standings` has one entry for each unit, here and below.
    OrderVerdict Verdict(Index unit, std::span<const Standing> standings) const;
    // What it waits for; empty unless the verdict is kWait.
    std::vector<Index> WaitsFor(Index unit, std::span<const Standing> standings) const;
    // Whose verdict may change when this unit's standing does.
    const std::vector<Index>& Dependents(Index unit) const { return nodes_[unit].dependents; }

    // What a start of these means: they, and all that they want and require, each once.
    std::vector<Index> StartSet(std::span<const Index> roots) const;
    // What a stop of these means: they, and all that require them, each once.
    std::vector<Index> StopSet(std::span<const Index> roots) const;
    // Which of `stopping` still have processes and are ordered after this unit: they must be down
    // before it is told to stop. Empty: tell it now.
    std::vector<Index> MustStopFirst(Index unit, std::span<const Standing> standings,
                                     const std::vector<bool>& stopping) const;
    // All units, each behind those that it is ordered after; members of cycles at the end.
    std::vector<Index> Sorted() const;

  private:
    struct Node {
        std::string name;
        std::vector<Index> after, requires_, wants;  // sorted, each once
        std::vector<Index> before;                   // reverse of after
        std::vector<Index> required_by;
        std::vector<Index> dependents;     // before and required_by together
        std::vector<std::string> missing;  // required, and no unit has that name
    };

    std::vector<Index> Resolve(const std::vector<std::string>& names) const;
    std::string LostRequirement(const Node& node, std::span<const Standing> standings) const;

    std::vector<Node> nodes_;
    std::map<std::string, Index, std::less<>> by_name_;
};

}  // namespace husk::supervisor
