// Lines of /proc/self/mountinfo, see proc_pid_mountinfo(5).
#pragma once

#include <cstddef>
#include <cstdint>

#include <optional>
#include <string_view>

namespace husk::init {

struct MountEntry {
    uint64_t id;
    uint64_t parent;          // equals id for the first mount of all, the kernel's own root
    std::string_view target;  // a NUL follows it
    std::string_view type;
};

// Decodes the octal escapes of the target in place, so the line is changed. Nothing for a line that
// is not one of mountinfo's. The views point into the line.
std::optional<MountEntry> ParseMountLine(char* line, size_t size);

// Lines of a file that is read in pieces.
class MountReader {
  public:
    // `descriptor` stays the caller's; `buffer` bounds the longest line, longer ones are left out.
    MountReader(int descriptor, char* buffer, size_t room)
        : descriptor_(descriptor), buffer_(buffer), room_(room) {}
    // The views are good until the next call.
    std::optional<MountEntry> Next();

  private:
    // Moves the rest to the front and reads on; false at the end of the file.
    bool Fill();

    int descriptor_;
    char* buffer_;
    size_t room_;
    size_t begin_ = 0;
    size_t end_ = 0;
    bool in_long_line_ = false;
};

}  // namespace husk::init
