#include "cli/check.h"

#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "cli/check_report.h"
#include "cli/explain.h"
#include "cli/unit_paths.h"
#include "config/kernel_needs.h"
#include "config/reference.h"

namespace husk::cli {
namespace {

constexpr char kUsage[] =
    "usage: husk check [--json] [--kernel-config FILE] [PATH...]\n"
    "       husk check --explain [--json] FILE...\n"
    "       husk check --reference man|markdown|keys|live\n"
    "\n"
    "Checks unit files as the supervisor reads them and prints every problem.\n"
    "\n"
    "PATH is a folder of units, a NAME.container file, or a system.conf. Several folders are a "
    "search path: a file in a\n"
    "later one replaces an earlier one of the same name. Without PATH the device's own folders "
    "and\n"
    "/etc/husk/system.conf are checked.\n"
    "\n"
    "  --json                    prints one JSON object:\n"
    "                            {\"version\": 1,\n"
    "                             \"units\": [{\"name\", \"path\", \"refused\", \"problems\": "
    "[PROBLEM...]}...],\n"
    "                             \"problems\": [PROBLEM...],   (of folders, system.conf, stray "
    "files, the kernel)\n"
    "                             \"summary\": {\"units\", \"refused\", \"errors\", "
    "\"warnings\"}}\n"
    "                            PROBLEM is {\"severity\": \"error\"|\"warning\", \"file\", "
    "\"line\", \"key\", \"text\", \"hint\"};\n"
    "                            line 0 is the file as a whole, key and hint may be empty\n"
    "  --kernel-config FILE      says too which units a kernel would refuse, and for which missing "
    "option: FILE is its\n"
    "                            .config, as in /boot/config-VERSION. husk.units(5) lists the "
    "options\n"
    "  --explain FILE...         prints each file as it would be with every plain fix made: a "
    "line that goes stays as a\n"
    "                            comment with the reason, and what is left to you is said above "
    "its "
    "line. FILE is a\n"
    "                            NAME.container, a NAME.service, or a drop-in. What was changed is "
    "listed on standard\n"
    "                            error; with --json it is {\"version\": 1, \"files\": [{\"path\", "
    "\"text\",\n"
    "                            \"changes\": [{\"line\", \"before\", \"after\", \"section\", "
    "\"reason\"}...],\n"
    "                            \"problems\": [PROBLEM...]}...]}\n"
    "  --reference man|markdown  prints the reference of all keys\n"
    "  --reference keys          prints their names, Section.Key, a line each\n"
    "  --reference live          prints those that 'husk update' takes\n"
    "  --help                    prints this\n"
    "\n"
    "Exit status: 0 no errors, 1 at least one error, 2 wrong usage.\n";

struct Options {
    bool json = false;
    bool explain = false;
    std::string reference;
    std::string kernel_config;
    std::vector<std::string> paths;
};

void Say(int fd, std::string_view text) {
    // Nobody is left to tell when output cannot be written.
    (void)WriteAll(fd, text, "output");
}

int Usage(std::string_view complaint) {
    Say(STDERR_FILENO, Cat("husk check: ", complaint, "\n\n", kUsage));
    return 2;
}

// A pipe is fine: --kernel-config <(zcat /proc/config.gz).
void CheckKernelFile(const std::string& path, LoadedPaths& checked) {
    auto text = ReadFile(path, config::kMaxKernelConfigBytes);
    if (!text)
        return checked.problems.push_back(
            {config::Severity::kError, {path, 0}, {}, text.error().text(), {}});
    auto kernel = config::ParseKernelConfig(path, *text);
    if (!kernel) return checked.problems.push_back(std::move(kernel).error());
    config::CheckKernel(*kernel, checked.units, checked.problems);
}

// The value of "--name VALUE" or "--name=VALUE", moving `i` on; nothing where `argv[i]` is neither.
std::optional<std::string_view> TakeValue(std::string_view name, int& i, int argc, char** argv) {
    std::string_view word = argv[i];
    if (word == name && i + 1 < argc) return argv[++i];
    if (!word.starts_with(name) || word.size() == name.size() || word[name.size()] != '=')
        return std::nullopt;
    return word.substr(name.size() + 1);
}

int PrintReference(const std::string& format) {
    if (format == "man")
        Say(STDOUT_FILENO, config::ReferenceMan());
    else if (format == "markdown")
        Say(STDOUT_FILENO, config::ReferenceMarkdown());
    else if (format == "keys")
        Say(STDOUT_FILENO, config::ReferenceKeys());
    else if (format == "live")
        Say(STDOUT_FILENO, config::ReferenceLiveKeys());
    else
        return Usage(Cat("unknown format ", Quote(format), ": man, markdown, keys or live"));
    return 0;
}

int Run(const Options& options) {
    if (!options.reference.empty()) return PrintReference(options.reference);
    if (options.explain)
        return options.paths.empty() ? Usage("--explain needs a file")
                                     : ExplainFiles(options.paths, options.json);
    LoadedPaths checked = LoadPaths(options.paths);
    if (!options.kernel_config.empty()) CheckKernelFile(options.kernel_config, checked);
    Say(STDOUT_FILENO, options.json ? JsonReport(checked) : TextReport(checked));
    return Count(checked).errors > 0 ? 1 : 0;
}

}  // namespace

int CheckMain(int argc, char** argv) {
    Options options;
    bool only_paths = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (only_paths || !word.starts_with('-') || word == "-") {
            if (word.empty()) return Usage("an empty path");
            options.paths.emplace_back(word);
        } else if (word == "--") {
            only_paths = true;
        } else if (word == "--json") {
            options.json = true;
        } else if (word == "--explain") {
            options.explain = true;
        } else if (word == "--help" || word == "-h") {
            Say(STDOUT_FILENO, kUsage);
            return 0;
        } else if (auto format = TakeValue("--reference", i, argc, argv)) {
            options.reference = *format;
        } else if (auto file = TakeValue("--kernel-config", i, argc, argv)) {
            options.kernel_config = *file;
        } else if (word == "--reference") {
            return Usage("--reference needs a format: man, markdown, keys or live");
        } else if (word == "--kernel-config") {
            return Usage("--kernel-config needs a file: a kernel's .config");
        } else {
            return Usage(Cat("unknown option ", Quote(word)));
        }
    }
    return Run(options);
}

}  // namespace husk::cli
