// What the supervisor knows of one unit, as a file on tmpfs from which the next supervisor goes on.
// Written whole and renamed into place, one per unit. Whoever reads one checks it against /proc and
// the cgroup: it may be older than what it tells of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/rare.h"
#include "base/time.h"
#include "supervisor/activation.h"
#include "supervisor/boot_times.h"
#include "supervisor/health.h"
#include "supervisor/job.h"
#include "supervisor/key_changes.h"
#include "supervisor/lifecycle.h"

namespace husk::supervisor {

inline constexpr int kRecordVersion = 2;
inline constexpr size_t kMaxRecordSize = 1024 * 1024;  // bytes
inline constexpr size_t kMaxHistory = 32;
inline constexpr size_t kMaxRecordImages = 128;
inline constexpr size_t kMaxRecordKeys = 512;
inline constexpr size_t kMaxRecordStored = 512;
inline constexpr int kNoSlot = -1;

struct HistoryEntry {
    Instant at{};
    int64_t realtime = 0;  // nanoseconds since 1970
    std::string text;
    friend bool operator==(const HistoryEntry&, const HistoryEntry&) = default;
};

// FDSTORE=1: a descriptor of the program's that is kept for its next start.
struct StoredDescriptor {
    int slot = kNoSlot;
    std::string name;
    bool poll = false;  // it goes when its other side is gone
    friend bool operator==(const StoredDescriptor&, const StoredDescriptor&) = default;
};

struct Record {
    std::string unit;
    Life life;
    std::string cgroup;            // path below the cgroup mount; empty = none
    uint64_t main_start_time = 0;  // ProcessStartTime() of life.main_pid: tells a reused pid
    // Of the command of Exec…= that runs; 0: none.
    pid_t command_pid = 0;
    uint32_t id_range_base = 0;  // first host uid and gid of its user namespace, 0 = none
    uint64_t command_start_time = 0;
    Text command_cgroup;
    int log_text_slot = kNoSlot;  // PID 1's slots (base/init_protocol.h)
    int log_marks_slot = kNoSlot;
    int log_pipe_slot = kNoSlot;
    int notify_slot = kNoSlot;   // the notify socket
    int network_slot = kNoSlot;  // its network namespace
    int ready_slot = kNoSlot;    // NotifyFd=: our end of the pipe, until it is ready
    List<StoredDescriptor> stored;
    Text status_text;              // STATUS= of the program, plain and short
    int status_errno = 0;          // ERRNO=
    JobKind job = JobKind::kNone;  // kStop, kRestart: waits for its turn (jobs.h)
    Health health;
    uint64_t oom_kills_before = 0;  // memory.events' oom_kill when this run was launched
    // What it was launched with last; empty before that, and where a person stopped it. In the file
    // by name: a name that this husk does not know becomes kUnknownKey.
    KeyDigests keys;
    List<std::string> images;  // where those lie that it uses (rootfs::ImageStore)
    Text job_why;
    Text trigger;  // "UNIT@TIME": the end of another unit that started it last (OnFailure=)
    StartTimes first_start;      // since boot
    Activation activation;       // [Timer] and [Socket]
    List<HistoryEntry> history;  // oldest first, the newest kMaxHistory

    void Remember(HistoryEntry entry);
};

// Long texts are cut, so that the result is never over kMaxRecordSize.
std::string Serialize(const Record& record);
// An unknown version, a missing or misplaced value and anything out of range is an error: a unit
// that is not adopted is ended and started anew, which is better than to go on from damage.
Result<Record> ParseRecord(std::string_view text);

// Field 22 of /proc/PID/stat, in clock ticks since boot (proc(5)): together with the pid it names a
// process, since pids are used again.
Result<uint64_t> ProcessStartTime(pid_t pid);
// The same from the file's text. The second field is the program's name in parentheses, which may
// hold blanks, parentheses and newlines itself, and is the container's choice.
Result<uint64_t> StartTimeOfStat(std::string_view stat);

// Whether a process has pid 2 in a PID namespace right below /proc's: "NSpid" of /proc/PID/status.
bool IsSecondOfNamespace(std::string_view status);

}  // namespace husk::supervisor
