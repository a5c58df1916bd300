// The hardware watchdog, from the supervisor's side: opens it, hands it to PID 1, and vouches for the
// device's health for as long as nothing speaks against it (device_health.h). PID 1 feeds
// (init/watchdog.h).
//
// Kernel: Documentation/watchdog/watchdog-api.rst. Keys: RuntimeWatchdogSec= and others of [Manager]
// in system.conf, and Critical= of units.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/time.h"
#include "config/unit.h"
#include "supervisor/crash_log.h"
#include "supervisor/device_health.h"
#include "supervisor/init_link.h"
#include "supervisor/side_process.h"

namespace husk::supervisor {

class HardwareWatchdog {
  public:
    HardwareWatchdog(EventLoop& loop, InitLink& init, const config::SystemConfig& system,
                     std::string state_directory, CrashLog& crash_log);
    ~HardwareWatchdog();
    HardwareWatchdog(const HardwareWatchdog&) = delete;
    HardwareWatchdog& operator=(const HardwareWatchdog&) = delete;

    // Takes over what PID 1 has, or opens the device. A board without one is fine. `first`: of this
    // boot, which vouches at once; a later supervisor has to live a while before it does, or one
    // that dies again and again would keep the device from being reset.
    Status Open(bool first);
    // The hardware says that it reset the device last time.
    bool has_reset() const { return has_reset_; }
    // Judges from here on. `units`: those with Critical=yes.
    void Begin(std::function<std::vector<CriticalUnit>()> units);
    // Nothing speaks against feeding any more: the end is on its way.
    void GoDown();

    // For clients.
    bool open() const { return open_; }
    const std::string& identity() const { return identity_; }
    Duration timeout() const { return timeout_; }
    const std::vector<Veto>& vetoes() const { return vetoes_; }

  private:
    Status Configure(int device);
    void SetTimeout(int device);
    void SetGovernor();
    Duration Pause() const;
    void ArmTick();
    void Tick();
    void Vouch(bool healthy);
    void Probe(Instant now);
    std::vector<Veto> Judge(Instant now);
    void Tell(std::vector<Veto> vetoes);
    void WriteReason();

    EventLoop& loop_;
    InitLink& init_;
    const config::SystemConfig& system_;
    const std::string state_directory_;
    CrashLog& crash_log_;
    std::function<std::vector<CriticalUnit>()> units_;
    CriticalUnits critical_;
    bool open_ = false, has_reset_ = false, going_down_ = false, failed_ = false;
    std::string identity_;
    Duration timeout_{};
    std::vector<Veto> vetoes_;
    SideProcess probe_, reason_;
    Instant next_probe_{};
    int storage_error_ = 0;
    bool probes_ = false, reason_is_old_ = false;
    EventLoop::TimerId timer_ = 0;
};

}  // namespace husk::supervisor
