#include "init/supervisor_process.h"

#include <cerrno>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/init_protocol.h"
#include "base/sys.h"
#include "init/child.h"
#include "init/early_boot.h"
#include "init/log.h"

namespace husk::init {
namespace {

using namespace std::chrono_literals;

constexpr Duration kEarly = 1s;
constexpr Duration kStep = 100ms;
constexpr Duration kLongest = 1s;
constexpr Duration kClosedGrace = 2s;

struct StartArguments {
    const char* program;
    int binary;  // -1: `program`
    int socket;
};

// The supervisor's binary as a container may come to hold it, as /proc/self/exe before its own
// program is executed (CVE-2019-5736): on a read-only mount of its own, where also the device's
// root, in a unit with UserNS=host, can neither write to it nor change its mode.
int OpenReadOnly(const char* program) {
    const int mount =
        sys::open_tree(AT_FDCWD, program, sys::kOpenTreeClone | sys::kOpenTreeCloexec);
    if (mount < 0) return -1;
    if (sys::mount_setattr(mount, "", sys::kAtEmptyPath, {.set = sys::kMountReadOnly}) == 0)
        return mount;
    const int error = errno;
    (void)::close(mount);
    errno = error;
    return -1;
}

// The memory file of an upgrade, which nobody can write to whatever mount it lies on. Its mode can
// be changed by the device's root in a unit with UserNS=host that got hold of it, where the kernel
// has no F_SEAL_EXEC yet (6.3).
int OpenSealed(const char* program) {
    const int file = ::open(program, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    const int seals = ::fcntl(file, F_GET_SEALS);
    if (seals >= 0 && (seals & F_SEAL_WRITE) != 0) {
        (void)::fchmod(file, 0755);
        return file;
    }
    (void)::close(file);
    return -1;
}

void Execute(const void* argument) {
    const auto& arguments = *static_cast<const StartArguments*>(argument);
    // Standard input is the console's, which belongs to the console program.
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) (void)::dup2(null, STDIN_FILENO);
    // All else is close-on-exec.
    (void)::fcntl(arguments.socket, F_SETFD, 0);

    LogLine option;
    option << kInitSocketOption << arguments.socket << std::string_view("\0", 1);
    const char* argv[] = {"husk", "supervise", option.text().data(), nullptr};
    const ChildEnvironment environment("HOME=/");
    const char* program = arguments.program != nullptr ? arguments.program : "/proc/self/exe";
    int file = arguments.binary >= 0 ? arguments.binary : OpenSealed(program);
    if (file < 0) file = OpenReadOnly(program);
    if (file >= 0) (void)::syscall(SYS_execveat, file, "", argv, environment.get(), AT_EMPTY_PATH);
    if (arguments.binary >= 0) return;
    // A device that runs nothing is worse off than one whose binary units with UserNS=host can
    // change.
    Say(LogLevel::kWarning, "cannot execute the supervisor from a read-only mount: ", Errno{errno});
    (void)::execve(program, const_cast<char* const*>(argv), environment.get());
    Say(LogLevel::kError, "cannot execute the supervisor '", program, "': ", Errno{errno});
}

}  // namespace

Instant RestartPause::AfterDeath(Instant started, Instant died) {
    if (died - started >= kEarly) {
        early_deaths_ = 0;
        return died;
    }
    const Duration pause = std::min(kLongest, early_deaths_ * kStep);
    if (pause < kLongest) ++early_deaths_;
    return std::max(died, started + pause);
}

void SupervisorProcess::Start(int binary, Instant now) {
    ++starts_;
    started_ = now;
    on_trial_ = binary >= 0;
    // A new pair for each: the old one may hold packets, and descriptors in them, of the one that
    // died.
    int pair[2] = {-1, -1};
    int error = 0;
    pid_t pid = -1;
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) error = errno;
    OwnedFd ours(pair[0]);
    const OwnedFd theirs(pair[1]);
    if (error == 0) {
        (void)::fcntl(ours.get(), F_SETFL, O_NONBLOCK);  // cannot fail on a socket
        const StartArguments arguments{program_, binary, theirs.get()};
        pid = StartChild(kSupervisorCgroup, Execute, &arguments);
        if (pid < 0) error = -pid;
    }
    if (error != 0) {
        next_start_ = pause_.AfterDeath(now, now);
        Say(LogLevel::kError, "cannot start the supervisor: ", Errno{error});
        return;
    }
    pid_ = pid;
    socket_ = std::move(ours);
    Say(LogLevel::kInfo, on_trial_ ? "new supervisor started, pid " : "supervisor started, pid ",
        pid_, ", start number ", starts_);
}

void SupervisorProcess::Died(int status, Instant now) {
    next_start_ = pause_.AfterDeath(started_, now);
    const int64_t pause = (next_start_ - now) / 1ms;
    Say(LogLevel::kWarning, "supervisor (pid ", pid_, ") ", WaitStatus{status},
        "; starting it again in ", pause, " ms");
    pid_ = 0;
    socket_.reset();
    end_at_ = {kInfinite};
}

void SupervisorProcess::SocketClosed(Instant now) {
    socket_.reset();
    end_at_ = now + kClosedGrace;
}

void SupervisorProcess::Kill() {
    if (running()) (void)::kill(pid_, SIGKILL);
}

KeptSupervisor SupervisorProcess::Keep() const {
    return {.pid = pid_,
            .socket = socket_.get(),
            .starts = starts_,
            .early_deaths = pause_.early_deaths(),
            .started = started_,
            .next_start = next_start_,
            .end_at = end_at_,
            .on_trial = on_trial_};
}

void SupervisorProcess::Restore(const KeptSupervisor& kept) {
    pid_ = kept.pid;
    socket_.reset(kept.socket);
    starts_ = kept.starts;
    pause_.Restore(kept.early_deaths);
    started_ = kept.started;
    next_start_ = kept.next_start;
    end_at_ = kept.end_at;
    on_trial_ = kept.on_trial != 0;
}

void SupervisorProcess::End() {
    Say(LogLevel::kError, "supervisor (pid ", pid_, ") lives on without its socket; killing it");
    (void)::kill(pid_, SIGKILL);
    end_at_ = {kInfinite};
}

}  // namespace husk::init
