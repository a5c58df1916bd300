"""Settings of the device itself: its time zone, its console for people, its id."""

import socket
import time
from pathlib import Path

from conftest import Husk, probe_files, unit, write_units
from huskvm import End

BERLIN = "/usr/share/zoneinfo/Europe/Berlin"


class SerialLine:
    """A person at a serial line of a guest."""

    def __init__(self, path: Path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._socket.settimeout(60)
        self.shown = ""

    @staticmethod
    def qemu_args(path: Path) -> list[str]:
        return ["-chardev", f"socket,path={path},server=on,wait=off,id=people", "-serial", "chardev:people"]

    def type(self, text: str) -> None:
        self._socket.sendall(text.encode())

    def wait(self, text: str) -> None:
        """Until it is shown; what is before that is forgotten."""
        while text not in self.shown:
            self.shown += self._socket.recv(4096).decode(errors="replace")
        self.shown = self.shown.partition(text)[2]


def test_the_time_zone_the_id_and_the_console(boot, tmp_path):
    units = write_units(tmp_path / "units", {
        "zone": unit("/bin/busybox date -d @1750000000 '+at %%H%%z'", container="Timezone=local\nEnvironment=ID=%m",
                     service="Type=oneshot\nRestart=no"),
    })
    start = {"units": units, "files": probe_files() + [(Path(BERLIN).resolve(), BERLIN)], "disk": tmp_path / "state.ext4"}
    with boot(**start, append="loglevel=7", system={"System": {"Timezone": "Europe/Berlin", "Console": "ttyS9"}}) as guest:
        husk = Husk(guest)
        assert guest.run("date -d @1750000000 +%H%z", 30).text == "17+0200\n"
        assert "at 17+0200" in husk.log("zone")
        made = guest.run("cat /run/husk/machine-id", 30).text
        assert len(made) == 33 and made[12] == "4"
        assert f"ID={made.strip()}" in husk("show zone")
        # Not there: the kernel's own one, where the agent is that this test asks.
        assert "Console=/dev/ttyS9: open '/dev/ttyS9': No such file or directory" in guest.run("dmesg", 30).text
        guest.run("husk poweroff", 60)
        assert guest.wait_exit(120) is End.POWEROFF
    line = tmp_path / "line"
    with boot(**start, append="loglevel=7 husk.console=/bin/sh", wait="started", qemu_args=SerialLine.qemu_args(line),
              system={"System": {"Timezone": "Europe/Atlantis", "Console": "ttyS2,115200"}}) as guest:
        people = SerialLine(line)
        guest.wait_console("boot has settled", 180)
        people.type("tty; stty; cat /run/husk/machine-id\n")
        for text in "/dev/ttyS2", "speed 115200 baud", made.strip():
            people.wait(text)
        # A supervisor that comes anew leaves it there.
        people.type("before=$$; kill -9 $(cat /sys/fs/cgroup/supervisor/cgroup.procs)\n")
        guest.wait_console("start number 2", 60)
        people.type("sleep 2; test $before = $$ && echo the-same-$((40 + 2))\n")
        people.wait("the-same-42")
        people.type("exit\n")
        guest.wait_console("Europe/Atlantis", 30)
        shown = guest.console_text()
        assert ("Timezone=Europe/Atlantis: '/usr/share/zoneinfo/Europe/Atlantis' (put the zone's file there): "
                "No such file or directory") in shown
        assert "# " not in shown  # no shell there
        time.sleep(2)
        people.type("echo again-$((40 + 2))\n")
        people.wait("again-42")
