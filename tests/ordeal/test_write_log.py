"""The states that are made of a log are those that a disk may be in."""

import random
import struct

import pytest
from write_log import FLUSH, HEAD, MAGIC, SECTOR, SUPER, VERSION, Disk, WriteLog

MARKS = 100  # the sector where they begin


@pytest.fixture
def log(tmp_path):
    def make(*entries) -> WriteLog:
        """Entries are "flush", or a first sector and the letters of its sectors."""
        data = SUPER.pack(MAGIC, VERSION, len(entries), SECTOR).ljust(SECTOR, b"\0")
        for entry in entries:
            sector, letters, flags = (0, "", FLUSH) if entry == "flush" else (*entry, 0)
            data += HEAD.pack(sector, len(letters), flags, 0).ljust(SECTOR, b"\0")
            data += b"".join(letter.encode() * SECTOR for letter in letters)
        (tmp_path / "log").write_bytes(data)
        return WriteLog(tmp_path / "log")

    return make


@pytest.fixture
def states(tmp_path):
    def of(log: WriteLog, point: int) -> set[str]:
        """All that come up for one moment: the letters of the first eight sectors."""
        found = set()
        for number in range(400):
            crash = log.lose(random.Random(number), point, MARKS)
            path = tmp_path / "disk"
            path.write_bytes(b"." * SECTOR * 8)
            disk = Disk(log, path, MARKS)
            disk.durable(crash.durable)
            disk.put(crash, path)
            sectors = path.read_bytes()
            found.add("".join(chr(sectors[at * SECTOR]) for at in range(8)))
        return found

    return of


def test_what_was_flushed_is_never_lost(log, states):
    made = log((0, "aa"), (2, "b"), "flush", (4, "c"))
    assert states(made, 4) == {"aab.....", "aab.c..."}
    assert states(made, 3) == {"aab....."}


def test_without_a_flush_any_part_is_lost_in_any_order(log, states):
    found = states(log((0, "a"), (1, "b")), 2)
    assert found == {"........", "a.......", ".b......", "ab......"}


def test_a_write_of_some_sectors_is_torn_between_them(log, states):
    found = states(log((0, "abc")), 1)
    assert {"........", "abc.....", "a.......", "ab......", "a.c.....", "..c....."} <= found
    assert all(set(state) <= set("abc.") for state in found)


def test_the_superblock_is_written_whole_or_not(log, states):
    found = states(log((1, "abcd")), 1)
    assert {"........", ".a......", ".abc....", ".abcd..."} <= found
    assert not {".ab.....", ".a.c...."} & found


def test_writes_to_one_place_keep_their_order(log, states):
    assert states(log((0, "a"), (0, "b")), 2) == {"........", "a.......", "b......."}


def test_what_comes_behind_the_moment_is_not_there(log, states):
    assert states(log((0, "a"), "flush", (1, "b"), (2, "c")), 2) == {"a......."}


def test_the_same_state_is_known_again_and_a_promise_makes_another(log):
    made = log((0, "a"), (1, "a"), (MARKS, "m"), (1, "b"), (1, "a"))
    def identity(seed, point):
        return made.identity(made.lose(random.Random(seed), point, MARKS), MARKS)
    assert len({identity(seed, 2) for seed in range(200)}) == 4
    assert not {identity(seed, 2) for seed in range(200)} & {identity(seed, 3) for seed in range(200)}
    # Three writes to sector 1, of which two are the same: a, b, or nothing.
    assert len({identity(seed, 5) for seed in range(400)}) == 6


def test_a_file_that_is_no_such_log_is_refused(tmp_path):
    (tmp_path / "log").write_bytes(struct.pack("<Q", 1).ljust(SECTOR, b"\0"))
    with pytest.raises(AssertionError, match="no log of QEMU"):
        WriteLog(tmp_path / "log")
