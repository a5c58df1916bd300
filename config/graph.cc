#include "config/graph.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/sort.h"
#include "base/text.h"
#include "config/rules.h"
#include "config/warnings.h"

namespace husk::config {
namespace {

constexpr size_t kMostShown = 8;  // members of a cycle in a message

// The unit whose network this one shares, or empty.
const std::string& NetworkOwner(const Unit& unit) {
    static const Text kNobody;
    const NetworkMode& network = unit.container.network;
    return network.kind == NetworkMode::Kind::kContainer ? network.unit : kNobody;
}

// Names of a list are units, but for the one whose network is shared: that one is implied by
// Network=, whether the list has it too or not.
class Builder {
  public:
    explicit Builder(const std::vector<LoadedUnit>& units) : units_(units) {
        for (Edges* edges : {&graph_.after, &graph_.requires_, &graph_.wants, &graph_.part_of,
                             &graph_.conflicts, &graph_.on_failure, &graph_.on_success})
            edges->resize(units.size());
        for (size_t i = 0; i < units.size(); ++i) index_.emplace(units[i].unit.name, i);
    }

    UnitGraph Build() {
        for (size_t i = 0; i < units_.size(); ++i) {
            const UnitSection& unit = units_[i].unit.unit;
            Add(i, unit.after, "Unit.After", {&graph_.after});
            Add(i, unit.before, "Unit.Before", {});
            Add(i, unit.wants, "Unit.Wants", {&graph_.wants});
            Add(i, unit.requires_, "Unit.Requires", {&graph_.requires_});
            Add(i, unit.binds_to, "Unit.BindsTo", {&graph_.requires_});
            Add(i, unit.part_of, "Unit.PartOf", {&graph_.part_of});
            Add(i, unit.conflicts, "Unit.Conflicts", {&graph_.conflicts});
            Add(i, unit.on_failure, "Unit.OnFailure", {&graph_.on_failure});
            Add(i, unit.on_success, "Unit.OnSuccess", {&graph_.on_success});
            if (const std::string& owner = NetworkOwner(units_[i].unit); !owner.empty())
                Add(i, {owner}, "Container.Network", {&graph_.after, &graph_.requires_});
        }
        return std::move(graph_);
    }

  private:
    void Add(size_t from, const std::vector<std::string>& names, std::string_view key,
             const std::vector<Edges*>& kinds) {
        const bool before = key == "Unit.Before";
        const std::string& owner = NetworkOwner(units_[from].unit);
        for (const std::string& name : names) {
            const bool implied = key == "Unit.After" || key == "Unit.Requires";
            if (implied && name == owner) continue;
            const auto found = index_.find(name);
            if (found == index_.end())
                graph_.unresolved.push_back({from, key, name});
            else if (found->second == from)
                continue;  // FinishUnit() complains of it
            else if (before)
                graph_.after[found->second].push_back({from, from, key});
            else
                for (Edges* edges : kinds) (*edges)[from].push_back({found->second, from, key});
        }
    }

    const std::vector<LoadedUnit>& units_;
    std::map<std::string_view, size_t> index_;
    UnitGraph graph_;
};

// What is found in a graph, said to the units.
class Judge {
  public:
    explicit Judge(std::vector<LoadedUnit>& units) : units_(units) {}

    void ReportUnresolved(const UnitGraph& graph, const AbsentUnit& absent);
    void RefuseCycles(const Edges& edges, std::string_view what, std::string_view verb,
                      std::string_view hint);
    void RefuseRequirers(const Edges& required);
    void RefuseContradictions(const UnitGraph& graph);
    void WarnOfRivals(const UnitGraph& graph);

  private:
    void Report(size_t unit, Severity severity, std::string_view key, std::string text,
                std::string hint = {}) {
        const std::string_view name = key.substr(key.find('.') + 1);
        AddProblem(units_[unit].problems, severity, PlaceOf(units_[unit].unit, key), name,
                   std::move(text), std::move(hint));
        if (severity == Severity::kError) units_[unit].refused = true;
    }
    std::string AbsentHint(std::string_view name) const;
    std::string CycleText(const std::vector<Edge>& cycle, size_t first, std::string_view what,
                          std::string_view verb) const;

    std::vector<LoadedUnit>& units_;
};

std::string Judge::AbsentHint(std::string_view name) const {
    // Nearest names cost a comparison with every unit, so only where that is cheap.
    if (units_.size() > 200) return {};
    std::vector<std::string_view> names;
    for (const LoadedUnit& unit : units_) names.push_back(unit.unit.name);
    auto near = Nearest(name, names);
    return near ? Cat("did you mean ", Quote(*near), "?") : std::string();
}

void Judge::ReportUnresolved(const UnitGraph& graph, const AbsentUnit& absent) {
    for (const auto& [unit, key, name] : graph.unresolved) {
        const bool needed =
            key == "Unit.Requires" || key == "Unit.BindsTo" || key == "Container.Network";
        if (std::string why = absent(name, units_[unit].unit.path); !why.empty())
            Report(unit, needed ? Severity::kError : Severity::kWarning, key,
                   Cat("unit ", Quote(name), " ", why), AbsentHint(name));
    }
}

// Tarjan's strongly connected components with more than one member. Without recursion: a chain of
// ten thousand units must not overflow the stack.
std::vector<std::vector<size_t>> Components(const Edges& edges) {
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

std::string Judge::CycleText(const std::vector<Edge>& cycle, size_t first, std::string_view what,
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

void Judge::RefuseCycles(const Edges& edges, std::string_view what, std::string_view verb,
                         std::string_view hint) {
    for (std::vector<size_t>& members : Components(edges)) {
        Sort(members);
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

void Judge::RefuseRequirers(const Edges& required) {
    Edges required_by(units_.size());
    for (size_t i = 0; i < units_.size(); ++i)
        for (const Edge& edge : required[i]) required_by[edge.to].push_back({i, i, edge.key});
    std::vector<size_t> work;
    for (size_t i = 0; i < units_.size(); ++i)
        if (units_[i].refused) work.push_back(i);
    while (!work.empty()) {
        const size_t refused = work.back();
        work.pop_back();
        const std::string text =
            Cat("unit ", Quote(units_[refused].unit.name), ", which this one needs, is refused");
        for (const Edge& edge : required_by[refused]) {
            LoadedUnit& requirer = units_[edge.to];
            // Said by an earlier call.
            if (std::ranges::any_of(requirer.problems,
                                    [&](const Problem& old) { return old.text == text; }))
                continue;
            if (!requirer.refused) work.push_back(edge.to);
            Report(edge.to, Severity::kError, edge.key, text,
                   Cat("mend ", units_[refused].unit.path));
        }
    }
}

// Which units need this one, itself among them.
std::vector<bool> NeedersOf(const Edges& required_by, size_t unit) {
    std::vector<bool> seen(required_by.size());
    std::vector<size_t> work{unit};
    while (!work.empty()) {
        const size_t next = work.back();
        work.pop_back();
        if (seen[next]) continue;
        seen[next] = true;
        for (const Edge& edge : required_by[next]) work.push_back(edge.to);
    }
    return seen;
}

// A unit that needs two which conflict with each other never starts.
void Judge::RefuseContradictions(const UnitGraph& graph) {
    Edges required_by(units_.size());
    for (size_t i = 0; i < units_.size(); ++i)
        for (const Edge& edge : graph.requires_[i])
            required_by[edge.to].push_back({i, i, edge.key});
    for (size_t one = 0; one < units_.size(); ++one)
        for (const Edge& conflict : graph.conflicts[one]) {
            const std::vector<bool> need_one = NeedersOf(required_by, one);
            const std::vector<bool> need_other = NeedersOf(required_by, conflict.to);
            const Location at = PlaceOf(units_[one].unit, conflict.key);
            const std::string conflicts = Cat(Quote(units_[one].unit.name), " conflicts with ",
                                              Quote(units_[conflict.to].unit.name), " (", at.file,
                                              ":", std::to_string(at.line), ")");
            for (size_t i = 0; i < units_.size(); ++i) {
                if (!need_one[i] || !need_other[i]) continue;
                const auto& own = graph.requires_[i];
                Report(i, Severity::kError,
                       i == one      ? conflict.key
                       : own.empty() ? ""
                                     : own[0].key,
                       Cat("the unit can never start: it needs both, and ", conflicts),
                       "drop that Conflicts=, or what requires one of them");
            }
        }
}

// Of two that start at boot and conflict, one is left out.
void Judge::WarnOfRivals(const UnitGraph& graph) {
    for (size_t one = 0; one < units_.size(); ++one)
        for (const Edge& edge : graph.conflicts[one]) {
            if (!units_[one].unit.install.enabled || !units_[edge.to].unit.install.enabled)
                continue;
            if (units_[one].refused || units_[edge.to].refused) continue;
            Report(one, Severity::kWarning, edge.key,
                   Cat("both this unit and ", Quote(units_[edge.to].unit.name),
                       " are to start at boot; only ",
                       Quote(units_[std::min(one, edge.to)].unit.name), " will"),
                   "write Enabled=no in [Install] of one of them");
        }
}

// Now that messages have named what the files say, the rest of husk reads what is meant.
void ImplyNetworkOwners(std::vector<LoadedUnit>& units) {
    for (LoadedUnit& loaded : units) {
        const std::string owner = NetworkOwner(loaded.unit);
        if (owner.empty()) continue;
        UnitSection& unit = loaded.unit.unit;
        auto has = [&](const std::vector<std::string>& list) {
            return std::find(list.begin(), list.end(), owner) != list.end();
        };
        loaded.unit.container.network.requires_only_here =
            !has(unit.requires_) && !has(unit.binds_to) && !has(unit.part_of);
        for (auto* list : {&unit.after, &unit.requires_})
            if (!has(*list)) list->push_back(owner);
    }
}

// Whom a unit that is started starts too, and so on.
std::vector<bool> StartedAtBoot(const std::vector<LoadedUnit>& units, const UnitGraph& graph) {
    std::vector<bool> started(units.size());
    std::vector<size_t> work;
    auto start = [&](size_t unit) {
        if (started[unit] || units[unit].refused) return;
        started[unit] = true;
        work.push_back(unit);
    };
    for (size_t i = 0; i < units.size(); ++i)
        if (units[i].unit.install.enabled) start(i);
    while (!work.empty()) {
        const size_t unit = work.back();
        work.pop_back();
        for (const Edges* edges : {&graph.requires_, &graph.wants})
            for (const Edge& edge : (*edges)[unit]) start(edge.to);
    }
    return started;
}

}  // namespace

UnitGraph BuildGraph(const std::vector<LoadedUnit>& units) { return Builder(units).Build(); }

StartOrder OrderOfStart(const std::vector<LoadedUnit>& units, const UnitGraph& graph) {
    const std::vector<bool> started = StartedAtBoot(units, graph);
    StartOrder order;
    std::vector<size_t> waits_for(units.size());
    std::vector<std::vector<size_t>> waited_for_by(units.size());
    std::vector<size_t> level;
    for (size_t i = 0; i < units.size(); ++i) {
        if (!started[i]) {
            if (!units[i].refused) order.on_demand.push_back(i);
            continue;
        }
        for (const Edge& edge : graph.after[i]) {
            if (!started[edge.to]) continue;
            ++waits_for[i];
            waited_for_by[edge.to].push_back(i);
        }
        if (waits_for[i] == 0) level.push_back(i);
    }
    // Cycles are refused, so everybody's turn comes.
    while (!level.empty()) {
        std::vector<size_t> next;
        for (const size_t unit : level)
            for (const size_t waiter : waited_for_by[unit])
                if (--waits_for[waiter] == 0) next.push_back(waiter);
        Sort(next);
        order.levels.push_back(std::exchange(level, std::move(next)));
    }
    return order;
}

void RefuseRequirers(std::vector<LoadedUnit>& units, const UnitGraph& graph) {
    Judge(units).RefuseRequirers(graph.requires_);
}

// overlayfs has no two writers of one upper folder: what they make of it is undefined.
static void RefuseSharedOverlays(std::vector<LoadedUnit>& units) {
    auto volume_of = [](const LoadedUnit& unit) -> const std::string& {
        return unit.unit.container.overlay_volume;
    };
    for (LoadedUnit& unit : units) {
        if (volume_of(unit).empty()) continue;
        const auto other = std::ranges::find_if(units, [&](const LoadedUnit& one) {
            return &one != &unit && volume_of(one) == volume_of(unit);
        });
        if (other == units.end()) continue;
        AddProblem(unit.problems, Severity::kError, PlaceOf(unit.unit, "Container.Overlay"),
                   "Overlay",
                   Cat("volume ", Quote(volume_of(unit)), " is the overlay of unit ",
                       Quote(other->unit.name), " too"),
                   "give each unit a volume of its own");
    }
}

// Each lies on a tmpfs of its unit's own: what one puts there no other would find.
static void RefuseSharedRuntimeFolders(std::vector<LoadedUnit>& units) {
    std::map<std::string_view, LoadedUnit*> owners;
    for (LoadedUnit& unit : units)
        for (const std::string& path : unit.unit.service.runtime_directory.paths) {
            LoadedUnit*& owner = owners[path];
            if (owner == nullptr) owner = &unit;
            if (owner == &unit) continue;
            AddProblem(unit.problems, Severity::kError,
                       PlaceOf(unit.unit, "Service.RuntimeDirectory"), "RuntimeDirectory",
                       Cat("folder ", Quote(path), " belongs to unit ", Quote(owner->unit.name),
                           " already"),
                       "give each unit one of its own, and let them share a Volume=");
        }
}

void CheckAcrossUnits(std::vector<LoadedUnit>& units, const AbsentUnit& absent) {
    RefuseSharedOverlays(units);
    RefuseSharedRuntimeFolders(units);
    for (LoadedUnit& unit : units) unit.refused = unit.refused || HasErrors(unit.problems);
    const UnitGraph graph = BuildGraph(units);
    Judge judge(units);
    judge.ReportUnresolved(graph, absent);
    judge.RefuseCycles(graph.after, "ordering", "after", "drop one of these After= or Before=");
    judge.RefuseCycles(graph.requires_, "requirement", "requires",
                       "drop one of these Requires=, or write Wants=");
    judge.RefuseContradictions(graph);
    judge.RefuseRequirers(graph.requires_);
    judge.WarnOfRivals(graph);
    ImplyNetworkOwners(units);
    WarnOfOddities(units);
}

}  // namespace husk::config
