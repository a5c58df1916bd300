"""KVM where it works. A machine can have /dev/kvm and still not run a guest, so one is run to find out."""

import os
import subprocess
from pathlib import Path

from .paths import images_dir

QEMU = "qemu-system-x86_64"
PROBE_SECONDS = 15


def choose(kernel_image: Path) -> str:
    """'kvm' or 'tcg'. HUSK_ACCEL overrides; the answer of a probe holds until the machine boots again."""
    forced = os.environ.get("HUSK_ACCEL")
    if forced:
        return forced
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    note = images_dir() / "accel"
    known = note.read_text().split() if note.exists() else []
    if len(known) == 2 and known[0] == boot:
        return known[1]
    answer = "kvm" if _kvm_runs(kernel_image) else "tcg"
    fresh = note.with_name(f"accel.{os.getpid()}")
    fresh.write_text(f"{boot} {answer}\n")
    fresh.rename(note)
    return answer


def _kvm_runs(kernel_image: Path) -> bool:
    """Boots a kernel without a root: under a KVM that works it gets to its panic about that within a second."""
    command = [QEMU, "-machine", "q35,accel=kvm", "-cpu", "host", "-m", "256", "-nodefaults", "-display", "none",
               "-no-reboot", "-serial", "stdio", "-kernel", str(kernel_image),
               "-append", "console=ttyS0 quiet panic=-1"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=PROBE_SECONDS)
    except (subprocess.TimeoutExpired, OSError):
        return False
    return b"Kernel panic" in done.stdout
