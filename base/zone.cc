#include "base/zone.h"

#include <cstdlib>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

namespace husk {
namespace {

constexpr char kZoneFolder[] = "/usr/share/zoneinfo/";
constexpr char kVariable[] = "TZ";

}  // namespace

Result<ZoneScope> ZoneScope::Enter(const std::string& name) {
    // Read anew each time: it may be set while the device runs.
    std::string zone = ":/etc/localtime";
    if (name == "UTC" || name == "utc") {
        zone = "UTC0";
    } else if (!name.empty()) {
        const std::string file = kZoneFolder + name;
        // libc takes what it cannot read for UTC.
        if (::access(file.c_str(), R_OK) != 0)
            return FailErrno("time zone ", Quote(name), ": ", Quote(file));
        zone = ":" + file;
    }
    if (::setenv(kVariable, zone.c_str(), 1) != 0) return FailErrno("set the time zone");
    ::tzset();
    return ZoneScope();
}

ZoneScope::~ZoneScope() {
    if (!active_) return;
    (void)::setenv(kVariable, "UTC0", 1);  // fails for want of memory only
    ::tzset();
}

int64_t OffsetInZone(int64_t seconds) {
    const time_t at = seconds;
    tm local{};
    return ::localtime_r(&at, &local) == nullptr ? 0 : int64_t{local.tm_gmtoff};
}

}  // namespace husk
