// PID 1's own log: a line is put together in a buffer on the stack and leaves with one write(2).
#pragma once

#include <cstdint>
#include <cstring>

#include <concepts>
#include <string_view>

#include "base/log.h"

namespace husk::init {

// An errno, shown as its text.
struct Errno {
    int code;
};
// A status of waitpid(2), shown as "was killed by signal 9 (KILL)" or "exited with status 1".
struct WaitStatus {
    int status;
};

// Cuts off what does not fit. /dev/kmsg refuses records over about 1000 bytes.
class LogLine {
  public:
    LogLine& operator<<(std::string_view text) {
        const size_t fits = text.size() < kRoom - size_ ? text.size() : kRoom - size_;
        std::memcpy(text_ + size_, text.data(), fits);
        size_ += fits;
        return *this;
    }
    LogLine& operator<<(const char* text) { return *this << std::string_view(text); }
    LogLine& operator<<(std::integral auto number) {
        return number < 0 ? Signed(static_cast<int64_t>(number))
                          : Unsigned(static_cast<uint64_t>(number));
    }
    LogLine& operator<<(Errno error);
    LogLine& operator<<(WaitStatus status);

    std::string_view text() const { return {text_, size_}; }

  private:
    LogLine& Signed(int64_t number);
    LogLine& Unsigned(uint64_t number);

    static constexpr size_t kRoom = 480;
    char text_[kRoom];
    size_t size_ = 0;
};

// Lines go to descriptor 2 until this is called. In the first PID namespace they go to /dev/kmsg,
// which never blocks and which dmesg and the console show; elsewhere that is somebody else's ring,
// so the console gets them, through a descriptor that does not block.
void OpenLog(bool kernel_ring);
void SetDebugLog(bool on);
void WriteLog(LogLevel level, std::string_view text);

template <typename... Parts>
void Say(LogLevel level, const Parts&... parts) {
    LogLine line;
    (line << ... << parts);
    WriteLog(level, line.text());
}

}  // namespace husk::init
