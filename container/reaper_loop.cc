// Held to the same list of symbols as child.cc.
#include <cerrno>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/reaper.h"

namespace husk::container {
namespace {

constexpr size_t kMostRanges = 128;  // on the stack; more stay
constexpr int kBroken = 255;         // a filter that lies

// "husk-init:15"
void NameSignal(int signal) {
    char name[sizeof kReaperName + 4];
    size_t at = 0;
    for (const char* from = kReaperName; *from != '\0'; ++from) name[at++] = *from;
    name[at++] = ':';
    if (signal >= 10) name[at++] = static_cast<char>('0' + signal / 10 % 10);
    name[at++] = static_cast<char>('0' + signal % 10);
    name[at] = '\0';
    (void)::prctl(PR_SET_NAME, name, 0, 0, 0);
}

[[noreturn]] void EndAs(int status) {
    if (!WIFSIGNALED(status)) ::_exit(WEXITSTATUS(status));
    NameSignal(WTERMSIG(status));
    ::_exit(kReaperSignalBase + WTERMSIG(status));
}

void CollectChildren(pid_t program) {
    for (;;) {
        int status = 0;
        const long gone = ::syscall(SYS_wait4, -1, &status, WNOHANG, nullptr);
        if (gone <= 0) return;
        if (gone == program) EndAs(status);
    }
}

void Forget(const MemoryRange* heap, size_t count, MemoryRange arguments) {
    // The list is in what it names.
    MemoryRange ranges[kMostRanges];
    if (count > kMostRanges) count = kMostRanges;
    for (size_t i = 0; i < count; ++i) ranges[i] = heap[i];
    auto* letters = reinterpret_cast<volatile char*>(arguments.begin);
    for (size_t i = 0; i < arguments.size; ++i)
        letters[i] = i < sizeof kReaperName ? kReaperName[i] : '\0';
    for (size_t i = 0; i < count; ++i) (void)::syscall(SYS_munmap, ranges[i].begin, ranges[i].size);
}

}  // namespace

void Reap(pid_t program, const MemoryRange* heap, size_t heap_count, MemoryRange arguments) {
    (void)::prctl(PR_SET_NAME, kReaperName, 0, 0, 0);
    Forget(heap, heap_count, arguments);
    const uint64_t all = ~uint64_t{0};
    for (;;) {
        const long signal = ::syscall(SYS_rt_sigtimedwait, &all, nullptr, nullptr, sizeof all);
        if (signal == SIGCHLD)
            CollectChildren(program);
        else if (signal > 0)
            (void)::syscall(SYS_kill, program, signal);  // it may be gone: its SIGCHLD comes
        else if (errno != EINTR && errno != EAGAIN)
            ::_exit(kBroken);
    }
}

}  // namespace husk::container
