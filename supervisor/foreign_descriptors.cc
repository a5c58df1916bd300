#include "supervisor/foreign_descriptors.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <utility>

#include "base/sys.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

// <linux/magic.h> of 6.1 does not have all.
constexpr long kFuse = 0x65735546, kCifs = static_cast<long>(0xff534d42),
               kSmb2 = static_cast<long>(0xfe534d42), kCeph = 0x00c36400;

void OnAlarm(int) {}

// A close that waits is woken by the alarm and gives up waiting; the descriptor is closed then as
// well.
[[noreturn]] void CloseAll(const std::vector<int>& descriptors) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);  // or it would hold open what the supervisor had
    struct sigaction alarm {};
    alarm.sa_handler = OnAlarm;
    const itimerval often{.it_interval = {.tv_usec = 20'000}, .it_value = {.tv_usec = 20'000}};
    (void)::sigaction(SIGALRM, &alarm, nullptr);
    (void)::setitimer(ITIMER_REAL, &often, nullptr);
    for (int fd : descriptors) (void)::close(fd);
    ::_exit(0);
}

}  // namespace

DescriptorKind KindOf(int fd, std::string& link) {
    DescriptorKind kind;
    struct stat file {};
    if (::fstat(fd, &file) == 0) kind.type = file.st_mode & S_IFMT;
    struct statfs system {};
    if (::fstatfs(fd, &system) == 0) kind.file_system = static_cast<long>(system.f_type);
    link.resize(256);
    const ssize_t size =
        ::readlink(Cat("/proc/self/fd/", std::to_string(fd)).c_str(), link.data(), link.size());
    link.resize(size > 0 ? static_cast<size_t>(size) : 0);
    kind.link = link;
    return kind;
}

std::string_view WhyNotKept(const DescriptorKind& kind) {
    // A terminal waits until it has sent all, a driver for whatever it likes.
    if (S_ISCHR(kind.type) || S_ISBLK(kind.type)) return "a device node";
    for (long remote : {kFuse, long{NFS_SUPER_MAGIC}, kCifs, kSmb2, long{SMB_SUPER_MAGIC}, kCeph,
                        long{V9FS_MAGIC}, long{AFS_SUPER_MAGIC}, long{CODA_SUPER_MAGIC}})
        if (kind.file_system == remote) return "a file of a file system that somebody else serves";
    // Its last close waits until what was asked of it is done.
    if (kind.link == "anon_inode:[io_uring]") return "an io_uring";
    return "";
}

bool CanHangUp(const DescriptorKind& kind) { return S_ISSOCK(kind.type) || S_ISFIFO(kind.type); }

bool IsSameFile(int a, int b) {
    const pid_t self = ::getpid();
    const long order = ::syscall(SYS_kcmp, self, self, KCMP_FILE, a, b);
    if (order >= 0) return order == 0;
    // A kernel without CONFIG_KCMP. A socket has an inode of its own, a pipe has two ends.
    struct stat of_a {
    }, of_b{};
    if (::fstat(a, &of_a) != 0 || ::fstat(b, &of_b) != 0) return false;
    return (S_ISSOCK(of_a.st_mode) || S_ISFIFO(of_a.st_mode)) && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino && ::fcntl(a, F_GETFL) == ::fcntl(b, F_GETFL);
}

ForeignCloser::~ForeignCloser() {
    if (!child_) return;
    loop_.Remove(child_.get());
    (void)sys::pidfd_send_signal(child_.get(), SIGKILL);  // gone already is as good
    siginfo_t info{};
    // One that does not end at once is a zombie until the supervisor ends.
    (void)::waitid(P_PIDFD, static_cast<id_t>(child_.get()), &info, WEXITED | WNOHANG);
}

void ForeignCloser::Close(OwnedFd descriptor) {
    std::vector<OwnedFd> one;
    one.push_back(std::move(descriptor));
    Close(std::move(one));
}

void ForeignCloser::Close(std::vector<OwnedFd> descriptors) {
    for (OwnedFd& descriptor : descriptors) {
        struct stat file {};
        if (descriptor && ::fstat(descriptor.get(), &file) == 0 && !S_ISFIFO(file.st_mode))
            waiting_.push_back(descriptor.release());
    }
    if (!waiting_.empty() && !child_) Begin();
}

void ForeignCloser::Begin() {
    const std::vector<int> now = std::exchange(waiting_, {});
    int pidfd = -1;
    const pid_t pid =
        sys::clone3({.flags = CLONE_FILES | sys::kClonePidfd | sys::kCloneClearSighand,
                     .pidfd = reinterpret_cast<uint64_t>(&pidfd),
                     .exit_signal = SIGCHLD});
    if (pid == 0) CloseAll(now);
    if (pid < 0) {  // no process to be had: better to wait than to keep them for ever
        for (int fd : now) (void)::close(fd);
        return;
    }
    child_.reset(pidfd);
    if (!loop_.Add(child_.get(), EPOLLIN, [this](uint32_t) { OnChildGone(); })) OnChildGone();
}

void ForeignCloser::OnChildGone() {
    loop_.Remove(child_.get());
    siginfo_t info{};
    (void)::waitid(P_PIDFD, static_cast<id_t>(child_.get()), &info, WEXITED);
    child_.reset();
    if (!waiting_.empty()) return Begin();
    idle_();
}

}  // namespace husk::supervisor
