"""RunInit=: the first process of a container reaps, forwards, and ends as its program did."""

import os
import pathlib
import signal

import pytest

import pid1_namespace as ns
from test_containers import device, unit  # noqa: F401: a fixture
from test_notify import talkers  # noqa: F401: a fixture

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces and mounts"),
    pytest.mark.skipif(not ns.binary().exists(), reason=f"{ns.binary()} is not built"),
]

INIT = "RunInit=yes\n"
ONCE = "Type=oneshot\nRestart=no\n"
DEMAND = "[Install]\nEnabled=no\n"


def init_of(found, name: str) -> pathlib.Path:
    """/proc/PID on the host of the unit's first process."""
    return pathlib.Path(f"/proc/{found.host_pid_of(found.unit(name)['main_pid'])}")


def test_the_program_is_a_child_of_a_first_process_that_it_cannot_look_into(device):
    report = ("echo pid $$$$ of $$PPID; cat /proc/1/comm /proc/1/status; tr '\\\\0' '|' </proc/1/cmdline; echo; "
              "readlink /proc/1/exe; ls /proc/1/fd; cat /proc/1/maps; cat /proc/1/environ; echo end")
    found = device({"web": unit(report + "; sleep 1000", container=INIT)})
    found.wait_for("web", lambda _: "end" in found.log("web"))
    text = "\n".join(found.log("web"))
    assert "pid 2 of 1\nhusk-init\n" in text
    for line in "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2":
        assert line in text, line
    assert "\nhusk-init|" in text and "supervise" not in text
    assert text.count("Permission denied") == 3 and "/husk\n" not in text and "rw-p" not in text
    # What it has of the supervisor: stack and data, and nothing that was allocated.
    maps = (init_of(found, "web") / "maps").read_text()
    assert not any("rw" in line and "[heap]" in line for line in maps.splitlines()), maps
    assert len([line for line in maps.splitlines() if " rw-p " in line]) == 3, maps
    private = [int(line.split()[1]) for line in (init_of(found, "web") / "smaps_rollup").read_text().splitlines()
               if line.startswith(("Private_Dirty", "Private_Clean"))]
    assert sum(private) < 300, "kB"
    assert os.listdir(init_of(found, "web") / "fd") == []


def test_orphans_are_reaped(device):
    orphans = "for i in 1 2 3 4 5; do (sh -c ':' &); done; sleep 0.3; grep -c '^State:.Z' /proc/[0-9]*/status | grep -c ':1'; echo end"
    found = device({"with": unit(orphans, ONCE, INIT) + DEMAND})
    assert found.husk("start", "with").returncode == 0
    assert found.log("with") == ["0", "end"]


@pytest.mark.parametrize("command, kind, code, words", [
    ("exit 0", "exited", 0, ""),
    ("exit 3", "exited", 3, "exited with code 3"),
    ("exit 143", "exited", 143, "exited with code 143"),
    ("kill -KILL $$$$", "signal", 0, "SIGKILL"),
    ("kill -SEGV $$$$", "signal", 0, "SIGSEGV"),
])
def test_the_unit_ends_as_its_program_did(device, command, kind, code, words):
    found = device({"web": unit(command, ONCE, INIT) + DEMAND})
    assert (found.husk("start", "web").returncode == 0) == (command == "exit 0")
    ended = found.unit("web")
    assert (ended["last_exit"]["kind"], ended["last_exit"]["code"]) == (kind, code)
    assert words in ended["last_exit"]["text"]


def test_a_stop_is_heard_once_and_a_program_without_a_handler_ends_at_once(device):
    found = device({
        "deaf": unit("exec sleep 1000", "TimeoutStopSec=60\n", INIT),
        "hears": unit("trap 'echo TERM' TERM; trap 'echo USR1' USR1; echo ready; while :; do sleep 1000 & wait $$!; kill $$!; "
                      "done", "TimeoutStopSec=1s\n", INIT),
    })
    found.wait_for("hears", lambda _: "ready" in found.log("hears"))
    assert found.husk("stop", "deaf").returncode == 0
    assert found.unit("deaf")["last_exit"]["signal"] == "SIGTERM"
    assert found.unit("deaf")["state"] == "inactive"
    assert found.husk("kill", "-s", "USR1", "hears").returncode == 0
    found.wait_for("hears", lambda _: "USR1" in found.log("hears"))
    assert found.husk("stop", "hears").returncode == 0
    assert found.log("hears").count("TERM") == 1 and found.log("hears").count("USR1") == 1


def test_it_is_adopted_and_its_end_is_told_by_another_supervisor(device, tmp_path):
    found = device({"web": unit("trap 'exit 3' USR1; echo ready; while :; do sleep 0.1; done", "Restart=no\n", INIT)})
    found.wait_for("web", lambda _: "ready" in found.log("web"))
    before = found.unit("web")["main_pid"]
    found.kill_supervisor(signal.SIGKILL)
    assert found.wait_for("web", lambda one: one["state"] == "running")["main_pid"] == before
    assert found.husk("exec", "web", "/bin/sh", "-c", "echo $PPID").returncode == 0
    assert found.husk("kill", "-s", "USR1", "web").returncode == 0
    ended = found.wait_for("web", lambda one: one["state"] == "failed")
    assert (ended["last_exit"]["kind"], ended["last_exit"]["code"]) == ("exited", 3)


def test_what_a_start_fails_of_is_said_as_ever(device):
    found = device({"none": "[Container]\nRunInit=yes\nExec=/bin/nothing\n[Service]\nRestart=no\n" + DEMAND,
                    "barred": unit("sleep 1", ONCE, INIT + "SystemCallFilter=~wait4\n") + DEMAND,
                    "allowed": unit("echo ran", ONCE, INIT + "NoNewPrivileges=no\n") + DEMAND})
    assert "no such file in the container" in found.husk("start", "none").stderr
    assert "no program could be started without wait4" in found.husk("start", "barred").stderr
    assert found.husk("start", "allowed").returncode == 0 and found.log("allowed") == ["ran"]


def test_the_programs_word_is_the_main_process_word(talkers):
    one, = talkers({"one": ("Type=notify\nTimeoutStartSec=60\nNotifyAccess=main\n", INIT)})
    assert one.start().tell("os.getpid()") == "2"
    one.notify("READY=1\nSTATUS=here")
    assert one.wait(lambda u: u["state"] == "running")["status_text"] == "here"
    assert "is refused" not in one.history()
