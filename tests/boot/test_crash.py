"""What storage keeps of a boot that ended in a crash: pstore through QEMU's ACPI ERST device, and log files."""

import pytest

from conftest import write_units
from huskvm import GuestTrouble

BUSYBOX = "Volume=/bin/busybox:/bin/busybox:ro\n"
UNITS = {
    "crasher": "[Container]\n" + BUSYBOX + "Exec=/bin/busybox sh -c 'echo these are my last words; exit 3'\n"
               "[Service]\nRestart=no\n",
    "writer": "[Container]\n" + BUSYBOX + "LogOpt=path=/var/lib/husk/log/writer.log\n"
              "Exec=/bin/busybox sh -c 'echo kept in a file; exec /bin/busybox sleep 1000'\n",
}


def test_the_boot_before_a_crash_is_shown_after_it(boot, tmp_path, kernel):
    units = write_units(tmp_path / "units", UNITS)
    erst = tmp_path / "erst"
    machine = {
        "units": units, "kernel": kernel, "disk": tmp_path / "state.ext4",
        "qemu_args": ["-object", f"memory-backend-file,id=erst,mem-path={erst},size=0x40000,share=on",
                      "-device", "acpi-erst,memdev=erst"],
    }
    with boot(**machine) as guest:
        assert b"last words" in guest.run("husk logs crasher").stdout
        guest.run("for i in 1 2 3 4 5 6 7 8 9; do grep -q file /var/lib/husk/log/writer.log && break; sleep 1; done; sync")
        assert b"storage keeps nothing" in guest.run("husk logs -b -1").stderr
        with pytest.raises(GuestTrouble):
            guest.run("echo c >/proc/sysrq-trigger; sleep 60")
    with boot(**machine) as guest:
        shown = guest.run("husk logs -b -1").stdout.decode()
        # Debian's kernel has no /dev/pmsg0, so a unit's last words are in the kernel's log.
        assert "last words: these are my last words" in shown
        assert "kernel: " in shown and "sysrq" in shown.lower()
        assert "writer: kept in a file" in shown
        assert guest.run("husk logs -b -1 writer").stdout.decode().count("kept in a file") == 1
        assert guest.run("ls /sys/fs/pstore").stdout == b""  # the next crash has room
        assert b"priority" in guest.run("husk logs -b -1 -k --json").stdout
