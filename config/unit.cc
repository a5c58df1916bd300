#include "config/unit.h"

namespace husk::config {

Location Unit::LocationOf(Place place) const {
    return {place.file < files.size() ? files[place.file] : path, place.line};
}

std::vector<std::string> Unit::Command() const {
    std::vector<std::string> command = container.entrypoint;
    command.insert(command.end(), container.exec.begin(), container.exec.end());
    return command;
}

}  // namespace husk::config
