// Kernel attributes and links, with buffers of the caller.
#pragma once

#include <cstddef>

#include <string_view>

namespace husk::init {

// What one read(2) gives, up to `room` bytes; empty where it fails. A newline at the end is cut
// off.
std::string_view ReadSmallFile(const char* path, char* buffer, size_t room);
// readlink(2); empty where it fails.
std::string_view ReadLink(const char* path, char* buffer, size_t room);
// One write(2) to a file that exists. 0 or an errno.
int WriteSmallFile(const char* path, std::string_view text);

}  // namespace husk::init
