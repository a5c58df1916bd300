// Asks a directory tree what it has at a path, as a process whose root it is would see it.
#pragma once

#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "rootfs/tree.h"

namespace husk::rootfs {

// The root of an image or directory, open for questions. All paths are resolved with
// openat2(RESOLVE_IN_ROOT), so that no link in it leads out of it.
class Tree {
  public:
    static Result<Tree> Open(const std::string& path);

    PathFact LookUp(const std::string& path) const;
    // A small regular file's text; empty where there is none.
    Result<std::string> ReadText(const std::string& path, size_t limit) const;

  private:
    Tree(OwnedFd root, std::string real_path)
        : root_(std::move(root)), path_(std::move(real_path)) {}

    OwnedFd root_;
    std::string path_;  // canonical
};

}  // namespace husk::rootfs
