"""What a program says of itself, with the real libsystemd inside a container."""

import json
import os
import pathlib
import subprocess
import time

import pytest

import pid1_namespace as ns
from test_containers import Device, unit

HERE = pathlib.Path(__file__).parent
# The host's own libsystemd and python in a skeleton root.
ROOT = ("Volume=/usr:/usr:ro\nVolume=/usr/lib:/lib:ro\nVolume=/usr/lib64:/lib64:ro\n"
        "Volume=/run/test/client.py:/client.py:ro\nVolume=/run/test/{name}:/shared:ro\n")


class Talker:
    """A unit whose program does what it is told."""

    def __init__(self, device, name: str):
        self.device = device
        self.name = name
        self.commands = device._directory / name / "commands"
        self.told = 0

    def start(self) -> "Talker":
        """Without waiting until it is up, as the client does."""
        words = [ns.binary(), "start", self.name]
        self.device.clients.append(subprocess.Popen(
            words, env=os.environ | {"HUSK_RUN": f"/proc/{self.device.host_pid}/root/run/husk"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        self.wait(lambda u: u["state"] not in ("inactive", "waiting"))
        return self

    def tell(self, line: str) -> str:
        """What `line` gave, in the program."""
        self.told += 1
        mark = f"  # {self.told}"
        with open(self.commands, "a") as file:
            file.write(line + mark + "\n")
        until = time.monotonic() + ns.LIMIT
        while time.monotonic() < until:
            for logged in self.device.log(self.name):
                if logged.startswith(f"> {line}{mark} -> "):
                    return logged.removeprefix(f"> {line}{mark} -> ")
            time.sleep(0.02)  # a log has no way to wait for a line that a test can use
        pytest.fail(f"no answer to {line}:\n" + "\n".join(self.device.log(self.name)))

    def notify(self, text: str) -> None:
        assert self.tell(f"notify({text!r})") == "1"

    def unit(self) -> dict:
        return self.device.unit(self.name)

    def wait(self, wanted) -> dict:
        return self.device.wait_for(self.name, wanted)

    def history(self) -> str:
        return "\n".join(entry["text"] for entry in self.unit()["history"])


@pytest.fixture
def talkers(tmp_path):
    devices = []

    def start(units: dict[str, tuple[str, str]]) -> list[Talker]:
        """units: name -> ([Service], [Container])."""
        (tmp_path / "client.py").write_bytes((HERE / "notify_client.py").read_bytes())
        texts = {}
        for name, (service, container) in units.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "commands").write_text("")
            (tmp_path / name).chmod(0o755)
            texts[name] = ("[Container]\n" + ROOT.format(name=name) + container +
                           f"Exec=/usr/bin/python3 -IS /client.py\n[Service]\n{service}[Install]\nEnabled=no\n")
        device = Device(tmp_path, texts)
        device.clients = []
        devices.append(device)
        device.__enter__()
        return [Talker(device, name).start() for name in units]

    yield start
    for device in devices:
        for client in device.clients:
            client.kill()
            client.wait()
        device.__exit__()


NOTIFY = "Type=notify\nTimeoutStartSec=60\nRestart=no\n"


def state(name: str):
    return lambda found: found["state"] == name


def test_it_is_up_when_it_says_so(talkers):
    [web] = talkers({"web": (NOTIFY, "")})
    assert web.unit()["state"] == "starting"
    web.notify("STATUS=loading\nERRNO=5")
    found = web.wait(lambda u: u["status_text"] == "loading")
    assert found["status_errno"] == 5 and found["state"] == "starting"
    web.notify("READY=1\nSTATUS=serving \x1b[31m on 80")
    found = web.wait(state("running"))
    assert found["status_text"] == "serving ?[31m on 80"
    web.notify("STATUS=")
    web.wait(lambda u: u["status_text"] == "")


def test_a_start_that_is_never_ready_times_out(talkers):
    [web] = talkers({"web": ("Type=notify\nTimeoutStartSec=500ms\nRestart=no\n", "")})
    assert web.wait(state("failed"))["reason"]


def test_a_restarted_supervisor_hears_what_was_said_meanwhile(talkers):
    [web] = talkers({"web": (NOTIFY, "")})
    web.tell("1")
    before = web.unit()["main_pid"]
    web.device.kill_supervisor(19)  # stopped: nobody listens
    with open(web.commands, "a") as file:
        file.write("notify('READY=1\\nSTATUS=kept')\n")
    time.sleep(0.3)  # nobody is there who could say that it was sent
    web.device.kill_supervisor(9)
    found = web.wait(state("running"))
    assert found["main_pid"] == before and found["status_text"] == "kept"
    web.notify("STATUS=later")
    web.wait(lambda u: u["status_text"] == "later")


def test_a_barrier_comes_back(talkers):
    [web] = talkers({"web": (NOTIFY, "")})
    assert int(web.tell("barrier()")) > 0
    web.notify("READY=1")
    assert int(web.tell("barrier()")) > 0
    assert web.unit()["state"] == "running"


def test_reloading_is_seen_and_over_when_it_is_ready_again(talkers):
    [web] = talkers({"web": (NOTIFY, "")})
    web.notify("READY=1")
    web.wait(state("running"))
    web.tell("notify('RELOADING=1\\nMONOTONIC_USEC=%d' % monotonic())")
    web.wait(state("reloading"))
    web.notify("READY=1")
    web.wait(state("running"))


def test_stopping_is_announced(talkers):
    [web] = talkers({"web": (NOTIFY, "")})
    web.notify("READY=1")
    web.wait(state("running"))
    web.notify("STOPPING=1")
    web.wait(state("stopping"))


def test_the_watchdog_is_told_to_it_and_fed_by_it(talkers):
    [web] = talkers({"web": (NOTIFY + "WatchdogSec=900ms\n", "")})
    assert web.tell("watchdog()") == "1 900000"
    web.notify("READY=1")
    web.wait(state("running"))
    pid = web.unit()["main_pid"]
    for _ in range(8):
        web.notify("WATCHDOG=1")
        time.sleep(0.2)  # the watchdog counts time
    assert web.unit()["main_pid"] == pid
    found = web.wait(lambda u: u["state"] == "failed")  # not fed any more
    assert "watchdog" in found["last_exit"]["kind"]


@pytest.mark.parametrize("message", ["WATCHDOG=trigger", "WATCHDOG_USEC=200000"])
def test_the_watchdog_can_be_triggered_and_changed(talkers, message):
    [web] = talkers({"web": (NOTIFY + "WatchdogSec=1h\n", "")})
    web.notify("READY=1")
    web.wait(state("running"))
    with open(web.commands, "a") as file:
        file.write(f"notify('{message}')\n")
    assert web.wait(state("failed"))["last_exit"]["kind"] == "watchdog"


def test_a_timeout_can_be_extended(talkers):
    [web] = talkers({"web": ("Type=notify\nTimeoutStartSec=1s\nRestart=no\n", "")})
    with open(web.commands, "a") as file:
        file.write("notify('EXTEND_TIMEOUT_USEC=60000000')\n")
    time.sleep(1.5)  # the limit that would have been
    assert web.unit()["state"] == "starting"
    web.notify("READY=1")
    web.wait(state("running"))


def test_who_is_main_is_not_its_to_say(talkers):
    [web] = talkers({"web": (NOTIFY, "")})
    pid = web.unit()["main_pid"]
    for _ in range(3):
        web.notify("MAINPID=1\nREADY=1")
    found = web.wait(state("running"))
    assert found["main_pid"] == pid
    assert web.history().count("MAINPID=") == 1


def test_by_default_only_the_main_process_is_heard(talkers):
    one, every = talkers({"main": (NOTIFY, ""), "all": (NOTIFY + "NotifyAccess=all\n", "")})
    for talker in one, every:
        talker.tell("in_child(\"notify('READY=1\\\\nSTATUS=child')\")")
        talker.tell("barrier()")
    assert every.wait(state("running"))["status_text"] == "child"
    assert one.unit()["state"] == "starting"
    one.notify("READY=1")
    one.wait(state("running"))


def test_systemd_notify_itself_works(talkers):
    [web] = talkers({"web": (NOTIFY + "NotifyAccess=all\n", "")})
    line = "__import__('subprocess').run(['/usr/bin/systemd-notify', '--ready', '--status=by hand']).returncode"
    assert web.tell(line) == "0"
    assert web.wait(state("running"))["status_text"] == "by hand"


def test_stored_descriptors_come_back_with_the_next_start(talkers):
    [web] = talkers({"web": (NOTIFY.replace("Restart=no", "Restart=always\nRestartSec=10ms"), "")})
    web.notify("READY=1")
    web.tell("store = [os.memfd_create('a'), os.memfd_create('b'), socket.socketpair(), os.pipe()]")
    web.tell("os.write(store[0], b'kept')")
    assert web.tell("send('FDSTORE=1\\nFDNAME=memory', store[0])") == "1"
    assert web.tell("send('FDSTORE=1\\nFDNAME=memory', store[0])") == "1"  # the same: once
    assert web.tell("send('FDSTORE=1', store[1], store[2][0].fileno())") == "1"
    assert web.tell("send('FDSTORE=1\\nFDNAME=gone', store[3][0])") == "1"
    assert web.tell("send('FDSTORE=1\\nFDNAME=removed', os.memfd_create('c'))") == "1"
    assert web.tell("notify('FDSTOREREMOVE=1\\nFDNAME=removed')") == "1"
    assert web.tell("os.close(store[3][1])") == "None"  # hangs up
    web.tell("barrier()")
    web.device.kill_supervisor(9)
    web.wait(state("running"))
    web.tell("send('FDSTORE=1\\nFDNAME=late', os.memfd_create('d'))")
    pid = web.unit()["main_pid"]
    with open(web.commands, "w") as file:
        file.write("notify('READY=1')\n")
    assert web.device.husk("kill", "-s", "KILL", "web").returncode == 0
    web.wait(lambda u: u["state"] == "running" and u["main_pid"] != pid)
    # The socket's peer went with the first process, and so did the socket.
    assert web.tell("stored()") == "3=memory 4=stored 5=late"
    assert web.tell("os.pread(3, 10, 0)") == "b'kept'"
    assert web.device.husk("stop", "web").returncode == 0
    with open(web.commands, "w") as file:
        file.write("notify('READY=1')\n")
    assert web.device.husk("start", "web").returncode == 0
    assert web.tell("stored()") == ""


def test_a_full_store_takes_no_more(talkers):
    [web] = talkers({"web": (NOTIFY, "")})
    web.notify("READY=1")
    web.tell("[send('FDSTORE=1', *[os.memfd_create('x') for _ in range(100)]) for _ in range(6)]")
    web.tell("barrier()")
    record = json.loads(web.device.inside("/run/husk/records/web.json").read_text())
    assert len(record["stored"]) == 512
    assert "a descriptor is not stored: 512 of the unit are" in web.history()


def test_a_device_node_is_not_stored(talkers):
    [web] = talkers({"web": (NOTIFY, "")})
    web.tell("send('FDSTORE=1', os.open('/dev/null', os.O_RDONLY))")
    web.tell("barrier()")
    assert "a descriptor is not stored: it is a device node" in web.history()


def test_a_flood_holds_up_nobody_else(talkers):
    flood, quiet = talkers({"flood": (NOTIFY + "NotifyAccess=all\n", ""), "quiet": (NOTIFY, "")})
    with open(flood.commands, "a") as file:
        file.write("raw(b'STATUS=' + b'x' * 4000, 100000)\n")
    time.sleep(0.5)  # it is at it
    began = time.monotonic()
    for i in range(20):
        quiet.notify(f"STATUS={i}")
    quiet.notify("READY=1")
    quiet.wait(state("running"))
    assert time.monotonic() - began < 10
    assert flood.device.husk("stop", "flood").returncode == 0


def test_empty_and_odd_datagrams_are_passed_over(talkers):
    [web] = talkers({"web": (NOTIFY, "")})
    for data in b"", b"\0", b"\n", b"READY", b"x" * 5000, b"READY=1\0STATUS=x", b"\xff" * 100:
        assert web.tell(f"raw({data!r})") == "1"
    assert web.unit()["state"] == "starting"
    web.notify("READY=1")
    web.wait(state("running"))


def test_what_the_last_run_said_is_not_the_next_ones(talkers):
    [web] = talkers({"web": (NOTIFY.replace("Restart=no", "Restart=always\nRestartSec=10ms"), "")})
    before = web.unit()["main_pid"]
    web.device.kill_supervisor(19)
    with open(web.commands, "a") as file:
        file.write("[notify('READY=1\\nSTATUS=old') for _ in range(3)]\nos._exit(1)\n")
    time.sleep(0.3)  # nobody is there who could say that it is gone
    web.commands.write_text("")
    web.device.kill_supervisor(9)
    web.wait(lambda u: u["state"] == "starting" and u["main_pid"] != before)
    web.tell("1")
    found = web.unit()
    assert found["state"] == "starting" and found["status_text"] == ""


@pytest.mark.parametrize("container", [
    "ReadOnly=no\n", "ReadOnlyTmpfs=no\n", "User=1000\n", "UserNS=host\nUser=1000\n", "PrivatePIDs=no\n",
    "Tmpfs=/run\n", "Volume=/run/test/ro:/run:ro\n", "TimeOffset=1000\n"])
def test_the_socket_is_there_whatever_the_root_is_like(talkers, tmp_path, container):
    (tmp_path / "ro").mkdir()
    [web] = talkers({"web": (NOTIFY + "WatchdogSec=1h\n", container)})
    assert web.tell("os.environ['NOTIFY_SOCKET']") == "/dev/husk-notify"
    assert web.tell("watchdog()") == "1 3600000000"
    web.notify("READY=1")
    web.wait(state("running"))


def test_without_mounts_of_its_own_the_devices_path_leads_to_it(tmp_path):
    (tmp_path / "client.py").write_bytes((HERE / "notify_client.py").read_bytes())
    (tmp_path / "web").mkdir()
    (tmp_path / "web/commands").write_text("notify('READY=1')\n")
    (tmp_path / "client.py").write_text((tmp_path / "client.py").read_text().replace(
        '"/shared/commands"', '"/run/test/web/commands"'))
    text = ("[Container]\nPrivateMounts=no\nUserNS=host\nExec=/usr/bin/python3 -IS /run/test/client.py\n"
            f"[Service]\n{NOTIFY}")
    device = Device(tmp_path, {"web": text})
    try:
        device.__enter__()
        web = Talker(device, "web")
        web.wait(state("running"))
        assert web.tell("os.environ['NOTIFY_SOCKET']") == "/run/husk/notify-shared/web"
    finally:
        device.__exit__()


def test_a_unit_that_does_not_notify_has_no_socket(talkers):
    [web] = talkers({"web": ("Type=exec\n", "")})
    assert web.tell("os.environ.get('NOTIFY_SOCKET')") == "None"
    assert not web.device.inside("/run/husk/notify/web").exists()


def test_a_newline_on_its_descriptor_means_ready(talkers):
    [web] = talkers({"web": ("NotifyFd=7\nTimeoutStartSec=60\nRestart=no\n", "")})
    assert web.tell("os.write(7, b'almost')") == "6"
    web.device.kill_supervisor(9)
    web.tell("1")
    assert web.unit()["state"] == "starting"
    assert web.tell("os.write(7, b' there\\n')") == "7"
    web.wait(state("running"))


THIEF = "Volume=/run/husk/notify/web:/sock:ro,noidmap\nAddCapability=CAP_SYS_ADMIN CAP_SETUID CAP_SETGID\n"


def test_a_socket_that_was_given_away_obeys_its_own_unit_only(talkers):
    web, thief = talkers({"web": (NOTIFY + "NotifyAccess=all\n", ""), "thief": (NOTIFY, THIEF)})
    for attack in ("raw_to('/sock', b'READY=1\\nSTATUS=stolen')",
                   "forge('/sock', os.getpid(), 0, b'READY=1\\nSTATUS=stolen')",
                   "forge('/sock', os.getpid(), 1000, b'READY=1\\nSTATUS=stolen')",
                   # One that is gone when the message is read: its user tells.
                   "in_child(\"raw_to('/sock', b'READY=1\\\\nSTATUS=stolen')\")"):
        thief.tell(attack)
    web.tell("barrier()")
    found = web.unit()
    assert found["state"] == "starting" and found["status_text"] == ""
    assert "a notification is refused: it is of a user of another unit" in web.history()
    web.notify("READY=1")
    web.wait(state("running"))


def test_a_thief_with_the_devices_users_is_known_by_its_cgroup(talkers):
    web, thief = talkers({"web": (NOTIFY + "NotifyAccess=all\n", "UserNS=host\n"),
                          "thief": (NOTIFY, THIEF + "UserNS=host\n")})
    thief.tell("raw_to('/sock', b'READY=1\\nSTATUS=stolen')")
    web.tell("barrier()")
    assert web.unit()["state"] == "starting"
    assert "a notification is refused: it is of a process of another unit" in web.history()


def test_no_pid_of_another_unit_can_be_claimed(talkers):
    rights = "AddCapability=CAP_SYS_ADMIN CAP_SETUID CAP_SETGID\n"
    web, other = talkers({"web": (NOTIFY, rights + "PrivatePIDs=no\n"), "other": (NOTIFY, "")})
    foreign = other.unit()["main_pid"]
    tried = web.tell(f"forge(os.environ['NOTIFY_SOCKET'], {foreign}, 0, b'READY=1')")
    assert "PermissionError" in tried or "ProcessLookupError" in tried
    assert web.unit()["state"] == other.unit()["state"] == "starting"


def test_descriptors_that_linger_hold_nobody_up(talkers):
    flood, quiet = talkers({"flood": (NOTIFY, ""), "quiet": (NOTIFY, "")})
    flood.tell("listener = socket.create_server(('127.0.0.1', 0), backlog=1)")
    flood.tell("slow = socket.create_connection(listener.getsockname())")
    flood.tell("slow.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 100))")
    flood.tell("slow.setblocking(False)")
    flood.tell("[slow.send(b'x' * 65536) for _ in range(1000)]")  # until it is full
    flood.device.kill_supervisor(19)  # stopped: the message is the last to have it
    with open(flood.commands, "a") as file:
        file.write("send('READY=1', slow.fileno())\nslow.close()\n")
    time.sleep(0.5)  # nobody is there who could say that it was sent
    flood.device.kill_supervisor(18)
    began = time.monotonic()
    quiet.notify("READY=1")
    quiet.wait(state("running"))
    assert time.monotonic() - began < 10
    flood.wait(state("running"))
    # And one that PID 1 keeps when its unit goes.
    flood.tell("slow = socket.create_connection(listener.getsockname())")
    flood.tell("slow.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 100))")
    flood.tell("slow.setblocking(False)")
    flood.tell("[slow.send(b'x' * 65536) for _ in range(1000)]")
    flood.tell("send('FDSTORE=1\\nFDPOLL=0', slow.fileno())")
    flood.tell("barrier()")
    began = time.monotonic()
    assert flood.device.husk("stop", "flood").returncode == 0
    assert flood.device.husk("status", "quiet").returncode == 0
    assert time.monotonic() - began < 20
