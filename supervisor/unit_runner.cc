#include "supervisor/unit_runner.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/text.h"
#include "config/image_name.h"
#include "supervisor/disks.h"
#include "supervisor/process_stat.h"
#include "supervisor/tracer.h"
#include "supervisor/unit_folders.h"

namespace husk::supervisor {
namespace {

// An empty group, no delay and a turn that comes at once end these before anything else is done,
// and who finds them in no record finds the state before, from which the same follows.
bool IsPassing(const Life& life, Instant now) {
    return life.state == State::kCleaning || life.state == State::kWaiting ||
           (life.state == State::kBackoff && life.timer <= now);
}

constexpr Duration kCgroupRetry = std::chrono::milliseconds(10);
constexpr int kCgroupTries = 200;
constexpr Duration kKillRetry = std::chrono::seconds(1);
constexpr Duration kExecutionPoll = std::chrono::milliseconds(20);
// PID 1 reaps at once; an exit that it does not tell within this time is lost.
constexpr Duration kOrphanWait = std::chrono::seconds(2);
constexpr size_t kProcLimit = 1 << 20;

uint32_t Random() {
    // Only jitter hangs on it.
    return static_cast<uint32_t>(MonotonicNow().since_boot.count() * 2654435761u >> 16);
}

}  // namespace

UnitRunner::UnitRunner(Device& device, RunnerHost& host, config::Unit unit, container::IdRange ids)
    : device_(device),
      host_(host),
      unit_(std::move(unit)),
      policy_(device.policies.Share(std::make_shared<Policy>(PolicyOf(unit_, device.system)))),
      cgroup_(Cat(device.cgroup_parent, "/", unit_.name)),
      ids_(ids) {
    record_.unit = unit_.name;
    record_.cgroup = cgroup_.path();
    record_.id_range_base = ids.base;
}

UnitRunner::~UnitRunner() {
    StopWatchingMain();
    StopNotify();
    StopChecking();
    if (group_events_) device_.loop.Remove(group_events_.get());
    if (log_) {
        device_.loop.Remove(log_->pipe_fd());
        device_.logs.Remove(&*log_);
    }
    for (auto timer : {timer_, log_timer_, drop_timer_, retry_timer_, group_timer_})
        device_.loop.CancelTimer(timer);
    WatchSockets(false);
    if (triggers_ != nullptr)
        for (auto timer : {triggers_->timer, triggers_->retry}) device_.loop.CancelTimer(timer);
}

KeyDigests UnitRunner::Keys() const {
    return record_.keys.empty() ? DigestsOf(unit_) : record_.keys;
}

void UnitRunner::Reread(config::Unit unit) {
    unit_ = std::move(unit);
    UpdateActivation();
}

Status UnitRunner::Reload(config::Unit& unit) {
    Replace(std::exchange(unit, std::move(unit_)));
    TakePolicy();
    record_.keys = DigestsOf(unit_);
    FollowLogKeys();
    Save();
    if (!HasProcesses(record_.life.state)) return {};
    ReloadHealth();
    Status changed = ChangeLimits();
    WatchMemory();
    return changed;
}

void UnitRunner::Warn(std::string text) {
    LogWarning("unit ", Quote(unit_.name), ": ", text);
    notes_.push_back(std::move(text));
}

Result<UnitFacts> UnitRunner::FindLimits(const config::Unit& unit) const {
    UnitFacts facts{.id_range = ids_};
    auto io = FindIoLimits(unit);
    if (!io) return Fail(std::move(io).error());
    facts.io = std::move(*io);
    auto devices = FindDevices(unit);
    if (!devices) return Fail(std::move(devices).error());
    facts.devices = std::move(*devices);
    return facts;
}

Status UnitRunner::CheckLimits(const config::Unit& unit) const {
    auto facts = FindLimits(unit);
    if (!facts) return Fail(std::move(facts).error());
    auto rules = BuildDeviceRules(unit, facts->devices);
    if (!rules) return Fail(std::move(rules).error());
    return {};
}

Status UnitRunner::ChangeLimits() {
    auto facts = FindLimits(unit_);
    if (!facts) return Fail(std::move(facts).error());
    auto rules = BuildDeviceRules(unit_, facts->devices);
    if (!rules) return Fail(std::move(rules).error());
    HUSK_TRY(cgroup_.Change(BuildLimits(unit_, device_.system, device_.facts, *facts)));
    return LimitDevices(*rules);
}

Status UnitRunner::LimitDevices(const container::DeviceRules& rules) {
    auto program = device_.device_programs.Get(rules);
    if (!program) return Fail(std::move(program).error());
    return cgroup_.LimitDevices(*program);
}

void UnitRunner::Replace(config::Unit unit) {
    unit_ = std::move(unit);
    // The plan stays until the next launch: a child that is about to execute is explained by it.
    plan_is_old_ = true;
    policy_is_old_ = true;
    if (!HasProcesses(record_.life.state)) TakePolicy();
    UpdateActivation();
}

void UnitRunner::TakePolicy() {
    if (!std::exchange(policy_is_old_, false)) return;
    policy_ = device_.policies.Share(std::make_shared<Policy>(PolicyOf(unit_, device_.system)));
}

void UnitRunner::Note(const std::string& text) {
    record_.Remember({MonotonicNow(), RealtimeNow(), text});
    LogInfo("unit ", Quote(unit_.name), ": ", text);
    Save();
}

void UnitRunner::Forget() {
    (void)::unlink(Cat(device_.facts.run_directory, "/records/", unit_.name, ".json").c_str());
    for (int slot : {record_.log_text_slot, record_.log_marks_slot, record_.log_pipe_slot})
        device_.init.Drop(slot);
    DropAllStored();
    CloseReadyPipe();
    CloseNotify();
    CloseNetwork();
    DropMounts();
    WatchSockets(false);
    for (const auto& socket : record_.activation.sockets) device_.init.Drop(socket.slot);
    (void)cgroup_.Remove();  // an empty leaf that waited for the next start; may not be there
    (void)::unlink(Cat(device_.facts.run_directory, "/log-files/", unit_.name).c_str());
    host_.LogsChanged();
}

// Events that come up while one is being worked on wait for their turn, so that no action is cut in
// two by another.
void UnitRunner::Dispatch(Event event) {
    // A container to be is killed, and a program that has begun meanwhile is asked to end.
    std::optional<container::Standstill> still;
    const bool ends =
        event.kind == EventKind::kStopWanted || event.kind == EventKind::kRestartWanted;
    if (ends && !dispatching_ && pidfd_ && !record_.life.executed) {
        still.emplace(cgroup_);
        LookAtExecution();
    }
    events_.push_back(std::move(event));
    if (std::exchange(dispatching_, true)) return;
    while (!events_.empty()) {
        const Event next = std::move(events_.front());
        events_.erase(events_.begin());
        Life& life = record_.life;
        const State before = life.state;
        if (!HasProcesses(before)) TakePolicy();
        const std::string reason = life.reason;
        const Instant now = MonotonicNow();
        const auto actions = Advance(life, *policy_, next, now, Random());
        NoteStart(record_.first_start, life, now);
        if (life.reason != reason || life.state != before) Remember(reason);
        if (Lives(before) && !Lives(life.state)) DropMounts();
        // Whoever stopped it starts it anew by what its files say then.
        if (life.state == State::kInactive && !life.done) record_.keys.clear();
        bool launches = false;
        for (const auto& action : actions) launches |= action.kind == ActionKind::kLaunch;
        const bool changed = !actions.empty() || life.state != before || life.reason != reason;
        // Launch() saves for itself, once the pid is known and before the child goes on. What is
        // only passed through on the way there needs no record of its own.
        if (changed && (launches || IsPassing(life, now)))
            unsaved_ = true;
        else if (changed)
            Save();
        for (const auto& action : actions) Do(action);
        FollowState(before);
        FollowHealth();
        if (life.state == State::kFailed && before != State::kFailed &&
            life.last_exit.kind != ExitKind::kSignal && life.last_exit.kind != ExitKind::kOom)
            TellLastWords(life.reason);
        if (life.state != before) host_.StateChanged(*this, before);
    }
    dispatching_ = false;
    if (unsaved_) Save();
    events_ = std::vector<Event>();  // clear() would keep the room of one for each unit
    UpdateActivation();
}

void UnitRunner::Do(const Action& action) {
    switch (action.kind) {
        case ActionKind::kJoinOrder: host_.JoinOrder(*this); return;
        case ActionKind::kLaunch:
            if (Status launched = Launch(); !launched)
                Dispatch({.kind = EventKind::kLaunchFailed,
                          .text = launched.error().text(),
                          .exit = {.at_realtime = RealtimeNow()}});
            return;
        case ActionKind::kSignalMain: SignalMain(action.signal); return;
        case ActionKind::kSignalGroup: SignalGroup(action.signal); return;
        case ActionKind::kKillGroup: KillGroup(); return;
        case ActionKind::kArmTimer:
            if (action.at > MonotonicNow()) return ArmTimer(action.at);
            device_.loop.CancelTimer(std::exchange(timer_, 0));
            return Dispatch({.kind = EventKind::kTimer});
        case ActionKind::kCancelTimer: device_.loop.CancelTimer(std::exchange(timer_, 0)); return;
        case ActionKind::kRelease: Release(); return;
        case ActionKind::kRunCommand: RunCommand(action.command, action.index); return;
        case ActionKind::kKillCommand: KillCommand(); return;
    }
}

void UnitRunner::ArmTimer(Instant at) {
    device_.loop.CancelTimer(timer_);
    timer_ = device_.loop.StartTimer(at, [this] {
        timer_ = 0;
        Dispatch({.kind = EventKind::kTimer});
    });
}

void UnitRunner::ArmRetry(Duration delay, void (UnitRunner::*what)()) {
    device_.loop.CancelTimer(retry_timer_);
    retry_timer_ = device_.loop.StartTimer(MonotonicNow() + delay, [this, what] {
        retry_timer_ = 0;
        (this->*what)();
    });
}

void UnitRunner::Remember(const std::string& reason_before) {
    const Life& life = record_.life;
    if (life.reason == reason_before) return;
    // Passing states say no more than what they lead to.
    if (life.state == State::kWaiting || life.state == State::kReloading ||
        life.state == State::kStopCommand || life.state == State::kCleaning ||
        life.state == State::kStopPost ||
        (HasProcesses(life.state) && life.state < State::kRunning))
        return;
    record_.Remember({MonotonicNow(), RealtimeNow(), life.reason});
    LogInfo("unit ", Quote(unit_.name), ": ", life.reason);
}

Status UnitRunner::TrySave() {
    unsaved_ = false;
    return WriteFileAtomically(Cat(device_.facts.run_directory, "/records/", unit_.name, ".json"),
                               Serialize(record_));
}

// A record that cannot be written now leaves the last one, which is true of the past; said once.
void UnitRunner::Save() {
    Status saved = TrySave();
    if (!saved && !save_failed_)
        LogError("unit ", Quote(unit_.name), ": ", saved.error().text(),
                 "; a supervisor that is restarted now would not know its latest state");
    save_failed_ = !saved;
}

// --- main process ------------------------------------------------------------------------------

Status UnitRunner::WatchMain(OwnedFd pidfd) {
    pidfd_ = std::move(pidfd);
    return device_.loop.Add(pidfd_.get(), EPOLLIN, [this](uint32_t) { OnMainGone(); });
}

void UnitRunner::WatchStatus(OwnedFd status) {
    status_ = std::move(status);
    Status added = device_.loop.Add(status_.get(), EPOLLIN, [this](uint32_t) { OnStatus(); });
    if (!added) OnStatus();  // blocks for the moment that the child needs; better than not to know
}

void UnitRunner::OnStatus() {
    OwnedFd status = std::move(status_);
    if (!status) return;
    device_.loop.Remove(status.get());
    auto report = container::ReadReport(status.get());
    if (report && !*report) return OnExecuted();
    // It ends by itself, with the status that says at which stage, but where nobody knows how far
    // it came.
    if (!report && pidfd_) (void)sys::pidfd_send_signal(pidfd_.get(), SIGKILL);
    const Error error =
        report ? container::Explain(**report, *plan_, plan_->program) : report.error();
    Dispatch({.kind = EventKind::kStepFailed, .text = error.text()});
}

void UnitRunner::LookAtExecution() {
    if (!own_child_) return AwaitExecution();
    pollfd status = {.fd = status_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&status, 1, 0) > 0) OnStatus();
}

void UnitRunner::StopWatchingMain() {
    StopWatchingMemory();
    if (pidfd_) device_.loop.Remove(pidfd_.get());
    if (status_) device_.loop.Remove(status_.get());
    pidfd_.reset();
    status_.reset();
}

void UnitRunner::OnMainGone() {
    OnStatus();  // the report comes before the exit; both may be waiting
    if (!own_child_) {
        // PID 1 reaps it and tells; it may be a moment behind.
        device_.loop.Remove(pidfd_.get());
        host_.CollectOrphanExits();
        if (record_.life.main_pid != 0) ArmRetry(kOrphanWait, &UnitRunner::LoseMain);
        return;
    }
    const auto gone = LookAtChild(pidfd_.get());
    if (!gone) {
        if (!HasEnded(pidfd_.get())) return;
        // A tracer has it, and its pidfd would be readable for as long as that likes.
        device_.loop.Remove(pidfd_.get());
        device_.loop.CancelTimer(retry_timer_);
        retry_timer_ = device_.loop.StartTimer(MonotonicNow() + kTracerPause, [this] {
            retry_timer_ = 0;
            if (!pidfd_) return;
            EndTracer(record_.life.main_pid, cgroup_.path());
            if (!device_.loop.Add(pidfd_.get(), EPOLLIN, [this](uint32_t) { OnMainGone(); }))
                OnMainGone();
        });
        return;
    }
    FinishMain(gone->wait_status, MonotonicNow());
    (void)::waitpid(gone->pid, nullptr, WNOHANG);  // it is a zombie of ours: cannot fail
}

void UnitRunner::FinishMain(int wait_status, Instant at) {
    wait_status = TrueStatus(wait_status, own_child_);
    StopWatchingMain();
    device_.loop.CancelTimer(std::exchange(retry_timer_, 0));
    DrainLogFully();
    HearLastWords(false);
    const pid_t pid = record_.life.main_pid;
    if (log_) (void)log_->Mark(LogMarkKind::kExited, pid, wait_status);  // advisory
    uint64_t oom_kills = cgroup_.OomKills();
    oom_kills -= std::min(oom_kills, record_.oom_kills_before);
    const uint64_t limit = oom_kills > 0 ? cgroup_.Usage().memory_max.value_or(0) : 0;
    ExitInfo exit = ExitFromWaitStatus(wait_status, oom_kills, limit, at,
                                       RealtimeNow() - (MonotonicNow() - at).count());
    // What ends by a stop is no crash.
    if (WIFSIGNALED(wait_status) && record_.life.state != State::kStopping)
        TellLastWords(Describe(exit));
    Dispatch({.kind = EventKind::kMainExited, .exit = std::move(exit)});
}

bool UnitRunner::TakeOrphanExit(const OrphanExit& exit) {
    for (const auto& command : commands_)
        if (command->TakeOrphanExit(exit)) return true;
    if (own_child_ || record_.life.main_pid == 0 || exit.pid != record_.life.main_pid ||
        exit.at < record_.life.started_at)
        return false;
    // Its own supervisor went before it said "go": nothing of the unit ever ran.
    constexpr int kNotReleased =
        container::kChildFailedBase + static_cast<int>(container::Stage::kWaitForParent);
    if (record_.life.state == State::kStarting && WIFEXITED(exit.wait_status) &&
        WEXITSTATUS(exit.wait_status) == kNotReleased) {
        StopWatchingMain();
        record_.life.main_pid = 0;
        record_.life.state = State::kWaiting;
        host_.JoinOrder(*this);
        return true;
    }
    FinishMain(exit.wait_status, exit.at);
    return true;
}

// PID 1 remembers a thousand exits; one that it does not know of will not be told any more.
void UnitRunner::LoseMain() {
    host_.CollectOrphanExits();
    if (own_child_ || record_.life.main_pid == 0) return;
    StopWatchingMain();
    Dispatch(
        {.kind = EventKind::kMainExited,
         .exit = {.kind = ExitKind::kUnknown, .at = MonotonicNow(), .at_realtime = RealtimeNow()}});
}

// An adopted process whose status pipe went with its own supervisor: until execve its program is
// ours. Its end is noticed elsewhere.
void UnitRunner::AwaitExecution() {
    const Life& life = record_.life;
    if (life.main_pid == 0 || own_child_ || life.executed) return;
    const std::string program = Cat("/proc/", std::to_string(ProgramPid()), "/exe");
    struct stat theirs {
    }, ours{};
    if (::stat(program.c_str(), &theirs) != 0) {
        // Its first process has not started it yet.
        if (unit_.container.run_init) ArmRetry(kExecutionPoll, &UnitRunner::AwaitExecution);
        return;
    }
    if (::stat("/proc/self/exe", &ours) == 0 && theirs.st_dev == ours.st_dev &&
        theirs.st_ino == ours.st_ino)
        ArmRetry(kExecutionPoll, &UnitRunner::AwaitExecution);
    else
        OnExecuted();
}

// --- cgroup ------------------------------------------------------------------------------------

// The kernel keeps every signal that the first process of a PID namespace has no handler for from
// it (pid_namespaces(7)), so that most small programs would sit out the whole stop timeout.
// Anywhere else such a signal would end them, so it does here, too; unless others of the unit are
// still there to end in peace.
bool UnitRunner::IsDeafTo(int signal) const {
    constexpr int kHarmless[] = {SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH};
    if (!unit_.container.private_pids ||
        std::ranges::find(kHarmless, signal) != std::end(kHarmless))
        return false;
    const auto status =
        ReadFile(Cat("/proc/", std::to_string(record_.life.main_pid), "/status"), kProcLimit);
    size_t others = cgroup_.Processes().size();
    // Programs of `husk exec` go with the unit, and nobody waits for them.
    for (const auto& session : sessions_)
        others -= std::min(others, container::Cgroup(session->group()).Processes().size());
    return status && HasDefaultAction(*status, signal) && others == 1;
}

bool UnitRunner::KillDeaf(int signal) {
    if (!pidfd_ || !IsDeafTo(signal)) return false;
    // One that is only just starting may handle it in a moment, and be at work when it is killed.
    const container::Standstill still(cgroup_);
    if (!IsDeafTo(signal)) return false;
    (void)sys::pidfd_send_signal(pidfd_.get(), SIGKILL);
    return true;
}

void UnitRunner::SignalMain(int signal) {
    // Gone already is as good.
    if (!pidfd_ || KillDeaf(signal)) return;
    (void)sys::pidfd_send_signal(pidfd_.get(), signal);
    // A process that is stopped must wake up to end (systemd.kill(5)).
    (void)sys::pidfd_send_signal(pidfd_.get(), SIGCONT);
}

void UnitRunner::SignalGroup(int signal) {
    if (KillDeaf(signal)) return;
    if (pidfd_ && unit_.container.run_init) {
        SignalBelowInit(signal);
        return SignalBelowInit(SIGCONT);
    }
    for (int each : {signal, SIGCONT})
        if (Status sent = cgroup_.SignalAll(each); !sent)
            LogWarning("unit ", Quote(unit_.name), ": ", sent.error().text());
}

void UnitRunner::KillGroup() {
    // With a PID namespace the kernel has ended everything by the time the main process is gone.
    if (!cgroup_.IsPopulated()) return OnGroupEmpty();
    leaf_usable_ = false;
    // Watched first and looked at then, so that no change falls between.
    Status killed = cgroup_.Kill();
    if (killed) killed = WatchGroup();
    if (!killed) {
        LogError("unit ", Quote(unit_.name), ": ", killed.error().text());
        return RetryKill();
    }
    OnGroupChange();
}

Status UnitRunner::WatchGroup() {
    if (group_events_) return {};
    auto events = cgroup_.OpenEvents();
    if (!events) return Fail(std::move(events).error());
    HUSK_TRY(device_.loop.Add(events->get(), EPOLLPRI, [this](uint32_t) { OnGroupChange(); }));
    group_events_ = std::move(*events);
    return {};
}

// What could not be done for want of descriptors must not leave the unit waiting for ever.
void UnitRunner::RetryKill() {
    device_.loop.CancelTimer(group_timer_);
    group_timer_ = device_.loop.StartTimer(MonotonicNow() + kKillRetry, [this] {
        group_timer_ = 0;
        KillGroup();
    });
}

void UnitRunner::OnGroupChange() {
    // Reading the file is also what makes the next EPOLLPRI wait for a change.
    char ignored[256];
    if (group_events_) (void)!::pread(group_events_.get(), ignored, sizeof ignored, 0);
    if (cgroup_.IsPopulated()) return RetryKill();
    OnGroupEmpty();
}

void UnitRunner::OnGroupEmpty() {
    device_.loop.CancelTimer(std::exchange(group_timer_, 0));
    if (group_events_) device_.loop.Remove(group_events_.get());
    group_events_.reset();
    // The main process may be a zombie that we have not waited for yet: first its exit.
    if (record_.life.main_pid != 0 && pidfd_) OnMainGone();
    if (leaf_usable_)
        Dispatch({.kind = EventKind::kGroupEmpty});
    else
        RemoveCgroup(kCgroupTries);
}

bool UnitRunner::UsesImage(const std::string& path) const {
    auto has = [&](const auto& images) { return std::ranges::find(images, path) != images.end(); };
    return has(record_.images) || has(images_);
}

std::string UnitRunner::ImageOn(dev_t device) const {
    const std::vector<std::string> names = ImageNames();  // in the order in which they were mounted
    for (size_t i = 0; i < record_.images.size(); ++i) {
        struct stat root {};
        if (::stat(record_.images[i].c_str(), &root) == 0 && root.st_dev == device)
            return i < names.size() ? names[i] : record_.images[i];
    }
    return {};
}

std::vector<std::string> UnitRunner::ImageNames() const {
    std::vector<std::string> names;
    if (!unit_.container.image.empty()) names.push_back(unit_.container.image);
    for (const auto& mount : unit_.container.image_mounts) names.push_back(mount.source);
    return names;
}

bool UnitRunner::RunsImageFile(const std::string& file) const {
    return std::ranges::any_of(record_.images, [&](const std::string& mounted) {
        return rootfs::ImageStore::IsMountOf(mounted, file);
    });
}

bool UnitRunner::ImagesAreOld() const {
    const std::vector<std::string> names = ImageNames();
    if (names.size() != record_.images.size()) return false;  // its keys differ: they tell
    for (size_t i = 0; i < names.size(); ++i) {
        auto file = rootfs::FindImage(names[i], config::ImageFileNames(names[i]),
                                      ImageFolders(device_.facts));
        // One that is gone is no other one.
        if (file && !rootfs::ImageStore::IsMountOf(record_.images[i], *file)) return true;
    }
    return false;
}

void UnitRunner::SetImages(std::vector<std::string> images) {
    const auto before = std::exchange(record_.images, std::move(images));
    images_.clear();
    host_.ImagesUnused(before);
}

void UnitRunner::Release() {
    plan_.reset();
    SetImages({});
    CloseNetwork();
    notes_.clear();
    if (cgroup_.Exists()) RemoveCgroup(kCgroupTries);
}

void UnitRunner::RemoveCgroup(int tries) {
    Status removed = cgroup_.Remove();
    // The kernel lets go of a leaf some milliseconds after its last process.
    if (!removed && removed.error().code() == EBUSY && tries > 0) {
        device_.loop.CancelTimer(retry_timer_);
        retry_timer_ = device_.loop.StartTimer(MonotonicNow() + kCgroupRetry, [this, tries] {
            retry_timer_ = 0;
            RemoveCgroup(tries - 1);
        });
        return;
    }
    if (!removed) LogWarning("unit ", Quote(unit_.name), ": ", removed.error().text());
    leaf_usable_ = false;
    if (record_.life.state == State::kCleaning || record_.life.state == State::kStopping)
        Dispatch({.kind = EventKind::kGroupEmpty});
}

}  // namespace husk::supervisor
