// Settings of the device's kernel in /proc and /sys, rewritten with what they hold, so that nothing
// changes where it succeeds.
#include "attack.h"

using namespace attack;

namespace {

void Rewrite(const char* path) {
    char text[4096];
    const long size = Read(path, text, sizeof text);
    Attempt(path, size < 0 ? size : Write(path, text));
}

}  // namespace

int main() {
    for (const char* path :
         {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/panic",
          "/proc/sys/kernel/hostname", "/proc/sys/vm/overcommit_memory",
          "/proc/sys/fs/suid_dumpable", "/proc/sys/net/ipv4/ip_forward",
          "/proc/irq/default_smp_affinity", "/sys/module/printk/parameters/time",
          "/sys/class/block/vda/queue/read_ahead_kb"})
        Rewrite(path);
    // "h" prints the help to the kernel's log.
    Attempt("/proc/sysrq-trigger", Write("/proc/sysrq-trigger", "h"));
    Attempt("/sys/bus/pci/rescan", Write("/sys/bus/pci/rescan", "0"));
    Attempt("/proc/self/oom_score_adj", Write("/proc/self/oom_score_adj", "-1000"));
    Done();
}
