#include "supervisor/order.h"

#include <algorithm>
#include <iterator>

#include "base/text.h"

namespace husk::supervisor {
namespace {

using Index = Order::Index;

constexpr size_t kMostNamed = 3;

bool Contains(const std::vector<Index>& sorted, Index unit) {
    return std::binary_search(sorted.begin(), sorted.end(), unit);
}

void SortOnce(std::vector<Index>& units) {
    std::sort(units.begin(), units.end());
    units.erase(std::unique(units.begin(), units.end()), units.end());
}

// Has it come as far as it will for now, for one that is only ordered after it?
bool Settles(const Standing& standing) {
    if (standing.refused) return true;
    // Wanted, and its own start event is still to come.
    if (standing.state == State::kInactive && standing.wanted) return standing.done;
    return IsSettled(standing.state);
}

bool Satisfies(const Standing& standing) {
    return IsUp(standing.state) || (standing.state == State::kInactive && standing.done);
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

Order::Order(const std::vector<OrderUnit>& units) : nodes_(units.size()) {
    for (Index i = 0; i < units.size(); ++i) {
        nodes_[i].name = units[i].name;
        by_name_.emplace(units[i].name, i);
    }
    for (Index i = 0; i < units.size(); ++i) {
        Node& node = nodes_[i];
        node.after = Resolve(units[i].after);
        node.requires_ = Resolve(units[i].requires_);
        node.wants = Resolve(units[i].wants);
        std::erase(node.after, i);  // after itself: refused where units are checked
        for (const std::string& name : units[i].requires_)
            if (!Find(name)) node.missing.push_back(name);
        for (Index other : node.after) nodes_[other].before.push_back(i);
        for (Index other : node.requires_) nodes_[other].required_by.push_back(i);
    }
    for (Node& node : nodes_)
        std::set_union(node.before.begin(), node.before.end(), node.required_by.begin(),
                       node.required_by.end(), std::back_inserter(node.dependents));
}

std::vector<Index> Order::Resolve(const std::vector<std::string>& names) const {
    std::vector<Index> found;
    for (const std::string& name : names)
        if (const auto unit = Find(name)) found.push_back(*unit);
    SortOnce(found);
    return found;
}

std::optional<Index> Order::Find(std::string_view name) const {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) return std::nullopt;
    return found->second;
}

std::string Order::LostRequirement(const Node& node, std::span<const Standing> standings) const {
    if (!node.missing.empty())
        return Cat("requires ", Quote(node.missing.front()), ", which does not exist");
    for (Index other : node.requires_) {
        const Standing& standing = standings[other];
        const std::string requires_it = Cat("requires ", Quote(nodes_[other].name), ", which ");
        if (standing.refused) return requires_it + "is refused for errors in its file";
        // Without an order between them, what becomes of it later does not matter
        // (systemd.unit(5)).
        if (!Contains(node.after, other)) continue;
        if (standing.state == State::kFailed) return requires_it + "has failed";
        if (standing.state == State::kInactive && !standing.wanted && !standing.done)
            return requires_it + "is stopped";
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
                    StateName(standings[waits_for[i]].state), ")");
    if (waits_for.size() > kMostNamed)
        text += Cat(" and ", std::to_string(waits_for.size() - kMostNamed), " more");
    return {OrderVerdict::Kind::kWait, std::move(text)};
}

std::vector<Index> Order::WaitsFor(Index unit, std::span<const Standing> standings) const {
    const Node& node = nodes_[unit];
    std::vector<Index> waits_for;
    for (Index other : node.after) {
        const Standing& standing = standings[other];
        const bool required = Contains(node.requires_, other);
        if (required ? !Satisfies(standing) : !Settles(standing)) waits_for.push_back(other);
    }
    return waits_for;
}

std::vector<Index> Order::StartSet(std::span<const Index> roots) const {
    return Reach(roots, size(), [this](Index unit, auto add) {
        for (Index other : nodes_[unit].requires_) add(other);
        for (Index other : nodes_[unit].wants) add(other);
    });
}

std::vector<Index> Order::StopSet(std::span<const Index> roots) const {
    return Reach(roots, size(), [this](Index unit, auto add) {
        for (Index other : nodes_[unit].required_by) add(other);
    });
}

std::vector<Index> Order::MustStopFirst(Index unit, std::span<const Standing> standings,
                                        const std::vector<bool>& stopping) const {
    std::vector<Index> first;
    for (Index other : nodes_[unit].before)
        if (stopping[other] && HasProcesses(standings[other].state)) first.push_back(other);
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
