"""`husk upgrade`: supervisor and PID 1 are replaced below containers that do not notice; what cannot prove itself is
not there a moment later, and the old ones go on."""

import json
import os
import re
import subprocess

import huskvm
import huskvm.build
import pytest
from conftest import PROBES, TIMEOUT, Husk, probe_files, unit, write_units
from huskvm import End

UPGRADES = 50 if "HUSK_LONG" in os.environ else 5
CONNECTIONS = 20
WATCHDOG = 12  # seconds
CRASH, STAND_STILL = b"\x0f\x0b", b"\xeb\xfe"  # x86: ud2, and a jump to itself
WITHIN = "--within=60"  # where it is to succeed, the emulator may take its time
MADE = "/root/made"


# --- binaries --------------------------------------------------------------------------------------------------------


def note(binary: bytes, owner: bytes, kind: int) -> int:
    """Where the text of a note begins."""
    padded = owner + b"\0" * (-len(owner) % 4)
    for match in re.finditer(re.escape(padded), binary):
        sizes = [int.from_bytes(binary[match.start() - 12 + i:match.start() - 8 + i], "little") for i in (0, 4, 8)]
        if sizes[0] == len(owner) and sizes[2] == kind:
            return match.end()
    raise AssertionError(f"no note of {owner}")


def patched(binary: bytes, at: int, new: bytes) -> bytes:
    return binary[:at] + new + binary[at + len(new):]


def place(debug, symbol: str) -> int:
    """Where the code of a function lies in the file."""
    found = [line.split() for line in subprocess.run(["nm", "-C", debug], capture_output=True, text=True,
                                                     check=True).stdout.splitlines()]
    address = next(int(words[0], 16) for words in found
                   if len(words) > 2 and words[1] in "tT" and " ".join(words[2:]).split("(")[0] == symbol)
    loads = subprocess.run(["readelf", "-lW", debug.with_suffix("")], capture_output=True, text=True, check=True).stdout
    for line in loads.splitlines():
        words = line.split()
        if words[:1] == ["LOAD"]:
            offset, start, size = (int(words[i], 16) for i in (1, 2, 4))
            if start <= address < start + size:
                return address - start + offset
    raise AssertionError(f"{symbol} lies in no segment")


def another(binary: bytes, number: int) -> bytes:
    """The same program with a build id of its own."""
    return patched(binary, note(binary, b"GNU\0", 3), bytes([number]) * 20)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of what is offered, each with a signature, and the public key."""
    folder = tmp_path_factory.mktemp("made")
    husk = huskvm.build.device() / "husk"
    debug = husk.with_suffix(".debug")
    binary = husk.read_bytes()
    version = note(binary, b"husk\0", 1) + 8
    offered = {
        "one": another(binary, 0x11),
        "two": another(binary, 0x22),
        "half": binary[:len(binary) // 2],
        "arm": patched(binary, 18, b"\xb7\0"),
        "old": patched(another(binary, 0x33), version, b"0.0.9"),
        "other-state": patched(binary, version - 8, b"\x63"),
        "busybox": huskvm.initramfs.busybox().read_bytes(),
        "script": b"#!/bin/sh\n",
        "stranger": another(binary, 0x44),
        "changed": another(binary, 0x55),
    }
    broken = {
        "supervisor-dies": ("husk::supervisor::SuperviseMain", CRASH),
        "supervisor-hangs": ("husk::supervisor::SuperviseMain", STAND_STILL),
        "init-crashes": ("husk::init::Pid1::Prove", CRASH),
        "init-hangs": ("husk::init::Pid1::Prove", STAND_STILL),
        "rehearsal-crashes": ("husk::init::ReadHandover", CRASH),
        "rehearsal-hangs": ("husk::init::ReadHandover", STAND_STILL),
    }
    for number, (name, (symbol, code)) in enumerate(broken.items()):
        offered[name] = patched(another(binary, 0x60 + number), place(debug, symbol), code)

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    for key in "owner", "stranger":
        openssl("genpkey", "-algorithm", "ed25519", "-out", folder / f"{key}.pem")
    openssl("pkey", "-in", folder / "owner.pem", "-pubout", "-out", folder / "upgrade.pub")
    files = folder / "files"
    files.mkdir()
    for name, data in offered.items():
        (files / name).write_bytes(data)
        key = "stranger" if name == "stranger" else "owner"
        openssl("pkeyutl", "-sign", "-rawin", "-inkey", folder / f"{key}.pem", "-in", files / name,
                "-out", files / f"{name}.sig")
    (files / "changed").write_bytes(patched(offered["changed"], len(binary) - 1, b"!"))
    (files / "unsigned").write_bytes(offered["one"])
    return folder


@pytest.fixture(scope="module")
def guest(kernel, made, tmp_path_factory):
    units = write_units(tmp_path_factory.mktemp("units"), {
        "echo": unit("/echo serve 7000", container=f"Network=host\nVolume={PROBES}/echo:/echo:ro"),
        "talks": unit("/bin/busybox sh -c 'i=0; while :; do i=$$((i+1)); echo $$i; /bin/busybox usleep 20000; done'"),
        "sleeper": unit("/bin/busybox sleep 100000"),
        "slow": unit("/bin/busybox sleep 100000", service="NotifyFd=3\nTimeoutStartSec=1h", install="Enabled=no"),
    })
    files = [*probe_files(), (huskvm.build.device() / "probes/echo", f"{PROBES}/echo"),
             (made / "files", MADE), (made / "upgrade.pub", "/etc/husk/upgrade.pub")]
    system = {"Manager": {"RuntimeWatchdogSec": f"{WATCHDOG}s"}}
    with huskvm.boot(kernel=kernel, units=units, files=files, system=system, modules=["softdog"], memory="768M",
                     append="loglevel=7", timeout=TIMEOUT * 4) as machine:
        machine.settle()
        machine.run(f"({PROBES}/echo hold 7000 {CONNECTIONS} /run/held >/dev/null 2>&1 &)")
        machine.run(f"until grep -q '^open {CONNECTIONS} ' /run/held; do usleep 50000; done", 60)
        yield machine


@pytest.fixture(scope="module")
def husk(guest):
    return Husk(guest)


def version(guest) -> dict:
    return json.loads(guest.run("husk version --json", 60).stdout)


def held(guest) -> int:
    """How many lines the connections have echoed; all are open."""
    text = guest.run("cat /run/held", 60).text
    assert text.startswith(f"open {CONNECTIONS} "), text
    return int(text.split()[-1])


def upgrade(guest, name: str, options: str = WITHIN, timeout: float = 150) -> tuple[int, str]:
    done = guest.run(f"husk upgrade {options} {MADE}/{name}", timeout)
    return done.status, (done.stdout + done.stderr).decode()


def build_of(number: int) -> str:
    return f"{number:02x}" * 20


@pytest.fixture
def untouched(guest, husk):
    """Whatever happens in a test, the containers and the connections do not notice, nor does the watchdog."""
    pids, before = husk.pids(), held(guest)
    yield
    now = husk.pids()
    assert {name: now[name] for name in pids} == pids
    while held(guest) <= before:
        pass
    answer = json.loads(guest.run("husk status --json", 60).stdout)
    assert answer["watchdog"]["vetoes"] == []
    assert "not fed any more" not in guest.console_text()


# --- it works --------------------------------------------------------------------------------------------------------


def test_upgrades_in_place_drop_no_connection(guest, husk, untouched):
    starts = version(guest)["supervisor_starts"]
    for number in range(UPGRADES):
        name, build = (("one", 0x11), ("two", 0x22))[number % 2]
        status, text = upgrade(guest, name)
        assert status == 0, text + guest.console_tail(40)
        assert "the signature is good" in text and "PID 1: replaced" in text
        now = version(guest)
        assert now["build"] == now["init"]["build"] == build_of(build)
        assert now["upgrade"]["outcome"] == "done"
        assert now["supervisor_starts"] == starts + number + 1
        held(guest)
    # Nothing is left of those before, in PID 1's table either: its own program, a state, a binary.
    links = guest.run("ls -l /proc/1/fd", 60).text
    assert "memfd:one" not in links and "husk-state" not in links, links
    assert guest.run("cat /proc/1/comm", 60).text.strip() == "init"
    lines = [int(line) for line in husk.log("talks").split() if line.isdigit()]
    assert lines == list(range(lines[0], lines[0] + len(lines)))  # none lost, none twice
    assert "upgrade from husk" in guest.run("timeout 3 husk events --since=1h; true", 60).text
    print(f"{UPGRADES} upgrades in place, {CONNECTIONS} connections: {held(guest)} lines echoed, 0 connections dropped")


def test_what_comes_afterwards_is_as_ever(guest, husk, untouched):
    guest.run("kill -9 $(husk version --json | tr ',' '\\n' | sed -n 's/.*\"pid\"://p' | head -n 1)", 60)
    husk.wait("sleeper", lambda one: one["state"] == "running")
    assert version(guest)["build"] == version(guest)["init"]["build"]  # of the same binary as PID 1
    # An orphan is PID 1's to reap.
    guest.run("(sleep 0.2 &) ; sleep 1", 60)
    assert guest.run("ps -o stat,ppid | grep '^Z' ; true", 60).text == ""


# --- it is refused ---------------------------------------------------------------------------------------------------


REFUSED = {
    "stranger": "none of the device's keys has signed this file",
    "changed": "none of the device's keys has signed this file",
    "unsigned": "unsigned.sig",
    "half": "cut off",
    "arm": "another machine",
    "busybox": "no husk",
    "script": "no program",
    "old": "--downgrade",
    "other-state": "it cannot take over, only be booted",
    "rehearsal-crashes": "rehearsal",
    "rehearsal-hangs": "rehearsal",
}


def test_what_is_not_the_owners_husk_is_refused(guest, husk, untouched):
    supervisor = husk.supervisor()
    for name, words in REFUSED.items():
        status, text = upgrade(guest, name)
        assert status == 1 and words in text, (name, text)
        assert husk.supervisor() == supervisor, name
    assert upgrade(guest, "old", "--check --downgrade")[0] == 0
    status, text = upgrade(guest, "one", "--check")
    assert status == 0 and "it can take over" in text and husk.supervisor() == supervisor
    guest.run("mv /etc/husk/upgrade.pub /etc/husk/away")
    assert "this device has no key" in upgrade(guest, "one")[1]
    guest.run("echo nothing >/etc/husk/upgrade.pub")
    assert "no public key in it" in upgrade(guest, "one")[1]
    guest.run("mv /etc/husk/away /etc/husk/upgrade.pub")
    # A file of the caller's that can still be changed is none.
    assert "File too large" in guest.run(f"trap '' XFSZ; ulimit -f 100; husk upgrade {MADE}/one", 60).stderr.decode()


def test_it_waits_for_nobody_and_takes_no_client_away(guest, husk, untouched):
    guest.run("(husk start slow >/dev/null 2>&1 &) ; sleep 1", 60)
    status, text = upgrade(guest, "one")
    assert status == 1 and "a client waits for 'husk start' of 'slow'" in text, text
    guest.run("husk stop slow", 60)


# --- it fails --------------------------------------------------------------------------------------------------------


FAILS = {
    "supervisor-dies": ("the new supervisor was killed by SIGILL", ""),
    "supervisor-hangs": ("the new supervisor did not prove itself within its limit", "--within=3"),
    "init-crashes": ("the new PID 1 crashed: SIGILL", WITHIN),
    "init-hangs": ("the new PID 1 did not prove itself in time", WITHIN),
}


@pytest.mark.parametrize("name", FAILS)
def test_what_does_not_prove_itself_makes_way_for_the_old_one(guest, husk, untouched, name):
    words, options = FAILS[name]
    before = version(guest)
    status, text = upgrade(guest, name, options)
    assert status == 1 and words in text, text + guest.console_tail(40)
    now = version(guest)
    assert (now["build"], now["init"]) == (before["build"], before["init"])
    assert now["upgrade"]["outcome"] == "failed" and words in now["upgrade"]["text"]
    assert words in guest.run("husk status", 60).text
    assert words in guest.run("timeout 3 husk events --since=1h; true", 60).text
    assert f"the old one goes on: {words}" in guest.console_text()


def test_a_supervisor_that_is_killed_on_trial_is_the_end_of_it(guest, husk, untouched):
    before = version(guest)
    guest.run(f"(husk upgrade --within=60 {MADE}/supervisor-hangs >/run/said 2>&1; echo $? >/run/status) >/dev/null 2>&1 &", 60)
    guest.run("until dmesg | tail -n 3 | grep 'new supervisor started'; do sleep 0.2; done", 60)
    pid = re.findall("new supervisor started, pid ([0-9]+)", guest.console_text())[-1]
    guest.run(f"kill -9 {pid}; until [ -s /run/status ]; do sleep 0.2; done", 90)
    assert "was killed by SIGKILL" in guest.run("cat /run/said", 60).text
    assert version(guest)["init"] == before["init"]


def test_a_good_one_works_after_all_that(guest, husk, untouched):
    status, text = upgrade(guest, "two")
    assert status == 0, text
    status, text = upgrade(guest, "one")
    assert status == 0, text


def test_going_down_is_stronger_than_an_upgrade(guest):
    """The supervisor that is known takes the system down, in order."""
    guest.run(f"(husk upgrade --within=60 {MADE}/supervisor-hangs >/dev/null 2>&1 &) ; sleep 2", 60)
    guest.ctrl_alt_del()
    guest.wait_console("failed, the old one goes on: the system goes down", 90)
    guest.wait_console("all units are stopped", 90)
    assert guest.wait_exit(120) is End.REBOOT
