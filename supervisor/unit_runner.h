// One unit on the device: carries out what lifecycle.h decides and feeds back what happens.
//
// Crash-only: every decision is in the unit's record before it is acted on, and every descriptor
// that the container's life hangs on is kept by PID 1, so that a new supervisor goes on by Adopt().
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "config/unit.h"
#include "container/cgroup.h"
#include "container/launch.h"
#include "rootfs/image.h"
#include "supervisor/filters.h"
#include "supervisor/init_link.h"
#include "supervisor/lifecycle.h"
#include "supervisor/log_store.h"
#include "supervisor/record.h"
#include "supervisor/spec_builder.h"

namespace husk::supervisor {

// What all units share.
struct Device {
    EventLoop& loop;
    InitLink& init;
    rootfs::ImageStore& images;
    const config::SystemConfig& system;
    DeviceFacts facts;
    std::string cgroup_parent;  // /sys/fs/cgroup/units
    Filters filters;            // most units share one
    container::DevicePrograms device_programs = {};
};

class UnitRunner;

// What a unit asks of the others; the manager answers.
class RunnerHost {
  public:
    virtual void JoinOrder(UnitRunner& runner) = 0;
    virtual void StateChanged(UnitRunner& runner, State before) = 0;
    // 0 where that unit does not run.
    virtual pid_t MainPidOf(const std::string& unit) = 0;
    // Images that a unit uses no longer: they go where no other does.
    virtual void ImagesUnused(const std::vector<std::string>& images) = 0;
    // Asks PID 1 for exits and gives each to its unit.
    virtual void CollectOrphanExits() = 0;

  protected:
    ~RunnerHost() = default;
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
    Status Reload(config::Unit unit);
    // Something to know of the unit until its next launch.
    void Warn(std::string text);
    // What in its limits and devices cannot be carried out on this device, as `unit` has them.
    Status CheckLimits(const config::Unit& unit) const;
    // From the next launch on; what runs is stopped by the old rules.
    void Replace(config::Unit unit);
    // A line of its history that is no change of its state.
    void Note(const std::string& text);
    // The image, as the unit names it, that it has on this device; empty: none.
    std::string ImageOn(dev_t device) const;
    bool UsesImage(const std::string& path) const;
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
    Status Prepare();
    Result<UnitFacts> GatherFacts(std::optional<rootfs::Tree>& tree);
    Result<std::string> MountImage(const std::string& image, const std::string& verity);
    void SetImages(std::vector<std::string> images);
    Status LookAtMounts(UnitFacts& facts);
    Status MakeNamedVolumes(const rootfs::UserIds& user);
    Status MakeOverlay(const rootfs::Tree* tree);
    Result<std::vector<OwnedFd>> OpenAttachments();
    Status OpenStreams(container::LaunchInput& input, std::vector<OwnedFd>& keep);

    // The log.
    Status OpenLog();
    void WatchLog();
    void DrainLog();
    void DrainLogFully();

    // The process.
    Status WatchMain(OwnedFd pidfd);
    void WatchStatus(OwnedFd status);
    void OnStatus();
    void OnMainGone();
    void FinishMain(int wait_status, Instant at);
    void AwaitExecution();
    void LoseMain();
    void AdoptMain(const std::vector<OrphanExit>& exits);
    void StopWatchingMain();

    // The cgroup.
    bool IsDeafTo(int signal) const;
    void SignalMain(int signal);
    void SignalGroup(int signal);
    void KillGroup();
    void OnGroupChange();
    void Release();
    void RemoveCgroup(int tries);

    // Memory (unit_memory.cc).
    void WatchMemory();
    void StopWatchingMemory();
    void OnMemoryEvent();
    void OnMemoryPressure(uint32_t events);

    Status ChangeLimits();
    Result<UnitFacts> FindLimits(const config::Unit& unit) const;
    Status LimitDevices(const container::DeviceRules& rules);
    void ArmTimer(Instant at);
    void ArmRetry(Duration delay, void (UnitRunner::*what)());

    Device& device_;
    RunnerHost& host_;
    config::Unit unit_;
    Policy policy_;
    Record record_;
    container::Cgroup cgroup_;
    container::IdRange ids_;
    std::vector<std::string> images_;  // those of a plan that is being made
    std::vector<std::string> notes_;   // of the last launch: owners that show as nobody, …

    std::unique_ptr<container::Plan> plan_;
    bool plan_is_old_ = false;    // made of an earlier unit: good for what runs, not for a launch
    bool policy_is_old_ = false;  // the same
    OwnedFd user_namespace_;
    std::optional<UnitLog> log_;
    OwnedFd pidfd_, status_, group_events_;
    OwnedFd memory_events_, pressure_;
    Instant pressure_at_{}, pressure_noted_{};  // when it was last there, and last told of
    // The leaf was made by us or holds what we adopted, and was never killed: kernels 6.12 to 6.14
    // and their stable series end whatever is born by CLONE_INTO_CGROUP in a leaf whose cgroup.kill
    // was ever written to ("cgroup: fix race between fork and cgroup.kill").
    bool leaf_usable_ = false;
    bool own_child_ = false;  // ours to wait for; otherwise PID 1's
    std::deque<Event> events_;
    bool dispatching_ = false;
    bool save_failed_ = false;
    EventLoop::TimerId timer_ = 0, log_timer_ = 0, retry_timer_ = 0;
};

}  // namespace husk::supervisor
