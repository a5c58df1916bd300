"""Where the instructions of a boot go: a line for each function, of the kernel and of husk."""

import bisect
import collections
import re
import subprocess
from pathlib import Path

import guest
from huskvm import HarnessError, boot, build
from huskvm.paths import build_dir

# In a guest whose addresses are not random: the kernel's symbols, and where husk lies in each of its processes.
LOOK = "cat /proc/kallsyms; grep -m1 /husk /proc/1/maps"


def symbols(folder: Path) -> list[tuple[int, str]]:
    (folder / "no-units").mkdir(exist_ok=True)
    with boot(units=folder / "no-units", state=False, kernel=guest.KERNEL, append=guest.APPEND) as machine:
        text = machine.run(LOOK).text
    mapped = re.search(r"^([0-9a-f]+)-.* /\S*husk$", text, re.M)
    if not mapped:
        raise HarnessError(f"husk is nowhere in the memory of PID 1: {text[-300:]}")
    found = [(int(at, 16), name) for at, name in re.findall(r"^(\w+) [tTwW] (\S+)", text, re.M)]
    names = subprocess.run(["nm", "--demangle", build.device() / "husk.debug"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    base = int(mapped[1], 16)
    found += [(base + int(at, 16), f"husk: {name}") for at, name in re.findall(r"^(\w+) [tTwW] (.*)$", names, re.M)]
    return sorted(found)


def of(profile: Path, known: list[tuple[int, str]]) -> collections.Counter:
    """Millions of instructions by name. A program that is not husk may lie where husk does: its functions get names of
    husk's, and are few."""
    addresses = [at for at, _ in known]
    counted = collections.Counter()
    for line in profile.read_text().splitlines():
        at, instructions = line.split()
        found = bisect.bisect(addresses, int(at, 16)) - 1
        counted[known[found][1] if found >= 0 else "elsewhere"] += int(instructions) / 1e6
    return counted
