"""`husk top` on a terminal of 80x24, as a serial console has it: what a screen shows of its bytes."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

import pid1_namespace as ns
from test_containers import device, unit  # noqa: F401: a fixture

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces and mounts"),
    pytest.mark.skipif(not ns.binary().exists(), reason=f"{ns.binary()} is not built"),
]

LIMIT = 30
UNITS = 30


class Screen:
    """As a VT100: the cursor stays on the last column until the next letter, and erasing there takes that letter."""

    SEQUENCE = re.compile(rb"\x1b\[(\??)([0-9;]*)([A-Za-z])")

    def __init__(self, rows: int, columns: int):
        self.cursor_shown = True
        self.resize(rows, columns)

    def resize(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.wraps = False

    def lines(self) -> list[str]:
        return ["".join(cells).rstrip() for cells in self.cells]

    def feed(self, data: bytes) -> bytes:
        """What is not whole yet."""
        while data:
            if data[0] == 0x1b:
                found = self.SEQUENCE.match(data)
                if not found:
                    assert len(data) < 20, data[:20]
                    return data
                self.control(found[1] == b"?", found[2].decode(), found[3].decode())
                data = data[found.end():]
                continue
            size = 1 if data[0] < 0x80 else 2 if data[0] < 0xe0 else 3 if data[0] < 0xf0 else 4
            if len(data) < size:
                return data
            self.put(data[:size].decode())
            data = data[size:]
        return b""

    def put(self, letter: str) -> None:
        assert letter.isprintable(), repr(letter)
        assert not self.wraps, f"goes beyond column {self.columns} with {letter!r}: {self.lines()[self.row]}"
        self.cells[self.row][self.column] = letter
        self.wraps = self.column == self.columns - 1
        self.column += not self.wraps

    def control(self, private: bool, numbers: str, letter: str) -> None:
        if private:
            assert numbers == "25"
            self.cursor_shown = letter == "h"
        elif letter == "H":
            row, column = [int(number) for number in (numbers or "1;1").split(";")]
            assert row <= self.rows and column <= self.columns, f"{row};{column} is not on the screen"
            self.row, self.column, self.wraps = row - 1, column - 1, False
        elif letter == "J":
            assert numbers == "2"
            self.cells = [[" "] * self.columns for _ in range(self.rows)]
        elif letter == "K":
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
        else:
            assert letter == "m", letter


class Terminal:
    def __init__(self, found, *words: str, rows: int = 24, columns: int = 80):
        self.master, self.slave = pty.openpty()
        self.screen = Screen(rows, columns)
        self.set_size(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.rest = b""
        environment = os.environ | {"HUSK_RUN": f"/proc/{found.host_pid}/root/run/husk", "TERM": "vt100"}
        self.client = subprocess.Popen(
            [ns.binary(), "top", "-d", "200ms", *words], stdin=self.slave, stdout=self.slave, stderr=self.slave,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), env=environment)

    def set_size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds: float) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            self.rest = self.screen.feed(self.rest + os.read(self.master, 65536))

    def wait(self, wanted, what: str) -> list[str]:
        until = time.monotonic() + LIMIT
        while not wanted(self.screen.lines()):
            assert time.monotonic() < until, what + "\n" + "\n".join(self.screen.lines())
            self.read(0.1)
        return self.screen.lines()

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def ended(self) -> int:
        """Its exit status; the terminal has to be as it was."""
        code = self.client.wait(LIMIT)
        while select.select([self.master], [], [], 0)[0]:
            self.read(0)
        assert termios.tcgetattr(self.slave) == self.before
        assert self.screen.cursor_shown and self.screen.lines() == [""] * self.screen.rows
        assert (self.screen.row, self.screen.column) == (0, 0)
        return code


@pytest.fixture
def full(device):
    units = {f"unit-with-a-name-that-is-long-{i:02}": unit("sleep 1000") for i in range(UNITS)}
    return device(units)


def is_full(lines: list[str]) -> bool:
    """The last line of a screen of 80 columns is drawn to its end."""
    return len(lines[-1]) == 80


def test_it_fits_a_screen_follows_keys_and_leaves_nothing_behind(full):
    top = Terminal(full)
    lines = top.wait(is_full, "the first round")
    assert lines[0].startswith(f"{UNITS} units, {UNITS} run; running; up ") and lines[0].endswith("by CPU (c m t i n p, q)")
    assert lines[1] == ""
    assert lines[2].split() == ["UNIT", "STATE", "CPU", "MEMORY", "TASKS", "READ/s", "WRITE/s", "PSI"]
    assert lines[2].endswith(" PSI") and len(lines[2]) == 80, "its last letter is not erased"
    assert all(re.match(r"unit-with-a-nam… running  ", line) for line in lines[3:]), lines
    assert len(lines) == 24
    for key, name in (b"m", "memory"), (b"t", "tasks"), (b"i", "IO"), (b"n", "network"), (b"p", "PSI"), (b"c", "CPU"):
        top.press(key)
        top.wait(lambda now: f"; by {name} (" in now[0], f"key {key}")
    top.press(b"xyz\x1b[A")  # what is no key is nothing
    top.press(b"m")
    top.wait(lambda now: "; by memory (" in now[0], "after other keys")
    assert not top.screen.cursor_shown
    top.press(b"q")
    assert top.ended() == 0


def test_a_new_size_is_drawn_at_once(full):
    top = Terminal(full, "-d", "1h")
    top.wait(is_full, "the first round")
    for rows, columns in (10, 60), (40, 120), (24, 80), (4, 40):
        top.screen.resize(rows, columns)
        top.set_size(rows, columns)
        filled = min(rows, UNITS + 3)
        # To the end, or the rest of it would come when the screen has another size already.
        lines = top.wait(lambda now: top.screen.row == filled - 1 and 0 < len(now[2]) == len(now[filled - 1]), f"{columns}x{rows}")
        assert all(not line for line in lines[UNITS + 3:])
    top.press(b"q")
    assert top.ended() == 0


@pytest.mark.parametrize("end", ["ctrl-c", "SIGTERM", "SIGHUP"])
def test_the_terminal_is_as_it_was_however_it_ends(full, end):
    top = Terminal(full)
    top.wait(is_full, "the first round")
    assert termios.tcgetattr(top.slave) != top.before
    if end == "ctrl-c":
        top.press(b"\x03")
    else:
        top.client.send_signal(getattr(signal, end))
    assert top.ended() == 0


def test_a_supervisor_that_is_gone_for_a_moment_is_said(full):
    top = Terminal(full)
    top.wait(is_full, "the first round")
    full.kill_supervisor(signal.SIGSTOP)
    full.kill_supervisor(signal.SIGKILL)
    top.press(b"m")
    top.wait(lambda now: "; by memory (" in now[0] and is_full(now), "it goes on")
    top.press(b"q")
    assert top.ended() == 0
