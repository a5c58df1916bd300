// What ParseRecord takes, Serialize must give back.
#include "supervisor/record.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace husk::supervisor;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    (void)StartTimeOfStat(text);
    const auto record = ParseRecord(text);
    if (!record) return 0;
    const std::string written = Serialize(*record);
    const auto again = ParseRecord(written);
    if (!again || Serialize(*again) != written) std::abort();
    return 0;
}
