"""The hardware watchdog, QEMU's i6300esb or the kernel's softdog: who stands still or is unwell is reset, and the next
boot says why."""

import json

import huskvm
import pytest
from conftest import TIMEOUT, probe_files, unit, write_units
from huskvm import End

SECONDS = 8  # an emulated guest stands still for a second or two by itself
MANAGER = {"RuntimeWatchdogSec": f"{SECONDS}s", "WatchdogProbeSec": "1s", "RebootWatchdogSec": "40s"}


@pytest.fixture
def machine(tmp_path):
    """A device with a watchdog and the same disk each time; `manager`: more of [Manager]."""
    units = write_units(tmp_path / "units", {
        "vital": unit("/bin/busybox sleep 10000", unit_="Critical=yes\nCriticalSec=3s", service="Restart=no",
                      install="Enabled=no"),
        "steady": unit("/bin/busybox sleep 10000", unit_="Critical=yes"),
    })

    def start(manager=None, **more):
        more.setdefault("modules", ["softdog"])
        return huskvm.boot(units=units, files=probe_files(), disk=tmp_path / "state.ext4", append=more.pop("append", "loglevel=7"),
                           system={"Manager": {**MANAGER, **(manager or {})}}, timeout=TIMEOUT, **more)

    return start


def device(guest) -> dict:
    answer = json.loads(guest.run("husk status --json", 60).stdout)
    return {key: answer.get(key) for key in ("watchdog", "last_end", "state")}


def is_reset(guest) -> bool:
    """Within the watchdog's time twice, the supervisor's and the hardware's, and some for the emulator."""
    return guest.wait_exit(SECONDS * 2 + 30) is End.REBOOT


def tell(guest, line: str) -> None:
    """What may not be answered any more."""
    guest.run(f"(sleep 0.5; {line}) >/dev/null 2>&1 &", 30)


def test_what_stands_still_is_reset_and_the_next_boot_says_why(machine):
    with machine() as guest:
        now = device(guest)
        assert now["watchdog"] == {"identity": "Software Watchdog", "timeout_usec": SECONDS * 10**6, "vetoes": []}
        assert now["last_end"] is None
        # A supervisor that dies is back in time, and says so itself.
        for _ in range(3):
            guest.run("kill -9 $(husk version --json | tr ',' '\\n' | sed -n 's/.*\"pid\"://p'); sleep 4", 60)
        assert device(guest)["watchdog"]["vetoes"] == []
        # For good, it is not.
        tell(guest, "kill -STOP $(husk version --json | tr ',' '\\n' | sed -n 's/.*\"pid\"://p')")
        assert is_reset(guest)
        assert f"the supervisor was silent for {SECONDS} s" in guest.console_text()
    with machine() as guest:
        assert device(guest)["last_end"] == (
            f"the hardware watchdog was not fed any more: the supervisor was silent for {SECONDS} s")
        assert "the last boot ended: the hardware watchdog" in guest.run("husk status", 60).text
        guest.run("husk reboot", 60)
        assert guest.wait_exit(120) is End.REBOOT
    with machine() as guest:
        assert device(guest)["last_end"] is None


def test_what_no_program_can_tell_of_the_hardware_knows(machine):
    """PID 1 that stands still, and a kernel that does, which is the end of softdog, too."""
    card = ["-device", "i6300esb", "-action", "watchdog=reset"]
    with machine(modules=["i6300esb"], qemu_args=card, on_reboot="reset", append="loglevel=7 panic=0") as guest:
        now = device(guest)
        assert now["watchdog"] == {"identity": "i6300ESB timer", "timeout_usec": SECONDS * 10**6, "vetoes": []}
        assert now["last_end"] is None
        for end in "echo 1 >/sys/fs/cgroup/init/cgroup.freeze", "echo c >/proc/sysrq-trigger":
            tell(guest, end)
            guest.wait_reset(SECONDS * 2 + 30)
            guest.wait_agent()
            guest.settle()
            assert device(guest)["last_end"].startswith("the hardware watchdog reset the device: PID 1 or the kernel")


def test_a_critical_unit_that_is_dead_is_the_devices_end(machine):
    with machine() as guest:
        assert guest.run("husk start vital", 60).status == 0
        guest.run("husk stop vital; sleep 6", 60)  # on request: nothing is wrong
        assert device(guest)["watchdog"]["vetoes"] == []
        guest.run("husk start vital; husk kill -s KILL vital", 60)
        assert is_reset(guest)
        assert "the critical unit 'vital' failed" in guest.console_text()
    with machine() as guest:
        assert "the critical unit 'vital' failed and has been down for longer than CriticalSec=3s" in device(guest)["last_end"]


def test_ctrl_alt_del_seven_times_waits_for_nobody(boot, tmp_path):
    deaf = unit("/bin/busybox sh -c 'trap : TERM; echo deaf; while :; do sleep 1; done'", service="TimeoutStopSec=90s")
    with boot(units=write_units(tmp_path / "units", {"deaf": deaf}), files=probe_files(), append="loglevel=7") as guest:
        guest.ctrl_alt_del()
        guest.wait_console("going down for reboot", 30)
        for _ in range(12):
            guest.ctrl_alt_del()
        assert guest.wait_exit(40) is End.REBOOT
        assert "Ctrl-Alt-Del 7 times: going down without waiting for units" in guest.console_text()


def test_storage_that_does_not_answer_is_the_devices_end(machine, tmp_path):
    erst = ["-object", f"memory-backend-file,id=erst,mem-path={tmp_path / 'erst'},size=0x40000,share=on",
            "-device", "acpi-erst,memdev=erst"]
    with machine({"RuntimeWatchdogPreSec": "2s", "RuntimeWatchdogPreGovernor": "panic"}, append="loglevel=7 panic=1",
                 modules=["softdog", "pretimeout_panic"], qemu_args=erst) as guest:
        # For a moment it may well do so.
        guest.run(f"busybox fsfreeze --freeze /var/lib/husk; sleep {SECONDS // 2}; busybox fsfreeze --unfreeze /var/lib/husk", 60)
        assert device(guest)["watchdog"]["vetoes"] == []
        guest.run("busybox fsfreeze --freeze /var/lib/husk", 60)
        # Neither the supervisor nor its clients wait for it.
        guest.wait_console("state storage has not answered a write for", 60)
        assert "state storage has not answered" in guest.run("husk status", 10).text
        guest.wait_exit(60)
        assert "watchdog: pretimeout" in guest.console_text() or "watchdog pretimeout event" in guest.console_text()
    with machine(qemu_args=erst) as guest:
        assert "not fed any more: state storage has not answered a write for" in device(guest)["last_end"]
