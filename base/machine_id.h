// The device's id as machine-id(5) has it: 32 lower-case hexadecimal digits, not all zero.
#pragma once

#include <string>

namespace husk {

// Of /etc/machine-id, else the one that husk keeps (supervisor/machine_id.h); empty where there is
// none. An image's file that is empty or says "uninitialized" is none.
std::string MachineId();

// What stands in this file; empty where that is no id.
std::string ReadMachineId(const std::string& path);

}  // namespace husk
