// PID 1: first mounts, starting the supervisor and starting it again, reaping, keeping descriptors
// for the supervisor, the end of the system.
//
// It parses no unit file, JSON or image, allocates nothing, never exits and never waits for the
// supervisor. What it remembers stands in fixed arrays in .bss, whose pages cost nothing until they
// are used.
#pragma once

namespace husk {

// Never returns when the caller is PID 1; anything else gets a message and exit status 2, since
// this would unmount and kill what is not its own.
//
// `--supervisor=PATH` anywhere in argv (for tests) starts that program in place of this one.
//
// Signals: SIGINT (Ctrl-Alt-Del) and SIGRTMIN+5 reboot, SIGRTMIN+4, SIGUSR2 and SIGPWR power off,
// SIGRTMIN+3 and SIGUSR1 halt. SIGTERM powers off in a PID namespace, as people who run containers
// expect, and reboots a device, as busybox' `reboot` expects. All of them go the ordered way
// through the supervisor. Real-time signals count from 34, as glibc and systemd count them.
int InitMain(int argc, char** argv);

}  // namespace husk
