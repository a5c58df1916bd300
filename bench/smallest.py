"""The smallest initramfs that husk boots from: the binary, and the folders that it mounts on. No modules, no units."""

import lzma
import subprocess
import tempfile
import zlib
from pathlib import Path

import figures
from huskvm import build, kernel
from huskvm.cpio import Archive
from huskvm.qemu import Config, Machine

FOLDERS = ["dev", "proc", "sys", "run"]
BOOTED = "husk: boot has settled: running"


def archive() -> bytes:
    made = Archive()
    for folder in FOLDERS:
        made.folder(folder)
    made.device("dev/console", "c", 5, 1)
    made.file("init", build.husk().read_bytes(), 0o755)
    return made.data()


def compressed(data: bytes) -> dict[str, bytes]:
    """By each of what Debian's kernels unpack (CONFIG_RD_*) and is worth a try."""
    x86 = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0,
                                        "pb": 0}]
    alone = [{"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME}]
    zstd = subprocess.run(["zstd", "--ultra", "-22", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    gzip = zlib.compressobj(9, zlib.DEFLATED, 31)
    return {"gzip": gzip.compress(data) + gzip.flush(), "zstd": zstd,
            "lzma": lzma.compress(data, lzma.FORMAT_ALONE, filters=alone),
            "xz": lzma.compress(data, lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, filters=x86)}


def best() -> tuple[str, bytes]:
    every = compressed(archive())
    kind = min(every, key=lambda name: len(every[name]))
    return kind, every[kind]


def boots(data: bytes) -> None:
    """HarnessError where it does not: the device is up when husk says that the boot has settled."""
    with tempfile.TemporaryDirectory(prefix="husk-bench-") as folder:
        file = Path(folder) / "initramfs"
        file.write_bytes(data)
        words = "console=ttyS0 loglevel=7 panic=-1 no_timer_check husk.console=none"
        with Machine(Config(kernel.get().image, file, append=words, cpus=1), 120) as machine:
            machine.start()
            machine.wait_console(BOOTED, 100)


def table() -> dict:
    data = archive()
    rows = {"the binary": [f"{build.husk().stat().st_size:,}"], "the initramfs, as it is": [f"{len(data):,}"]}
    every = compressed(data)
    rows |= {f"by {name}": [f"{len(made):,}"] for name, made in every.items()}
    boots(min(every.values(), key=len))
    return figures.texts("The smallest initramfs", ["bytes"], rows, 1, notes=[
        "The binary and the folders that it mounts on, without kernel, modules and units. xz has the filter for x86 in front, "
        "and lc=4. The smallest one boots."])
