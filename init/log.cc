#include "init/log.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace husk::init {
namespace {

// "The log" is the one global that STYLE allows.
struct Sink {
    int descriptor = STDERR_FILENO;
    bool kernel_ring = false;
    bool debug = false;
} sink;

constexpr int kLogDaemon = 3 << 3;  // LOG_DAEMON of syslog(3)

// Without pointers, so that a static-pie program has nothing to relocate.
constexpr char kSignalNames[][5] = {"0",    "HUP",  "INT",  "QUIT", "ILL",  "TRAP", "ABRT", "BUS",
                                    "FPE",  "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
                                    "STKF", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
                                    "XCPU", "XFSZ", "VTAL", "PROF", "WINC", "IO",   "PWR",  "SYS"};

}  // namespace

LogLine& LogLine::Signed(int64_t number) {
    return *this << "-", Unsigned(~static_cast<uint64_t>(number) + 1);
}

LogLine& LogLine::Unsigned(uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return *this << std::string_view(digits + at, sizeof digits - at);
}

LogLine& LogLine::operator<<(Errno error) { return *this << ::strerror(error.code); }

LogLine& LogLine::operator<<(WaitStatus wait) {
    if (!WIFSIGNALED(wait.status))
        return *this << "exited with status " << WEXITSTATUS(wait.status);
    const unsigned signal = static_cast<unsigned>(WTERMSIG(wait.status));
    *this << "was killed by signal " << signal;
    if (signal < sizeof kSignalNames / sizeof kSignalNames[0])
        *this << " (" << kSignalNames[signal] << ")";
    return *this;
}

void OpenLog(bool kernel_ring) {
    const int descriptor =
        kernel_ring ? ::open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY)
                    : ::open("/dev/console", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0) return;  // descriptor 2 stays
    sink.descriptor = descriptor;
    sink.kernel_ring = kernel_ring;
}

void SetDebugLog(bool on) { sink.debug = on; }

void WriteLog(LogLevel level, std::string_view text) {
    if (level == LogLevel::kDebug && !sink.debug) return;
    LogLine line;
    if (sink.kernel_ring) line << "<" << (kLogDaemon | static_cast<int>(level)) << ">";
    line << "husk: " << text;
    char bytes[512];
    std::memcpy(bytes, line.text().data(), line.text().size());
    bytes[line.text().size()] = '\n';
    // A log that cannot be written has nowhere to say so.
    (void)!::write(sink.descriptor, bytes, line.text().size() + 1);
}

}  // namespace husk::init
