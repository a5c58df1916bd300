#include "init/requests.h"

#include <cerrno>

#include <utility>

#include "init/crash.h"

namespace husk::init {
namespace {

int Fetch(const DescriptorSlots& slots, Answer& answer) {
    const int descriptor = slots.Peek(answer.packet.slot);
    if (descriptor < 0) return -descriptor;
    answer.descriptor = descriptor;
    return 0;
}

int NextExit(const ExitRing& exits, uint64_t sequence, InitPacket& packet) {
    const auto exit = exits.FirstFrom(sequence);
    if (!exit) return ENOENT;
    packet.value = exit->sequence;
    packet.pid = exit->pid;
    packet.status = exit->status;
    packet.time = exit->time.since_boot.count();
    return 0;
}

int Hello(const Memory& memory, int version, InitPacket& packet) {
    packet.value = static_cast<uint64_t>(memory.shutdown.begun());
    packet.pid = memory.supervisor_starts;
    packet.time = memory.began.since_boot.count();
    return version == static_cast<int>(kInitProtocolVersion) ? 0 : EPROTO;
}

int TrustWatchdog(Memory& memory, const InitPacket& packet, Instant now, InitPacket& reply) {
    constexpr int64_t kMost = int64_t{1} << 60;  // far from overflow with the time of day
    if (packet.time < 0 || packet.time > kMost || packet.value > uint64_t{kMost} ||
        packet.number < 0)
        return EINVAL;
    if (memory.slots.Peek(kWatchdogSlot) < 0) return ENOENT;
    reply.status = memory.watchdog.feed.given_up();
    memory.watchdog.last_seconds = packet.number;
    memory.watchdog.feed.Trust(Duration(packet.time),
                               Duration(static_cast<int64_t>(packet.value)), now);
    // Of a new supervisor on trial, whose end is PID 1's to judge.
    if (memory.upgrade.deadline().since_boot != kInfinite)
        memory.watchdog.feed.Bear(memory.upgrade.deadline() - now, now);
    return 0;
}

int SetActions(Memory& memory, const InitPacket& packet) {
    const auto burst = static_cast<uint64_t>(packet.number);
    if ((packet.value != 0 && !IsShutdownAction(packet.value)) ||
        (burst != 0 && !IsShutdownAction(burst)))
        return EINVAL;
    SetCrashAction(static_cast<ShutdownAction>(packet.value));
    memory.burst_action = static_cast<ShutdownAction>(burst);
    memory.burst_is_one = burst == 0;
    return 0;
}

// What is in kBinarySlot lies there since the supervisor has looked at it.
int BeginUpgrade(Memory& memory, const InitPacket& packet, Instant now) {
    if (memory.slots.Peek(kBinarySlot) < 0) return ENOENT;
    if (memory.shutdown.action() != ShutdownAction::kNone) return ESHUTDOWN;
    if (const int error = memory.upgrade.Begin(Duration(packet.time), now)) return error;
    memory.watchdog.feed.Bear(Duration(packet.time), now);
    return 0;
}

int TellUpgrade(const Upgrade& upgrade, InitPacket& reply) {
    reply.value = static_cast<uint64_t>(upgrade.phase());
    reply.status = static_cast<int32_t>(upgrade.failure());
    reply.pid = upgrade.detail();
    return 0;
}

// The number of the reply.
int Serve(Memory& memory, Request& request, Answer& answer, Instant now) {
    const InitPacket& packet = request.packet;
    const auto action = static_cast<ShutdownAction>(packet.value);
    switch (packet.type) {
        case InitPacketType::kHello: return Hello(memory, packet.number, answer.packet);
        case InitPacketType::kStore:
            return memory.slots.Store(packet.slot, std::move(request.descriptor));
        case InitPacketType::kFetch: return Fetch(memory.slots, answer);
        case InitPacketType::kDrop: return memory.slots.Drop(packet.slot);
        case InitPacketType::kNextExit: return NextExit(memory.exits, packet.value, answer.packet);
        case InitPacketType::kShutdown:
            if (!IsShutdownAction(packet.value)) return EINVAL;
            memory.shutdown.Begin(action, now);
            return 0;
        case InitPacketType::kShutdownNow:
            if (!IsShutdownAction(packet.value)) return EINVAL;
            memory.shutdown.Finish(action, now);
            return 0;
        case InitPacketType::kWatchdog: return TrustWatchdog(memory, packet, now, answer.packet);
        case InitPacketType::kActions: return SetActions(memory, packet);
        case InitPacketType::kUpgrade: return BeginUpgrade(memory, packet, now);
        case InitPacketType::kUpgradeState: return TellUpgrade(memory.upgrade, answer.packet);
        // These are Pid1's, which has processes and not only memory: here they come out of turn.
        case InitPacketType::kSnapshot:
        case InitPacketType::kProven:
        case InitPacketType::kKeep: return EINVAL;
        case InitPacketType::kExitsPending:
        case InitPacketType::kShutdownWanted: return EINVAL;  // notices of ours
    }
    return EINVAL;  // a number that is none of the types
}

}  // namespace

Answer Handle(Memory& memory, Request request, Instant now) {
    Answer answer;
    // A packet that is too short leaves these at zero.
    answer.packet.type = request.packet.type;
    answer.packet.slot = request.packet.slot;
    if (request.size != sizeof(InitPacket) || request.packet.version != kInitProtocolVersion)
        answer.packet.number = EPROTO;
    else if (request.error != 0)
        answer.packet.number = request.error;
    else
        answer.packet.number = Serve(memory, request, answer, now);
    return answer;
}

}  // namespace husk::init
