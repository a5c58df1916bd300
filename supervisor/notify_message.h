// What a container says on its notify socket (sd_notify(3)): one datagram of KEY=VALUE lines. Every
// byte of it is the container's choice.
//
// Read as systemd's PID 1 does: of two lines with the same key the first holds, of READY, RELOADING
// and STOPPING the last; lines without '=', with an unknown key or a value that cannot be read are
// passed over.
#pragma once

#include <cstddef>
#include <cstdint>

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace husk::supervisor {

inline constexpr size_t kMaxNotifyMessage = 4096;     // bytes; a longer one is passed over whole
inline constexpr size_t kMaxStatusText = 512;         // bytes of STATUS= that are kept
inline constexpr size_t kMaxDescriptorName = 255;     // FDNAME_MAX of systemd
inline constexpr const char* kStoredName = "stored";  // of a descriptor without FDNAME=

struct NotifyMessage {
    enum class State : uint8_t { kNone, kReady, kReloading, kStopping };
    enum class Store : uint8_t { kNone, kAdd, kRemove };
    enum class Watchdog : uint8_t { kNone, kAlive, kTrigger };

    State state = State::kNone;
    std::optional<uint64_t> monotonic_usec;  // by the container's own clock
    // Cleaned: one line of plain UTF-8, at most kMaxStatusText bytes. Empty: the last one goes.
    std::optional<std::string> status;
    std::optional<int> error_number;  // ERRNO=
    Watchdog watchdog = Watchdog::kNone;
    std::optional<Duration> watchdog_interval;  // WATCHDOG_USEC=
    std::optional<Duration> extend_timeout;     // EXTEND_TIMEOUT_USEC=
    Store store = Store::kNone;
    std::optional<std::string> descriptor_name;  // FDNAME=, where it is a valid one
    bool poll_descriptors = true;                // no FDPOLL=0
    // BARRIER=1: says that everything before it has been read, by closing the one descriptor that
    // comes along. A message that has it says nothing else.
    bool barrier = false;
    // MAINPID= and its kin, NOTIFYACCESS=: which process is the main one, and whose word counts, is
    // the unit file's and the kernel's to say.
    bool asks_refused = false;

    bool operator==(const NotifyMessage&) const = default;
};

// Nothing: it is empty, longer than kMaxNotifyMessage or has a NUL before its end, and is passed
// over.
std::optional<NotifyMessage> ParseNotifyMessage(std::string_view datagram);

// Printable ASCII without ':', since LISTEN_FDNAMES is a list with colons; 1 to kMaxDescriptorName
// bytes.
bool IsDescriptorName(std::string_view name);

// For people: control characters and what is no UTF-8 become '?', and what is over `most` bytes is
// cut between two characters.
std::string PlainLine(std::string_view text, size_t most);

}  // namespace husk::supervisor
