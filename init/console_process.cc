#include "init/console_process.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "init/child.h"
#include "init/early_boot.h"
#include "init/log.h"
#include "init/small_file.h"

namespace husk::init {
namespace {

using namespace std::chrono_literals;

constexpr char kShell[] = "/bin/sh";
constexpr char kHusk[] = "/proc/self/exe";
constexpr Duration kPause = 1s;
constexpr Duration kWaitForSupervisor = 5s;

struct StartArguments {
    const char* program;
    bool login_shell, rescue;
    int terminal;
};

int OpenTerminal(int kept) {
    // Opened anew: a terminal that the previous program left hung up stays so for old descriptors.
    // Without waiting for the carrier of a serial line; the program itself may wait.
    if (kept >= 0 && ::dup2(kept, STDIN_FILENO) == STDIN_FILENO) {
        const int terminal = ::open("/proc/self/fd/0", O_RDWR | O_NOCTTY | O_NONBLOCK);
        if (terminal >= 0) {
            (void)::fcntl(terminal, F_SETFL, 0);
            return terminal;
        }
        Say(LogLevel::kWarning, "the terminal of Console= is gone: ", Errno{errno},
            "; the kernel's own console it is");
    }
    return ::open("/dev/console", O_RDWR | O_NOCTTY);
}

void Execute(const void* argument) {
    const auto& arguments = *static_cast<const StartArguments*>(argument);
    // init's -1000 is for init and the supervisor alone.
    (void)WriteSmallFile("/proc/self/oom_score_adj", "0");
    RestoreDescriptorLimit();
    const int console = OpenTerminal(arguments.terminal);
    if (console >= 0) {
        for (int standard = 0; standard <= STDERR_FILENO; ++standard)
            (void)::dup2(console, standard);
        if (console > STDERR_FILENO) (void)::close(console);
    }
    // The session is new (StartChild), so that this makes it the owner of the terminal and Ctrl-C
    // works: tty_ioctl(4). 1 = take it from a session that still has it. A console that is no
    // terminal refuses, and the program runs without job control.
    (void)::ioctl(STDIN_FILENO, TIOCSCTTY, 1);
    (void)::chdir("/root");  // stays in / where there is none

    const char* argv[] = {arguments.rescue        ? "husk"
                          : arguments.login_shell ? "-sh"
                                                  : arguments.program,
                          arguments.rescue ? "rescue" : nullptr, nullptr};
    const ChildEnvironment environment(::access("/root", X_OK) == 0 ? "HOME=/root" : "HOME=/");
    (void)::execve(arguments.program, const_cast<char* const*>(argv), environment.get());
    Say(LogLevel::kError, "cannot execute '", arguments.program, "': ", Errno{errno});
}

}  // namespace

ConsoleProcess::ConsoleProcess(const KernelOptions& options, Instant now) {
    rescue_ = options.rescue;
    login_shell_ = !rescue_ && options.console[0] == '\0';
    std::memset(program_, 0, sizeof program_);
    const char* program = rescue_ ? kHusk : login_shell_ ? kShell : options.console;
    std::memcpy(program_, program, std::strlen(program));
    if (options.no_console && !rescue_) return;
    if (::access(program_, X_OK) == 0)
        next_start_ = now + kWaitForSupervisor;
    else if (!login_shell_)
        Say(LogLevel::kError, "no console: '", program_, "': ", Errno{errno});
}

void ConsoleProcess::Start(int terminal, Instant now) {
    const StartArguments arguments{program_, login_shell_, rescue_, terminal};
    const pid_t pid = StartChild(kConsoleCgroup, Execute, &arguments);
    if (pid < 0) {
        Say(LogLevel::kError, "cannot start '", program_, "' on the console: ", Errno{-pid});
        next_start_ = now + kPause;
        return;
    }
    pid_ = pid;
    next_start_ = {kInfinite};
    Say(LogLevel::kDebug, "'", program_, "' started on the console, pid ", pid_);
}

void ConsoleProcess::Ended(Instant now) {
    pid_ = 0;
    next_start_ = now + kPause;
}

void ConsoleProcess::Begin(Instant now) {
    if (pid_ == 0 && next_start_.since_boot != kInfinite) next_start_ = now;
}

void ConsoleProcess::Move() const {
    if (pid_ > 0) (void)::kill(pid_, SIGHUP);
}

}  // namespace husk::init
