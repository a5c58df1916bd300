"""[Timer] with the whole of husk, by its monotonic times; the calendar is tested in QEMU."""

import json
import os
import signal
import time

import pytest

import pid1_namespace as ns
from test_containers import Device, device, unit  # noqa: F401: a fixture

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces and mounts"),
    pytest.mark.skipif(not ns.binary().exists(), reason=f"{ns.binary()} is not built"),
]


def timed(command: str, timer: str) -> str:
    return unit(command, "Type=oneshot\n") + f"[Timer]\n{timer}"


def test_it_is_started_by_its_timer_again_and_again(device):
    found = device({"tick": timed("echo tick", "OnBootSec=1\nOnUnitActiveSec=200ms\n")})
    found.wait_for("tick", lambda _: found.log("tick").count("tick") >= 4)
    shown = found.unit("tick")
    assert shown["armed"] and shown["timer"]["last"] > 0
    page = found.husk("status", "tick").stdout
    assert "    Trigger: " in page and " UTC; " in page.split("  Triggered: ")[1].splitlines()[0]
    assert "husk_unit_timer_last_trigger_timestamp_seconds{unit=\"tick\"} " in found.husk("metrics").stdout
    assert any("by its timer (On" in line["text"] for line in shown["history"])
    found.kill_supervisor(signal.SIGKILL)
    before = found.log("tick").count("tick")
    found.wait_for("tick", lambda _: found.log("tick").count("tick") > before + 2)


@pytest.mark.parametrize("days_ago", [3, 0])
def test_what_was_missed_before_the_boot_is_caught_up_once(tmp_path, days_ago):
    found = Device(tmp_path, {"kept": timed("echo ran", "OnCalendar=yearly UTC\nPersistent=yes\n"),
                              "other": timed("echo ran", "OnCalendar=*-*-* *:*:00 UTC\nPersistent=yes\n")})
    stamps = tmp_path / "state/timers"
    stamps.mkdir()
    then = time.time_ns() - days_ago * 86400 * 10**9
    for name in "kept", "other":
        (stamps / f"stamp-{name}").write_text(f"{then}\n")
    with found:
        if days_ago:
            found.wait_for("other", lambda one: one["state"] == "inactive" and found.log("other")[:1] == ["ran"])
            assert time.time_ns() - int((stamps / "stamp-other").read_text()) < 60 * 10**9
        # Nothing of it was missed.
        assert found.unit("kept")["timer"]["last"] == then and found.log("kept") == []
        assert int((stamps / "stamp-kept").read_text()) == then


def test_it_is_not_started_at_boot_and_a_stop_disarms_it(device):
    found = device({"later": timed("echo ran", "OnUnitInactiveSec=200ms\nOnCalendar=2199-01-01\n"),
                    "never": timed("echo ran", "OnCalendar=2199-02-29\nOnCalendar=daily\n")})
    assert "  Triggered: never\n" in found.husk("status", "later").stdout
    asleep = found.unit("later")
    assert (asleep["state"], asleep["armed"]) == ("inactive", True)
    assert asleep["timer"]["cause"] == "OnCalendar=2199-01-01 00:00:00"
    assert "2199-01-01 00:00:00 UTC, in " in found.husk("status", "later").stdout
    assert found.husk("start", "later").returncode == 0
    found.wait_for("later", lambda _: found.log("later").count("ran") >= 2)
    assert found.husk("stop", "later").returncode == 0
    stopped = found.unit("later")
    assert (stopped["armed"], stopped["timer"]["next"]) == (False, 0)
    found.kill_supervisor(signal.SIGKILL)
    assert found.unit("later")["armed"] is False
    listed = found.husk("timers").stdout.splitlines()
    assert listed[0].split() == ["NEXT", "LEFT", "LAST", "PASSED", "UNIT"]
    assert listed[1].endswith(" never") and listed[2].endswith(" later (stopped)")
    assert [one["name"] for one in json.loads(found.husk("timers", "--json").stdout)["units"]] == ["later", "never"]


def test_a_run_that_lasts_holds_its_timer_up(device):
    found = device({"slow": timed("echo ran; sleep 1.5", "OnBootSec=1\nOnUnitActiveSec=100ms\n")})
    running = found.wait_for("slow", lambda one: one["main_pid"] != 0)
    assert running["timer"]["next"] == 0
    assert "once this run is over" in found.husk("status", "slow").stdout
    found.wait_for("slow", lambda _: found.log("slow").count("ran") >= 2)


def test_a_new_timer_holds_at_once(device, tmp_path):
    found = device({"tick": timed("echo tick", "OnCalendar=2199-01-01\n")})
    assert found.log("tick") == []
    (tmp_path / "units/tick.container").write_text(timed("echo tick", "OnBootSec=1\n"))
    assert found.husk("reload").returncode == 0
    found.wait_for("tick", lambda _: found.log("tick") == ["tick"])


def test_a_zone_that_the_device_lacks_is_said(device):
    found = device({"tick": timed("echo tick", "OnCalendar=daily Europe/Nowhere\n")})
    assert any("time zone 'Europe/Nowhere'" in note for note in found.unit("tick")["notes"])
