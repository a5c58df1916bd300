"""The essentials of supervision with real processes, limits and the real PID 1: order, restart rules, watchdog, health,
OnFailure=, commands. Whole lives against a fake host are in tests/unit, more of each key in tests/host."""

import random
import time

import huskvm
import pytest
from conftest import TIMEOUT, Husk, probe_files, unit, write_units

GRAPH = 30
NOTES = "/run/notes"
# On tmpfs, whose owners kernel 6.1 cannot map for a user namespace.
NOTES_VOLUME = f"Volume={NOTES}:{NOTES}\nUserNS=host\n"
SH = "/bin/busybox sh -c"

# Notes its start and its end, and is ready once the start is noted and the stop would be heard.
MEMBER = (f"{SH} 'trap \"echo stop $0 >> {NOTES}/log; exit 0\" TERM; echo start $0 >> {NOTES}/log; echo >&3; "
          "while :; do /bin/busybox sleep 0.1; done' ")


def graph() -> dict[str, list[str]]:
    """Who is after whom: units of smaller numbers, the same in every run."""
    dice = random.Random(30)
    return {f"g{i:02}": sorted({f"g{dice.randrange(i):02}" for _ in range(dice.randrange(3))}) if i else []
            for i in range(GRAPH)}


ENDS = {"clean": "exit 0", "code": "exit 3", "signal": "kill -SEGV $$$$"}
RULES = {"no": [], "always": ["clean", "code", "signal"], "on-success": ["clean"], "on-failure": ["code", "signal"],
         "on-abnormal": ["signal"], "on-abort": ["signal"], "on-watchdog": []}


def units() -> dict[str, str]:
    found = {}
    for name, after in graph().items():
        order = f"After={' '.join(after)}\nRequires={' '.join(after)}" if after else ""
        found[name] = unit(MEMBER + name, container=NOTES_VOLUME, service="NotifyFd=3\nTimeoutStartSec=60\n",
                           unit_=order, install="Enabled=no")
    for rule in RULES:
        for end, how in ENDS.items():
            found[f"r-{rule}-{end}"] = unit(f"{SH} '/bin/busybox sleep 0.1; {how}'", container="PrivatePIDs=no\n",
                                            service=f"Restart={rule}\nRestartSec=200ms\n", install="Enabled=no")
    found["silent"] = unit(f"{SH} 'echo >&3; while :; do /bin/busybox sleep 1; done'",
                           service="NotifyFd=3\nWatchdogSec=1\nRestartSec=100ms\nTimeoutStopSec=1\n", install="Enabled=no")
    found["sick"] = unit(f"{SH} 'while :; do /bin/busybox sleep 1; done'", install="Enabled=no",
                         container="HealthCmd=CMD /bin/busybox test ! -e /tmp/sick\nHealthInterval=500ms\nHealthRetries=2\n"
                                   "HealthOnFailure=restart\nNotify=healthy\n", service="TimeoutStartSec=60\nTimeoutStopSec=1\n")
    found["fails"] = unit(f"{SH} 'exit 4'", service="Restart=on-failure\nRestartSec=50ms\n", install="Enabled=no",
                          unit_="StartLimitBurst=3\nStartLimitIntervalSec=1h\nOnFailure=alarm")
    found["alarm"] = unit(f"{SH} 'echo alarm >> {NOTES}/alarms'", container=NOTES_VOLUME,
                          service="Type=oneshot\n", install="Enabled=no")
    found["commands"] = unit(f"{SH} 'echo main; trap \"exit 0\" TERM; while :; do /bin/busybox sleep 0.1; done'",
                             service="ExecStartPre=/bin/busybox echo pre\nExecStartPost=/bin/busybox echo post\n"
                                     "ExecStop=/bin/busybox echo stop\nExecStopPost=/bin/busybox echo stop-post\n",
                             install="Enabled=no")
    return found


@pytest.fixture(scope="module")
def guest(kernel, tmp_path_factory):
    folder = write_units(tmp_path_factory.mktemp("units"), units())
    with huskvm.boot(kernel=kernel, units=folder, files=probe_files(), append="loglevel=7", timeout=TIMEOUT * 3) as machine:
        assert machine.run(f"mkdir -m 0777 -p {NOTES}").status == 0
        yield machine


@pytest.fixture(scope="module")
def husk(guest):
    return Husk(guest)


def test_thirty_units_start_and_stop_in_order(guest, husk):
    order = graph()
    assert guest.run(f"husk start {' '.join(order)}", 240).status == 0, husk("status")
    started = guest.run(f"cat {NOTES}/log").text.split("\n")
    place = {line.split()[1]: at for at, line in enumerate(started) if line.startswith("start")}
    assert sorted(place) == sorted(order)
    for name, after in order.items():
        for other in after:
            assert place[other] < place[name], f"{name} is after {other}"
    assert guest.run(f"husk stop {' '.join(order)}", 240).status == 0, husk("status")
    stopped = [line for line in guest.run(f"cat {NOTES}/log").text.split("\n") if line.startswith("stop")]
    place = {line.split()[1]: at for at, line in enumerate(stopped)}
    assert sorted(place) == sorted(order)
    for name, after in order.items():
        for other in after:
            assert place[name] < place[other], f"{name} stops before {other}"


def test_each_restart_rule_follows_systemds_table(guest, husk):
    names = [f"r-{rule}-{end}" for rule in RULES for end in ENDS]
    guest.run(f"husk start {' '.join(names)}", 240)  # some have failed by the time that it answers
    for rule, restarted in RULES.items():
        for end in ENDS:
            name = f"r-{rule}-{end}"
            if end in restarted:
                husk.wait(name, lambda one: one["restarts"] >= 1)
            else:
                final = "inactive" if end == "clean" else "failed"
                assert husk.wait(name, lambda one: one["state"] == final)["restarts"] == 0, name
    guest.run(f"husk stop {' '.join(names)}", 120)


def test_a_unit_without_a_sign_of_life_is_ended_and_started_again(guest, husk):
    assert guest.run("husk start silent", 120).status == 0
    one = husk.wait("silent", lambda one: one["restarts"] >= 2)
    assert one["last_exit"]["kind"] == "watchdog"
    assert any("gave no sign of life within 1s" in line["text"] for line in one["history"])
    guest.run("husk stop silent", 120)


def test_an_unhealthy_unit_is_restarted_and_says_why(guest, husk):
    assert guest.run("husk start sick", 120).status == 0  # waits for the first good check
    assert guest.run("husk exec sick /bin/busybox touch /tmp/sick", 60).status == 0
    one = husk.wait("sick", lambda one: one["restarts"] >= 1)
    assert one["last_exit"]["kind"] == "unhealthy", one
    husk.wait("sick", lambda one: one["state"] == "running")  # its /tmp is a new one
    guest.run("husk stop sick", 120)


def test_onfailure_is_started_once_for_the_final_failure(guest, husk):
    guest.run("husk start fails", 120)
    husk.wait("fails", lambda one: one["state"] == "failed")
    husk.wait("alarm", lambda one: one["state"] == "inactive" and "finished" in one["reason"])
    time.sleep(1)  # for a second one that must not come
    assert guest.run(f"cat {NOTES}/alarms").text.split() == ["alarm"]


def test_commands_run_around_the_program(guest, husk):
    assert guest.run("husk start commands", 120).status == 0
    assert guest.run("husk stop commands", 120).status == 0
    # busybox says "Terminated" of its own sleep
    lines = [line for line in husk.log("commands").split("\n")
             if line and not line.startswith("--") and line != "Terminated"]
    assert sorted(lines[:3]) == ["main", "post", "pre"] and lines[0] == "pre", lines
    assert lines[3:] == ["stop", "stop-post"], lines
