"""dm-verity for image files: the hash tree behind the file system, in the same file, where husk looks for it."""

import hashlib
import re
import subprocess
from pathlib import Path

from .paths import HarnessError

BLOCK = 4096
UUID = "68757368-0000-4000-8000-766572697479"  # the same for every image: same content, same bytes


def file_system_size(image: Path) -> int:
    """As its header says: an erofs has blocks, a squashfs has bytes."""
    with open(image, "rb") as file:
        head = file.read(BLOCK)
    if head[:4] == b"hsqs":
        return int.from_bytes(head[40:48], "little")
    if int.from_bytes(head[1024:1028], "little") == 0xE0F5E1E2:
        return int.from_bytes(head[1060:1064], "little") << head[1036]
    raise HarnessError(f"'{image}' is neither erofs nor squashfs")


def append(image: Path) -> str:
    """Makes the tree in the file itself and returns the root hash."""
    data = -(-file_system_size(image) // BLOCK) * BLOCK
    with open(image, "r+b") as file:
        file.truncate(data)
        salt = hashlib.sha256(file.read()).hexdigest()
    return make(image, image, f"--hash-offset={data}", f"--data-blocks={data // BLOCK}", f"--salt={salt}")


def make(data: Path, tree: Path, *options: str) -> str:
    command = ["veritysetup", "format", f"--uuid={UUID}", *options, str(data), str(tree)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        raise HarnessError("there is no veritysetup: run toolchain/bootstrap (or apt-get install cryptsetup-bin)") from None
    found = re.search(r"Root hash:\s*([0-9a-f]+)", done.stdout)
    if done.returncode != 0 or not found:
        raise HarnessError(f"veritysetup failed for '{data}':\n{done.stdout.strip()}")
    return found[1]
