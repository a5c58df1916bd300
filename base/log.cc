#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "base/text.h"

namespace husk {
namespace {

// The only globals of the program.
struct Sink {
    std::string_view role = "husk";
    LogLevel most = LogLevel::kInfo;
    int kernel = -1;
} sink;

}  // namespace

void StartLog(std::string_view role, LogLevel most) {
    sink.role = role;
    sink.most = most;
}

void LogToKernel() { sink.kernel = ::open("/dev/kmsg", O_WRONLY | O_CLOEXEC); }

void Log(LogLevel level, std::string_view text) {
    if (level > sink.most) return;
    std::string line = Cat(sink.role, ": ", text, "\n");
    // A log that cannot be written has nowhere to say so.
    if (sink.kernel >= 0) {
        line.insert(0, Cat("<", std::to_string(3 * 8 + static_cast<int>(level)), ">"));
        (void)!::write(sink.kernel, line.data(), line.size());
    } else {
        (void)!::write(STDERR_FILENO, line.data(), line.size());
    }
}

void internal::Log(LogLevel level, unsigned kinds, ...) {
    va_list parts;
    va_start(parts, kinds);
    husk::Log(level, ConcatenateParts(kinds, parts));
    va_end(parts);
}

}  // namespace husk
