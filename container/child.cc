#include "container/child.h"

#include <cerrno>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/sys.h"

namespace husk::container {
namespace {

using rootfs::TreeOp;
using rootfs::TreeStep;

constexpr int kLastCapability = 63;  // PR_CAPBSET_DROP answers EINVAL past the kernel's last one
constexpr unsigned kKeyctlJoinSession = 1;

// Zero or an errno. A failed call's errno is taken on the spot.
int Check(long result) { return result < 0 ? errno : 0; }

// Raw calls where libc would do more: its setuid family signals other threads, its getters cache.
int SetIds(uint32_t uid, uint32_t gid, const uint32_t* groups, size_t group_count) {
    if (::syscall(SYS_setgroups, group_count, groups) != 0) return errno;
    if (::syscall(SYS_setresgid, gid, gid, gid) != 0) return errno;
    return Check(::syscall(SYS_setresuid, uid, uid, uid));
}

int WaitForParent(int go) {
    char byte = 0;
    ssize_t got = 0;
    do got = ::read(go, &byte, 1);
    while (got < 0 && errno == EINTR);
    return got == 1 ? 0 : got < 0 ? errno : EPIPE;
}

// No path that the container's image or volumes could bend is followed through a magic link.
int OpenTarget(const char* path) {
    return sys::openat2(AT_FDCWD, path,
                        {.flags = O_PATH | O_CLOEXEC, .resolve = sys::kResolveNoMagicLinks});
}

int Attach(int mount, const char* target) {
    const int at = OpenTarget(target);
    if (at < 0) return errno;
    const int error = Check(sys::move_mount(
        mount, "", at, "", sys::kMoveMountFromEmptyPath | sys::kMoveMountToEmptyPath));
    (void)::close(at);
    return error;
}

int MakeFile(const TreeStep& step) {
    const int fd = ::open(step.target.c_str(),
                          O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, step.mode);
    if (fd < 0) return errno;
    const ssize_t put = ::write(fd, step.data.data(), step.data.size());
    const int error = put < 0 ? errno : put < static_cast<ssize_t>(step.data.size()) ? ENOSPC : 0;
    (void)::close(fd);
    return error;
}

int SetReadOnly(const char* target) {
    return Check(sys::mount_setattr(AT_FDCWD, target, 0, {.set = sys::kMountReadOnly}));
}

int Protect(const char* target) {
    if (::mount(target, target, nullptr, MS_BIND | MS_REC, nullptr) != 0)
        return errno == ENOENT ? 0 : errno;
    return SetReadOnly(target);
}

// A file is covered by /dev/null, a directory by an empty read-only tmpfs; bind mounts of one upon
// the other fail with ENOTDIR, which tells them apart without a further call.
int Mask(const char* target) {
    if (::mount("/dev/null", target, nullptr, MS_BIND, nullptr) == 0 || errno == ENOENT) return 0;
    if (errno != ENOTDIR) return errno;
    return Check(::mount("tmpfs", target, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                         "size=0k,mode=000"));
}

int Pivot(const char* target) {
    if (::chdir(target) != 0) return errno;
    // pivot_root(2), "pivot_root(".", ".")": the old root is stacked upon the new one, and needs no
    // directory in it.
    return Check(sys::pivot_root(".", "."));
}

int RunTreeStep(const TreeStep& step, const int* attachments) {
    const char* target = step.target.c_str();
    switch (step.op) {
        case TreeOp::kMount:
            return Check(::mount(step.source.c_str(), target, step.type.c_str(), step.flags,
                                 step.data.c_str()));
        case TreeOp::kAttach: return Attach(attachments[step.slot], target);
        case TreeOp::kMakeDirectory:
            // The umask is 0 here, so the mode is the plan's.
            return ::mkdir(target, step.mode) == 0 || errno == EEXIST ? 0 : errno;
        case TreeOp::kMakeFile: return MakeFile(step);
        case TreeOp::kSetOwner: return Check(::lchown(target, step.uid, step.gid));
        case TreeOp::kPivot: return Pivot(target);
        case TreeOp::kDetachOldRoot: return Check(::umount2(".", MNT_DETACH));
        case TreeOp::kReadOnly: return SetReadOnly(target);
        case TreeOp::kProtect: return Protect(target);
        case TreeOp::kMask: return Mask(target);
    }
    return ENOSYS;
}

int SetResourceLimits(const std::vector<ResourceLimit>& limits) {
    for (const auto& limit : limits) {
        // prlimit64 takes 64-bit values on every architecture; ~0 is infinity for it.
        const uint64_t values[2] = {limit.soft, limit.hard};
        if (::syscall(SYS_prlimit64, 0, limit.resource, values, nullptr) != 0) return errno;
    }
    return 0;
}

int DropBoundingSet(uint64_t keep) {
    for (int capability = 0; capability <= kLastCapability; ++capability) {
        if (keep >> capability & 1) continue;
        if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
            return errno == EINVAL && capability > 0 ? 0 : errno;
    }
    return 0;
}

// Permitted, effective and inheritable are the same set; it is ambient too, since a program that is
// not root would lose it at execve otherwise (capabilities(7)).
int SetCapabilities(uint64_t set) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const auto low = static_cast<uint32_t>(set), high = static_cast<uint32_t>(set >> 32);
    const __user_cap_data_struct data[2] = {{low, low, low}, {high, high, high}};
    if (::syscall(SYS_capset, &header, data) != 0) return errno;
    for (int capability = 0; capability <= kLastCapability; ++capability)
        if ((set >> capability & 1) &&
            ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0)
            return errno;
    return 0;
}

int InstallFilter(const FilterProgram& program) {
    sock_fprog header{static_cast<unsigned short>(program.size()),
                      const_cast<sock_filter*>(program.data())};
    return Check(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &header));
}

int SetStandardStreams(const ChildDescriptors& descriptors) {
    if (::dup2(descriptors.standard_in, 0) < 0) return errno;
    if (::dup2(descriptors.standard_out, 1) < 0) return errno;
    return Check(::dup2(descriptors.standard_error, 2));
}

// What the unit names is looked for in the root as any program would, but for the magic links of
// /proc: before execve they lead to what the supervisor holds, out of the root (CVE-2024-21626 is a
// working directory in /proc/self/fd, CVE-2019-5736 a program at /proc/self/exe).
int OpenInRoot(const char* path, uint64_t flags) {
    return sys::openat2(
        AT_FDCWD, path,
        {.flags = flags | O_PATH | O_CLOEXEC, .resolve = sys::kResolveNoMagicLinks});
}

int ChangeDirectory(const char* path) {
    const int at = OpenInRoot(path, O_DIRECTORY);
    if (at < 0) return errno;
    const int error = Check(::fchdir(at));
    (void)::close(at);
    return error;
}

// The supervisor ignores no signal and CLONE_CLEAR_SIGHAND reset its handlers, so that only the
// mask is left to reset.
int ResetSignals() {
    const uint64_t none = 0;
    return Check(::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none));
}

class Child {
  public:
    Child(const Plan& plan, const ChildDescriptors& descriptors)
        : plan_(plan), descriptors_(descriptors), status_(descriptors.status) {}

    [[noreturn]] void Run() {
        const ContainerSpec& spec = plan_.spec;
        Do(Stage::kWaitForParent, WaitForParent(descriptors_.go));
        if (spec.user_namespace) Do(Stage::kBecomeRoot, SetIds(0, 0, nullptr, 0));
        Do(Stage::kNewSession, Check(::setsid()));
        Do(Stage::kUnshareCgroup, Check(::unshare(static_cast<int>(sys::kCloneNewCgroup))));
        Do(Stage::kPrivateMounts,
           Check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr)));
        (void)::umask(0);  // cannot fail
        for (const TreeStep& step : plan_.root.steps) {
            Do(Stage::kTree, RunTreeStep(step, descriptors_.attachments));
            ++step_;
        }
        Do(Stage::kHostName, Check(::sethostname(spec.host_name.data(), spec.host_name.size())));
        if (spec.network == NetworkKind::kPrivate)
            Do(Stage::kLoopback, Check(sys::bring_loopback_up()));
        Do(Stage::kResourceLimits, SetResourceLimits(spec.resource_limits));
        Do(Stage::kKeyring, JoinKeyring());
        GiveUpRights(spec);
        (void)::umask(spec.umask);
        Do(Stage::kStandardStreams, SetStandardStreams(descriptors_));
        Do(Stage::kDescriptors, CloseDescriptors());
        Do(Stage::kSignals, ResetSignals());
        Do(Stage::kWorkingDirectory, ChangeDirectory(spec.working_dir.c_str()));
        CheckPrograms();
        // Last, so that the filter is only asked about what follows it.
        if (spec.no_new_privileges && spec.filter) Do(Stage::kFilter, InstallFilter(*spec.filter));
        Execute();
    }

  private:
    // A kernel without CONFIG_KEYS has no keyring to hide.
    static int JoinKeyring() {
        if (::syscall(SYS_keyctl, kKeyctlJoinSession, nullptr) >= 0 || errno == ENOSYS) return 0;
        return errno;
    }

    // Here and not by execve: no path that is followed from now on can lead to what the supervisor
    // has open. The status pipe is left, at 3.
    int CloseDescriptors() {
        constexpr int kStatus = 3;
        if (status_ != kStatus && ::dup3(status_, kStatus, O_CLOEXEC) < 0) return errno;
        status_ = kStatus;
        return Check(sys::close_range(kStatus + 1, ~0u, 0));
    }

    // What leads to husk's own binary is not executed: the container would hold it. A script's
    // interpreter may still be such a link, and the binary is on a read-only mount for that
    // (init/supervisor_process.cc).
    void CheckPrograms() {
        step_ = 0;
        for (const auto& program : plan_.programs) {
            const int at = OpenInRoot(program.c_str(), 0);
            if (at >= 0)
                (void)::close(at);
            else if (errno == ELOOP)
                Report(Stage::kExecute, ELOOP);
            ++step_;
        }
    }

    void GiveUpRights(const ContainerSpec& spec) {
        Do(Stage::kBoundingSet, DropBoundingSet(spec.capabilities));
        // Without no_new_privs only a process with CAP_SYS_ADMIN may install a filter (seccomp(2)).
        if (!spec.no_new_privileges && spec.filter) Do(Stage::kFilter, InstallFilter(*spec.filter));
        if (spec.no_new_privileges)
            Do(Stage::kNoNewPrivileges, Check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
        // Changing from uid 0 to another empties the permitted set, but for this bit.
        if (spec.user.uid != 0 && spec.capabilities != 0)
            Do(Stage::kIds, Check(::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)));
        Do(Stage::kIds,
           SetIds(spec.user.uid, spec.user.gid, spec.user.groups.data(), spec.user.groups.size()));
        Do(Stage::kCapabilities, SetCapabilities(spec.capabilities));
    }

    // Tries each candidate as execvp(3) does: one that is not there or not ours to run is passed
    // over, and the error that says most is kept.
    [[noreturn]] void Execute() {
        int error = ENOENT;
        uint32_t index = 0, failed = 0;
        for (const auto& program : plan_.programs) {
            (void)::execve(program.c_str(), const_cast<char* const*>(plan_.argv.data()),
                           const_cast<char* const*>(plan_.envp.data()));
            // ENOENT of a file that is there is about its interpreter.
            const bool there = errno != ENOENT || ::access(program.c_str(), F_OK) == 0;
            if (there) {
                error = errno == 0 ? ENOENT : errno;
                failed = index;
                if (error != EACCES) break;
            }
            errno = 0;
            ++index;
        }
        step_ = failed;
        ReportProgram(error);
    }

    [[noreturn]] void ReportProgram(int error) {
        const int fd = ::open(plan_.programs[step_].c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd >= 0) {
            const ssize_t got = ::read(fd, report_.head, sizeof report_.head);
            if (got > 0) report_.head_size = static_cast<uint32_t>(got);
        }
        Report(Stage::kExecute, error);
    }

    void Do(Stage stage, int error) {
        if (error != 0) [[unlikely]]
            Report(stage, error);
    }

    [[noreturn]] void Report(Stage stage, int error) {
        report_.stage = stage;
        report_.step = step_;
        report_.error = error;
        // Nobody may be there to read it any more; the exit code says the stage.
        (void)::signal(SIGPIPE, SIG_IGN);
        const iovec whole{&report_, sizeof report_};
        (void)!::writev(status_, &whole, 1);
        ::_exit(kChildFailedBase + static_cast<int>(stage));
    }

    const Plan& plan_;
    const ChildDescriptors& descriptors_;
    int status_;
    uint32_t step_ = 0;
    ChildReport report_;
};

}  // namespace

void RunChild(const Plan& plan, const ChildDescriptors& descriptors) {
    Child(plan, descriptors).Run();
}

}  // namespace husk::container
