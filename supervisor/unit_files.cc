#include "supervisor/unit_files.h"

#include "base/file.h"
#include "base/text.h"
#include "config/environment_file.h"
#include "config/words.h"
#include "container/program.h"
#include "rootfs/attach.h"
#include "supervisor/unit_secrets.h"

namespace husk::supervisor {

Result<std::string> ReadUnitFile(const std::string& path, size_t limit, const DeviceFacts& device) {
    auto at = rootfs::OpenSource(path, {}, SharedFolderAround(path, device));
    if (!at) return Fail(std::move(at).error());
    auto file = OpenRegularFile(*at, path);
    if (!file) return Fail(std::move(file).error());
    return ReadAll(file->get(), limit, path);
}

Result<std::vector<std::string>> ReadEnvironmentFiles(const config::Unit& unit,
                                                      const DeviceFacts& device) {
    std::vector<std::string> variables;
    for (const std::string& text : unit.container.environment_files) {
        const bool optional = text.starts_with('-');
        const std::string path = text.substr(optional ? 1 : 0);
        auto file = ReadUnitFile(path, config::kMaxEnvironmentFileBytes, device);
        if (!file && file.error().code() == ENOENT) {
            if (optional) continue;
            return Fail("EnvironmentFile=", path, " is not there; make it, or write -", path,
                        " if it may be missing");
        }
        if (!file) return Fail(std::move(file).error().Wrap("EnvironmentFile="));
        auto read = config::ParseEnvironmentText(*file);
        if (!read) return Fail(std::move(read).error().Wrap("EnvironmentFile=", path));
        container::Overlay(variables, *read);
    }
    return variables;
}

Result<std::vector<std::string>> ReadOutsideVariables(const config::Unit& unit,
                                                      const DeviceFacts& device) {
    auto variables = ReadEnvironmentFiles(unit, device);
    if (!variables) return variables;
    auto secrets = ReadSecretVariables(unit, device);
    if (!secrets) return secrets;
    container::Overlay(*variables, *secrets);
    return variables;
}

std::vector<std::string> ExpandCommand(const config::Unit& unit,
                                       const std::vector<std::string>& outside) {
    if (!config::HasOutsideVariables(unit.container)) return unit.Command();
    std::vector<std::string> variables = unit.container.environment;
    container::Overlay(variables, outside);
    std::vector<std::string> missing;  // empty, as in systemd
    return config::ExpandVariables(unit.Command(), variables, missing);
}

}  // namespace husk::supervisor
