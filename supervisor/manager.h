// All units: loads them, orders their starts and stops, answers the control socket, shuts down.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/load.h"
#include "rootfs/image_versions.h"
#include "supervisor/boot_state.h"
#include "supervisor/boot_times.h"
#include "supervisor/change_set.h"
#include "supervisor/conditions.h"
#include "supervisor/control_request.h"
#include "supervisor/control_server.h"
#include "supervisor/events.h"
#include "supervisor/hardware_watchdog.h"
#include "supervisor/image_trial.h"
#include "supervisor/jobs.h"
#include "supervisor/link_watch.h"
#include "supervisor/log_files.h"
#include "supervisor/status_json.h"
#include "supervisor/uevents.h"
#include "supervisor/unit_folder.h"
#include "supervisor/unit_runner.h"
#include "supervisor/upgrade.h"

namespace husk::supervisor {

ShutdownAction ShutdownOf(config::UnitAction action);

class Manager final : public RunnerHost, private JobHost {
  public:
    struct Options {
        std::vector<std::string> unit_folders;
        std::string active_folder;   // the one of them that `husk apply` replaces
        std::string runtime_folder;  // the one that goes with the boot: for `husk update`
        int starts = 1;              // how often PID 1 has started a supervisor
        Instant init_began{};        // when PID 1 did
        std::string last_end;        // how the last boot ended; empty: in order
    };

    Manager(Device& device, Options options);
    ~Manager();

    // Loads units, adopts what an earlier supervisor left, starts what is to run at boot.
    void Begin(ShutdownAction pending);
    // A notice of PID 1: exits to collect, or that it wants the device to go down.
    void OnInitNotice();
    // A block of an image that units may use does not match its hash.
    void OnDamage(const BlockDamage& damage);
    // A file system of the device has come or gone.
    void OnMounts();
    void BeginShutdown(ShutdownAction action, const std::string& why);
    void SetControl(ControlServer& control) { control_ = &control; }
    void SetWatchdog(HardwareWatchdog& watchdog);
    void SetUpgrader(Upgrader& upgrader);
    // The new supervisor of an upgrade: `socket` is its control socket.
    void ProveUpgrade(const std::string& socket, std::function<void()> give_up);
    void OnRequest(ControlServer::ConnectionId id, Access access, const std::string& line);

    // A row for each verb of the control socket (requests.cc); docs/control-protocol.md has them
    // all, and a unit test holds it to the table.
    enum class Units { kNone, kAny, kSome, kOne };  // none, all where none is named, at least one
    struct Verb {
        const char* name;
        Units units;
        bool reads;        // nothing is changed: members of the group husk may ask
        bool refused_too;  // also of units whose files have errors
        void (Manager::*answer)(ControlServer::ConnectionId id, const ControlRequest& request);
    };
    static std::span<const Verb> Verbs();

  private:
    // A client that waits for units to come to rest.
    struct Job {
        ControlServer::ConnectionId client = 0;
        std::string verb;
        std::vector<std::string> units;
        ChangeSet changes;  // of reload and apply
        std::string error;  // of image-switch: why it was rolled back
    };

    // An image that was switched to, until its units have proved it or it goes back.
    struct ImageSwitch {
        std::string image;
        ImageState state;                        // with a trial
        ControlServer::ConnectionId client = 0;  // 0: of an earlier supervisor
        std::vector<std::string> left_alone;     // units that have it from their next start on
        ImageTrial& trial() { return *state.trial; }
    };

    struct Entry {
        std::string name;
        std::unique_ptr<UnitRunner> runner;  // none where the unit is refused
        Boxed<RefusedUnit> refused;
        config::Problems warnings;
        bool gone = false;  // has no file any more: forgotten once it is down
    };
    using Index = Order::Index;  // into entries_

    // RunnerHost
    void JoinOrder(UnitRunner& runner) override;
    void StateChanged(UnitRunner& runner, State before) override;
    Result<OwnedFd> NetworkOf(const std::string& unit) override;
    std::vector<std::string> MonitorVariables(const UnitRunner& runner) override;
    void ImagesUnused(const std::vector<std::string>& images) override;
    void CollectOrphanExits() override;
    void LogsChanged() override;
    void HealthChanged() override;

    // JobHost (manager_jobs.cc)
    void Tell(Index unit, Event event) override;
    void KeepJob(Index unit, JobKind kind, const std::string& why) override;
    Event LookAtConditions(Index unit) override;
    OutsideWait LookOutside(Index unit) override;
    void TellLeftOut(Index unit, const std::string& text) override;
    std::string MarkOf(Index unit) override;
    void Mark(Index unit, const std::string& mark, bool save) override;
    std::string EndOf(Index unit) override;
    Untold UntoldOf(Index unit) override;
    void ActOnEnd(Index unit, Untold end) override;
    void Activate(UnitRunner& runner, const std::string& by) override;

    // Units.
    const Order& order() const { return unit_jobs_.order(); }
    void IndexEntries(const std::vector<Record>* records = nullptr);
    void NoteSharedFolders();
    void AdoptRecords();
    void StartEnabled();
    void LearnFacts();
    void TellMasked() const;
    void EndBoot();
    void ArmEnabled();
    void WatchClock();
    void WatchLinks();
    void OnLinksChanged();
    UnitRunner* Find(std::string_view name) const;
    Entry* FindEntry(std::string_view name);
    void ScheduleReview();
    void Review();
    void FollowOwner(Index owner, State before);
    static bool HasLeft(const UnitRunner& owner, const UnitRunner& guest);
    void StopInOrder();
    std::vector<CriticalUnit> FindCritical() const;
    BootState Overall() const;
    void LoadBootTimes();
    void SaveBootTimes();

    // Changes of unit files (change.cc).
    using OldEntries = std::map<std::string, Entry, std::less<>>;
    config::LoadedFolder LoadFolders(const std::string& in_place_of_active = {}) const;
    std::vector<std::string> Instances() const;
    void Instantiate(const std::vector<std::string>& names);
    std::vector<UnitNow> UnitsNow() const;
    void Install(config::LoadedFolder loaded, const ChangeSet& changes);
    void PlanNetworks(const config::LoadedFolder& loaded);
    void AddEntry(config::LoadedUnit unit, container::IdRange ids, const UnitChange* change,
                  OldEntries& old);
    void KeepOrForget(Entry entry);
    void CarryOut(const ChangeSet& changes, const std::string& by);
    ChangeSet ChangeUnits(const std::string& by, config::LoadedFolder loaded);
    void NoteChange(const std::string& by);
    void ForgetChange();
    void FinishChange();
    void FinishEarlier(bool reverted);
    void ForgetGone();
    bool RecoverFolder();
    void AwaitConfirmation();
    void RevertUnits();
    Result<config::Problems> ReplaceFolder(const UnitFolder& folder, const ControlRequest& request);
    Status SwitchFolder(const UnitFolder& folder, Duration confirm_time);

    // Images that are switched (manager_images.cc).
    rootfs::ImageVersions Images() const;
    ImageState LoadImageState(const std::string& image) const;
    Status SaveImageState(const std::string& image, const ImageState& state) const;
    void RecoverImages();
    void ResumeSwitch();
    std::vector<Index> UnitsOfImage(const std::string& image) const;
    Status BeginSwitch(ImageSwitch& change, bool tried);
    bool IsToRun(Index unit) const;
    std::vector<Index> UnitsToRestart(const ImageTrial& trial) const;
    TriedUnit LookAtTried(const std::string& name) const;
    void FollowSwitch();
    void KeepSwitch();
    void GoBack(const std::string& why);
    void NoteRollBack(const std::string& image, ImageState& state);
    void NoteOfUnits(const std::vector<std::string>& units, const std::string& text);

    // Requests (requests.cc, change_requests.cc, image_requests.cc).
    Status FindUnits(const Verb& verb, ControlRequest& request);
    Status ExpandPatterns(const Verb& verb, std::vector<std::string>& names) const;
    Status CheckUnits(const ControlRequest& request, bool refused_too);
    std::string WhyAbsent(const std::string& name) const;
    void Reply(ControlServer::ConnectionId id, std::string json);
    // One in the making: a unit that is gone when its turn comes is left out.
    struct UnitList {
        ControlServer::ConnectionId client;
        std::vector<std::string> names;
        Detail detail;
        Answer answer = {};
        size_t done = 0;  // of the names
    };
    std::unique_ptr<UnitList> BeginList(ControlServer::ConnectionId id,
                                        std::vector<std::string> names, Detail detail);
    bool GoOnWith(UnitList& list);
    void BeginNextList();
    void GoOnWithLists();
    void ReplyWithUnits(ControlServer::ConnectionId id, std::vector<std::string> names,
                        Detail detail);
    std::vector<UnitTraffic> Traffic() const;
    void AddUnit(Answer& answer, const Entry& entry, Detail detail);
    void AnswerStatus(ControlServer::ConnectionId id, const ControlRequest& request);
    std::vector<std::string> NamesOf(const ControlRequest& request);
    void AnswerBoot(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerTimers(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerNetworks(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerNamespaces(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerEvents(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerLogs(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerHealthcheck(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerKill(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerJob(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerRunning(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerPlan(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerApply(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerReload(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerExec(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerUnitReload(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerResetFailed(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerConfirm(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerUpdate(ControlServer::ConnectionId id, const ControlRequest& request);
    struct Update;
    Result<Update> PlanUpdate(const ControlRequest& request);
    Status CarryOutUpdate(Entry& entry, Update& update);
    void AwaitUnits(ControlServer::ConnectionId id, const std::string& verb, ChangeSet changes);
    void AnswerChanges(const Job& job, const std::string& failed);
    void AddConfirmation(Answer& answer) const;
    void AddDevice(Answer& answer) const;
    void AnswerImages(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerImageSwitch(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerImageRemove(ControlServer::ConnectionId id, const ControlRequest& request);
    struct SwitchPlan;
    Result<SwitchPlan> PlanSwitch(const ImageRequest& request) const;
    Duration TimeForSwitch(const std::vector<Index>& units, Duration settle) const;
    std::vector<std::string> RunningFrom(const std::string& file) const;
    Status CheckRemovable(const std::string& image, const std::string& version) const;
    void AddImageNews(Answer& answer);
    void AnswerShutdown(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerVersion(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerUpgrade(ControlServer::ConnectionId id, const ControlRequest& request);
    std::vector<RunningUnit> RunningUnits() const;
    std::string WhyNoUpgrade() const;
    void TellUpgrade();
    bool IsHeldUp(Index unit) const;
    bool FinishJob(const Job& job);

    Device& device_;
    Options options_;
    ControlServer* control_ = nullptr;
    HardwareWatchdog* watchdog_ = nullptr;
    Upgrader* upgrader_ = nullptr;
    std::vector<Entry> entries_;  // sorted by name
    Jobs unit_jobs_{*this};
    ConditionFacts condition_facts_;
    std::vector<config::MaskedUnit> masked_;
    std::vector<std::string> masked_for_boot_;  // husk.mask= of the kernel's command line
    std::vector<std::string> templates_;        // "NAME@", sorted
    std::map<std::string, container::IdRange> id_ranges_;  // of all entries
    std::vector<Job> jobs_;
    std::unique_ptr<UnitList> list_;  // in the making
    std::deque<std::pair<ControlServer::ConnectionId, ControlRequest>> list_requests_;
    EventLoop::TimerId list_turn_ = 0;
    std::vector<ControlServer::ConnectionId> settle_waiters_;
    EventClients event_clients_;
    LogFiles log_files_;
    EventLoop::TimerId log_files_timer_ = 0;
    ShutdownAction shutdown_ = ShutdownAction::kNone;
    bool booted_ = false;  // everything came to rest once
    BootTimes boot_times_;
    bool shutdown_told_ = false;
    EventLoop::TimerId review_ = 0;
    OwnedFd clock_;
    LinkWatch links_;
    EventLoop::TimerId online_limit_ = 0;
    std::optional<Pending> pending_;  // what was applied is to be confirmed
    EventLoop::TimerId confirm_timer_ = 0;
    std::optional<ImageSwitch> switch_;
    EventLoop::TimerId switch_timer_ = 0;
    std::map<std::string, ImageRollBack> rolled_back_;  // by image, until it is switched again
};

}  // namespace husk::supervisor
