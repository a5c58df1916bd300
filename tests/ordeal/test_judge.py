"""The judge finds each thing that a cut of power must not do."""

import os
import shutil

import life
import pytest
from judge import BACK, HALF, LOST, TORN, History, Judge

NOW = 1_800_000_000
LEASES = ("# Addresses\nnetwork lan 10.1.0.0/24\naddress lan only-a 10.1.0.2\naddress lan web 10.1.0.3\n"
          "address lan only-b 10.1.0.4\n")


def marks(**words) -> life.Marks:
    said = {"UNITS": "a", "BOOT": f"boot-1 {NOW}", "DOWN": "", "TROUBLE": "", "RECORDS": "5",
            "TICK": f"boot-1 {NOW + 3}000000000 {NOW + 2}000000000 {NOW + 1}000000000"} | words
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
    return tmp_path


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
    "half a volume": (lambda root: (root / "volumes/of-a").chmod(0o700), TORN),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_named(root, damage):
    assert kinds(root) == set()
    do, kind = DAMAGE[damage]
    do(root)
    assert kinds(root) == {kind}


def test_what_was_not_promised_may_be_missing(root):
    unsaid = marks(UNITS="none a", BOOT="", RECORDS="", TICK="")
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
