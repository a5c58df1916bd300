// The last words of a unit that crashes, where a reset of the device does not take them along:
// /dev/pmsg0 (pstore, Documentation/admin-guide/ramoops.rst), or where the kernel has none the
// kernel's log, whose end pstore keeps after a panic.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/time.h"

namespace husk::supervisor {

struct CrashLine {
    std::string unit, text;
    int64_t realtime = 0, monotonic = 0;  // nanoseconds
};
// "husk REALTIME MONOTONIC UNIT TEXT\n", with what is no plain text shown as \xNN. Pure.
std::string FormatCrashLine(const CrashLine& line);
// Nothing where it is none: pmsg is a ring of bytes, whose first line is cut, and others write to
// it as well. Pure; any bytes may come.
std::optional<CrashLine> ParseCrashLine(std::string_view line);

class CrashLog {
  public:
    static constexpr size_t kLines = 10;

    // What cannot be opened is done without.
    void Open();
    // At most so many crashes a minute: pstore is small, and memory that wears out at times.
    void Tell(const std::string& unit, std::string_view reason,
              const std::vector<std::string>& last_lines);
    static bool Admit(std::vector<Instant>& told, Instant now);  // pure

  private:
    bool open_ = false;
    OwnedFd pmsg_;
    std::vector<Instant> told_;
};

// At boot: mounts pstore, copies what is there to STATE/pstore/N (the newest few stay) and removes
// it, so that the next crash has room. Doing it again changes nothing.
Status CollectPstore(const std::string& state_directory);

// The folder with what the boot of that id found; "": nothing.
std::string PstoreOf(const std::string& state_directory, std::string_view boot);
std::string ThisBoot();  // its id

inline constexpr const char* kPstoreFolder = "/sys/fs/pstore";
// In each of those folders: the id of the boot that it was found in, the one after the crash.
inline constexpr const char* kFoundInBoot = "found-in-boot";

}  // namespace husk::supervisor
