// RunInit=: the first process of a container, which starts the program and stays as its parent.
//
// It is the child of a launch that has forked and executes nothing: no program of ours has to be in
// the container, and nothing is loaded. It has the rights of the program, its filter too, forwards
// signals, reaps, and ends as the program did. Its memory is a copy of the supervisor's, so it
// drops what that allocated, and never becomes dumpable: the container can neither trace it nor
// look at what it had (/proc/1/exe, /proc/1/fd and /proc/1/maps are closed to it).
#pragma once

#include <cstddef>
#include <cstdint>
#include <sys/types.h>

#include <string_view>
#include <vector>

namespace husk::container {

struct MemoryRange {
    uintptr_t begin = 0, size = 0;
    friend bool operator==(const MemoryRange&, const MemoryRange&) = default;
};

// What the fork is to know of the supervisor's memory.
struct ReaperMemory {
    std::vector<MemoryRange> heap;  // dropped
    MemoryRange arguments;          // what /proc/PID/cmdline shows; overwritten
};
// Pure, of the texts of /proc/self/maps and /proc/self/stat: what was allocated, but for the ranges
// that hold one of `kept`.
ReaperMemory FindReaperMemory(std::string_view maps, std::string_view stat,
                              const std::vector<uintptr_t>& kept);
// Of this process. What cannot be read stays.
ReaperMemory ReadReaperMemory();

// The system calls that it makes under the container's filter.
inline constexpr const char* kReaperCalls[] = {"exit_group",      "kill", "munmap", "prctl",
                                               "rt_sigtimedwait", "wait4"};

// Its name in /proc/PID/comm; with ":N" behind it when it ends because signal N ended the program,
// which a first process of a PID namespace cannot do to itself. The exit code is 128+N then.
inline constexpr const char kReaperName[] = "husk-init";
inline constexpr int kReaperSignalBase = 128;

// What ended the program, as a wait status, from the reaper's own. `stat` is the text of
// /proc/PID/stat of the zombie; empty where it is gone: a code of 128+N then is taken for the
// signal, as a shell would.
int ProgramStatus(int wait_status, std::string_view stat);

// In the child (reaper_loop.cc): system calls only. All signals are blocked, descriptors closed.
[[noreturn]] void Reap(pid_t program, const MemoryRange* heap, size_t heap_count,
                       MemoryRange arguments);

}  // namespace husk::container
