#include "supervisor/notify_message.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/utf8.h"

namespace husk::supervisor {
namespace {

// Nothing where it is no number, or more microseconds than a Duration holds.
std::optional<Duration> ParseMicroseconds(std::string_view text) {
    const auto number = ParseUnsigned(text);
    constexpr uint64_t kMost = static_cast<uint64_t>(INT64_MAX) / 1000;
    if (!number || *number > kMost) return std::nullopt;
    return std::chrono::microseconds(static_cast<int64_t>(*number));
}

// The lines of a message, empty ones left out.
class Lines {
  public:
    explicit Lines(std::string_view text) : rest_(text) {}
    bool Next(std::string_view& line) {
        constexpr std::string_view kBreaks = "\n\r";
        rest_.remove_prefix(std::min(rest_.find_first_not_of(kBreaks), rest_.size()));
        if (rest_.empty()) return false;
        line = rest_.substr(0, rest_.find_first_of(kBreaks));
        rest_.remove_prefix(line.size());
        return true;
    }

  private:
    std::string_view rest_;
};

// Keys of which the first line holds.
enum Key : uint8_t {
    kBarrier,
    kDescriptorName,
    kErrorNumber,
    kExtendTimeout,
    kMonotonicTime,
    kStatus,
    kWatchdog,
    kWatchdogTime,
    kKeys
};
constexpr std::string_view kKeyNames[kKeys] = {
    "BARRIER",        "FDNAME", "ERRNO",    "EXTEND_TIMEOUT_USEC",
    "MONOTONIC_USEC", "STATUS", "WATCHDOG", "WATCHDOG_USEC"};
constexpr std::string_view kRefused[] = {"MAINPID", "MAINPIDFDID", "MAINPIDFD", "NOTIFYACCESS"};

void TakeValue(Key key, std::string_view value, NotifyMessage& message) {
    switch (key) {
        case kBarrier:
        case kKeys: return;
        case kDescriptorName:
            if (IsDescriptorName(value)) message.descriptor_name = value;
            return;
        case kErrorNumber:
            // The kernel's numbers end at 4095 (MAX_ERRNO).
            if (const auto number = ParseUnsigned(value); number && *number <= 4095)
                message.error_number = static_cast<int>(*number);
            return;
        case kExtendTimeout: message.extend_timeout = ParseMicroseconds(value); return;
        case kMonotonicTime: message.monotonic_usec = ParseUnsigned(value); return;
        case kStatus: message.status = PlainLine(value, kMaxStatusText); return;
        case kWatchdog:
            if (value == "1") message.watchdog = NotifyMessage::Watchdog::kAlive;
            if (value == "trigger") message.watchdog = NotifyMessage::Watchdog::kTrigger;
            return;
        case kWatchdogTime: message.watchdog_interval = ParseMicroseconds(value); return;
    }
}

// Whole lines that mean something wherever they stand.
void TakeLine(std::string_view line, NotifyMessage& message) {
    if (line == "READY=1") message.state = NotifyMessage::State::kReady;
    if (line == "RELOADING=1") message.state = NotifyMessage::State::kReloading;
    if (line == "STOPPING=1") message.state = NotifyMessage::State::kStopping;
    if (line == "FDSTOREREMOVE=1") message.store = NotifyMessage::Store::kRemove;
    if (line == "FDSTORE=1" && message.store == NotifyMessage::Store::kNone)
        message.store = NotifyMessage::Store::kAdd;
    if (line == "FDPOLL=0") message.poll_descriptors = false;
    if (line == "BARRIER=1") message.barrier = true;
}

}  // namespace

std::optional<NotifyMessage> ParseNotifyMessage(std::string_view datagram) {
    if (datagram.size() > kMaxNotifyMessage) return std::nullopt;
    // One at the end is a C program's habit.
    if (datagram.ends_with('\0')) datagram.remove_suffix(1);
    if (datagram.empty() || datagram.find('\0') != datagram.npos) return std::nullopt;
    NotifyMessage message;
    bool seen[kKeys] = {};
    Lines lines(datagram);
    for (std::string_view line; lines.Next(line);) {
        TakeLine(line, message);
        const size_t equals = line.find('=');
        if (equals == line.npos) continue;
        const std::string_view name = line.substr(0, equals);
        message.asks_refused |= std::ranges::find(kRefused, name) != std::end(kRefused);
        const auto found = std::ranges::find(kKeyNames, name);
        if (found == std::end(kKeyNames)) continue;
        const auto key = static_cast<Key>(found - std::begin(kKeyNames));
        if (!std::exchange(seen[key], true)) TakeValue(key, line.substr(equals + 1), message);
    }
    if (message.barrier) return NotifyMessage{.barrier = true};
    return message;
}

bool IsDescriptorName(std::string_view name) {
    const bool plain =
        std::ranges::all_of(name, [](char c) { return c >= ' ' && c < '\x7f' && c != ':'; });
    return plain && !name.empty() && name.size() <= kMaxDescriptorName;
}

std::string PlainLine(std::string_view text, size_t most) {
    std::string line;
    while (!text.empty()) {
        const size_t plain = PlainLength(text);
        // What is valid but not plain goes as one.
        const size_t taken = std::max<size_t>(plain > 0 ? plain : Utf8Length(text), 1);
        if (line.size() + std::max<size_t>(plain, 1) > most) break;
        line.append(plain > 0 ? text.substr(0, plain) : "?");
        text.remove_prefix(taken);
    }
    return line;
}

}  // namespace husk::supervisor
