"""What takes all of something: it ends at the unit's limit, or at what a unit may have when its file names no limit; the
message says which; the neighbours lose no beat, and husk goes on. One guest with little memory for all of it."""

import os
import time

import attacks
import huskvm
import pytest
from attacks import HEARTS, Attacker, Tried, Watch, attack_files, unit, write_units

# A guest's memory, of which the kernel takes about a fifth.
MEMORY = "320M"
QUIET = "CPUQuota=20%"  # each: there is only one real core under the guest


def bomb(words: str, *, container: str = "", service: str = "") -> str:
    return unit("exhaust", words, container=container, service=f"{QUIET}\n{service}", install="Enabled=no", stays=True)


# With a limit of memory. Name -> words, further lines, how it ends: an errno, or 'oom'.
LIMIT = "MemoryMax=16M"
LIMITED = {
    "fork": ("fork", {"service": "MemoryMax=64M"}, {"EAGAIN"}),
    "thread": ("thread", {"service": "MemoryMax=64M\nTasksMax=100"}, {"EAGAIN"}),
    "anonymous": ("anonymous", {}, {"oom"}),
    "tmp": ("file /tmp", {}, {"oom"}),
    "shm": ("file /dev/shm", {}, {"oom"}),
    "run": ("file /run", {}, {"oom"}),
    "own-tmpfs": ("file /own", {"container": "Tmpfs=/own:size=4M"}, {"ENOSPC"}),
    "inode": ("inode /tmp", {}, {"oom", "ENOSPC"}),
    "page-cache": ("page-cache /data", {"container": "Volume=cache.volume:/data"}, {"ENODATA"}),
    "socket": ("socket", {}, {"oom"}),
    "pipe": ("pipe", {}, {"oom"}),
    "memfd": ("memfd", {}, {"oom"}),
    "descriptor": ("descriptor", {}, {"oom", "EMFILE"}),
    "eventfd": ("eventfd", {}, {"oom", "EMFILE"}),
    "timerfd": ("timerfd", {}, {"oom", "EMFILE"}),
    "few-descriptors": ("descriptor", {"service": "LimitNOFILE=64"}, {"EMFILE"}),
    "epoll": ("epoll", {}, {"oom", "ENOSPC"}),
    "timer": ("timer", {}, {"oom", "EAGAIN"}),
    "shared-memory": ("shared-memory", {}, {"oom"}),
    "semaphore": ("semaphore", {}, {"oom", "ENOSPC"}),
    "message": ("message", {}, {"oom", "ENOSPC"}),
    "posix-queue": ("posix-queue", {}, {"EMFILE", "ENOSPC"}),
    "inotify": ("inotify", {}, {"EMFILE", "oom"}),
    "watch": ("watch", {}, {"ENOSPC", "oom"}),
    "aio": ("aio", {}, {"EAGAIN", "ENOMEM", "oom"}),
    "terminal": ("terminal", {}, {"ENOSPC", "oom"}),
    "key": ("key", {}, {"EPERM"}),
    "cgroup": ("cgroup", {}, {"EROFS", "EACCES"}),
    "mount-space": ("mount-space", {}, {"EPERM"}),
    "user-space": ("user-space", {}, {"EPERM"}),
}
# With what a unit has that says nothing.
DEFAULTS = ["anonymous", "every-tmpfs", "inode /tmp", "socket", "pipe", "descriptor - 40000", "inotify - 1000", "aio", "terminal"]
# How they end without a limit in the unit's file. 'ok': all that was asked for, which is more than the kernel has by itself
# for the whole device, so that its own counts are not what neighbours run out of.
# Sockets and pipes come first: with the inodes that another one has left in the kernel's caches, a guest takes minutes to
# find that there is nothing to reclaim for them.
DEFAULT_ENDS = {"socket": {"oom"}, "pipe": {"oom"}, "anonymous": {"oom"}, "every-tmpfs": {"oom", "ENOSPC"},
                "inode": {"oom", "ENOSPC"}, "descriptor": {"ok"}, "inotify": {"ok"}, "aio": {"oom", "EAGAIN", "ENOMEM"},
                "terminal": {"ENOSPC"}}

UNITS = {f"limited-{name}": bomb(words, **{"container": "", **more, "service": more.get("service", LIMIT)})
         for name, (words, more, _) in LIMITED.items()}
UNITS |= {f"default-{words.split()[0]}": bomb(words) for words in DEFAULTS}
UNITS |= {f"default-fork-{i}": bomb("fork") for i in range(6)}
UNITS |= {
    "flood": bomb("flood"),
    "disk": bomb("file /data", container="Volume=full.volume:/data"),
    "new-volume": unit("heart", container="Volume=new.volume:/data", install="Enabled=no", stays=True),
    "later": unit("heart", install="Enabled=no", stays=True),
} | attacks.HEARTS


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    units = write_units(tmp_path_factory.mktemp("units"), UNITS)
    with huskvm.boot(units=units, files=attack_files(), memory=MEMORY, append="loglevel=7",
                     timeout=attacks.TIMEOUT * 2) as machine:
        yield machine


@pytest.fixture(scope="module")
def husk(guest):
    return Attacker(guest).husk


def end_of(guest, husk, name: str, timeout: float = 200) -> str:
    """How an attack ended: the errno that it met, or 'oom'."""
    deadline = time.monotonic() + timeout
    while True:
        tried = Tried(husk.log(name))
        if tried.complete:
            return next(outcome for what, outcome in tried.items() if what not in ("begun", "count", "end"))
        one = husk.unit(name)
        if one["state"] == "failed":
            assert "killed for memory" in husk(f"why {name}"), one
            return one["last_exit"]["kind"]
        assert time.monotonic() < deadline, (name, one["state"], tried.text)
        time.sleep(0.3)


@pytest.fixture
def watch(guest, husk):
    found = Watch(guest, husk)
    yield found
    running = [name for name, one in husk.units().items() if one["state"] not in ("inactive", "failed") and name not in HEARTS]
    if running:
        husk("stop " + " ".join(running), 100)


WAVES = [list(LIMITED)[at:at + 8] for at in range(0, len(LIMITED), 8)]


@pytest.mark.parametrize("wave", range(len(WAVES)))
def test_what_takes_too_much_ends_at_its_own_limit(guest, husk, watch, wave):
    """All of a wave at once, each with its own limit."""
    husk("start " + " ".join(f"limited-{name}" for name in WAVES[wave]), 100)
    ends = {name: end_of(guest, husk, f"limited-{name}") for name in WAVES[wave]}
    wrong = {name: end for name, end in ends.items() if end not in LIMITED[name][2]}
    watch.nothing_happened()
    assert not wrong, wrong
    for name in WAVES[wave]:
        peak = husk.unit(f"limited-{name}")["memory"]["peak"]
        if "MemoryMax=16M" in UNITS[f"limited-{name}"] and peak:
            assert peak <= 16 << 20, name
        if ends[name] == "oom":
            assert "killed for memory (limit 16.0M)" in husk(f"why limited-{name}")


def test_tasks_are_as_many_as_the_limit_says(guest, husk, watch):
    husk("start limited-fork limited-thread", 60)
    for name, most in ("fork", 511), ("thread", 99):
        assert end_of(guest, husk, f"limited-{name}") == "EAGAIN"
        assert int(Tried(husk.log(f"limited-{name}"))["count"]) == most
    watch.nothing_happened()


@pytest.mark.parametrize("name", DEFAULT_ENDS)
def test_a_unit_without_a_limit_does_not_take_the_device_either(guest, husk, watch, name):
    husk(f"start default-{name}", 60)
    end = end_of(guest, husk, f"default-{name}")
    assert end in DEFAULT_ENDS[name], end
    # While it keeps all that it got, others start.
    assert guest.run("husk start later", 60).status == 0
    husk.wait("later", lambda one: one["state"] == "running")
    watch.nothing_happened()


# An emulated guest that has no core to itself takes minutes for it, and its kernel reports lockups.
@pytest.mark.skipif("HUSK_LONG" not in os.environ, reason="tests/run --long")
def test_many_fork_bombs_leave_processes_for_the_device(guest, husk, watch):
    """Together they may have more than the kernel has."""
    names = [f"default-fork-{i}" for i in range(6)]
    assert int(guest.run("cat /proc/sys/kernel/threads-max", 20).text) < 512 * len(names)
    husk("start " + " ".join(names), 100)
    for name in names:
        assert end_of(guest, husk, name) == "EAGAIN"
    assert int(guest.run("cat /sys/fs/cgroup/units/pids.current", 60).text) > 512
    assert watch.answer_time() < 5
    assert husk.supervisor() == watch.supervisor
    husk("stop " + " ".join(names), 100)
    assert husk.unit("heart")["main_pid"] == watch.pids["heart"]


def test_a_flood_of_the_log_takes_no_neighbours_lines(guest, husk, watch):
    husk("start flood", 60)
    husk.wait("flood", lambda one: one["state"] == "running")
    deadline = time.monotonic() + 60
    while '"kind":"dropped"' not in guest.run("husk logs --json -n all flood | head -n 1", 60).text:
        assert time.monotonic() < deadline
    size = int(guest.run("husk logs -o cat -n all flood | wc -c", 60).text)
    assert size <= (256 << 10) + (64 << 10), size
    watch.nothing_happened()


def test_a_full_state_disk_stops_what_needs_room_on_it(guest, husk, watch):
    # Nearly full already, since the unit's own writes take long in an emulated guest.
    free = int(guest.run("df -m /var/lib/husk | tail -n 1 | awk '{print $4}'", 20).text)
    guest.run(f"dd if=/dev/zero of=/var/lib/husk/fill-0 bs=1M count={free - 8} 2>/dev/null", 100)
    husk("start disk", 60)
    assert end_of(guest, husk, "disk", 100) == "ENOSPC"
    assert guest.run("husk start later", 60).status == 0
    watch.nothing_happened()
    husk("stop disk", 60)
    guest.run("rm -rf /var/lib/husk/fill-* /var/lib/husk/volumes/full", 60)
    husk("start new-volume", 60)
    husk.wait("new-volume", lambda one: one["state"] == "running")


def test_the_device_still_ends_in_order(guest):
    assert guest.run("husk poweroff", 60).status == 0
    assert guest.wait_exit(100) is huskvm.End.POWEROFF
