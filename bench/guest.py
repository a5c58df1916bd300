"""A guest whose instructions are counted, those of programs and of the kernel apart, and how long it waited.

QEMU runs with -icount shift=0,sleep=off: an instruction takes a nanosecond of the guest's time, and time in which
nothing runs is skipped, but passes. `host/count.c` counts what is executed; what the guest's clock has more is idle."""

import contextlib
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from huskvm import HarnessError, boot, initramfs, kernel
from huskvm.paths import build_dir
from huskvm.qmp import QmpError

BENCH = Path(__file__).resolve().parent
KERNEL = "6.12"
BEGIN, PROGRAM, OTHER = 3, 4, 5  # kinds of marks, mark.h
END = 255  # the counter's own, when QEMU ends
# The kernel lays itself and its heap out anew at each boot but for these.
APPEND = "nokaslr"


@dataclass
class Mark:
    kind: int
    user: int  # instructions until then
    kernel: int
    calls: int  # of programs to the kernel
    time: int  # ns of the guest's clock


@dataclass
class Span:
    """What lies between two marks."""

    user: int
    kernel: int
    calls: int
    idle: int  # ns

    @property
    def instructions(self) -> int:
        return self.user + self.kernel


def between(first: Mark, last: Mark) -> Span:
    user, kernel = last.user - first.user, last.kernel - first.kernel
    if first.time < 0 or last.time < 0:
        raise HarnessError("a mark's time was torn by another program's: once more")
    return Span(user, kernel, last.calls - first.calls, last.time - first.time - user - kernel)


def _old(target: Path, *sources: Path) -> bool:
    return not target.exists() or target.stat().st_mtime < max(source.stat().st_mtime for source in sources)


def compile_programs() -> None:
    """What runs in guests, and the counter, where they are older than their sources."""
    out = build_dir() / "bench"
    out.mkdir(parents=True, exist_ok=True)
    compiler = build_dir() / "toolchain" / os.environ.get("ARCH", "x86_64") / "bin/husk-cc"
    for name in ("stamp", "first", "bare", "deed"):
        if _old(out / name, BENCH / f"{name}.c", BENCH / "mark.h", BENCH / "bare.h"):
            subprocess.run([compiler, "-Os", "-fPIE", "-s", "-o", out / name, BENCH / f"{name}.c"], check=True)
    if _old(out / "libcount.so", BENCH / "host/count.c", BENCH / "mark.h"):
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", out / "libcount.so",
                        BENCH / "host/count.c"], check=True)


class Counted:
    """A guest that runs, and the marks of its programs."""

    def __init__(self, machine, out: Path):
        self.machine, self._out = machine, out

    def marks(self) -> list[Mark]:
        text = self._out.read_text()
        return [Mark(*map(int, line.split())) for line in text[: text.rfind("\n") + 1].splitlines()]

    def wait(self, kind: int, count: int, timeout: float) -> list[Mark]:
        """All marks, when there are so many of one kind."""
        until = time.monotonic() + timeout
        while True:
            marks = self.marks()
            found = sum(mark.kind == kind for mark in marks)
            if found >= count:
                return marks
            if time.monotonic() > until:
                raise self.machine.trouble(f"{found} of {count} marks of kind {kind} within {timeout:.0f} s")
            self.machine.check_alive()
            time.sleep(0.05)  # a file that QEMU writes: there is no event to wait for


    def end(self) -> Mark:
        """When the guest has powered off: what was executed until then. Without a time."""
        until = time.monotonic() + 200
        while self.machine.qmp("query-status")["status"] != "shutdown":
            if time.monotonic() > until:
                raise self.machine.trouble("the guest does not power off")
            time.sleep(0.1)
        with contextlib.suppress(QmpError):
            self.machine.qmp("quit")  # whose answer may be lost
        while (last := self.marks()[-1]).kind != END:
            if time.monotonic() > until:
                raise HarnessError("QEMU did not end when it was told to")
            time.sleep(0.05)
        return last


def bare_kernel() -> str:
    """The kernel as if all of it were built in, so that no module's signature is checked, which takes 18 million
    instructions each."""
    image = kernel.get(KERNEL).image
    link = build_dir() / "bench/kernel/vmlinuz"
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(image)
    return str(link)


class counted:
    """A context: boots a guest with /init as the one that begins, and counts. `init` is what that becomes."""

    def __init__(self, folder: Path, init: str, *, argument: str = "", count: int = 0, kind: str = "",
                 profile: Path | None = None, append: str = "", timeout: float = 300, agent: bool = False, **options):
        """`agent`: one that answers when the boot is long over, and does nothing before."""
        self._out = folder / "marks"
        self._out.write_text("")
        words = {"BENCH_INIT": init, "BENCH_ARGUMENT": argument, "BENCH_COUNT": count, "BENCH_KIND": kind,
                 "BENCH_AGENT": initramfs.AGENT if agent else ""}
        given = " ".join(f"{name}={value}" for name, value in words.items() if value != "")
        more = f",profile={profile},programs={count}" if profile else ""
        files = [*options.pop("files", []), (build_dir() / "bench/first", "/init")]
        options.setdefault("kernel", bare_kernel())
        self._boot = boot(wait="started", icount=True, state=False, timeout=timeout, files=files,
                          append=f"{given} {APPEND} {append}".rstrip(),
                          qemu_args=["-plugin", f"{build_dir()}/bench/libcount.so,out={self._out}{more}"], **options)

    def __enter__(self) -> Counted:
        return Counted(self._boot.__enter__(), self._out)

    def __exit__(self, *error):
        return self._boot.__exit__(*error)
