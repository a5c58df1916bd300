// Manager's part that has units start and stop each other: it tells units what jobs.h decides, and
// jobs.h what becomes of them.
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/sort.h"
#include "base/text.h"
#include "supervisor/command_environment.h"
#include "supervisor/kernel_switches.h"
#include "supervisor/manager.h"
#include "supervisor/needed_paths.h"

namespace husk::supervisor {
namespace {

// A start was asked for, and no stop since.
bool IsWanted(const Life& life) {
    if (IsEnding(life.state)) return life.after != AfterCleaning::kStayDown;
    return life.state != State::kInactive;
}

Standing StandingOf(const UnitRunner& runner, const Life& life) {
    return {.state = life.state,
            .wanted = IsWanted(life),
            .done = life.done,
            .after = life.after,
            .direct = runner.unit().service.restart_mode == config::RestartMode::kDirect,
            .started_at = life.started_at,
            .ended_at = life.last_exit.at};
}

bool PathExists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace

// `records` are of units that have not taken them over yet; nullptr: all have.
void Manager::IndexEntries(const std::vector<Record>* records) {
    InsertionSort(entries_, [](const Entry& a, const Entry& b) { return a.name < b.name; });
    // unit -> those that name it in Before=
    std::map<std::string, std::vector<std::string>> before;
    for (const auto& entry : entries_)
        if (entry.runner)
            for (const auto& other : entry.runner->unit().unit.before)
                before[other].push_back(entry.name);
    std::map<std::string_view, const Record*> adopted;
    if (records != nullptr)
        for (const auto& record : *records) adopted[record.unit] = &record;
    std::vector<OrderUnit> units;
    std::vector<Standing> standings;
    std::vector<Jobs::Queued> queued(entries_.size());
    for (const auto& entry : entries_) {
        OrderUnit unit{.name = entry.name};
        Standing standing{.refused = !entry.runner};
        if (entry.runner) {
            const config::UnitSection& section = entry.runner->unit().unit;
            unit = {entry.name,        section.after,      section.requires_,
                    section.wants,     section.binds_to,   section.part_of,
                    section.conflicts, section.on_failure, section.on_success};
            const config::NetworkMode& network = entry.runner->unit().container.network;
            const std::string& other = network.unit;
            const auto owner = network.requires_only_here
                                   ? std::ranges::find(entries_, other, &Entry::name)
                                   : entries_.end();
            if (owner != entries_.end() && owner->runner &&
                owner->runner->unit().container.network.OutlivesRestarts())
                unit.joins = other;
            if (auto found = before.find(entry.name); found != before.end())
                unit.after.insert(unit.after.end(), found->second.begin(), found->second.end());
            const Record* record = &entry.runner->record();
            if (auto found = adopted.find(entry.name); found != adopted.end())
                record = found->second;
            standing = StandingOf(*entry.runner, record->life);
            queued[units.size()] = {record->job, record->job_why};
        }
        units.push_back(std::move(unit));
        standings.push_back(standing);
    }
    unit_jobs_.SetUnits(units, std::move(standings), std::move(queued));
    NoteSharedFolders();
    ScheduleReview();
}

// What a record tells of was decided already: started, stopped or failed.
void Manager::StartEnabled() {
    if (WantsRescue(condition_facts_.kernel_command_line)) {
        if (!device_.system.rescue_password.empty())
            return LogWarning(kRescueSwitch, ": no unit is started");
        LogWarning(kRescueSwitch, " is off: RescuePassword= in system.conf turns it on");
    }
    std::vector<Index> roots;
    for (Index i = 0; i < entries_.size(); ++i) {
        const auto& runner = entries_[i].runner;
        if (runner && runner->unit().install.enabled && runner->life().reason.empty() &&
            !HasActivation(runner->unit()))
            roots.push_back(i);
    }
    (void)unit_jobs_.Start(roots, "at boot", Asked::kWanted);  // says itself whom it leaves out
    ArmEnabled();
}

void Manager::LearnFacts() {
    utsname names{};
    (void)::uname(&names);  // cannot fail with a valid buffer
    condition_facts_ = {
        .kernel_command_line = ReadFile("/proc/cmdline", 64 << 10).value_or(""),
        .machine = names.machine,
        .first_boot = IsFirstBoot(device_.facts.run_directory, device_.facts.state_directory),
        .path_exists = PathExists};
    masked_for_boot_ = MaskedUnits(condition_facts_.kernel_command_line);
}

void Manager::TellMasked() const {
    for (const std::string& name : masked_for_boot_) {
        const bool found =
            std::ranges::find(masked_, name, &config::MaskedUnit::name) != masked_.end() ||
            std::ranges::binary_search(templates_, name);
        LogWarning(found ? Cat("unit ", Quote(name), " is masked for this boot (", kMaskSwitch, ")")
                         : Cat(kMaskSwitch, name, ": there is no such unit"));
    }
}

void Manager::EndBoot() {
    LogInfo("boot has settled: ", BootStateName(Overall()));
    SaveBootTimes();
    if (!device_.init.connected()) return;  // started by hand: no boot of the device
    if (Status noted = EndFirstBoot(device_.facts.state_directory); !noted)
        LogWarning("the next boot will count as the first one again: ", noted.error().text());
}

void Manager::JoinOrder(UnitRunner& runner) {
    if (const auto index = order().Find(runner.unit().name)) unit_jobs_.Join(*index);
}

void Manager::StateChanged(UnitRunner& runner, State before) {
    if (control_ != nullptr && !event_clients_.empty())
        event_clients_.Publish(
            *control_, runner.unit().name,
            StateEvent(runner.unit().name, before, runner.life(), MonotonicNow(), RealtimeNow()));
    const auto index = order().Find(runner.unit().name);
    if (!index) return;
    unit_jobs_.Follow(*index, StandingOf(runner, runner.life()));
    FollowOwner(*index, before);
    ScheduleReview();
}

std::vector<std::string> Manager::MonitorVariables(const UnitRunner& runner) {
    const auto index = order().Find(runner.unit().name);
    const auto found = index ? order().MonitoredBy(*index) : std::nullopt;
    const UnitRunner* monitored = found ? entries_[*found].runner.get() : nullptr;
    if (monitored == nullptr) return {};
    return MonitorEnvironment(monitored->unit().name, monitored->life().main_pid,
                              monitored->life().last_exit, monitored->unit().service);
}

// Who shares the network of a unit goes on with it across that unit's restarts. Where the unit has
// another one after all, since its own ended with it or has changed, so must they.
void Manager::FollowOwner(Index owner, State before) {
    const UnitRunner& runner = *entries_[owner].runner;
    const State state = runner.life().state;
    const bool came_up = state == State::kRunning && !IsUp(before);
    const auto kind = runner.unit().container.network.kind;
    const bool is_over =
        !HasProcesses(state) && IsSettled(state) && state != State::kBackoff &&
        (kind == config::NetworkMode::Kind::kNone || kind == config::NetworkMode::Kind::kMember);
    if (!came_up && !is_over) return;
    const std::string name = Quote(entries_[owner].name);
    for (Index index : order().Dependents(owner)) {
        UnitRunner* guest = entries_[index].runner.get();
        if (guest == nullptr || !HasProcesses(guest->life().state) || IsEnding(guest->life().state))
            continue;
        const config::NetworkMode& network = guest->unit().container.network;
        if (network.kind != config::NetworkMode::Kind::kContainer ||
            network.unit != entries_[owner].name || (came_up && !HasLeft(runner, *guest)))
            continue;
        if (is_over)
            guest->Note(Cat(name,
                            " has ended, and with it the network that it shares; it is "
                            "restarted when that is started again"));
        else
            guest->Dispatch({.kind = EventKind::kRestartWanted,
                             .text = Cat("since ", name,
                                         ", whose network it shares, has another "
                                         "one now")});
    }
}

// A namespace that somebody is in keeps its inode.
bool Manager::HasLeft(const UnitRunner& owner, const UnitRunner& guest) {
    const auto own = guest.FindNetwork(), other = owner.FindNetwork();
    struct stat was {
    }, is{};
    if (!own || !*own || ::fstat(own->get(), &was) != 0) return false;       // its end says more
    if (!other || !*other || ::fstat(other->get(), &is) != 0) return false;  // comes up again
    return was.st_dev != is.st_dev || was.st_ino != is.st_ino;
}

// --- JobHost -------------------------------------------------------------------------------------

void Manager::Tell(Index unit, Event event) {
    UnitRunner* runner = entries_[unit].runner.get();
    if (runner == nullptr) return;
    if (unit_jobs_.standings()[unit].job == JobKind::kNone) runner->ForgetJob();
    runner->Dispatch(std::move(event));
}

void Manager::KeepJob(Index unit, JobKind kind, const std::string& why) {
    if (UnitRunner* runner = entries_[unit].runner.get()) runner->KeepJob(kind, why);
    ScheduleReview();
}

Event Manager::LookAtConditions(Index unit) {
    ConditionVerdict verdict =
        supervisor::LookAtConditions(entries_[unit].runner->unit(), condition_facts_);
    switch (verdict.kind) {
        case ConditionVerdict::Kind::kHold: return {.kind = EventKind::kOrderReady};
        case ConditionVerdict::Kind::kSkip:
            return {.kind = EventKind::kConditionUnmet, .text = std::move(verdict.text)};
        case ConditionVerdict::Kind::kFail:
            return {.kind = EventKind::kAssertionFailed, .text = std::move(verdict.text)};
    }
    return {.kind = EventKind::kOrderReady};
}

OutsideWait Manager::LookOutside(Index unit) {
    UnitRunner& runner = *entries_[unit].runner;
    const config::UnitSection& section = runner.unit().unit;
    OutsideFacts facts;
    for (const std::string& link : device_.networks.ParentsOf(runner.unit().name))
        if (!links_.Has(link)) facts.missing_links.push_back(link);
    if (device_.mounts != nullptr)
        for (const std::string& path : NeededPaths(runner.unit(), device_.facts.state_directory))
            if (std::string mount = device_.mounts->Missing(path);
                !mount.empty() &&
                std::ranges::find(facts.missing_mounts, mount) == facts.missing_mounts.end())
                facts.missing_mounts.push_back(std::move(mount));
    if (section.after_online) {
        facts.offline = links_.Offline(device_.links.wishes());
        facts.was_online = links_.was_online();
        facts.boot_is_over = MonotonicNow() - boot_times_.supervisor >= kOnlineLimit;
    }
    OutsideWait wait = supervisor::LookOutside(section, facts);
    if (!wait.note.empty()) runner.Note(wait.note);
    return wait;
}

// Before the first unit starts, so that no change is missed.
void Manager::WatchLinks() {
    if (Status watched = links_.Begin(); !watched) LogError(watched.error().text());
    const Instant limit = boot_times_.supervisor + kOnlineLimit;
    if (limit > MonotonicNow())
        online_limit_ = device_.loop.StartTimer(limit, [this] { OnLinksChanged(); });
}

void Manager::OnLinksChanged() {
    device_.networks.FollowLinks();
    for (auto& entry : entries_)
        if (entry.runner) entry.runner->FollowLinks();
    unit_jobs_.LookOutsideAgain();
    ScheduleReview();
}

void Manager::OnMounts() {
    unit_jobs_.LookOutsideAgain();
    ScheduleReview();
}

void Manager::TellLeftOut(Index unit, const std::string& text) {
    if (UnitRunner* runner = entries_[unit].runner.get()) runner->Note(Cat("not started: ", text));
}

std::string Manager::MarkOf(Index unit) {
    const UnitRunner* runner = entries_[unit].runner.get();
    return runner == nullptr ? std::string() : std::string(runner->record().trigger);
}

void Manager::Mark(Index unit, const std::string& mark, bool save) {
    if (UnitRunner* runner = entries_[unit].runner.get()) runner->SetTrigger(mark, save);
}

// When it got there, to the nanosecond.
std::string Manager::EndOf(Index unit) {
    const Instant since = entries_[unit].runner->life().since;
    return Cat(entries_[unit].name, "@", std::to_string(since.since_boot.count()));
}

Untold Manager::UntoldOf(Index unit) {
    const UnitRunner* runner = entries_[unit].runner.get();
    return runner == nullptr ? Untold::kNothing : runner->life().untold;
}

void Manager::ActOnEnd(Index unit, Untold end) {
    const config::UnitSection& section = entries_[unit].runner->unit().unit;
    auto act = [&](config::UnitAction action, const char* key) {
        if (action == config::UnitAction::kNone) return;
        BeginShutdown(ShutdownOf(action), Cat(key, "= of unit ", Quote(entries_[unit].name), ": ",
                                              entries_[unit].runner->life().reason));
    };
    switch (end) {
        case Untold::kNothing: return;
        case Untold::kSuccess: return act(section.success_action, "SuccessAction");
        case Untold::kStartLimit:
            act(section.start_limit_action, "StartLimitAction");
            [[fallthrough]];
        case Untold::kFailure: return act(section.failure_action, "FailureAction");
    }
}

}  // namespace husk::supervisor
