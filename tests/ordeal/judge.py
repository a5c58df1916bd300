"""What must hold of a disk whenever the power was cut: before any boot, and once husk has booted from it.

Each finding is of one of the kinds that the ordeal counts."""

import collections
import contextlib
import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import life
import versions

UNBOOTABLE, TORN, BACK, LOST, HALF = "unbootable", "torn", "rolled back", "lost fsynced writes", "half-applied"
LEFT = "left over"
KINDS = [UNBOOTABLE, TORN, BACK, LOST, HALF, LEFT]


@dataclass
class History:
    """What earlier looks at the disk of one device have shown."""

    leases: dict[str, str] = field(default_factory=dict)  # unit -> its line
    promised: set[str] = field(default_factory=set)  # units whose leases were on disk for sure
    seeds: dict[str, str] = field(default_factory=dict)  # random seed -> the boot that kept it


class Tally:
    """Counts and shows what was found."""

    def __init__(self):
        self.found = collections.Counter({kind: 0 for kind in KINDS})
        self.looked = 0
        self.texts: list[str] = []

    def add(self, name: str, problems: list[tuple[str, str]]) -> None:
        self.looked += 1
        self.found.update({kind for kind, _ in problems})
        self.texts += [f"{name}: {kind}: {text}" for kind, text in problems]

    def __str__(self) -> str:
        return ", ".join(f"{self.found[kind]} {kind}" for kind in KINDS)


class Judge:
    """Looks at one disk. `problems` are pairs of kind and what was seen."""

    def __init__(self, root: Path, marks: life.Marks, history: History):
        self.root, self.marks, self.history = root, marks, history
        self.problems: list[tuple[str, str]] = []

    def _say(self, kind: str, text: str) -> None:
        self.problems.append((kind, text))

    def _read(self, path: str) -> bytes | None:
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def before_boot(self) -> None:
        self._records()
        self._units(self.marks.units)
        self._stamp()
        self._leases()
        self._last_end()
        self._seed()
        self._volumes()
        self._image(set(self.marks.image.meanings) | self.marks.image.after_boot)
        if self.marks.running:
            if not (self.root / "booted").exists():
                self._say(BACK, "the first boot had settled, and the next is the first again")
            self._clock()

    def after_boot(self) -> None:
        """Once husk has come up from it."""
        self._records()
        self._units(self.marks.units_after_boot)
        self._leases()
        self._volumes(settled=True)
        self._image(self.marks.image.after_boot)

    def _records(self) -> None:
        data = self._read("state/writer/records") or b""
        if len(data) < 128 * self.marks.records:
            return self._say(LOST, f"{self.marks.records} records were on disk, {len(data) // 128} are there")
        for number in range(1, self.marks.records + 1):
            if data[(number - 1) * 128 : number * 128] != life.record(number):
                return self._say(LOST, f"record {number} of {self.marks.records} that were on disk is not whole")

    def _units(self, allowed: list[str]) -> None:
        there = self._folder(life.ACTIVE)
        if not any(self._is(there, token) for token in allowed):
            self._say(HALF, f"the folder of units is none of {allowed}: {there}")

    def _folder(self, name: str) -> dict[str, bytes]:
        top = self.root / name
        return {str(path.relative_to(top)): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()}

    def _is(self, there: dict[str, bytes], token: str) -> bool:
        name, _, way_back = token.partition("/")
        wanted = {path: text.encode() for path, text in life.SETS[name.rstrip("+")].items()}
        # Nobody reads what was to be renamed into place.
        found = {path: text for path, text in there.items() if not path.startswith(".") and not path.endswith(".new")}
        if name.endswith("+"):
            if b"RestartSec=7s" not in found.pop(life.UPDATE, b""):
                return False
        if found != wanted:
            return False
        if not way_back:
            return ".pending" not in there
        before = self._folder(life.ACTIVE + ".new") or self._folder(life.ACTIVE + ".previous")
        with contextlib.suppress(ValueError):
            return "boot_id" in json.loads(there.get(".pending", b"")) and self._is(before, way_back)
        return False

    def _stamp(self) -> None:
        """Of three runs in one boot the timer had kept the middle one before the last began, and that is later than the
        first began."""
        text = self._read("timers/stamp-tick")
        if text is not None and not re.fullmatch(rb"[0-9]{19}\n", text):
            return self._say(TORN, f"the timer's stamp is {text!r}")
        first = self.marks.ticks[2]
        if first and int(text or 0) < first:
            self._say(BACK, f"the timer's stamp is {text!r}, and it ran at {first} and twice since")

    def _leases(self) -> None:
        text = (self._read("network/leases") or b"").decode(errors="replace")
        lines = text.splitlines(keepends=True)
        if any(not re.fullmatch(r"(#.*|network lan \S+|address lan \S+ [0-9.]+)\n", line) for line in lines):
            return self._say(TORN, f"leases: {text!r}")
        found = {line.split()[2]: line for line in lines if line.startswith("address")}
        self.history.promised |= life.leased(self.marks)
        for unit in self.history.promised:
            if unit not in found:
                self._say(BACK, f"unit '{unit}' has lost its lease: {text!r}")
        for unit, line in found.items():
            if self.history.leases.setdefault(unit, line) != line:
                self._say(BACK, f"unit '{unit}' has another address: {line!r}, {self.history.leases[unit]!r} before")

    def _last_end(self) -> None:
        text = self._read("reset-reason")
        if text:
            self._say(TORN, f"reset-reason has {text!r}, and nobody wrote that")
        if text is None and self.marks.running:
            self._say(BACK, "reset-reason is gone, as if there had been a shutdown")

    def _seed(self) -> None:
        seed = self._read("random-seed")
        if seed is None:
            if self.marks.running:
                self._say(BACK, "there is no random seed")
            return
        if len(seed) != 32:
            return self._say(TORN, f"the random seed has {len(seed)} bytes")
        # One that another boot has kept was used by now.
        if self.marks.running and self.history.seeds.setdefault(seed.hex(), self.marks.boot) != self.marks.boot:
            self._say(BACK, "the random seed of an earlier boot is there again")

    def _clock(self) -> None:
        try:
            kept = (self.root / "clock").stat().st_mtime
        except FileNotFoundError:
            return self._say(BACK, "the time was not kept")
        if kept < self.marks.boot_began - 2:
            self._say(BACK, f"the time that was kept is {kept}, and this boot began at {self.marks.boot_began}")

    def _image(self, meanings: set[str]) -> None:
        store = versions.Store(self.root / "images" / versions.NAME)
        for version in store.versions:
            if not store.is_whole(version):
                self._say(TORN, f"version '{version}' of image '{versions.NAME}' is not whole")
        if wrong := self.marks.image.versions_are_wrong(store.versions):
            self._say(BACK, wrong)
        if store.meaning not in meanings:
            self._say(HALF, f"image '{versions.NAME}' is {store.meaning}, none of {sorted(meanings)}")

    def _volumes(self, settled: bool = False) -> None:
        for name in ("a", "b"):
            # A program may be told its volume is there only when it is whole; one that is not made yet is none.
            folder = self.root / f"volumes/of-{name}"
            if not folder.exists():
                continue
            info = folder.stat()
            if (info.st_uid, info.st_gid, info.st_mode & 0o7777) != (1000, 1001, 0o750):
                self._say(TORN, f"volume 'of-{name}' is half made: {info.st_uid}:{info.st_gid} {info.st_mode:o}")


@contextlib.contextmanager
def loop_device(disk: Path):
    done = subprocess.run(["losetup", "--find", "--show", str(disk)], capture_output=True, text=True, check=True)
    device = Path(done.stdout.strip())
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", str(device)], check=True)


# Mounted for as long as the program lives, and seen by nobody else; the journal is replayed by the mount. The end of its
# namespace would unmount it too, some time later, when somebody else writes to that disk.
_MOUNT = 'mount -t ext4 "$0" /mnt && echo mounted && { read -r _; umount /mnt; }'


@contextlib.contextmanager
def mounted(device: Path):
    """The root of the file system, or None where it cannot be mounted."""
    keeper = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", _MOUNT, str(device)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        said = keeper.stdout.readline()
        yield Path(f"/proc/{keeper.pid}/root/mnt") if said == b"mounted\n" else None
    finally:
        keeper.communicate()


def look(disk: Path, history: History, after_boot: bool = False) -> list[tuple[str, str]]:
    """At a copy of the disk as it is without power: it is mounted, which replays its journal."""
    marks = life.Marks.of(disk)
    with loop_device(disk) as device, mounted(device) as root:
        if root is None:
            return [(UNBOOTABLE, "the file system cannot be mounted")]
        judge = Judge(root, marks, history)
        try:
            judge.after_boot() if after_boot else judge.before_boot()
        except OSError as error:
            return [(UNBOOTABLE, f"the file system is damaged: {error}")]
        return judge.problems


def look_at_status(status: str, marks: life.Marks) -> list[tuple[str, str]]:
    """`husk status --json` of a boot from that disk."""
    units = {one["name"]: one for one in json.loads(status)["units"]}
    if set(units) not in [life.unit_names(token) for token in marks.units_after_boot]:
        return [(HALF, f"units of none of {marks.units_after_boot}: {sorted(units)}")]
    return [(UNBOOTABLE, f"unit '{name}' is {one['state']}: {one['reason']}") for name, one in units.items()
            if one["state"] == "failed"]


def look_at_images(answer: str, names: list[str], marks: life.Marks) -> list[tuple[str, str]]:
    """`husk image list --json` of that boot, and what the folder of images has."""
    problems = [(LEFT, f"'{name}' in the folder of images") for name in names if name != versions.NAME]
    wrong = versions.look_at_list(answer, marks.image)
    return problems + ([(HALF, wrong)] if wrong else [])


def scratch() -> str | None:
    """Disks are written and thrown away by the thousand."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
