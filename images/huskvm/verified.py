"""A guest whose root is an image that dm-verity checks, behind an initramfs that only leads there: docs/verified-root.md."""

import subprocess
from pathlib import Path

from . import initramfs, kernel, rootfs, verity
from .cpio import Archive, Tree
from .paths import HarnessError

TYPES = ("erofs", "squashfs")


def build(guest: initramfs.Guest, kind: str, image: Path, leader: Path) -> str:
    """Writes the root image, with its hash tree behind it, and the initramfs; gives the root hash."""
    if kind not in TYPES:
        raise HarnessError(f"--verified {kind}: {' or '.join(TYPES)}")
    root = image.with_suffix(".root")
    tree = Tree(root)
    initramfs.fill(tree, guest)
    if guest.kernel.modules:
        for path, data in kernel.pruned(guest.kernel, initramfs.module_names(guest)).items():
            tree.file(f"lib/modules/{guest.kernel.version}/{path}", data)
    if kind == "erofs":
        rootfs.make_erofs(root, image)
    else:
        make_squashfs(root, image)
    _build_leader(guest, kind, leader)
    return verity.append(image)


def make_squashfs(root: Path, image: Path, *options: str) -> None:
    command = ["mksquashfs", str(root), str(image), "-noappend", "-all-root", "-no-progress", *options]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        raise HarnessError("there is no mksquashfs: run toolchain/bootstrap (or apt-get install squashfs-tools)") from None
    if done.returncode != 0:
        raise HarnessError(f"mksquashfs failed for '{image}':\n{done.stdout.strip()}")


def _build_leader(guest: initramfs.Guest, kind: str, target: Path) -> None:
    """husk and what it takes to come to the root: no settings, no units, no shell."""
    archive = Archive()
    archive.device("dev/console", "c", 5, 1)
    archive.file("init", guest.husk.read_bytes(), 0o755)
    modules = initramfs.modules_part(guest.kernel, ["virtio_pci", "virtio_blk", "dm_verity", kind])
    target.write_bytes(modules + archive.data())
