// Pid1's part that is replaced, and replaces: upgrade.h says in which order.
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "init/clock.h"
#include "init/crash.h"
#include "init/handover.h"
#include "init/log.h"
#include "init/pid1.h"
#include "init/way_back.h"

namespace husk::init {
namespace {

using namespace std::chrono_literals;

const char* Words(UpgradeFailure failure) {
    switch (failure) {
        case UpgradeFailure::kNone: break;
        case UpgradeFailure::kSupervisorEnded: return "the new supervisor ended";
        case UpgradeFailure::kSupervisorSilent: return "the new supervisor did not prove itself";
        case UpgradeFailure::kCannotExecute: return "the new PID 1 cannot be executed";
        case UpgradeFailure::kInitCrashed: return "the new PID 1 crashed";
        case UpgradeFailure::kInitSilent: return "the new PID 1 stood still";
        case UpgradeFailure::kInitRefused: return "the new PID 1 could not take over";
        case UpgradeFailure::kSupervisorLost: return "the supervisor did not answer the new PID 1";
        case UpgradeFailure::kShutdown: return "the system goes down";
    }
    return "?";
}

bool SetCloseOnExec(int descriptor, bool on) {
    return ::fcntl(descriptor, F_SETFD, on ? FD_CLOEXEC : 0) == 0;
}

}  // namespace

// --- the supervisor
// --------------------------------------------------------------------------------

void Pid1::TendUpgrade(Instant now) {
    if (!memory_.upgrade.under_way()) return;
    if (memory_.shutdown.action() != ShutdownAction::kNone)
        EndUpgrade(UpgradeFailure::kShutdown, 0);  // the one that is known takes the system down
    else if (memory_.upgrade.deadline() <= now)
        EndUpgrade(UpgradeFailure::kSupervisorSilent, 0);
    else
        return;
    supervisor_.Kill();
}

void Pid1::EndUpgrade(UpgradeFailure failure, int detail) {
    did_rare_work_ = true;
    memory_.upgrade.Fail(failure, detail);
    memory_.watchdog.feed.Bear({}, Now());
    (void)memory_.slots.Drop(kBinarySlot);
    Say(LogLevel::kError, "upgrade: ", Words(failure), " (", detail, "); the old binary goes on");
}

// The supervisor died, and `status` says how.
void Pid1::JudgeDeath(int status, Instant now) {
    if (memory_.upgrade.under_way() && supervisor_.on_trial())
        EndUpgrade(UpgradeFailure::kSupervisorEnded, status);
    else if (!memory_.upgrade.under_way() && !supervisor_.on_trial())
        return;
    supervisor_.StartAtOnce(now);
}

// True where the packet was one of these.
bool Pid1::AnswerUpgrade(const Request& request) {
    const InitPacketType type = request.packet.type;
    if (request.size != sizeof(InitPacket) || request.packet.version != kInitProtocolVersion ||
        request.error != 0)
        return false;
    if (type == InitPacketType::kSnapshot) {
        InitPacket reply{.type = type, .slot = request.packet.slot};
        const OwnedFd state = Snapshot();
        if (!state) reply.number = errno;
        (void)Send(reply, state.get());
        return true;
    }
    if (type != InitPacketType::kProven || !supervisor_.on_trial() ||
        memory_.upgrade.phase() != UpgradePhase::kSupervisor)
        return false;
    const int error = ExecuteNext();
    EndUpgrade(UpgradeFailure::kCannotExecute, error);
    (void)Send({.type = type, .slot = request.packet.slot, .number = error}, -1);
    supervisor_.Kill();
    return true;
}

// --- the old PID 1
// ---------------------------------------------------------------------------------

OwnedFd Pid1::Snapshot() const {
    KeptProcess kept{.first_descriptor_limit = FirstDescriptorLimit(),
                     .crash_action = static_cast<uint64_t>(CrashAction()),
                     .supervisor = supervisor_.Keep(),
                     .console = console_.Keep()};
    (void)::prctl(PR_GET_NAME, kept.name);
    return WriteHandover(kept, memory_);
}

// False where one of the descriptors is none.
bool Pid1::KeepDescriptors(bool over_execution) {
    bool all = supervisor_.socket() < 0 || SetCloseOnExec(supervisor_.socket(), !over_execution);
    for (uint32_t slot = 0; slot < memory_.slots.end(); ++slot)
        if (const int descriptor = memory_.slots.Peek(slot); descriptor >= 0)
            all &= SetCloseOnExec(descriptor, !over_execution);
    return all;
}

// Returns only where it cannot be: an errno. The supervisor waits for a reply that the next image
// sends, so it asks for nothing meanwhile.
int Pid1::ExecuteNext() {
    memory_.upgrade.GoOn();
    const OwnedFd state = Snapshot();
    const OwnedFd previous(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    if (!state || !previous) return errno;
    Say(LogLevel::kInfo,
        "upgrade: the new supervisor has proven itself; PID 1 executes the new "
        "binary");
    (void)FeedWatchdog(memory_.watchdog, memory_.slots);
    (void)SetCloseOnExec(state.get(), false);
    (void)SetCloseOnExec(previous.get(), false);
    (void)KeepDescriptors(true);
    const int error = ExecuteImage({.binary = memory_.slots.Peek(kBinarySlot),
                                    .state = state.get(),
                                    .previous = previous.get(),
                                    .supervisor = supervisor_.program()});
    (void)KeepDescriptors(false);
    return error;
}

// --- the new one
// -----------------------------------------------------------------------------------

void Pid1::Restore(const KeptProcess& kept) {
    (void)::prctl(PR_SET_NAME, kept.name);
    SetFirstDescriptorLimit(kept.first_descriptor_limit);
    SetCrashAction(static_cast<ShutdownAction>(kept.crash_action));
    supervisor_.Restore(kept.supervisor);
    console_.Restore(kept.console);
    more_to_reap_ = true;  // who ended meanwhile
}

// Where the old binary cannot be executed any more, this one has to do.
void Pid1::FailProof(UpgradeFailure failure, int detail) {
    GoBack(failure, detail);
    CloseWayBack();
    Return(failure, detail);
}

void Pid1::Prove() {
    if (!KeepDescriptors(true)) return FailProof(UpgradeFailure::kInitRefused, EBADF);
    if (!FeedWatchdog(memory_.watchdog, memory_.slots))
        return FailProof(UpgradeFailure::kInitRefused, errno);
    (void)Send({.type = InitPacketType::kProven}, -1);
    InitPacket packet;
    while (packet.type != InitPacketType::kKeep) {
        TendWatchdog(memory_.watchdog, memory_.slots, Now());
        pollfd socket{supervisor_.socket(), POLLIN, 0};
        (void)::poll(&socket, 1, 100);
        const ssize_t size = ::recv(supervisor_.socket(), &packet, sizeof packet, MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;  // way_back.h has a limit
        if (size != sizeof packet) return FailProof(UpgradeFailure::kSupervisorLost, 0);
    }
    memory_.upgrade.Finish();
    memory_.watchdog.feed.Bear({}, Now());
    supervisor_.PassTrial();
    CloseWayBack();
    (void)memory_.slots.Drop(kBinarySlot);
    (void)KeepDescriptors(false);
    (void)Send({.type = InitPacketType::kKeep}, -1);
    Say(LogLevel::kInfo, "upgrade: done, PID 1 runs the new binary");
}

// --- the old one again
// -----------------------------------------------------------------------------

void Pid1::Return(UpgradeFailure failure, int detail) {
    (void)KeepDescriptors(false);
    EndUpgrade(failure, detail);
    supervisor_.Kill();
}

}  // namespace husk::init
