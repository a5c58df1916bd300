"""docs/PERFORMANCE.md: what is between two marks is written here, the rest by people."""

import contextlib
import copy
import io
import os
import platform
import re
import textwrap
import time
from pathlib import Path

import figures
import room

MARK = "<!-- bench/run: {} -->"
END = "<!-- end -->"


def machine(command: str) -> str:
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    processor = model[1] if model else platform.machine()
    return (f"`{command}`, {time.strftime('%-d %B %Y')};\n{os.cpu_count()} CPUs, {processor}, "
            f"Linux {platform.release()}, load average {os.getloadavg()[2]:.1f}.")


def block(kind: str, value, show) -> str:
    if isinstance(value, list):
        return "\n".join(figures.markdown(table) for table in value)
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        show({kind: copy.deepcopy(value)})
    return f"```\n{text.getvalue()}```\n"


def replace(text: str, kind: str, content: str) -> str:
    """The text with a new block; at its end where it has none yet."""
    mark = MARK.format(kind)
    before, found, rest = text.partition(mark + "\n")
    if not found:
        return f"{text.rstrip()}\n\n## {kind}\n{mark}\n{content}{END}\n"
    return before + found + content + END + rest.partition(END)[2]


def write(path: Path, result: dict, command: str, show) -> None:
    text = path.read_text() if path.exists() else "# Performance\n"
    peers = ", ".join(f"{name} {version}" for name, version in room.versions().items())
    for kind, value in result.items():
        content = f"{machine(command)}\n\n{block(kind, value, show)}"
        text = replace(text, kind, content)
    path.write_text(replace(text, "peers", textwrap.fill(f"Debian's packages: {peers}.", 118) + "\n"))
