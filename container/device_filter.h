// Which device nodes a container may open and make: a cgroup BPF program
// (Documentation/bpf, BPF_PROG_TYPE_CGROUP_DEVICE; cgroup-v2.rst, "Device controller").
//
// The kernel asks the program of the leaf at each open(2) and mknod(2) of a device, whoever the
// node belongs to and wherever it lies. It is the leaf's: it stays when the supervisor is started
// anew, and goes with the leaf.
#pragma once

#include <cstdint>

#include <optional>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace husk::container {

struct DeviceRule {
    bool block = false;  // else a character device
    uint32_t major = 0;
    std::optional<uint32_t> minor;  // nothing: all of them
    bool read = false, write = false, make = false;
    friend bool operator==(const DeviceRule&, const DeviceRule&) = default;
};
using DeviceRules = std::vector<DeviceRule>;

// What every container has under DevicePolicy=closed: null, zero, full, random, urandom, tty, and
// the terminals of its own /dev/pts. None can be made.
const DeviceRules& UsualDevices();

// One instruction of the kernel's, struct bpf_insn of <linux/bpf.h>.
struct BpfInstruction {
    uint8_t code = 0;
    uint8_t registers = 0;  // destination, and source << 4
    int16_t offset = 0;
    int32_t immediate = 0;
    friend bool operator==(const BpfInstruction&, const BpfInstruction&) = default;
};
using DeviceProgram = std::vector<BpfInstruction>;

// Pure. What no rule allows is refused.
DeviceProgram AssembleDeviceProgram(const DeviceRules& rules);

// Programs that the kernel has taken: the same rules share one. Held here only for those who come
// next, since a cgroup holds its own; so there are few of them.
class DevicePrograms {
  public:
    // The descriptor stays ours, and is good until the next call.
    Result<int> Get(const DeviceRules& rules);

  private:
    struct Loaded {
        DeviceRules rules;
        OwnedFd program;
    };
    std::vector<Loaded> loaded_;  // the latest at the end
};

// Replaces the leaf's program, if it has one, in one step. `cgroup` is an open leaf.
Status AttachDeviceProgram(int cgroup, int program);

}  // namespace husk::container
