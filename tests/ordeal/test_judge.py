"""The judge finds each thing that a cut of power must not do."""

import json
import os
import shutil

import life
import pytest
import versions
from judge import BACK, HALF, LEFT, LOST, TORN, History, Judge, look_at_images

NOW = 1_800_000_000
IMAGE = "images/app"
LEASES = ("# Addresses\nnetwork lan 10.1.0.0/24\naddress lan only-a 10.1.0.2\naddress lan web 10.1.0.3\n"
          "address lan only-b 10.1.0.4\n")


def marks(**words) -> life.Marks:
    said = {"UNITS": "a", "BOOT": f"boot-1 {NOW}", "DOWN": "", "TROUBLE": "", "RECORDS": "5",
            "TICK": f"boot-1 {NOW + 3}000000000 {NOW + 2}000000000 {NOW + 1}000000000",
            "IMAGE": "one =one +two"} | words
    return life.Marks({getattr(life, name): text.split() for name, text in said.items()})


@pytest.fixture
def root(tmp_path):
    """A disk that is as it should be."""
    life.write_set(tmp_path / "units", life.SETS["a"])
    life.write_set(tmp_path, {"timers/stamp-tick": f"{NOW + 2}500000000\n", "network/leases": LEASES, "booted": "",
                              "reset-reason": "", "clock": ""})
    os.utime(tmp_path / "clock", (NOW, NOW))
    (tmp_path / "state/writer").mkdir(parents=True)
    (tmp_path / "state/writer/records").write_bytes(b"".join(map(life.record, range(1, 7))))
    (tmp_path / "random-seed").write_bytes(bytes(range(32)))
    (tmp_path / "volumes/of-a").mkdir(parents=True)
    os.chown(tmp_path / "volumes/of-a", 1000, 1001)
    (tmp_path / "volumes/of-a").chmod(0o750)
    add_version(tmp_path, "one")
    switch(tmp_path, "one")
    return tmp_path


def add_version(root, version: str) -> None:
    (root / IMAGE / version).mkdir(parents=True)
    for name, data in versions.files(version).items():
        (root / IMAGE / version / name).write_bytes(data)


def switch(root, version: str, way_back: str = "") -> None:
    (root / IMAGE / "current").unlink(missing_ok=True)
    (root / IMAGE / "current").symlink_to(version)
    (root / IMAGE / "state").write_text(
        "husk-image-state 1\n" + (f"trial.version={version}\ntrial.before={way_back}\n" if way_back else ""))


def kinds(root, said=None, history=None, after_boot=False) -> set[str]:
    judge = Judge(root, said or marks(), history or History())
    judge.after_boot() if after_boot else judge.before_boot()
    return {kind for kind, _ in judge.problems}


def change(path, old: bytes, new: bytes):
    def do(root):
        data = (root / path).read_bytes()
        assert old in data
        (root / path).write_bytes(data.replace(old, new, 1))
    return do


def remove(path):
    return lambda root: (root / path).unlink()


DAMAGE = {
    "a record is gone": (change("state/writer/records", life.record(5) + life.record(6), b""), LOST),
    "a record is another": (change("state/writer/records", life.record(3), life.record(4)), LOST),
    "a unit is another folder's": (lambda root: life.write_set(root / "units", {"web.container": "[Container]\n"}), HALF),
    "a unit is gone": (remove("units/only-a.container"), HALF),
    "a unit is too many": (lambda root: life.write_set(root / "units", {"only-b.container": ""}), HALF),
    "it waits to be confirmed": (lambda root: life.write_set(root / "units", {".pending": '{"boot_id": "x"}'}), HALF),
    "a stamp is cut short": (change("timers/stamp-tick", b"0\n", b""), TORN),
    "a stamp is old": (change("timers/stamp-tick", b"18000", b"17000"), BACK),
    "a stamp is gone": (remove("timers/stamp-tick"), BACK),
    "leases are cut short": (change("network/leases", b".4\n", b""), TORN),
    "a lease is gone": (change("network/leases", b"address lan web 10.1.0.3\n", b""), BACK),
    "a reason that nobody gave": (change("reset-reason", b"", b"\0\0"), TORN),
    "an end that was none": (remove("reset-reason"), BACK),
    "the first boot again": (remove("booted"), BACK),
    "a seed is cut short": (change("random-seed", bytes(range(30)), b""), TORN),
    "no time": (remove("clock"), BACK),
    "an old time": (lambda root: os.utime(root / "clock", (NOW - 10, NOW - 10)), BACK),
    "half an image": (lambda root: os.truncate(root / IMAGE / "one/image.erofs", 4096), TORN),
    "an image of other bytes": (change(f"{IMAGE}/one/image.erofs", versions.about("one")[4096:4160], b"x" * 64), TORN),
    "an image without its root hash": (remove(f"{IMAGE}/one/image.roothash"), TORN),
    "a version is gone": (lambda root: shutil.rmtree(root / IMAGE / "one"), BACK),
    "a version that was removed": (lambda root: add_version(root, "sick"), BACK),
    "a switch that nobody asked for": (lambda root: switch(root, "two"), HALF),
    "an image on trial": (lambda root: switch(root, "two", "one"), HALF),
    "an image is the one that is built in": (remove(f"{IMAGE}/current"), HALF),
    "half a volume": (lambda root: (root / "volumes/of-a").chmod(0o700), TORN),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_named(root, damage):
    assert kinds(root) == set()
    do, kind = DAMAGE[damage]
    do(root)
    assert kinds(root) == {kind}


def test_what_was_not_promised_may_be_missing(root):
    unsaid = marks(UNITS="none a", BOOT="", RECORDS="", TICK="", IMAGE="")
    for name in os.listdir(root):
        if name != "units":
            shutil.rmtree(root / name) if (root / name).is_dir() else (root / name).unlink()
    assert kinds(root, unsaid) == set()
    shutil.rmtree(root / "units")
    assert kinds(root, unsaid) == set()


def test_what_is_not_confirmed_needs_its_way_back(root):
    unconfirmed = marks(UNITS="a/b")
    life.write_set(root / "units", {".pending": '{"boot_id": "x"}'})
    assert kinds(root, unconfirmed) == {HALF}
    life.write_set(root / "units.previous", life.SETS["b"])
    assert kinds(root, unconfirmed) == set()
    # A boot has to go back.
    assert kinds(root, unconfirmed, after_boot=True) == {HALF}
    os.rename(root / "units", root / "units.reverted")
    os.rename(root / "units.previous", root / "units")
    assert kinds(root, unconfirmed, after_boot=True) == set()
    # And only a boot: in the one that it was applied in, it waits.
    assert kinds(root, unconfirmed) == {HALF}
    assert kinds(root, marks(UNITS="a/b", BOOT="")) == set()


def test_a_switch_is_one_of_its_steps(root):
    add_version(root, "two")
    said = marks(IMAGE="one two/one two =one =two")
    for steps in [("one", ""), ("one", "one"), ("two", "one"), ("two", "")]:
        switch(root, *steps)
        assert kinds(root, said) == set()
    # A boot has to go back, and may not stay there without a way back.
    switch(root, "two", "one")
    assert kinds(root, said, after_boot=True) == {HALF}
    switch(root, "two")
    assert kinds(root, marks(IMAGE="one two/one =one =two")) == {HALF}


def listed(current: str, *there: str, runs: str = "", names: tuple = (versions.NAME,)) -> set[str]:
    every = [{"version": one, "units": [versions.NAME] if one == runs else []} for one in there]
    answer = json.dumps({"images": [{"name": versions.NAME, "current": current, "versions": every}]})
    return {kind for kind, _ in look_at_images(answer, list(names), marks())}


def test_what_a_boot_says_of_images_is_held_to_the_promise():
    assert listed("one", "one") == listed("one", "one", "two", runs="one") == set()
    assert listed("two", "one", "two") == listed("one", "one", "two", runs="two") == listed("one", "two") == {HALF}
    assert listed("one", "one", names=(versions.NAME, ".new-77")) == {LEFT}


def test_a_seed_of_an_earlier_boot_is_known_again(root):
    history = History()
    assert kinds(root, history=history) == set()
    assert kinds(root, history=history) == set()
    assert kinds(root, marks(BOOT=f"boot-2 {NOW}"), history) == {BACK}


def test_an_address_may_not_change(root):
    history = History()
    assert kinds(root, history=history) == set()
    change("network/leases", b"web 10.1.0.3", b"web 10.1.0.9")(root)
    assert kinds(root, history=history) == {BACK}
