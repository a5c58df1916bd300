"""The host's end of the agent protocol. images/agent/agent.cc is the other one and says what a frame looks like."""

import struct
import time
import zlib
from typing import NamedTuple

MAGIC = b"hAg1"
HEADER = struct.Struct("<4sB3xIIII")
MAX_PAYLOAD = 65535
PUT_CHUNK = 16384  # less than the guest's terminal layer can hold: nothing is sent on before it is acknowledged
IDLE_SECONDS = 0.5


class Frame(NamedTuple):
    kind: str
    id: int
    payload: bytes


class Result(NamedTuple):
    """What a command did: exit status as a shell counts it (128 + signal), and its output byte by byte."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode(errors="replace")


class AgentTimeout(Exception):
    """No answer in time."""


class AgentGone(Exception):
    """The line was closed: the guest ended."""


def encode(kind: str, request: int, payload: bytes = b"") -> bytes:
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a payload of {len(payload)} bytes is longer than {MAX_PAYLOAD}")
    head = struct.pack("<4sB3xIII", MAGIC, ord(kind), request, len(payload), zlib.crc32(payload))
    return head + struct.pack("<I", zlib.crc32(head)) + payload


class Decoder:
    """Takes bytes as they come, gives whole frames; skips everything that is none."""

    def __init__(self):
        self._buffer = b""

    def feed(self, data: bytes) -> list[Frame]:
        self._buffer += data
        frames = []
        while True:
            start = self._buffer.find(MAGIC)
            if start < 0:
                self._buffer = self._buffer[-(len(MAGIC) - 1):]
                return frames
            self._buffer = self._buffer[start:]
            if len(self._buffer) < HEADER.size:
                return frames
            _, kind, request, length, payload_crc, head_crc = HEADER.unpack_from(self._buffer)
            if zlib.crc32(self._buffer[: HEADER.size - 4]) != head_crc or length > MAX_PAYLOAD:
                self._buffer = self._buffer[1:]
                continue
            end = HEADER.size + length
            if len(self._buffer) < end:
                return frames
            payload = self._buffer[HEADER.size : end]
            if zlib.crc32(payload) != payload_crc:
                self._buffer = self._buffer[1:]
                continue
            frames.append(Frame(chr(kind), request, payload))
            self._buffer = self._buffer[end:]


class Agent:
    """Requests over a connected socket (or anything with send, recv and settimeout)."""

    def __init__(self, line, on_idle=lambda: None):
        """`on_idle` is called while nothing comes, twice a second; it may raise to end the wait."""
        self._line = line
        self._on_idle = on_idle
        self._decoder = Decoder()
        self._pending: list[Frame] = []
        self._last_id = 0

    def wait_ready(self, timeout: float) -> None:
        """Until the guest's agent has said hello; again after a reset of the guest."""
        deadline = time.monotonic() + timeout
        self._pending.clear()
        while True:
            self._last_id += 1
            self._send(encode("P", self._last_id), deadline)
            pause = min(deadline, time.monotonic() + 3)
            try:
                while True:
                    frame = self._receive(pause)
                    if frame.kind == "H":
                        self._settle_ping(frame, deadline)
                        return
            except AgentTimeout:
                if time.monotonic() >= deadline:
                    raise

    def _settle_ping(self, frame: Frame, deadline: float) -> None:
        """A hello that nobody asked for may be followed by the answer to an earlier ping: take it off the line."""
        if frame.id == 0:
            self._last_id += 1
            self._send(encode("P", self._last_id), deadline)
            while frame.id != self._last_id:
                frame = self._receive(deadline)

    def run(self, command: str, timeout: float, on_output=None) -> Result:
        """Runs a command line in the guest. `on_output(kind, bytes)` sees output as it comes, kind 'O' or 'E'."""
        return self._request("R", command.encode(), timeout, on_output)

    def put(self, path: str, data: bytes, mode: int = 0o644, timeout: float = 60) -> None:
        for at in range(0, max(len(data), 1), PUT_CHUNK):
            head = struct.pack("<IB", mode, at > 0) + path.encode() + b"\0"
            done = self._request("W", head + data[at : at + PUT_CHUNK], timeout)
            if done.status:
                raise OSError(done.status, f"guest cannot write '{path}'")

    def get(self, path: str, timeout: float = 60) -> bytes:
        done = self._request("G", path.encode(), timeout)
        if done.status:
            raise OSError(done.status, f"guest cannot read '{path}'")
        return done.stdout

    def _request(self, kind, payload, timeout, on_output=None) -> Result:
        deadline = time.monotonic() + timeout
        self._last_id += 1
        request = self._last_id
        self._send(encode(kind, request, payload), deadline)
        output = {"O": [], "E": []}
        while True:
            try:
                frame = self._receive(deadline)
            except AgentTimeout:
                self._abandon(request)
                raise
            if frame.kind == "H" and frame.id == 0:
                raise AgentGone("the guest's agent started anew: the guest was reset")
            if frame.id != request:
                continue
            if frame.kind in output:
                output[frame.kind].append(frame.payload)
                if on_output:
                    on_output(frame.kind, frame.payload)
            elif frame.kind == "X":
                status = struct.unpack("<i", frame.payload[:4])[0]
                return Result(status, b"".join(output["O"]), b"".join(output["E"]))

    def _abandon(self, request: int) -> None:
        """Kills what runs too long, so that the next request finds the agent free."""
        try:
            deadline = time.monotonic() + 5
            self._send(encode("K", 0), deadline)
            while True:
                frame = self._receive(deadline)
                if frame.kind == "X" and frame.id == request:
                    return
        except (AgentTimeout, AgentGone):
            pass

    def _send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            self._line.settimeout(_left(deadline))
            try:
                view = view[self._line.send(view):]
            except TimeoutError:
                raise AgentTimeout("the guest does not take the request") from None
            except OSError as error:
                raise AgentGone(str(error)) from error

    def _receive(self, deadline: float) -> Frame:
        while not self._pending:
            self._line.settimeout(min(IDLE_SECONDS, _left(deadline)))
            try:
                data = self._line.recv(65536)
            except TimeoutError:
                self._on_idle()
                continue
            except OSError as error:
                raise AgentGone(str(error)) from error
            if not data:
                raise AgentGone("the guest ended")
            self._pending += self._decoder.feed(data)
        return self._pending.pop(0)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise AgentTimeout("no answer from the guest's agent in time")
    return left
