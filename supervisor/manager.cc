#include "supervisor/manager.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/sort.h"
#include "base/text.h"
#include "container/id_map.h"
#include "supervisor/device_setup.h"
#include "supervisor/last_end.h"
#include "supervisor/take_over.h"

namespace husk::supervisor {
namespace {

const char* ActionName(ShutdownAction action) {
    switch (action) {
        case ShutdownAction::kNone: return "nothing";
        case ShutdownAction::kPoweroff: return "poweroff";
        case ShutdownAction::kReboot: return "reboot";
        case ShutdownAction::kHalt: return "halt";
        case ShutdownAction::kKexec: return "kexec";
    }
    return "nothing";
}

}  // namespace

ShutdownAction ShutdownOf(config::UnitAction action) {
    switch (action) {
        case config::UnitAction::kNone: return ShutdownAction::kNone;
        case config::UnitAction::kReboot: return ShutdownAction::kReboot;
        case config::UnitAction::kPoweroff: return ShutdownAction::kPoweroff;
        case config::UnitAction::kHalt: return ShutdownAction::kHalt;
    }
    return ShutdownAction::kNone;
}

Manager::Manager(Device& device, Options options)
    : device_(device),
      options_(std::move(options)),
      log_files_(device.loop, device.facts.run_directory, device.init.connected()),
      links_(device.loop, [this] { OnLinksChanged(); }) {}
Manager::~Manager() {
    device_.loop.CancelTimer(review_);
    device_.loop.CancelTimer(log_files_timer_);
    device_.loop.CancelTimer(confirm_timer_);
    device_.loop.CancelTimer(switch_timer_);
    device_.loop.CancelTimer(online_limit_);
    device_.loop.CancelTimer(list_turn_);
    if (clock_) device_.loop.Remove(clock_.get());
}

Manager::Entry* Manager::FindEntry(std::string_view name) {
    auto index = order().Find(name);
    return index ? &entries_[*index] : nullptr;
}

UnitRunner* Manager::Find(std::string_view name) const {
    auto index = order().Find(name);
    return index ? entries_[*index].runner.get() : nullptr;
}

void Manager::Begin(ShutdownAction pending) {
    // First of all: which units are active.
    LearnFacts();
    const bool reverted = RecoverFolder();
    RecoverImages();
    LoadBootTimes();
    config::LoadedFolder loaded = LoadFolders();
    const ChangeSet all_new = PlanChanges({}, loaded);
    Install(std::move(loaded), all_new);
    TellMasked();
    WatchLinks();
    AdoptRecords();
    if (Status whole = device_.networks.FinishTakeOver(device_.facts); !whole)
        LogError(whole.error().text());
    OnLinksChanged();
    // What a supervisor that died mounted, and no record knows of.
    if (auto mounted = device_.images.List()) ImagesUnused(*mounted);
    WatchClock();
    if (pending != ShutdownAction::kNone)
        BeginShutdown(pending, "continued by a new supervisor");
    else
        StartEnabled();
    if (pending == ShutdownAction::kNone) FinishEarlier(reverted);
    if (pending == ShutdownAction::kNone) ResumeSwitch();
    ScheduleReview();
}

// --- units -------------------------------------------------------------------------------------

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
    if (!files) {
        EndIfItPasses("records", files.error());
        return LogError(files.error().text());
    }
    std::vector<Record> records;
    bool strangers = false;
    for (const auto& file : *files) {
        if (!file.ends_with(".json")) continue;
        auto text = ReadFile(Cat(folder, "/", file), kMaxRecordSize);
        if (!text) EndIfItPasses("records", text.error());
        auto record = text ? ParseRecord(*text) : Result<Record>(Fail(std::move(text).error()));
        if (!record) {
            LogError("record ", Quote(file), ": ", record.error().text(),
                     "; what runs of the unit is ended, and it is started anew");
            const std::string name = file.substr(0, file.size() - 5);
            (void)container::Cgroup(Cat(device_.cgroup_parent, "/", name)).Kill();  // may not exist
            continue;
        }
        for (int slot : {record->log_text_slot, record->log_marks_slot, record->log_pipe_slot,
                         record->network_slot})
            device_.init.MarkUsed(slot);
        for (const auto& socket : record->activation.sockets) device_.init.MarkUsed(socket.slot);
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
    IndexEntries(&records);
    const std::vector<OrphanExit> exits = device_.init.TakeExits();
    for (auto& record : records)
        if (UnitRunner* runner = Find(record.unit)) {
            runner->Adopt(std::move(record), exits);
            runner->AdoptActivation();
        }
    IndexEntries();
    // Who was to follow one that had come up.
    for (Index i = 0; i < entries_.size(); ++i)
        if (entries_[i].runner) FollowOwner(i, State::kStarting);
    booted_ = !records.empty() && boot_times_.settled != Instant{};
    if (!records.empty())
        LogInfo("took over ", std::to_string(records.size()), " units from an earlier supervisor");
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
    if (unit_jobs_.Review(MonotonicNow())) ScheduleReview();
    ForgetGone();
    FollowSwitch();
    std::erase_if(jobs_, [this](const Job& job) { return FinishJob(job); });
    if (shutdown_ != ShutdownAction::kNone) return StopInOrder();
    if (booted_ && settle_waiters_.empty()) return;
    const BootState state = Overall();
    if (state == BootState::kStarting) return;
    if (!std::exchange(booted_, true)) EndBoot();
    for (auto id : std::exchange(settle_waiters_, {})) AnswerRunning(id, {});
}

void Manager::LoadBootTimes() {
    const std::string path = device_.facts.run_directory + "/boot";
    boot_times_ = ParseBootTimes(ReadFile(path, 256).value_or(""));
    if (boot_times_ != BootTimes{}) return;
    boot_times_ = {.init = options_.init_began, .supervisor = MonotonicNow()};
    if (Status written = WriteFileAtomically(path, WriteBootTimes(boot_times_)); !written)
        LogWarning(written.error().text());
}

void Manager::SaveBootTimes() {
    boot_times_.settled = MonotonicNow();
    if (Status written =
            WriteFileAtomically(device_.facts.run_directory + "/boot", WriteBootTimes(boot_times_));
        !written)
        LogWarning(written.error().text());
}

BootState Manager::Overall() const {
    std::vector<BootUnit> units(entries_.size());
    for (Index i = 0; i < entries_.size(); ++i) {
        units[i].standing = unit_jobs_.standings()[i];
        // What a timer or a connection has started is no part of the boot.
        if (const auto& runner = entries_[i].runner; runner && runner->IsArmed())
            units[i].standing.wanted = false;
        if (const auto& runner = entries_[i].runner)
            units[i].has_failed = runner->life().failures_in_row > 0 || runner->life().restarts > 0;
    }
    return OverallState(order(), units, booted_, shutdown_ != ShutdownAction::kNone);
}

Result<OwnedFd> Manager::NetworkOf(const std::string& unit) {
    const UnitRunner* runner = Find(unit);
    if (runner == nullptr) return OwnedFd();
    return runner->FindNetwork();
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
    // Of the device's own root, whoever read it has got an error in place of the block.
    if (struct stat root{}; ::stat("/", &root) == 0 && root.st_dev == damage.device)
        LogError("the root is damaged: ", Describe(damage), "; write its image again");
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

// Once for all units that are started together.
void Manager::LogsChanged() {
    constexpr Duration kTogether = std::chrono::milliseconds(50);
    if (log_files_timer_ != 0) return;
    log_files_timer_ = device_.loop.StartTimer(MonotonicNow() + kTogether, [this] {
        log_files_timer_ = 0;
        std::vector<std::string> specs;
        for (const auto& entry : entries_) {
            if (!entry.runner || entry.runner->log() == nullptr) continue;
            std::string spec = LogFileSpec(entry.runner->unit());
            if (!spec.empty()) specs.push_back(std::move(spec));
        }
        log_files_.Want(std::move(specs));
    });
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

void Manager::SetWatchdog(HardwareWatchdog& watchdog) {
    watchdog_ = &watchdog;
    watchdog.Begin([this] { return FindCritical(); });
}

std::vector<CriticalUnit> Manager::FindCritical() const {
    std::vector<CriticalUnit> units;
    for (const auto& entry : entries_) {
        if (!entry.runner || !entry.runner->unit().unit.critical) continue;
        units.push_back({.name = entry.name,
                         .down = WhyDown(entry.runner->life(), entry.runner->record().health.state),
                         .allowance = entry.runner->unit().unit.critical_allowance});
    }
    return units;
}

// --- shutdown ----------------------------------------------------------------------------------

void Manager::BeginShutdown(ShutdownAction action, const std::string& why) {
    if (shutdown_ != ShutdownAction::kNone) return;
    for (auto& entry : entries_)
        if (entry.runner) entry.runner->Quiesce();
    if (switch_)
        Reply(switch_->client,
              Answer::Failure("stopping", "the system goes down: the next boot rolls it back"));
    LogInfo("going down for ", ActionName(action), " (", why, ")");
    shutdown_ = action;
    if (watchdog_ != nullptr) watchdog_->GoDown();
    if (device_.init.connected())
        if (Status noted = device_.init.Shutdown(action, false); !noted)
            LogError(noted.error().text());
    ScheduleReview();
}

// Called again with every change: what would still come up is told to stop, too.
void Manager::StopInOrder() {
    bool busy = false, astray = false;
    for (const Standing& standing : unit_jobs_.standings()) {
        if (IsIdle(standing)) continue;
        busy = true;
        const bool told = standing.job == JobKind::kStop ||
                          (IsEnding(standing.state) && standing.after == AfterCleaning::kStayDown);
        astray |= !told;
    }
    if (astray) unit_jobs_.StopAll(Cat("for ", ActionName(shutdown_)));
    if (busy || log_files_.Finish([this] { ScheduleReview(); }) ||
        std::exchange(shutdown_told_, true))
        return;
    LogInfo("all units are stopped");
    if (!device_.init.connected()) return device_.loop.Stop();
    for (const Error& error : KeepForNextBoot(device_.facts.state_directory))
        LogError(error.text());
    if (Status noted = NoteOrderlyEnd(device_.facts.state_directory); !noted)
        LogError(noted.error().text());
    if (Status told = device_.init.Shutdown(shutdown_, true); !told) LogError(told.error().text());
}

}  // namespace husk::supervisor
