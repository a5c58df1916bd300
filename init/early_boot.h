// The first steps of PID 1: an own root, first mounts, console, log, limits, cgroups.
//
// Nothing here ends the boot: what fails is logged, and the rest goes on as far as it can. In a
// container or a namespace much is there already, or forbidden, and husk runs all the same.
#pragma once

#include <sys/resource.h>

#include "init/kernel_options.h"

namespace husk::init {

inline constexpr char kInitCgroup[] = "/sys/fs/cgroup/init";
inline constexpr char kSupervisorCgroup[] = "/sys/fs/cgroup/supervisor";
inline constexpr char kConsoleCgroup[] = "/sys/fs/cgroup/console";
inline constexpr char kUnitsCgroup[] = "/sys/fs/cgroup/units";

struct BootFacts {
    // PID 1 of the machine, and not of a PID namespace.
    bool whole_system = true;
    // It is the kernel's own first root still, an initramfs.
    bool in_initramfs = false;
    KernelOptions options;
};

BootFacts EarlyBoot();
// The same facts for an image of PID 1 that another has executed: the log is opened, nothing else
// is done.
BootFacts ReadBootFacts();

// The limit of open descriptors as the kernel gave it, for programs that are not husk's.
void RestoreDescriptorLimit();
const rlimit& FirstDescriptorLimit();
void SetFirstDescriptorLimit(const rlimit& limit);

}  // namespace husk::init
