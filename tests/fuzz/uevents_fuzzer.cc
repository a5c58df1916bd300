// A message of the kernel about a device. It comes from the kernel only, but holds names that
// others chose.
#include "supervisor/uevents.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace husk::supervisor;
    const std::string_view message(reinterpret_cast<const char*>(data), size);
    const auto damage = ParseBlockDamage(message);
    if (damage && Describe(*damage).empty()) std::abort();
    if (damage && message.find("DM_VERITY_ERR_BLOCK_NR=") == message.npos) std::abort();
    return 0;
}
