"""Logs: how fast they take lines in, and what a line costs whoever takes it."""

import contextlib
import os
import subprocess
import time
from pathlib import Path

import figures
import programs

LINES = 200_000  # a turn
MANY = 50
UNIT = ("[Container]\nVolume=/run/test/lines:/lines:ro\nNetwork=none\nExec=/lines {}\n[Service]\nType=oneshot\n"
        "[Install]\nEnabled=no\n")
SIZE = 8 << 20  # of a log, as the tests' device keeps 8 MB of each unit in memory
JOURNALD = "/lib/systemd/systemd-journald"
JOURNAL_CONF = """[Journal]
Storage=volatile
RuntimeMaxUse=1G
RateLimitIntervalSec=0
ReadKMsg=no
ForwardToSyslog=no
ForwardToWall=no
"""


def names(count: int) -> list[str]:
    return [f"w{count:02}x{i:02}" for i in range(count)]


def told(lines: list[str]) -> tuple[int, int]:
    """What bench/lines.c says at the end of a log: when it began and ended, in nanoseconds."""
    for line in reversed(lines):
        words = line.split()
        if len(words) >= 3 and words[-3] == "took":
            return int(words[-2]), int(words[-1])
    raise programs.Failed(f"no end of the log: {lines[-1:]}")


def result(ends: list[tuple[int, int]], cpu: float, count: int) -> tuple[float, float]:
    """Thousands of lines a second, and microseconds of CPU time a line."""
    lines = LINES // count * count
    seconds = (max(end for _, end in ends) - min(begin for begin, _ in ends)) / 1e9
    return lines / seconds / 1e3, 1e6 * cpu / lines


def end_of(host, name: str, begun: int) -> tuple[int, int] | None:
    """Nothing while it has not ended."""
    words = programs.husk(host, "logs", "-o", "cat", "-n", "1", name).split()
    return (int(words[1]), int(words[2])) if words[:1] == ["took"] and int(words[1]) > begun else None


def by_husk(host, count: int) -> tuple[float, float]:
    pid = host.supervisor_pid()
    before, begun = programs.cpu_seconds(pid), time.monotonic_ns()
    programs.husk(host, "start", *names(count))  # which waits for their ends, and those for the last of their lines
    cpu = programs.cpu_seconds(pid) - before
    until = time.monotonic() + programs.LIMIT
    while (logs := [end_of(host, name, begun) for name in names(count)]) and not all(logs):
        if time.monotonic() > until:
            raise programs.Failed("husk's logs do not end")
    return result(logs, cpu, count)


def by_logger(words: list[str], folder: Path, program: Path, count: int) -> tuple[float, float]:
    """A logger for each, which ends with what it reads from: its whole life's CPU time."""
    pipes, loggers, writers = [os.pipe() for _ in range(count)], [], []
    for i, (read_end, _) in enumerate(pipes):
        place = folder / str(i)
        place.mkdir(parents=True, exist_ok=True)
        (place / "config").write_text(f"s{SIZE}\nn2\n")
        loggers.append(subprocess.Popen([*words, str(place)], stdin=read_end, close_fds=True))
    for read_end, write_end in pipes:
        os.close(read_end)
    time.sleep(0.2)  # all of them have begun to read
    for _, write_end in pipes:
        writers.append(subprocess.Popen([program, str(LINES // count)], stdout=write_end))
        os.close(write_end)
    for writer in writers:
        writer.wait()
    cpu = 0.0
    for logger in loggers:
        _, status, usage = os.wait4(logger.pid, 0)
        logger.returncode = os.waitstatus_to_exitcode(status)
        cpu += usage.ru_utime + usage.ru_stime
    ends = [told((folder / str(i) / "current").read_text().splitlines()) for i in range(count)]
    return result(ends, cpu, count)


@contextlib.contextmanager
def journald():
    """As a plain process, since the room has a /run of its own."""
    for place in "/run/systemd/journal", "/run/systemd/journald.conf.d", "/run/log/journal":
        Path(place).mkdir(parents=True)
    Path("/run/systemd/journald.conf.d/bench.conf").write_text(JOURNAL_CONF)
    process = subprocess.Popen([JOURNALD], stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + programs.LIMIT
        while not Path("/run/systemd/journal/stdout").exists() and time.monotonic() < until:
            time.sleep(0.01)  # nothing tells when it listens
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def by_journald(pid: int, program: Path, count: int) -> tuple[float, float]:
    before, since, begun = programs.cpu_seconds(pid), time.time(), time.monotonic_ns()
    writers = [subprocess.Popen(["systemd-cat", "--level-prefix=false", program, str(LINES // count)])
               for _ in range(count)]
    for writer in writers:
        writer.wait()
    until, ends = time.monotonic() + programs.LIMIT, []
    while len(ends) < count and time.monotonic() < until:
        said = subprocess.run(["journalctl", "--directory=/run/log/journal", "-o", "cat", f"--since=@{since:.3f}"],
                              stdout=subprocess.PIPE, text=True).stdout.splitlines()
        words = [line.split() for line in said if line.startswith("took ")]
        ends = [(int(one[1]), int(one[2])) for one in words if int(one[1]) > begun]
    if len(ends) < count:
        raise programs.Failed("journald's log does not end")
    return result(ends, programs.cpu_seconds(pid) - before, count)


def measure(folder: Path, out: Path, rounds: int) -> list[dict]:
    rounds = min(rounds, 10)  # of 200,000 lines each
    lines = folder / "lines"
    units = {name: UNIT.format(LINES // count) for count in (1, MANY) for name in names(count)}
    loggers = {"svlogd": ["svlogd", "-tt"], "s6-log": ["s6-log", "-b", "t", f"s{SIZE}", "n2"]}
    absent, tables = {}, []
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(programs.device(folder / "device", units, [lines]))
        journal = stack.enter_context(journald()) if Path(JOURNALD).exists() else None
        if journal is None:
            absent["systemd-journald"] = "it is not installed"
        for count in (1, MANY):
            figures_of = {"husk": lambda: by_husk(host, count)}
            for name, words in loggers.items():
                if why := programs.missing(words[0]):
                    absent[name] = why
                    continue
                figures_of[name] = lambda name=name, words=words: by_logger(words, folder / name, lines, count)
            if journal is not None:
                figures_of["systemd-journald"] = lambda: by_journald(journal, lines, count)
            took = figures.take_turns(figures_of, rounds, warm_up=1)
            for what, index, unit in ("Lines from", 0, "thousand a second"), ("CPU time of a line from", 1, "µs"):
                tables.append(figures.table(f"{what} {count} program{'s' if count > 1 else ''}", unit,
                                            {name: [one[index] for one in values] for name, values in took.items()},
                                            "svlogd" if "svlogd" in took else None, absent if index == 0 else None))
    tables[-1]["notes"] = [
        f"{LINES} lines of 80 characters a turn, each a write(2) of its own, into logs of 8 MB in memory (journald: "
        "1 GB). svlogd and s6-log put the time before each line; husk notes it for each piece that it takes in. The CPU "
        "time is that of the supervisor with all of the start of these containers, or that of the loggers, not that of "
        "who writes."]
    return tables
