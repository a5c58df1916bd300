// "NAME\n", then a modules.dep.
#include "supervisor/modules.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <set>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace husk::supervisor;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto newline = text.find('\n');
    if (newline == std::string_view::npos) return 0;
    auto order = ModuleOrder(text.substr(newline + 1), text.substr(0, newline));
    if (!order) return 0;
    // Each once, and at least the one that was asked for.
    if (order->empty()) std::abort();
    if (std::set<std::string>(order->begin(), order->end()).size() != order->size()) std::abort();
    return 0;
}
