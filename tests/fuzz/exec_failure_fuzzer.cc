// The first bytes of a program that could not be executed are the container's.
#include "container/exec_failure.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace husk::container;
    const std::string_view head(reinterpret_cast<const char*>(data), size);
    for (int error : {ENOENT, ENOEXEC, EACCES}) {
        const auto text = ExplainExecFailure("/app", false, error, head).text();
        // It goes to a terminal and into the record.
        if (text.empty() || text.find('\n') != text.npos || text.find('\x1b') != text.npos)
            std::abort();
    }
    return 0;
}
