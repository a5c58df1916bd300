"""What the tests of the ring 'attack' share: programs of tests/attack in containers of a guest, and outside of any.

A module has UNITS, name -> text, and a guest in which they run; NETWORKS, the same of .network files; BOOT, a dictionary
of options of huskvm.boot or a function that makes one, where that is to be a special one."""

import importlib.util
import re
import sys
import time
from pathlib import Path

_spec = importlib.util.spec_from_file_location("boot_conftest", Path(__file__).parents[1] / "boot/conftest.py")
boot_conftest = importlib.util.module_from_spec(_spec)
sys.modules["boot_conftest"] = boot_conftest
_spec.loader.exec_module(boot_conftest)

import huskvm.build  # noqa: E402  boot_conftest knows where it is
from boot_conftest import TIMEOUT, Husk, write_units  # noqa: E402,F401

ATTACKS = "/usr/lib/husk-test/attack"  # in the guest
REFUSED = {"EPERM", "EACCES"}
# seccomp answers EPERM, or ENOSYS where a program is to fall back to something else
NO_SUCH_CALL = {"EPERM", "ENOSYS"}


def attack_files() -> list[tuple[Path, str]]:
    folder = huskvm.build.device() / "attack"
    return [(folder / source.stem, f"{ATTACKS}/{source.stem}") for source in sorted(Path(__file__).parent.glob("*.cc"))]


def unit(program: str, arguments: str = "", *, container: str = "", service: str = "", section: str = "",
         install: str = "", stays: bool = False) -> str:
    """A unit in the minimal root that makes an attack: a program of tests/attack. The boot waits for its end, unless
    it stays."""
    kind = "" if stays else "Type=oneshot\nRemainAfterExit=yes\n"
    return (f"[Unit]\n{section}\n[Container]\nVolume={ATTACKS}/{program}:/{program}:ro\n"
            f"Exec=/{program} {arguments}\n{container}\n[Service]\n{kind}Restart=no\n{service}\n[Install]\n{install}\n")


class Tried(dict):
    """What a program said: what it tried -> 'ok' or the error's name."""

    def __init__(self, text: str):
        super().__init__(line.split("\t", 1) for line in text.splitlines() if "\t" in line)
        self.text = text

    @property
    def complete(self) -> bool:
        return "end" in self


class Attacker:
    """Asks the guest's units what they could do."""

    def __init__(self, guest):
        self.guest, self.husk = guest, Husk(guest)
        self._known: dict[str, Tried] = {}

    def inside(self, name: str, timeout: float = 60) -> Tried:
        """What the unit's program said, when it has said all."""
        deadline = time.monotonic() + timeout
        while name not in self._known:
            # The state first: what has ended has said all.
            state = self.husk.unit(name)["state"]
            tried = Tried(self.husk.log(name))
            if tried.complete:
                self._known[name] = tried
                break
            assert state in ("waiting", "starting", "running", "stopping", "exited") and time.monotonic() < deadline, (
                f"the attack did not come to its end:\n{self.husk(f'why {name}')}\n{tried.text}")
            time.sleep(0.2)
        return self._known[name]

    def start(self, name: str) -> Tried:
        """Starts a unit that is not enabled, and waits for what it says."""
        self.guest.run(f"husk start {name}", 60)
        return self.inside(name)

    def outside(self, program: str, arguments: str = "", timeout: float = 60) -> Tried:
        """The same program as root of the device, in no container."""
        key = f"{program} {arguments}"
        if key not in self._known:
            done = self.guest.run(f"{ATTACKS}/{key} </dev/null", timeout)
            tried = Tried(done.text)
            assert tried.complete, f"{program} outside: status {done.status}, {done.text}{done.stderr.decode()}"
            self._known[key] = tried
        return self._known[key]


def refused(tried: Tried, *answers: str, but: tuple[str, ...] = ()) -> None:
    """All that was tried met one of these errors, but for what is named in `but`."""
    wrong = {what: answer for what, answer in tried.items()
             if what != "end" and what not in but and answer not in (answers or REFUSED)}
    assert not wrong, wrong
    assert len(tried) > 1 + len(but), "nothing was tried"


def succeeded(tried: Tried, *what: str) -> None:
    """These succeeded, or all."""
    wrong = {one: tried.get(one) for one in what or tried if tried.get(one) != "ok"}
    assert not wrong, wrong


def mounts(text: str) -> dict[str, list[str]]:
    """A mountinfo by mount point, the topmost mount of each: proc(5)'s fields. Links of the text are unescaped."""
    found = {}
    for line in text.splitlines():
        fields = [re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), field) for field in line.split()]
        found[fields[4]] = fields
    return found


# A tenth of a second between beats; emulated, on a machine that does other things too, and with all the others at work.
MOST_BETWEEN_BEATS = 3000
HEARTS = {"heart": unit("heart", stays=True),
          "heart-limited": unit("heart", service="MemoryMax=4M\nTasksMax=4", stays=True)}


class Watch:
    """Of the neighbours, PID 1 and the supervisor, while something happens."""

    def __init__(self, guest, husk):
        self.guest, self.husk = guest, husk
        self.supervisor = husk.supervisor()
        self.memory = {pid: self.rss(pid) for pid in (1, self.supervisor)}
        self.beats = {name: len(self.all_beats(name)) for name in HEARTS}
        self.pids = {name: husk.unit(name)["main_pid"] for name in HEARTS}

    def rss(self, pid: int) -> int:
        return int(self.guest.run(f"grep VmRSS /proc/{pid}/status", 60).text.split()[1]) * 1024

    def all_beats(self, name: str) -> list[tuple[int, int, str]]:
        lines = [line.split() for line in self.husk.log(name).splitlines() if line.startswith("beat ")]
        return [(int(number), int(gap), how) for _, number, gap, how in lines]

    def answer_time(self) -> float:
        """Of 'husk status', in seconds of the guest."""
        done = self.guest.run("a=$(cut -d' ' -f1 /proc/uptime); husk status >/dev/null && echo $a $(cut -d' ' -f1 /proc/uptime)", 60)
        before, after = map(float, done.text.split())
        return after - before

    def nothing_happened(self) -> None:
        assert self.answer_time() < 5
        assert self.husk.supervisor() == self.supervisor, "the supervisor died of it"
        for pid, before in self.memory.items():
            assert self.rss(pid) < before + (1 << 20), f"process {pid} grew from {before}"
        for name in HEARTS:
            one = self.husk.unit(name)
            assert one["state"] == "running" and one["restarts"] == 0 and one["main_pid"] == self.pids[name], one
            beats = self.all_beats(name)
            assert [number for number, _, _ in beats] == list(range(1, len(beats) + 1)), f"{name}: its log is not whole"
            since = beats[self.beats[name]:]
            assert since, f"{name}: no beat"
            worst = max(gap for _, gap, _ in since)
            assert worst < MOST_BETWEEN_BEATS, f"{name}: {worst} ms between two beats"
            assert {how for _, _, how in since} == {"ok"}, [beat for beat in since if beat[2] != "ok"][:5]
