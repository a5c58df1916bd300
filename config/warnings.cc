#include "config/warnings.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/sort.h"
#include "base/text.h"
#include "config/network_values.h"
#include "config/rules.h"

namespace husk::config {
namespace {

// Where named volumes lie, unless the supervisor is told another state folder.
constexpr std::string_view kNamedVolumes = "/var/lib/husk/volumes/";

void Warn(LoadedUnit& loaded, std::string_view key, std::string text, std::string hint) {
    AddProblem(loaded.problems, Severity::kWarning, PlaceOf(loaded.unit, key),
               key.substr(key.find('.') + 1), std::move(text), std::move(hint));
}

void WarnOfLittleMemory(LoadedUnit& loaded) {
    const MemoryLimit& most = loaded.unit.service.memory_max;
    if (most.kind != MemoryLimit::Kind::kBytes || most.value >= kLeastMemory) return;
    const bool twin = FindGiven(loaded.unit, "Container.Memory") != nullptr;
    const std::string_view key = twin ? "Container.Memory" : "Service.MemoryMax";
    Warn(loaded, key,
         Cat("key ", Quote(key.substr(key.find('.') + 1)), ": ", FormatBytes(most.value),
             " are hardly enough for a program to start"),
         "sizes are bytes, or have K, M or G behind them");
}

void WarnOfStopsThatShutdownsCut(LoadedUnit& loaded) {
    const auto& limit = loaded.unit.service.timeout_stop;
    if (!limit || *limit <= kLongestShutdown) return;
    const bool twin = FindGiven(loaded.unit, "Container.StopTimeout") != nullptr;
    const std::string_view key = twin ? "Container.StopTimeout" : "Service.TimeoutStopSec";
    Warn(loaded, key,
         Cat("key ", Quote(key.substr(key.find('.') + 1)),
             ": when the machine goes down, all is "
             "killed after ",
             FormatDuration(kLongestShutdown)),
         "do not count on more");
}

void WarnOfIdleKeys(LoadedUnit& loaded) {
    if (loaded.unit.service.restart == RestartPolicy::kNo &&
        FindGiven(loaded.unit, "Service.RestartPreventExitStatus") != nullptr)
        Warn(loaded, "Service.RestartPreventExitStatus",
             "key 'RestartPreventExitStatus' does nothing with Restart=no",
             "drop it, or give another Restart=");
}

void WarnOfNetworkNobodyWaitsFor(LoadedUnit& loaded) {
    const UnitSection& unit = loaded.unit.unit;
    if (unit.after_online || (!unit.wants_online && !unit.requires_online)) return;
    Warn(loaded, unit.requires_online ? "Unit.Requires" : "Unit.Wants",
         Cat(Quote(kOnlineTarget), " is not in After=, so nothing waits for it"),
         Cat("add After=", kOnlineTarget));
}

// What is restarted after every failure, for ever, has never failed for good.
void WarnOfFailuresThatNeverCome(LoadedUnit& loaded) {
    const ServiceSection& service = loaded.unit.service;
    const bool always =
        service.restart == RestartPolicy::kAlways || service.restart == RestartPolicy::kOnFailure;
    if (!always || loaded.unit.unit.start_limit_burst > 0 ||
        service.restart_prevent != ExitStatusSet{} || service.type == ServiceType::kOneshot)
        return;
    for (std::string_view key : {"Unit.OnFailure", "Unit.FailureAction"})
        if (FindGiven(loaded.unit, key) != nullptr)
            Warn(loaded, key,
                 Cat("key ", Quote(key.substr(key.find('.') + 1)),
                     ": the unit is restarted after every failure, so it hardly ever fails for "
                     "good"),
                 "add StartLimitBurst= and StartLimitIntervalSec=, or Restart=no");
}

// A volume that a unit writes to.
struct Use {
    size_t unit = 0;
    const Volume* volume = nullptr;
};
using Uses = std::multimap<std::string, Use, std::less<>>;  // by the path on the device

std::string PathOf(const Volume& volume) {
    return volume.named ? Cat(kNamedVolumes, volume.source) : volume.source;
}

const Use* OtherUnit(Uses::const_iterator begin, Uses::const_iterator end, size_t unit) {
    for (; begin != end; ++begin)
        if (begin->second.unit != unit) return &begin->second;
    return nullptr;
}

// Another unit's use of the same path, of one that it lies in, or of one that lies in it.
const Use* FindOther(const Uses& uses, const std::string& path, size_t unit) {
    for (std::string_view at = path;;) {
        const auto [begin, end] = uses.equal_range(at);
        if (const Use* other = OtherUnit(begin, end, unit)) return other;
        if (at == "/") break;
        at = at.substr(0, std::max<size_t>(at.rfind('/'), 1));
    }
    const std::string folder = path == "/" ? path : path + "/";
    // '0' is the character behind '/'.
    const std::string behind = folder.substr(0, folder.size() - 1) + "0";
    return OtherUnit(uses.lower_bound(folder), uses.lower_bound(behind), unit);
}

std::string SharedText(const Volume& own, const Volume& other, const Unit& writer) {
    const Location at = writer.LocationOf(other.at);
    const bool same = PathOf(own) == PathOf(other);
    return Cat("volume ", Quote(own.source), " is written to by unit ", Quote(writer.name), " too",
               same ? "" : Cat(", as ", Quote(other.source)), " (", at.file, ":",
               std::to_string(at.line), ")");
}

void WarnOfSharedVolumes(std::vector<LoadedUnit>& units) {
    Uses uses;
    for (size_t i = 0; i < units.size(); ++i)
        for (const Volume& volume : units[i].unit.container.volumes)
            if (!volume.read_only) uses.emplace(PathOf(volume), Use{i, &volume});
    for (const auto& [path, use] : uses) {
        const Use* other = FindOther(uses, path, use.unit);
        if (other == nullptr) continue;
        LoadedUnit& loaded = units[use.unit];
        AddProblem(loaded.problems, Severity::kWarning, loaded.unit.LocationOf(use.volume->at),
                   "Volume", SharedText(*use.volume, *other->volume, units[other->unit].unit),
                   "add :ro where it is only read");
    }
}

// The second to be armed would find the first one's address in use, for as long as that is up.
void WarnOfListenersTwice(std::vector<LoadedUnit>& units) {
    // By what is the same of two that clash, so that a thousand units are no million pairs.
    std::multimap<std::string, std::pair<LoadedUnit*, const Listener*>> uses;
    for (LoadedUnit& unit : units)
        for (const Listener& listener : unit.unit.socket.listeners)
            uses.emplace(listener.address.path.empty() ? std::to_string(listener.address.port)
                                                       : listener.address.path,
                         std::pair(&unit, &listener));
    for (const auto& [key, use] : uses) {
        const auto& [unit, listener] = use;
        const auto [begin, end] = uses.equal_range(key);
        for (auto other = begin; other != end; ++other) {
            const auto& [its_unit, its_listener] = other->second;
            if (its_unit == unit || !Clashes(*listener, *its_listener)) continue;
            const Location at = its_unit->unit.LocationOf(its_listener->at);
            AddProblem(unit->problems, Severity::kWarning, unit->unit.LocationOf(listener->at),
                       ListenKey(listener->kind),
                       Cat("address ", Quote(ListenText(listener->address)),
                           " is listened on by unit ", Quote(its_unit->unit.name), " too (",
                           at.file, ":", std::to_string(at.line), ")"),
                       "give each its own");
            break;
        }
    }
}

}  // namespace

void WarnOfOddities(std::vector<LoadedUnit>& units) {
    for (LoadedUnit& unit : units) {
        WarnOfLittleMemory(unit);
        WarnOfStopsThatShutdownsCut(unit);
        WarnOfIdleKeys(unit);
        WarnOfNetworkNobodyWaitsFor(unit);
        WarnOfFailuresThatNeverCome(unit);
    }
    WarnOfSharedVolumes(units);
    WarnOfListenersTwice(units);
}

}  // namespace husk::config
