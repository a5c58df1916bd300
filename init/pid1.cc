#include "init/pid1.h"

#include <cerrno>
#include <cstring>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "init/clock.h"
#include "init/cold_memory.h"
#include "init/log.h"
#include "init/shutdown.h"

namespace husk::init {
namespace {

using namespace std::chrono_literals;

// Between two looks at everything else, so that a storm of one kind does not starve the others.
constexpr int kReapsAtOnce = 256;
constexpr int kRequestsAtOnce = 64;

// systemd and everybody who speaks to it (podman, lxc) mean glibc's SIGRTMIN; musl's is 35.
constexpr int kRealTimeBase = 34;

struct SignalRow {
    int signal;
    ShutdownAction action;
};
constexpr SignalRow kWishes[] = {
    {SIGINT, ShutdownAction::kReboot},     // Ctrl-Alt-Del
    {SIGUSR1, ShutdownAction::kHalt},      // busybox halt
    {SIGUSR2, ShutdownAction::kPoweroff},  // busybox poweroff
    {SIGPWR, ShutdownAction::kPoweroff},   // lxc-stop, UPS daemons
    {kRealTimeBase + 3, ShutdownAction::kHalt},
    {kRealTimeBase + 4, ShutdownAction::kPoweroff},
    {kRealTimeBase + 5, ShutdownAction::kReboot},
    {kRealTimeBase + 6, ShutdownAction::kKexec},
};

const char* Name(ShutdownAction action) {
    switch (action) {
        case ShutdownAction::kNone: return "nothing";
        case ShutdownAction::kPoweroff: return "power off";
        case ShutdownAction::kReboot: return "reboot";
        case ShutdownAction::kHalt: return "halt";
        case ShutdownAction::kKexec: return "kexec";
    }
    return "?";
}

}  // namespace

Pid1::Pid1(Memory& memory, int signals, const BootFacts& facts, const char* supervisor)
    : memory_(memory),
      signals_(signals),
      whole_system_(facts.whole_system),
      supervisor_(supervisor),
      console_(facts.options, Now()) {}

void Pid1::Run() {
    for (;;) {
        DoWhatIsDue(Now());
        if (std::exchange(did_rare_work_, false)) ReleaseColdMemory();
        Wait();
    }
}

void Pid1::DoWhatIsDue(Instant now) {
    if (memory_.shutdown.deadline() <= now) {
        if (memory_.shutdown.unanswered() != ShutdownAction::kNone)
            Say(LogLevel::kError,
                "the supervisor does not take up the shutdown; going on without it");
        FinishSystem(memory_, whole_system_, console_.pid());
    }
    if (memory_.shutdown.deadline().since_boot != kInfinite) memory_.watchdog.feed.TrustMyself();
    TendWatchdog(memory_.watchdog, memory_.slots, now);
    TendUpgrade(now);
    if (supervisor_.end_at() <= now) supervisor_.End();
    if (!supervisor_.running() && supervisor_.next_start() <= now) {
        did_rare_work_ = true;
        const bool upgrading = memory_.upgrade.phase() == UpgradePhase::kSupervisor;
        supervisor_.Start(upgrading ? memory_.slots.Peek(kBinarySlot) : -1, now);
        memory_.supervisor_starts = supervisor_.starts();
        told_ = {};
    }
    if (console_.next_start() <= now) {
        did_rare_work_ = true;
        console_.Start(memory_.slots.Peek(kConsoleSlot), now);
    }
    if (more_to_reap_) Reap();
}

Instant Pid1::NextDue() const {
    Instant next =
        std::min({memory_.shutdown.deadline(), supervisor_.end_at(), console_.next_start(),
                  memory_.watchdog.feed.next(), memory_.upgrade.deadline()});
    if (!supervisor_.running()) next = std::min(next, supervisor_.next_start());
    return more_to_reap_ ? Instant{} : next;
}

void Pid1::Wait() {
    const Instant due = NextDue();
    const Duration left = std::max<Duration>(due - Now(), 0ns);
    const timespec timeout{left / 1s, (left % 1s).count()};
    // A descriptor of -1 is passed over.
    pollfd watched[2] = {{signals_, POLLIN, 0}, {supervisor_.socket(), POLLIN, 0}};
    if (::ppoll(watched, 2, due.since_boot == kInfinite ? nullptr : &timeout, nullptr) < 0) return;
    // Reaping first: a supervisor that died has its last requests answered there.
    if (watched[0].revents != 0) ReadSignals();
    if (watched[1].revents != 0 && watched[1].fd == supervisor_.socket()) Serve();
}

void Pid1::ReadSignals() {
    signalfd_siginfo info;
    while (::read(signals_, &info, sizeof info) == sizeof info) {
        const int signal = static_cast<int>(info.ssi_signo);
        if (signal == SIGCHLD) {
            Reap();
            continue;
        }
        // The kernel's: an Int of kill(1) has a sender.
        if (signal == SIGINT && info.ssi_pid == 0 && keys_.Hit(Now()) && !memory_.burst_is_one) {
            Say(LogLevel::kWarning, "Ctrl-Alt-Del ", KeyBurst::kTimes,
                " times: going down without waiting for units");
            memory_.shutdown.Finish(memory_.burst_action == ShutdownAction::kNone
                                        ? ShutdownAction::kReboot
                                        : memory_.burst_action,
                                    Now());
            continue;
        }
        if (signal == SIGTERM)
            WishFor(whole_system_ ? ShutdownAction::kReboot : ShutdownAction::kPoweroff);
        for (const SignalRow& row : kWishes)
            if (row.signal == signal) WishFor(row.action);
    }
}

void Pid1::WishFor(ShutdownAction action) {
    Say(LogLevel::kInfo, "asked to ", Name(action));
    memory_.shutdown.Want(action, Now());
    TellWish();
}

void Pid1::Reap() {
    const uint64_t newest = memory_.exits.newest();
    more_to_reap_ = false;
    for (int reaped = 0;; ++reaped) {
        if (reaped == kReapsAtOnce) {
            more_to_reap_ = true;
            break;
        }
        int status = 0;
        const pid_t pid = ::waitpid(-1, &status, WNOHANG);
        if (pid <= 0) break;
        if (pid == supervisor_.pid())
            SupervisorDied(status);
        else if (pid == console_.pid())
            console_.Ended(Now());
        else
            memory_.exits.Add(pid, status, Now());
    }
    if (memory_.exits.newest() != newest) TellExits();
}

void Pid1::SupervisorDied(int status) {
    // What it sent before it died holds: a descriptor in there may be somebody's only log pipe. The
    // socket's buffer bounds the number.
    while (supervisor_.socket() >= 0 && ServeOne()) {
    }
    const Instant now = Now();
    supervisor_.Died(status, now);
    JudgeDeath(status, now);
}

void Pid1::Serve() {
    for (int served = 0; served < kRequestsAtOnce && supervisor_.socket() >= 0; ++served)
        if (!ServeOne()) return;
}

// Not by base/socket.h, here and in Send(): the kernel maps 64 KiB around each page that the loop
// touches, and what the rest of husk calls too lies elsewhere.
bool Pid1::ServeOne() {
    Request request;
    iovec bytes{&request.packet, sizeof request.packet};
    // One descriptor is what the protocol allows. CMSG_SPACE would have room for a second one,
    // which nobody would close; like this the kernel lets it go and says MSG_CTRUNC.
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = CMSG_LEN(sizeof(int));
    // MSG_TRUNC: the size that the packet had, not what fitted.
    const ssize_t size =
        ::recvmsg(supervisor_.socket(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
    if (size < 0) {
        // The other side went with packets unread: that is said once, before what it had sent.
        if (errno == EINTR || errno == ECONNRESET) return true;
        // Without memory the packet waits, and is read in the next round.
        if (errno != EAGAIN && errno != ENOMEM) supervisor_.SocketClosed(Now());
        return false;
    }
    if (size == 0) {
        // The end, or an empty packet. Only in the second case something may come behind it, or the
        // other side is still open.
        int queued = 0;
        pollfd hangup{supervisor_.socket(), POLLRDHUP, 0};
        (void)::ioctl(supervisor_.socket(), SIOCINQ, &queued);
        if (queued == 0 && ::poll(&hangup, 1, 0) == 1) {
            supervisor_.SocketClosed(Now());
            return false;
        }
    }
    request.size = static_cast<size_t>(size);
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
        request.descriptor.reset(descriptor);
    }
    // Too many, or no room in PID 1's table.
    if ((message.msg_flags & MSG_CTRUNC) != 0) request.error = request.descriptor ? EINVAL : EMFILE;

    AnswerRequest(std::move(request));
    return true;
}

void Pid1::AnswerRequest(Request request) {
    if (AnswerUpgrade(request)) return;
    const InitPacketType type = request.packet.type;
    const uint32_t slot = request.packet.slot;
    const ShutdownAction begun = memory_.shutdown.begun();
    const bool upgrading = memory_.upgrade.under_way();
    const Answer answer = Handle(memory_, std::move(request), Now());
    // A supervisor that waits for what never comes stands still; started again, it asks again. One
    // that is gone, or does not read, waits for nothing.
    if (!Send(answer.packet, answer.descriptor) && errno != EPIPE && errno != ECONNRESET &&
        errno != EAGAIN)
        supervisor_.SocketClosed(Now());
    if (begun != memory_.shutdown.begun())
        Say(LogLevel::kInfo, "shutdown begun: ", Name(memory_.shutdown.begun()));
    if (!upgrading && memory_.upgrade.under_way()) {
        Say(LogLevel::kInfo, "upgrade: the supervisor makes way for a new one");
        supervisor_.Kill();
    }
    if (type == InitPacketType::kStore && slot == kConsoleSlot && answer.packet.number == 0)
        console_.Move();
    if (type == InitPacketType::kActions) console_.Begin(Now());
    // What comes from here on is news again.
    if (type == InitPacketType::kNextExit) told_.exits = false;
    if (type == InitPacketType::kHello) {
        told_ = {};
        TellWish();
    }
}

// A supervisor walks the exits until there are no more, so one notice stands for all until it asks.
void Pid1::TellExits() {
    if (!told_.exits)
        told_.exits = SendNotice(InitPacketType::kExitsPending, memory_.exits.newest());
}

// A supervisor that is not there gets it at its next kHello.
void Pid1::TellWish() {
    const ShutdownAction wish = memory_.shutdown.unanswered();
    if (wish == ShutdownAction::kNone || wish == told_.wish) return;
    if (SendNotice(InitPacketType::kShutdownWanted, static_cast<uint64_t>(wish))) told_.wish = wish;
}

bool Pid1::SendNotice(InitPacketType type, uint64_t value) {
    InitPacket packet;
    packet.type = type;
    packet.value = value;
    return Send(packet, -1);
}

// What cannot be sent is dropped: PID 1 waits for nobody, and a supervisor asks again.
bool Pid1::Send(const InitPacket& packet, int descriptor) {
    if (supervisor_.socket() < 0) return false;
    iovec bytes{const_cast<InitPacket*>(&packet), sizeof packet};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    if (descriptor >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    return ::sendmsg(supervisor_.socket(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

}  // namespace husk::init
