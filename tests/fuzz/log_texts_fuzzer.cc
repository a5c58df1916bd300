// What `husk logs` reads of others: records of /dev/kmsg, times that people write, files of pstore
// and log files. The first byte says which.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <string_view>

#include "cli/earlier_boot.h"
#include "cli/format_log.h"
#include "cli/kernel_log.h"
#include "cli/log_writer.h"
#include "supervisor/crash_log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace husk;
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const cli::Now now{{std::chrono::seconds(200)}, 1'795'324'331'000'000'000};
    switch (data[0]) {
        case 'k': {
            cli::LogEntry entry;
            if (cli::ParseKernelRecord(text, now, entry) &&
                (entry.priority < 0 || entry.priority > 7 || entry.monotonic < 0))
                std::abort();
            break;
        }
        case 's': (void)cli::ParseSince(text, now); break;
        case 'p':
            if (auto line = supervisor::ParseCrashLine(text)) {
                // What was read is written the same way, once it is plain.
                const auto again = supervisor::ParseCrashLine(supervisor::FormatCrashLine(*line));
                if (!again || again->unit != line->unit || again->realtime != line->realtime)
                    std::abort();
            }
            break;
        case 'd':
            for (const auto& entry : cli::KernelLinesOfPstore(text))
                if (entry.monotonic < 0 || entry.priority > 7) std::abort();
            break;
        case 'f': (void)cli::LinesOfEarlierBoot(text, "this"); break;
        case 'w':
            if (auto spec = cli::ParseLogFileSpec(text); spec && spec->max_file < 1) std::abort();
            break;
    }
    return 0;
}
