// Image files come from anywhere: the probe takes one only where the whole of it is there.
#include "rootfs/image.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace husk::rootfs;
    const std::string_view head(reinterpret_cast<const char*>(data), size);
    auto type = ProbeImage(head, size);
    if (type && !ProbeImage(head, size + 1)) std::abort();  // a longer file is not worse
    if (!type && type.error().text().empty()) std::abort();
    return 0;
}
