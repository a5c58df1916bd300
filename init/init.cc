#include "init/init.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <string_view>

#include "init/crash.h"
#include "init/early_boot.h"
#include "init/log.h"
#include "init/pid1.h"

namespace husk {
namespace {

constexpr std::string_view kSupervisorOption = "--supervisor=";

// All zero, so it stands in .bss and its pages come as they are used.
constinit init::Memory memory;

const char* SupervisorOption(int argc, char** argv) {
    for (int index = 1; index < argc; ++index)
        if (std::string_view(argv[index]).starts_with(kSupervisorOption))
            return argv[index] + kSupervisorOption.size();
    return nullptr;
}

// Everything waits in the signalfd; the signals of a crash go to their handlers.
int BlockSignals() {
    sigset_t all;
    ::sigfillset(&all);
    for (const int crash : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) ::sigdelset(&all, crash);
    (void)::sigprocmask(SIG_SETMASK, &all, nullptr);
    return ::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
}

}  // namespace

int InitMain(int argc, char** argv) {
    if (::getpid() != 1) {
        init::Say(LogLevel::kError,
                  "init: only the kernel and PID namespaces start this, as PID 1");
        return 2;
    }
    memory.began = MonotonicNow();
    init::CatchCrashes();
    const init::BootFacts facts = init::EarlyBoot();
    const int signals = BlockSignals();
    if (signals < 0) init::Say(LogLevel::kError, "signalfd: ", init::Errno{errno});
    init::Pid1(memory, signals, facts, SupervisorOption(argc, argv)).Run();
}

}  // namespace husk
