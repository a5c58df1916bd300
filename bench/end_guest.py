"""The end in a guest: of all containers by one command, and of the device."""

import re
import tempfile
from pathlib import Path

import boot_guest
import device_guest
import figures
import guest
from huskvm import HarnessError

SIZES = (10, 100)


def seconds(text: str, line: str) -> float:
    """When the kernel's log has a line, on the console."""
    found = re.findall(rf"^\[\s*([0-9.]+)\].*{line}", text, re.M)
    if not found:
        raise HarnessError(f"the console has no line '{line}':\n{text[-2000:]}")
    return float(found[-1])


def ends(count: int) -> tuple[guest.Span, guest.Span]:
    """Of `husk stop '*'`, from the client's beginning to its end; and, with all running again, of `husk poweroff`."""
    with tempfile.TemporaryDirectory(prefix="husk-bench-") as folder:
        given = boot_guest.husk(Path(folder), boot_guest.CONTAINER, count)
        with guest.counted(Path(folder), count=count, agent=True, timeout=600, **given) as running:
            running.wait(guest.PROGRAM, count, 500)
            machine = running.machine
            machine.wait_agent()
            device = device_guest.Device(machine, running)
            stop = guest.between(*device.deed("husk", "stop", "'*'", marks=2))
            device.run("husk start '*' >/dev/null; sleep 2")
            seen = len(running.marks())
            device.run("/bench/deed husk poweroff")
            last = running.end()
            begun = running.marks()[seen]
            took = seconds(machine.console_text(), "Power down") - seconds(machine.console_text(), "bench: deed")
    user, kernel = last.user - begun.user, last.kernel - begun.kernel
    return stop, guest.Span(user, kernel, last.calls - begun.calls, round(took * 1e9) - user - kernel)


def row(span: guest.Span) -> list[str]:
    return [f"{span.instructions / 1e6:.2f}", f"{span.user / 1e6:.3f}", f"{span.calls}", f"{span.idle / 1e6:.1f}",
            f"{(span.instructions + span.idle) / 1e6:.1f}"]


def measure(sizes: list[int] | None) -> list[dict]:
    rows = {}
    for count in sizes or SIZES:
        stop, shutdown = ends(count)
        rows |= {f"husk stop of {count} containers": row(stop), f"husk poweroff with {count} containers": row(shutdown)}
    return [figures.texts("The end of containers and of the device", [
        "million instructions", "of them in programs", "system calls", "idle, ms of the guest's time", "all, ms of it"], rows, 1,
        notes=["The program has no handler of SIGTERM, and as process 1 of its namespace it does not get it: so it is what "
               "husk does about that.", "A shutdown ends with the kernel's word that the power goes."])]
