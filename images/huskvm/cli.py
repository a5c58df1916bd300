"""images/run: the command line."""

import argparse
import os
import sys
from pathlib import Path

from . import kernel, verified
from .launch import Options, machine
from .paths import HarnessError
from .qemu import POWER_OFF_SECONDS, End, GuestTrouble

TROUBLE = 125  # the harness's own status, as docker and podman have it

EXAMPLES = """examples:
  images/run                                        the demo, and a console
  images/run --command 'husk status --json'         for CI: print, power off, exit with the command's status
  images/run --units my/units --image app=app.erofs --command 'husk status app' --command 'husk logs app'
  images/run --kernel 6.1 --file ca.pem:/etc/ssl/ca.pem --append husk.debug --console-log boot.log

Commands run once the boot has settled, in order; the status is that of the first command that failed. 125 means that
the guest panicked, hung or did not come up; the console's last lines are on stderr then. images/README.md has more."""


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="images/run", epilog=EXAMPLES, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     description="Boot husk under QEMU: the demo's units, or your own.")
    add = result.add_argument
    add("--command", action="append", default=[], metavar="LINE",
        help="run this in the guest once the boot has settled, then power off (repeatable)")
    add("--units", type=Path, metavar="DIR", help="boot these units instead of the demo's")
    add("--file", action="append", default=[], metavar="HOST:GUEST",
        help="put a file or folder into the guest (repeatable)")
    add("--image", action="append", default=[], metavar="NAME=FILE",
        help="put a container image on the state disk, for Image=NAME (repeatable)")
    add("--kernel", default=kernel.DEFAULT, metavar="6.1|6.12|PATH",
        help=f"Debian's kernel of that series, or a vmlinuz with its modules beside it (default {kernel.DEFAULT})")
    add("--module", action="append", default=[], metavar="NAME",
        help="load this kernel module at boot, too (repeatable)")
    add("--network", action="store_true", default=None,
        help="a link to QEMU's user network, as the demo's units have it")
    add("--memory", default="512M", metavar="SIZE", help="memory of the guest (default 512M)")
    add("--cpus", type=int, default=2, metavar="N", help="processors of the guest (default 2)")
    add("--timeout", type=float, default=180, metavar="SEC",
        help="with --command: the whole run may take so long (default 180)")
    add("--append", default="", metavar="ARGS", help="more words for the kernel's command line")
    add("--console-log", type=Path, metavar="FILE", help="write the serial console to this file")
    add("--disk", type=Path, metavar="FILE", help="keep the state disk in this file (default: a fresh one each run)")
    add("--verified", choices=verified.TYPES,
        help="boot a root image of this type on a disk of its own, each block checked by dm-verity")
    add("--husk", type=Path, metavar="FILE", help="the husk binary to boot (default: build it)")
    add("--icount", action="store_true",
        help="count instructions instead of time: figures that repeat on a noisy machine; emulated, one processor")
    return result


def options_of(args) -> Options:
    options = Options(
        units=args.units, kernel=args.kernel, modules=args.module, memory=args.memory, cpus=args.cpus,
        timeout=args.timeout, append=args.append, disk=args.disk, icount=args.icount, husk=args.husk,
        console_log=args.console_log, agent=bool(args.command), network=args.network, verified=args.verified)
    for text in args.file:
        source, colon, path = text.rpartition(":")
        if not colon or not source or not path.startswith("/"):
            raise HarnessError(f"--file {text}: write it as HOST:GUEST, with an absolute path in the guest")
        options.files.append((Path(source), path))
    for text in args.image:
        name, equals, file = text.partition("=")
        if not equals or not name or not file:
            raise HarnessError(f"--image {text}: write it as NAME=FILE")
        options.images[name] = Path(file)
    if args.cpus < 1:
        raise HarnessError(f"--cpus {args.cpus}: at least 1")
    return options


def interactive(options: Options) -> int:
    if sys.stdin.isatty():
        size = os.get_terminal_size(sys.stdin.fileno())
        options.terminal = (size.columns or 80, size.lines or 24)
        if os.environ.get("TERM", "").replace("-", "").isalnum():
            options.append = f"{options.append} TERM={os.environ['TERM']}".strip()
    with machine(options) as guest:
        print("images: the console follows. Ctrl-A X quits QEMU, 'husk poweroff' ends the guest.", file=sys.stderr,
              flush=True)
        return guest.run_interactive()


def forward(kind: str, data: bytes) -> None:
    stream = sys.stdout.buffer if kind == "O" else sys.stderr.buffer
    stream.write(data)
    stream.flush()


def commands(options: Options, lines: list[str]) -> int:
    """Runs the lines in order; the first bad status counts."""
    status = 0
    with machine(options) as guest:
        guest.start()
        guest.wait_agent()
        guest.settle()
        for index, line in enumerate(lines):
            try:
                done = guest.run(line, on_output=forward)
            except GuestTrouble as trouble:
                # A command may well be 'husk poweroff'; only then may the guest be off, and only after the last one.
                if getattr(trouble, "end", None) is End.POWEROFF and index == len(lines) - 1:
                    return status
                raise
            status = status or done.status
        power_off(guest)
    return status


def power_off(guest) -> None:
    try:
        guest.run("husk poweroff", POWER_OFF_SECONDS)
    except GuestTrouble as trouble:
        if getattr(trouble, "end", None) is not End.POWEROFF:
            raise
    end = guest.wait_exit(POWER_OFF_SECONDS)
    if end is not End.POWEROFF:
        raise guest.trouble(f"'husk poweroff' ended in: {end.value}")


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    try:
        options = options_of(args)
        return commands(options, args.command) if args.command else interactive(options)
    except HarnessError as error:
        print(f"images/run: {error}", file=sys.stderr)
        return TROUBLE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
