#include "container/child.h"

#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/sys.h"

namespace husk::container {
namespace {

using rootfs::KernelTree;
using rootfs::TreeOp;
using rootfs::TreeStep;

constexpr int kLastCapability = 63;  // PR_CAPBSET_DROP answers EINVAL past the kernel's last one
constexpr unsigned kKeyctlJoinSession = 1;
constexpr unsigned long kPersonalityLinux = 0;               // PER_LINUX, with no flag
constexpr int kLandlockPathRule = 1, kLandlockPortRule = 2;  // LANDLOCK_RULE_*
constexpr uint64_t kLandlockBindTcp = 1;

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

// Builds the root: one step of the plan after the other. Paths are opened once, and what is done is
// done to the descriptor, so that nobody who can write to the tree, a volume of it or another
// container's share of it can bend a path between the look and the act.
//
// Until the pivot a path is the device's own. From then on it is the container's: resolved below
// the new root, without links, since the plan has resolved those of the tree already. Only the
// kernel's own links in /sys are followed.
//
// Descriptors are left to close_range and execve, but for those that are open for writing.
class TreeBuilder {
  public:
    TreeBuilder(const int* attachments, const std::vector<std::string>& contents)
        : attachments_(attachments), contents_(contents) {}

    int Run(const TreeStep& step) {
        const bool makes = step.op == TreeOp::kMakeDirectory || step.op == TreeOp::kMakeFile ||
                           step.op == TreeOp::kSetOwner;
        if (!makes) parent_of_ = nullptr;  // what is mounted on it now lies in the way
        switch (step.op) {
            case TreeOp::kMount: return Mount(step);
            case TreeOp::kAttach: return Attach(attachments_[step.slot], step);
            case TreeOp::kMakeDirectory: return MakeDirectory(step);
            case TreeOp::kMakeFile:
                return MakeFile(step, step.slot < 0 ? step.data : contents_[step.slot]);
            case TreeOp::kSetOwner: return SetOwner(step);
            case TreeOp::kPivot: return Pivot(step);
            // The old root is stacked upon the working directory, see Pivot().
            case TreeOp::kDetachOldRoot: return Check(::umount2(".", MNT_DETACH));
            case TreeOp::kReadOnly: return SetReadOnly(step);
            case TreeOp::kProtect: return Protect(step);
            case TreeOp::kMask: return Mask(step);
            case TreeOp::kWriteFile: return WriteFile(step);
        }
        return ENOSYS;
    }

    // The file system that refused the last step, to ask for its own words (fsopen(2)), or -1.
    int refused() const { return refused_; }

  private:
    int Open(const TreeStep& step, const char* path, uint64_t flags) {
        uint64_t resolve = sys::kResolveNoMagicLinks;
        if (root_ >= 0) resolve |= sys::kResolveInRoot;
        if (root_ >= 0 && step.kernel_tree != KernelTree::kSys) resolve |= sys::kResolveNoSymlinks;
        return sys::openat2(root_ >= 0 ? root_ : AT_FDCWD, path,
                            {.flags = flags | O_CLOEXEC, .resolve = resolve});
    }
    int OpenTarget(const TreeStep& step) { return Open(step, step.target.c_str(), O_PATH); }

    // The folder of the step's target, and the last name of it in `name`.
    int OpenParent(const TreeStep& step, const char*& name) {
        const char* path = step.target.c_str();
        size_t slash = step.target.size();
        while (slash > 0 && path[slash] != '/') --slash;
        name = path + slash + 1;
        if (slash == 0) return root_;  // before the pivot nothing is made in the device's root
        if (parent_of_ != nullptr && slash == parent_size_ &&
            __builtin_memcmp(parent_of_, path, slash) == 0)
            return parent_;
        char folder[PATH_MAX];
        if (slash >= sizeof folder) {
            errno = ENAMETOOLONG;
            return -1;
        }
        __builtin_memcpy(folder, path, slash);
        folder[slash] = '\0';
        parent_ = Open(step, folder, O_PATH | O_DIRECTORY);
        parent_of_ = parent_ < 0 ? nullptr : path;
        parent_size_ = slash;
        return parent_;
    }

    // What a step works upon in /proc or /sys has to lie on the very file system that was mounted
    // there, and on nothing that was put upon it (CVE-2019-16884, CVE-2025-52881).
    int Verify(const TreeStep& step, int target, struct stat& found) {
        if (::fstat(target, &found) != 0) return errno;
        const bool is_it = step.kernel_tree == KernelTree::kNone ||
                           found.st_dev == kernel_trees_[static_cast<int>(step.kernel_tree)];
        return is_it ? 0 : EXDEV;
    }

    int MoveTo(int mount, int target) {
        return Check(sys::move_mount(mount, "", target, "",
                                     sys::kMoveMountFromEmptyPath | sys::kMoveMountToEmptyPath));
    }

    int Attach(int mount, const TreeStep& step) {
        const int target = OpenTarget(step);
        if (target < 0) return errno;
        if (step.kernel_tree != KernelTree::kNone) {
            struct stat top;
            if (::fstat(mount, &top) != 0) return errno;
            kernel_trees_[static_cast<int>(step.kernel_tree)] = top.st_dev;
        }
        return MoveTo(mount, target);
    }

    int Configure(int context, const TreeStep& step) {
        for (const auto& option : step.options) {
            const bool flag = option.value.empty();
            if (sys::fsconfig(context, flag ? sys::kFsconfigSetFlag : sys::kFsconfigSetString,
                              option.key.c_str(), flag ? nullptr : option.value.c_str(), 0) != 0)
                return errno;
        }
        return Check(sys::fsconfig(context, sys::kFsconfigCreate, nullptr, nullptr, 0));
    }

    int Mount(const TreeStep& step) {
        const int context = sys::fsopen(step.type.c_str(), sys::kFsopenCloexec);
        if (context < 0) return errno;
        if (int error = Configure(context, step); error != 0) {
            refused_ = context;
            return error;
        }
        const int mount = sys::fsmount(context, sys::kFsmountCloexec, step.attributes);
        return mount < 0 ? errno : Attach(mount, step);
    }

    int MakeDirectory(const TreeStep& step) {
        const char* name;
        const int parent = OpenParent(step, name);
        if (parent < 0) return errno;
        // The umask is 0 here, so the mode is the plan's. What is mounted there next finds out
        // whether something else has the name.
        return ::mkdirat(parent, name, step.mode) == 0 || errno == EEXIST ? 0 : errno;
    }

    // A mount point (no content) may be there already, on a volume: it is left as it is. Files with
    // content are made in a file system of ours only, where no other has the name.
    int MakeFile(const TreeStep& step, const std::string& content) {
        const char* name;
        const int parent = OpenParent(step, name);
        if (parent < 0) return errno;
        if (content.empty())
            return ::mknodat(parent, name, S_IFREG | step.mode, 0) == 0 || errno == EEXIST ? 0
                                                                                           : errno;
        const int file = ::openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, step.mode);
        return file < 0 ? errno : WriteAndClose(file, content);
    }

    int WriteAndClose(int file, const std::string& content) {
        const ssize_t put = ::write(file, content.data(), content.size());
        const int error = put < 0 ? errno : put < static_cast<ssize_t>(content.size()) ? ENOSPC : 0;
        (void)::close(file);  // or its mount could not be made read-only
        return error;
    }

    int WriteFile(const TreeStep& step) {
        const int file = Open(step, step.target.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY);
        if (file < 0) return errno;
        struct stat found;
        if (int error = Verify(step, file, found); error != 0) return error;
        return WriteAndClose(file, step.data);
    }

    int SetOwner(const TreeStep& step) {
        const char* name;
        const int parent = OpenParent(step, name);
        if (parent < 0) return errno;
        return Check(::fchownat(parent, name, step.uid, step.gid, AT_SYMLINK_NOFOLLOW));
    }

    int Pivot(const TreeStep& step) {
        const int target = OpenTarget(step);
        if (target < 0 || ::fchdir(target) != 0) return errno;
        // pivot_root(2), "pivot_root(".", ".")": the old root is stacked upon the new one, and
        // needs no directory in it. It stays there until /proc and /sys are mounted, which the
        // kernel allows in a user namespace only where it sees whole ones.
        if (sys::pivot_root(".", ".") != 0) return errno;
        root_ = target;
        return 0;
    }

    int SetReadOnly(const TreeStep& step) {
        const int target = OpenTarget(step);
        if (target < 0) return errno;
        return Check(
            sys::mount_setattr(target, "", sys::kAtEmptyPath, {.set = sys::kMountReadOnly}));
    }

    static bool IsAbsent(int error) { return error == ENOENT || error == ENOTDIR; }

    int Protect(const TreeStep& step) {
        const int target = OpenTarget(step);
        if (target < 0) return IsAbsent(errno) ? 0 : errno;
        struct stat found;
        if (int error = Verify(step, target, found); error != 0) return error;
        constexpr unsigned kWhole = sys::kAtEmptyPath | sys::kAtRecursive;
        const int mount =
            sys::open_tree(target, "", sys::kOpenTreeClone | sys::kOpenTreeCloexec | kWhole);
        if (mount < 0) return errno;
        if (sys::mount_setattr(mount, "", kWhole, {.set = sys::kMountReadOnly}) != 0) return errno;
        return MoveTo(mount, target);
    }

    // A file is covered by /dev/null, a directory by an empty read-only tmpfs.
    int Mask(const TreeStep& step) {
        const int target = OpenTarget(step);
        if (target < 0) return IsAbsent(errno) ? 0 : errno;
        struct stat found;
        if (int error = Verify(step, target, found); error != 0) return error;
        int& cover = S_ISDIR(found.st_mode) ? empty_ : null_;
        if (cover < 0) {
            const bool directory = S_ISDIR(found.st_mode);
            if (int error = directory ? MakeEmpty() : OpenNull(step); error != 0) return error;
            if (directory) return MoveTo(empty_, target);
        }
        const int mount = sys::open_tree(
            cover, "", sys::kOpenTreeClone | sys::kOpenTreeCloexec | sys::kAtEmptyPath);
        return mount < 0 ? errno : MoveTo(mount, target);
    }

    // The first masked directory gets this mount, further ones clones of it.
    int MakeEmpty() {
        const int context = sys::fsopen("tmpfs", sys::kFsopenCloexec);
        if (context < 0 || sys::fsconfig(context, sys::kFsconfigSetString, "mode", "000", 0) != 0 ||
            sys::fsconfig(context, sys::kFsconfigSetString, "size", "4k", 0) != 0 ||
            sys::fsconfig(context, sys::kFsconfigCreate, nullptr, nullptr, 0) != 0)
            return errno;
        empty_ = sys::fsmount(context, sys::kFsmountCloexec,
                              static_cast<unsigned>(sys::kMountReadOnly | sys::kMountNoSuid |
                                                    sys::kMountNoDev | sys::kMountNoExec));
        return empty_ < 0 ? errno : 0;
    }

    // Of the container's own read-only /dev. What a volume may have put there instead, a link or a
    // file, must not cover anything (CVE-2025-31133).
    int OpenNull(const TreeStep& step) {
        const int null = Open(step, "/dev/null", O_PATH | O_NOFOLLOW);
        struct stat found;
        if (null < 0 || ::fstat(null, &found) != 0) return errno;
        if (!S_ISCHR(found.st_mode) || found.st_rdev != kNullDevice) return ENODEV;
        null_ = null;
        return 0;
    }

    static constexpr dev_t kNullDevice = 0x103;  // 1:3

    const int* attachments_;
    const std::vector<std::string>& contents_;
    int root_ = -1;  // the new root, once it is one
    int parent_ = -1;
    const char* parent_of_ = nullptr;  // a target in `parent_`; nullptr: to be opened anew
    size_t parent_size_ = 0;
    dev_t kernel_trees_[rootfs::kKernelTrees] = {};
    int null_ = -1, empty_ = -1;
    int refused_ = -1;
};

// An own time namespace is entered by setns(2): kernels before 6.3 do not switch to it at execve.
// Its offsets can be set until a first process is in it, which we are to be.
int EnterTimeNamespace(const char* offsets, size_t size) {
    if (::unshare(static_cast<int>(sys::kCloneNewTime)) != 0) return errno;
    const int file = ::open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (file < 0) return errno;
    const ssize_t put = ::write(file, offsets, size);
    int error = put < 0 ? errno : 0;
    (void)::close(file);
    if (error != 0) return error;
    const int space = ::open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    if (space < 0) return errno;
    error = Check(::setns(space, static_cast<int>(sys::kCloneNewTime)));
    (void)::close(space);
    return error;
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

int SetStandardStreams(const ChildInput& input) {
    if (::dup2(input.standard_in, 0) < 0) return errno;
    if (::dup2(input.standard_out, 1) < 0) return errno;
    return Check(::dup2(input.standard_error, 2));
}

void WriteOwnPid(char* out) {
    char digits[kPidRoom];
    size_t count = 0;
    auto pid = static_cast<unsigned>(::getpid());
    do digits[count++] = static_cast<char>('0' + pid % 10);
    while ((pid /= 10) != 0 && count < kPidRoom - 1);
    while (count > 0) *out++ = digits[--count];
    *out = '\0';
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

// <linux/landlock.h>: struct landlock_path_beneath_attr is packed.
struct [[gnu::packed]] LandlockPathRule {
    uint64_t access;
    int32_t parent;
};
struct LandlockPortRule {
    uint64_t access, port;
};

// What lies at the path, links followed, in the container's root.
int AllowPath(int rules, const LandlockPlan::PathRule& rule) {
    const int at = OpenInRoot(rule.path.c_str(), 0);
    if (at < 0) return errno == ENOENT && rule.optional ? 0 : errno;
    struct stat file {};
    int error = Check(::fstat(at, &file));
    if (error == 0) {
        const LandlockPathRule attributes{S_ISDIR(file.st_mode) ? rule.access : rule.file_access,
                                          at};
        error = Check(::syscall(SYS_landlock_add_rule, rules, kLandlockPathRule, &attributes, 0));
    }
    (void)::close(at);
    return error;
}

int AllowPort(int rules, uint16_t port) {
    const LandlockPortRule attributes{kLandlockBindTcp, port};
    return Check(::syscall(SYS_landlock_add_rule, rules, kLandlockPortRule, &attributes, 0));
}

// The supervisor ignores no signal and CLONE_CLEAR_SIGHAND reset its handlers, so that only the
// mask is left to reset.
int ResetSignals() {
    const uint64_t none = 0;
    return Check(::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none));
}

class Child {
  public:
    Child(const Plan& plan, const ChildInput& input)
        : plan_(plan),
          program_(*input.program),
          input_(input),
          status_(input.status),
          tree_(input.attachments, plan.root.contents) {}

    [[noreturn]] void Run() {
        const ContainerSettings& spec = plan_.spec;
        if (input_.join_pidfd >= 0)
            Join();
        else
            Build();
        Do(Stage::kResourceLimits, SetResourceLimits(spec.resource_limits));
        Do(Stage::kPersonality, Check(::syscall(SYS_personality, kPersonalityLinux)));
        Do(Stage::kKeyring, JoinKeyring());
        if (input_.reaper != nullptr) StartReaper();
        for (unsigned i = 0; i < input_.own_pid_count; ++i) WriteOwnPid(input_.own_pids[i]);
        GiveUpRights(spec);
        (void)::umask(spec.umask);
        Do(Stage::kStandardStreams, SetStandardStreams(input_));
        Do(Stage::kDescriptors, PlaceDescriptors());
        Do(Stage::kSignals, ResetSignals());
        Do(Stage::kWorkingDirectory, ChangeDirectory(program_.working_dir.c_str()));
        CheckPrograms();
        // Last, so that the filter is only asked about what follows it.
        if (spec.no_new_privileges && spec.filter) Do(Stage::kFilter, InstallFilter(*spec.filter));
        Execute();
    }

  private:
    void NewSession() {
        Do(Stage::kNewSession, Check(::setsid()));
        if (input_.terminal) Do(Stage::kTerminal, Check(::ioctl(input_.standard_in, TIOCSCTTY, 0)));
    }

    // The container sees this process from its birth on, and once it is in the container's user
    // namespace its root has rights over it: before that, nobody but the device's root may trace
    // it or look at what it holds (CVE-2016-9962), until execve.
    void Join() {
        Do(Stage::kJoinNamespaces, Check(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)));
        Do(Stage::kWaitForParent, WaitForParent(input_.go));
        // All at once: the kernel looks at the rights that the supervisor had for each of them.
        if (input_.join_flags != 0)
            Do(Stage::kJoinNamespaces, Check(::setns(input_.join_pidfd, input_.join_flags)));
        if (plan_.spec.user_namespace) Do(Stage::kBecomeRoot, SetIds(0, 0, nullptr, 0));
        NewSession();
    }

    void Build() {
        const ContainerSettings& spec = plan_.spec;
        Do(Stage::kWaitForParent, WaitForParent(input_.go));
        if (!plan_.time_offsets.empty())
            Do(Stage::kTimeNamespace,
               EnterTimeNamespace(plan_.time_offsets.data(), plan_.time_offsets.size()));
        if (spec.user_namespace) Do(Stage::kBecomeRoot, SetIds(0, 0, nullptr, 0));
        NewSession();
        Do(Stage::kUnshareCgroup, Check(::unshare(static_cast<int>(sys::kCloneNewCgroup))));
        if (spec.private_mounts)
            Do(Stage::kPrivateMounts,
               Check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr)));
        (void)::umask(0);  // cannot fail
        for (const TreeStep& step : *plan_.steps) {
            if (int error = tree_.Run(step); error != 0) [[unlikely]]
                ReportTree(error);
            ++step_;
        }
        if (spec.private_host_name)
            Do(Stage::kHostName,
               Check(::sethostname(spec.host_name.data(), spec.host_name.size())));
        if (spec.network == NetworkKind::kPrivate)
            Do(Stage::kLoopback, Check(sys::bring_loopback_up()));
    }

    // Returns in the program-to-be alone. Both halves give up their rights, each for itself: a
    // filter may have to come before the rights go. The status pipe tells once both are done.
    void StartReaper() {
        const uint64_t all = ~uint64_t{0};
        Do(Stage::kReaper,
           Check(::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, sizeof all)));
        const pid_t program = sys::clone3({.exit_signal = SIGCHLD});
        Do(Stage::kReaper, Check(program));
        if (program == 0) return;
        const ContainerSettings& spec = plan_.spec;
        Do(Stage::kReaper, Check(::chdir("/")));  // it holds no folder of the container
        GiveUpRights(spec);
        const ReaperMemory& memory = *input_.reaper;
        Do(Stage::kReaper, Check(sys::close_range(0, ~0u, 0)));
        // After that, since the filter need not allow it. Where it does not install, nor does the
        // program's, which tells.
        if (spec.no_new_privileges && spec.filter && InstallFilter(*spec.filter) != 0)
            ::_exit(kChildFailedBase + static_cast<int>(Stage::kFilter));
        Reap(program, memory.heap.data(), memory.heap.size(), memory.arguments);
    }

    // A kernel without CONFIG_KEYS has no keyring to hide.
    static int JoinKeyring() {
        if (::syscall(SYS_keyctl, kKeyctlJoinSession, nullptr) >= 0 || errno == ENOSYS) return 0;
        return errno;
    }

    // Here and not by execve: no path that is followed from now on can lead to what the supervisor
    // has open. What the program is to have is left, and behind it the status pipe.
    int PlaceDescriptors() {
        constexpr int kFirst = 3;
        int next = kFirst;
        for (unsigned i = 0; i < input_.passed_count; ++i, ++next)
            if (::dup2(input_.passed[i], next) < 0) return errno;
        if (input_.notify >= 0) {
            const int number = input_.notify_number;
            if (::dup2(input_.notify, number) < 0) return errno;
            if (number > next && sys::close_range(static_cast<unsigned>(next),
                                                  static_cast<unsigned>(number - 1), 0) != 0)
                return errno;
            next = number + 1;
        }
        if (status_ != next && ::dup3(status_, next, O_CLOEXEC) < 0) return errno;
        status_ = next;
        return Check(sys::close_range(static_cast<unsigned>(next + 1), ~0u, 0));
    }

    // What leads to husk's own binary is not executed: the container would hold it. A script's
    // interpreter may still be such a link, and the binary is on a read-only mount for that
    // (init/supervisor_process.cc).
    // Which are there is found out now too: a filter may refuse to look, and to tell of it.
    void CheckPrograms() {
        int error = ENOENT;
        uint32_t failed = 0;
        step_ = 0;
        for (const auto& program : program_.paths) {
            const int at = OpenInRoot(program.c_str(), 0);
            if (at >= 0) {
                if (step_ < kMostPrograms) there_ |= uint64_t{1} << step_;
                (void)::close(at);
            } else if (errno == ELOOP) {
                Report(Stage::kExecute, ELOOP);
            } else if (errno != ENOENT) {
                error = errno;
                failed = step_;
            }
            ++step_;
        }
        if (there_ != 0 || step_ > kMostPrograms) return;
        step_ = failed;
        Report(Stage::kExecute, error);
    }

    void GiveUpRights(const ContainerSettings& spec) {
        // From here on a container with the device's processes and users might have as many rights
        // as this process, and trace it: its memory and descriptors are the supervisor's still
        // (CVE-2016-9962). execve takes it back.
        Do(Stage::kBoundingSet, Check(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)));
        Do(Stage::kBoundingSet, DropBoundingSet(spec.capabilities));
        // Without no_new_privs only a process with CAP_SYS_ADMIN may install a filter (seccomp(2)).
        if (!spec.no_new_privileges && spec.filter) Do(Stage::kFilter, InstallFilter(*spec.filter));
        if (spec.no_new_privileges)
            Do(Stage::kNoNewPrivileges, Check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
        if (plan_.landlock.IsUsed()) Landlock(plan_.landlock);
        // Changing from uid 0 to another empties the permitted set, but for this bit.
        const rootfs::UserIds& user = *input_.user;
        if (user.uid != 0 && spec.capabilities != 0)
            Do(Stage::kIds, Check(::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)));
        Do(Stage::kIds, SetIds(user.uid, user.gid, user.groups.data(), user.groups.size()));
        Do(Stage::kCapabilities, SetCapabilities(spec.capabilities));
    }

    void Landlock(const LandlockPlan& plan) {
        const long rules =
            ::syscall(SYS_landlock_create_ruleset, &plan.attributes, plan.attributes_size, 0);
        step_ = static_cast<uint32_t>(plan.paths.size());
        Do(Stage::kLandlock, Check(rules));
        step_ = 0;
        for (const auto& rule : plan.paths) {
            Do(Stage::kLandlock, AllowPath(static_cast<int>(rules), rule));
            ++step_;
        }
        for (uint16_t port : plan.bind_ports)
            Do(Stage::kLandlock, AllowPort(static_cast<int>(rules), port));
        Do(Stage::kLandlock, Check(::syscall(SYS_landlock_restrict_self, rules, 0)));
        (void)::close(static_cast<int>(rules));
    }

    // Tries each candidate as execvp(3) does: one that is not there or not ours to run is passed
    // over, and the error that says most is kept.
    [[noreturn]] void Execute() {
        int error = ENOENT;
        uint32_t index = 0, failed = 0;
        for (const auto& program : program_.paths) {
            (void)::execve(program.c_str(), const_cast<char* const*>(program_.argv.data()),
                           const_cast<char* const*>(input_.envp));
            // ENOENT of a file that is there is about its interpreter.
            const bool there =
                errno != ENOENT || (index < kMostPrograms && (there_ >> index & 1) != 0);
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
        const int fd = ::open(program_.paths[step_].c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd >= 0) {
            const ssize_t got = ::read(fd, report_.head, sizeof report_.head);
            if (got > 0) report_.head_size = static_cast<uint32_t>(got);
        }
        Report(Stage::kExecute, error);
    }

    // Some file systems say more than an errno: one line of it goes along.
    [[noreturn]] void ReportTree(int error) {
        if (tree_.refused() >= 0) {
            const ssize_t got = ::read(tree_.refused(), report_.head, sizeof report_.head);
            if (got > 0) report_.head_size = static_cast<uint32_t>(got);
        }
        Report(Stage::kTree, error);
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
    const Program& program_;
    const ChildInput& input_;
    int status_;
    TreeBuilder tree_;
    uint32_t step_ = 0;
    static constexpr uint32_t kMostPrograms = 64;
    uint64_t there_ = 0;  // bit n: program_.paths[n]
    ChildReport report_;
};

}  // namespace

void RunChild(const Plan& plan, const ChildInput& input) { Child(plan, input).Run(); }

}  // namespace husk::container
