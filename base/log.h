// The program's own log: one line a call, to standard error (init points that to the console) and,
// when asked to, to the kernel's ring. Top-level code logs; everything else returns errors.
#pragma once

#include <string_view>

namespace husk {

enum class LogLevel { kError = 3, kWarning = 4, kInfo = 6, kDebug = 7 };  // syslog's numbers

// `role` stands in front of each line: "husk[supervise]: ".
void StartLog(std::string_view role, LogLevel most);
// From here on lines go to /dev/kmsg too, so that dmesg and a serial console show them.
void LogToKernel();
void Log(LogLevel level, std::string_view text);

inline void LogError(std::string_view text) { Log(LogLevel::kError, text); }
inline void LogWarning(std::string_view text) { Log(LogLevel::kWarning, text); }
inline void LogInfo(std::string_view text) { Log(LogLevel::kInfo, text); }
inline void LogDebug(std::string_view text) { Log(LogLevel::kDebug, text); }

}  // namespace husk
