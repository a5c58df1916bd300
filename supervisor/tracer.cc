#include "supervisor/tracer.h"

#include <climits>
#include <poll.h>
#include <signal.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/text.h"
#include "supervisor/notify_sender.h"
#include "supervisor/process_stat.h"

namespace husk::supervisor {
namespace {

constexpr size_t kMostText = 64 << 10;

std::string ReadOf(pid_t pid, std::string_view name) {
    return ReadFile(Cat("/proc/", std::to_string(pid), "/", name), kMostText).value_or("");
}

}  // namespace

pid_t PidInStatus(std::string_view status, std::string_view field) {
    const auto number = ParseUnsigned(StatusField(status, field));
    return number && *number <= INT_MAX ? static_cast<pid_t>(*number) : 0;
}

bool HasEnded(int pidfd) {
    pollfd end{.fd = pidfd, .events = POLLIN, .revents = 0};
    return ::poll(&end, 1, 0) == 1 && (end.revents & POLLIN) != 0;
}

void EndTracer(pid_t pid, std::string_view leaf) {
    const pid_t thread = PidInStatus(ReadOf(pid, "status"), "TracerPid:");
    if (thread <= 0) return;
    const pid_t tracer = PidInStatus(ReadOf(thread, "status"), "Tgid:");
    if (tracer <= 0) return;
    // Held before it is looked at, so that what is killed is what was seen.
    const OwnedFd handle(sys::pidfd_open(tracer));
    if (!handle || !IsInLeaf(ReadOf(tracer, "cgroup"), LeafPath(leaf))) return;
    LogWarning("process ", std::to_string(tracer), " of ", Quote(LeafPath(leaf)),
               " is killed: it traces process ", std::to_string(pid),
               ", which has ended, and does not wait for it");
    (void)sys::pidfd_send_signal(handle.get(), SIGKILL);  // gone meanwhile is as good
}

}  // namespace husk::supervisor
