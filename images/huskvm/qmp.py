"""QEMU's machine protocol over a unix socket: commands with their answers, and events as they come."""

import json
import socket
import threading
import time
from pathlib import Path


class QmpError(Exception):
    pass


class Qmp:
    """One connection. A thread reads; events pile up in `events` until the connection ends."""

    def __init__(self, path: Path, timeout: float = 10):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rb")
        self._changed = threading.Condition()
        self._answers: list[dict] = []
        self.events: list[dict] = []
        self.closed = False
        if "QMP" not in json.loads(self._file.readline() or b"{}"):
            raise QmpError("QEMU's greeting is missing")
        self._socket.settimeout(None)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.execute("qmp_capabilities")

    def execute(self, command: str, timeout: float = 30, **arguments):
        """The answer's 'return'; QmpError when QEMU refuses or is gone."""
        request = {"execute": command, **({"arguments": arguments} if arguments else {})}
        with self._changed:
            try:
                self._socket.sendall(json.dumps(request).encode() + b"\n")
            except OSError as error:
                raise QmpError(f"{command}: {error}") from error
            if not self._changed.wait_for(lambda: self._answers or self.closed, timeout):
                raise QmpError(f"{command}: no answer within {timeout} s")
            if not self._answers:
                raise QmpError(f"{command}: QEMU ended")
            answer = self._answers.pop(0)
        if "error" in answer:
            raise QmpError(f"{command}: {answer['error'].get('desc')}")
        return answer.get("return")

    def wait_event(self, names: set[str], timeout: float, start: int = 0) -> dict | None:
        """The first event of these names after the `start`th, also one that came already. None when there is none in
        time or the connection ended without one."""
        deadline = time.monotonic() + timeout

        def found():
            return next((event for event in self.events[start:] if event["event"] in names), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or self.closed, max(0, deadline - time.monotonic()))
            return found()

    def close(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._reader.join(5)
        self._socket.close()

    def _read(self) -> None:
        try:
            for line in self._file:
                message = json.loads(line)
                with self._changed:
                    (self.events if "event" in message else self._answers).append(message)
                    self._changed.notify_all()
        except (OSError, ValueError):
            pass
        with self._changed:
            self.closed = True
            self._changed.notify_all()
