// One unit on the device: carries out what lifecycle.h decides and feeds back what happens.
//
// Crash-only: every decision is in the unit's record before it is acted on, and every descriptor
// that the container's life hangs on is kept by PID 1, so that a new supervisor goes on by Adopt().
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/shared_values.h"
#include "config/unit.h"
#include "container/cgroup.h"
#include "container/launch.h"
#include "rootfs/image.h"
#include "supervisor/crash_log.h"
#include "supervisor/device_links.h"
#include "supervisor/device_mounts.h"
#include "supervisor/filters.h"
#include "supervisor/foreign_descriptors.h"
#include "supervisor/health_probe.h"
#include "supervisor/init_link.h"
#include "supervisor/lifecycle.h"
#include "supervisor/log_budget.h"
#include "supervisor/log_store.h"
#include "supervisor/networks.h"
#include "supervisor/notify_message.h"
#include "supervisor/notify_socket.h"
#include "supervisor/record.h"
#include "supervisor/spec_builder.h"
#include "supervisor/unit_command.h"
#include "supervisor/unit_secrets.h"

namespace husk::supervisor {

// What all units share.
struct Device {
    EventLoop& loop;
    InitLink& init;
    rootfs::ImageStore& images;
    const config::SystemConfig& system;
    DeviceFacts facts;
    std::string cgroup_parent;  // /sys/fs/cgroup/units
    CrashLog& crash_log;
    Filters filters;  // most units share one
    container::DevicePrograms device_programs = {};
    // What the plans of units that are alike have in common.
    SharedValues<rootfs::TreeSteps> tree_steps = {};
    SharedValues<container::DeviceRules> device_rules = {};
    SharedValues<Policy> policies = {};
    size_t stored_descriptors = 0;  // FDSTORE=1 of all units
    LogBudget logs = LogBudget();
    Networks networks = {};
    DeviceLinks links = {};
    const DeviceMounts* mounts = nullptr;  // none: on a developer's machine
};

class UnitRunner;

// What a unit asks of the others; the manager answers.
class RunnerHost {
  public:
    virtual void JoinOrder(UnitRunner& runner) = 0;
    virtual void StateChanged(UnitRunner& runner, State before) = 0;
    // The network namespace that it is in; nothing where it has none now.
    virtual Result<OwnedFd> NetworkOf(const std::string& unit) = 0;
    // MONITOR_…, where exactly one unit names this one in OnFailure= or OnSuccess=.
    virtual std::vector<std::string> MonitorVariables(const UnitRunner& runner) = 0;
    // Images that a unit uses no longer: they go where no other does.
    virtual void ImagesUnused(const std::vector<std::string>& images) = 0;
    // Asks PID 1 for exits and gives each to its unit.
    virtual void CollectOrphanExits() = 0;
    // A unit has a log now that it did not have, or wants another file for it.
    virtual void LogsChanged() {}
    // What its checks say of its health is another word now.
    virtual void HealthChanged() {}
    // Starts it: "by its timer (…)".
    virtual void Activate(UnitRunner& runner, const std::string& by) = 0;

  protected:
    ~RunnerHost() = default;
};

// What of a unit's [Timer] and [Socket] lives as long as the supervisor; the rest is in its record.
struct Triggers {
    std::optional<Elapse> next;
    EventLoop::TimerId timer = 0, retry = 0;
    std::vector<OwnedFd> sockets;  // as Activation::sockets
    bool watching = false;
    int tries = 0;               // to open them, in vain
    std::string socket_problem;  // why
    std::vector<std::string> timer_problems;
    TriggerLimit limit;
    Instant paused_until{};
};

class UnitRunner {
  public:
    UnitRunner(Device& device, RunnerHost& host, config::Unit unit, container::IdRange ids);
    ~UnitRunner();
    UnitRunner(const UnitRunner&) = delete;
    UnitRunner& operator=(const UnitRunner&) = delete;

    const config::Unit& unit() const { return unit_; }
    const Life& life() const { return record_.life; }
    const Record& record() const { return record_; }
    const container::Cgroup& cgroup() const { return cgroup_; }
    // What a person should know now.
    std::vector<std::string> Notes() const;
    UnitLog* log() { return log_ ? &*log_ : nullptr; }
    const UnitLog* log() const { return log_ ? &*log_ : nullptr; }

    void Dispatch(Event event);
    // Goes on from an earlier supervisor's record; `exits` are those that PID 1 remembers.
    void Adopt(Record record, const std::vector<OrphanExit>& exits);
    // True where the exit was this unit's.
    bool TakeOrphanExit(const OrphanExit& exit);
    // What it runs with, or was launched with last; where it never was, what it would be.
    KeyDigests Keys() const;
    // The three ways to take what its files say now. No key has changed, at most places:
    void Reread(config::Unit unit);
    // Only live keys have: they hold at once. An error is a limit that the kernel did not take.
    // `unit` is the former one then.
    Status Reload(config::Unit& unit);
    // Something to know of the unit until its next launch.
    void Warn(std::string text);
    // What in its limits and devices cannot be carried out on this device, as `unit` has them.
    Status CheckLimits(const config::Unit& unit) const;
    // From the next launch on; what runs is stopped by the old rules.
    void Replace(config::Unit unit);
    // A process beside the main one (unit_commands.cc), in the namespaces of the container
    // that runs, whose program has been executed. Streams that the order does not give are the
    // unit's own, without input.
    Status StartInside(UnitCommand& command, UnitCommand::Order order);
    // Makes one health check now, or joins the one that runs; `done` is called from the loop.
    Status CheckHealthNow(std::function<void(const CheckResult&)> done);
    // For UnitCommand: explains what fails.
    const std::unique_ptr<container::Plan>& plan() const { return plan_; }
    // The network namespace that is kept for it, or that of its process; nothing where it has none.
    Result<OwnedFd> FindNetwork() const;
    // For StartInside(): with the unit's own environment below that of `spec`, and its working
    // directory where `spec` has none.
    Result<container::Program> ProgramInside(container::ProgramSpec spec);
    // A program of `husk exec`: kept until it has ended. Bounded.
    Result<UnitCommand*> StartSession(UnitCommand::Order order);
    bool HasSessions() const { return !sessions_.empty(); }
    // Makes a pipe or terminal that was passed in the container's user's, so that the program can
    // open it anew, /dev/stdout say.
    Status GiveToUser(int fd, const rootfs::UserIds& user) const;
    Status CheckUser(const rootfs::UserIds& user) const;  // it has an entry in the id map
    // Whether StartInside() finds a container.
    bool CanEnter() const { return pidfd_ && record_.life.executed; }
    // A line of its history that is no change of its state.
    void Note(const std::string& text);
    // The image, as the unit names it, that it has on this device; empty: none.
    std::string ImageOn(dev_t device) const;
    bool UsesImage(const std::string& path) const;
    // As its keys name them: Image=, then those of Mount=.
    std::vector<std::string> ImageNames() const;
    // Whether it has this file mounted, as it is now.
    bool RunsImageFile(const std::string& file) const;
    // Whether one of them is another file now than the one that it has mounted.
    bool ImagesAreOld() const;
    // One signal to each process of it.
    Status SignalAll(int signal);
    // A job of it that waits for its turn, for the next supervisor; forgotten with the next event.
    void KeepJob(JobKind kind, const std::string& why);
    void ForgetJob();
    // Which end of another unit starts it.
    void SetTrigger(const std::string& mark, bool save);
    // Timer and sockets (unit_activation.cc).
    bool IsArmed() const;
    void Arm();
    void ArmEnabled();  // where it is enabled and no person stopped it
    void Disarm();
    void FollowClock();  // the wall clock was set
    void Quiesce();      // nothing starts it any more: the device goes down
    void AdoptActivation();
    // nullptr: it has neither.
    const Triggers* triggers() const { return triggers_.get(); }
    // Links of the device's may have come or gone.
    void FollowLinks();
    // The unit is gone for good: drops its record and what PID 1 keeps for it.
    void Forget();

  private:
    void TakePolicy();
    void Do(const Action& action);
    void Save();
    Status TrySave();
    void Remember(const std::string& reason);

    // Starting.
    Status Launch();
    Status MakeReady(container::LaunchInput& input, std::vector<OwnedFd>& keep);
    // `runs`: for what runs already, of which nothing is made and nothing may be different.
    Status Prepare(bool runs);
    Status FindPlan();
    Result<UnitFacts> GatherFacts(std::optional<rootfs::Tree>& tree);
    Result<std::string> MountImage(const std::string& image, const std::string& verity);
    void SetImages(std::vector<std::string> images);
    Status LookAtMounts(UnitFacts& facts);
    Status MakeNamedVolumes(const rootfs::UserIds& user);
    Status MakeOverlay(const rootfs::Tree* tree);
    void DropMounts();
    Result<std::vector<OwnedFd>> OpenAttachments();
    void NoteUnmapped(const container::Launching& launching);
    Status OpenStreams(container::LaunchInput& input, std::vector<OwnedFd>& keep);

    // Its network (unit_network.cc).
    Status OpenNetwork();
    Status SetNetworkParameters(int network_namespace) const;
    void CloseNetwork();
    void AdoptNetwork();
    Result<OwnedFd> OpenNetworkFiles() const;

    // The log.
    Status OpenLog();
    void TakeLog(UnitLog log);
    void FollowLogKeys();
    void TellLastWords(std::string_view reason);
    void AwaitDroppingEnd();
    void WatchLog();
    void AwaitLog(Instant until);
    void DrainLog();
    void DrainLogFully();

    // The process.
    Status WatchMain(OwnedFd pidfd);
    void WatchStatus(OwnedFd status);
    void OnStatus();
    void LookAtExecution();
    void OnMainGone();
    void FinishMain(int wait_status, Instant at);
    void AwaitExecution();
    void LoseMain();
    void AdoptMain(const std::vector<OrphanExit>& exits);
    // What PID 1 keeps of an earlier supervisor.
    Result<OwnedFd> FetchKept(int slot);
    void StopWatchingMain();

    // The cgroup.
    bool IsDeafTo(int signal) const;
    bool KillDeaf(int signal);
    // RunInit= (unit_init.cc). Of the program: the main process, or its child; 0: not there.
    pid_t ProgramPid();
    int TrueStatus(int wait_status, bool own) const;
    void SignalBelowInit(int signal);
    void SignalMain(int signal);
    void SignalGroup(int signal);
    void KillGroup();
    void OnGroupChange();
    void OnGroupEmpty();
    Status WatchGroup();
    void RetryKill();
    void Release();
    void RemoveCgroup(int tries);

    // Timer and sockets (unit_activation.cc).
    void UpdateActivation();
    Schedule NextStart(const Clocks& now) const;
    void UpdateTimer();
    void OnElapse();
    std::string StampPath() const;
    std::optional<int64_t> ReadStamp() const;
    void KeepStamp();
    std::vector<std::string> ListenerNames() const;
    bool SocketsAreOpen() const;
    void ForgetBrokenSockets();
    void UpdateSockets();
    void RetrySockets(Instant at);
    Status OpenSockets();
    Status OpenSocketOf(const config::Listener& listener, const std::string& name);
    void CloseSockets();
    void WatchSockets(bool wanted);
    void OnConnection(size_t index);

    // Memory (unit_memory.cc).
    void WatchMemory();
    void StopWatchingMemory();
    void OnMemoryEvent();
    void OnMemoryPressure(uint32_t events);

    // What it says of itself (unit_notify.cc).
    enum class NotifyNote : uint8_t { kSender, kRefused, kKind, kFull };  // said once a run
    std::string NotifyFolder() const;
    Status OpenNotify();
    void CloseNotify();
    void WatchNotify();
    void PauseNotify();
    void OnNotification();
    int HearNotifications(int most, bool last_run);
    void HearLastWords(bool last_run);
    std::string_view WhySenderRefused(const NotifyDatagram& datagram);
    void NoteOnce(NotifyNote what, const std::string& text);
    void TakeNotification(NotifyDatagram& datagram, bool last_run);
    void DispatchNotification(const NotifyMessage& message);
    bool CountsAsReady() const;
    bool AnswersReload(const NotifyMessage& message);
    void PassNotifySocket(container::LaunchInput& input, bool main) const;
    Status BeginNotify(container::LaunchInput& input, std::vector<OwnedFd>& keep);
    void WatchReadyPipe();
    void CloseReadyPipe();
    void OnReadyPipe();
    ForeignCloser& Closer();
    void StoreDescriptors(const NotifyMessage& message, std::vector<OwnedFd>& fds);
    void KeepStored(OwnedFd fd, bool poll);
    void RemoveStored(const std::string& name);
    void DropStored(size_t index);
    void DropAllStored();
    // What the program has from 3 on (sd_listen_fds(3)).
    void PassDescriptors(container::LaunchInput& input) const;
    void FollowState(State before);

    // Its health (unit_health.cc).
    void FollowHealth();
    void ReloadHealth();
    void AdoptHealth();
    void StopChecking();
    void ArmCheck();
    bool IsChecking() const {
        return checks_.probe != nullptr || checks_.command != nullptr || checks_.deadline != 0;
    }
    void BeginCheck();
    Status BeginCheckCommand(const std::vector<std::string>& words);
    void OnCheckOutput();
    void OnCheckCommandDone(const CommandEnd& end);
    void EndCheck(CheckResult result);
    void AdoptNotify();
    void StopNotify();

    Status ChangeLimits();
    Result<UnitFacts> FindLimits(const config::Unit& unit) const;
    Status LimitDevices(const container::DeviceRules& rules);
    void RunCommand(CommandKind kind, int index);
    void KillCommand();
    Status StartCommand(CommandKind kind, int index);
    void OnCommandDone(const UnitCommand* command, const CommandEnd& end);
    void OnExecuted();
    void AdoptCommand(const std::vector<OrphanExit>& exits);
    void LoseCommand();
    void ArmTimer(Instant at);
    void ArmRetry(Duration delay, void (UnitRunner::*what)());

    Device& device_;
    RunnerHost& host_;
    config::Unit unit_;
    std::shared_ptr<const Policy> policy_;
    Record record_;
    container::Cgroup cgroup_;
    container::IdRange ids_;
    List<std::string> images_;  // those of a plan that is being made
    List<std::string> notes_;   // of the last launch: owners that show as nobody, …

    std::unique_ptr<container::Plan> plan_;
    List<std::unique_ptr<UnitCommand>> sessions_;
    // The last one is that which the lifecycle waits for; before it, those that it gave up on.
    List<std::unique_ptr<UnitCommand>> commands_;
    const UnitCommand* command_ = nullptr;  // of commands_; none: nothing is waited for
    // One that waits until the container is built: the main process has not executed its program.
    std::optional<std::pair<CommandKind, int>> later_command_;
    SecretOwners secret_owners_;  // of the plan
    Text lost_links_;             // that its own stood upon
    OwnedFd network_;             // its namespace, where it is in networks of husk's
    Boxed<UnitLog> log_;
    uint64_t program_of_ = 0;  // RunInit=: main_start_time of the run whose program this is
    pid_t program_pid_ = 0;
    OwnedFd pidfd_, status_, group_events_;
    OwnedFd memory_events_, pressure_;
    Instant pressure_at_{}, pressure_noted_{};  // when it was last there, and last told of
    // The leaf was made by us or holds what we adopted, and was never killed: kernels 6.12 to 6.14
    // and their stable series end whatever is born by CLONE_INTO_CGROUP in a leaf whose cgroup.kill
    // was ever written to ("cgroup: fix race between fork and cgroup.kill").
    bool leaf_usable_ = false;
    bool limits_are_old_ = true;  // of the leaf: those of an earlier plan, or supervisor
    bool own_child_ = false;      // ours to wait for; otherwise PID 1's
    bool plan_is_old_ = false;    // made of an earlier unit: good for what runs, not for a launch
    bool policy_is_old_ = false;  // the same
    bool quiet_ = false, dispatching_ = false, save_failed_ = false, unsaved_ = false;
    struct Notify {
        OwnedFd socket, ready_pipe;
        bool watched = false;
        bool changed = false;          // the record is to be written
        bool reload_answered = false;  // RELOADING=1 came since the reload was asked for
        unsigned noted = 0;            // bits of NotifyNote
        EventLoop::TimerId pause = 0, ready_pause = 0;
        List<OwnedFd> stored;  // as record_.stored
        std::unique_ptr<ForeignCloser> closer;
    } notify_;
    struct Checks {
        EventLoop::TimerId timer = 0, deadline = 0;
        std::unique_ptr<HealthProbe> probe;
        std::unique_ptr<UnitCommand> command;
        OwnedFd output;
        std::string text;  // what it has written
        Text late;         // why it was killed
        size_t read = 0;
        List<std::function<void(const CheckResult&)>> waiters;
    } checks_;
    std::unique_ptr<Triggers> triggers_;
    std::vector<Event> events_;
    Instant log_heard_{};
    EventLoop::TimerId timer_ = 0, log_timer_ = 0, drop_timer_ = 0, retry_timer_ = 0,
                       group_timer_ = 0;
};

}  // namespace husk::supervisor
