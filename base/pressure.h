// What a cgroup's files say of waiting and of disks: PSI (Documentation/accounting/psi.rst) and
// io.stat (Documentation/admin-guide/cgroup-v2.rst). Pure.
#pragma once

#include <cstdint>

#include <optional>
#include <string_view>

namespace husk {

// Shares in hundredths of a percent, totals in microseconds. "full" is missing in cpu.pressure of
// some kernels.
struct Pressure {
    struct Line {
        uint32_t avg10 = 0, avg60 = 0, avg300 = 0;
        uint64_t total = 0;
    };
    std::optional<Line> some, full;
};
Pressure ParsePressure(std::string_view text);

// io.stat, summed over all devices.
struct IoCounts {
    uint64_t read_bytes = 0, written_bytes = 0, reads = 0, writes = 0;
};
IoCounts ParseIoStat(std::string_view text);

}  // namespace husk
