#include "container/program.h"

#include "base/text.h"

namespace husk::container {
namespace {

constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::vector<std::string> Candidates(const std::string& program,
                                    const std::vector<std::string>& environment) {
    if (program.find('/') != std::string::npos) return {program};
    std::string_view path = kDefaultPath;
    for (const auto& variable : environment)
        if (variable.starts_with("PATH=")) path = std::string_view(variable).substr(5);
    std::vector<std::string> candidates;
    for (auto folder : Split(path, ':'))
        if (folder.starts_with("/")) candidates.push_back(Cat(folder, "/", program));
    return candidates;
}

std::vector<const char*> Pointers(const std::vector<std::string>& strings) {
    std::vector<const char*> pointers;
    pointers.reserve(strings.size() + 1);
    for (const auto& string : strings) pointers.push_back(string.c_str());
    pointers.push_back(nullptr);
    return pointers;
}

}  // namespace

Result<Program> MakeProgram(ProgramSpec spec) {
    if (spec.arguments.empty()) return Fail("no command");
    const std::string& asked = spec.path.empty() ? spec.arguments.front() : spec.path;
    Program program;
    program.paths = Candidates(asked, spec.environment);
    if (program.paths.empty())
        return Fail("command ", Quote(asked),
                    ": PATH has no absolute folder; write the program's full path");
    program.searched = asked.find('/') == std::string::npos;
    program.arguments = std::move(spec.arguments);
    program.environment = std::move(spec.environment);
    program.working_dir = std::move(spec.working_dir);
    program.argv = Pointers(program.arguments);
    program.envp = Pointers(program.environment);
    return program;
}

void Overlay(std::vector<std::string>& environment, const std::vector<std::string>& more) {
    for (const auto& variable : more) {
        const std::string_view name(variable.data(), variable.find('=') + 1);
        std::erase_if(environment, [&](const auto& other) { return other.starts_with(name); });
        environment.push_back(variable);
    }
}

}  // namespace husk::container
