#include "supervisor/init_link.h"

#include <cstring>
#include <poll.h>
#include <sys/socket.h>

#include "base/text.h"

namespace husk::supervisor {
namespace {

// PID 1 answers at once; when it does not, something is badly wrong and waiting helps nobody.
constexpr int kAnswerLimitMs = 5000;

struct ControlBuffer {
    alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];
};

Status Send(int socket, InitPacket packet, int fd) {
    iovec part{&packet, sizeof packet};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    ControlBuffer control{};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    if (::sendmsg(socket, &message, MSG_NOSIGNAL) != sizeof packet)
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
    iovec part{&received.packet, sizeof received.packet};
    ControlBuffer control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    const ssize_t got = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    if (got < 0) return FailErrno("receive from PID 1");
    if (got == 0) return Fail("PID 1 closed the connection");
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
            received.fd.reset(fd);
        }
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
            if (ready == 0) return Fail("PID 1 does not answer");
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
    return Greeting{static_cast<ShutdownAction>(answer->value), answer->pid};
}

void InitLink::MarkUsed(int slot) {
    if (slot >= 0) used_.insert(slot);
}

Result<int> InitLink::Store(int fd) {
    for (uint32_t tries = 0; tries < kDescriptorSlots; ++tries) {
        const int slot = next_slot_;
        next_slot_ = (next_slot_ + 1) % static_cast<int>(kDescriptorSlots);
        if (used_.contains(slot)) continue;
        InitPacket packet{.type = InitPacketType::kStore, .slot = static_cast<uint32_t>(slot)};
        auto answer = Request(packet, fd);
        // Left over from a unit whose record was lost: nobody can ask for it any more.
        if (!answer && answer.error().code() == EBUSY) {
            Drop(slot);
            answer = Request(packet, fd);
        }
        if (!answer) return Fail(std::move(answer).error().Wrap("hand a descriptor to PID 1"));
        used_.insert(slot);
        return slot;
    }
    return Fail("PID 1 has no free slot for a descriptor");
}

Result<OwnedFd> InitLink::Fetch(int slot) {
    OwnedFd fd;
    auto answer =
        Request({.type = InitPacketType::kFetch, .slot = static_cast<uint32_t>(slot)}, -1, &fd);
    if (!answer) return Fail(std::move(answer).error());
    if (!fd) return Fail("PID 1 answered without a descriptor");
    return fd;
}

void InitLink::Drop(int slot) {
    if (slot < 0) return;
    used_.erase(slot);
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
