"""`husk kexec`: all is ended in order, and the kernel that was loaded boots husk again, without the firmware."""

import json

import huskvm.build
import pytest
from conftest import PROBES, TIMEOUT, Husk, probe_files, unit, write_units
from huskvm import End

# Says on the state disk when it began and when it was stopped; a stop takes its time.
DIARY = """/bin/busybox sh -c 'trap "sleep 2; echo stopped >>/var/lib/diary/diary; exit 0" TERM; \
echo began >>/var/lib/diary/diary; while :; do sleep 0.2; done'"""
KERNEL, INITRAMFS = "/next/vmlinuz", "/next/initramfs"
KEPT = "/var/lib/husk/vmlinuz"  # the next boot's root has none


@pytest.fixture
def guest(boot, tmp_path):
    """A device that has its own kernel and boot image to load."""
    units = write_units(tmp_path / "units", {"diary": unit(DIARY, service="StateDirectory=diary\nTimeoutStopSec=20s")})
    files = [*probe_files(), (huskvm.build.device() / "probes/kexec", f"{PROBES}/kexec")]
    options = {"units": units, "files": files, "append": "loglevel=7"}
    (tmp_path / "next").mkdir()
    after = huskvm.launch.prepare(huskvm.Options(**options), tmp_path / "next")
    options["files"] = [*files, (after.kernel, KERNEL), (after.initramfs, INITRAMFS)]
    with boot(**options, timeout=TIMEOUT * 2) as machine:
        yield machine


def boot_id(guest) -> str:
    return guest.run("cat /proc/sys/kernel/random/boot_id", 30).text


def diary(guest) -> list[str]:
    return guest.run("cat /var/lib/husk/state/diary/diary", 30).text.split()


def test_a_loaded_kernel_boots_husk_again_and_one_that_is_gone_is_a_reboot(guest):
    husk = Husk(guest)
    # Without one, nothing happens.
    refused = guest.run("husk kexec", 30)
    assert refused.status == 1 and b"no kernel is loaded: load one first, with 'kexec -l'" in refused.stderr
    first, began = boot_id(guest), diary(guest)
    assert began == ["began"] and husk.unit("diary")["state"] == "running"

    line = guest.run("cat /proc/cmdline", 30).text.strip()
    loaded = guest.run(f"cp {KERNEL} {KEPT}; {PROBES}/kexec {KERNEL} {INITRAMFS} '{line} came_by=kexec'", 120)
    assert loaded.status == 0, loaded
    assert guest.run("husk kexec", 30).status == 0
    guest.wait_console("starting the loaded kernel", 120)
    guest.wait_agent()
    guest.settle()
    # The machine was not reset: that would have ended it.
    assert guest.run("cat /proc/cmdline", 30).text.strip() == f"{line} came_by=kexec"
    assert boot_id(guest) != first
    assert guest.run(f"test -e {KERNEL}", 30).status == 1
    assert diary(guest) == ["began", "stopped", "began"]
    assert json.loads(guest.run("husk status --json", 30).stdout).get("last_end") is None
    console = guest.console_text()
    assert "all file systems are unmounted" in console and "cannot unmount" not in console
    assert "recovery" not in guest.run("dmesg | grep EXT4-fs", 30).text

    # Somebody unloads it when there is no way back any more.
    kexec = f"{PROBES}/kexec"
    assert guest.run(f"{kexec} {KEPT} /etc/passwd '{line}' && husk kexec && {kexec} --unload", 120).status == 0
    assert guest.wait_exit(120) is End.REBOOT
    assert "no kernel could be started: Invalid argument; rebooting" in guest.console_text()
