#include "config/unit.h"

namespace husk::config {

namespace {

Location Locate(Place place, const std::string& path, const std::vector<std::string>& drop_ins) {
    const bool main = place.file == 0 || place.file > drop_ins.size();
    return {main ? path : drop_ins[place.file - 1u], place.line};
}

}  // namespace

Location Unit::LocationOf(Place place) const { return Locate(place, path, drop_ins); }
const char* NetworkDriverName(NetworkDriver driver) {
    switch (driver) {
        case NetworkDriver::kBridge: return "bridge";
        case NetworkDriver::kMacvlan: return "macvlan";
        case NetworkDriver::kIpvlan: return "ipvlan";
    }
    return "";
}

Location NetworkDefinition::LocationOf(Place place) const { return Locate(place, path, drop_ins); }

std::vector<std::string> Unit::Command() const {
    std::vector<std::string> command = container.entrypoint;
    command.insert(command.end(), container.exec.begin(), container.exec.end());
    return command;
}

}  // namespace husk::config
