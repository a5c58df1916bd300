#include "init/init.h"

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <string_view>

#include "base/text.h"
#include "init/crash.h"
#include "init/early_boot.h"
#include "init/handover.h"
#include "init/log.h"
#include "init/pid1.h"
#include "init/switch_root.h"
#include "init/way_back.h"

namespace husk {
namespace {

// All zero, so it stands in .bss and its pages come as they are used.
constinit init::Memory memory;

// What stands behind `option`, or nullptr.
const char* OptionOf(int argc, char** argv, std::string_view option) {
    for (int index = 1; index < argc; ++index)
        if (std::string_view(argv[index]).starts_with(option)) return argv[index] + option.size();
    return nullptr;
}

// -1 where there is none.
int NumberOf(int argc, char** argv, std::string_view option) {
    const char* text = OptionOf(argc, argv, option);
    const auto number = ParseUnsigned(text != nullptr ? text : "");
    return number && *number <= INT32_MAX ? static_cast<int>(*number) : -1;
}

// Everything waits in the signalfd; the signals of a crash go to their handlers.
int BlockSignals() {
    sigset_t all;
    ::sigfillset(&all);
    for (const int crash : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) ::sigdelset(&all, crash);
    (void)::sigprocmask(SIG_SETMASK, &all, nullptr);
    return ::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
}

// As an ordinary process, with a copy of the state that it would be given: exit status 0 where it
// could go on from there. What else could fail before it can go back is done as well.
int Rehearse(int state) {
    init::CatchCrashes();
    init::KeptProcess kept;
    if (init::ReadHandover(state, kept, memory)) return 0;
    init::Say(LogLevel::kError, "rehearsal: the state of PID 1 is of another version");
    return 1;
}

// In the place of another image of PID 1, or of a newer one that has failed.
[[noreturn]] void TakeOver(int argc, char** argv, int state) {
    const char* supervisor = OptionOf(argc, argv, init::kSupervisorOption);
    const int previous = NumberOf(argc, argv, init::kPreviousOption);
    init::CatchCrashes();
    const int signals = BlockSignals();
    if (previous >= 0)
        init::OpenWayBack({.binary = previous, .state = state, .supervisor = supervisor});
    const init::BootFacts facts = init::ReadBootFacts();
    init::KeptProcess kept;
    if (!init::ReadHandover(state, kept, memory)) {
        init::GoBack(UpgradeFailure::kInitRefused, EPROTO);
        init::Say(LogLevel::kError, "the state of PID 1 cannot be read");
        ::abort();  // CrashAction=
    }
    init::Pid1 pid1(memory, signals, facts, supervisor);
    pid1.Restore(kept);
    if (previous >= 0) {
        pid1.Prove();
    } else {
        (void)::close(state);
        pid1.Return(static_cast<UpgradeFailure>(NumberOf(argc, argv, init::kReturnedOption)),
                    NumberOf(argc, argv, init::kDetailOption));
    }
    pid1.Run();
}

}  // namespace

int InitMain(int argc, char** argv) {
    if (::getpid() != 1) {
        const int rehearsed = NumberOf(argc, argv, init::kRehearseOption);
        if (rehearsed >= 0) return Rehearse(rehearsed);
        init::Say(LogLevel::kError,
                  "init: only the kernel and PID namespaces start this, as PID 1");
        return 2;
    }
    // Nobody but PID 1 itself gives these.
    if (const int state = NumberOf(argc, argv, init::kHandoverOption);
        state >= 0 && ::fcntl(state, F_GET_SEALS) > 0)
        TakeOver(argc, argv, state);
    memory.began = MonotonicNow();
    init::CatchCrashes();
    const init::BootFacts facts = init::EarlyBoot();
    if (facts.in_initramfs && facts.options.root) init::SwitchRoot();
    const int signals = BlockSignals();
    if (signals < 0) init::Say(LogLevel::kError, "signalfd: ", init::Errno{errno});
    init::Pid1(memory, signals, facts, OptionOf(argc, argv, init::kSupervisorOption)).Run();
}

}  // namespace husk
