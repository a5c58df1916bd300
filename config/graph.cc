// Checks across units: names, cycles, requirements on refused units.
#include <algorithm>
#include <map>
#include <optional>

#include "base/text.h"
#include "config/rules.h"

namespace husk::config {
namespace {

using Kind = NetworkMode::Kind;
constexpr size_t kMostShown = 8;  // members of a cycle in a message

// `from` waits for `to`, or requires it: because `owner` says so with `key`.
struct Edge {
    size_t to;
    size_t owner;
    std::string_view key;
};

class Graph {
  public:
    Graph(std::vector<LoadedUnit>& units, const AbsentUnit& absent)
        : units_(units), absent_(absent), after_(units.size()), requires_(units.size()) {}

    void Build();
    void RefuseCycles(const std::vector<std::vector<Edge>>& edges, std::string_view what,
                      std::string_view verb, std::string_view hint);
    void RefuseRequirers();
    const std::vector<std::vector<Edge>>& after() const { return after_; }
    const std::vector<std::vector<Edge>>& required() const { return requires_; }

  private:
    std::optional<size_t> Find(std::string_view name) const {
        auto found = std::lower_bound(units_.begin(), units_.end(), name,
                                      [](const LoadedUnit& unit, std::string_view wanted) {
                                          return unit.unit.name < wanted;
                                      });
        if (found == units_.end() || found->unit.name != name) return std::nullopt;
        return static_cast<size_t>(found - units_.begin());
    }
    void Report(size_t unit, Severity severity, std::string_view key, std::string text,
                std::string hint = {}) {
        const std::string_view name = key.substr(key.find('.') + 1);
        AddProblem(units_[unit].problems, severity, PlaceOf(units_[unit].unit, key), name,
                   std::move(text), std::move(hint));
        if (severity == Severity::kError) units_[unit].refused = true;
    }
    // Calls `use` with the place of each name that exists; reports the others.
    template <typename Use>
    void Resolve(size_t unit, const std::vector<std::string>& names, std::string_view key,
                 Severity severity, Use use);
    std::string AbsentHint(std::string_view name) const;
    std::string CycleText(const std::vector<Edge>& cycle, size_t first, std::string_view what,
                          std::string_view verb) const;
    std::vector<std::vector<size_t>> Components(const std::vector<std::vector<Edge>>& edges) const;

    std::vector<LoadedUnit>& units_;
    const AbsentUnit& absent_;
    std::vector<std::vector<Edge>> after_, requires_;
};

std::string Graph::AbsentHint(std::string_view name) const {
    // Nearest names cost a comparison with every unit, so only where that is cheap.
    if (units_.size() > 200) return {};
    std::vector<std::string_view> names;
    for (const LoadedUnit& unit : units_) names.push_back(unit.unit.name);
    auto near = Nearest(name, names);
    return near ? Cat("did you mean ", Quote(*near), "?") : std::string();
}

template <typename Use>
void Graph::Resolve(size_t unit, const std::vector<std::string>& names, std::string_view key,
                    Severity severity, Use use) {
    for (const std::string& name : names) {
        auto found = Find(name);
        if (found && *found != unit) use(*found);
        if (found) continue;
        if (std::string why = absent_(name, units_[unit].unit.path); !why.empty())
            Report(unit, severity, key, Cat("unit ", Quote(name), " ", why), AbsentHint(name));
    }
}

void Graph::Build() {
    for (size_t i = 0; i < units_.size(); ++i) {
        const Unit& unit = units_[i].unit;
        Resolve(i, unit.unit.after, "Unit.After", Severity::kWarning, [&](size_t to) {
            after_[i].push_back({to, i, "Unit.After"});
        });
        Resolve(i, unit.unit.before, "Unit.Before", Severity::kWarning, [&](size_t to) {
            after_[to].push_back({i, i, "Unit.Before"});
        });
        Resolve(i, unit.unit.wants, "Unit.Wants", Severity::kWarning, [](size_t) {});
        Resolve(i, unit.unit.requires_, "Unit.Requires", Severity::kError, [&](size_t to) {
            requires_[i].push_back({to, i, "Unit.Requires"});
        });
        if (unit.container.network.kind != Kind::kContainer) continue;
        Resolve(i, {unit.container.network.unit}, "Container.Network", Severity::kError,
                [&](size_t to) {
                    after_[i].push_back({to, i, "Container.Network"});
                    requires_[i].push_back({to, i, "Container.Network"});
                });
    }
    // Now that messages have named what the files say, the rest of husk reads what is meant.
    for (LoadedUnit& loaded : units_) {
        const NetworkMode& network = loaded.unit.container.network;
        if (network.kind != Kind::kContainer) continue;
        for (auto* list : {&loaded.unit.unit.after, &loaded.unit.unit.requires_})
            if (std::find(list->begin(), list->end(), network.unit) == list->end())
                list->push_back(network.unit);
    }
}

// Tarjan's strongly connected components with more than one member. Without recursion: a chain of
// ten thousand units must not overflow the stack.
std::vector<std::vector<size_t>> Graph::Components(
    const std::vector<std::vector<Edge>>& edges) const {
    constexpr size_t kUnseen = SIZE_MAX;
    struct Frame {
        size_t node, next_edge;
    };
    std::vector<std::vector<size_t>> components;
    std::vector<size_t> index(edges.size(), kUnseen), low(edges.size());
    std::vector<bool> open(edges.size());
    std::vector<size_t> stack;
    std::vector<Frame> path;
    size_t counter = 0;
    auto enter = [&](size_t node) {
        index[node] = low[node] = counter++;
        open[node] = true;
        stack.push_back(node);
        path.push_back({node, 0});
    };
    for (size_t start = 0; start < edges.size(); ++start) {
        if (index[start] != kUnseen) continue;
        enter(start);
        while (!path.empty()) {
            const size_t node = path.back().node;
            if (path.back().next_edge < edges[node].size()) {
                const size_t to = edges[node][path.back().next_edge++].to;
                if (index[to] == kUnseen)
                    enter(to);
                else if (open[to])
                    low[node] = std::min(low[node], index[to]);
                continue;
            }
            path.pop_back();
            if (!path.empty()) low[path.back().node] = std::min(low[path.back().node], low[node]);
            if (low[node] != index[node]) continue;
            auto first = std::find(stack.rbegin(), stack.rend(), node).base() - 1;
            if (stack.end() - first > 1) components.emplace_back(first, stack.end());
            for (auto member = first; member != stack.end(); ++member) open[*member] = false;
            stack.erase(first, stack.end());
        }
    }
    return components;
}

std::string Graph::CycleText(const std::vector<Edge>& cycle, size_t first, std::string_view what,
                             std::string_view verb) const {
    std::string text = Cat(what, " cycle: ");
    for (size_t i = 0; i < cycle.size() && i < kMostShown; ++i) {
        const Edge& from = cycle[(first + cycle.size() - 1 + i) % cycle.size()];
        const Edge& edge = cycle[(first + i) % cycle.size()];
        const Location at = PlaceOf(units_[edge.owner].unit, edge.key);
        if (i > 0) text += ", ";
        text +=
            Cat(Quote(units_[from.to].unit.name), " ", verb, " ", Quote(units_[edge.to].unit.name),
                " (", at.file, ":", std::to_string(at.line), ")");
    }
    if (cycle.size() > kMostShown)
        text += Cat(", and ", std::to_string(cycle.size() - kMostShown), " more");
    return text;
}

void Graph::RefuseCycles(const std::vector<std::vector<Edge>>& edges, std::string_view what,
                         std::string_view verb, std::string_view hint) {
    for (std::vector<size_t>& members : Components(edges)) {
        std::sort(members.begin(), members.end());
        auto is_member = [&](size_t node) {
            return std::binary_search(members.begin(), members.end(), node);
        };
        // From any member, some edge stays inside; following such edges must come back somewhere.
        std::map<size_t, size_t> seen_at;
        std::vector<Edge> walk;
        size_t node = members.front();
        while (seen_at.emplace(node, walk.size()).second) {
            walk.push_back(*std::find_if(edges[node].begin(), edges[node].end(),
                                         [&](const Edge& edge) { return is_member(edge.to); }));
            node = walk.back().to;
        }
        const size_t begin = seen_at[node];
        const std::vector<Edge> cycle(walk.begin() + static_cast<ptrdiff_t>(begin), walk.end());
        for (size_t member : members) {
            // Begin with the unit that the message is about, where it is in the cycle that is
            // shown.
            auto seen = seen_at.find(member);
            const size_t first =
                seen != seen_at.end() && seen->second >= begin ? seen->second - begin : 0;
            const auto own = std::find_if(edges[member].begin(), edges[member].end(),
                                          [&](const Edge& edge) { return is_member(edge.to); });
            // An edge of Before= is owned by the other end; then the file as a whole is the place.
            Report(member, Severity::kError, own->owner == member ? own->key : std::string_view(),
                   CycleText(cycle, first, what, verb), std::string(hint));
        }
    }
}

// What requires a refused unit is refused, and so on.
void Graph::RefuseRequirers() {
    std::vector<std::vector<Edge>> required_by(units_.size());
    for (size_t i = 0; i < units_.size(); ++i)
        for (const Edge& edge : requires_[i]) required_by[edge.to].push_back({i, i, edge.key});
    std::vector<size_t> work;
    for (size_t i = 0; i < units_.size(); ++i)
        if (units_[i].refused) work.push_back(i);
    while (!work.empty()) {
        const size_t refused = work.back();
        work.pop_back();
        for (const Edge& edge : required_by[refused]) {
            const bool was = units_[edge.to].refused;
            Report(edge.to, Severity::kError, edge.key,
                   Cat("unit ", Quote(units_[refused].unit.name),
                       ", which this one needs, is refused"),
                   Cat("mend ", units_[refused].unit.path));
            if (!was) work.push_back(edge.to);
        }
    }
}

}  // namespace

void CheckAcrossUnits(std::vector<LoadedUnit>& units, const AbsentUnit& absent) {
    for (LoadedUnit& unit : units) unit.refused = unit.refused || HasErrors(unit.problems);
    Graph graph(units, absent);
    graph.Build();
    graph.RefuseCycles(graph.after(), "ordering", "after", "drop one of these After= or Before=");
    graph.RefuseCycles(graph.required(), "requirement", "requires",
                       "drop one of these Requires=, or write Wants=");
    graph.RefuseRequirers();
}

}  // namespace husk::config
