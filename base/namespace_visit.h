// The calling thread in a namespace of another process, for as long as the object lives (setns(2)).
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

namespace husk {

class NamespaceVisit {
  public:
    // CLONE_NEWNET or CLONE_NEWPID; `target` is a namespace, or the pidfd of who is in it.
    static Result<NamespaceVisit> Enter(int target, int kind) {
        const bool network = kind == CLONE_NEWNET;
        auto home = OpenFile(network ? "/proc/self/ns/net" : "/proc/self/ns/pid", O_RDONLY);
        if (!home) return Fail(std::move(home).error());
        if (::setns(target, kind) != 0)
            return FailErrno(network ? "join the network namespace" : "join the pid namespace");
        return NamespaceVisit(std::move(*home), kind);
    }
    NamespaceVisit(NamespaceVisit&&) = default;
    ~NamespaceVisit() {
        // Staying in a container's network would be silent and wrong; the supervisor is crash-only.
        if (home_ && ::setns(home_.get(), kind_) != 0) ::_exit(1);
    }

  private:
    NamespaceVisit(OwnedFd home, int kind) : home_(std::move(home)), kind_(kind) {}
    OwnedFd home_;
    int kind_;
};

}  // namespace husk
