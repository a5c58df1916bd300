#include "container/launch.h"

#include <cstdio>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/namespace_visit.h"
#include "base/sys.h"
#include "base/text.h"
#include "container/exec_failure.h"
#include "container/id_map.h"
#include "rootfs/attach.h"

namespace husk::container {
namespace {

struct Pipe {
    OwnedFd read, write;
};

Result<Pipe> MakePipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return FailErrno("make a pipe");
    return Pipe{OwnedFd(ends[0]), OwnedFd(ends[1])};
}

// A child is born in its parent's namespaces. Of the network: joining from inside the child would
// be too late, since the child's user namespace has no rights over another unit's network. Of
// processes: only children are born in another one, nobody moves to it.
Result<std::optional<NamespaceVisit>> VisitFor(const Plan& plan, const LaunchInput& input) {
    const bool joins = input.join_pidfd >= 0;
    const int kind = joins && plan.spec.private_pids                     ? CLONE_NEWPID
                     : !joins && plan.spec.network == NetworkKind::kJoin ? CLONE_NEWNET
                                                                         : 0;
    if (kind == 0) return std::nullopt;
    auto entered = NamespaceVisit::Enter(joins ? input.join_pidfd : input.join_network, kind);
    if (!entered) return Fail(std::move(entered).error());
    return std::move(*entered);
}

// What the child joins by itself: all that the plan's first process made or was put into.
int JoinFlags(const Plan& plan) {
    uint64_t flags = (plan.clone_flags & ~uint64_t{CLONE_NEWPID}) | sys::kCloneNewCgroup;
    if (!plan.time_offsets.empty()) flags |= sys::kCloneNewTime;
    if (plan.spec.network == NetworkKind::kJoin) flags |= CLONE_NEWNET;
    return static_cast<int>(flags);
}

// The environment of a launch, with variables of its own.
class LaunchEnvironment {
  public:
    LaunchEnvironment(const Program& program, const LaunchInput& input) {
        if (input.environment.empty() && input.pid_variables.empty()) {
            envp_ = &program.envp;
            return;
        }
        own_ = program.environment;
        Overlay(own_, input.environment);
        std::vector<std::string> pids;
        for (const char* name : input.pid_variables)
            pids.push_back(Cat(name, "=", std::string(kPidRoom, '0')));
        Overlay(own_, pids);
        for (std::string& variable : own_) pointers_.push_back(variable.data());
        for (size_t i = own_.size() - pids.size(); i < own_.size(); ++i)
            own_pids_.push_back(own_[i].data() + own_[i].find('=') + 1);
        pointers_.push_back(nullptr);
        envp_ = &pointers_;
    }
    LaunchEnvironment(const LaunchEnvironment&) = delete;

    void Give(ChildInput& child) const {
        child.envp = envp_->data();
        child.own_pids = own_pids_.data();
        child.own_pid_count = static_cast<unsigned>(own_pids_.size());
    }

  private:
    std::vector<std::string> own_;
    std::vector<const char*> pointers_;
    std::vector<char*> own_pids_;
    const std::vector<const char*>* envp_ = nullptr;
};

// Descriptors on their way to the child, which only has to put each in its place: their numbers are
// above all places.
class Luggage {
  public:
    Status Pack(const LaunchInput& input, OwnedFd& status) {
        const int behind = 3 + static_cast<int>(input.passed_descriptors.size());
        if (input.notify_descriptor >= 0 && input.notify_number < behind)
            return Fail("NotifyFd=", std::to_string(input.notify_number),
                        ": the program has something else at that number; take one from ",
                        std::to_string(behind), " on");
        if (behind == 3 && input.notify_descriptor < 0) return {};
        above_ = std::max(behind, input.notify_number + 1);
        for (int fd : input.passed_descriptors) HUSK_TRY(Lift(fd));
        if (input.notify_descriptor >= 0) HUSK_TRY(Lift(input.notify_descriptor));
        HUSK_TRY(Lift(status.get()));
        status = std::move(lifted_.back());
        lifted_.pop_back();
        for (const auto& fd : lifted_) numbers_.push_back(fd.get());
        return {};
    }
    void Give(const LaunchInput& input, ChildInput& child) const {
        child.passed = numbers_.data();
        child.passed_count = static_cast<unsigned>(input.passed_descriptors.size());
        if (input.notify_descriptor < 0) return;
        child.notify = numbers_.back();
        child.notify_number = input.notify_number;
    }

  private:
    Status Lift(int fd) {
        OwnedFd lifted(::fcntl(fd, F_DUPFD_CLOEXEC, above_));
        if (!lifted) return FailErrno("hand a descriptor on");
        lifted_.push_back(std::move(lifted));
        return {};
    }
    std::vector<OwnedFd> lifted_;
    std::vector<int> numbers_;
    int above_ = 3;
};

// "LimitNOFILE=": Limit…= and Ulimit= are the same limits.
const char* LimitKey(int resource) {
    switch (resource) {
        case RLIMIT_AS: return "LimitAS=";
        case RLIMIT_CORE: return "LimitCORE=";
        case RLIMIT_CPU: return "LimitCPU=";
        case RLIMIT_DATA: return "LimitDATA=";
        case RLIMIT_FSIZE: return "LimitFSIZE=";
        case RLIMIT_LOCKS: return "LimitLOCKS=";
        case RLIMIT_MEMLOCK: return "LimitMEMLOCK=";
        case RLIMIT_MSGQUEUE: return "LimitMSGQUEUE=";
        case RLIMIT_NICE: return "LimitNICE=";
        case RLIMIT_NOFILE: return "LimitNOFILE=";
        case RLIMIT_NPROC: return "LimitNPROC=";
        case RLIMIT_RSS: return "LimitRSS=";
        case RLIMIT_RTPRIO: return "LimitRTPRIO=";
        case RLIMIT_RTTIME: return "LimitRTTIME=";
        case RLIMIT_SIGPENDING: return "LimitSIGPENDING=";
        case RLIMIT_STACK: return "LimitSTACK=";
    }
    return "Limit…=";
}

// A process may lower its hard limits but only the device's root may raise them, which the child is
// not in its user namespace.
Status RaiseHardLimits(pid_t pid, const std::vector<ResourceLimit>& limits) {
    for (const auto& limit : limits) {
        uint64_t now[2];
        if (::syscall(SYS_prlimit64, pid, limit.resource, nullptr, now) != 0)
            return FailErrno("read resource limits");
        if (limit.hard <= now[1]) continue;
        const uint64_t had = std::exchange(now[1], limit.hard);
        if (::syscall(SYS_prlimit64, pid, limit.resource, now, nullptr) != 0)
            return FailErrno(
                LimitKey(limit.resource), ": raise the hard limit from ", std::to_string(had),
                limit.resource == RLIMIT_NOFILE ? " (the most is /proc/sys/fs/nr_open)" : "",
                ", which husk was started with");
    }
    return {};
}

// ioprio_set(2)
constexpr int kIoPriorityOfProcess = 1, kIoClassShift = 13, kMiddleLevel = 4;
constexpr int kIoClassRealTime = 1, kIoClassBestEffort = 2;

Status SetScheduling(pid_t pid, const ContainerSettings& spec) {
    const auto id = static_cast<id_t>(pid);
    if (spec.nice != 0 && ::setpriority(PRIO_PROCESS, id, spec.nice) != 0)
        return FailErrno("Nice=: set the nice level");
    // By the system call: musl's wrapper only says ENOSYS.
    const sched_param priority{.sched_priority = spec.scheduling_priority};
    if (spec.scheduling_policy != SCHED_OTHER &&
        ::syscall(SYS_sched_setscheduler, pid, spec.scheduling_policy, &priority) != 0)
        return FailErrno(
            errno == EPERM && spec.scheduling_priority != 0
                ? "CPUSchedulingPolicy=: set the policy (a kernel with CONFIG_RT_GROUP_SCHED has "
                  "no real-time policies in cgroups)"
                : "CPUSchedulingPolicy=: set the policy");
    if (!spec.io_class) return {};
    const bool has_levels =
        *spec.io_class == kIoClassRealTime || *spec.io_class == kIoClassBestEffort;
    const int io = *spec.io_class << kIoClassShift | (has_levels ? kMiddleLevel : 0);
    if (::syscall(SYS_ioprio_set, kIoPriorityOfProcess, pid, io) != 0)
        return FailErrno("IOSchedulingClass=: set the class (CONFIG_BLOCK)");
    return {};
}

// What the device's root has to do for a child that is not it.
Status SetUpFromOutside(pid_t pid, const ContainerSettings& spec) {
    const std::string process = Cat("/proc/", std::to_string(pid));
    // Written with CAP_SYS_RESOURCE, this also becomes the least that the container can set: the
    // supervisor's own -1000 would stay within its reach otherwise (proc(5)).
    HUSK_TRY(WriteAttribute(process + "/oom_score_adj", std::to_string(spec.oom_score_adjust)));
    HUSK_TRY(RaiseHardLimits(pid, spec.resource_limits));
    HUSK_TRY(SetScheduling(pid, spec));
    return {};
}

// A kernel parameter by its name, in a container with users of its own or not:
// "/proc/sys/net/core/somaxconn" is Sysctl=net.core.somaxconn.
Error ExplainParameter(std::string name, int error, bool users) {
    std::replace(name.begin(), name.end(), '/', '.');
    const std::string what = Cat("Sysctl=", name);
    if (error == ENOENT)
        return Error::Because(Cat(what,
                                  ": this kernel has no such parameter in the container's "
                                  "namespaces",
                                  users ? "; some are there with UserNS=host only" : ""));
    if ((error == EACCES || error == EPERM) && users)
        return Error::Because(Cat(what,
                                  ": this kernel does not let it be set in a user namespace; drop "
                                  "it, or write UserNS=host"));
    return Error::FromErrno(error, what);
}

// The words for a step of the root that failed. A file system's own come along (fsopen(2): "e" for
// error, a blank, then the message).
Error ExplainTree(const rootfs::TreeStep& step, const ChildReport& report, bool users) {
    constexpr std::string_view kParameters = "/proc/sys/";
    if (step.op == rootfs::TreeOp::kWriteFile && step.target.starts_with(kParameters))
        return ExplainParameter(step.target.substr(kParameters.size()), report.error, users);
    const std::string what = rootfs::Describe(step);
    if (report.error == ELOOP)
        return Error::Because(
            Cat(what,
                ": a symbolic link is in the way there, and none is followed on a volume or a "
                "changed root; remove it, or choose another path"));
    if (report.error == EXDEV && step.kernel_tree != rootfs::KernelTree::kNone)
        return Error::Because(Cat(what, ": something else lies upon the kernel's file there"));
    if (report.error == ENODEV && step.op == rootfs::TreeOp::kMask)
        return Error::Because(
            Cat(what, ": the container's '/dev/null' is not the null device; mount nothing there"));
    std::string_view words(report.head, std::min<size_t>(report.head_size, sizeof report.head));
    words = words.substr(0, words.find_first_of(std::string_view("\n\0", 2)));
    if (words.starts_with("e ")) words.remove_prefix(2);
    return Error::FromErrno(report.error, words.empty() ? what : Cat(what, " (", words, ")"));
}

// With the sign, which FormatDuration() does not know.
std::string FormatOffset(int64_t nanoseconds) {
    return Cat(nanoseconds < 0 ? "-" : "",
               FormatDuration(Duration(nanoseconds < 0 ? -nanoseconds : nanoseconds)));
}

// namespaces(7): what the kernel answers where it has no namespaces of a kind, or may make no more.
const char* WhatNamespacesNeed(uint64_t flags, int error) {
    if (error != ENOSPC && error != EINVAL) return "";
    return (flags & CLONE_NEWUSER) != 0
               ? ": make a user namespace and others (CONFIG_USER_NS; "
                 "/proc/sys/user/max_user_namespaces, and its neighbours for the others)"
               : ": make namespaces (/proc/sys/user/max_…_namespaces)";
}

// The user namespace is the container's own, so its ids are those that own files for it.
Status MapAttachments(pid_t pid, const Plan& plan, const LaunchInput& input,
                      std::vector<std::string>& unmapped) {
    OwnedFd users;
    for (size_t slot = 0; slot < input.attachments.size(); ++slot) {
        const auto& attachment = plan.root.attachments[slot];
        if (!attachment.idmap) continue;
        if (!users) {
            auto opened = OpenFile(Cat("/proc/", std::to_string(pid), "/ns/user"), O_RDONLY);
            if (!opened) return Fail(std::move(opened).error());
            users = std::move(*opened);
        }
        auto mapped = rootfs::MapOwners(attachment, input.attachments[slot].get(), users.get());
        if (!mapped) return Fail(std::move(mapped).error());
        if (!*mapped) unmapped.push_back(attachment.source);
    }
    return {};
}

}  // namespace

Launching::~Launching() {
    if (!go_ || !pidfd_) return;
    (void)sys::pidfd_send_signal(pidfd_.get(), SIGKILL);  // fails only if it is gone already
    siginfo_t info;
    while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info,
                    WEXITED) != 0 &&
           errno == EINTR) {
    }
}

Status Launching::Go() {
    Status written = WriteAll(go_.get(), "g", "the child's go pipe");
    if (written) go_.reset();
    return written;
}

Result<Launching> Launch(const Plan& plan, LaunchInput input) {
    auto go = MakePipe(), status = MakePipe();
    if (!go) return Fail(std::move(go).error());
    if (!status) return Fail(std::move(status).error());
    std::vector<int> attachments;
    for (const auto& attachment : input.attachments) attachments.push_back(attachment.get());
    const bool joins = input.join_pidfd >= 0;
    const Program& program = input.program == nullptr ? plan.program : *input.program;
    const LaunchEnvironment environment(program, input);
    Luggage luggage;
    HUSK_TRY(luggage.Pack(input, status->write));
    ChildInput child{.go = go->read.get(),
                     .status = status->write.get(),
                     .standard_in = input.standard_in,
                     .standard_out = input.standard_out,
                     .standard_error = input.standard_error,
                     .terminal = input.terminal,
                     .attachments = attachments.data(),
                     .program = &program,
                     .user = input.user == nullptr ? &plan.spec.user : input.user,
                     .join_pidfd = input.join_pidfd,
                     .join_flags = joins ? JoinFlags(plan) : 0};
    ReaperMemory reaper;
    if (input.reaper) {
        reaper = ReadReaperMemory();
        child.reaper = &reaper;
    }
    environment.Give(child);
    luggage.Give(input, child);

    auto visit = VisitFor(plan, input);
    if (!visit) return Fail(std::move(visit).error());
    int pidfd = -1;
    sys::CloneArguments arguments{
        .flags = (joins ? 0 : plan.clone_flags) | sys::kClonePidfd | sys::kCloneClearSighand,
        .pidfd = reinterpret_cast<uint64_t>(&pidfd),
        .exit_signal = SIGCHLD};
    if (input.cgroup >= 0) {
        arguments.flags |= sys::kCloneIntoCgroup;
        arguments.cgroup = static_cast<uint64_t>(input.cgroup);
    }
    const pid_t pid = sys::clone3(arguments);
    if (pid < 0) return FailErrno("clone3", WhatNamespacesNeed(arguments.flags, errno));
    if (pid == 0) {
        // Our copy of the other end, or the end of the file would never come.
        (void)::close(go->write.get());
        RunChild(plan, child);
    }
    visit->reset();

    Launching launching;
    launching.pid_ = pid;
    launching.pidfd_.reset(pidfd);
    launching.status_ = std::move(status->read);
    launching.go_ = std::move(go->write);
    HUSK_TRY(SetUpFromOutside(pid, plan.spec));
    if (plan.spec.user_namespace && !joins) {
        HUSK_TRY(WriteIdMaps(pid, *plan.spec.user_namespace));
        HUSK_TRY(MapAttachments(pid, plan, input, launching.unmapped_));
    }
    return launching;
}

Result<std::optional<ChildReport>> ReadReport(int status) {
    ChildReport report;
    ssize_t got = 0;
    do got = ::read(status, &report, sizeof report);
    while (got < 0 && errno == EINTR);
    if (got < 0) return FailErrno("read the child's status");
    if (got == 0) return std::nullopt;
    if (got != sizeof report) return Fail("the child's report was cut short");
    return report;
}

Status ReadStatus(int status, const Plan& plan) {
    auto report = ReadReport(status);
    if (!report) return Fail(std::move(report).error());
    if (*report) return Fail(Explain(**report, plan, plan.program));
    return {};
}

Error Explain(const ChildReport& report, const Plan& plan, const Program& program) {
    if (report.stage == Stage::kTree && report.step < plan.steps->size())
        return ExplainTree((*plan.steps)[report.step], report,
                           plan.spec.user_namespace.has_value());
    if (report.stage == Stage::kTimeNamespace && report.error == ERANGE)
        return Error::FromErrno(
            report.error,
            Cat("TimeOffset=: a clock that is shifted by ", FormatOffset(plan.spec.time_offset),
                " would be negative, or beyond what the kernel takes"));
    if (report.stage == Stage::kTimeNamespace && report.error == EINVAL)
        return Error::FromErrno(report.error,
                                "TimeOffset=: make a time namespace (CONFIG_TIME_NS)");
    if (report.stage == Stage::kLandlock && report.step < plan.landlock.paths.size())
        return Error::FromErrno(report.error,
                                Cat("allow ", Quote(plan.landlock.paths[report.step].path),
                                    " by Landlock (paths are the container's; with "
                                    "a leading '-' one may be missing)"));
    if (report.stage == Stage::kExecute && report.step < program.paths.size()) {
        const std::string& path = program.paths[report.step];
        const bool searched = program.searched;
        const std::string asked = path.substr(path.rfind('/') + 1);
        const std::string_view head(report.head,
                                    std::min<size_t>(report.head_size, sizeof report.head));
        Error error = ExplainExecFailure(searched && head.empty() ? asked : path, searched,
                                         report.error, head);
        if (report.error != EACCES || !plan.landlock.GuardsExecution()) return error;
        return Error::Because(Cat(error.text(),
                                  "; LandlockReadPaths= must hold the program, its interpreter or "
                                  "loader, and its libraries"));
    }
    if (report.stage == Stage::kWorkingDirectory && report.error == ELOOP)
        return Error::Because(
            Cat("change to the working directory ", Quote(program.working_dir),
                ": it is a link into /proc, which is not followed out of the "
                "container, or one that leads back to itself; name the directory"));
    if (report.stage == Stage::kWorkingDirectory)
        return Error::FromErrno(
            report.error, Cat("change to the working directory ", Quote(program.working_dir)));
    return Error::FromErrno(report.error, StageName(report.stage));
}

}  // namespace husk::container
