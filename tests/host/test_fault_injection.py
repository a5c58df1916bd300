"""System calls and allocations that fail, one at a time, in the binary as it is shipped: at any call of PID 1, of the
supervisor, and of a container on its way to its program (tests/probes/faults.cc). PID 1 stays, the supervisor answers
within LIMIT or is started again and does so then, nobody else's container notices, and the unit that is hit has all
that it asks for, or does not run.

The short form draws SHORT faults, tests/run --long as many as FAULTS says (LONG). HUSK_SEED draws others, and
HUSK_FAULT="takeover supervise open 34 99 ENFILE" is only those calls, from the 34th to the 99th.
"""

import collections
import contextlib
import dataclasses
import errno
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest

import pid1_namespace as ns
from test_containers import BUSYBOX, START_SUPERVISOR, Device, unit

PROBE = ns.REPO / "build/device/probes/faults"
SYMBOLS = ns.REPO / "build/device/husk.debug"
SHORT, LONG = 40, 1000
AMOUNT = int(os.environ.get("FAULTS", LONG if "HUSK_LONG" in os.environ else SHORT))
BOOTS = max(8, AMOUNT // 10)
SEED = int(os.environ.get("HUSK_SEED", "7"))
ONLY: list = []
LIMIT = 5  # seconds that an answer may take, whatever fails

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces and mounts"),
    pytest.mark.skipif(not ns.binary().exists(), reason=f"{ns.binary()} is not built"),
    pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs Debian's busybox-static"),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="the tracer knows x86_64 only"),
]

# What each kind of call can answer, for reasons that are nobody's mistake.
ERRORS = {
    "open": ["EMFILE", "ENFILE", "ENOMEM"],
    "mount": ["ENOMEM", "ENOSPC", "EMFILE"],
    "fork": ["EAGAIN", "ENOMEM"],
    "exec": ["ENOMEM", "EAGAIN"],
    "write": ["ENOSPC", "EIO", "EAGAIN"],
    "send": ["ENOBUFS", "ENOMEM"],
    "receive": ["ENOMEM", "EAGAIN", "EINTR"],
    "read": ["ENOMEM", "EINTR"],
    "name": ["ENOSPC", "ENOMEM"],
    "descriptor": ["EMFILE", "ENFILE", "ENOMEM"],
    "watch": ["ENOMEM", "ENOSPC"],
    "wait": ["EINTR", "ENOMEM"],
    "memory": ["ENOMEM"],
    "malloc": ["ENOMEM"],
    "rights": ["ENOMEM", "EPERM"],
}

# What it has is in its log, so that a start with less than it asks for shows.
REPORT = ("echo BEGIN; id; hostname; pwd; umask; env | sort; "
          "grep -E '^(Cap|Seccomp:|NoNewPrivs|Groups)' /proc/self/status; "
          "cat /proc/self/uid_map /proc/self/gid_map; cut -d' ' -f2-4 /proc/mounts; ulimit -n; "
          "ls -ln /data /run/credentials/* | cut -c 1-30; "
          "cat /proc/net/dev | wc -l; cat /proc/self/cgroup; ls -l /proc/self/ns | wc -l; test -w / && echo writable; "
          "cat /proc/sys/net/ipv4/ip_unprivileged_port_start; echo END")
UNITS = {
    "heart": unit("i=0; while true; do i=$((i+1)); echo beat $i; usleep 20000; done", "TimeoutStopSec=200ms\n"),
    "still": unit("sleep 100000", container="User=1000\n"),
    "probe": unit("sleep 100000", "TimeoutStopSec=1\n"),
    "subject": unit(f"{REPORT}; trap 'exit 0' TERM; while true; do usleep 50000; done",
                    "RestartSec=50ms\nRestartSteps=0\nLimitNOFILE=200\n"
                    "StateDirectory=subject\nRuntimeDirectory=subject\n"
                    "SetCredential=key:secret\nUMask=0027\nExecStartPre=/bin/sh -c true\nExecStopPost=/bin/sh -c true\n"
                    "TimeoutStopSec=2\n",
                    "Volume=things.volume:/data\nTmpfs=/scratch:size=64k\nEnvironment=WORD=given\nUser=1000\n"
                    "ShmSize=64k\nWorkingDir=/scratch\nSysctl=net.ipv4.ip_unprivileged_port_start=7\n"),
}
STAY = ("heart", "still")
# More than the log holds.
UNITS["noise"] = unit("seq 30000", "Type=oneshot\nRestart=no\n")
CONFIG = "[Manager]\nDefaultTasksMax=infinity\nLogBufferSize=128K\n"


def subject_pid(there) -> int:
    return there.host_pid_of(there.unit("subject")["main_pid"])


# What is done while calls fail: by name, which process is traced, and how to do it. Each ends within LIMIT.
MOMENTS = {
    "takeover": lambda there: (there.kill_supervisor(signal.SIGKILL), there.answers()),
    "start": lambda there: there.ask("start", "subject"),
    "stop": lambda there: there.ask("stop", "subject"),
    "restart": lambda there: there.ask("restart", "subject"),
    "crash": lambda there: (os.kill(subject_pid(there), signal.SIGKILL), there.settle()),
    "exec": lambda there: there.ask("exec", "subject", "/bin/sh", "-c", "true"),
    "look": lambda there: [there.ask(*words.split())
                           for words in ("status", "why subject", "logs -n 5 heart", "cat subject")],
    "flood": lambda there: there.ask("start", "noise"),
    "reload": lambda there: (there.change_units(there.directory / "units"), there.ask("reload")),
    "apply": lambda there: there.ask("apply", str(there.change_units(there.directory / "next"))),
    "kill": lambda there: there.ask("kill", "-s", "CONT", "still"),
}


@dataclasses.dataclass(frozen=True)
class Fault:
    moment: str
    who: str
    kind: str
    first: int
    error: str
    times: int = 1

    def __str__(self):
        return f"{self.moment}: {self.who} {self.kind} {self.first}+{self.times} {self.error}"


if words := os.environ.get("HUSK_FAULT", "").split():
    ONLY += [Fault(*words[:3], number, words[5]) for number in range(int(words[3]), int(words[4]) + 1)]


class Injector:
    """The tracer, beside one moment."""

    def __init__(self, pid: int, role: str, fault: Fault):
        number = getattr(errno, fault.error)
        malloc = [malloc_offset()] if fault.kind in ("malloc", "count") else []
        words = [str(pid), role, fault.who, fault.kind, str(fault.first), str(fault.times), str(number), *malloc]
        self.process = subprocess.Popen([PROBE, *words], stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            text, _ = self.process.communicate(timeout=LIMIT)
        finally:
            self.process.kill()
        lines = [line.split() for line in text.splitlines()]
        self.failed = [line[1:] for line in lines if line[0] == "failed"]
        self.counts = {(line[1], line[2]): int(line[3]) for line in lines if line[0] == "count"}


def malloc_offset(found=[]) -> str:
    if not found:
        symbols = subprocess.run(["nm", SYMBOLS], capture_output=True, text=True, check=True).stdout
        found.append("0x" + re.search(r"^(\w+) \w malloc$", symbols, re.M)[1])
    return found[0]


class Subject(Device):
    MORE_NAMESPACES = ["--net"]

    def __init__(self, directory):
        super().__init__(directory, UNITS)
        self.directory = directory
        (directory / "system.conf").write_text(CONFIG)
        (directory / "units/things.volume").write_text("[Volume]\n")
        shutil.copytree(directory / "units", directory / "next")
        self.turn = 0

    def __enter__(self):
        super().__enter__()
        for name in STAY:
            self.wait_for(name, lambda one: one["state"] == "running")
        self.stay = {name: self.seen(name) for name in STAY}
        self.report = self.settle()
        assert "uid=1000" in self.report and "key" in self.report and "Seccomp:\t2" in self.report, self.report
        return self

    def seen(self, name: str) -> tuple:
        one = self.unit(name)
        return one["main_pid"], one["restarts"], one["state"], one["since_monotonic"]

    def ask(self, *words) -> subprocess.CompletedProcess:
        """A client's question, which gets some answer within LIMIT."""
        began = time.monotonic()
        try:
            environment = os.environ | {"HUSK_RUN": f"/proc/{self.host_pid}/root/run/husk"}
            return subprocess.run([ns.binary(), *words], capture_output=True, text=True, timeout=LIMIT, env=environment)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"'husk {' '.join(words)}' hangs") from None

    def answers(self) -> None:
        until = time.monotonic() + LIMIT
        while self.ask("status").returncode not in (0, 3):
            assert time.monotonic() < until, "no supervisor answers"
            time.sleep(0.01)

    def change_units(self, folder: pathlib.Path) -> pathlib.Path:
        """A description, which needs no restart, and a variable of a unit that does not run."""
        self.turn += 1
        still = UNITS["still"].replace("=test", f"=turn {self.turn}", 1)
        noise = UNITS["noise"].replace("[Container]\n", f"[Container]\nEnvironment=TURN={self.turn}\n", 1)
        for name, text in ("still", still), ("noise", noise):
            (folder / f"{name}.container").write_text(text)
        return folder

    def settle(self) -> str:
        """Until the unit that is hit runs again: what it said that it has."""
        until = time.monotonic() + LIMIT
        while True:
            self.answers()
            shown = self.ask("why", "subject", "--json")
            if '"running"' in shown.stdout and (one := self.unit("subject"))["state"] == "running":
                text = self.ask("logs", "-o", "cat", "-n", "100", "subject").stdout
                last = text.rpartition("BEGIN\n")[2]
                if "END\n" in last:
                    return last.partition("END\n")[0]
            assert time.monotonic() < until, shown.stdout + shown.stderr
            time.sleep(0.01)

    def recover(self) -> None:
        """For what comes after harm that is told."""
        self.kill_supervisor(signal.SIGKILL)
        self.answers()
        self.stay = {name: self.seen(name) for name in STAY}
        for name in "subject", "probe":
            self.ask("stop", name)
        self.ask("start", "subject")

    def check(self) -> None:
        """All that holds after any fault."""
        assert self.process.poll() is None, "PID 1 has ended"
        self.answers()
        for name, before in self.stay.items():
            assert self.seen(name) == before, name
        # A unit's file that could not be read by a supervisor that begins is refused until the next look at it.
        reloaded = self.ask("reload")
        assert reloaded.returncode == 0, reloaded
        started = self.ask("start", "probe")
        assert started.returncode == 0, started
        stopped = self.ask("stop", "probe")
        assert stopped.returncode == 0, stopped
        self.ask("start", "subject")
        assert self.settle() == self.report


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    with Subject(tmp_path_factory.mktemp("faults")) as device:
        yield device


def prepare(there, moment: str) -> None:
    there.ask("stop" if moment == "start" else "start", "subject")


def inject(there, fault: Fault) -> Injector:
    prepare(there, fault.moment)
    if fault.moment == "crash":
        there.settle()
    of_init = fault.moment == "takeover" or fault.who == "init"
    traced = (there.host_pid, "init") if of_init else (there.supervisor_pid(), "supervise")
    with Injector(*traced, fault) as injector:
        MOMENTS[fault.moment](there)
    return injector


def possible(there) -> list[Fault]:
    """Every call that is made, with each error that it can have, in an order drawn by SEED; some fail for a while."""
    found = []
    draw = random.Random(SEED)
    for moment in MOMENTS:
        for who in "init", "supervise":
            if moment == "takeover" and who == "supervise":
                continue  # counted with init
            for (of, kind), number in inject(there, Fault(moment, who, "count", 0, "EIO")).counts.items():
                if kind not in ERRORS or (who == "init") != (of == "init" or moment == "takeover"):
                    continue
                # Clients whose answer is lost ask again, so that a loss of all answers is a long wait.
                lasting = (of != "init" and moment not in ("takeover", "crash")
                           and kind not in ("send", "receive", "wait"))
                found += [Fault(moment, of, kind, n, error, draw.choice((1, 1, 2, 4)) if lasting else 1)
                          for n in range(1, number + 1) for error in ERRORS[kind]]
        there.check()
    draw.shuffle(found)
    return found


def test_whatever_call_fails_the_device_goes_on(there):
    # Round the kinds and moments, since some have a thousand calls and some one.
    queues = collections.defaultdict(list)
    for fault in ONLY or possible(there):
        queues[fault.moment, fault.who, fault.kind].append(fault)
    total = sum(map(len, queues.values()))
    hit = missed = deaths = 0
    failures: list[str] = []
    slots = list(queues)
    random.Random(SEED).shuffle(slots)
    while hit < AMOUNT and any(queues.values()):
        for slot in slots:
            if not queues[slot] or hit == AMOUNT:
                continue
            fault = queues[slot].pop()
            supervisor, shown = there.supervisor_pid(), len(there.console)
            try:
                injector = inject(there, fault)
                there.check()
            except (AssertionError, LookupError) as error:  # what is looked for may be gone
                console = there.console[shown:].decode(errors="replace")[-3000:]
                failures.append(f"after {fault}: {error}\n{console}")
                print(failures[-1], flush=True)
                assert there.process.poll() is None and len(failures) < 20, f"{len(failures)} of {hit} did harm"
                there.recover()
                continue
            hit += bool(injector.failed)
            missed += not injector.failed
            deaths += fault.moment != "takeover" and there.supervisor_pid() != supervisor
    print(f"{hit} faults of {total} that there are, in {len(queues)} kinds of call and moment; "
          f"{missed} did not come to pass; the supervisor was started again {deaths} times")
    assert not failures, f"{len(failures)} of {hit} did harm"
    assert hit == AMOUNT or ONLY


@contextlib.contextmanager
def limited(pid: int, kind: int, limit: int):
    before = resource.prlimit(pid, kind)
    resource.prlimit(pid, kind, (limit, before[1]))
    yield
    with contextlib.suppress(ProcessLookupError):  # a supervisor may have ended by it
        resource.prlimit(pid, kind, before)


def do_everything(there) -> None:
    for moment in "start", "restart", "exec", "look", "reload", "flood", "stop", "kill":
        prepare(there, moment)
        MOMENTS[moment](there)


@pytest.mark.parametrize("room", [0, 1, 2, 3, 5, 8, 13, 21] if AMOUNT > SHORT else [0, 3, 13])
def test_a_supervisor_without_descriptors_answers_and_goes_on(there, room):
    there.answers()
    pid = there.supervisor_pid()
    highest = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
    with limited(pid, resource.RLIMIT_NOFILE, highest + 1 + room):
        # Without any, no client's connection can be had: it waits, and has its answer with the first that is free.
        environment = os.environ | {"HUSK_RUN": f"/proc/{there.host_pid}/root/run/husk"}
        waiting = subprocess.Popen([ns.binary(), "restart", "probe"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=environment)
        if room > 2:
            do_everything(there)
    waiting.wait(LIMIT)
    there.check()


@pytest.mark.parametrize("room", [0, 1, 2] if AMOUNT > SHORT else [1])
def test_pid_1_without_descriptors_keeps_what_it_has_and_starts_the_supervisor_later(there, room):
    there.ask("stop", "subject")
    highest = max(int(name) for name in os.listdir(f"/proc/{there.host_pid}/fd"))
    with limited(there.host_pid, resource.RLIMIT_NOFILE, highest + 1 + room):
        do_everything(there)
        there.kill_supervisor(signal.SIGKILL)
        time.sleep(0.3)  # of trying
    there.check()


@pytest.mark.parametrize("more", [0, 64 << 10, 256 << 10] if AMOUNT > SHORT else [64 << 10])
def test_a_supervisor_without_memory_is_started_again(there, more):
    there.answers()
    pid = there.supervisor_pid()
    size = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    with limited(pid, resource.RLIMIT_AS, size + more):
        do_everything(there)
    there.check()


def test_a_full_run_folder_loses_nothing_and_passes(there):
    full = there.inside("/run/husk/full")
    try:
        with contextlib.suppress(OSError), open(full, "wb", buffering=0) as file:
            while file.write(bytes(4096)) > 0:
                pass
        do_everything(there)
        there.kill_supervisor(signal.SIGKILL)
        there.answers()
        for name in STAY:
            assert there.seen(name) == there.stay[name]
    finally:
        full.unlink()
    there.check()


def test_a_full_state_folder_is_an_error_that_passes(there):
    """A few blocks, at the place of the state folder, and less than a volume needs."""
    state = ["nsenter", "-t", str(there.host_pid), "-m", "-p"]
    small = ["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=2", "tmpfs", "/run/test/state"]
    subprocess.run([*state, *small], check=True)
    try:
        there.ask("stop", "subject")
        there.ask("start", "subject")
        why = there.ask("why", "subject").stdout
        assert "No space left on device" in why, why
    finally:
        subprocess.run([*state, "umount", "-l", "/run/test/state"], check=True)
    there.check()


class Boot(Device):
    """PID 1 that waits to be traced before it is husk."""

    MORE_NAMESPACES = ["--net"]

    def __init__(self, directory, fault):
        super().__init__(directory, {"heart": UNITS["heart"]})
        (directory / "system.conf").write_text(CONFIG)
        os.mkfifo(directory / "go")
        self.fault = fault

    def __enter__(self):
        original, ns.SETUP = ns.SETUP, ns.SETUP.replace("os.execv(", 'open("/run/test/go").read()\nos.execv(')
        try:
            return super().__enter__()
        finally:
            ns.SETUP = original

    def _wait_for_pid(self):
        pid = super()._wait_for_pid()
        self.injector = Injector(pid, "boot", self.fault).__enter__()
        (self._directory / "go").write_text("")
        return pid


def boot_and_end(directory: pathlib.Path, fault: Fault, last: Fault) -> tuple[Injector, Injector]:
    """Boots under one fault and shuts down under another."""
    directory.mkdir()
    with Boot(directory, fault) as there:
        there.wait_for("heart", lambda one: one["state"] == "running" and one["main_pid"] != 0)
        there.injector.__exit__()
        assert there.process.poll() is None
        before = there.unit("heart")["main_pid"]
        there.kill_supervisor(signal.SIGKILL)  # is reaped, and started again
        assert there.wait_for("heart", lambda one: one["state"] == "running")["main_pid"] == before
        with Injector(there.host_pid, "init", last) as ending:
            there.husk("poweroff")
            assert there.wait() == signal.SIGINT  # reboot_pid_ns: reboot(2)
    return there.injector, ending


def test_whatever_call_fails_a_boot_and_a_shutdown_come_to_their_end(tmp_path):
    draw = random.Random(SEED)
    nothing = Fault("boot", "init", "count", 0, "EIO")
    first, last = boot_and_end(tmp_path / "count", nothing, nothing)

    def drawn(moment: str, injector: Injector) -> list[Fault]:
        """Round the kinds; each call of PID 1, and as many of the others."""
        queues = []
        for (who, kind), number in injector.counts.items():
            if kind in ERRORS and who in ("init", "supervise", "child"):
                found = [Fault(moment, who, kind, n, error) for n in range(1, number + 1) for error in ERRORS[kind]]
                draw.shuffle(found)
                queues.append(found)
        draw.shuffle(queues)
        return [queue[turn] for turn in range(max(map(len, queues))) for queue in queues if turn < len(queue)]

    failures = []
    hit = 0
    boots, ends = drawn("boot", first), drawn("end", last)
    for number in range(BOOTS):
        faults = boots[number % len(boots)], ends[number % len(ends)]
        try:
            hit += sum(bool(one.failed) for one in boot_and_end(tmp_path / str(number), *faults))
        except Exception as error:  # whatever a test's own helper says
            failures.append(f"after {faults[0]}, {faults[1]}: {error!r}"[:3000])
            print(failures[-1], flush=True)
    print(f"{BOOTS} boots and shutdowns, {hit} faults in them of {len(boots) + len(ends)} that there are")
    assert not failures, f"{len(failures)} of {BOOTS} did not come to their end"
