#include "supervisor/manager.h"

#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/sort.h"
#include "base/text.h"
#include "container/id_map.h"

namespace husk::supervisor {
namespace {

const char* ActionName(ShutdownAction action) {
    switch (action) {
        case ShutdownAction::kNone: return "nothing";
        case ShutdownAction::kPoweroff: return "poweroff";
        case ShutdownAction::kReboot: return "reboot";
        case ShutdownAction::kHalt: return "halt";
    }
    return "nothing";
}

// A start was asked for, and no stop since.
bool IsWanted(const Life& life) {
    if (life.state == State::kStopping || life.state == State::kCleaning)
        return life.after != AfterCleaning::kStayDown;
    return life.state != State::kInactive;
}

}  // namespace

Manager::Manager(Device& device, Options options) : device_(device), options_(std::move(options)) {}
Manager::~Manager() {
    device_.loop.CancelTimer(review_);
    device_.loop.CancelTimer(confirm_timer_);
}

Manager::Entry* Manager::FindEntry(std::string_view name) {
    auto index = order_->Find(name);
    return index ? &entries_[*index] : nullptr;
}

UnitRunner* Manager::Find(std::string_view name) const {
    auto index = order_->Find(name);
    return index ? entries_[*index].runner.get() : nullptr;
}

void Manager::Begin(ShutdownAction pending) {
    // First of all: which units are active.
    const bool reverted = RecoverFolder();
    config::LoadedFolder loaded = LoadFolders();
    const ChangeSet all_new = PlanChanges({}, loaded);
    Install(std::move(loaded), all_new);
    AdoptRecords();
    // What a supervisor that died mounted, and no record knows of.
    if (auto mounted = device_.images.List()) ImagesUnused(*mounted);
    if (pending != ShutdownAction::kNone)
        BeginShutdown(pending, "continued by a new supervisor");
    else
        StartEnabled();
    if (pending == ShutdownAction::kNone) FinishEarlier(reverted);
    ScheduleReview();
}

// --- units -------------------------------------------------------------------------------------

void Manager::IndexEntries() {
    InsertionSort(entries_, [](const Entry& a, const Entry& b) { return a.name < b.name; });
    std::vector<OrderUnit> units;
    std::map<std::string, std::vector<std::string>>
        before;  // unit -> those that name it in Before=
    for (const auto& entry : entries_)
        if (entry.runner)
            for (const auto& other : entry.runner->unit().unit.before)
                before[other].push_back(entry.name);
    standings_.clear();
    for (const auto& entry : entries_) {
        OrderUnit unit{.name = entry.name};
        if (entry.runner) {
            const config::UnitSection& section = entry.runner->unit().unit;
            unit.after = section.after;
            unit.requires_ = section.requires_;
            unit.wants = section.wants;
            if (auto found = before.find(entry.name); found != before.end())
                unit.after.insert(unit.after.end(), found->second.begin(), found->second.end());
        }
        units.push_back(std::move(unit));
        Standing standing{.refused = !entry.runner};
        if (entry.runner) {
            standing.state = entry.runner->life().state;
            standing.done = entry.runner->life().done;
            standing.wanted = IsWanted(entry.runner->life());
        }
        standings_.push_back(standing);
    }
    order_ = std::make_unique<Order>(units);
    NoteSharedFolders();
    review_units_.clear();
    for (Index i = 0; i < entries_.size(); ++i)
        if (standings_[i].state == State::kWaiting) review_units_.insert(i);
    ScheduleReview();
}

void Manager::NoteSharedFolders() {
    auto& folders = device_.facts.shared_folders;
    folders.clear();
    for (const auto& entry : entries_) {
        if (!entry.runner) continue;
        for (const auto& volume : entry.runner->unit().container.volumes)
            if (!volume.named && !volume.read_only) folders.push_back(volume.source);
    }
}

void Manager::AdoptRecords() {
    const std::string folder = device_.facts.run_directory + "/records";
    auto files = ListDirectory(folder);
    if (!files) return LogError(files.error().text());
    std::vector<Record> records;
    bool strangers = false;
    for (const auto& file : *files) {
        if (!file.ends_with(".json")) continue;
        auto text = ReadFile(Cat(folder, "/", file), kMaxRecordSize);
        auto record = text ? ParseRecord(*text) : Result<Record>(Fail(std::move(text).error()));
        if (!record) {
            LogError(Cat("record ", Quote(file), ": ", record.error().text(),
                         "; what runs of the unit is ended, and it is started anew"));
            const std::string name = file.substr(0, file.size() - 5);
            (void)container::Cgroup(Cat(device_.cgroup_parent, "/", name)).Kill();  // may not exist
            continue;
        }
        for (int slot : {record->log_text_slot, record->log_marks_slot, record->log_pipe_slot})
            device_.init.MarkUsed(slot);
        Entry* entry = FindEntry(record->unit);
        if (entry == nullptr || !entry->runner) {
            // Its file is gone or refused: looked after as it is, but not started again.
            config::Unit unit;
            unit.name = record->unit;
            unit.service.restart = config::RestartPolicy::kNo;
            auto runner = std::make_unique<UnitRunner>(device_, *this, std::move(unit),
                                                       container::IdRange{record->id_range_base});
            if (entry == nullptr) {
                entries_.push_back({.name = record->unit, .gone = true});
                entry = &entries_.back();
            }
            entry->runner = std::move(runner);
            strangers = true;
        }
        records.push_back(std::move(*record));
        if (std::exchange(strangers, false)) IndexEntries();
    }
    // Where all of them stand, before the first asks whether those that it waits for are up.
    for (const auto& record : records)
        if (auto index = order_->Find(record.unit))
            standings_[*index] = {.state = record.life.state,
                                  .wanted = IsWanted(record.life),
                                  .done = record.life.done};
    const std::vector<OrphanExit> exits = device_.init.TakeExits();
    for (auto& record : records)
        if (UnitRunner* runner = Find(record.unit)) runner->Adopt(std::move(record), exits);
    IndexEntries();
    booted_ = !records.empty();
    if (!records.empty())
        LogInfo(
            Cat("took over ", std::to_string(records.size()), " units from an earlier supervisor"));
}

// What a record tells of was decided already: started, stopped or failed.
void Manager::StartEnabled() {
    std::vector<Index> roots;
    for (Index i = 0; i < entries_.size(); ++i) {
        const auto& runner = entries_[i].runner;
        if (runner && runner->unit().install.enabled && runner->life().reason.empty())
            roots.push_back(i);
    }
    Start(roots, "at boot");
}

std::vector<bool> Manager::Marked(const std::vector<Index>& units) const {
    std::vector<bool> marked(entries_.size());
    for (Index i : units) marked[i] = true;
    return marked;
}

void Manager::Start(const std::vector<Index>& roots, const std::string& by) {
    const std::vector<bool> is_root = Marked(roots);
    const std::vector<Index> units = order_->StartSet(roots);
    // All are wanted before the first is asked, so that it waits for those that come after it.
    for (Index i : units) standings_[i].wanted = true;
    for (Index i : units) {
        UnitRunner* runner = entries_[i].runner.get();
        if (runner == nullptr) continue;
        if (!is_root[i] && (IsUp(runner->life().state) || runner->life().done)) continue;
        runner->Dispatch({.kind = EventKind::kStartWanted,
                          .text = is_root[i] ? by : Cat("as a requirement, ", by)});
    }
}

void Manager::Stop(const std::vector<Index>& roots, const std::string& by, bool restart) {
    const std::vector<bool> is_root = Marked(roots);
    const EventKind kind = restart ? EventKind::kRestartWanted : EventKind::kStopWanted;
    for (Index i : order_->StopSet(roots)) {
        UnitRunner* runner = entries_[i].runner.get();
        if (runner == nullptr) continue;
        // What merely requires it goes with it only where it runs.
        if (!is_root[i] && !HasProcesses(runner->life().state)) continue;
        standings_[i].wanted = restart;
        runner->Dispatch(
            {.kind = kind, .text = is_root[i] ? by : Cat("with what it requires, ", by)});
    }
}

void Manager::JoinOrder(UnitRunner& runner) {
    const auto index = order_->Find(runner.unit().name);
    if (!index) return;
    OrderVerdict verdict = order_->Verdict(*index, standings_);
    switch (verdict.kind) {
        case OrderVerdict::Kind::kReady: return runner.Dispatch({.kind = EventKind::kOrderReady});
        case OrderVerdict::Kind::kWait:
            return runner.Dispatch({.kind = EventKind::kOrderWaits, .text = verdict.text});
        case OrderVerdict::Kind::kLost:
            return runner.Dispatch({.kind = EventKind::kRequirementLost, .text = verdict.text});
    }
}

void Manager::StateChanged(UnitRunner& runner, State before) {
    const auto index = order_->Find(runner.unit().name);
    if (!index) return;
    standings_[*index].state = runner.life().state;
    standings_[*index].done = runner.life().done;
    for (Index dependent : order_->Dependents(*index))
        if (standings_[dependent].state == State::kWaiting) review_units_.insert(dependent);
    if (runner.life().state == State::kRunning && before == State::kStarting)
        RestartNetworkGuests(*index);
    ScheduleReview();
}

// A unit that shares another's network is left with the old one when that is started again.
void Manager::RestartNetworkGuests(Index owner) {
    for (Index guest : order_->Dependents(owner)) {
        UnitRunner* runner = entries_[guest].runner.get();
        if (runner == nullptr) continue;
        const auto& network = runner->unit().container.network;
        if (network.kind != config::NetworkMode::Kind::kContainer ||
            network.unit != entries_[owner].name || !HasProcesses(runner->life().state))
            continue;
        runner->Dispatch({.kind = EventKind::kRestartWanted,
                          .text = Cat("since ", Quote(entries_[owner].name),
                                      ", whose network it shares, was "
                                      "started again")});
    }
}

// Once a round of the loop, however many units changed in it.
void Manager::ScheduleReview() {
    if (review_ != 0) return;
    review_ = device_.loop.StartTimer(MonotonicNow(), [this] {
        review_ = 0;
        Review();
    });
}

void Manager::Review() {
    for (Index i : std::exchange(review_units_, {}))
        if (UnitRunner* runner = entries_[i].runner.get();
            runner != nullptr && runner->life().state == State::kWaiting)
            JoinOrder(*runner);
    ForgetGone();
    std::erase_if(jobs_, [this](const Job& job) { return FinishJob(job); });
    if (shutdown_ != ShutdownAction::kNone) return StopInOrder();
    if (booted_ && settle_waiters_.empty()) return;
    const BootState state = Overall();
    if (state == BootState::kStarting) return;
    if (!std::exchange(booted_, true)) LogInfo(Cat("boot has settled: ", BootStateName(state)));
    for (auto id : std::exchange(settle_waiters_, {})) AnswerRunning(id, {});
}

BootState Manager::Overall() const {
    std::vector<BootUnit> units(entries_.size());
    for (Index i = 0; i < entries_.size(); ++i) {
        units[i].standing = standings_[i];
        if (const auto& runner = entries_[i].runner)
            units[i].has_failed = runner->life().failures_in_row > 0 || runner->life().restarts > 0;
    }
    return OverallState(*order_, units, booted_, shutdown_ != ShutdownAction::kNone);
}

pid_t Manager::MainPidOf(const std::string& unit) {
    UnitRunner* runner = Find(unit);
    return runner == nullptr ? 0 : runner->life().main_pid;
}

void Manager::ImagesUnused(const std::vector<std::string>& images) {
    for (const auto& image : images) {
        const bool used = std::ranges::any_of(entries_, [&](const Entry& entry) {
            return entry.runner && entry.runner->UsesImage(image);
        });
        if (used) continue;
        if (Status gone = device_.images.Unmount(image); !gone) LogWarning(gone.error().text());
    }
}

void Manager::OnDamage(const BlockDamage& damage) {
    for (auto& entry : entries_) {
        if (!entry.runner) continue;
        const std::string image = entry.runner->ImageOn(damage.device);
        if (image.empty()) continue;
        entry.runner->Dispatch(
            {.kind = EventKind::kImageDamaged,
             .text = Cat("image ", Quote(image), " is damaged: ", Describe(damage))});
    }
}

void Manager::CollectOrphanExits() {
    for (const auto& exit : device_.init.TakeExits())
        for (auto& entry : entries_)
            if (entry.runner && entry.runner->TakeOrphanExit(exit)) break;
}

void Manager::OnInitNotice() {
    if (auto wanted = device_.init.ReadNotices())
        BeginShutdown(*wanted, "asked for by PID 1: Ctrl-Alt-Del or a signal");
    if (!device_.init.connected()) {
        LogError("PID 1 is gone");
        return device_.loop.Stop();
    }
    CollectOrphanExits();
}

// --- shutdown ----------------------------------------------------------------------------------

void Manager::BeginShutdown(ShutdownAction action, const std::string& why) {
    if (shutdown_ != ShutdownAction::kNone) return;
    LogInfo(Cat("going down for ", ActionName(action), " (", why, ")"));
    shutdown_ = action;
    if (device_.init.connected())
        if (Status noted = device_.init.Shutdown(action, false); !noted)
            LogError(noted.error().text());
    ScheduleReview();
}

// Tells every unit to stop whose dependents are down; called again with every change.
void Manager::StopInOrder() {
    const std::vector<bool> all(entries_.size(), true);
    bool busy = false;
    for (Index i = 0; i < entries_.size(); ++i) {
        UnitRunner* runner = entries_[i].runner.get();
        if (runner == nullptr) continue;
        const Life& life = runner->life();
        const bool down = life.state == State::kInactive || life.state == State::kFailed ||
                          life.state == State::kExited;
        if (down) continue;
        busy = true;
        const bool stopping = (life.state == State::kStopping || life.state == State::kCleaning) &&
                              life.after == AfterCleaning::kStayDown;
        if (stopping || !order_->MustStopFirst(i, standings_, all).empty()) continue;
        runner->Dispatch(
            {.kind = EventKind::kStopWanted, .text = Cat("for ", ActionName(shutdown_))});
    }
    if (busy || std::exchange(shutdown_told_, true)) return;
    LogInfo("all units are stopped");
    if (!device_.init.connected()) return device_.loop.Stop();
    if (Status told = device_.init.Shutdown(shutdown_, true); !told) LogError(told.error().text());
}

}  // namespace husk::supervisor
