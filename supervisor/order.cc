#include "supervisor/order.h"

#include <algorithm>
#include <initializer_list>

#include "base/sort.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

using Index = Order::Index;

constexpr size_t kMostNamed = 3;

bool Contains(const std::vector<Index>& sorted, Index unit) {
    return std::binary_search(sorted.begin(), sorted.end(), unit);
}

std::vector<Index> SortOnce(std::vector<Index> units) {
    Sort(units);
    units.erase(std::unique(units.begin(), units.end()), units.end());
    return units;
}

// Has it come as far as it will for now, for one that is only ordered after it?
bool Settles(const Standing& standing) {
    if (standing.refused || standing.held_up) return true;
    // Wanted, and its own start event is still to come.
    if (standing.state == State::kInactive && standing.wanted) return standing.done;
    return IsSettled(standing.state);
}

const char* WordFor(const Standing& standing) {
    if (standing.job == JobKind::kStop) return "to be stopped";
    if (standing.job == JobKind::kRestart) return "to be restarted";
    return StateName(standing.state);
}

bool Satisfies(const Standing& standing) {
    return IsUp(standing.state) || (standing.state == State::kInactive && standing.done);
}

std::vector<Index> Together(std::initializer_list<std::span<const Index>> lists) {
    std::vector<Index> all;
    for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
    return SortOnce(std::move(all));
}

// Breadth first along one kind of edge; each unit once.
template <typename Edges>
std::vector<Index> Reach(std::span<const Index> roots, size_t size, Edges edges) {
    std::vector<Index> reached;
    std::vector<bool> seen(size);
    auto add = [&](Index unit) {
        if (seen[unit]) return;
        seen[unit] = true;
        reached.push_back(unit);
    };
    for (Index root : roots) add(root);
    for (size_t next = 0; next < reached.size(); ++next) edges(reached[next], add);
    return reached;
}

}  // namespace

bool GoesDown(const Standing& standing) {
    if (standing.refused) return false;
    return GoesDownFor(standing.job) || IsEnding(standing.state);
}

bool IsIdle(const Standing& standing) {
    return standing.refused || standing.state == State::kInactive ||
           standing.state == State::kFailed;
}

Order::Order(const std::vector<OrderUnit>& units) : nodes_(units.size()) {
    for (Index i = 0; i < units.size(); ++i) {
        nodes_[i].name = units[i].name;
        by_name_.push_back(i);
    }
    Sort(by_name_, [this](Index a, Index b) { return Name(a) < Name(b); });
    for (Index i = 0; i < units.size(); ++i) Link(i, units[i]);
    for (Node& node : nodes_) {
        node.conflicts = SortOnce(node.conflicts);
        node.stops_with = SortOnce(node.stops_with);
        node.dependents = Together({node.before, node.required_by});
        node.neighbours = Together({node.dependents, node.after, node.conflicts, node.stops_with});
    }
    size_t rank = 0;
    for (Index unit : Sorted()) nodes_[unit].rank = rank++;
}

void Order::Link(Index unit, const OrderUnit& given) {
    Node& node = nodes_[unit];
    node.after = Resolve(given.after);
    node.wants = Resolve(given.wants);
    node.binds_to = Resolve(given.binds_to);
    node.on_failure = Resolve(given.on_failure);
    node.on_success = Resolve(given.on_success);
    const Units required = Resolve(given.requires_);
    node.needs = Together({required, node.binds_to});
    if (!given.joins.empty()) node.joins = Find(given.joins);
    erase_if(node.after, [unit](Index other) {
        return other == unit;
    });  // after itself: refused where units are checked
    for (const auto* names : {&given.requires_, &given.binds_to})
        for (const std::string& name : *names)
            if (!Find(name)) node.missing.push_back(name);
    for (Index other : node.after) nodes_[other].before.push_back(unit);
    for (Index other : node.needs) {
        nodes_[other].required_by.push_back(unit);
        nodes_[other].stops_with.push_back(unit);
    }
    for (Index other : Resolve(given.part_of)) nodes_[other].stops_with.push_back(unit);
    for (Index other : Resolve(given.conflicts)) {
        if (other == unit) continue;  // refused as well
        node.conflicts.push_back(other);
        nodes_[other].conflicts.push_back(unit);
    }
}

Order::Units Order::Resolve(const std::vector<std::string>& names) const {
    Units found;
    for (const std::string& name : names)
        if (const auto unit = Find(name)) found.push_back(*unit);
    return SortOnce(std::move(found));
}

std::optional<Index> Order::Find(std::string_view name) const {
    const auto found = std::ranges::lower_bound(
        by_name_, name, {}, [this](Index unit) -> std::string_view { return Name(unit); });
    if (found == by_name_.end() || Name(*found) != name) return std::nullopt;
    return *found;
}

std::string Order::LostRequirement(const Node& node, std::span<const Standing> standings) const {
    if (!node.missing.empty())
        return Cat("requires ", Quote(node.missing.front()), ", which does not exist");
    for (Index other : node.needs) {
        const Standing& standing = standings[other];
        const bool bound = Contains(node.binds_to, other);
        const std::string requires_it =
            Cat(bound ? "is bound to " : "requires ", Quote(nodes_[other].name), ", which ");
        if (standing.refused) return requires_it + "is refused for errors in its file";
        // Without an order between them, what becomes of it later does not matter
        // (systemd.unit(5)).
        if (!Contains(node.after, other)) continue;
        if (standing.state == State::kFailed) return requires_it + "has failed";
        if (standing.state != State::kInactive) continue;
        if (standing.done && bound) return requires_it + "is not up";
        if (!standing.wanted && !standing.done) return requires_it + "is stopped";
    }
    return {};
}

OrderVerdict Order::Verdict(Index unit, std::span<const Standing> standings) const {
    std::string lost = LostRequirement(nodes_[unit], standings);
    if (!lost.empty()) return {OrderVerdict::Kind::kLost, std::move(lost)};
    const std::vector<Index> waits_for = WaitsFor(unit, standings);
    if (waits_for.empty()) return {};
    std::string text;
    for (size_t i = 0; i < waits_for.size() && i < kMostNamed; ++i)
        text += Cat(i == 0 ? "" : ", ", Quote(nodes_[waits_for[i]].name), " (",
                    WordFor(standings[waits_for[i]]), ")");
    if (waits_for.size() > kMostNamed)
        text += Cat(" and ", std::to_string(waits_for.size() - kMostNamed), " more");
    return {OrderVerdict::Kind::kWait, std::move(text)};
}

Order::Units Order::WaitsFor(Index unit, std::span<const Standing> standings) const {
    const Node& node = nodes_[unit];
    Units waits_for;
    for (Index other : node.after) {
        const Standing& standing = standings[other];
        const bool required = Contains(node.needs, other);
        if (GoesDown(standing) || (required ? !Satisfies(standing) : !Settles(standing)))
            waits_for.push_back(other);
    }
    for (Index other : node.before)
        if (GoesDown(standings[other])) waits_for.push_back(other);
    for (Index other : node.conflicts)
        if (const Standing& standing = standings[other];
            !standing.refused && (HasProcesses(standing.state) || IsUp(standing.state)))
            waits_for.push_back(other);
    return SortOnce(std::move(waits_for));
}

std::optional<Index> Order::MonitoredBy(Index unit) const {
    std::optional<Index> found;
    for (Index other = 0; other < nodes_.size(); ++other) {
        const Node& node = nodes_[other];
        if (!std::ranges::binary_search(node.on_failure, unit) &&
            !std::ranges::binary_search(node.on_success, unit))
            continue;
        if (found) return std::nullopt;
        found = other;
    }
    return found;
}

std::vector<Index> Order::StartSet(std::span<const Index> roots) const {
    return Reach(roots, size(), [this](Index unit, auto add) {
        for (Index other : nodes_[unit].needs) add(other);
        for (Index other : nodes_[unit].wants) add(other);
    });
}

std::vector<Index> Order::StopSet(std::span<const Index> roots) const {
    return Reach(roots, size(), [this](Index unit, auto add) {
        for (Index other : nodes_[unit].stops_with) add(other);
    });
}

std::vector<Index> Order::RestartSet(std::span<const Index> roots) const {
    return Reach(roots, size(), [this](Index unit, auto add) {
        for (Index other : nodes_[unit].stops_with)
            if (nodes_[other].joins != unit) add(other);
    });
}

std::vector<Index> Order::MustStopFirst(Index unit, std::span<const Standing> standings) const {
    std::vector<Index> first;
    for (Index other : nodes_[unit].before)
        if (GoesDown(standings[other])) first.push_back(other);
    return first;
}

std::vector<Index> Order::Sorted() const {
    std::vector<Index> sorted;
    std::vector<size_t> missing(size());
    std::vector<bool> placed(size());
    for (Index i = 0; i < size(); ++i) {
        missing[i] = nodes_[i].after.size();
        if (missing[i] == 0) sorted.push_back(i);
    }
    for (size_t next = 0; next < sorted.size(); ++next) {
        placed[sorted[next]] = true;
        for (Index other : nodes_[sorted[next]].before)
            if (--missing[other] == 0) sorted.push_back(other);
    }
    for (Index i = 0; i < size(); ++i)
        if (!placed[i]) sorted.push_back(i);
    return sorted;
}

}  // namespace husk::supervisor
