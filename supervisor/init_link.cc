#include "supervisor/init_link.h"

#include <poll.h>

#include <algorithm>
#include <span>

#include "base/socket.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

// PID 1 answers at once; when it does not, something is badly wrong and waiting helps nobody.
constexpr int kAnswerLimitMs = 5000;

Status Send(int socket, InitPacket packet, int fd) {
    const std::span<const int> descriptors(&fd, fd >= 0 ? 1 : 0);
    if (SendMessage(socket, std::as_bytes(std::span(&packet, 1)), descriptors) != sizeof packet)
        return FailErrno("send a request to PID 1");
    return {};
}

struct Received {
    InitPacket packet;
    OwnedFd fd;
};

// Nothing where no packet waits.
Result<std::optional<Received>> Receive(int socket) {
    Received received;
    const ssize_t got =
        ReceiveMessage(socket, std::as_writable_bytes(std::span(&received.packet, 1)),
                       {&received.fd, 1}, MSG_DONTWAIT)
            .size;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    if (got < 0) return FailErrno("receive from PID 1");
    if (got == 0) return Fail(Error::FromErrno(ECONNRESET, "PID 1 closed the connection"));
    if (got != sizeof received.packet) return Fail("PID 1 sent a packet of an odd size");
    return received;
}

bool IsNotice(InitPacketType type) {
    return type == InitPacketType::kExitsPending || type == InitPacketType::kShutdownWanted;
}

}  // namespace

Result<InitPacket> InitLink::Request(InitPacket packet, int send_fd, OwnedFd* received_fd) {
    if (!connected()) return Fail(Error::FromErrno(ENOTCONN, "no PID 1 of husk's"));
    HUSK_TRY(Send(socket_.get(), packet, send_fd));
    for (;;) {
        auto received = Receive(socket_.get());
        if (!received) return Fail(std::move(received).error());
        if (!*received) {
            pollfd wait{socket_.get(), POLLIN, 0};
            const int ready = ::poll(&wait, 1, kAnswerLimitMs);
            if (ready == 0) return Fail(Error::FromErrno(ETIMEDOUT, "PID 1 does not answer"));
            if (ready < 0 && errno != EINTR) return FailErrno("wait for PID 1");
            continue;
        }
        const InitPacket& answer = (*received)->packet;
        if (IsNotice(answer.type)) {
            TakeNotice(answer);
            continue;
        }
        // The late answer to a request that was given up is passed over.
        if (answer.type != packet.type || answer.slot != packet.slot) continue;
        if (answer.number != 0) return Fail(Error::FromErrno(answer.number, "PID 1"));
        if (received_fd != nullptr) *received_fd = std::move((*received)->fd);
        return answer;
    }
}

void InitLink::TakeNotice(const InitPacket& packet) {
    if (packet.type == InitPacketType::kShutdownWanted)
        wanted_ = static_cast<ShutdownAction>(packet.value);
}

Result<InitLink::Greeting> InitLink::Hello() {
    auto answer = Request(
        {.type = InitPacketType::kHello, .number = static_cast<int32_t>(kInitProtocolVersion)});
    if (!answer) return Fail(std::move(answer).error());
    return Greeting{static_cast<ShutdownAction>(answer->value),
                    answer->pid,
                    {.since_boot = Duration(answer->time)}};
}

void InitLink::MarkUsed(int slot) {
    if (slot < 0 || slot >= static_cast<int>(kDescriptorSlots)) return;
    const auto index = static_cast<size_t>(slot);
    if (index >= used_.size()) used_.resize(index + 1);
    used_[index] = true;
}

Result<int> InitLink::Store(int fd) {
    for (uint32_t tries = 0; tries < kDescriptorSlots; ++tries) {
        const int slot = next_slot_;
        next_slot_ =
            std::max<int>((next_slot_ + 1) % static_cast<int>(kDescriptorSlots), kFirstFreeSlot);
        if (static_cast<size_t>(slot) < used_.size() && used_[static_cast<size_t>(slot)]) continue;
        InitPacket packet{.type = InitPacketType::kStore, .slot = static_cast<uint32_t>(slot)};
        auto answer = Request(packet, fd);
        // Left over from a unit whose record was lost: nobody can ask for it any more.
        if (!answer && answer.error().code() == EBUSY) {
            // Had here as well, so that its last close, which may wait, is not PID 1's.
            const auto left_over = Fetch(slot);
            Drop(slot);
            answer = Request(packet, fd);
        }
        if (!answer) return Fail(std::move(answer).error().Wrap("hand a descriptor to PID 1"));
        MarkUsed(slot);
        return slot;
    }
    return Fail("PID 1 has no free slot for a descriptor");
}

Status InitLink::StoreAs(uint32_t slot, int fd) {
    Drop(static_cast<int>(slot));
    auto answer = Request({.type = InitPacketType::kStore, .slot = slot}, fd);
    if (!answer) return Fail(std::move(answer).error().Wrap("hand a descriptor to PID 1"));
    return {};
}

Result<OwnedFd> InitLink::Fetch(int slot) {
    OwnedFd fd;
    auto answer =
        Request({.type = InitPacketType::kFetch, .slot = static_cast<uint32_t>(slot)}, -1, &fd);
    if (!answer) return Fail(std::move(answer).error());
    // No room for it here: the kernel drops it and says MSG_CTRUNC.
    if (!fd) return Fail(Error::FromErrno(EMFILE, "PID 1 answered without a descriptor"));
    return fd;
}

void InitLink::Drop(int slot) {
    if (slot < 0) return;
    if (static_cast<size_t>(slot) < used_.size()) used_[static_cast<size_t>(slot)] = false;
    // An empty slot is as good as a dropped one.
    (void)Request({.type = InitPacketType::kDrop, .slot = static_cast<uint32_t>(slot)});
}

std::vector<OrphanExit> InitLink::TakeExits() {
    std::vector<OrphanExit> exits;
    while (connected()) {
        auto answer = Request({.type = InitPacketType::kNextExit, .value = next_exit_});
        if (!answer) break;  // ENOENT: no more
        next_exit_ = answer->value + 1;
        exits.push_back({answer->pid, answer->status, {Duration(answer->time)}});
    }
    return exits;
}

Status InitLink::SetActions(ShutdownAction crash, ShutdownAction burst) {
    auto answer = Request({.type = InitPacketType::kActions,
                           .number = static_cast<int32_t>(burst),
                           .value = static_cast<uint64_t>(crash)});
    if (!answer) return Fail(std::move(answer).error().Wrap("tell PID 1 what to do at its end"));
    return {};
}

Result<bool> InitLink::TrustWatchdog(Duration trust, Duration interval, int last_seconds) {
    auto answer = Request({.type = InitPacketType::kWatchdog,
                           .number = last_seconds,
                           .value = static_cast<uint64_t>(interval.count()),
                           .time = trust.count()});
    if (!answer) return Fail(std::move(answer).error().Wrap("vouch for the hardware watchdog"));
    return answer->status == 0;
}

Result<OwnedFd> InitLink::Snapshot() {
    OwnedFd state;
    auto answer = Request({.type = InitPacketType::kSnapshot}, -1, &state);
    if (!answer) return Fail(std::move(answer).error().Wrap("ask PID 1 for its state"));
    if (!state) return Fail("PID 1 gave no state");
    return state;
}

Status InitLink::BeginUpgrade(Duration limit) {
    auto answer = Request({.type = InitPacketType::kUpgrade, .time = limit.count()});
    if (!answer) return Fail(std::move(answer).error().Wrap("begin the upgrade"));
    return {};
}

Status InitLink::FinishUpgrade() {
    auto answer = Request({.type = InitPacketType::kProven});
    // Nothing may come in between.
    if (answer) answer = Request({.type = InitPacketType::kKeep});
    if (!answer) return Fail(std::move(answer).error().Wrap("replace PID 1"));
    return {};
}

Result<InitLink::UpgradeState> InitLink::AskUpgrade() {
    auto answer = Request({.type = InitPacketType::kUpgradeState});
    if (!answer) return Fail(std::move(answer).error().Wrap("ask PID 1 for the upgrade"));
    return UpgradeState{static_cast<UpgradePhase>(answer->value),
                        static_cast<UpgradeFailure>(answer->status), answer->pid};
}

Status InitLink::Shutdown(ShutdownAction action, bool now) {
    auto answer = Request({.type = now ? InitPacketType::kShutdownNow : InitPacketType::kShutdown,
                           .value = static_cast<uint64_t>(action)});
    if (!answer) return Fail(std::move(answer).error());
    return {};
}

std::optional<ShutdownAction> InitLink::ReadNotices() {
    while (connected()) {
        auto received = Receive(socket_.get());
        if (!received) {  // PID 1 never goes before us; without it there is nothing to wait for
            socket_.reset();
            break;
        }
        if (!*received) break;
        if (IsNotice((*received)->packet.type)) TakeNotice((*received)->packet);
    }
    return std::exchange(wanted_, std::nullopt);
}

}  // namespace husk::supervisor
