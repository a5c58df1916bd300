// The program's own log: one line a call, to standard error (init points that to the console) and,
// when asked to, to the kernel's ring. Top-level code logs; everything else returns errors.
#pragma once

#include <string_view>

#include "base/text.h"

namespace husk {

enum class LogLevel { kError = 3, kWarning = 4, kInfo = 6, kDebug = 7 };  // syslog's numbers

// `role` stands in front of each line: "husk[supervise]: ".
void StartLog(std::string_view role, LogLevel most);
// From here on lines go to /dev/kmsg too, so that dmesg and a serial console show them.
void LogToKernel();
void Log(LogLevel level, std::string_view text);

namespace internal {
void Log(LogLevel level, unsigned kinds, ...);
}

// Of a text in parts, as Cat() takes them.
template <typename... Parts>
[[gnu::always_inline]] inline void LogError(const Parts&... parts) {
    internal::Log(LogLevel::kError, internal::PartKinds<Parts...>(), internal::AddressOf(parts)...);
}
template <typename... Parts>
[[gnu::always_inline]] inline void LogWarning(const Parts&... parts) {
    internal::Log(LogLevel::kWarning, internal::PartKinds<Parts...>(),
                  internal::AddressOf(parts)...);
}
template <typename... Parts>
[[gnu::always_inline]] inline void LogInfo(const Parts&... parts) {
    internal::Log(LogLevel::kInfo, internal::PartKinds<Parts...>(), internal::AddressOf(parts)...);
}

template <typename... Parts>
[[gnu::always_inline]] inline void LogDebug(const Parts&... parts) {
    internal::Log(LogLevel::kDebug, internal::PartKinds<Parts...>(), internal::AddressOf(parts)...);
}

}  // namespace husk
