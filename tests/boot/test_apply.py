"""Units on the state disk: what was applied outlives a reboot, and what was not confirmed does not. One guest."""

import time

import huskvm
import pytest
from conftest import TIMEOUT, Husk, probe_files, unit

OLD = unit("/workload sleep", unit_="Description=old")
NEW = unit("/bin/busybox sleep 1000", unit_="Description=new")
# Shown from inside: the ids of the container.
KEEPER = unit("/bin/busybox stat -c '%%a %%u %%g' /data", container="Volume=data.volume:/data", service="Type=oneshot")
VOLUME = "[Volume]\nUser=1000\nGroup=1001\nMode=0750\n"
LIMITED = unit("/workload sleep", unit_="Description=old", service="MemoryMax=32M\nCPUWeight=20")


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guest")
    # The root is an initramfs: the active folder lies on the state disk, which is empty at first.
    (folder / "etc").mkdir()
    (folder / "etc/units").symlink_to("/var/lib/husk/units")
    for name, text in {"old": OLD, "new": NEW, "limited": LIMITED}.items():
        (folder / "given" / name).mkdir(parents=True)
        (folder / "given" / name / "web.container").write_text(text)
    (folder / "given/volume").mkdir()
    (folder / "given/volume/keeper.container").write_text(KEEPER)
    (folder / "given/volume/data.volume").write_text(VOLUME)
    (folder / "none").mkdir()
    with huskvm.boot(units=folder / "none", append="loglevel=7", timeout=TIMEOUT * 4,
                     files=[*probe_files(), (folder / "etc", "/etc/husk"), (folder / "given", "/given")]) as machine:
        yield machine


@pytest.fixture(scope="module")
def husk(guest):
    return Husk(guest)


def settled(guest, husk) -> None:
    guest.wait_agent()
    deadline = time.monotonic() + 60
    while "running" not in husk("is-system-running --wait", 60):
        assert time.monotonic() < deadline


def test_what_is_applied_is_there_after_the_power_was_cut(guest, husk):
    assert guest.run("husk apply /given/old", 60).status == 0
    guest.run("sync", 60)
    guest.power_cut()
    settled(guest, husk)
    assert husk.unit("web")["description"] == "old"


def test_limits_change_under_a_running_process(guest, husk):
    before = husk.unit("web")
    shown = husk("apply /given/limited")
    assert "reload" in shown and "MemoryMax= new" in shown
    after = husk.unit("web")
    assert after["main_pid"] == before["main_pid"]
    assert after["memory"]["max"] == 32 << 20
    assert guest.run("cat /sys/fs/cgroup/units/web/cpu.weight", 30).text.strip() == "20"
    assert guest.run("husk apply /given/old", 60).status == 0
    again = husk.unit("web")
    assert (again["main_pid"], again["memory"]["max"]) == (before["main_pid"], before["memory"]["max"])
    assert guest.run("cat /sys/fs/cgroup/units/web/cpu.weight", 30).text.strip() == "100"


def test_what_was_not_confirmed_before_a_reboot_is_reverted_by_the_boot(guest, husk):
    assert guest.run("husk apply --confirm=1h /given/new", 60).status == 0
    assert husk.unit("web")["description"] == "new"
    assert "to be confirmed within" in husk("status")
    guest.power_cut()
    settled(guest, husk)
    assert husk.unit("web")["description"] == "old"
    assert "reverted at" in husk("status")
    assert guest.run("ls /var/lib/husk/units.reverted/web.container", 30).status == 0
    assert "was not confirmed in time" in guest.console_text()


def test_what_was_confirmed_stays(guest, husk):
    assert guest.run("husk apply --confirm=1h /given/new && husk confirm", 60).status == 0
    guest.power_cut()
    settled(guest, husk)
    assert husk.unit("web")["description"] == "new"
    assert "confirm" not in husk("status")


def test_a_volume_is_made_as_its_file_says(guest, husk):
    done = guest.run("husk apply /given/volume", 60)
    assert done.status == 0, done.stderr
    husk.wait("keeper", lambda one: one["last_exit"] is not None)
    assert "750 1000 1001" in husk.log("keeper")
