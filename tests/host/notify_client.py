"""A program under husk: does what the test appends to /shared/commands, with the real libsystemd."""

import ctypes
import os
import resource
import socket
import struct
import sys
import time

library = ctypes.CDLL("libsystemd.so.0")
COMMANDS = "/shared/commands"


def say(*words):
    print(*words, flush=True)


def notify(text: str) -> int:
    return library.sd_notify(0, text.encode())


def notify_as(pid: int, text: str) -> int:
    return library.sd_pid_notify(pid, 0, text.encode())


def send(text: str, *fds: int) -> int:
    array = (ctypes.c_int * len(fds))(*fds)
    return library.sd_pid_notify_with_fds(0, 0, text.encode(), array, len(fds))


def barrier(seconds: float = 10) -> int:
    return library.sd_notify_barrier(0, ctypes.c_uint64(int(seconds * 1e6)))


def raw(data: bytes, times: int = 1) -> int:
    """Datagrams as they are, without libsystemd; how many went."""
    out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for i in range(times):
        out.sendto(data, os.environ["NOTIFY_SOCKET"])
    return times


def raw_to(path: str, data: bytes) -> int:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(data, path)


def forge(path: str, pid: int, user: int, data: bytes) -> int:
    """With another's credentials, as far as the kernel lets it."""
    out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender = struct.pack("iii", pid, user, user)
    return out.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, sender)], 0, path)


def stored() -> str:
    names = ctypes.POINTER(ctypes.c_char_p)()
    count = library.sd_listen_fds_with_names(0, ctypes.byref(names))
    return " ".join(f"{3 + i}={names[i].decode()}" for i in range(count))


def watchdog() -> str:
    every = ctypes.c_uint64()
    return f"{library.sd_watchdog_enabled(0, ctypes.byref(every))} {every.value}"


def in_child(what: str) -> None:
    """In a process of its own, which is gone afterwards."""
    if os.fork() == 0:
        exec(what, globals())
        os._exit(0)
    os.wait()


def monotonic() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


say("up", os.getpid())
seen = os.path.getsize(COMMANDS) if "--skip" in sys.argv else 0
while True:
    with open(COMMANDS) as file:
        file.seek(seen)
        text = file.read()
    complete = text[:text.rfind("\n") + 1]
    seen += len(complete)
    for line in complete.splitlines():
        try:
            say(">", line, "->", eval(line, globals()))
        except SyntaxError:
            exec(line, globals())
            say(">", line, "-> done")
        except Exception as error:
            say(">", line, "->", repr(error))
    time.sleep(0.01)  # the other side of a read-only volume cannot be waited for
