// Manager's part that takes other unit files: reading them, carrying a change out, taking it back.
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/sort.h"
#include "base/text.h"
#include "container/id_map.h"
#include "supervisor/manager.h"
#include "supervisor/network_wishes.h"
#include "supervisor/spec_check.h"

namespace husk::supervisor {
namespace {

constexpr size_t kMaxNote = 1024;
constexpr const char* kByRevert = "since 'husk apply' was not confirmed";

// Up, or about to be again: its file being broken meanwhile is no reason to end it.
bool Outlives(const UnitRunner& runner) {
    const State state = runner.life().state;
    return HasProcesses(state) || state == State::kExited;
}

std::vector<Networks::Wish> NetworkWishes(const std::vector<config::LoadedUnit>& units,
                                          const DeviceFacts& device) {
    std::vector<Networks::Wish> wishes;
    for (const auto& unit : units)
        if (auto wish = unit.refused ? std::nullopt : WishOf(unit.unit))
            wishes.push_back({std::move(*wish), HostLinesOf(unit.unit), ResolverWishOf(unit.unit),
                              HostsFile(unit.unit, device), ResolverFile(unit.unit, device),
                              WishesWithoutFiles(unit.unit)});
    return wishes;
}

std::vector<Networks::Follower> Followers(const std::vector<config::LoadedUnit>& units,
                                          const DeviceFacts& device) {
    std::vector<Networks::Follower> followers;
    for (const auto& unit : units)
        if (!unit.refused && !WishOf(unit.unit) && FollowsNames(unit.unit))
            followers.push_back({ResolverWishOf(unit.unit), ResolverFile(unit.unit, device)});
    return followers;
}

void ReloadUnit(UnitRunner& runner, config::Unit unit) {
    Status changed = runner.Reload(unit);
    if (!changed) runner.Warn(Cat(changed.error().text(), "; it holds from the next start on"));
}

}  // namespace

// --- reading -------------------------------------------------------------------------------------

config::LoadedFolder Manager::LoadFolders(const std::string& in_place_of_active) const {
    std::vector<std::string> folders = options_.unit_folders;
    if (!in_place_of_active.empty())
        std::ranges::replace(folders, options_.active_folder, in_place_of_active);
    config::LoadedFolder loaded =
        config::LoadUnits(folders, {.instances = Instances(), .masked = masked_for_boot_});
    CheckSpecs(loaded);
    return loaded;
}

// Those that somebody started: a change of their template is one of theirs.
std::vector<std::string> Manager::Instances() const {
    std::vector<std::string> names;
    for (const auto& entry : entries_)
        if (entry.runner && entry.name.find('@') != std::string::npos) names.push_back(entry.name);
    if (!entries_.empty()) return names;
    // At the start they are in the records of an earlier supervisor.
    auto files = ListDirectory(device_.facts.run_directory + "/records");
    if (!files) return names;  // AdoptRecords() tells of it
    for (const auto& file : *files)
        if (file.ends_with(".json") && file.find('@') != std::string::npos)
            names.push_back(file.substr(0, file.size() - 5));
    return names;
}

std::vector<UnitNow> Manager::UnitsNow() const {
    std::vector<UnitNow> units;
    units.reserve(entries_.size());
    for (const auto& entry : entries_) {
        UnitNow unit{.name = entry.name};
        if (entry.runner) {
            unit.unit = &entry.runner->unit();
            unit.life = entry.runner->life();
            unit.keys = entry.runner->Keys();
            unit.other_image = entry.runner->ImagesAreOld();
        }
        units.push_back(std::move(unit));
    }
    return units;
}

// --- carrying out --------------------------------------------------------------------------------

// Takes what was loaded; every unit that goes on keeps its runner.
void Manager::Install(config::LoadedFolder loaded, const ChangeSet& changes) {
    for (const auto& problem : loaded.problems) LogError(config::Describe(problem));
    OldEntries old;
    std::vector<std::string> names;
    for (const auto& unit : loaded.units) names.push_back(unit.unit.name);
    for (auto& entry : entries_) {
        // What runs without a file has its ids for as long as it does.
        if (entry.gone) id_ranges_[entry.name] = {entry.runner->record().id_range_base};
        if (entry.runner && Outlives(*entry.runner)) names.push_back(entry.name);
        std::string name = entry.name;
        old.emplace(std::move(name), std::move(entry));
    }
    entries_.clear();
    entries_.reserve(loaded.units.size());
    PlanNetworks(loaded);
    id_ranges_ = container::AssignIdRanges(names, id_ranges_);
    for (auto& unit : loaded.units) {
        const std::string name = unit.unit.name;
        AddEntry(std::move(unit), id_ranges_.at(name), FindChange(changes, name), old);
    }
    for (auto& [name, entry] : old) KeepOrForget(std::move(entry));
    masked_ = std::move(loaded.masked);
    templates_ = std::move(loaded.templates);
    IndexEntries();
}

// Instances NAME@ARG that are asked for first now, and instances that those want. What other files
// say meanwhile waits for a reload.
void Manager::Instantiate(const std::vector<std::string>& names) {
    std::vector<std::string> wanted;
    for (const auto& name : names)
        if (const size_t at = name.find('@');
            at != name.npos && FindEntry(name) == nullptr &&
            std::ranges::binary_search(templates_, name.substr(0, at + 1)))
            wanted.push_back(name);
    if (wanted.empty()) return;
    std::vector<config::LoadedUnit> fresh;
    config::LoadedFolder loaded =
        config::LoadUnits(options_.unit_folders, {.instances = wanted, .masked = masked_for_boot_});
    CheckSpecs(loaded);
    for (auto& unit : loaded.units)
        if (unit.unit.name.find('@') != std::string::npos && FindEntry(unit.unit.name) == nullptr)
            fresh.push_back(std::move(unit));
    std::vector<std::string> all;
    for (const auto& entry : entries_) all.push_back(entry.name);
    for (const auto& unit : fresh) all.push_back(unit.unit.name);
    id_ranges_ = container::AssignIdRanges(all, id_ranges_);
    device_.networks.FollowToo(Followers(fresh, device_.facts));
    device_.networks.Add(device_.facts, NetworkWishes(fresh, device_.facts));
    OldEntries none;
    for (auto& unit : fresh) {
        const container::IdRange ids = id_ranges_.at(unit.unit.name);
        AddEntry(std::move(unit), ids, nullptr, none);
    }
    IndexEntries();
}

void Manager::PlanNetworks(const config::LoadedFolder& loaded) {
    std::vector<network::NetworkWish> networks;
    for (const auto& one : loaded.networks)
        if (!one.refused) networks.push_back(WishOf(one.network));
    device_.networks.Follow(Followers(loaded.units, device_.facts));
    device_.networks.Plan(device_.facts, std::move(networks),
                          NetworkWishes(loaded.units, device_.facts));
}

void Manager::AddEntry(config::LoadedUnit unit, container::IdRange ids, const UnitChange* change,
                       OldEntries& old) {
    Entry entry{.name = unit.unit.name};
    if (auto found = old.find(entry.name); found != old.end()) {
        entry.runner = std::move(found->second.runner);
        old.erase(found);
    }
    if (unit.refused) {
        LogError("unit ", Quote(entry.name), " is refused: ", config::DescribeFirst(unit.problems));
        entry.refused = RefusedUnit{entry.name, unit.unit.path, std::move(unit.problems)};
        if (entry.runner && !Outlives(*entry.runner)) {
            entry.runner->Forget();
            entry.runner.reset();
        }
    } else {
        entry.warnings = std::move(unit.problems);
        if (!entry.runner)
            entry.runner = std::make_unique<UnitRunner>(device_, *this, std::move(unit.unit), ids);
        else if (change == nullptr || change->keys.empty())
            entry.runner->Reread(std::move(unit.unit));
        else if (change->change == Change::kReload)
            ReloadUnit(*entry.runner, std::move(unit.unit));
        else
            entry.runner->Replace(std::move(unit.unit));
    }
    entries_.push_back(std::move(entry));
}

// Without a file: what runs is looked after until it is down.
void Manager::KeepOrForget(Entry entry) {
    if (!entry.runner) return;
    if (!HasProcesses(entry.runner->life().state)) return entry.runner->Forget();
    entry.gone = true;
    entries_.push_back(std::move(entry));
}

void Manager::ForgetGone() {
    const size_t before = entries_.size();
    std::erase_if(entries_, [](const Entry& entry) {
        const bool over = entry.gone && !HasProcesses(entry.runner->life().state) &&
                          entry.runner->life().state != State::kWaiting;
        if (over) entry.runner->Forget();
        return over;
    });
    if (entries_.size() != before) IndexEntries();
}

void Manager::CarryOut(const ChangeSet& changes, const std::string& by) {
    std::vector<PlannedJob> jobs;
    for (const auto& change : changes) {
        const auto index = order().Find(change.name);
        if (!index || !entries_[*index].runner) continue;
        const std::string text = Cat(by, ": ", Reason(change));
        switch (change.change) {
            case Change::kStart: jobs.push_back({*index, JobKind::kStart, text}); break;
            case Change::kRestart: jobs.push_back({*index, JobKind::kRestart, text}); break;
            case Change::kStop: jobs.push_back({*index, JobKind::kStop, text}); break;
            case Change::kReload: entries_[*index].runner->Note(Cat("reloaded ", text)); break;
            case Change::kUntouched: break;
        }
    }
    Sort(jobs, [this](const PlannedJob& a, const PlannedJob& b) {
        return order().Rank(a.unit) < order().Rank(b.unit);
    });
    unit_jobs_.CarryOut(jobs);
    ArmEnabled();
    ScheduleReview();
}

ChangeSet Manager::ChangeUnits(const std::string& by, config::LoadedFolder loaded) {
    NoteChange(by);
    ChangeSet changes = PlanChanges(UnitsNow(), loaded);
    Install(std::move(loaded), changes);
    CarryOut(changes, by);
    ForgetChange();
    return changes;
}

// A change that was begun is ended by the next supervisor, which knows by the records what runs
// with what.
void Manager::NoteChange(const std::string& by) {
    Status noted = WriteFileAtomically(device_.facts.run_directory + "/change", by);
    if (!noted) LogError(noted.error().text());
}

void Manager::ForgetChange() {
    // Where that fails, a later supervisor finds nothing that differs.
    (void)::unlink((device_.facts.run_directory + "/change").c_str());
}

void Manager::FinishChange() {
    auto by = ReadFile(device_.facts.run_directory + "/change", kMaxNote);
    if (by) ChangeUnits(*by, LoadFolders());  // otherwise none was begun
}

// --- confirmation --------------------------------------------------------------------------------

// True where the active folder is another than the one that units were started from.
bool Manager::RecoverFolder() {
    auto folder = UnitFolder::At(options_.active_folder);
    if (!folder) return LogError(folder.error().text()), false;
    auto recovered = folder->Recover();
    if (!recovered) LogError(recovered.error().text());
    bool reverted = recovered.value_or(false);
    pending_ = folder->FindPending();
    if (pending_ && TimeLeft(*pending_, ReadBootClock()) == Duration::zero()) {
        pending_.reset();
        NoteChange(kByRevert);  // a crash behind the exchange must not leave the units as they are
        Status back = folder->Revert();
        if (!back) {
            LogError("revert 'husk apply': ", back.error().text());
            ForgetChange();
        }
        reverted |= back.has_value();
    }
    if (reverted)
        LogError(
            "what 'husk apply' brought was not confirmed in time, so it was reverted; it "
            "lies in ",
            Quote(folder->reverted()));
    return reverted;
}

// What an earlier supervisor, or an earlier boot, left unfinished.
void Manager::FinishEarlier(bool reverted) {
    if (reverted)
        ChangeUnits(kByRevert, LoadFolders());
    else
        FinishChange();
    AwaitConfirmation();
}

void Manager::AwaitConfirmation() {
    device_.loop.CancelTimer(std::exchange(confirm_timer_, 0));
    if (!pending_) return;
    const Duration left = TimeLeft(*pending_, ReadBootClock());
    confirm_timer_ = device_.loop.StartTimer(MonotonicNow() + left, [this] {
        confirm_timer_ = 0;
        RevertUnits();
    });
}

void Manager::RevertUnits() {
    if (shutdown_ != ShutdownAction::kNone) return;    // the next boot reverts
    if (!RecoverFolder()) return AwaitConfirmation();  // early, or in vain
    for (auto& job : std::exchange(jobs_, {})) {
        if (job.verb == "apply")
            Reply(job.client, Answer::Failure("reverted", "not confirmed in time: reverted"));
        else
            jobs_.push_back(std::move(job));
    }
    ChangeUnits(kByRevert, LoadFolders());
}

}  // namespace husk::supervisor
