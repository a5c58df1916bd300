// The supervisor as a process of PID 1: started, and started again for ever.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include "base/fd.h"
#include "base/time.h"
#include "init/handover.h"

namespace husk::init {

// How long after its start a process that died may start again, by how many in a row died early.
// The first death costs nothing; a supervisor that cannot live turns the device into one start a
// second. Counting from the last start and not from the death, so that what lived for a while does
// not wait.
class RestartPause {
  public:
    // The earliest next start of a process that started at `started` and died at `died`.
    Instant AfterDeath(Instant started, Instant died);
    uint32_t early_deaths() const { return early_deaths_; }
    void Restore(uint32_t early_deaths) { early_deaths_ = early_deaths; }

  private:
    uint32_t early_deaths_ = 0;
};

class SupervisorProcess {
  public:
    // `program` nullptr = this program itself.
    explicit SupervisorProcess(const char* program) : program_(program) {}

    bool running() const { return pid_ > 0; }
    pid_t pid() const { return pid_; }
    // PID 1's end of the socket, nonblocking; -1 while there is none.
    int socket() const { return socket_.get(); }
    // How often it was started.
    int32_t starts() const { return starts_; }
    // While it is not running.
    Instant next_start() const { return next_start_; }

    // A start that fails counts as an early death. `binary`: of an upgrade, or -1 for what is
    // always started.
    void Start(int binary, Instant now);
    // The one that runs, or that died last, was of the binary of an upgrade.
    bool on_trial() const { return on_trial_; }
    void PassTrial() { on_trial_ = false; }
    // PID 1 wanted its end.
    void StartAtOnce(Instant now) { next_start_ = now; }
    void Kill();
    // The caller has answered what was still in the socket.
    void Died(int status, Instant now);
    // It closed its end. Most of the time it is about to die; one that lives on without its socket
    // can do nothing, so it is killed at end_at() and a new one starts.
    void SocketClosed(Instant now);
    Instant end_at() const { return end_at_; }
    void End();

    // For the next image of PID 1.
    const char* program() const { return program_; }
    KeptSupervisor Keep() const;
    void Restore(const KeptSupervisor& kept);

  private:
    const char* program_;
    pid_t pid_ = 0;
    OwnedFd socket_;
    int32_t starts_ = 0;
    Instant started_;
    Instant next_start_;
    RestartPause pause_;
    Instant end_at_{kInfinite};
    bool on_trial_ = false;
};

}  // namespace husk::init
