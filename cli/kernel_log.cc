#include "cli/kernel_log.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/text.h"

namespace husk::cli {
namespace {

constexpr size_t kLongestRecord = 8192;  // CONSOLE_EXT_LOG_MAX of the kernel
constexpr int kRecordsAtOnce = 256;

}  // namespace

bool ParseKernelRecord(std::string_view record, const Now& now, LogEntry& entry) {
    const size_t head_end = record.find(';');
    if (head_end == record.npos) return false;
    const auto fields = Split(record.substr(0, head_end), ',');
    if (fields.size() < 3) return false;
    const auto priority = ParseUnsigned(fields[0]), number = ParseUnsigned(fields[1]),
               microseconds = ParseUnsigned(fields[2]);
    constexpr uint64_t kMostMicroseconds = INT64_MAX / 1000;
    if (!priority || !number || !microseconds || *microseconds > kMostMicroseconds) return false;
    entry = {};
    entry.offset = *number;
    entry.priority = static_cast<int>(*priority & 7);
    entry.monotonic = static_cast<int64_t>(*microseconds * 1000);
    const int64_t ago = now.monotonic.since_boot.count() - entry.monotonic;
    entry.realtime = now.realtime - ago;
    const std::string_view text = record.substr(head_end + 1);
    entry.text = text.substr(0, text.find('\n'));
    return true;
}

Result<KernelLog> KernelLog::Open() {
    auto fd = OpenFile("/dev/kmsg", O_RDONLY | O_NONBLOCK);
    if (!fd) return Fail(std::move(fd).error());
    return KernelLog(std::move(*fd));
}

Result<bool> KernelLog::ReadPiece(std::vector<LogEntry>& out) {
    const Now now = ReadClocks();
    for (int i = 0; i < kRecordsAtOnce; ++i) {
        char record[kLongestRecord];
        const ssize_t got = ::read(fd_.get(), record, sizeof record);
        if (got < 0 && errno == EAGAIN) return false;
        if (got < 0 && errno == EPIPE) {  // overwritten before it was read
            LogEntry gap;
            gap.kind = LogEntryKind::kLimited;
            gap.dropped = 0;
            out.push_back(std::move(gap));
            continue;
        }
        if (got < 0 && errno != EINTR && errno != EINVAL)
            return FailErrno("read the kernel's messages");
        LogEntry entry;
        if (got > 0 && ParseKernelRecord({record, static_cast<size_t>(got)}, now, entry))
            out.push_back(std::move(entry));
        if (got == 0) return false;
    }
    return true;
}

}  // namespace husk::cli
