// Descriptors that a container has sent. What they lead to is the container's choice, and so is how
// long a close(2) of the last one takes (SO_LINGER on a socket, also on one that waits inside
// another; a file of its own FUSE server at any close), so that closing them is left to a child
// which shares the supervisor's table of descriptors and does nothing else.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"

namespace husk::supervisor {

// What a descriptor leads to, of what matters to whether it can be kept.
struct DescriptorKind {
    mode_t type = 0;             // S_IFMT of it; 0: an anonymous inode, such as an eventfd
    long file_system = 0;        // statfs(2)
    std::string_view link = {};  // of /proc/self/fd
};
DescriptorKind KindOf(int fd, std::string& link);
// Nothing: PID 1 can keep it, and close it without waiting for anybody while the supervisor has it
// too. Otherwise what it is: "a device node".
std::string_view WhyNotKept(const DescriptorKind& kind);
// It says when its other side is gone (EPOLLHUP), and watching it costs the supervisor nothing.
bool CanHangUp(const DescriptorKind& kind);

// Whether two descriptors are the same open file (kcmp(2)).
bool IsSameFile(int a, int b);

class ForeignCloser {
  public:
    // `idle` is called from the loop when everything has been closed.
    ForeignCloser(EventLoop& loop, std::function<void()> idle)
        : loop_(loop), idle_(std::move(idle)) {}
    ~ForeignCloser();
    ForeignCloser(const ForeignCloser&) = delete;
    ForeignCloser& operator=(const ForeignCloser&) = delete;

    // Pipes are closed at once: nobody makes that wait.
    void Close(std::vector<OwnedFd> descriptors);
    void Close(OwnedFd descriptor);
    bool IsBusy() const { return static_cast<bool>(child_); }

  private:
    void Begin();
    void OnChildGone();

    EventLoop& loop_;
    std::function<void()> idle_;
    std::vector<int> waiting_;
    OwnedFd child_;  // pidfd
};

}  // namespace husk::supervisor
