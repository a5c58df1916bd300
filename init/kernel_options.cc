#include "init/kernel_options.h"

#include <cstring>

namespace husk::init {
namespace {

constexpr std::string_view kConsole = "husk.console=";
constexpr std::string_view kBlanks = " \t\n";

void TakeConsole(std::string_view path, KernelOptions& options) {
    options.no_console = path == "none";
    std::memset(options.console, 0, sizeof options.console);
    if (!options.no_console && path.size() < sizeof options.console)
        std::memcpy(options.console, path.data(), path.size());
}

}  // namespace

KernelOptions ParseKernelOptions(std::string_view command_line) {
    KernelOptions options;
    while (!command_line.empty()) {
        const size_t end = command_line.find_first_of(kBlanks);
        const std::string_view word = command_line.substr(0, end);
        command_line.remove_prefix(end == command_line.npos ? command_line.size() : end + 1);
        if (word.starts_with(kConsole))
            TakeConsole(word.substr(kConsole.size()), options);
        else if (word.starts_with("husk.root="))
            options.root = true;
        else if (word == "husk.rescue")
            options.rescue = true;
        else if (word == "husk.debug")
            options.debug = true;
    }
    return options;
}

}  // namespace husk::init
