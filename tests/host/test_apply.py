"""Other unit files for a device that runs: plan, apply, confirm, reload, and the way back.

The active folder is /run/test/units there, which is `units` in the test's folder on the host.
"""

import json
import pathlib
import signal

import pytest

from test_containers import Device, device, unit  # noqa: F401 (device is a fixture)

WEB, DB = unit("sleep 1000"), unit("sleep 1001")
OTHER_WEB = unit("sleep 2000")
BROKEN = "[Container]\nExec=/bin/sh\nMemroy=1M\n"


def write(folder: pathlib.Path, units: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in units.items():
        (folder / f"{name}.container").write_text(text)


@pytest.fixture
def given(tmp_path):
    """Makes the folder that is to be applied, and says what the device calls it."""
    def make(units: dict[str, str]) -> str:
        write(tmp_path / "given", units)
        return "/run/test/given"
    return make


def pids(found: Device) -> dict[str, int]:
    answer = json.loads(found.husk("status", "--json").stdout)
    return {one["name"]: one["main_pid"] for one in answer["units"]}


def wait_for_pid_of(found: Device, name: str, other_than: int) -> dict:
    return found.wait_for(name, lambda one: one["state"] == "running" and one["main_pid"] != other_than)


def test_plan_says_what_would_change_and_changes_nothing(device, given):
    found = device({"web": WEB, "db": DB, "old": DB})
    before = pids(found)
    shown = found.husk("plan", given({"web": OTHER_WEB, "db": DB, "cache": DB}))
    assert shown.stdout == ("cache  start    new\n"
                            "old    stop     its file is gone\n"
                            "web    restart  Exec= changed (/run/test/given/web.container:5)\n"
                            "1 unit untouched\n")
    assert shown.returncode == 0
    assert pids(found) == before
    assert found.husk("plan").stdout == "nothing changes\n3 units untouched\n"


def test_apply_touches_what_changed_and_nothing_else(device, given, tmp_path):
    found = device({"web": WEB, "db": DB, "old": DB})
    before = pids(found)
    done = found.husk("apply", given({"web": OTHER_WEB, "db": "# a comment\n" + DB, "cache": DB}))
    assert (done.returncode, done.stderr) == (0, "")
    after = pids(found)
    assert after["db"] == before["db"]
    assert after["web"] not in (0, before["web"])
    assert after["cache"] != 0 and "old" not in after
    assert "/run/test/units/web.container:5" in found.husk("why", "web").stdout
    web = found.unit("web")
    assert web["reason"] == "restarted by 'husk apply': Exec= changed (/run/test/units/web.container:5)"
    assert web["restarts"] == 0
    assert (tmp_path / "units.previous/old.container").exists()
    assert not (tmp_path / "units.new").exists()
    assert found.husk("plan", "/run/test/given").stdout == "nothing changes\n3 units untouched\n"


def test_one_error_and_nothing_is_changed(device, given, tmp_path):
    found = device({"web": WEB, "db": DB})
    before = pids(found)
    folder = given({"web": OTHER_WEB, "db": BROKEN})
    for command in ("plan", "apply"):
        done = found.husk(command, folder)
        assert done.returncode == 1
        assert "/run/test/given/db.container:3: error: unknown key 'Memroy'" in done.stderr
        assert "1 error in unit files: nothing is changed" in done.stderr
    refused = json.loads(found.husk("apply", "--json", folder).stdout)
    assert (refused["ok"], refused["code"]) == (False, "refused")
    assert refused["problems"][0]["file"] == "/run/test/given/db.container"
    assert pids(found) == before
    assert (tmp_path / "units/web.container").read_text() == WEB
    assert not (tmp_path / "units.new").exists()
    assert not found.inside("/run/husk/change").exists()


def test_what_cannot_be_applied_says_why(device, given):
    found = device({"web": WEB})
    for folder, reason in (("/nowhere", "folder '/nowhere': No such file"), ("/run/test/units", "husk reload"),
                           ("/run/test/husk", "is no folder")):
        done = found.husk("apply", "--json", folder)
        assert done.returncode == 1 and reason in done.stderr, done
    assert found.husk("apply").returncode == 2
    assert found.husk("apply", "--confirm=2weeks", given({"web": WEB})).returncode == 2


def test_a_unit_that_fails_is_named(device, given):
    found = device({"web": WEB})
    done = found.husk("apply", given({"web": WEB, "bad": unit("exit 7", "Type=oneshot\nRestart=no\n")}))
    assert done.returncode == 1
    assert "unit 'bad': exited with code 7" in done.stderr
    assert found.unit("bad")["state"] == "failed"
    # Its file is mended, and it is tried anew.
    done = found.husk("apply", given({"bad": unit("sleep 1000", "Restart=no\n")}))
    assert done.returncode == 0, done
    assert found.unit("bad")["state"] == "running"


def test_live_keys_hold_at_once_in_the_same_process(device, tmp_path):
    found = device({"web": unit("trap '' TERM; while true; do sleep 0.1; done", "TimeoutStopSec=50\n")})
    before = found.unit("web")
    changed = unit("trap '' TERM; while true; do sleep 0.1; done", "TimeoutStopSec=100ms\n")
    write(tmp_path / "units", {"web": changed.replace("Description=test", "Description=other")})
    done = found.husk("reload")
    assert done.returncode == 0 and "reload" in done.stdout
    after = found.unit("web")
    assert (after["main_pid"], after["description"]) == (before["main_pid"], "other")
    assert found.husk("plan").stdout == "nothing changes\n1 unit untouched\n"
    assert found.husk("stop", "web").returncode == 0
    assert "within 100ms" in found.unit("web")["reason"]


def test_reload_follows_what_was_written_by_hand(device, tmp_path):
    found = device({"web": WEB, "db": DB, "stopped": DB})
    assert found.husk("stop", "stopped").returncode == 0
    before = pids(found)
    write(tmp_path / "units", {"web": OTHER_WEB, "stopped": OTHER_WEB, "new": DB})
    done = found.husk("reload")
    assert done.returncode == 0
    assert "stopped  untouched  it was stopped, and stays so\n" in done.stdout
    after = pids(found)
    assert after["db"] == before["db"] and after["web"] not in (0, before["web"])
    assert after["new"] != 0 and after["stopped"] == 0
    (tmp_path / "units/db.container").unlink()
    assert found.husk("reload").returncode == 0
    assert "db" not in pids(found)


def test_reload_takes_all_or_with_partial_what_is_valid(device, tmp_path):
    found = device({"web": WEB, "db": DB})
    before = pids(found)
    write(tmp_path / "units", {"web": OTHER_WEB, "db": BROKEN})
    assert found.husk("reload").returncode == 1
    assert pids(found) == before
    done = found.husk("reload", "--partial")
    assert done.returncode == 0, done
    after = pids(found)
    assert after["db"] == before["db"] and after["web"] not in (0, before["web"])
    assert found.unit("db")["problems"][0]["key"] == "Memroy"


def test_what_a_restarted_unit_carries_along_is_restarted_with_it(device, tmp_path):
    guest = unit("sleep 1000", container="Network=db.container\n")
    found = device({"db": DB, "guest": guest, "other": WEB})
    before = pids(found)
    write(tmp_path / "units", {"db": unit("sleep 3000")})
    done = found.husk("reload")
    assert done.returncode == 0, done
    assert "guest  restart  shares the network of 'db'\n" in done.stdout
    after = pids(found)
    assert after["guest"] not in (0, before["guest"]) and after["db"] not in (0, before["db"])
    assert after["other"] == before["other"]
    assert found.unit("guest")["since_monotonic"] >= found.unit("db")["since_monotonic"]


# --- confirmation ---------------------------------------------------------------------------------

def test_what_is_confirmed_in_time_stays(device, given, tmp_path):
    found = device({"web": WEB})
    assert "nothing is to be confirmed" in found.husk("confirm").stderr
    done = found.husk("apply", "--confirm=2min", given({"web": OTHER_WEB}))
    assert done.returncode == 0
    assert "to be confirmed within" in done.stdout
    assert "to be confirmed within" in found.husk("status").stdout
    again = found.husk("apply", given({"web": WEB}))
    assert again.returncode == 1 and "still to be confirmed" in again.stderr
    confirmed = found.husk("confirm")
    assert (confirmed.returncode, confirmed.stdout, confirmed.stderr) == (0, "", "")
    assert "confirmed" not in found.husk("status").stdout
    assert not (tmp_path / "units/.pending").exists()


def test_what_is_not_confirmed_in_time_is_reverted(device, given, tmp_path):
    found = device({"web": WEB, "db": DB, "old": DB})
    before = pids(found)
    done = found.husk("apply", "--confirm=1", given({"web": OTHER_WEB, "db": DB, "cache": DB}))
    assert done.returncode == 0
    applied = pids(found)["web"]
    back = wait_for_pid_of(found, "web", applied)
    assert back["reason"] == ("restarted since 'husk apply' was not confirmed: "
                              "Exec= changed (/run/test/units/web.container:5)")
    found.wait_for("old", lambda one: one["state"] == "running")
    now = pids(found)
    assert now["db"] == before["db"] and "cache" not in now
    assert (tmp_path / "units/web.container").read_text() == WEB
    assert (tmp_path / "units.reverted/web.container").read_text() == OTHER_WEB
    assert "reverted at" in found.husk("plan").stdout
    assert "/run/test/units.reverted" in found.husk("status").stdout
    found.wait_for_console("was not confirmed in time")


def test_the_way_back_survives_the_supervisor(device, given, tmp_path):
    found = device({"web": WEB, "db": DB})
    before = pids(found)
    done = found.husk("apply", "--confirm=2", given({"web": OTHER_WEB, "db": DB}))
    assert done.returncode == 0
    applied = pids(found)["web"]
    found.kill_supervisor(signal.SIGKILL)
    wait_for_pid_of(found, "web", applied)
    assert pids(found)["db"] == before["db"]
    assert (tmp_path / "units/web.container").read_text() == WEB


def test_the_way_back_is_taken_by_a_supervisor_that_comes_too_late(device, given, tmp_path):
    found = device({"web": WEB, "db": DB})
    before = pids(found)
    assert found.husk("apply", "--confirm=2min", given({"web": OTHER_WEB, "db": DB})).returncode == 0
    applied = pids(found)["web"]
    marker = tmp_path / "units/.pending"
    pending = json.loads(marker.read_text())
    marker.write_text(json.dumps(pending | {"boot_id": "an-earlier-boot"}))
    found.kill_supervisor(signal.SIGKILL)
    wait_for_pid_of(found, "web", applied)
    assert pids(found)["db"] == before["db"]
    assert (tmp_path / "units.reverted/web.container").read_text() == OTHER_WEB


def test_a_change_that_a_crash_cut_short_is_gone_on_with(device, tmp_path):
    found = device({"web": WEB, "db": DB})
    before = pids(found)
    # As it is between the exchange and the first restart.
    write(tmp_path / "units", {"web": OTHER_WEB})
    found.inside("/run/husk/change").write_text("by 'husk apply'")
    found.kill_supervisor(signal.SIGKILL)
    web = wait_for_pid_of(found, "web", before["web"])
    assert web["reason"].startswith("restarted by 'husk apply': Exec= changed")
    assert pids(found)["db"] == before["db"]
    assert not found.inside("/run/husk/change").exists()


def test_a_new_supervisor_alone_changes_nothing(device, tmp_path):
    found = device({"web": WEB, "db": DB})
    before = pids(found)
    write(tmp_path / "units", {"web": OTHER_WEB})
    found.kill_supervisor(signal.SIGKILL)
    assert found.husk("is-system-running").returncode in (0, 1)
    assert pids(found) == before
    # It still knows what the unit was started with.
    assert "Exec= changed" in found.husk("plan").stdout
