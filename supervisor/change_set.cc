#include "supervisor/change_set.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "config/keys.h"
#include "supervisor/activation.h"

namespace husk::supervisor {
namespace {

enum class Phase { kIdle, kWaiting, kUp, kTrying, kDone, kDown };

// Where a unit is once its processes are gone.
Phase PhaseAfter(AfterCleaning after) {
    switch (after) {
        case AfterCleaning::kStayDown: return Phase::kDown;
        case AfterCleaning::kDone:
        case AfterCleaning::kSkip:
        case AfterCleaning::kStartPost:
        case AfterCleaning::kByExit: return Phase::kDone;
        case AfterCleaning::kExitedWell:
        case AfterCleaning::kStartAgain: return Phase::kUp;
        case AfterCleaning::kFail:
        case AfterCleaning::kBackoff: return Phase::kTrying;
    }
    return Phase::kDown;
}

Phase PhaseOf(const Life& life) {
    switch (life.state) {
        case State::kInactive:
            if (life.done) return Phase::kDone;
            return life.reason.empty() ? Phase::kIdle : Phase::kDown;
        case State::kWaiting: return Phase::kWaiting;
        case State::kCondition:
        case State::kStartPre:
        case State::kStarting:
        case State::kStartPost:
        case State::kRunning:
        case State::kReloading:
        case State::kExited: return Phase::kUp;
        case State::kStopCommand:
        case State::kStopping:
        case State::kCleaning:
        case State::kStopPost: return PhaseAfter(life.after);
        case State::kBackoff:
        case State::kFailed: return Phase::kTrying;
    }
    return Phase::kIdle;
}

// One with a timer or sockets is armed then, and started by them.
bool IsStartedAtBoot(const config::Unit& unit) {
    return unit.install.enabled && !HasActivation(unit);
}

struct Node {
    const UnitNow* now = nullptr;
    const config::LoadedUnit* then = nullptr;
    bool masked = false;
    Phase phase = Phase::kIdle;
    bool left_out = false;  // conflicts with what is started
    UnitChange out;

    bool usable() const { return then != nullptr && !then->refused; }
    // What decides over others: as it is loaded, or as it goes on where its new file is refused.
    const config::Unit* unit() const {
        if (usable()) return &then->unit;
        return now != nullptr ? now->unit : nullptr;
    }
    // Its processes are there and stay: what it requires takes it along.
    bool goes_on() const {
        return phase == Phase::kUp &&
               (out.change == Change::kUntouched || out.change == Change::kReload);
    }
    bool comes_up() const { return out.change == Change::kStart || out.change == Change::kRestart; }
    void Set(Change change, std::string because) {
        out.change = change;
        out.because = std::move(because);
    }
};

class Planner {
  public:
    Planner(const std::vector<UnitNow>& now, const config::LoadedFolder& then);
    ChangeSet Plan();

  private:
    void Decide(Node& node);
    void DecideWithoutFile(Node& node);
    void DecideRefused(Node& node);
    void DecideByKeys(Node& node);
    bool TakeAlong(Node& node);
    bool StopRivals(Node& node);
    bool StartNeeded(const Node& node);
    bool StartOne(const std::string& name, std::string because, bool even_stopped);
    const Node* Find(const std::string& name) const {
        auto found = nodes_.find(name);
        return found == nodes_.end() ? nullptr : &found->second;
    }

    std::map<std::string_view, Node> nodes_;
};

Planner::Planner(const std::vector<UnitNow>& now, const config::LoadedFolder& then) {
    for (const UnitNow& unit : now) {
        Node& node = nodes_[unit.name];
        node.now = &unit;
        node.phase = PhaseOf(unit.life);
    }
    for (const config::LoadedUnit& unit : then.units) nodes_[unit.unit.name].then = &unit;
    for (const config::MaskedUnit& unit : then.masked)
        if (auto found = nodes_.find(unit.name); found != nodes_.end()) found->second.masked = true;
    for (auto& [name, node] : nodes_) node.out.name = name;
}

void Planner::DecideWithoutFile(Node& node) {
    const bool stays_down =
        node.phase == Phase::kIdle || node.phase == Phase::kDone || node.phase == Phase::kDown;
    node.Set(stays_down ? Change::kUntouched : Change::kStop,
             node.masked ? "it is masked" : "its file is gone");
}

void Planner::DecideRefused(Node& node) {
    const bool ends = node.phase == Phase::kWaiting || node.phase == Phase::kTrying;
    node.Set(ends ? Change::kStop : Change::kUntouched, "its file has errors");
}

void Planner::DecideByKeys(Node& node) {
    const bool enabled = IsStartedAtBoot(node.then->unit);
    const bool changed = !node.out.keys.empty();
    const bool all_live = std::ranges::all_of(node.out.keys, [](const KeyChange& change) {
        return change.key != kUnknownKey && config::IsLive(change.key);
    });
    switch (node.phase) {
        case Phase::kIdle:
            if (enabled) return node.Set(Change::kStart, "it was not started yet");
            if (changed) node.Set(Change::kUntouched, "it is started on demand");
            return;
        case Phase::kWaiting:
            if (changed) node.Set(Change::kReload, {});
            return;
        case Phase::kUp:
            if (node.now->other_image)
                return node.Set(Change::kRestart, "its image is another file");
            if (changed) node.Set(all_live ? Change::kReload : Change::kRestart, {});
            return;
        case Phase::kTrying:
            if (changed) node.Set(Change::kStart, {});
            return;
        case Phase::kDone:
            if (!all_live && enabled) return node.Set(Change::kStart, {});
            if (changed) node.Set(Change::kUntouched, "it has done its work");
            return;
        case Phase::kDown:
            if (changed) node.Set(Change::kUntouched, "it was stopped, and stays so");
            return;
    }
}

void Planner::Decide(Node& node) {
    if (node.then == nullptr) return DecideWithoutFile(node);
    if (node.then->refused) return DecideRefused(node);
    if (node.now != nullptr && node.now->unit != nullptr) {
        node.out.keys = ChangedKeys(node.now->keys, node.then->unit);
        return DecideByKeys(node);
    }
    const bool enabled = IsStartedAtBoot(node.then->unit);
    const char* news = node.now == nullptr ? "new" : "its file is good now";
    node.Set(enabled ? Change::kStart : Change::kUntouched,
             enabled ? news : Cat(news, "; it is started on demand"));
}

// The network of a unit that is restarted stays as it is.
bool KeepsNetwork(const Node& owner) {
    static constexpr std::string_view kOfNetwork[] = {
        "Container.Network",      "Container.IP",          "Container.IP6",   "Container.HostName",
        "Container.NetworkAlias", "Container.PublishPort", "Container.Sysctl"};
    if (owner.out.change != Change::kRestart || owner.unit() == nullptr) return false;
    return owner.unit()->container.network.OutlivesRestarts() &&
           std::ranges::none_of(owner.out.keys, [](const KeyChange& change) {
               return change.key == kUnknownKey ||
                      std::ranges::find(kOfNetwork, config::KeyName(change.key)) !=
                          std::end(kOfNetwork);
           });
}

// A unit that would go on, but for what it requires.
bool Planner::TakeAlong(Node& node) {
    const config::Unit* unit = node.unit();
    if (unit == nullptr || !node.goes_on()) return false;
    auto follow = [&](Change change, std::string because) {
        node.Set(change, std::move(because));
        return true;
    };
    const auto& network = unit->container.network;
    const std::pair<const List<std::string>*, const char*> lists[] = {
        {&unit->unit.requires_, "requires "},
        {&unit->unit.binds_to, "is bound to "},
        {&unit->unit.part_of, "is part of "}};
    for (const auto& [names, verb] : lists)
        for (const std::string& name : *names) {
            const Node* other = Find(name);
            if (other == nullptr) continue;
            const bool guest =
                network.kind == config::NetworkMode::Kind::kContainer && network.unit == name;
            if (other->out.change == Change::kStop)
                return follow(Change::kStop, Cat(verb, Quote(name), ", which is stopped"));
            if (guest && network.requires_only_here && KeepsNetwork(*other)) continue;
            if (guest && other->comes_up())
                return follow(Change::kRestart, Cat("shares the network of ", Quote(name)));
            if (other->out.change == Change::kRestart)
                return follow(Change::kRestart, Cat(verb, Quote(name), ", which is restarted"));
        }
    return false;
}

// What comes up stops what it conflicts with; of two that would come up, the first does.
bool Planner::StopRivals(Node& node) {
    if (!node.usable()) return false;
    bool any = false;
    for (const std::string& name : node.then->unit.unit.conflicts) {
        auto found = nodes_.find(name);
        if (found == nodes_.end() || &found->second == &node) continue;
        Node* first = &node;
        Node* second = &found->second;
        if (!first->comes_up() || (second->comes_up() && second->out.name < first->out.name))
            std::swap(first, second);
        if (!first->comes_up()) continue;
        const std::string because =
            Cat("conflicts with ", Quote(first->out.name), ", which is started");
        const bool runs =
            second->phase == Phase::kUp || second->phase == Phase::kWaiting ||
            (second->phase == Phase::kTrying && second->now->life.state != State::kFailed);
        if (runs && second->out.change != Change::kStop) {
            second->Set(Change::kStop, because);
            any = true;
        } else if (!runs && second->comes_up()) {
            second->Set(Change::kUntouched, because);
            second->left_out = true;
            any = true;
        }
    }
    return any;
}

bool Planner::StartOne(const std::string& name, std::string because, bool even_stopped) {
    auto found = nodes_.find(name);
    if (found == nodes_.end() || !found->second.usable()) return false;
    Node& node = found->second;
    const bool down = node.phase == Phase::kDown || node.phase == Phase::kTrying;
    if (node.out.change != Change::kUntouched || node.left_out) return false;
    if (node.phase != Phase::kIdle && !(even_stopped && down)) return false;
    node.Set(Change::kStart, std::move(because));
    return true;
}

bool Planner::StartNeeded(const Node& node) {
    if (!node.comes_up() || !node.usable()) return false;
    bool any = false;
    for (const auto* names : {&node.then->unit.unit.requires_, &node.then->unit.unit.binds_to})
        for (const std::string& name : *names)
            any |= StartOne(name, Cat("required by ", Quote(node.out.name)), true);
    for (const std::string& name : node.then->unit.unit.wants)
        any |= StartOne(name, Cat("wanted by ", Quote(node.out.name)), false);
    return any;
}

ChangeSet Planner::Plan() {
    for (auto& [name, node] : nodes_) Decide(node);
    // Until nothing leads to anything more; each round moves a unit away from going on.
    for (bool any = true; any;) {
        any = false;
        for (auto& [name, node] : nodes_)
            any |= TakeAlong(node) || StartNeeded(node) || StopRivals(node);
    }
    ChangeSet changes;
    for (auto& [name, node] : nodes_) changes.push_back(std::move(node.out));
    return changes;
}

}  // namespace

const char* ChangeName(Change change) {
    switch (change) {
        case Change::kUntouched: return "untouched";
        case Change::kReload: return "reload";
        case Change::kStart: return "start";
        case Change::kRestart: return "restart";
        case Change::kStop: return "stop";
    }
    return "untouched";
}

std::string Reason(const UnitChange& change) {
    if (change.keys.empty() || !change.because.empty()) return change.because;
    std::string text = Describe(change.keys.front());
    if (change.keys.size() > 1)
        text += Cat(" and ", std::to_string(change.keys.size() - 1), " more");
    return text;
}

const UnitChange* FindChange(const ChangeSet& changes, std::string_view name) {
    auto found = std::lower_bound(
        changes.begin(), changes.end(), name,
        [](const UnitChange& change, std::string_view wanted) { return change.name < wanted; });
    return found != changes.end() && found->name == name ? &*found : nullptr;
}

ChangeSet PlanChanges(const std::vector<UnitNow>& now, const config::LoadedFolder& then) {
    return Planner(now, then).Plan();
}

}  // namespace husk::supervisor
