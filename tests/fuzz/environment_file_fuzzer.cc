// An environment file may lie where a container writes it.
#include "config/environment_file.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "config/words.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace husk::config;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    auto read = ParseEnvironmentText(text);
    if (!read) return 0;
    size_t bytes = 0;
    for (const std::string& variable : *read) {
        const size_t equals = variable.find('=');
        // What a program is given is an assignment, and nothing comes out of nowhere.
        if (equals == std::string::npos || !IsVariableName(variable.substr(0, equals)) ||
            variable.find('\0') != std::string::npos)
            std::abort();
        bytes += variable.size();
    }
    if (bytes > size) std::abort();
    return 0;
}
