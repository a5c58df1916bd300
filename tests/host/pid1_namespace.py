"""A husk binary as PID 1 of namespaces of its own, with a supervisor that the test speaks for.

The program that PID 1 starts in place of a supervisor (FAKE_SUPERVISOR) hands its socket to the test,
so that a test says to PID 1 what it likes, and kills the process behind it when it likes.
"""

import contextlib
import dataclasses
import os
import pathlib
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 20  # seconds that anything may take

HELLO, STORE, FETCH, DROP, NEXT_EXIT, SHUTDOWN, SHUTDOWN_NOW, WATCHDOG, ACTIONS = range(1, 10)
CONSOLE_SLOT = 3
EXITS_PENDING, SHUTDOWN_WANTED = 32, 33
POWEROFF, REBOOT, HALT = 1, 2, 3

FAKE_SUPERVISOR = r'''#!/usr/bin/python3 -IS
import os, signal, socket, sys
init_socket = int(sys.argv[2].removeprefix("--init-socket="))
control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
control.connect("/run/test/control")
socket.send_fds(control, [" ".join(sys.argv[1:]).encode()], [init_socket])
while command := control.recv(4096).decode().split():
    if command[0] == "orphan":  # its parent dies at once, so that PID 1 gets it
        ready = os.pipe()
        if os.fork() == 0:
            child = os.fork()
            if child == 0:
                os.read(ready[0], 1)
                os._exit(int(command[1]))
            control.send(str(child).encode())
            os._exit(0)
        os.wait()
        os.write(ready[1], b"x")
    elif command[0] == "child":  # of its own; ends when the supervisor does
        ready = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(ready[1])
            os.read(ready[0], 1)
            os._exit(int(command[1]))
        os.close(ready[0])
        control.send(str(child).encode())
    elif command[0] == "stubborn":  # a process that no SIGTERM ends
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            control.send(b"ignoring")
            while True: signal.pause()
    elif command[0] == "close":
        os.close(init_socket)
        control.send(b"closed")
'''

# Runs as PID 1 of the new namespaces, then becomes husk. /proc stays the host's: putting that right is
# husk's business.
SETUP = r'''
import os, subprocess, sys
directory, terminal, command_line, own_cgroup, *command = sys.argv[1:]
def mount(*arguments): subprocess.run(["mount", *arguments], check=True)
stage = directory + "/dev"
os.mkdir(stage)
mount("-t", "tmpfs", "-o", "mode=755", "dev", stage)
for name in "null", "zero", "full", "urandom", "tty":
    open(f"{stage}/{name}", "w").close()
    mount("--bind", "/dev/" + name, f"{stage}/{name}")
open(stage + "/console", "w").close()
mount("--bind", terminal, stage + "/console")
mount("--move", stage, "/dev")
mount("-t", "tmpfs", "-o", "mode=755", "run", "/run")
os.mkdir("/run/test")
mount("--bind", directory, "/run/test")
if command_line:
    mount("-t", "proc", "proc", "/proc")
    with open("/run/cmdline", "w") as file: file.write(command_line + "\n")
    mount("--bind", "/run/cmdline", "/proc/cmdline")
if own_cgroup:
    subprocess.run(["umount", "-R", "/sys/fs/cgroup"])
    mount("-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
os.chdir("/")
os.execv("/run/test/husk", command)
'''


def binary() -> pathlib.Path:
    """The program under test: HUSK_BINARY, or what the device preset builds."""
    return pathlib.Path(os.environ.get("HUSK_BINARY", REPO / "build/device/husk"))


@dataclasses.dataclass
class Packet:
    """InitPacket of base/init_protocol.h."""

    type: int
    slot: int = 0
    number: int = 0
    value: int = 0
    pid: int = 0
    status: int = 0
    time: int = 0
    version: int = 1

    FORMAT = "=IIIiQiiq"

    def pack(self) -> bytes:
        return struct.pack(self.FORMAT, self.version, self.type, self.slot, self.number, self.value,
                           self.pid, self.status, self.time)

    @classmethod
    def unpack(cls, data: bytes) -> "Packet":
        version, kind, slot, number, value, pid, status, at = struct.unpack(cls.FORMAT, data)
        return cls(kind, slot, number, value, pid, status, at, version)


class Supervisor:
    """One life of the supervisor: the test's ends of its two sockets."""

    def __init__(self, control: socket.socket, init: socket.socket, arguments: str):
        self.control = control
        self.init = init
        self.arguments = arguments
        self.notices: list[Packet] = []
        credentials = control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        self.pid = struct.unpack("iii", credentials)[0]  # as the host counts

    def send(self, data: bytes, descriptors=()) -> None:
        if descriptors:
            socket.send_fds(self.init, [data], list(descriptors))
        else:
            self.init.send(data)

    def receive(self) -> tuple[Packet, list[int]]:
        data, descriptors, _, _ = socket.recv_fds(self.init, 4096, 4)
        return Packet.unpack(data), descriptors

    def receive_reply(self) -> tuple[Packet, list[int]]:
        while True:
            packet, descriptors = self.receive()
            if packet.type not in (EXITS_PENDING, SHUTDOWN_WANTED):
                return packet, descriptors
            self.notices.append(packet)

    def notice(self, kind: int) -> Packet:
        """The next notice of this kind, which may have come already."""
        while True:
            for packet in self.notices:
                if packet.type == kind:
                    self.notices.remove(packet)
                    return packet
            self.notices.append(self.receive()[0])

    def ask(self, kind: int, descriptors=(), **fields) -> Packet:
        self.send(Packet(kind, **fields).pack(), descriptors)
        reply, received = self.receive_reply()
        for descriptor in received:
            os.close(descriptor)
        return reply

    def hello(self) -> Packet:
        return self.ask(HELLO, number=1)

    def fetch(self, slot: int) -> int:
        self.send(Packet(FETCH, slot=slot).pack())
        reply, descriptors = self.receive_reply()
        assert reply.number == 0, os.strerror(reply.number)
        return descriptors[0]

    def exits(self) -> list[Packet]:
        """All that PID 1 remembers."""
        found: list[Packet] = []
        while True:
            reply = self.ask(NEXT_EXIT, value=found[-1].value + 1 if found else 0)
            if reply.number != 0:
                return found
            found.append(reply)

    def wait_for_exit(self, pid: int) -> Packet:
        while True:
            for exit in self.exits():
                if exit.pid == pid:
                    return exit
            self.notice(EXITS_PENDING)

    def tell(self, command: str) -> str:
        self.control.send(command.encode())
        return self.control.recv(4096).decode()

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)
        self.forget()

    def forget(self) -> None:
        self.init.close()
        self.control.close()


class Pid1:
    """husk in namespaces; a context manager that leaves nothing behind."""

    MORE_NAMESPACES: list[str] = []  # options of unshare(1)

    def __init__(self, directory: pathlib.Path, command_line: str = "husk.console=none"):
        # AF_UNIX paths are short, pytest's are not: the namespace sees this one as /run/test.
        self._directory = directory
        self._command_line = command_line
        self.console = b""
        self._console_changed = threading.Condition()

    def __enter__(self) -> "Pid1":
        fake = self._directory / "supervisor"
        fake.write_text(FAKE_SUPERVISOR)
        fake.chmod(0o755)
        (self._directory / "husk").write_bytes(binary().read_bytes())
        (self._directory / "husk").chmod(0o755)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        here = os.open(self._directory, os.O_PATH)
        self._listener.bind(f"/proc/self/fd/{here}/control")
        os.close(here)
        self._listener.listen(8)
        self._listener.settimeout(LIMIT)
        self.terminal, slave = pty.openpty()
        self._start(slave)
        os.close(slave)
        threading.Thread(target=self._read_console, daemon=True).start()
        self.host_pid = self._wait_for_pid()
        return self

    def _start(self, slave: int) -> None:
        self.cgroup = make_cgroup(f"husk-test-{os.getpid()}-{id(self)}")
        flags = ["--fork", "--pid", "--mount", "--uts", "--propagation", "private",
                 "--kill-child=KILL", *self.MORE_NAMESPACES] + (["--cgroup"] if self.cgroup else [])
        command = ["unshare", *flags, sys.executable, "-IS", "-c", SETUP, str(self._directory),
                   os.ttyname(slave), self._command_line, "own" if self.cgroup else "",
                   "init", "--supervisor=/run/test/supervisor"]
        if self.cgroup:  # the shell joins before unshare makes this cgroup the namespace's root
            command = ["sh", "-c", f'echo $$ > "$0"/cgroup.procs && exec "$@"', self.cgroup, *command]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def _wait_for_pid(self) -> int:
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        until = time.monotonic() + LIMIT
        while time.monotonic() < until:
            with contextlib.suppress(OSError, ValueError, IndexError):
                return int(children.read_text().split()[0])
            time.sleep(0.005)  # nothing tells when unshare(1) has forked
        raise TimeoutError("unshare(1) has started nothing")

    def _read_console(self) -> None:
        while True:
            try:
                data = os.read(self.terminal, 4096)
            except OSError:  # EIO: nobody has it open at this moment, or the test is over
                if self.process.poll() is not None:
                    return
                select.select([], [], [], 0.01)
                continue
            with self._console_changed:
                self.console += data
                self._console_changed.notify_all()

    def shows(self, text: str, limit: float) -> bool:
        with self._console_changed:
            return self._console_changed.wait_for(lambda: text.encode() in self.console, limit)

    def wait_for_console(self, text: str, times: int = 1) -> str:
        with self._console_changed:
            found = self._console_changed.wait_for(
                lambda: self.console.count(text.encode()) >= times, LIMIT)
            shown = self.console.decode(errors="replace")
        assert found, f"no {text!r} in:\n{shown}"
        return shown

    def supervisor(self) -> Supervisor:
        """The next life of the supervisor."""
        control, _ = self._listener.accept()
        control.settimeout(LIMIT)
        arguments, descriptors, _, _ = socket.recv_fds(control, 4096, 1)
        init = socket.socket(fileno=descriptors[0])
        init.settimeout(LIMIT)
        return Supervisor(control, init, arguments.decode())

    def status(self) -> dict[str, str]:
        lines = pathlib.Path(f"/proc/{self.host_pid}/status").read_text().splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.host_pid}/fd"))

    def inside(self, path: str) -> pathlib.Path:
        return pathlib.Path(f"/proc/{self.host_pid}/root{path}")

    def signal(self, number: int) -> None:
        os.kill(self.host_pid, number)

    def wait(self) -> int:
        """The signal that reboot_pid_ns (reboot(2)) ended the namespace with."""
        return -self.process.wait(LIMIT)

    def __exit__(self, *_) -> None:
        self.process.kill()  # PID 1 goes with it, and all the namespace with PID 1
        self.process.wait()
        os.close(self.terminal)
        self._listener.close()
        remove_cgroup(self.cgroup)


def make_cgroup(name: str) -> str:
    """A cgroup2 leaf on the host, or "" where that is not to be had."""
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, target, kind, *_ = line.split()
        if kind != "cgroup2":
            continue
        with contextlib.suppress(OSError):
            os.mkdir(f"{target}/{name}")
            return f"{target}/{name}"
    return ""


def remove_cgroup(path: str) -> None:
    if not path:
        return
    until = time.monotonic() + LIMIT
    while os.path.exists(path) and time.monotonic() < until:
        for directory, _, _ in os.walk(path, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(directory)
        time.sleep(0.01)  # a cgroup stays for some milliseconds after its last process
