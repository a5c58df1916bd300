"""Debian packages, fetched by toolchain/aptroot's own apt root and unpacked, never installed."""

import os
import subprocess
from pathlib import Path

from .paths import REPO, HarnessError


def _aptroot(*args: str) -> str:
    tool = os.environ.get("HUSK_APTROOT") or str(REPO / "toolchain/aptroot")
    try:
        done = subprocess.run([tool, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    except OSError as error:
        raise HarnessError(f"cannot run '{tool}': {error.strerror}; is the checkout complete?") from error
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise HarnessError(f"'{tool} {' '.join(args)}' failed with status {done.returncode}:\n{tail}")
    return done.stdout


def fetch(folder: Path, names: list[str], suites: str = "", closure: bool = False, match: str = "") -> list[Path]:
    """Downloads packages into a folder, with all that they depend on if `closure` (of those only the names that
    `match` if given); gives the .deb files."""
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--suite", suites] if suites else []
    options += ["--deps"] if closure else []
    options += ["--match", match] if match else []
    found = [Path(line) for line in _aptroot("debs", str(folder), *options, *names).splitlines() if line]
    if not found:
        raise HarnessError(f"no package arrived for {' '.join(names)}; try 'toolchain/aptroot update' and again")
    return found


def name_of(deb: Path) -> str:
    return deb.name.partition("_")[0]


def field(deb: Path, name: str) -> str:
    return subprocess.run(["dpkg-deb", "-f", str(deb), name], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def unpack(debs: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for deb in debs:
        done = subprocess.run(["dpkg-deb", "-x", str(deb), str(folder)], stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise HarnessError(f"cannot unpack '{deb}': {done.stderr.strip()}; remove it and try again")
