"""The control socket: what a list of a thousand units takes, and what it takes from a start that goes on meanwhile."""

import contextlib
import subprocess
import threading
import time
from pathlib import Path

import figures
import programs
import start

UNITS = 1000
SERVICE = "[Container]\nVolume=/run/test/stamp:/stamp:ro\nNetwork=none\nExec=/stamp\n"
LISTS = [("status",), ("status", "--json")]


def listing(host, *words: str) -> float:
    """Milliseconds until the client has ended, its text read meanwhile as by whoever it is shown to."""
    pipe = programs.Pipe()
    reader = threading.Thread(target=pipe.read_all)
    reader.start()
    try:
        return programs.client(host, *words, out=pipe.write_end)[1]
    finally:
        pipe.end()
        reader.join()


def lists(host) -> dict:
    return {" ".join(["husk", *words]): lambda words=words: listing(host, *words) for words in LISTS}


def cost_of(host, words: tuple) -> float:
    """CPU milliseconds of the supervisor for one list."""
    pid, count = host.supervisor_pid(), 10
    before = programs.cpu_seconds(pid)
    for _ in range(count):
        listing(host, *words)
    return 1e3 * (programs.cpu_seconds(pid) - before) / count


@contextlib.contextmanager
def asking(host):
    """A client that asks for the list again and again. Of ordinary priority: what it takes itself of the processors, with a
    megabyte of text to make, says nothing of the supervisor."""
    asks = subprocess.Popen(["chrt", "--other", "0", "sh", "-c", 'while :; do "$0" status --json >/dev/null; done',
                             programs.husk_binary()], env=programs.environment_of(host))
    try:
        yield
    finally:
        asks.terminate()
        asks.wait()


def start_while_asked(host) -> float:
    with asking(host):
        time.sleep(0.02)  # in the middle of it, not with the first
        return start.by_client(host)


def measure(folder: Path, out: Path, rounds: int) -> list[dict]:
    units = {f"u{i:04}": SERVICE + "[Install]\nEnabled=no\n" for i in range(UNITS)} | {"stamp": start.UNIT}
    with programs.device(folder / "device", units, [folder / "stamp"]) as host:
        took = figures.take_turns(lists(host), rounds)
        costs = ", ".join(f"{cost_of(host, words):.1f} ms for 'husk {' '.join(words)}'" for words in LISTS)
        starts = figures.take_turns({"alone": lambda: start.by_client(host),
                                     "while lists are asked for": lambda: start_while_asked(host)}, rounds)
    return [figures.table(f"A list of {UNITS} units that do not run", "ms", took, None, notes=[
                f"From the start of the client's process to its end. Of the supervisor's CPU time: {costs}."]),
            figures.table(f"'husk start' among {UNITS} units", "ms", starts, "alone", notes=[
                "To the program's first instruction; meanwhile one client of ordinary priority asks for "
                "'husk status --json' without a pause."])]
