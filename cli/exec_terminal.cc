#include "cli/exec_terminal.h"

#include <cstdlib>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sys.h"
#include "base/text.h"

namespace husk::cli {
namespace {

constexpr long kDevptsMagic = 0x1cd1;  // <linux/magic.h>: DEVPTS_SUPER_MAGIC
constexpr unsigned kMultiplexerMajor = 5, kMultiplexerMinor = 2;
constexpr unsigned long kGetPeer = 0x5441;  // TIOCGPTPEER

Error NoTerminal(std::string_view why) {
    return Error::Because(
        Cat("the container has no terminals ('/dev/pts/ptmx': ", why, "); go without -t"));
}

}  // namespace

Result<ContainerTerminal> OpenContainerTerminal(pid_t main_pid) {
    auto root = OpenFile(Cat("/proc/", std::to_string(main_pid), "/root"), O_PATH | O_DIRECTORY);
    if (!root) return Fail(std::move(root).error().Wrap("the container's root"));
    const OwnedFd found(sys::openat2(
        root->get(), "dev/pts/ptmx",
        {.flags = O_PATH | O_CLOEXEC,
         .resolve = sys::kResolveInRoot | sys::kResolveNoSymlinks | sys::kResolveNoMagicLinks}));
    if (!found) return Fail(NoTerminal(Error::FromErrno("open").text()));
    struct statfs system {};
    struct stat file {};
    if (::fstatfs(found.get(), &system) != 0 || ::fstat(found.get(), &file) != 0)
        return FailErrno("look at '/dev/pts/ptmx' of the container");
    if (static_cast<long>(system.f_type) != kDevptsMagic || !S_ISCHR(file.st_mode) ||
        major(file.st_rdev) != kMultiplexerMajor || minor(file.st_rdev) != kMultiplexerMinor)
        return Fail(NoTerminal("something else lies there"));
    // The very file that was looked at.
    auto relayed = OpenFile(Cat("/proc/self/fd/", std::to_string(found.get())), O_RDWR | O_NOCTTY);
    if (!relayed) return Fail(NoTerminal(relayed.error().text()));
    const int unlocked = 0;
    if (::ioctl(relayed->get(), TIOCSPTLCK, &unlocked) != 0) return FailErrno("unlock a terminal");
    OwnedFd programs(::ioctl(relayed->get(), kGetPeer, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!programs) return FailErrno("open a terminal");
    return ContainerTerminal{std::move(*relayed), std::move(programs)};
}

void CopyWindowSize(int from, int to) {
    winsize size{};
    if (::ioctl(from, TIOCGWINSZ, &size) != 0) return;
    auto fill = [](unsigned short& value, const char* variable, unsigned usual) {
        if (value != 0) return;
        const char* text = ::getenv(variable);
        const auto given = ParseUnsigned(text == nullptr ? "" : text);
        value = static_cast<unsigned short>(given && *given < 10'000 ? *given : usual);
    };
    fill(size.ws_col, "COLUMNS", 80);
    fill(size.ws_row, "LINES", 24);
    (void)::ioctl(to, TIOCSWINSZ, &size);  // the program goes on with what it has
}

Result<RawMode> RawMode::Enter(int terminal) {
    termios before;
    if (::tcgetattr(terminal, &before) != 0) return FailErrno("read the terminal's modes");
    RawMode mode(terminal, before);
    mode.Return();
    return mode;
}

void RawMode::Leave() {
    if (terminal_ >= 0) (void)::tcsetattr(terminal_, TCSADRAIN, &before_);  // it may be gone
}

void RawMode::Return() {
    termios raw = before_;
    ::cfmakeraw(&raw);
    (void)::tcsetattr(terminal_, TCSADRAIN, &raw);
}

}  // namespace husk::cli
