"""What a disk may hold when the power goes: made from the order of its writes and flushes.

A disk keeps what it had written when a flush began; of what came behind that it keeps any part, in any order, sector by
sector. The log is QEMU's blklogwrites, in the format of the kernel's dm-log-writes (Documentation/admin-guide/
device-mapper/log-writes.rst): one sector with magic, version, number of entries and sector size; then each entry's head
in a sector of its own, and its data. An entry is written when its request comes: so what a disk had finished by a flush is
counted by when it was asked for, which for a write that the guest did not wait for makes a few states too few."""

import bisect
import hashlib
import mmap
import random
import struct
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
MAGIC, VERSION = 0x6A736677736872, 1
FLUSH, FUA, DISCARD = 1, 2, 4
SUPERBLOCK = (2, 3)  # sectors of ext4's
SUPER, HEAD = struct.Struct("<QQQI"), struct.Struct("<QQQQ")


@dataclass(frozen=True)
class Entry:
    sector: int
    sectors: int
    flags: int
    at: int  # of its data in the log


@dataclass(frozen=True)
class Crash:
    """One state: all up to the last flush, and these sectors of what came behind it."""

    point: int  # the power goes behind so many entries
    durable: int  # entries before the last flush
    kept: tuple[tuple[int, tuple[int, ...]], ...]  # entry, and its sectors that made it
    loose: int  # writes that were under way

    @property
    def name(self) -> str:
        return f"behind entry {self.point}, {len(self.kept)} of {self.loose} writes under way kept"


class WriteLog:
    def __init__(self, path: Path):
        with open(path, "rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, version, count, sector = SUPER.unpack_from(self._data)
        assert (magic, version, sector) == (MAGIC, VERSION, SECTOR), "this is no log of QEMU's blklogwrites"
        self.entries: list[Entry] = []
        at = SECTOR
        for _ in range(count):
            start, sectors, flags, _ = HEAD.unpack_from(self._data, at)
            self.entries.append(Entry(start, sectors, flags, at + SECTOR))
            at += SECTOR * (1 + (0 if flags & DISCARD else sectors))
        self.flushes = [number for number, entry in enumerate(self.entries) if entry.flags & FLUSH]

    def data(self, entry: Entry) -> bytes:
        return self._data[entry.at : entry.at + entry.sectors * SECTOR]

    def crash(self, rng: random.Random, marks_from: int) -> Crash:
        """A moment, as likely in each stretch between two flushes, and what is lost then. `marks_from` is the sector at
        which marks begin: what they say is not lost."""
        bounds = [0, *(number + 1 for number in self.flushes), len(self.entries) + 1]
        stretch = rng.randrange(len(bounds) - 1)
        point = rng.randrange(bounds[stretch], max(bounds[stretch] + 1, bounds[stretch + 1]))
        return self.lose(rng, point, marks_from)

    def lose(self, rng: random.Random, point: int, marks_from: int) -> Crash:
        before = bisect.bisect_left(self.flushes, point)
        durable = self.flushes[before - 1] + 1 if before else 0
        loose = [number for number in range(durable, point)
                 if self.entries[number].sectors and self.entries[number].sector < marks_from]
        odds = rng.choice([0.0, 0.1, 0.5, 0.9, 1.0])
        kept = []
        for number in loose:
            entry = self.entries[number]
            if entry.flags & FUA:
                kept.append((number, tuple(range(entry.sectors))))
            elif rng.random() < odds:
                kept.append((number, self._with_superblock(entry, self._torn(rng, entry.sectors))))
        return Crash(point, durable, tuple(kept), len(loose))

    @staticmethod
    def _torn(rng: random.Random, sectors: int) -> tuple[int, ...]:
        how = rng.randrange(4) if sectors > 1 else 0
        if how == 1:
            return tuple(range(rng.randrange(1, sectors)))  # cut short
        if how == 2:
            return tuple(sector for sector in range(sectors) if rng.random() < 0.5)
        return tuple(range(sectors))

    @staticmethod
    def _with_superblock(entry: Entry, kept: tuple[int, ...]) -> tuple[int, ...]:
        """ext4 writes its superblock over itself and counts on both sectors: torn, no kernel mounts it, and only e2fsck
        helps (from a copy). That is no doing of husk's, and is left out here."""
        own = {sector - entry.sector for sector in SUPERBLOCK}
        if own <= set(range(entry.sectors)) and own & set(kept):
            return tuple(sorted(own | set(kept)))
        return kept

    def identity(self, crash: Crash, marks_from: int) -> str:
        """States that are the same have the same: what lies on the disk, and what had been promised."""
        digest = hashlib.sha256(str(crash.durable).encode())
        last: dict[int, bytes] = {}
        for number, sectors in crash.kept:
            entry = self.entries[number]
            for sector in sectors:
                last[entry.sector + sector] = self._data[entry.at + sector * SECTOR : entry.at + (sector + 1) * SECTOR]
        for number in range(crash.durable, crash.point):
            entry = self.entries[number]
            if entry.sectors and entry.sector >= marks_from:
                last[entry.sector] = self.data(entry)
        for sector in sorted(last):
            digest.update(struct.pack("<Q", sector) + last[sector])
        return digest.hexdigest()


class Disk:
    """A file that goes through the log: durable() brings it up to an entry, put() what a crash kept upon that."""

    def __init__(self, log: WriteLog, path: Path, marks_from: int):
        self._log, self.path, self._marks_from = log, path, marks_from
        self.applied = 0

    def durable(self, until: int) -> None:
        assert until >= self.applied, "a disk only goes forward"
        with open(self.path, "r+b") as file:
            for entry in self._log.entries[self.applied : until]:
                if entry.sectors and not entry.flags & DISCARD:
                    file.seek(entry.sector * SECTOR)
                    file.write(self._log.data(entry))
        self.applied = until

    def put(self, crash: Crash, target: Path) -> None:
        """What is lost of other writes, of marks nothing is."""
        with open(target, "r+b") as file:
            for number, sectors in crash.kept:
                entry = self._log.entries[number]
                data = self._log.data(entry)
                for sector in sectors:
                    file.seek((entry.sector + sector) * SECTOR)
                    file.write(data[sector * SECTOR : (sector + 1) * SECTOR])
            for entry in self._log.entries[crash.durable : crash.point]:
                if entry.sectors and entry.sector >= self._marks_from:
                    file.seek(entry.sector * SECTOR)
                    file.write(self._log.data(entry))
