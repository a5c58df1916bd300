"""What is promised (limits.toml), what is measured, and the table of SPECIFICATION.md."""

import re
import sys
import tempfile
import textwrap
import tomllib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
REPO = FOLDER.parents[1]
sys.path[:0] = [str(REPO / "bench"), str(REPO / "images")]

import boot_guest  # noqa: E402
import device_guest  # noqa: E402
import guest  # noqa: E402
import smallest  # noqa: E402
from huskvm import build  # noqa: E402

LIMITS = FOLDER / "limits.toml"
DOCUMENT = REPO / "SPECIFICATION.md"
MARK, END = "<!-- tests/promises/measure: table -->\n", "<!-- end -->"
MARGIN = 1.03
PROGRAMS = 10
IDLE = 10  # seconds


def load() -> dict[str, dict]:
    return tomllib.loads(LIMITS.read_text())


# --- measures: each gives the names of limits.toml that are its own ---------------------------------------------------


def size() -> dict[str, int]:
    kind, data = smallest.best()
    assert kind == "xz", f"the best is {kind} now: say so in {LIMITS.name}"
    smallest.boots(data)
    return {"binary": build.husk().stat().st_size, "initramfs": len(data)}


def containers() -> dict[str, int]:
    """One guest of ten containers, from its boot to a restart."""
    with tempfile.TemporaryDirectory(prefix="husk-promises-") as folder:
        given = boot_guest.husk(Path(folder), boot_guest.CONTAINER, PROGRAMS)
        with guest.counted(Path(folder), count=PROGRAMS, agent=True, **given) as running:
            marks = running.wait(guest.PROGRAM, PROGRAMS, 250)
            programs = [mark for mark in marks if mark.kind == guest.PROGRAM]
            whole, further = guest.between(marks[0], programs[-1]), guest.between(programs[0], programs[-1])
            running.machine.wait_agent()
            device = device_guest.Device(running.machine, running)
            resident = {who: device.memory(pid)["Rss"] for who, pid in device.pids.items()}
            helpers = [words for pid, words in device.processes() if pid not in device.pids.values() and words != "/stamp"]
            wakeups = device.wakeups(IDLE)
            restart = device.restart("u000")
            memory_max = load()["memory-max"]["limit"]
            small = device.runs_with(f"{memory_max}K", boot_guest.SMALL)
    return {"boot-containers": whole.instructions, "boot-containers-programs": whole.user,
            "start-calls": further.calls // (PROGRAMS - 1), "restart-calls": restart.calls,
            "restart-instructions": restart.instructions, "init-memory": resident["PID 1"],
            "supervisor-memory": resident["supervisor"], "wakeups": wakeups, "helpers": len(helpers),
            "memory-max": memory_max if small else memory_max + 1}


def services() -> dict[str, int]:
    return {"boot-services": boot_guest.span("plain services", "husk", PROGRAMS).instructions}


MEASURES = {"size": size, "containers": containers, "services": services}


# --- verdicts and text ------------------------------------------------------------------------------------------------


def broken(promised: dict[str, dict], measured: dict[str, int]) -> list[str]:
    """A sentence for each promise that does not hold: what was promised, what is, and what to do."""
    return [f"promised: {one['what']}: at most {one['limit']:,} {one['unit']}; measured: {measured[name]:,}. "
            f"`{one['show']}` shows it{HINTS.get(one['unit'], '')}. If the cost is worth it, raise [{name}] in "
            f"tests/promises/{LIMITS.name}, run `tests/promises/measure --table`, and say why in the commit"
            for name, one in promised.items() if name in measured and measured[name] > one["limit"]]


HINTS = {"instructions": ", and `bench/run --functions husk --programs 10` where they go",
         "bytes": ", and build/device/husk.map what is in it"}


def limit_of(reached: int) -> int:
    """With the margin, rounded up to three digits; what is nothing stays nothing."""
    step = 10 ** max(0, len(str(int(reached * MARGIN))) - 3)
    return -(-int(reached * MARGIN) // step) * step


def with_numbers(text: str, measured: dict[str, int]) -> str:
    """The text of limits.toml with what was measured. A limit is only ever lowered by this: who raises one means it."""
    promised = tomllib.loads(text)
    for name, reached in measured.items():
        limit = min(promised[name]["limit"], limit_of(reached))
        text = re.sub(rf"(^\[{name}\]\n(?:(?!\[).*\n)*?)limit = .*\nreached = .*$",
                      rf"\g<1>limit = {limit}\nreached = {reached}", text, flags=re.M)
    return text


def table(promised: dict[str, dict]) -> str:
    lines = ["| promise | at most | reached | goal | shown by |", "|---|---|---|---|---|"]
    for one in promised.values():
        goal = f"{one['goal']:,}" if "goal" in one else ""
        lines.append(f"| {one['what']} | {one['limit']:,} {one['unit']} | {one['reached']:,} | {goal} | `{one['show']}` |")
    return "\n".join(lines) + "\n"


def document(text: str, promised: dict[str, dict]) -> str:
    before, mark, rest = text.partition(MARK)
    assert mark, f"{DOCUMENT.name} has lost its mark {MARK}"
    return before + mark + table(promised) + END + rest.partition(END)[2]


def wrapped(sentences: list[str]) -> str:
    return "\n".join(textwrap.fill(one, 118, subsequent_indent="    ") for one in sentences)
