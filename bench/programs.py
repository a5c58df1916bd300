"""Programs that are measured: how they are started, when their first instruction was, what they cost."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent / "tests/host"))

LIMIT = 30  # seconds that anything may take
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
# What everybody can do without: a short list, which libseccomp makes a short program of.
REFUSED = ["kexec_load", "init_module", "finit_module", "delete_module", "bpf", "userfaultfd", "reboot", "swapon",
           "swapoff", "mount"]


class Failed(subprocess.SubprocessError):
    pass


class Pipe:
    """What programs write, line by line."""

    def __init__(self):
        self.read_end, self.write_end = os.pipe()
        self._rest = b""

    def line(self) -> str:
        while b"\n" not in self._rest:
            if not select.select([self.read_end], [], [], LIMIT)[0]:
                raise Failed(f"no line in {LIMIT} s, only {self._rest!r}")
            self._rest += os.read(self.read_end, 65536)
        line, self._rest = self._rest.split(b"\n", 1)
        return line.decode()

    def read_all(self) -> None:
        """Until nobody writes to it any more."""
        while os.read(self.read_end, 65536):
            continue
        os.close(self.read_end)

    def end(self) -> None:
        os.close(self.write_end)

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self.write_end)


def spawn(words: list, out: int, environment: dict[str, str] = ENVIRONMENT) -> int:
    """By posix_spawn(3), which costs the same for everybody whatever the size of this process is."""
    words = [str(word) for word in words]
    actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, out, 1)]
    return os.posix_spawnp(words[0], words, environment, file_actions=actions)


def once(words: list) -> float:
    """Milliseconds to the stamp program's first instruction, in a container that a command starts and ends with."""
    pipe = Pipe()
    with contextlib.closing(pipe):
        begun = time.monotonic_ns()
        pid = spawn(words, pipe.write_end)
        stamp = int(pipe.line())
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        raise Failed(f"{words[0]} ended with status {status}")
    return (stamp - begun) / 1e6


def descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []  # gone
    return [found for child in map(int, children) for found in [child, *descendants(child)]]


def find(root: int, name: str) -> int:
    """The process of that name below another."""
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        for pid in descendants(root):
            with contextlib.suppress(OSError):
                if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == name:
                    return pid
        time.sleep(0.005)  # nothing tells when it is there
    below = [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in [root, *descendants(root)]]
    raise Failed(f"no '{name}' below process {root}: {below}")


def cpu_seconds(pid: int) -> float:
    """Of its main thread, and exact (proc(5): /proc/pid/schedstat)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def bundle(folder: Path, stamp: Path, *words: str) -> Path:
    """A container for crun and runc, and for the others its root: all namespaces but those of users and cgroups, no
    capability, a short filter."""
    root = folder / "root"
    for name in ("proc", "dev", "sys", "tmp", "etc", "run", "usr"):  # nspawn wants /usr
        (root / name).mkdir(parents=True)
    shutil.copy(stamp, root / "stamp")
    quiet = ["nosuid", "nodev", "noexec"]
    mount = lambda at, kind, *options: {"destination": at, "type": kind, "source": kind, "options": list(options)}
    config = {
        "ociVersion": "1.0.0",
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["/stamp", *words], "env": ["PATH=/bin"],
                    "cwd": "/", "noNewPrivileges": True, "capabilities": {kind: [] for kind in (
                        "bounding", "effective", "inheritable", "permitted", "ambient")},
                    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]},
        "root": {"path": "root", "readonly": True}, "hostname": "peer",
        "mounts": [mount("/proc", "proc"), mount("/dev", "tmpfs", "nosuid", "mode=755", "size=64k"),
                   mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
                   mount("/dev/shm", "tmpfs", *quiet, "mode=1777", "size=64m"),
                   mount("/dev/mqueue", "mqueue", *quiet), mount("/sys", "sysfs", *quiet, "ro"),
                   mount("/tmp", "tmpfs", "nosuid", "nodev", "mode=1777")],
        "linux": {"cgroupsPath": "/peer", "namespaces": [{"type": kind} for kind in (
                      "pid", "ipc", "uts", "mount", "network")],
                  "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
                  "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
                  "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                      {"names": REFUSED, "action": "SCMP_ACT_ERRNO"}]}}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def missing(program: str) -> str:
    """Why it is not there; empty where it is."""
    return "" if shutil.which(program) else f"there is no {program} (bench/run --install)"


@contextlib.contextmanager
def device(folder: Path, units: dict[str, str], programs: list[Path], networks: dict[str, str] | None = None):
    """husk as PID 1 of namespaces of its own, its supervisor, and units that find the programs in /run/test."""
    from test_network import Host
    folder.mkdir()
    for program in programs:
        shutil.copy(program, folder)
    with Host(folder, units, networks or {}) as host:
        yield host


def husk_binary() -> Path:
    from pid1_namespace import binary
    return binary()


def environment_of(host) -> dict[str, str]:
    """In which a client outside of the device asks it."""
    return ENVIRONMENT | {"HUSK_RUN": f"/proc/{host.host_pid}/root/run/husk"}


def client(host, *words: str, out: int | None = None) -> tuple[int, float]:
    """The client's command: when it was begun, and the milliseconds until it ended."""
    with open(os.devnull, "w") as null:
        begun = time.monotonic_ns()
        pid = spawn([husk_binary(), *words], null.fileno() if out is None else out, environment_of(host))
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        raise Failed(f"husk {' '.join(words[:3])} ended with status {status}")
    return begun, (time.monotonic_ns() - begun) / 1e6


def husk(host, *words: str) -> str:
    done = host.husk(*words)
    if done.returncode != 0:
        raise Failed(f"husk {' '.join(words[:3])}: {done.stderr}{done.stdout}")
    return done.stdout


def stamps(host, unit: str) -> list[int]:
    return [int(line) for line in host.log(unit) if line.isdigit()]


def first_after(host, unit: str, begun: int) -> float:
    """Milliseconds from then to the first instruction of a unit's program, as its log has it a moment later."""
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        if (later := [stamp for stamp in stamps(host, unit) if stamp > begun]):
            return (later[0] - begun) / 1e6
        time.sleep(0.02)  # the log's reader is no part of it
    raise Failed(f"unit '{unit}' writes nothing: {host.husk('why', unit).stdout}")
