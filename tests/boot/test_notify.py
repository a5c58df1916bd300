"""Each notify message, from the real libsystemd in a container of a guest. More of each is in tests/host."""

import time
from pathlib import Path

import huskvm
import huskvm.rootfs
import pytest
from conftest import TIMEOUT, Husk, write_units

HERE = Path(__file__).parent
SHARED = "/run/talker"
UNIT = f"""[Container]
Image=talker
Volume={SHARED}:/shared:ro,noidmap
Exec=/usr/bin/python3 -IS /client.py
[Service]
Type=notify-reload
TimeoutStartSec=4
WatchdogSec=60
NotifyAccess=main
Restart=always
RestartSec=10ms
[Install]
Enabled=no
"""


class Talker:
    """The unit, whose program evaluates what is told."""

    def __init__(self, guest):
        self.guest, self.husk = guest, Husk(guest)

    def forget(self) -> None:
        """What the next run is not to do again; this one is lost for what is told from now on."""
        assert self.guest.run(f"mkdir -p {SHARED} && chmod 755 {SHARED} && : > {SHARED}/commands").status == 0

    def send(self, line: str) -> None:
        text = line.replace("'", "'\\''")
        assert self.guest.run(f"printf '%s\\n' '{text}' >> {SHARED}/commands").status == 0

    def tell(self, line: str) -> str:
        """What `line` gave."""
        self.send(line)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            answers = [one for one in self.husk.log("talker").splitlines() if one.startswith(f"> {line} -> ")]
            if answers:
                return answers[-1].rpartition(" -> ")[2]
            time.sleep(0.1)
        pytest.fail(f"no answer to {line}:\n{self.husk.log('talker')}")

    def notify(self, text: str) -> None:
        assert self.tell(f"notify({text!r})") == "1"

    def wait(self, **wanted) -> dict:
        return self.husk.wait("talker", lambda one: all(one[key] == value for key, value in wanted.items()))


@pytest.fixture(scope="module")
def talker(kernel, tmp_path_factory):
    folder = write_units(tmp_path_factory.mktemp("units"), {"talker": UNIT})
    images = {"talker": huskvm.rootfs.image(HERE / "images/talker.toml")}
    with huskvm.boot(kernel=kernel, units=folder, images=images, append="loglevel=7", timeout=TIMEOUT * 2) as guest:
        yield Talker(guest)


def test_each_message_of_libsystemd_is_heard(talker):
    husk = talker.husk
    talker.forget()
    assert talker.guest.run("husk start --no-wait talker").status == 0
    talker.send("notify('EXTEND_TIMEOUT_USEC=120000000')")
    talker.notify("STATUS=loading\nERRNO=5")
    loading = talker.wait(status_text="loading")
    assert (loading["state"], loading["status_errno"]) == ("starting", 5)
    time.sleep(4)  # TimeoutStartSec=, if it were not extended
    pid = talker.wait(state="starting")["main_pid"]
    talker.notify("MAINPID=1\nREADY=1\nSTATUS=serving")
    ready = talker.wait(state="running", status_text="serving")
    assert ready["main_pid"] == pid and any("MAINPID=" in entry["text"] for entry in ready["history"])

    assert talker.tell("watchdog()") == "1 60000000"
    talker.notify("WATCHDOG=1")
    assert int(talker.tell("barrier()")) > 0
    assert talker.tell("notify('RELOADING=1\\nMONOTONIC_USEC=%d' % monotonic())") == "1"
    talker.wait(state="reloading")
    talker.notify("READY=1\nSTATUS=reloaded")
    talker.wait(state="running", status_text="reloaded")

    assert talker.tell("send('FDSTORE=1\\nFDNAME=gone', os.memfd_create('a'))") == "1"
    assert talker.tell("send('FDSTORE=1\\nFDNAME=kept', os.memfd_create('b'))") == "1"
    talker.notify("FDSTOREREMOVE=1\nFDNAME=gone")
    talker.tell("barrier(20)")
    talker.forget()
    talker.send("notify('READY=1')")
    assert husk.guest.run("husk kill -s KILL talker").status == 0
    husk.wait("talker", lambda one: one["state"] == "running" and one["main_pid"] != pid)
    assert talker.tell("stored()") == "3=kept"

    # Its own limit from now on, and nobody feeds it: what ends it is the watchdog, and what comes up is the next run.
    talker.wait(state="running")
    talker.send("notify('WATCHDOG_USEC=300000')")
    husk.wait("talker", lambda one: any("no sign of life" in entry["text"] for entry in one["history"]))
    talker.forget()
    talker.notify("READY=1\nSTATUS=again")
    talker.wait(state="running", status_text="again")
    talker.notify("STOPPING=1")
    talker.wait(state="stopping")
