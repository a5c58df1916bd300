"""The whole of husk in namespaces on the host: PID 1, the real supervisor and real containers.

The host's cgroup v2 has no controllers, so units have no limits here; those are tested in QEMU.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

import pid1_namespace as ns

BUSYBOX = "/bin/busybox"  # Debian's busybox-static

START_SUPERVISOR = """#!/bin/sh
exec /run/test/husk "$@" --units=/run/test/units --config=/run/test/system.conf --state-dir=/run/test/state
"""

SYSTEM_CONF = "[Manager]\nDefaultTasksMax=infinity\nLogBufferSize=8M\n"


def unit(command: str, service: str = "", container: str = "", head: str = "") -> str:
    return (f"[Unit]\nDescription=test\n{head}[Container]\nVolume={BUSYBOX}:/bin/sh:ro\n{container}"
            f"Exec=/bin/sh -c \"{command}\"\n[Service]\n{service}")


class Device(ns.Pid1):
    """PID 1 with the real supervisor, and the client of the host to ask it with."""

    START_SUPERVISOR = START_SUPERVISOR

    def __init__(self, directory: pathlib.Path, units: dict[str, str]):
        super().__init__(directory, command_line="")
        (directory / "units").mkdir()
        (directory / "state").mkdir()
        (directory / "system.conf").write_text(SYSTEM_CONF)
        for name, text in units.items():
            (directory / f"units/{name}.container").write_text(text)

    def __enter__(self):
        original, ns.FAKE_SUPERVISOR = ns.FAKE_SUPERVISOR, self.START_SUPERVISOR
        try:
            super().__enter__()
        finally:
            ns.FAKE_SUPERVISOR = original
        until = time.monotonic() + ns.LIMIT
        while self.husk("is-system-running", "--wait").returncode not in (0, 1):
            assert time.monotonic() < until, self.console.decode()
            time.sleep(0.05)  # /run/husk is not there yet
        return self

    def husk(self, *words: str) -> subprocess.CompletedProcess:
        # A socket's path is resolved by whoever connects, through /proc into the other mounts.
        environment = os.environ | {"HUSK_RUN": f"/proc/{self.host_pid}/root/run/husk"}
        return subprocess.run([ns.binary(), *words], capture_output=True, text=True, timeout=60,
                              env=environment)

    def unit(self, name: str) -> dict:
        shown = self.husk("why", name, "--json")
        answer = json.loads(shown.stdout)
        return answer["units"][0]

    def wait_for(self, name: str, wanted) -> dict:
        until = time.monotonic() + ns.LIMIT
        while time.monotonic() < until:
            found = self.unit(name)
            if wanted(found):
                return found
            time.sleep(0.02)  # the protocol has no way to wait for a state
        pytest.fail(f"{name} stays {json.dumps(found, indent=1)}\n{self.console.decode()}")

    def log(self, name: str) -> list[str]:
        shown = self.husk("logs", "-o", "cat", "-n", "1000000", name)
        return [line for line in shown.stdout.splitlines() if not line.startswith("--")]

    def _has(self, pid: int) -> bool:
        """Whether it is a process of this device, and not of one that another run of the tests has beside it."""
        while pid not in (0, 1, self.host_pid):
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:
                return False  # gone
            pid = int(re.search(r"^PPid:\t(\d+)$", status, re.M)[1])
        return pid == self.host_pid

    def host_pid_of(self, pid: int) -> int:
        """What the host calls a main process that the namespace calls `pid`."""
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                lines = status.read_text().splitlines()
            except OSError:
                continue  # gone
            numbers = next(line for line in lines if line.startswith("NSpid:")).split()[1:]
            # On the host, for PID 1, in its own namespace.
            if numbers[1:] == [str(pid), "1"] and self._has(int(numbers[0])):
                return int(numbers[0])
        raise LookupError(pid)

    def supervisor_pid(self) -> int:
        """On the host; 0 while there is none."""
        children = pathlib.Path(f"/proc/{self.host_pid}/task/{self.host_pid}/children").read_text().split()
        for child in children:
            try:
                words = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                own = os.readlink(f"/proc/{child}/ns/pid") == os.readlink(f"/proc/{self.host_pid}/ns/pid")
            except OSError:
                continue  # gone
            # A container to be, whose supervisor has died, still has its words; its namespace is another one.
            if b"supervise" in words and own:
                return int(child)
        return 0

    def kill_supervisor(self, number: int) -> None:
        if (pid := self.supervisor_pid()) != 0:
            os.kill(pid, number)


@pytest.fixture
def device(tmp_path):
    devices = []

    def start(units: dict[str, str]) -> Device:
        device = Device(tmp_path, units)
        devices.append(device)
        return device.__enter__()

    yield start
    for device in devices:
        device.__exit__()


def test_a_container_sees_its_own_world_and_nothing_else(device):
    report = "id; hostname; echo pid $$$$; cat /proc/self/status; ls /; cat /proc/net/dev; echo $GREETING"
    found = device({"probe": unit(report, "Type=oneshot\nRemainAfterExit=yes\n", "Environment=GREETING=hello\n")})
    assert found.unit("probe")["state"] == "exited"
    text = "\n".join(found.log("probe"))
    assert "uid=0(root) gid=0" in text
    assert "\nprobe\npid 1\n" in text
    for line in "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2":
        assert line in text
    assert {"bin", "dev", "etc", "proc", "sys", "tmp"} <= set(text.splitlines())
    assert "eth0" not in text and "lo:" in text
    assert text.endswith("hello")


def test_a_program_that_is_killed_is_started_again_and_why_says_so(device):
    found = device({"web": unit("sleep 1000", "Restart=always\nRestartSec=10ms\n")})
    before = found.unit("web")
    assert found.husk("kill", "-s", "SEGV", "web").returncode == 0
    os.kill(found.host_pid_of(before["main_pid"]), signal.SIGKILL)
    after = found.wait_for("web", lambda u: u["state"] == "running" and u["main_pid"] != before["main_pid"])
    assert after["restarts"] == 1
    assert after["last_exit"]["text"] == "killed by SIGKILL"
    assert "killed by SIGKILL" in found.husk("why", "web").stdout


@pytest.mark.parametrize("text, reason", [
    ("Exec=/bin/nothing\n", "execute '/bin/nothing': no such file in the container"),
    ("Exec=nothing\n", "execute 'nothing': no such program in the container's PATH"),
    ("Volume=/bin/ls:/bin/ls:ro\nExec=/bin/ls\n", "its interpreter '/lib64/ld-linux-x86-64.so.2' is missing"),
    ("Volume=/nowhere:/data\nExec=/bin/x\n", "volume source '/nowhere'"),
    ("Image=nginx\nExec=/bin/x\n", "image 'nginx': no 'nginx.erofs' or 'nginx.squashfs' in"),
    ("Rootfs=/nowhere\nExec=/bin/x\n", "open '/nowhere'"),
    ("User=nobodyhome\nExec=/bin/x\n", "no user 'nobodyhome' in the container's /etc/passwd"),
])
def test_what_cannot_start_says_why(device, text, reason):
    found = device({"bad": f"[Container]\n{text}[Service]\nRestart=no\n"})
    shown = found.unit("bad")
    assert shown["state"] == "failed"
    assert reason in shown["reason"]


def test_exit_codes_decide_over_restarts(device):
    found = device({
        "once": unit("exit 0", "Restart=on-failure\n"),
        "never": unit("exit 3", "Restart=no\n"),
        "looping": unit("exit 4", "RestartSec=20ms\n"),
    })
    found.wait_for("once", lambda u: u["state"] == "inactive")
    found.wait_for("never", lambda u: u["state"] == "failed")
    assert found.unit("never")["last_exit"]["text"] == "exited with code 3"
    looping = found.wait_for("looping", lambda u: u["restarts"] >= 3)
    assert looping["last_exit"]["code"] == 4
    assert any("restarting in" in entry["text"] for entry in looping["history"])


def test_the_start_is_ordered_and_the_stop_too(device):
    found = device({
        "first": unit("sleep 1000"),
        "second": unit("sleep 1000", head="After=first\nRequires=first\n"),
    })
    first, second = found.unit("first"), found.unit("second")
    assert first["since_monotonic"] <= second["since_monotonic"]
    assert found.husk("stop", "first").returncode == 0
    found.wait_for("second", lambda u: u["state"] == "inactive")
    assert found.husk("start", "second").returncode == 0
    assert found.unit("first")["state"] == "running"


def test_an_exit_while_there_is_no_supervisor_is_told_by_the_next(device):
    found = device({"web": unit("sleep 1000", "Restart=no\n")})
    pid = found.host_pid_of(found.unit("web")["main_pid"])
    found.signal(signal.SIGSTOP)  # PID 1 starts no new one meanwhile
    found.kill_supervisor(signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    found.signal(signal.SIGCONT)
    assert found.wait_for("web", lambda u: u["state"] == "failed")["last_exit"]["text"] == "killed by SIGKILL"


def test_poweroff_stops_the_units_and_ends_the_namespace(device):
    found = device({"web": unit("trap 'echo bye; exit 0' TERM; while true; do sleep 0.1; done")})
    assert found.husk("poweroff").returncode == 0
    assert found.wait() == signal.SIGINT  # what reboot(2) with RB_POWER_OFF ends a PID namespace with


def test_an_instance_of_a_template_is_started_on_demand_and_stays(device):
    found = device({"worker@": unit("echo this is %i; exec sleep 1000")})
    assert found.husk("list").stdout == ""
    missing = found.husk("status", "worker@")
    assert missing.returncode == 4 and "'worker@' is a template: name an instance, as in worker@1" in missing.stderr
    assert found.husk("start", "worker@a", "worker@b").returncode == 0
    found.wait_for("worker@b", lambda _: found.log("worker@b") == ["this is b"])  # running is not yet said
    before = found.unit("worker@a")["main_pid"]
    found.kill_supervisor(signal.SIGKILL)
    after = found.wait_for("worker@a", lambda one: one["state"] == "running")
    assert after["main_pid"] == before
    unknown = found.husk("start", "walker@a")
    assert unknown.returncode == 4 and "no unit 'walker@a' (did you mean 'worker@a'?)" in unknown.stderr


def test_a_masked_unit_is_said_to_be_masked(device, tmp_path):
    found = device({"web": unit("exec sleep 1000"), "other": unit("exec sleep 1000")})
    (tmp_path / "units/web.container").unlink()
    (tmp_path / "units/web.container").symlink_to("/dev/null")
    assert found.husk("reload").returncode == 0
    said = found.husk("start", "web")
    assert said.returncode == 4 and "unit 'web' is masked: '" in said.stderr and "husk reload" in said.stderr
    assert found.unit("other")["state"] == "running"
