// All units: loads them, orders their starts and stops, answers the control socket, shuts down.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/load.h"
#include "supervisor/boot_state.h"
#include "supervisor/change_set.h"
#include "supervisor/control_request.h"
#include "supervisor/control_server.h"
#include "supervisor/order.h"
#include "supervisor/status_json.h"
#include "supervisor/uevents.h"
#include "supervisor/unit_folder.h"
#include "supervisor/unit_runner.h"

namespace husk::supervisor {

class Manager final : public RunnerHost {
  public:
    struct Options {
        std::vector<std::string> unit_folders;
        std::string active_folder;   // the one of them that `husk apply` replaces
        std::string runtime_folder;  // the one that goes with the boot: for `husk update`
        int starts = 1;              // how often PID 1 has started a supervisor
    };

    Manager(Device& device, Options options);
    ~Manager();

    // Loads units, adopts what an earlier supervisor left, starts what is to run at boot.
    void Begin(ShutdownAction pending);
    // A notice of PID 1: exits to collect, or that it wants the device to go down.
    void OnInitNotice();
    // A block of an image that units may use does not match its hash.
    void OnDamage(const BlockDamage& damage);
    void BeginShutdown(ShutdownAction action, const std::string& why);
    void SetControl(ControlServer& control) { control_ = &control; }
    void OnRequest(ControlServer::ConnectionId id, const std::string& line);

  private:
    // A client that waits for units to come to rest.
    struct Job {
        ControlServer::ConnectionId client = 0;
        std::string verb;
        std::vector<std::string> units;
        ChangeSet changes;  // of reload and apply
    };

    struct Entry {
        std::string name;
        std::unique_ptr<UnitRunner> runner;  // none where the unit is refused
        RefusedUnit refused;
        config::Problems warnings;
        bool gone = false;  // has no file any more: forgotten once it is down
    };
    using Index = Order::Index;  // into entries_ and standings_

    // RunnerHost
    void JoinOrder(UnitRunner& runner) override;
    void StateChanged(UnitRunner& runner, State before) override;
    pid_t MainPidOf(const std::string& unit) override;
    void ImagesUnused(const std::vector<std::string>& images) override;
    void CollectOrphanExits() override;

    // Units.
    void IndexEntries();
    void NoteSharedFolders();
    void AdoptRecords();
    void StartEnabled();
    void Start(const std::vector<Index>& roots, const std::string& by);
    void Stop(const std::vector<Index>& roots, const std::string& by, bool restart);
    std::vector<bool> Marked(const std::vector<Index>& units) const;
    UnitRunner* Find(std::string_view name) const;
    Entry* FindEntry(std::string_view name);
    void ScheduleReview();
    void Review();
    void RestartNetworkGuests(Index owner);
    void StopInOrder();
    BootState Overall() const;

    // Changes of unit files (change.cc).
    using OldEntries = std::map<std::string, Entry, std::less<>>;
    config::LoadedFolder LoadFolders(const std::string& in_place_of_active = {}) const;
    std::vector<std::string> Instances() const;
    void Instantiate(const std::vector<std::string>& names);
    std::vector<UnitNow> UnitsNow() const;
    void Install(config::LoadedFolder loaded, const ChangeSet& changes);
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

    // Requests (requests.cc, change_requests.cc).
    Status CheckUnits(const ControlRequest& request, bool refused_too);
    std::string WhyAbsent(const std::string& name) const;
    void Reply(ControlServer::ConnectionId id, std::string json);
    void ReplyWithUnits(ControlServer::ConnectionId id, const std::vector<std::string>& names,
                        bool history);
    void AddUnit(Answer& answer, const Entry& entry, bool history);
    void AnswerStatus(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerNamespaces(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerLogs(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerKill(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerJob(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerRunning(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerPlan(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerApply(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerReload(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerConfirm(ControlServer::ConnectionId id);
    void AnswerUpdate(ControlServer::ConnectionId id, const ControlRequest& request);
    struct Update;
    Result<Update> PlanUpdate(const ControlRequest& request);
    Status CarryOutUpdate(Entry& entry, Update& update);
    void AwaitUnits(ControlServer::ConnectionId id, const std::string& verb, ChangeSet changes);
    void AnswerChanges(const Job& job, const std::string& failed);
    void AddConfirmation(Answer& answer) const;
    void AnswerShutdown(ControlServer::ConnectionId id, const ControlRequest& request);
    void AnswerVersion(ControlServer::ConnectionId id);
    bool FinishJob(const Job& job);

    Device& device_;
    Options options_;
    ControlServer* control_ = nullptr;
    std::vector<Entry> entries_;  // sorted by name
    std::vector<Standing> standings_;
    std::unique_ptr<Order> order_;
    std::vector<config::MaskedUnit> masked_;
    std::vector<std::string> templates_;                   // "NAME@", sorted
    std::map<std::string, container::IdRange> id_ranges_;  // of all entries
    std::set<Index> review_units_;                         // waiting ones whose turn may have come
    std::vector<Job> jobs_;
    std::vector<ControlServer::ConnectionId> settle_waiters_;
    ShutdownAction shutdown_ = ShutdownAction::kNone;
    bool booted_ = false;  // everything came to rest once
    bool shutdown_told_ = false;
    EventLoop::TimerId review_ = 0;
    std::optional<Pending> pending_;  // what was applied is to be confirmed
    EventLoop::TimerId confirm_timer_ = 0;
};

}  // namespace husk::supervisor
