"""OnCalendar= while the guest's clock is set, and Persistent= over a power cut. One guest."""

import time

import huskvm
import pytest
from conftest import TIMEOUT, Husk, probe_files, unit, write_units

DAY = 86400


def timed(timer: str) -> str:
    return unit("/bin/busybox echo ran", service="Type=oneshot") + f"[Timer]\n{timer}\n"


@pytest.fixture(scope="module")
def guest(kernel, tmp_path_factory):
    units = write_units(tmp_path_factory.mktemp("units"), {
        "daily": timed("OnCalendar=daily UTC"),
        "yearly": timed("OnCalendar=yearly UTC"),
        "kept": timed("OnCalendar=daily UTC\nPersistent=yes"),
    })
    with huskvm.boot(kernel=kernel, units=units, append="loglevel=7", timeout=TIMEOUT * 4, files=probe_files()) as machine:
        yield machine


@pytest.fixture(scope="module")
def husk(guest):
    return Husk(guest)


def starts(husk, name: str) -> int:
    return sum("by its timer (OnCalendar=" in line["text"] for line in husk.unit(name)["history"])


def runs(guest, name: str) -> int:
    return guest.run(f"husk logs -o cat -n all {name}", 60).text.splitlines().count("ran")


def set_clock(guest, when: str) -> None:
    assert guest.run(f"/bin/busybox date -u -s '{when}'", 30).status == 0


def rests(guest, husk, name: str, wanted: int) -> None:
    husk.wait(name, lambda one: one["state"] == "inactive" and runs(guest, name) == wanted)


def next_of(husk, name: str) -> str:
    return husk(f"status {name}").split("Trigger: ")[1].splitlines()[0]


def test_a_jump_forwards_over_a_time_is_one_run(guest, husk):
    set_clock(guest, "2027-03-10 10:00:00")
    before = runs(guest, "daily")
    set_clock(guest, "2027-03-20 10:00:00")
    rests(guest, husk, "daily", before + 1)
    assert next_of(husk, "daily").startswith("Sun 2027-03-21 00:00:00 UTC, in 13h 5")


def test_a_time_comes_when_the_clock_does(guest, husk):
    before = runs(guest, "daily")
    set_clock(guest, "2027-03-20 23:59:57")
    rests(guest, husk, "daily", before + 1)
    assert next_of(husk, "daily").startswith("Mon 2027-03-22 00:00:00 UTC")


def test_a_jump_backwards_begins_anew_from_there(guest, husk):
    before = runs(guest, "daily")
    set_clock(guest, "2026-12-24 12:00:00")
    assert next_of(husk, "daily").startswith("Fri 2026-12-25 00:00:00 UTC")
    assert runs(guest, "daily") == before


def test_a_clock_that_is_set_after_1970_runs_nothing_by_the_jump(guest, husk):
    set_clock(guest, "1970-01-01 00:10:00")
    assert next_of(husk, "yearly").startswith("Fri 1971-01-01 00:00:00 UTC")
    before = {name: runs(guest, name) for name in ("daily", "yearly")}
    set_clock(guest, "2027-06-01 12:00:00")
    assert next_of(husk, "yearly").startswith("Sat 2028-01-01 00:00:00 UTC")
    assert {name: runs(guest, name) for name in before} == before


def test_what_was_missed_while_the_device_was_off_is_caught_up_once(guest, husk):
    set_clock(guest, "2027-06-01 12:00:00")
    husk.wait("kept", lambda one: one["state"] == "inactive" and one["timer"]["next"] > 1811851200 * 10**9)
    days_ago = int((time.time() - 3 * DAY) * 1e9)  # as the guest's battery clock will have it
    assert guest.run(f"echo {days_ago} > /var/lib/husk/timers/stamp-kept; sync", 30).status == 0
    guest.power_cut()
    guest.wait_agent()
    rests(guest, husk, "kept", 1)
    assert starts(husk, "kept") == 1
    assert runs(guest, "daily") == 0
    assert int(guest.run("cat /var/lib/husk/timers/stamp-kept", 30).text) > days_ago
    # And not again after the next boot.
    guest.power_cut()
    guest.wait_agent()
    husk.wait("kept", lambda one: one["timer"]["last"] > 0)
    assert runs(guest, "kept") == 0
