"""Images apart from the system: put beside, checked, switched, and back by themselves. One guest, on whose disk all of it
happens; each test goes on from where the one before left it."""

import json
import subprocess

import huskvm
import pytest
from conftest import TIMEOUT, Husk, probe_files, unit, write_units
from huskvm import verity

SHOW = "/bin/busybox sh -c 'cat /version; exec /bin/busybox sleep 1000'"
CHECKED = "HealthCmd=/bin/busybox test -e /healthy\nHealthInterval=1s\nHealthRetries=1\nHealthStartPeriod=3s\nHealthOnFailure=stop"
STORE = "/var/lib/husk/images"


def image(folder, name, files=(), flip=False, hashed=False):
    """A root of a few small files: programs come from the device."""
    root = folder / name
    (root / "bin").mkdir(parents=True)
    (root / "bin/busybox").touch()
    (root / "bin/sh").symlink_to("busybox")
    (root / "version").write_text(f"this is {name}\n")
    for file in files:
        (root / file).write_text("yes\n")
    (root / "ballast").write_bytes(name.encode() * 40000)
    target = folder / f"{name}.erofs"
    subprocess.run(["mkfs.erofs", "--quiet", "-T0", str(target), str(root)], check=True, stdout=subprocess.DEVNULL)
    if hashed:
        (folder / f"{name}.roothash").write_text(verity.append(target) + "\n")
    if flip:
        data = bytearray(target.read_bytes())
        data[data.index(name.encode() * 100) + 5000] ^= 1
        target.write_bytes(data)
    return target


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    for name in ("one", "two", "four"):
        image(folder, name, ["healthy"])
    image(folder, "sick")
    image(folder, "hashed", ["healthy"], hashed=True)
    image(folder, "flipped", hashed=True, flip=True)
    (folder / "wrong.erofs").write_bytes((folder / "hashed.erofs").read_bytes())
    (folder / "wrong.roothash").write_text("0" * 64)
    (folder / "cut.erofs").write_bytes((folder / "two.erofs").read_bytes()[:8192])
    (folder / "text.erofs").write_text("no image\n")
    given = tmp_path_factory.mktemp("guest")
    for file in [*folder.glob("*.erofs"), *folder.glob("*.roothash")]:
        file.rename(given / file.name)
    units = write_units(tmp_path_factory.mktemp("units"), {
        "web": unit(SHOW, container=f"Image=docker.io/library/web:9\n{CHECKED}"),
        "plain": unit(SHOW, container="Image=web", unit_="After=web"),
        "idle": unit(SHOW, container="Image=web", unit_="ConditionPathExists=/never"),
        "other": unit("/bin/busybox sleep 1000"),
        "hand": unit(SHOW, container="Image=hand"),
        "pinned": unit(SHOW, container=f"Image={STORE}/web/2/image.erofs", unit_="ConditionPathExists=/tmp/pinned"),
    })
    with huskvm.boot(units=units, images={"web": given / "one.erofs", "hand": given / "two.erofs"}, modules=["dm_verity"],
                     files=[*probe_files(), (given, "/given")], append="loglevel=7", timeout=TIMEOUT * 3) as machine:
        yield machine


@pytest.fixture(scope="module")
def husk(guest):
    return Husk(guest)


def states(guest, name="web") -> dict[str, str]:
    answer = json.loads(guest.run(f"husk image list {name} --json", 60).stdout)
    one = answer["images"][0]
    return {"current": one["current"], "previous": one["previous"], "versions": [v["version"] for v in one["versions"]]}


def shown(husk, name) -> str:
    """The version that it began with last."""
    return husk.log(name).strip().splitlines()[-1]


def on_trial(guest) -> None:
    """Begins a switch to the sick one, and comes back once it is on trial: for three seconds at least (HealthStartPeriod=)."""
    guest.run("husk image switch web 3 >/tmp/switch 2>&1 & until husk status | grep -q 'is on trial'; do sleep 0.1; done", 60)


def news(guest) -> list[dict]:
    return json.loads(guest.run("husk status --json", 60).stdout).get("image_news", [])


def test_an_image_is_checked_before_it_is_there(guest, husk):
    done = guest.run("husk image add /given/two.erofs web:2", 60)
    assert done.status == 0 and "web:2 is there" in done.text, done
    assert done.stderr == b""  # no progress where nobody looks
    assert "web:2 has the same bytes already" in husk("image add /given/two.erofs web")
    assert "with other bytes" in husk("image add /given/four.erofs web:2")
    assert "neither erofs nor squashfs but" in husk("image add /given/text.erofs web:x")
    assert "it is cut short" in husk("image add /given/cut.erofs web:x")
    assert "No such file" in husk("image add /given/none.erofs web:x")
    assert "is no version" in husk("image add /given/four.erofs web:.x")
    assert "is no name for an image" in husk("image add /given/four.erofs ../web:1")
    assert "do not match the root hash" in husk("image add /given/wrong.erofs web:x")
    flipped = json.loads(husk("image add --json /given/flipped.erofs web:x"))
    assert flipped["ok"] is False and "does not match the root hash" in flipped["error"]
    assert "each block compared with its root hash" in husk("image add /given/hashed.erofs web:h")
    assert states(guest)["versions"] == ["2", "h", "built-in"]
    guest.run("cp /given/two.erofs /tmp/huge.erofs; truncate -s 9G /tmp/huge.erofs", 60)
    assert "are lacking on the disk" in husk("image add /tmp/huge.erofs web:x")
    # Nothing of all that stays, mounted or on the disk.
    assert guest.run(f"ls -A {STORE}/web; ls -A {STORE} | grep new; ls /sys/block | grep dm-", 30).text.split() == ["2", "h"]
    # The next number is 3.
    assert "web:3 is there" in husk("image add /given/sick.erofs web")


def test_a_switch_restarts_its_units_and_no_others(guest, husk):
    before = husk.pids()
    assert shown(husk, "web") == shown(husk, "plain") == "this is one"
    done = guest.run("husk image switch web 2 --settle=1", 120)
    assert done.status == 0, done
    assert done.text.splitlines() == ["web: 2 is current, built-in was", "plain: restarted with it", "web: restarted with it",
                                      "idle: does not run; it has it from its next start on"]
    assert shown(husk, "web") == shown(husk, "plain") == "this is two"
    after = husk.pids()
    assert {name for name in before if before[name] != after[name]} == {"web", "plain"}
    assert states(guest) == {"current": "2", "previous": "built-in", "versions": ["2", "3", "h", "built-in"]}
    assert "version '2' stays" in husk("why web")
    assert "was current already" in husk("image switch web 2")
    # A crash starts what is current.
    guest.run("husk kill -s KILL web", 30)
    husk.wait("web", lambda one: one["state"] == "running" and one["restarts"] == 1)
    assert shown(husk, "web") == "this is two"


def test_unknown_words_are_refused(guest, husk):
    assert "there is no version '7' of image 'web', but '2', '3', 'h'" in husk("image switch web 7")
    assert "there are no versions of image 'wep'" in husk("image switch wep 2")
    assert "there are no versions of image 'wep'" in husk("image list wep")
    assert "did you mean 'switch'" in husk("image swich web 2")
    assert "image: list has no --back" in husk("image list --back")
    assert "is current" in husk("image remove web 2")
    assert "there is no version '7'" in husk("image remove web 7")


def test_one_whose_unit_is_unhealthy_goes_back_by_itself(guest, husk):
    done = guest.run("husk image switch web 3 --settle=1", 120)
    text = done.stderr.decode()
    assert done.status == 1 and "image 'web' was rolled back from '3' to '2': unit 'web': unhealthy" in text, done
    for name in ("web", "plain"):
        one = husk.wait(name, lambda one: one["state"] == "running")
        assert shown(husk, name) == "this is two"
        assert any("was rolled back from '3'" in line["text"] for line in one["history"])
    assert "image web: rolled back from 3 to 2 at" in husk("status")
    assert "rolled back" in husk("image list") and states(guest)["current"] == "2"
    assert "rolled back from '3' to '2'" in guest.console_text()


def test_a_supervisor_that_dies_does_not_end_the_trial(guest, husk):
    on_trial(guest)
    assert "busy" in husk("image switch web h --json")
    guest.run(f"kill -9 {husk.supervisor()}", 30)
    assert news(guest)[0]["news"] == "trial" and "goes on" in guest.console_text()
    husk.wait("web", lambda one: news(guest)[0]["news"] == "rolled-back")
    husk.wait("web", lambda one: one["state"] == "running" and one["health"]["state"] == "healthy")
    assert states(guest)["current"] == "2" and shown(husk, "web") == "this is two"


def test_a_power_cut_takes_back_what_is_on_trial(guest, husk):
    guest.run("cp /given/four.erofs /tmp/big.erofs; truncate -s 48M /tmp/big.erofs", 60)
    guest.run(f"husk image add /tmp/big.erofs web:big & p=$!; until [ -e {STORE}/.new-$p/image.erofs ]; do :; done; "
              "kill -STOP $p", 60)
    assert ".new-" in guest.run(f"ls -A {STORE}", 30).text
    on_trial(guest)
    guest.run("sync", 60)
    guest.power_cut()
    guest.wait_agent(180)
    guest.settle(180)
    assert "the device restarted before its units had proved it" in husk("status")
    husk.wait("web", lambda one: one["state"] == "running" and one["health"]["state"] == "healthy")
    assert shown(husk, "web") == "this is two"
    assert states(guest)["current"] == "2"
    assert "big" not in states(guest)["versions"] and ".new-" not in guest.run(f"ls -A {STORE}", 30).text


def test_what_is_in_use_stays_and_what_is_not_goes(guest, husk):
    guest.run("touch /tmp/pinned; husk start pinned", 60)
    assert guest.run("husk image switch web h --settle=1", 120).status == 0
    assert shown(husk, "web") == "this is hashed"
    assert "rolled back" not in husk("status")
    assert "is in use by pinned" in husk("image remove web 2")
    assert husk("image remove --unused web") == "web:3 is removed\n"  # 2 is the previous one
    assert guest.run("husk image switch web --back --settle=1", 120).status == 0
    assert shown(husk, "web") == "this is two"
    assert "web:h is removed" in husk("image remove web h")
    done = guest.run("husk image switch web built-in --no-rollback", 120)
    assert done.status == 0
    husk.wait("web", lambda one: shown(husk, "web") == "this is one")


def test_a_file_that_was_replaced_by_hand_is_seen_by_plan(guest, husk):
    assert "nothing changes" in husk("plan")
    guest.run(f"cp /given/four.erofs {STORE}/.hand && mv {STORE}/.hand {STORE}/hand.erofs", 30)
    assert "hand  restart  its image is another file" in husk("plan")
    assert guest.run("husk reload", 60).status == 0
    assert shown(husk, "hand") == "this is four"
    assert "nothing changes" in husk("plan")
