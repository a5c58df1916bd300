"""One QEMU process: its command line, its end, and what a test may do to it."""

import ctypes
import enum
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from .agent import Agent, AgentGone, AgentTimeout, Result
from .accel import QEMU
from .paths import HarnessError
from .qmp import Qmp, QmpError

CONSOLE_TAIL = 30
POWER_OFF_SECONDS = 60
SETTLED = {"running", "degraded"}
SETTLE_PAUSE = 0.2


class End(enum.Enum):
    """How a guest ended."""

    POWEROFF = "poweroff"
    REBOOT = "reboot"
    PANIC = "panic"
    KILLED = "killed"


class GuestTrouble(HarnessError):
    """The guest panicked, hangs or went away; the message holds the console's last lines."""


@dataclass
class Config:
    kernel: Path
    initramfs: Path
    append: str = ""
    disk: Path | None = None
    disk_cache: str = "unsafe"  # what is thrown away needs no flush; a disk that stays gets 'writeback'
    write_log: Path | None = None  # where each write and flush of the disk is noted, in order; replaced at each start
    memory: str = "512M"
    cpus: int = 2
    accel: str = "tcg"
    icount: bool = False
    interactive: bool = False  # console on stdin and stdout; otherwise in the log, and on a socket for send_console
    console_log: Path | None = None
    on_reboot: str = "shutdown"  # what a reboot of the guest does: end QEMU, or 'reset' as on a real machine
    network: bool = False  # a link to QEMU's user network: 10.0.2.0/24 and fec0::/64, DHCP and a way out
    extra: list[str] = field(default_factory=list)  # more QEMU arguments


def command_line(config: Config, folder: Path) -> list[str]:
    """The whole QEMU command; sockets are in `folder`."""
    # One thread for all CPUs: with a thread each, QEMU 7.2 runs code of the guest that the guest has just patched
    # (static keys), and one boot in twenty ends in an int3 oops.
    accel = "kvm" if config.accel == "kvm" and not config.icount else "tcg,thread=single"
    # Without 5-level page tables, which cost emulation time, and without cmpxchg16b: emulated by QEMU 7.2 it
    # tears the free lists of 6.12's slab allocator, and one boot in four ends in a double fault.
    cpu = "host" if accel == "kvm" else "max,la57=off,cx16=off"
    # One address for a program's code: QEMU translates it anew for each that it is seen at. Executing programs takes twice
    # the time, the translations fill a gigabyte, and guests short of memory stood still over a page for up to 78 s.
    append = config.append if accel == "kvm" else f"{config.append} norandmaps".strip()
    log = config.console_log or folder / "console.log"
    console = "stdio,mux=on,signal=off" if config.interactive else f"socket,path={folder}/console,server=on,wait=off"
    words = [
        QEMU, "-nodefaults", "-no-user-config", "-display", "none",
        "-machine", "q35,usb=off,vmport=off", "-accel", accel, "-cpu", cpu,
        "-smp", "1" if config.icount else str(config.cpus), "-m", config.memory,
        "-action", f"reboot={config.on_reboot},panic=none",
        "-kernel", str(config.kernel), "-initrd", str(config.initramfs), "-append", append,
        "-chardev", f"{console},id=console,logfile={log},logappend=on", "-serial", "chardev:console",
        "-qmp", f"unix:{folder}/qmp,server=on,wait=off",
    ]
    if config.interactive:
        words += ["-mon", "chardev=console,mode=readline"]
    else:
        words += ["-action", "shutdown=pause"]  # so that the event about the end is never lost
        words += ["-chardev", f"socket,path={folder}/agent,server=on,wait=off,id=agent", "-serial", "chardev:agent"]
    if config.disk:
        words += _disk(config) + ["-device", "virtio-blk-pci,drive=state"]
    if config.network:
        words += ["-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=net0,id=nic0,romfile="]
    if config.icount:
        words += ["-icount", "shift=0,sleep=off"]
    return words + config.extra


def _disk(config: Config) -> list[str]:
    if not config.write_log:
        return ["-drive", f"file={config.disk},if=none,id=state,format=raw,cache={config.disk_cache},discard=unmap"]
    # Flushes have to come as far as the log, and no further.
    return ["-blockdev", f"driver=file,node-name=state-file,filename={config.disk},cache.no-flush=on",
            "-blockdev", f"driver=file,node-name=state-log,filename={config.write_log},cache.no-flush=on",
            "-blockdev", "driver=blklogwrites,node-name=state,file=state-file,log=state-log,log-sector-size=512"]


class Machine:
    """A guest, from start to end. Use it as a context manager: leaving it ends QEMU."""

    def __init__(self, config: Config, timeout: float = 180):
        self.config = config
        self.timeout = timeout
        self.folder = Path(tempfile.mkdtemp(prefix="husk-"))
        self.console_log = config.console_log or self.folder / "console.log"
        self._process: subprocess.Popen | None = None
        self._qmp: Qmp | None = None
        self._agent: Agent | None = None
        self._agent_socket: socket.socket | None = None
        self._console_socket: socket.socket | None = None
        self._deadline = 0.0
        self._resetting = False
        self._seen = 0  # events, when the agent was ready

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    # Start and end

    def start(self) -> None:
        """Starts QEMU and the clock of `timeout`. Does not wait for the guest."""
        self._deadline = time.monotonic() + self.timeout
        if not self._process:
            self.console_log.unlink(missing_ok=True)
        words = command_line(self.config, self.folder)
        (self.folder / "command").write_text("\n".join(words) + "\n")
        pipes = {} if self.config.interactive else {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        try:
            if self.config.write_log:
                self.config.write_log.write_bytes(b"")
            with open(self.folder / "qemu.err", "wb") as errors:
                self._process = subprocess.Popen(words, stderr=errors, preexec_fn=_die_with_parent, **pipes)
        except OSError as error:
            raise HarnessError(f"cannot run {QEMU}: {error.strerror}; toolchain/bootstrap installs it") from error
        if not self.config.interactive:
            self._qmp = self._connect(lambda: Qmp(self.folder / "qmp"))

    def run_interactive(self) -> int:
        """For a console on stdin and stdout: waits until the guest or the person ends it."""
        self.start()
        while True:
            try:
                status = self._process.wait()
                break
            except KeyboardInterrupt:
                continue
        if status != 0:
            raise HarnessError(f"QEMU ended with status {status}: {self._qemu_errors()}")
        if "Kernel panic" in self.console_text():
            raise GuestTrouble(f"the guest panicked{self._panic_line()}")
        return 0

    def close(self) -> None:
        """Ends QEMU if it still runs and removes what the run left."""
        for line in (self._agent_socket, self._console_socket):
            if line:
                line.close()
        if self._qmp:
            self._qmp.close()
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_exit(self, timeout: float | None = None) -> End:
        """Waits for the guest to end by itself and says how it did. GuestTrouble when it does not in time."""
        limit = self._left() if timeout is None else timeout
        event = self._qmp.wait_event({"SHUTDOWN", "GUEST_PANICKED"}, limit)
        if event is None and not self._qmp.closed:
            raise self.trouble(f"the guest did not end within {limit:.0f} s")
        end = self._ending(event)
        self._process.kill()  # it is paused, or gone
        self._process.wait()
        return end

    def power_cut(self) -> None:
        """Takes the power away and gives it back: a new QEMU with the same disk. What the guest has written is there,
        flushed or not; for states of a disk that lost some of it see Config.write_log."""
        self.power_off()
        self.start()

    def power_off(self) -> None:
        """Takes the power away. start() gives it back."""
        self._process.kill()
        self._process.wait()
        self._qmp.close()
        self._drop_lines()

    # Talking to the guest

    def wait_agent(self, timeout: float | None = None) -> None:
        """Until the guest's agent answers. GuestTrouble when the guest panics, ends or hangs before."""
        if not self._agent_socket:
            self._agent_socket = self._connect(lambda: _connected(self.folder / "agent"))
            self._agent = Agent(self._agent_socket, self.check_alive)
        deadline = time.monotonic() + (self._left() if timeout is None else timeout)
        while True:
            self.check_alive()
            try:
                self._agent.wait_ready(min(2.0, max(0.05, deadline - time.monotonic())))
                self._seen = len(self._qmp.events)
                if self._resetting:
                    self._qmp.execute("set-action", reboot=self.config.on_reboot)
                    self._resetting = False
                return
            except AgentTimeout:
                if time.monotonic() >= deadline:
                    raise self.trouble("the guest hangs: its agent did not answer in time") from None
            except AgentGone:
                self.check_alive(grace=5)
                raise self.trouble("the guest's agent is gone") from None

    def settle(self, timeout: float | None = None) -> str:
        """Waits until the boot has settled; gives what `husk is-system-running --wait` says: running or degraded."""
        deadline = time.monotonic() + (self._left() if timeout is None else timeout)
        while True:
            done = self.run("husk is-system-running --wait", max(0.0, deadline - time.monotonic()))
            state = done.text.strip()
            if state in SETTLED:
                return state
            # The agent may be up before the supervisor listens, and a supervisor may end while it is asked.
            if time.monotonic() + SETTLE_PAUSE > deadline:
                said = state or done.stderr.decode(errors="replace").strip()
                raise self.trouble(f"the boot did not settle; 'husk is-system-running --wait' says: {said}")
            time.sleep(SETTLE_PAUSE)

    def run(self, command: str, timeout: float | None = None, on_output=None) -> Result:
        """Runs a command line in the guest: (status, stdout, stderr), the bytes as they are."""
        limit = self._left() if timeout is None else timeout
        try:
            if limit <= 0:
                raise AgentTimeout
            return self._agent.run(command, limit, on_output)
        except AgentTimeout:
            self.check_alive()
            raise self.trouble(f"'{command}' did not end within {limit:.0f} s") from None
        except AgentGone as gone:
            self.check_alive(grace=5)
            raise self.trouble(f"the guest went away during '{command}': {gone}") from None

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        self._agent.put(path, data, mode)

    def get(self, path: str) -> bytes:
        return self._agent.get(path)

    # The console

    def console_text(self) -> str:
        try:
            return self.console_log.read_bytes().decode(errors="replace").replace("\r\n", "\n")
        except FileNotFoundError:
            return ""

    def console_tail(self, lines: int = CONSOLE_TAIL) -> str:
        return "\n".join(self.console_text().rstrip().splitlines()[-lines:])

    def wait_console(self, pattern: str, timeout: float | None = None, start: int = 0) -> re.Match:
        """Until a regular expression matches the console's text after position `start`."""
        limit = self._left() if timeout is None else timeout
        deadline = time.monotonic() + limit
        while True:
            self._drop_console_output()
            ended = self._process.poll() is not None
            found = re.compile(pattern, re.M).search(self.console_text(), start)
            if found:
                return found
            if ended or time.monotonic() > deadline:
                raise self.trouble(f"the console did not show '{pattern}' within {limit:.0f} s")
            time.sleep(0.05)  # QEMU writes the log: there is no event to wait for

    def send_console(self, text: str) -> None:
        """Types on the serial console."""
        if not self._console_socket:
            self._console_socket = self._connect(lambda: _connected(self.folder / "console"))
        self._console_socket.settimeout(10)
        self._console_socket.sendall(text.encode())
        self._drop_console_output()

    def _drop_console_output(self) -> None:
        """The log has it too; unread it would stop the guest."""
        if not self._console_socket:
            return
        self._console_socket.setblocking(False)
        try:
            while self._console_socket.recv(65536):
                pass
        except BlockingIOError:
            pass

    # What a person can do to a device

    def power_button(self) -> None:
        self._qmp.execute("system_powerdown")

    def ctrl_alt_del(self) -> None:
        keys = [{"type": "qcode", "data": name} for name in ("ctrl", "alt", "delete")]
        self._qmp.execute("send-key", keys=keys)

    def reset(self) -> None:
        """The reset button: the guest starts anew, its disk as it was. Call wait_agent() next."""
        # The firmware answers a reset with one of its own, so reboots stay allowed until the agent is back.
        self._qmp.execute("set-action", reboot="reset")
        self._resetting = True
        seen = len(self._qmp.events)
        self._qmp.execute("system_reset")
        self._qmp.wait_event({"RESET"}, 60, seen)

    def wait_reset(self, timeout: float = 60) -> None:
        """Until the guest has reset itself since wait_agent(), where `on_reboot` lets it. Call wait_agent() next."""
        if not self._qmp.wait_event({"RESET"}, timeout, self._seen):
            raise self.trouble(f"the guest did not reset within {timeout:.0f} s")

    def qmp(self, command: str, **arguments):
        return self._qmp.execute(command, **arguments)

    # Trouble

    def check_alive(self, grace: float = 0) -> None:
        """GuestTrouble when the guest has ended, at the latest `grace` seconds from now."""
        event = self._qmp.wait_event({"SHUTDOWN", "GUEST_PANICKED"}, grace)
        if event is None and not self._qmp.closed:
            return
        end = self._ending(event)
        what = {End.PANIC: f"the guest panicked{self._panic_line()}", End.POWEROFF: "the guest powered off by itself",
                End.REBOOT: "the guest rebooted by itself", End.KILLED: "QEMU ended"}[end]
        error = self.trouble(what)
        error.end = end
        raise error

    def trouble(self, what: str) -> GuestTrouble:
        errors = self._qemu_errors()
        parts = [what] + ([f"QEMU says: {errors}"] if errors else [])
        tail = self.console_tail()
        parts.append(f"the console's last lines:\n{tail}" if tail else "the console is empty")
        return GuestTrouble("\n".join(parts))

    def _ending(self, event: dict | None) -> End:
        if event is None:
            return End.KILLED
        if event["event"] == "GUEST_PANICKED" or "Kernel panic" in self.console_text():
            return End.PANIC
        reason = event.get("data", {}).get("reason", "")
        return {"guest-shutdown": End.POWEROFF, "guest-reset": End.REBOOT, "guest-panic": End.PANIC}.get(
            reason, End.KILLED)

    def _panic_line(self) -> str:
        """The kernel's reason: it comes before the call trace, so that the last lines rarely have it."""
        found = re.findall(r"Kernel panic - (?:not syncing: )?(.*)", self.console_text())
        return f": {found[0]}" if found else ""

    def _qemu_errors(self) -> str:
        try:
            lines = (self.folder / "qemu.err").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return "\n".join(line for line in lines if "warning:" not in line and "terminating on signal" not in line)

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _drop_lines(self) -> None:
        for line in (self._agent_socket, self._console_socket):
            if line:
                line.close()
        self._agent_socket = self._console_socket = self._agent = None

    def _connect(self, connect):
        """QEMU makes its sockets a moment after its start."""
        deadline = time.monotonic() + 20
        while True:
            try:
                return connect()
            except (FileNotFoundError, ConnectionRefusedError, QmpError) as error:
                if self._process.poll() is not None:
                    said = self._qemu_errors() or f"status {self._process.returncode}"
                    raise HarnessError(f"QEMU did not start: {said}") from error
                if time.monotonic() > deadline:
                    raise HarnessError(f"QEMU does not open its sockets in '{self.folder}'") from error
                time.sleep(0.01)


def _connected(path: Path) -> socket.socket:
    line = socket.socket(socket.AF_UNIX)
    line.connect(str(path))
    return line


def _die_with_parent() -> None:
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
