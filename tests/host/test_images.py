"""Versions of images as a supervisor finds them: what a crash behind each step of a switch left (image_trial.h has the table),
and what was damaged. Nothing is mounted here; tests/boot/test_images.py does."""

import json
import pathlib

import pytest

from test_containers import Device, unit

HOUR = 3600 * 10**9
BOOT = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
FOR_EVER = 1 << 62  # nanoseconds since boot


def state(*, boot=BOOT, deadline=FOR_EVER, settle=0, before="1", failure="", units=("web",)) -> str:
    lines = ["husk-image-state 1", "trial.version=2", f"trial.before={before}", f"trial.boot={boot}",
             f"trial.deadline={deadline}", f"trial.settle={settle}", "trial.switched=1",
             *(f"trial.unit={name}" for name in units)]
    return "\n".join([*lines, *([f"trial.failure={failure}"] if failure else []), ""])


@pytest.fixture
def found(tmp_path):
    """Starts a device that has versions 1 and 2 of 'web', with this link and this note."""
    devices = []

    def start(current: str, note: str | None) -> Device:
        device = Device(tmp_path, {"web": unit("sleep 1000")})
        folder = tmp_path / "state/images/web"
        for version in "1", "2":
            (folder / version).mkdir(parents=True)
            (folder / version / "image.erofs").write_text(version)
        (folder / "current").symlink_to(current)
        if note is not None:
            (folder / "state").write_text(note)
        devices.append(device)
        return device.__enter__()

    yield start
    for device in devices:
        device.__exit__()


def listed(device: Device) -> tuple[str, str, list[dict]]:
    answer = json.loads(device.husk("image", "list", "web", "--json").stdout)
    one = answer["images"][0]
    return one["current"], one["previous"], answer.get("image_news", [])


@pytest.mark.parametrize("current, note, why", [
    ("1", state(), "the supervisor ended in the middle of the switch"),
    ("2", state(boot="another"), "the device restarted before its units had proved it"),
    ("1", state(boot="another"), "the device restarted before its units had proved it"),
    ("2", state(failure="unit 'web': sick"), "unit 'web': sick"),
    ("1", state(failure="unit 'web': sick"), "unit 'web': sick"),
    ("2", state(deadline=1, settle=HOUR), "not proved in time by 'web' ("),
    ("2", state(units=("web", "gone")), "unit 'gone': it is no unit any more")],
    ids=["before-the-link", "other-boot", "other-boot-before-the-link", "behind-the-failure", "behind-the-link-back", "late",
         "gone"])
def test_what_was_cut_short_goes_back(found, tmp_path, current, note, why):
    device = found(current, note)
    assert "image web: rolled back from 2 to 1 at" in device.husk("status").stdout
    assert listed(device)[0] == "1" and listed(device)[2][0]["why"].startswith(why)
    assert (tmp_path / "state/images/web/current").readlink() == pathlib.Path("1")
    # The next one finds nothing to go on with, and tells of it still.
    before = device.unit("web")["main_pid"]
    device.kill_supervisor(9)
    assert listed(device)[:2] == ("1", "") and listed(device)[2][0]["why"].startswith(why)
    assert device.unit("web")["main_pid"] == before


def test_a_trial_that_goes_on_ends_well(found):
    device = found("2", state())
    device.wait_for("web", lambda one: any("version '2' stays" in line["text"] for line in one["history"]))
    assert listed(device) == ("2", "1", [])
    # And back by hand; nothing runs of it, so nothing is tried.
    assert device.husk("image", "switch", "web", "--back").stdout == "web: 1 is current, 2 was\n"
    assert listed(device) == ("1", "2", [])


def test_where_nothing_was_before_nothing_is_after(found, tmp_path):
    device = found("2", state(boot="another", before="built-in"))
    assert listed(device)[0] == "built-in"
    assert not (tmp_path / "state/images/web/current").is_symlink()
    assert "there is no image 'web' but its versions" in device.husk("image", "switch", "web", "built-in").stderr


@pytest.mark.parametrize("note", ["", "garbage\n", state() + "what=this\n", state(before="../../etc"),
                                  "husk-image-state 1\ntrial.boot=x\n"],
                         ids=["empty", "garbage", "unknown-key", "bad-version", "half"])
def test_a_note_that_is_damaged_is_said_and_nothing_else_is_lost(found, note):
    device = found("2", note)
    assert listed(device) == ("2", "", [])
    assert device.husk("image", "switch", "web", "1").returncode == 0
    assert listed(device) == ("1", "2", [])


def test_a_link_that_leads_nowhere_can_be_mended(found, tmp_path):
    device = found("9", None)
    assert listed(device)[0] == "9"
    assert device.husk("image", "switch", "web", "2").returncode == 0
    assert listed(device)[0] == "2"
    (tmp_path / "state/images/web/current").unlink()
    (tmp_path / "state/images/web/current").symlink_to("../../../etc")
    assert "damaged" in device.husk("image", "list", "web", "--json").stdout
    assert "no version" in device.husk("image", "remove", "--unused").stderr
    assert device.husk("image", "switch", "web", "1").returncode == 0
    assert device.husk("image", "remove", "--unused").stdout == "web:2 is removed\n"


def test_what_an_add_left_is_gone_with_the_next_supervisor(found, tmp_path):
    device = found("1", None)
    left = tmp_path / "state/images/.new-77"
    left.mkdir()
    (left / "image.erofs").write_text("half")
    device.kill_supervisor(9)
    device.husk("status")
    assert not left.exists()
