// PID 1's state as a file in memory, for the binary that it executes in its own place.
//
// A fixed struct, and the slots behind it. Whoever changes a member of it, or one of the classes
// that it is made of, gives it another version (base/init_protocol.h): a binary takes over from its
// own version only, and says so in its rehearsal, before anything is touched.
#pragma once

#include <cstdint>
#include <sys/resource.h>
#include <sys/types.h>

#include <type_traits>

#include "base/fd.h"
#include "init/requests.h"

namespace husk::init {

// Of SupervisorProcess and ConsoleProcess: what their next image needs.
struct KeptSupervisor {
    int32_t pid = 0, socket = -1, starts = 0;
    uint32_t early_deaths = 0;
    Instant started{}, next_start{}, end_at{};
    uint64_t on_trial = 0;
};
struct KeptConsole {
    int64_t pid = 0;
    Instant next_start{};
};

// What PID 1 has besides Memory.
struct KeptProcess {
    char name[16] = {};  // prctl(2), PR_GET_NAME
    rlimit first_descriptor_limit{};
    uint64_t crash_action = 0;
    KeptSupervisor supervisor;
    KeptConsole console;
};

struct Handover {
    char magic[8];
    uint32_t version, slots;  // KeptSlots behind this
    KeptProcess process;
    // Of Memory, but for its slots.
    ExitRing exits;
    ShutdownState shutdown;
    Watchdog watchdog;
    Upgrade upgrade;
    uint64_t burst_is_one, burst_action;
    int64_t supervisor_starts;
    Instant began;
};
// Where one of these fails, kHandoverVersion is to grow.
static_assert(std::is_trivially_copyable_v<Handover>);
static_assert(sizeof(ExitRing) == 16392 || sizeof(long) != 8);
static_assert(sizeof(ShutdownState) == 24 || sizeof(long) != 8);
static_assert(sizeof(Watchdog) == 48 || sizeof(long) != 8);
static_assert(sizeof(Upgrade) == 24 || sizeof(long) != 8);
static_assert(sizeof(Handover) == 16640 || sizeof(long) != 8);

struct KeptSlot {
    uint32_t slot = 0;
    int32_t descriptor = -1;
};

// A sealed memory file. Empty and errno where there can be none.
OwnedFd WriteHandover(const KeptProcess& process, const Memory& memory);
// The opposite. False where it is no such file, or one of another version; nothing is changed then.
// The descriptors are taken as they are written: whether they are open is the caller's to see.
bool ReadHandover(int file, KeptProcess& process, Memory& memory);

}  // namespace husk::init
