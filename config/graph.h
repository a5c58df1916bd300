// Who is ordered after whom, and who needs whom: built in one place, for the checks across units
// and for `husk graph`. Pure.
#pragma once

#include <cstddef>

#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"

namespace husk::config {

// A unit is after, requires, wants `to` and so on, because `owner` says so with `key`. The owner is
// the unit itself but for Before=, which stands in the other file.
struct Edge {
    size_t to = 0;  // places in the list of units
    size_t owner = 0;
    std::string_view key;  // "Unit.After"
};
// Of each unit, by its place in the list.
using Edges = std::vector<std::vector<Edge>>;

struct UnitGraph {
    Edges after, requires_, wants;  // BindsTo= is among what is required
    Edges part_of, conflicts, on_failure, on_success;
    // Names that are no unit of the list: masked, misspelt, or in a file that was not given.
    struct Unresolved {
        size_t unit = 0;
        std::string_view key;
        std::string name;
    };
    std::vector<Unresolved> unresolved;  // sorted by unit
};

// Network=NAME.container is both ordering and requirement. What names itself has no edge.
UnitGraph BuildGraph(const std::vector<LoadedUnit>& units);

// Who starts when, of the units that are not refused.
struct StartOrder {
    // Units of one level wait for none of their own level or of a later one.
    std::vector<std::vector<size_t>> levels;
    std::vector<size_t> on_demand;  // neither enabled nor needed by one that is
};
StartOrder OrderOfStart(const std::vector<LoadedUnit>& units, const UnitGraph& graph);

// Whoever requires a refused unit is refused, and so on. Says nothing twice.
void RefuseRequirers(std::vector<LoadedUnit>& units, const UnitGraph& graph);

}  // namespace husk::config
