#include "config/unit.h"

namespace husk::config {

std::vector<std::string> Unit::Command() const {
    std::vector<std::string> command = container.entrypoint;
    command.insert(command.end(), container.exec.begin(), container.exec.end());
    return command;
}

}  // namespace husk::config
