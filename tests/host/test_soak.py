"""What goes on for long: the supervisor killed again and again, units restarted again and again, and orphans by the
thousand. Nothing is lost by it, nothing is left over, and nothing grows.

The short forms are CI's; tests/run --long has the ones in brackets, and each number can be given alone: KILLS=50
(2,000), RESTARTS=500 (100,000), ORPHANS=2000 (100,000).
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time

import pytest

import pid1_namespace as ns
from test_containers import BUSYBOX, Device, unit

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces and mounts"),
    pytest.mark.skipif(not ns.binary().exists(), reason=f"{ns.binary()} is not built"),
    pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs Debian's busybox-static"),
]

WORKLOAD = ns.REPO / "build/device/probes/workload"
SEED = int(os.environ.get("HUSK_SEED", "7"))


def amount(name: str, short: int, long: int) -> int:
    return int(os.environ.get(name, long if "HUSK_LONG" in os.environ else short))


def workload(command: str, service: str = "", container: str = "") -> str:
    return (f"[Container]\nVolume=/run/test/workload:/workload:ro\n{container}Exec=/workload {command}\n"
            f"[Service]\n{service}")


class Soaked(Device):
    def __init__(self, directory, units):
        super().__init__(directory, units)
        self.directory = directory
        (directory / "workload").write_bytes(WORKLOAD.read_bytes())
        (directory / "workload").chmod(0o755)

    def status(self) -> dict[str, dict]:
        done = self.husk("status", "--json")
        assert done.stdout, done
        return {one["name"]: one for one in json.loads(done.stdout)["units"]}

    def supervisor_is_there(self) -> int:
        """Its pid, once it answers."""
        until = time.monotonic() + ns.LIMIT
        while self.husk("version").returncode != 0 or (pid := self.supervisor_pid()) == 0:
            assert time.monotonic() < until, self.console.decode(errors="replace")[-3000:]
        return pid


# --- a crash storm -------------------------------------------------------------------------------


DEVICES = 5  # at a time, since PID 1 pauses up to a second between the starts of a supervisor that dies young


def crash_again_and_again(there, kills: int, draw: random.Random) -> int:
    """How many restarts were asked for meanwhile."""
    asked = 0
    for _ in range(kills):
        pid = there.supervisor_is_there()
        # Clients that wait for an answer and may not get it.
        words = draw.choice(("restart asked", "status", "why ends", "logs -n 5 numbers"))
        client = subprocess.Popen([ns.binary(), *words.split()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  env=os.environ | {"HUSK_RUN": f"/proc/{there.host_pid}/root/run/husk"})
        asked += words == "restart asked"
        time.sleep(draw.random() * 0.03)  # any moment of what it does
        os.kill(pid, draw.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGSEGV)))
        client.wait(ns.LIMIT)
    there.supervisor_is_there()
    return asked


def storm(directory: pathlib.Path, kills: int, seed: int) -> dict:
    """On one device; what came of it."""
    again = "RestartSec=10ms\nRestartSteps=0\nRestart=always\n"
    units = {
        "numbers": workload("numbers 20000"),
        "more": workload("numbers 50000", container="User=1000\n"),
        "sleeper": workload("sleep"),
        "ends": workload("exit 7 150", again),  # by itself, each time with the same status
        "asked": workload("sleep", again),
    }
    directory.mkdir()
    with Soaked(directory, units) as there:
        before = there.status()
        asked = crash_again_and_again(there, kills, random.Random(seed))
        after = there.status()
        for name in "numbers", "more", "sleeper":
            for key in "main_pid", "state", "restarts", "since_monotonic":
                assert after[name][key] == before[name][key], (name, key)
        lines = 0
        for name in "numbers", "more":
            numbers = [int(line.split()[1]) for line in there.log(name)[:-1]]
            assert numbers == list(range(1, len(numbers) + 1)), name
            lines += len(numbers)
        return {"asked": asked, "restarts": after["ends"]["restarts"], "lines": lines,
                "console": there.console.decode(errors="replace")}


def test_a_storm_of_crashes_touches_no_container_and_loses_nothing(tmp_path):
    kills = amount("KILLS", 50, 2000)
    with concurrent.futures.ThreadPoolExecutor(DEVICES) as pool:
        found = list(pool.map(lambda number: storm(tmp_path / str(number), kills // DEVICES, SEED + number),
                              range(DEVICES)))
    told = [line for one in found for line in re.findall(r"unit 'ends': (?:restarting|restarted).*", one["console"])]
    odd = [line for line in told if "exited with code 7" not in line]
    lines, asked, restarts = (sum(one[key] for one in found) for key in ("lines", "asked", "restarts"))
    print(f"{kills} crashes of the supervisor on {DEVICES} devices: no container touched, {lines} lines whole, {asked} "
          f"restarts asked for meanwhile, {restarts} by themselves; {len(told)} ends told, {len(odd)} of them wrong")
    assert not odd, odd
    assert all(one["restarts"] > 0 for one in found)


# --- a soak --------------------------------------------------------------------------------------

UNITS = 50


def count_namespaces(there) -> collections.Counter:
    """Of the device's processes, and of descriptors that PID 1 or the supervisor have."""
    found = set()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        if not there._has(int(process.name)):
            continue
        try:
            found.update((process / "ns" / kind.name).readlink().name for kind in (process / "ns").iterdir())
        except OSError:
            continue  # gone
    return collections.Counter(name.partition(":")[0] for name in found)


def descriptors(pid: int) -> collections.Counter:
    """By what they are."""
    links = (os.readlink(link) for link in pathlib.Path(f"/proc/{pid}/fd").iterdir())
    return collections.Counter(re.sub(r"\[\d+\]|\d+", "", link) for link in links)


def memory(pid: int) -> int:
    """Anonymous pages, in KiB."""
    rolled = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Anonymous:\s+(\d+) kB", rolled, re.M)[1])


def count_keys() -> int:
    """Of the machine; 0 where the kernel does not tell."""
    path = pathlib.Path("/proc/keys")
    return len(path.read_text().splitlines()) if path.exists() else 0


def take_stock(there) -> dict:
    supervisor = there.supervisor_is_there()
    run = there.inside("/run")
    cgroups = [path.relative_to(there.cgroup) for path in pathlib.Path(there.cgroup).rglob("*") if path.is_dir()]
    return {
        "descriptors of PID 1": descriptors(there.host_pid),
        "descriptors of the supervisor": descriptors(supervisor),
        "cgroups": sorted(map(str, cgroups)),
        "mounts of PID 1": len(pathlib.Path(f"/proc/{there.host_pid}/mountinfo").read_text().splitlines()),
        "mounts of the supervisor": len(pathlib.Path(f"/proc/{supervisor}/mountinfo").read_text().splitlines()),
        "namespaces": count_namespaces(there),
        "loop devices": sorted(path.parent.name for path in pathlib.Path("/sys/block").glob("loop*/loop")),
        "files under /run": sorted(str(path.relative_to(run)) for path in run.rglob("*")
                                   if not path.is_relative_to(run / "test")),
    }


def restarts_of(there) -> int:
    return sum(one["restarts"] for one in there.status().values())


def stop_all(there) -> None:
    """Units that are down have no process that comes and goes while it is counted."""
    assert there.husk("stop", "u*").returncode == 0


def test_a_soak_of_restarts_leaves_nothing_and_grows_nothing(tmp_path):
    restarts = amount("RESTARTS", 500, 100_000)
    # By themselves at once, with what a start can leave behind.
    extras = ["", "User=1000\nTmpfs=/scratch\n", "Volume=things.volume:/data\n", "RunInit=yes\n"]
    services = ["", "RuntimeDirectory=OWN\n", "SetCredential=key:secret\n", "LogRateLimitBurst=100\n"]
    units = {f"u{number}": workload("exit 3 1", f"Restart=always\nRestartSec=0\nRestartSteps=0\n"
                                   + services[number % 4].replace("OWN", f"of{number}"), extras[number // 4 % 4])
             for number in range(UNITS)}
    units["heart"] = workload("numbers 10000")
    with Soaked(tmp_path, units) as there:
        (tmp_path / "units/things.volume").write_text("[Volume]\n")
        heart = there.unit("heart")["main_pid"]

        def run(wanted: int) -> int:
            """Until that many restarts; how many there were."""
            started = there.husk("start", "--no-wait", *(f"u{number}" for number in range(UNITS)))
            assert started.returncode == 0, started
            until = time.monotonic() + max(60, wanted / 5)
            while (done := restarts_of(there)) < wanted:
                assert time.monotonic() < until, there.console.decode(errors="replace")[-3000:]
                time.sleep(0.1)
            stop_all(there)
            return done

        # The first half makes what is kept: plans, folders, histories, the heap at its size.
        total = run(restarts // 2)
        before, keys = take_stock(there), count_keys()
        pages = {"PID 1": memory(there.host_pid), "the supervisor": memory(there.supervisor_pid())}
        total += run(restarts - restarts // 2)
        assert take_stock(there) == before
        grown = {"PID 1": memory(there.host_pid), "the supervisor": memory(there.supervisor_pid())}
        print(f"{total} restarts of {UNITS} units; anonymous KiB before and after: "
              f"{', '.join(f'{name} {pages[name]} {grown[name]}' for name in pages)}; "
              f"keys of the machine {keys} {count_keys()}; the same before and after:",
              {name: found if isinstance(found, int) else len(found) if isinstance(found, list) else sum(found.values())
               for name, found in before.items()})
        assert there.unit("heart")["main_pid"] == heart
        assert grown["PID 1"] == pages["PID 1"]
        # What a heap's pieces happen to lie in; a leak of 8 bytes a restart is more in the long form.
        assert grown["the supervisor"] <= pages["the supervisor"] + 384


# --- orphans -------------------------------------------------------------------------------------


def zombies_of(there) -> int:
    count = 0
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, *_ = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # gone
        count += (state, parent) == ("Z", str(there.host_pid))
    return count


def test_orphans_are_reaped_while_units_go_on(tmp_path):
    orphans = amount("ORPHANS", 2000, 100_000)
    with Soaked(tmp_path, {"heart": workload("numbers 10000"), "other": workload("sleep")}) as there:
        # What PID 1 remembers of the last 1,024 has its pages from then on.
        leave = ["nsenter", "-t", str(there.host_pid), "-p", tmp_path / "workload", "orphans"]
        assert subprocess.run([*leave, "1100"]).returncode == 0
        before = memory(there.host_pid), there.status()["heart"]["main_pid"], there.supervisor_pid()
        program = subprocess.Popen([*leave, str(orphans)])
        beats, restarts, most = [len(there.log("heart"))], 0, 0
        while program.poll() is None:
            assert there.husk("restart", "other").returncode == 0
            restarts += 1
            most = max(most, zombies_of(there))
            beats.append(len(there.log("heart")))
        assert program.returncode == 0
        until = time.monotonic() + ns.LIMIT
        while (left := zombies_of(there)) != 0:
            assert time.monotonic() < until, f"{left} zombies are left"
        after = memory(there.host_pid), there.status()["heart"]["main_pid"], there.supervisor_pid()
    print(f"{orphans} orphans, at most {most} of them waiting to be reaped; meanwhile {beats[-1] - beats[0]} beats of "
          f"a unit and {restarts} restarts of another; {after[0]} KiB of PID 1 as before")
    assert after == before
    # It beats 100 times a second, and each round of the above is longer than that.
    assert all(later > earlier for earlier, later in zip(beats, beats[1:])), beats
