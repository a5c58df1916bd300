"""A boot in a guest: from PID 1's first instruction to that of the last program, in instructions and idle time."""

import statistics
import tempfile
from pathlib import Path

import figures
import functions
import guest
from huskvm import HarnessError
from huskvm.paths import build_dir

SIZES = (10, 100)
CONTAINER = """[Container]
Exec=/stamp
Volume=/bench/stamp:/stamp:ro
[Service]
MemoryMax=32M
TasksMax=64
"""
# To be started on demand, with a MemoryMax= behind it.
SMALL = """[Container]
Exec=/stamp
Volume=/bench/stamp:/stamp:ro
[Install]
Enabled=no
[Service]
"""
# As near to a plain process as a unit's keys come: every namespace and the root are the device's.
SERVICE = """[Container]
Exec=/bench/stamp
Network=host
UserNS=host
PrivatePIDs=no
PrivateIPC=no
PrivateMounts=no
ProtectHostname=no
"""


def files() -> list:
    return [(build_dir() / "bench" / name, f"/bench/{name}") for name in ("stamp", "bare", "deed")]


def husk(folder: Path, unit: str, count: int) -> dict:
    """What guest.counted() takes."""
    units = folder / "units"
    units.mkdir()
    for number in range(count):
        (units / f"u{number:03}.container").write_text(unit)
    conf = folder / "system.conf"
    conf.write_text("[System]\nHostname=bench\n")
    return {"init": "/usr/bin/husk", "units": units, "append": "husk.console=none",
            "files": [*files(), (conf, "/etc/husk/system.conf")]}


def bare(folder: Path, kind: str) -> dict:
    (folder / "units").mkdir()
    return {"init": "/bench/bare", "units": folder / "units", "kind": kind,
            "files": [*files(), (build_dir() / "bench/filter", "/bench/filter")]}


CONTENDERS = {
    "containers": {"bare": lambda folder, count: bare(folder, ""),
                   "husk": lambda folder, count: husk(folder, CONTAINER, count),
                   "husk, loading what a power button needs":
                       lambda folder, count: husk(folder, CONTAINER, count) | {"kernel": guest.KERNEL}},
    "plain services": {"bare": lambda folder, count: bare(folder, "plain"),
                       "husk": lambda folder, count: husk(folder, SERVICE, count)}}


def span(kind: str, who: str, count: int, profile: Path | None = None) -> guest.Span:
    """One boot."""
    with tempfile.TemporaryDirectory(prefix="husk-bench-") as folder:
        given = CONTENDERS[kind][who](Path(folder), count)
        with guest.counted(Path(folder), count=count, profile=profile, **given) as running:
            marks = running.wait(guest.PROGRAM, count, 300)
    programs = [mark for mark in marks if mark.kind == guest.PROGRAM]
    return guest.between(marks[0], programs[count - 1])


def measure(runs: int, sizes: list[int] | None) -> list[dict]:
    return [table(kind, count, runs) for kind in CONTENDERS for count in sizes or SIZES]


def table(kind: str, count: int, runs: int) -> dict:
    took = {who: [] for who in CONTENDERS[kind]}
    for _ in range(runs):
        for who, spans in took.items():
            spans.append(span(kind, who, count))
    median = lambda spans, of: statistics.median(of(one) for one in spans)
    instructions = {who: median(spans, lambda one: one.instructions) for who, spans in took.items()}
    rows = {who: [f"{instructions[who] / 1e6:.2f}", f"{instructions[who] / instructions['bare']:.2f}",
                  f"{median(spans, lambda one: one.user) / 1e6:.3f}", f"{median(spans, lambda one: one.idle) / 1e6:.1f}"]
            for who, spans in took.items()}
    widest = max((max(counts) - min(counts)) / statistics.median(counts)
                 for counts in ([one.instructions for one in spans] for spans in took.values()))
    return figures.texts(f"Boot of {count} {kind}", ["million instructions", "times bare", "of them in programs",
                         "idle, ms of the guest's time"], rows, runs,
                         notes=["One run says nothing of the spread." if runs == 1 else
                                f"The instructions of one contender's runs differ by at most {100 * widest:.2f} %."])


def show_functions(who: str, kind: str, count: int) -> None:
    """Where the instructions of one boot go."""
    if who not in CONTENDERS[kind]:
        raise HarnessError(f"there is no '{who}' among {kind}: {', '.join(CONTENDERS[kind])}")
    with tempfile.TemporaryDirectory(prefix="husk-bench-") as folder:
        to = Path(folder) / "profile"
        counted = span(kind, who, count, to)
        by_function = functions.of(to, functions.symbols(Path(folder)))
    print(f"{who}, {count} {kind}: {counted.instructions / 1e6:.3f} million, {counted.user / 1e6:.3f} of them in programs")
    for name, millions in by_function.most_common():
        if millions >= 0.001:
            print(f"{millions:9.3f} {name}")
