#include "container/reaper.h"

#include <cerrno>
#include <sys/wait.h>

#include <algorithm>

#include "base/file.h"
#include "base/text.h"

namespace husk::container {
namespace {

constexpr size_t kMapsLimit = 1 << 20;
constexpr int kLastSignal = 64;
constexpr size_t kArgumentsBegin = 45;  // of the fields behind the name: the 48th of all (proc(5))

std::optional<uintptr_t> Hexadecimal(std::string_view text) {
    uintptr_t value = 0;
    if (text.empty() || text.size() > 2 * sizeof value) return std::nullopt;
    for (const char c : text) {
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return std::nullopt;
        value = value << 4 | static_cast<uintptr_t>(digit);
    }
    return value;
}

// "7f00-7f10 rw-p 00000000 00:00 0 [heap]": writable memory of no file.
std::optional<MemoryRange> AllocatedIn(std::string_view line) {
    const auto words = SplitWords(line);
    if (words.size() < 5 || !words[1].starts_with("rw") || words[4] != "0") return std::nullopt;
    if (words.size() > 5 && words[5] != "[heap]" && !words[5].starts_with("[anon:"))
        return std::nullopt;
    const auto dash = words[0].find('-');
    if (dash == words[0].npos) return std::nullopt;
    const auto begin = Hexadecimal(words[0].substr(0, dash));
    const auto end = Hexadecimal(words[0].substr(dash + 1));
    if (!begin || !end || *end <= *begin) return std::nullopt;
    return MemoryRange{*begin, *end - *begin};
}

// Behind the name, which may hold anything: the last parenthesis ends it.
std::vector<std::string_view> FieldsBehindName(std::string_view stat) {
    const auto close = stat.rfind(')');
    return close == stat.npos ? std::vector<std::string_view>()
                              : SplitWords(stat.substr(close + 1));
}

}  // namespace

ReaperMemory FindReaperMemory(std::string_view maps, std::string_view stat,
                              const std::vector<uintptr_t>& kept) {
    ReaperMemory memory;
    for (auto line : Split(maps, '\n')) {
        const auto range = AllocatedIn(line);
        if (!range) continue;
        if (std::ranges::none_of(kept, [&](uintptr_t address) {
                return address >= range->begin && address - range->begin < range->size;
            }))
            memory.heap.push_back(*range);
    }
    const auto fields = FieldsBehindName(stat);
    if (fields.size() <= kArgumentsBegin + 1) return memory;
    const auto begin = ParseUnsigned(fields[kArgumentsBegin]);
    const auto end = ParseUnsigned(fields[kArgumentsBegin + 1]);
    if (begin && end && *begin != 0 && *end > *begin) memory.arguments = {*begin, *end - *begin};
    return memory;
}

ReaperMemory ReadReaperMemory() {
    const auto maps = ReadFile("/proc/self/maps", kMapsLimit);
    const auto stat = ReadFile("/proc/self/stat", kMapsLimit);
    // What its loop needs beside its code: the stack, and the thread's own (errno, the canary).
    return FindReaperMemory(maps.value_or(""), stat.value_or(""),
                            {reinterpret_cast<uintptr_t>(&errno),
                             reinterpret_cast<uintptr_t>(__builtin_thread_pointer()),
                             reinterpret_cast<uintptr_t>(__builtin_frame_address(0))});
}

int ProgramStatus(int wait_status, std::string_view stat) {
    if (!WIFEXITED(wait_status)) return wait_status;
    const int signal = WEXITSTATUS(wait_status) - kReaperSignalBase;
    if (signal <= 0 || signal > kLastSignal) return wait_status;
    if (stat.empty()) return signal;
    return stat.contains(Cat("(", kReaperName, ":", std::to_string(signal), ")")) ? signal
                                                                                  : wait_status;
}

}  // namespace husk::container
