#include "config/unit.h"

namespace husk::config {

Location Unit::LocationOf(Place place) const {
    const bool main = place.file == 0 || place.file > drop_ins.size();
    return {main ? path : drop_ins[place.file - 1u], place.line};
}

std::vector<std::string> Unit::Command() const {
    std::vector<std::string> command = container.entrypoint;
    command.insert(command.end(), container.exec.begin(), container.exec.end());
    return command;
}

}  // namespace husk::config
