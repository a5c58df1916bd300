"""The supervisor is killed again and again while containers work: none of them notices. One guest."""

import os
import re
import time

import huskvm
import pytest
from conftest import TIMEOUT, Husk, probe_files, unit, write_units
from huskvm import End

KILLS = 100 if "HUSK_LONG" in os.environ else 30

UNITS = {
    # In 100 kills this writes some ten thousand lines: fewer than the log's window holds.
    "numbers": unit("/workload numbers 3000"),
    "more-numbers": unit("/workload numbers 20000", container="User=1000"),
    "sleeper": unit("/workload sleep"),
    "shell": unit("/bin/busybox sh -c 'while :; do echo $RANDOM > /tmp/x; /bin/busybox sleep 1; done'",
                  container="StopTimeout=1"),
    "dies": unit("/workload sleep", service="Restart=no"),
    "exits": unit("/bin/busybox sh -c 'trap \"exit 7\" USR1; while :; do /bin/busybox sleep 0.1; done'",
                  container="StopTimeout=1", service="Restart=no"),
}
STAY = ("numbers", "more-numbers", "sleeper", "shell")

# Kills the supervisor, by both signals in turn, each time another one; never waits longer than the next one needs.
KILL_LOOP = """
old=0; n=0; signal=KILL
while [ $n -lt {kills} ]; do
  pid=$(husk version --json | sed 's/.*"pid":\\([0-9]*\\).*/\\1/')
  case $pid in ''|$old|*[!0-9]*) usleep 20000; continue;; esac
  kill -$signal $pid || exit 1
  old=$pid; n=$((n+1))
  [ $signal = KILL ] && signal=SEGV || signal=KILL
done
echo killed $n
"""


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    units = write_units(tmp_path_factory.mktemp("units"), UNITS)
    with huskvm.boot(units=units, files=probe_files(), system={"Manager": {"LogBufferSize": "8M"}}, append="loglevel=7",
                     timeout=TIMEOUT * 2) as machine:
        yield machine


@pytest.fixture(scope="module")
def husk(guest):
    return Husk(guest)


def numbers_of(husk: Husk, name: str) -> list[int]:
    return [int(number) for number in re.findall(r"^line (\d+)$", husk.log(name), re.M)]


def test_many_deaths_of_the_supervisor_change_nothing(guest, husk):
    before = husk.units()
    done = guest.run(KILL_LOOP.format(kills=KILLS), 240)
    assert done.text.strip() == f"killed {KILLS}", done
    deadline = time.monotonic() + 30
    while "running" not in husk("is-system-running --wait", 30):
        assert time.monotonic() < deadline
    after = husk.units()
    for name in STAY:
        assert after[name]["state"] == "running", name
        assert after[name]["main_pid"] == before[name]["main_pid"], name
        assert after[name]["restarts"] == 0, name
        assert after[name]["since_monotonic"] == before[name]["since_monotonic"], name


@pytest.mark.parametrize("name", ["numbers", "more-numbers"])
def test_no_line_of_a_log_is_missing_or_doubled(husk, name):
    log = husk.log(name)
    numbers = [int(number) for number in re.findall(r"^line (\d+)$", log, re.M)]
    assert len(numbers) > 100
    assert numbers == list(range(1, len(numbers) + 1))
    assert not [line for line in log.splitlines() if not re.fullmatch(r"line \d+", line)]


def test_the_log_goes_on_after_it(husk):
    last = numbers_of(husk, "numbers")[-1]
    deadline = time.monotonic() + 30
    while numbers_of(husk, "numbers")[-1] == last:
        assert time.monotonic() < deadline


def test_what_dies_while_nobody_supervises_has_its_exit_status_told(guest, husk):
    units = husk.units()
    supervisor = husk.supervisor()
    # Stopped first, so that it cannot see them die; then killed.
    command = (f"kill -STOP {supervisor} && kill -9 {units['dies']['main_pid']} && "
               f"kill -USR1 {units['exits']['main_pid']} && sleep 1 && kill -9 {supervisor}")
    assert guest.run(command, 30).status == 0
    dies = husk.wait("dies", lambda one: one["state"] == "failed")
    assert dies["last_exit"]["kind"] == "signal" and dies["last_exit"]["signal"] == "SIGKILL"
    exits = husk.wait("exits", lambda one: one["state"] == "failed")
    assert exits["last_exit"]["kind"] == "exited" and exits["last_exit"]["code"] == 7


def test_what_dies_is_restarted_by_the_next_supervisor(guest, husk):
    before = husk.unit("shell")["main_pid"]
    supervisor = husk.supervisor()
    assert guest.run(f"kill -STOP {supervisor}; kill -9 {before}; kill -9 {supervisor}", 30).status == 0
    after = husk.wait("shell", lambda one: one["state"] == "running" and one["main_pid"] != before)
    assert after["restarts"] == 1
    assert husk.unit("sleeper")["restarts"] == 0


def test_a_restart_on_request_works_after_an_adoption(husk):
    before = husk.unit("sleeper")["main_pid"]
    husk("restart sleeper", 30)
    assert husk.unit("sleeper")["main_pid"] not in (0, before)


def test_ctrl_alt_del_ends_it_in_order(guest):
    start = len(guest.console_text())
    guest.ctrl_alt_del()
    assert guest.wait_exit(60) is End.REBOOT
    console = guest.console_text()[start:]
    assert set(STAY) <= set(re.findall(r"unit '([\w-]+)': stop", console))
    assert "all units are stopped" in console and "cannot unmount" not in console
