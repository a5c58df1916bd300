"""The agent protocol: framing by itself, and the real program on a pseudo terminal."""

import os
import pty
import random
import select
import subprocess
import tty
from pathlib import Path

import pytest
from huskvm import agent
from huskvm.paths import IMAGES


def test_frames_come_back_however_they_are_cut():
    data = agent.encode("O", 7, b"a\0b") + agent.encode("X", 7, b"\3\0\0\0")
    decoder = agent.Decoder()
    frames = [frame for byte in data for frame in decoder.feed(bytes([byte]))]
    assert frames == [("O", 7, b"a\0b"), ("X", 7, b"\3\0\0\0")]


def test_garbage_between_frames_is_skipped():
    frame = agent.encode("O", 1, b"x")
    noise = b"\r\nKernel panic hAg" + agent.MAGIC + b"\xff" * 40 + frame[:10]
    assert agent.Decoder().feed(noise + frame + noise + frame) == [("O", 1, b"x")] * 2


def test_a_damaged_payload_is_no_frame():
    damaged = bytearray(agent.encode("O", 1, b"hello"))
    damaged[-1] ^= 1
    decoder = agent.Decoder()
    assert decoder.feed(bytes(damaged)) == []
    assert decoder.feed(agent.encode("O", 2, b"next")) == [("O", 2, b"next")]


def test_random_bytes_never_make_a_frame_or_an_error():
    source = random.Random(1)
    decoder = agent.Decoder()
    assert [frame for _ in range(200) for frame in decoder.feed(source.randbytes(500))] == []


class Line:
    """A pseudo terminal's master with a socket's methods."""

    def __init__(self, fd):
        self.fd, self._timeout = fd, None

    def settimeout(self, seconds):
        self._timeout = seconds

    def recv(self, size):
        if not select.select([self.fd], [], [], self._timeout)[0]:
            raise TimeoutError
        return os.read(self.fd, size)

    def send(self, data):
        if not select.select([], [self.fd], [], self._timeout)[1]:
            raise TimeoutError
        return os.write(self.fd, data[:1024])


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("agent") / "husk-agent"
    subprocess.run(["g++", "-std=c++23", "-O1", "-fno-exceptions", "-fno-rtti", "-fsanitize=address,undefined",
                    "-o", str(path), str(IMAGES / "agent/agent.cc")], check=True)
    return path


@pytest.fixture
def guest(program):
    master, slave = pty.openpty()
    tty.setraw(master)
    process = subprocess.Popen([program, os.ttyname(slave)], stdin=subprocess.DEVNULL)
    line = agent.Agent(Line(master))
    line.wait_ready(20)
    line.fd = master
    yield line
    process.kill()
    process.wait()
    os.close(master)
    os.close(slave)


def test_status_stdout_and_stderr_come_apart_and_exact(guest):
    assert guest.run(r"printf 'a\000\r\n\377'; printf err >&2; exit 3", 10) == (3, b"a\0\r\n\xff", b"err")


def test_a_command_killed_by_a_signal_counts_as_in_a_shell(guest):
    assert guest.run("kill -9 $$", 10).status == 137


def test_output_longer_than_any_buffer_arrives_whole(guest):
    assert guest.run("seq 100000", 60).stdout == "".join(f"{i}\n" for i in range(1, 100001)).encode()


def test_stdin_is_empty(guest):
    assert guest.run("cat; echo end", 10).stdout == b"end\n"


def test_output_is_seen_as_it_comes(guest):
    seen = []
    guest.run("echo out; echo err >&2", 10, lambda kind, data: seen.append((kind, data)))
    assert sorted(seen) == [("E", b"err\n"), ("O", b"out\n")]


def test_what_runs_too_long_is_killed_and_the_next_command_works(guest):
    with pytest.raises(agent.AgentTimeout):
        guest.run("sleep 1000", 0.5)
    assert guest.run("echo again", 10).stdout == b"again\n"


def test_a_background_child_does_not_hold_up_the_answer(guest):
    assert guest.run("sleep 1000 & echo started", 10).stdout == b"started\n"


def test_garbage_on_the_line_does_not_matter(guest):
    source = random.Random(2)
    for _ in range(20):
        os.write(guest.fd, source.randbytes(1000))
    os.write(guest.fd, agent.encode("R", 99, b"echo no")[:30])
    assert guest_after_noise(guest) == b"still here\n"


def guest_after_noise(guest):
    """A frame cut short is given up after two seconds, so the first try may be lost in it."""
    guest.wait_ready(20)
    return guest.run("echo still here", 10).stdout


def test_files_go_in_and_out(guest, tmp_path: Path):
    data = random.Random(3).randbytes(50000)
    guest.put(str(tmp_path / "f"), data, 0o600)
    assert guest.get(str(tmp_path / "f")) == data
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileNotFoundError):
        guest.get(str(tmp_path / "none"))
