// What PID 1 and the supervisor say to each other, on one SOCK_SEQPACKET pair.
//
// PID 1 is the memory of the supervisor, which may die at any time: it keeps descriptors in
// numbered slots, the exits of processes that it reaped, and whether the system is going down. A
// new supervisor asks for what it needs (pull), so PID 1 queues nothing and never blocks. Which
// slot holds what is the supervisor's business: it stands in the units' records.
//
// Each request is one packet and has one reply packet of the same type; PID 1 also sends notices,
// at any time. A packet is one Packet; a descriptor rides as SCM_RIGHTS.
#pragma once

#include <cstdint>

namespace husk {

inline constexpr uint32_t kInitProtocolVersion = 1;
// Of PID 1's state as it hands it to its next image (init/handover.h); stands in the binary's note.
inline constexpr uint32_t kHandoverVersion = 2;
inline constexpr uint32_t kDescriptorSlots = 65536;
inline constexpr uint32_t kRememberedExits = 1024;

// Slots that PID 1 itself looks into.
inline constexpr uint32_t kWatchdogSlot = 0;     // the hardware watchdog, as /dev/watchdog0
inline constexpr uint32_t kResetReasonSlot = 1;  // a file for why it was not fed any more
inline constexpr uint32_t kBinarySlot = 2;       // the next husk, for kUpgrade
inline constexpr uint32_t kConsoleSlot = 3;      // the terminal that the console program runs on
inline constexpr uint32_t kFirstFreeSlot = 4;
// Behind the reason, in what both log: what storage keeps of the kernel's log is searched for it.
inline constexpr const char* kNotFed = ": the hardware watchdog is not fed any more";

// The supervisor is started as `husk supervise --init-socket=FD`.
inline constexpr const char* kInitSocketOption = "--init-socket=";

enum class InitPacketType : uint32_t {
    // Requests of the supervisor. A reply has the request's type and `number` 0 or an errno.
    kHello = 1,        // number = protocol version; reply.value = ShutdownAction so far, 0 = none,
                       // reply.pid = how often the supervisor was started (1 = first boot),
                       // reply.time = when PID 1 began
    kStore = 2,        // slot + descriptor; EBUSY where the slot is taken
    kFetch = 3,        // slot; the reply carries a duplicate; ENOENT where it is empty
    kDrop = 4,         // slot; closes it
    kNextExit = 5,     // value = sequence number; reply: the first remembered exit at or after it
                       // (value, pid, status, time), or ENOENT
    kShutdown = 6,     // value = ShutdownAction. Noted; PID 1 arms its own limit from here on
    kShutdownNow = 7,  // value = ShutdownAction: all units are stopped, finish it
    kWatchdog = 8,  // time = for how long (ns) what is in kWatchdogSlot is fed from here on, 0: no
                    // more; value = ns between two feeds; number = its timeout (s) once the
                    // device goes down, 0: as it is; reply.status = 1 where the word before had
                    // become too old
    kActions = 9,   // value = ShutdownAction where PID 1 crashes (kNone: a reboot), number = the
                    // one for a burst of Ctrl-Alt-Del (kNone: it is no more than one). The
                    // console program, which waits for kConsoleSlot, starts now
    // Upgrade in place (init/upgrade.h): the supervisor has looked at the binary in kBinarySlot.
    kSnapshot = 10,      // reply: a file with PID 1's state, for a rehearsal by that binary
    kUpgrade = 11,       // time = the limit (ns) for the new supervisor. This one is ended for it
    kProven = 12,        // of the new supervisor: it has shown that it works. PID 1 executes the
                         // binary, whose first word is the reply: number = 0, or why it could not
    kKeep = 13,          // the next request behind that reply, or the old PID 1 comes back
    kUpgradeState = 14,  // reply.value = UpgradePhase; where it failed, reply.status =
                         // UpgradeFailure and reply.pid = more about it
    // Notices of PID 1, without a reply.
    kExitsPending = 32,    // value = newest sequence number: ask with kNextExit
    kShutdownWanted = 33,  // value = ShutdownAction: Ctrl-Alt-Del, or a signal to PID 1
};

enum class ShutdownAction : uint64_t {
    kNone = 0,
    kPoweroff = 1,
    kReboot = 2,
    kHalt = 3,
    kKexec = 4
};

enum class UpgradePhase : uint32_t {
    kNone = 0,
    kSupervisor = 1,  // a supervisor of the new binary has to prove itself
    kInit = 2,        // PID 1 has
    kDone = 3,        // the last one
    kFailed = 4,
};
enum class UpgradeFailure : uint32_t {
    kNone = 0,
    kSupervisorEnded = 1,   // as waitpid(2) gives it
    kSupervisorSilent = 2,  // until the limit
    kCannotExecute = 3,     // errno
    kInitCrashed = 4,       // signal
    kInitSilent = 5,
    kInitRefused = 6,     // it could not take over, and said so
    kSupervisorLost = 7,  // while PID 1 was to prove itself
    kShutdown = 8,        // the system goes down
};

struct InitPacket {
    uint32_t version = kInitProtocolVersion;
    InitPacketType type{};
    uint32_t slot = 0;
    int32_t number = 0;  // errno of a reply; version of kHello
    uint64_t value = 0;
    int32_t pid = 0;
    int32_t status = 0;  // as waitpid(2) gives it
    int64_t time = 0;    // CLOCK_MONOTONIC nanoseconds when it was reaped; of a
                         // reply to kHello, when PID 1 began; of kWatchdog and kUpgrade a span
};
static_assert(sizeof(InitPacket) == 40);

}  // namespace husk
