// What a process of a container is to execute: the unit's own program, or another one of it.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace husk::container {

struct Program {
    std::vector<std::string> arguments;    // the first is what the program is told as its name
    std::vector<std::string> environment;  // NAME=VALUE, whole
    std::string working_dir = "/";
    std::vector<std::string> paths;  // what execve tries, in order: the path, or PATH's folders
    bool searched = false;           // PATH's folders it is
    std::vector<const char*> argv, envp;  // null-terminated, pointing into the above; const_cast
                                          // is safe: execve(2) only reads

    Program() = default;
    // The strings of a vector that is moved stay where they are.
    Program(Program&&) = default;
    Program& operator=(Program&&) = default;
};

struct ProgramSpec {
    std::string path;  // of the program, or its name, for PATH; empty: the first argument
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    std::string working_dir = "/";
};
Result<Program> MakeProgram(ProgramSpec spec);

// `more` over `environment`: a variable of the same name is replaced.
void Overlay(std::vector<std::string>& environment, const std::vector<std::string>& more);

}  // namespace husk::container
