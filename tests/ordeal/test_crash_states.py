"""What a disk may hold when the power goes, made from the log of its writes: thousands of states of one device's life.

Each is mounted and judged, then husk boots from it in namespaces of this machine; some are booted in QEMU too."""

import concurrent.futures
import copy
import os
import random
import shutil
import tempfile
from pathlib import Path

import huskvm
import life
import pytest
from boot_conftest import TIMEOUT
from figures import LONG, report
from host_boot import HostBoot
from judge import (HALF, LOST, UNBOOTABLE, History, Judge, Tally, look, look_at_images, look_at_status, loop_device,
                   scratch)
from recording import Recording, record
from write_log import Crash, Disk

KEPT = huskvm.build.build_dir() / "tests/recording"  # of a run that found something
# The short form has the other core busy with the cuts of power.
WORKERS = os.cpu_count() or 1 if LONG else 1


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(prefix="husk-states-", dir=scratch()) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def recording(request, folder, tmp_path_factory) -> Recording:
    kept = request.config.getoption("write_log")
    return Recording.at(kept) if kept else record(folder, tmp_path_factory.mktemp("parts"))


def choose(recording: Recording, seed: str, count: int) -> list[tuple[int, Crash]]:
    """So many states, no two of them the same; each has a number, by which it can be made again."""
    chosen, known, number = [], set(), 0
    while len(chosen) < count:
        crash = recording.log.crash(random.Random(f"{seed} {number}"), recording.marks_from)
        identity = recording.log.identity(crash, recording.marks_from)
        if identity not in known:
            known.add(identity)
            chosen.append((number, crash))
        number += 1
        assert number < 100 * count + 1000, f"there are no {count} different states in {len(recording.log.entries)} writes"
    return chosen


class States:
    """Makes states one after the other, in the order of the log."""

    def __init__(self, recording: Recording, folder: Path):
        self.recording, self.folder = recording, folder
        self._durable = Disk(recording.log, folder / "durable", recording.marks_from)
        life.copy(recording.base, self._durable.path)
        self._leased: list[tuple[int, set[str]]] = self._when_leased()

    def make(self, crash: Crash, target: Path) -> None:
        self._durable.durable(crash.durable)
        life.copy(self._durable.path, target)
        self._durable.put(crash, target)

    def promised(self, crash: Crash) -> set[str]:
        return {unit for at, units in self._leased if at < crash.point for unit in units}

    def _when_leased(self) -> list[tuple[int, set[str]]]:
        log, found = self.recording.log, []
        for at, entry in enumerate(log.entries):
            if entry.sectors and entry.sector >= self.recording.marks_from:
                marks = life.Marks({})
                marks.note(log.data(entry))
                if life.UNITS in marks.words:
                    found.append((at, life.leased(marks)))
        return found


def answer(boot: HostBoot, *words: str) -> str:
    done = boot.husk(*words, "--json")
    assert done.returncode == 0, f"'husk {' '.join(words)}' ended with {done.returncode}: {done.stderr}{done.stdout}"
    return done.stdout


def judge_here(disk: Path, history: History) -> list[tuple[str, str]]:
    """Without husk, and by a boot in namespaces."""
    marks = life.Marks.of(disk)
    problems = look(disk, history)
    home = Path(tempfile.mkdtemp(prefix="husk-boot-"))  # where programs may be executed
    try:
        with loop_device(disk) as device:
            boot = HostBoot(home, device)
            try:
                boot.__enter__()
                problems += look_at_status(answer(boot, "status"), marks)
                problems += look_at_images(answer(boot, "image", "list"),
                                           [path.name for path in (boot.state / "images").iterdir()], marks)
                judge = Judge(boot.state, marks, history)
                judge.after_boot()
                return problems + judge.problems
            except Exception as error:  # whatever ends the boot is what is looked for
                return problems + [(UNBOOTABLE, f"{error!r}\n{boot.console.decode(errors='replace')[-2000:]}")]
            finally:
                boot.__exit__()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def keep(folder: Path, tally: Tally) -> None:
    if tally.texts and folder.resolve() != KEPT.resolve():
        shutil.rmtree(KEPT, ignore_errors=True)
        KEPT.mkdir(parents=True)
        for name in ("base", "log"):
            life.copy(folder / name, KEPT / name)


def say(recording: Recording, seed: str, what: str, tally: Tally) -> str:
    report(f"{tally.looked} {what} (seed '{seed}', {len(recording.log.entries)} entries of the log): {tally}")
    return "\n".join([*tally.texts[:20], f"once more: pytest tests/ordeal/test_crash_states.py --seed '{seed}' "
                                         f"--write-log {KEPT} --state NUMBER"])


def test_no_state_of_the_disk_is_unbootable_or_lacks_what_was_promised(request, recording, folder, seed):
    only, count = request.config.getoption("state"), request.config.getoption("states")
    chosen = choose(recording, seed, count) if only is None else [
        (only, recording.log.crash(random.Random(f"{seed} {only}"), recording.marks_from))]
    chosen.sort(key=lambda one: (one[1].durable, one[1].point))
    tally, leases, seeds = Tally(), {}, {}

    def work(part: list[tuple[int, Crash]]) -> None:
        own = Path(tempfile.mkdtemp(prefix="work-", dir=folder))
        states = States(recording, own)
        for number, crash in part:
            states.make(crash, own / "state")
            history = History(leases, states.promised(crash), seeds)
            tally.add(f"state {number} ({crash.name})", judge_here(own / "state", history))

    size = -(-len(chosen) // WORKERS)
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, [chosen[at : at + size] for at in range(0, len(chosen), size)]))
    keep(recording.base.parent, tally)
    shown = say(recording, seed, "crash states", tally)
    assert tally.looked == len(chosen) and not tally.texts, shown


def test_a_disk_that_ignores_flushes_is_found_out(recording, folder, seed):
    """Or nobody knows that anything is looked at."""
    lying = Recording(recording.base, copy.copy(recording.log))
    lying.log.flushes = []
    states, tally = States(lying, folder), Tally()
    for number in range(20):
        rng = random.Random(f"{seed} {number}")
        crash = lying.log.lose(rng, rng.randrange(len(lying.log.entries) // 2, len(lying.log.entries)), lying.marks_from)
        states.make(crash, folder / "state")
        # All or nothing of a log from its first write on is no lie.
        if 0 < len(crash.kept) < crash.loose:
            tally.add(crash.name, look(folder / "state", History(promised=states.promised(crash))))
    report(f"{tally.looked} states of a disk that ignores flushes: {tally}")
    assert tally.looked > 5 and tally.found[LOST] + tally.found[UNBOOTABLE] + tally.found[HALF] >= tally.looked


def test_states_boot_in_a_whole_machine(request, recording, folder, seed, tmp_path):
    """As far as the guest's own kernel and all of the boot may see it differently."""
    if request.config.getoption("state") is not None:
        pytest.skip("one state is wanted")
    count = request.config.getoption("boots")
    chosen = sorted(choose(recording, f"{seed}, in QEMU", count), key=lambda one: (one[1].durable, one[1].point))
    tally, leases, seeds = Tally(), {}, {}
    states, disk, other = States(recording, folder), folder / "booted", folder / "looked-at"
    life.new_disk(disk)
    (tmp_path / "none").mkdir()
    with huskvm.launch.machine(huskvm.Options(units=tmp_path / "none", disk=disk, append="loglevel=7", timeout=TIMEOUT,
                                              modules=life.MODULES, files=life.guest_files(tmp_path))) as guest:
        for number, crash in chosen:
            states.make(crash, disk)
            marks = life.Marks.of(disk)
            history = History(leases, states.promised(crash), seeds)
            problems = []
            guest.start()
            try:
                guest.wait_agent()
                guest.settle()
                done = guest.run("husk status --json", 60)
                problems += (look_at_status(done.text, marks) if done.status == 0 else
                             [(UNBOOTABLE, f"'husk status' ended with {done.status}: {done.stderr.decode()}")])
            except huskvm.HarnessError as error:
                problems.append((UNBOOTABLE, str(error)))
            guest.power_off()
            life.copy(disk, other)
            problems += look(other, history, after_boot=True)
            tally.add(f"state {number} ({crash.name})", problems)
    keep(recording.base.parent, tally)
    shown = say(recording, f"{seed}, in QEMU", "crash states booted in QEMU", tally)
    assert tally.looked == count and not tally.texts, shown
