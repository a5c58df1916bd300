#pragma once

namespace husk::cli {

#ifdef HUSK_VERSION
inline constexpr const char* kVersion = HUSK_VERSION;
#else
inline constexpr const char* kVersion = "0.1.0";
#endif

}  // namespace husk::cli
