#include "supervisor/side_process.h"

#include <cerrno>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "base/sys.h"
#include "supervisor/unit_command.h"

namespace husk::supervisor {

SideProcess::~SideProcess() {
    if (!pidfd_) return;
    loop_.Remove(pidfd_.get());
    (void)sys::pidfd_send_signal(pidfd_.get(), SIGKILL);  // gone already is as good
    ReapLater(loop_, std::move(pidfd_));
}

Status SideProcess::Run(const std::function<int()>& run, std::function<void(int)> done) {
    return Begin(run, std::move(done), false);
}

Status SideProcess::Execute(const std::function<int()>& run, std::function<void(int)> done) {
    return Begin(run, std::move(done), true);
}

Status SideProcess::Begin(const std::function<int()>& run, std::function<void(int)> done,
                          bool executes) {
    if (pidfd_) return Fail(Error::FromErrno(EBUSY, "the last one runs still"));
    int pidfd = -1;
    const pid_t pid = sys::clone3({.flags = sys::kClonePidfd | sys::kCloneClearSighand,
                                   .pidfd = reinterpret_cast<uint64_t>(&pidfd),
                                   .exit_signal = SIGCHLD});
    if (pid == 0) {
        (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!executes) (void)::syscall(SYS_close_range, 3U, ~0U, 0U);
        ::_exit(run());
    }
    if (pid < 0) return FailErrno("make a process");
    pidfd_.reset(pidfd);
    began_ = MonotonicNow();
    done_ = std::move(done);
    return loop_.Add(pidfd_.get(), EPOLLIN, [this](uint32_t) { OnEnd(); });
}

void SideProcess::OnEnd() {
    loop_.Remove(pidfd_.get());
    siginfo_t info{};
    (void)::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED);
    pidfd_.reset();
    std::exchange(done_, {})(info.si_code == CLD_EXITED ? info.si_status : 255);
}

}  // namespace husk::supervisor
