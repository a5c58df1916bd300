// Whole files, with limits.
#pragma once

#include <cstddef>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace husk {

// open(2) with O_CLOEXEC; the error names the path.
Result<OwnedFd> OpenFile(const std::string& path, int flags, unsigned mode = 0);
Result<OwnedFd> OpenFileAt(int directory, const std::string& path, int flags, unsigned mode = 0);
// For reading what somebody else may have put there, from a descriptor of O_PATH: nothing but a
// regular file is opened, since opening a pipe waits for its other end, and opening a device does
// something (a watchdog is armed by it). `name` is for the error.
Result<OwnedFd> OpenRegularFile(const OwnedFd& at, std::string_view name);

// Reads the file to its end; over `limit` bytes is an error that says so (code EFBIG).
Result<std::string> ReadFile(const std::string& path, size_t limit);
Result<std::string> ReadFileAt(int directory, const std::string& path, size_t limit);
Result<std::string> ReadAll(int fd, size_t limit, std::string_view name);

// Writes all of `data`, going on after short writes and EINTR.
Status WriteAll(int fd, std::string_view data, std::string_view name);
// One write(2) to a file that exists: for cgroup, proc and sysfs attributes.
Status WriteAttribute(const std::string& path, std::string_view value);
Status WriteAttributeAt(int directory, const std::string& name, std::string_view value);
// The first line of a small file of the kernel's; empty where it cannot be read.
std::string ReadAttribute(const std::string& path);
// Written whole beside `path` and renamed over it; no partial file is ever seen.
Status WriteFileAtomically(const std::string& path, std::string_view data, unsigned mode = 0644);
// The same for an absolute path, and on disk before it returns.
Status WriteFileDurably(const std::string& path, std::string_view data, unsigned mode = 0644);

// mkdir -p; existing directories are fine.
Status MakeDirectories(const std::string& path, unsigned mode = 0755);
// A symbolic link to `target`, with its folders. Another link there is replaced, whatever else is
// there is EEXIST.
Status MakeLink(const std::string& path, const std::string& target);
// Whether another file system than its parent's lies at `path`.
bool IsMountPoint(const std::string& path);
// Whatever lies at `path`, a directory with all that is in it; links are not followed. Nothing
// there is fine.
Status RemoveTree(const std::string& path);
// fsync(2) of a directory: what was made, renamed or removed in it is on disk.
Status SyncDirectory(const std::string& path);
// Names in a directory, sorted, without "." and "..".
Result<std::vector<std::string>> ListDirectory(const std::string& path);

}  // namespace husk
