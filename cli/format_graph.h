// What `husk graph` prints, as pure functions of the units and the graph between them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal.h"
#include "config/graph.h"

namespace husk::cli {

struct GraphView {
    const std::vector<config::LoadedUnit>& units;
    const config::UnitGraph& graph;
    const config::StartOrder& order;
    std::vector<bool> shown;  // of each unit, by its place in the list
};

// The units that `names` need or are after, and those that need or are after them, each with what
// it leads to in turn; all where there are no names. A name that is no unit is left out.
std::vector<bool> Around(const std::vector<config::LoadedUnit>& units,
                         const config::UnitGraph& graph, const std::vector<std::string>& names);

// The order of start level by level, then each unit with its edges and their reasons, and why it is
// refused.
std::string GraphText(const GraphView& view, const Style& style);
// For Graphviz: an arrow leads to what is needed or waited for. Solid = requires, bold = binds to,
// dashed = wants, dotted = ordering; refused units are red, names that are no unit grey.
std::string GraphDot(const GraphView& view);
// One object, see `husk graph --help`.
std::string GraphJson(const GraphView& view, const config::Problems& problems);

}  // namespace husk::cli
