"""A thousand containers on one machine: what the last starts cost beside the first, idling, lists, the end of all."""

import contextlib
import re
import time
from pathlib import Path

import control
import figures
import programs
import start

COUNT = control.UNITS
AROUND = 20  # starts that a figure is of
IDLE = 10  # seconds


def husk_starts(host) -> tuple[list[float], list[float]]:
    """Milliseconds to the first instruction of each, and to the client's end, one after the other."""
    begun, whole = [], []
    for i in range(COUNT):
        at, took = programs.client(host, "start", f"u{i:04}")
        begun.append(at)
        whole.append(took)
    return [programs.first_after(host, f"u{i:04}", at) for i, at in enumerate(begun)], whole


def growth(values: list[float]) -> dict[str, list[float]]:
    """The starts around the tenth and the last, as two contenders."""
    return {"the first twenty": values[:AROUND], "the last twenty": values[-AROUND:]}


def idle(host) -> list[str]:
    """What PID 1 and the supervisor do while nothing happens."""
    def look(pid: int) -> tuple[int, int, float]:
        text = Path(f"/proc/{pid}/status").read_text()
        switches = [int(re.search(rf"^{kind}_ctxt_switches:\s+(\d+)$", text, re.M)[1])
                    for kind in ("voluntary", "nonvoluntary")]
        return *switches, programs.cpu_seconds(pid)
    time.sleep(2)  # what follows from the last list is over
    pids = {"PID 1": host.host_pid, "the supervisor": host.supervisor_pid()}
    before = {who: look(pid) for who, pid in pids.items()}
    time.sleep(IDLE)
    notes = []
    for who, pid in pids.items():
        waits, losses, cpu = (after - early for after, early in zip(look(pid), before[who]))
        notes.append(f"In {IDLE} s with {COUNT} that run and nothing to do, {who} was woken {waits} times, lost the "
                     f"CPU {losses} times and took {1e3 * cpu:.3f} ms of CPU time.")
    return notes


def memory(host, when: str) -> str:
    def sizes(pid: int) -> str:
        text = Path(f"/proc/{pid}/status").read_text()
        size, anonymous = (re.search(rf"^{key}:\s+(\d+) kB$", text, re.M)[1] for key in ("VmRSS", "RssAnon"))
        return f"{size} KB, {anonymous} of them anonymous"
    return (f"Resident memory with {when}: PID 1 {sizes(host.host_pid)}; the supervisor "
            f"{sizes(host.supervisor_pid())}.")


def measure(folder: Path, out: Path, rounds: int) -> list[dict]:
    units = {f"u{i:04}": control.SERVICE + "[Install]\nEnabled=no\n" for i in range(COUNT)}
    with programs.device(folder / "device", units, [folder / "stamp"]) as host:
        loaded = memory(host, f"{COUNT} units that do not run")
        first, whole = husk_starts(host)
        took = figures.take_turns(control.lists(host), min(rounds, 50))
        notes = idle(host) + [loaded, memory(host, "all of them running")]
        begun = time.monotonic()
        programs.husk(host, "stop", *units)
        seconds = time.monotonic() - begun
    notes.append(f"'husk stop' of all of them at once: {seconds:.2f} s.")
    with contextlib.ExitStack() as stack:
        own = start.InProcess(stack, out, folder)
        bare = [own.start("bare-keep") for _ in range(COUNT)]
    table = lambda title, values, notes=None: figures.table(title, "ms", growth(values), "the first twenty",
                                                            notes=notes)
    return [table(f"'husk start' of {COUNT}, one after the other, to the first instruction", first),
            table(f"'husk start' of {COUNT}, to the client's end", whole, notes),
            table(f"The bare program's {COUNT}, in its process", bare),
            figures.table(f"A list of {COUNT} units that run", "ms", took, None)]
