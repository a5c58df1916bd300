#include "base/machine_id.h"

#include "base/file.h"

namespace husk {

std::string MachineId() {
    std::string id = ReadMachineId("/etc/machine-id");
    return id.empty() ? ReadMachineId("/run/husk/machine-id") : id;
}

std::string ReadMachineId(const std::string& path) {
    std::string id = ReadAttribute(path);
    const bool valid = id.size() == 32 && id.find_first_not_of("0123456789abcdef") == id.npos &&
                       id.find_first_not_of('0') != id.npos;
    return valid ? id : "";
}

}  // namespace husk
