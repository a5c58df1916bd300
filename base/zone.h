// Time zones of the device, by libc.
#pragma once

#include <cstdint>

#include <string>

#include "base/error.h"

namespace husk {

// While it lives, OffsetInZone() speaks of its zone. TZ is the process's, so there is one at a
// time.
class ZoneScope {
  public:
    // "UTC", a name such as "Europe/Berlin", or empty: the device's own, /etc/localtime, which is
    // UTC where there is none. ENOENT where the device's data base lacks the name.
    static Result<ZoneScope> Enter(const std::string& name);
    ZoneScope(ZoneScope&& other) : active_(other.active_) { other.active_ = false; }
    ZoneScope& operator=(ZoneScope&&) = delete;
    ~ZoneScope();

  private:
    ZoneScope() = default;
    bool active_ = true;
};

// Seconds that the clocks of the zone are ahead of UTC at this second since 1970.
int64_t OffsetInZone(int64_t seconds);

}  // namespace husk
