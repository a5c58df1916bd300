// Any bytes on the control socket are a request or an error.
#include "supervisor/control_request.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto request =
        husk::supervisor::ParseControlRequest({reinterpret_cast<const char*>(data), size});
    if (!request && request.error().text().empty()) std::abort();
    return 0;
}
