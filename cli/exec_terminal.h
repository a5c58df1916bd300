// The two terminals of `husk exec -t`: the caller's, and one of the container's own.
#pragma once

#include <sys/types.h>
#include <termios.h>

#include "base/error.h"
#include "base/fd.h"

namespace husk::cli {

// A new terminal of the devpts that the process sees: the side that is relayed, and the program's.
struct ContainerTerminal {
    OwnedFd relayed, programs;
};
// Nothing that the container has put in the way is opened: no link is followed out of its root, and
// what is found has to be the multiplexer of a devpts.
Result<ContainerTerminal> OpenContainerTerminal(pid_t main_pid);

// Window size of `from`, where it has one (a serial line has none), to `to`.
void CopyWindowSize(int from, int to);

// The caller's terminal, raw for as long as this lives: keys go to the program as they are.
class RawMode {
  public:
    static Result<RawMode> Enter(int terminal);
    RawMode(RawMode&& other) noexcept : terminal_(other.terminal_), before_(other.before_) {
        other.terminal_ = -1;
    }
    RawMode& operator=(RawMode&&) = delete;
    ~RawMode() { Leave(); }

    void Leave();
    void Return();  // to raw mode, after Leave()

  private:
    RawMode(int terminal, const termios& before) : terminal_(terminal), before_(before) {}
    int terminal_ = -1;
    termios before_;
};

}  // namespace husk::cli
