// The program on the console: a shell, what husk.console= names, or with husk.rescue the rescue
// shell, started again when it ends. It runs on the terminal in kConsoleSlot (Console= of
// system.conf), or on the kernel's own console where that slot is empty.
#pragma once

#include <sys/types.h>

#include "base/time.h"
#include "init/handover.h"
#include "init/kernel_options.h"

namespace husk::init {

class ConsoleProcess {
  public:
    // No program, no console; a program that was asked for and is not there is logged. It starts
    // when the supervisor has said where, or does not come to say it.
    ConsoleProcess(const KernelOptions& options, Instant now);
    ConsoleProcess(const ConsoleProcess&) = delete;
    ConsoleProcess& operator=(const ConsoleProcess&) = delete;

    // 0 while it is not running.
    pid_t pid() const { return pid_; }
    // kInfinite while it runs and where there is none.
    Instant next_start() const { return next_start_; }

    // `terminal`: what is in kConsoleSlot, or below 0.
    void Start(int terminal, Instant now);
    void Ended(Instant now);
    // The supervisor has said where.
    void Begin(Instant now);
    // It is elsewhere now: what runs ends by SIGHUP, and is started there.
    void Move() const;

    KeptConsole Keep() const { return {pid_, next_start_}; }
    void Restore(const KeptConsole& kept) {
        pid_ = static_cast<pid_t>(kept.pid);
        next_start_ = kept.next_start;
    }

  private:
    char program_[sizeof KernelOptions::console];
    bool login_shell_ = false, rescue_ = false;
    pid_t pid_ = 0;
    Instant next_start_{kInfinite};
};

}  // namespace husk::init
