#include "supervisor/unit_command.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/text.h"
#include "supervisor/record.h"
#include "supervisor/take_over.h"
#include "supervisor/tracer.h"

namespace husk::supervisor {
namespace {

constexpr int kMostGroups = 64;  // of one name
// PID 1 reaps at once; an exit that it does not tell within this time is lost.
constexpr Duration kOrphanWait = std::chrono::seconds(2);

}  // namespace

Result<std::string> MakeGroupBelow(const std::string& leaf, std::string_view name) {
    for (int i = 0; i < kMostGroups; ++i) {
        std::string path =
            Cat(leaf, "/", name, i == 0 ? std::string() : Cat("-", std::to_string(i)));
        // Anew in any case: a container with Delegate= may have made or killed it.
        if (!container::Cgroup(path).Remove()) continue;
        if (::mkdir(path.c_str(), 0755) == 0) return path;
        if (errno != EEXIST) return FailErrno("make cgroup ", Quote(path));
    }
    return Fail("cgroup ", Quote(Cat(leaf, "/", name)), ": ", std::to_string(kMostGroups),
                " of them are in use");
}

void KillGroupsBelow(const std::string& leaf, std::string_view name) {
    auto names = ListDirectory(leaf);
    if (!names) return;  // no leaf, nothing in it
    for (const auto& found : *names) {
        if (!found.starts_with(name)) continue;
        const container::Cgroup group(Cat(leaf, "/", found));
        struct stat file {};
        if (::lstat(group.path().c_str(), &file) != 0 || !S_ISDIR(file.st_mode)) continue;
        if (!group.IsPopulated()) continue;
        if (Status killed = group.Kill(); !killed) LogWarning(killed.error().text());
    }
}

UnitCommand::~UnitCommand() { Abandon(); }

Status UnitCommand::Start(Order order) {
    if (pid_ != 0) return Fail("another one runs still");
    auto group = MakeGroupBelow(leaf_, order.group);
    if (!group) return Fail(std::move(group).error());
    auto cgroup = container::Cgroup(*group).Open();
    if (!cgroup) return Fail(std::move(cgroup).error());
    oom_kills_before_ = container::Cgroup(leaf_).OomKills();
    program_ = std::move(order.program);
    order.input.program = &program_;
    order.input.cgroup = cgroup->get();
    auto launching = container::Launch(*plan_, std::move(order.input));
    if (!launching) return Fail(std::move(launching).error());
    auto start_time = ProcessStartTime(launching->pid());
    if (!start_time) return Fail(std::move(start_time).error());
    group_ = std::move(*group);
    start_time_ = *start_time;
    pid_ = launching->pid();
    own_child_ = true;
    kill_rest_ = order.kill_rest;
    failure_.reset();
    Status going = order.save ? order.save() : Status();
    if (going) going = launching->Go();
    if (!going) {
        pid_ = 0;  // it is killed and reaped with `launching`
        return going;
    }
    done_ = std::move(order.done);
    pidfd_ = launching->TakePidfd();
    status_ = launching->TakeStatus();
    // What cannot be watched must not run; its exit is looked at then.
    if (!loop_.Add(pidfd_.get(), EPOLLIN, [this](uint32_t) { OnGone(); }) ||
        !loop_.Add(status_.get(), EPOLLIN, [this](uint32_t) { OnStatus(); })) {
        Abandon();
        return Fail("the process cannot be watched");
    }
    return {};
}

bool UnitCommand::Adopt(pid_t pid, uint64_t start_time, std::string group, Done done) {
    pid_ = pid;
    start_time_ = start_time;
    group_ = std::move(group);
    own_child_ = false;
    done_ = std::move(done);
    OwnedFd pidfd(sys::pidfd_open(pid));
    if (!pidfd) EndIfItPasses("a command", Error::FromErrno("open its process"));
    // The start time is read after the descriptor is held: the number cannot be reused any more.
    auto found = ProcessStartTime(pid);
    if (!found) EndIfItPasses("a command", found.error());
    if (!pidfd || !found || *found != start_time) return false;
    pidfd_ = std::move(pidfd);
    return loop_.Add(pidfd_.get(), EPOLLIN, [this](uint32_t) { OnGone(); }).has_value();
}

bool UnitCommand::TakeOrphanExit(const OrphanExit& exit) {
    if (own_child_ || pid_ == 0 || exit.pid != pid_) return false;
    // A pid that was used again since would have been started later than this exit.
    Finish(exit.wait_status, exit.at);
    return true;
}

void UnitCommand::Signal(int signal) {
    if (pidfd_) (void)sys::pidfd_send_signal(pidfd_.get(), signal);  // gone already is as good
}

void UnitCommand::Kill() {
    if (pid_ == 0) return;
    Signal(SIGKILL);
    const container::Cgroup group(group_);
    if (!group.IsPopulated()) return;
    if (Status killed = group.Kill(); !killed) LogWarning(killed.error().text());
}

void UnitCommand::OnStatus() {
    OwnedFd status = std::move(status_);
    if (!status) return;
    loop_.Remove(status.get());
    auto report = container::ReadReport(status.get());
    if (report && !*report) return;
    failure_.emplace();
    failure_->exit.kind = ExitKind::kStartFailed;
    if (!report) {
        failure_->exit.text = report.error().text();
        return Signal(SIGKILL);  // nobody knows whether it has all that it asks for
    }
    const container::ChildReport& found = **report;
    failure_->exit.text =
        plan_ ? container::Explain(found, *plan_, program_).text()
              : Error::FromErrno(found.error, container::StageName(found.stage)).text();
    if (found.stage == container::Stage::kExecute) failure_->execute_error = found.error;
}

std::optional<GoneChild> LookAtChild(int pidfd) {
    siginfo_t info{};
    if (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0)
        return std::nullopt;
    return GoneChild{info.si_pid, info.si_code == CLD_EXITED
                                      ? info.si_status << 8
                                      : info.si_status | (info.si_code == CLD_DUMPED ? 0x80 : 0)};
}

void ReapLater(EventLoop& loop, OwnedFd pidfd) {
    const auto child = std::make_shared<OwnedFd>(std::move(pidfd));
    const auto again = [&loop, child] { ReapLater(loop, std::move(*child)); };
    const Status watched = loop.Add(child->get(), EPOLLIN, [&loop, child, again](uint32_t) {
        loop.Remove(child->get());
        siginfo_t info{};
        const bool traced =
            ::waitid(P_PIDFD, static_cast<id_t>(child->get()), &info, WEXITED | WNOHANG) == 0 &&
            info.si_pid == 0;
        if (traced) loop.StartTimer(MonotonicNow() + kTracerPause, again);
    });
    if (!watched) loop.StartTimer(MonotonicNow() + kTracerPause, again);
}

void UnitCommand::OnGone() {
    OnStatus();  // the report comes before the exit; both may be waiting
    if (!own_child_) {
        // PID 1 reaps it and tells; it may be a moment behind.
        loop_.Remove(pidfd_.get());
        patience_ = loop_.StartTimer(MonotonicNow() + kOrphanWait, [this] {
            patience_ = 0;
            const CommandEnd end{
                {.kind = ExitKind::kUnknown, .at = MonotonicNow(), .at_realtime = RealtimeNow()}};
            const Done done = std::move(done_);
            Forget();
            if (done) done(end);
        });
        return;
    }
    const auto gone = LookAtChild(pidfd_.get());
    if (!gone) {
        if (!HasEnded(pidfd_.get())) return;
        // A tracer has it, and its pidfd would be readable for as long as that likes.
        loop_.Remove(pidfd_.get());
        patience_ = loop_.StartTimer(MonotonicNow() + kTracerPause, [this] {
            patience_ = 0;
            EndTracer(pid_, leaf_);
            if (!loop_.Add(pidfd_.get(), EPOLLIN, [this](uint32_t) { OnGone(); })) OnGone();
        });
        return;
    }
    Finish(gone->wait_status, MonotonicNow());  // may be the end of this object
    (void)::waitpid(gone->pid, nullptr, WNOHANG);
}

void UnitCommand::Finish(int wait_status, Instant at) {
    const container::Cgroup leaf(leaf_), group(group_);
    if (kill_rest_ && group.IsPopulated()) (void)group.Kill();  // gone meanwhile is as good
    uint64_t oom_kills = leaf.OomKills();
    oom_kills -= std::min(oom_kills, oom_kills_before_);
    CommandEnd end;
    const int64_t at_realtime = RealtimeNow() - (MonotonicNow() - at).count();
    if (failure_) {
        end = std::move(*failure_);
        end.exit.at = at;
        end.exit.at_realtime = at_realtime;
    } else {
        const uint64_t limit = oom_kills > 0 ? leaf.Usage().memory_max.value_or(0) : 0;
        end.exit = ExitFromWaitStatus(wait_status, oom_kills, limit, at, at_realtime);
    }
    const Done done = std::move(done_);
    Forget();
    if (done) done(end);
}

void UnitCommand::Abandon() {
    Kill();
    if (own_child_ && pidfd_) {
        loop_.Remove(pidfd_.get());
        ReapLater(loop_, std::move(pidfd_));
    }
    Forget();
}

void UnitCommand::Forget() {
    loop_.CancelTimer(std::exchange(patience_, 0));
    if (pidfd_) loop_.Remove(pidfd_.get());
    if (status_) loop_.Remove(status_.get());
    pidfd_.reset();
    status_.reset();
    done_ = nullptr;
    failure_.reset();
    program_ = {};
    pid_ = 0;
    // It goes with the next of its name, or with the leaf, where it is busy still.
    if (!group_.empty()) (void)container::Cgroup(group_).Remove();
}

}  // namespace husk::supervisor
