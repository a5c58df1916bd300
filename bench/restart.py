"""Restart: from the death of a program, by SIGKILL, to the first instruction of the next."""

import contextlib
import itertools
import os
import signal
import subprocess
import time
from pathlib import Path

import figures
import programs

RAN = 1.5  # seconds before each death: runsv and s6-supervise start nothing twice within one second
# What has run for less than 10 s gets husk's pause of 10 ms for what dies again and again. So many units take turns.
LONG = 8
HUSK_UNIT = ("[Container]\nVolume=/run/test/stamp:/stamp:ro\nNetwork={}\nExec=/stamp\n"
             "[Service]\nRestart=always\nRestartSec=0\nRestartSteps=0\n")
MISSING = {"dinit": "Debian 12 has no package of it",
           "finit": "it is a supervisor as PID 1 only, and what it does before it supervises is a boot"}


class Supervised:
    """Something that starts the stamp program again, below one process."""

    def __init__(self, stack: contextlib.ExitStack, words: list, folder: Path):
        self._pipe = stack.enter_context(contextlib.closing(programs.Pipe()))
        self._process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, cwd=folder,
                                         stdout=self._pipe.write_end)
        stack.callback(self._end)
        self._pipe.line()

    def restart(self) -> float:
        pid = programs.find(self._process.pid, "stamp")
        begun = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        while (stamp := int(self._pipe.line())) < begun:
            continue
        return (stamp - begun) / 1e6

    def _end(self) -> None:
        below = programs.descendants(self._process.pid)
        for pid in [self._process.pid, *below]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()


class Unit:
    def __init__(self, host, name: str):
        self._host, self._name = host, name
        host.wait_for(name, lambda unit: unit["state"] == "running")

    def restart(self) -> float:
        pid = self._host.host_pid_of(self._host.unit(self._name)["main_pid"])
        begun = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)  # whoever reads its log meanwhile would have the supervisor's time
        return programs.first_after(self._host, self._name, begun)


def in_turn(host, kind: str):
    units = itertools.cycle([Unit(host, f"{kind}{i}") for i in range(LONG)])
    return lambda: next(units).restart()


def service(folder: Path, *words) -> Path:
    """A service directory of runit's and of s6's: with nothing but the program, or with a script that becomes it."""
    folder.mkdir()
    if len(words) == 1:
        (folder / "run").symlink_to(words[0])
    else:
        (folder / "run").write_text("#!/bin/sh\nexec " + " ".join(map(str, words)) + "\n")
        (folder / "run").chmod(0o755)
    return folder


def peers(folder: Path, stamp: Path) -> tuple[dict[str, list], dict[str, str]]:
    plain = lambda name: service(folder / name, stamp)
    bundle = programs.bundle(folder / "bundle", stamp)
    crun = service(folder / "runsv-crun", "crun", "run", "-b", bundle, "peer")
    bwrap = service(folder / "runsv-bwrap", "bwrap", "--unshare-all", "--ro-bind", bundle / "root", "/", "--proc",
                    "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--cap-drop", "ALL", "/stamp")
    ready = plain("ready")  # which s6 tells the program as its argument
    (ready / "notification-fd").write_text("3\n")
    wanted = {"runsv, plain process": ["runsv", plain("runsv")],
              "s6-supervise, plain process": ["s6-supervise", "ready"], "runsv + crun": ["runsv", crun],
              "runsv + bwrap": ["runsv", bwrap]}
    absent = dict(MISSING)
    for name, words in list(wanted.items()):
        if why := programs.missing(words[0]) or (programs.missing(name.split()[-1]) if "+" in name else ""):
            absent[name] = why
            del wanted[name]
    return wanted, absent


def measure(folder: Path, out: Path, rounds: int) -> list[dict]:
    stamp = folder / "stamp"
    wanted, absent = peers(folder, stamp)
    subprocess.run([out / "start", "--device-tree", folder / "limit"], check=True)
    subprocess.run([out / "start", "--filter", folder / "filter"], check=True)
    limit = lambda kind: [out / "limit", kind, stamp, "/sys/fs/cgroup", folder / "limit", folder / "filter"]
    wanted = {"bare, network kept": limit("again-kept"), "bare, another network": limit("again"),
              "bare, plain process": [out / "limit", "plain", stamp]} | wanted
    with contextlib.ExitStack() as stack:
        kinds = {"kept": "lan.network", "another": "none"}
        units = {f"{kind}{i}": HUSK_UNIT.format(network) for kind, network in kinds.items() for i in range(LONG)}
        units["young"] = HUSK_UNIT.format("lan.network")
        host = stack.enter_context(programs.device(folder / "device", units, [stamp],
                                                   {"lan": "[Network]\nSubnet=10.77.1.0/24\n"}))
        all_of_them = {name: Supervised(stack, words, folder).restart for name, words in wanted.items()}
        all_of_them |= {f"husk, {text}": in_turn(host, kind) for kind, text in (
            ("kept", "network kept"), ("another", "another network"))}
        all_of_them["husk, network kept, ran for 1.5 s only"] = Unit(host, "young").restart
        time.sleep(10)
        took = figures.take_turns(all_of_them, rounds, between=lambda: time.sleep(RAN))
    return [figures.table("Restart", "ms", took, "bare, network kept", absent, [
        "Each had run for 1.5 s, and husk's for 10 s but where said: from the second death in a row on it waits at least "
        "10 ms. 'Kept': the network namespace outlives the program. A 'plain process' has no namespace, no filter and no "
        "cgroup, and the program itself is runit's and s6's `run`; before crun and bwrap there is a shell that becomes "
        "them."])]
