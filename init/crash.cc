#include "init/crash.h"

#include <cstdint>
#include <signal.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init/log.h"
#include "init/shutdown.h"
#include "init/way_back.h"

namespace husk::init {
namespace {

constexpr int kCrashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

// Vector registers of a large processor take over 10 KiB in a signal frame: sigaltstack(2).
alignas(16) char crash_stack[32768];

// sync(2) can wait for a broken disk for ever, so a child does it and gets five seconds.
void SyncForAWhile() {
    const long child = ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        ::sync();
        ::_exit(0);
    }
    constexpr timespec kTenth{0, 100'000'000};
    for (int tenths = 0; tenths < 50; ++tenths) {
        if (::waitpid(static_cast<pid_t>(child), nullptr, WNOHANG) != 0) return;
        (void)::nanosleep(&kTenth, nullptr);
    }
}

// Of the state that is not trusted any more, and so looked at with care.
ShutdownAction crash_action = ShutdownAction::kReboot;

// Only calls of signal-safety(7); nothing of PID 1's state is trusted any more.
void Crashed(int signal, siginfo_t* info, void*) {
    // Somebody typed `kill -SEGV 1`. An abort() of our own comes from us.
    if (info->si_code <= 0 && info->si_pid != ::getpid()) return;
    // A second failure in here is the kernel's, which panics.
    for (const int crash : kCrashes) (void)::signal(crash, SIG_DFL);
    // A child of PID 1: its crash is its own end, and comes again where this returns.
    if (::getpid() != 1) return;
    GoBack(UpgradeFailure::kInitCrashed, signal);
    Say(LogLevel::kError, "PID 1 crashed: signal ", signal, " at address ",
        reinterpret_cast<uintptr_t>(info->si_addr), "; ", FinalWords(crash_action));
    SyncForAWhile();
    (void)::reboot(FinalCommand(crash_action));
    ::_exit(128 + signal);
}

}  // namespace

void SetCrashAction(ShutdownAction action) {
    crash_action = action == ShutdownAction::kNone ? ShutdownAction::kReboot : action;
}

ShutdownAction CrashAction() { return crash_action; }

void CatchCrashes() {
    stack_t stack{};
    stack.ss_sp = crash_stack;
    stack.ss_size = sizeof crash_stack;
    (void)::sigaltstack(&stack, nullptr);
    struct sigaction action {};
    action.sa_sigaction = Crashed;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (const int crash : kCrashes) (void)::sigaction(crash, &action, nullptr);
}

}  // namespace husk::init
