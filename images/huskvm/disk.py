"""The state disk: ext4 made from a folder, without a loop mount and without root.

Holds images/NAME.erofs and volumes/. Made once per set of images and kept as a template; a run works on a sparse copy.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .paths import HarnessError, image_lock, images_dir

FREE_BYTES = 256 << 20  # room for volumes
KEPT_TEMPLATES = 8


def prepare(images: dict[str, Path], target: Path) -> None:
    """A fresh disk with these images (name -> file) as the file `target`."""
    template = _template(images)
    done = subprocess.run(["cp", "--reflink=auto", "--sparse=always", str(template), str(target)],
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise HarnessError(f"cannot make the state disk '{target}': {done.stderr.strip()}")


def refresh(images: dict[str, Path], disk: Path) -> None:
    """Puts the images on a disk that exists already; volumes stay. Makes the disk if there is none."""
    if not disk.exists() or disk.stat().st_size == 0:
        disk.parent.mkdir(parents=True, exist_ok=True)
        prepare(images, disk)
        return
    # A disk that lost power has a journal to replay first.
    check = subprocess.run(["e2fsck", "-p", str(disk)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check.returncode > 1:
        raise HarnessError(f"the disk '{disk}' needs repair or is no ext4 disk: {check.stdout.strip()}\n"
                           f"run 'e2fsck -f {disk}', or remove it to start with a fresh one")
    with tempfile.TemporaryDirectory(prefix="husk-") as folder:
        lines = []
        for name, file in images.items():
            if _on_disk(disk, name, Path(folder) / "old") != digest(file):
                guest = f"/images/{_file_name(name, file)}"
                lines += [f"rm {guest}", f"write {file} {guest}", f"sif {guest} uid 0", f"sif {guest} gid 0"]
                stamp = Path(folder) / f"{name}.sum"
                stamp.write_text(digest(file))
                lines += [f"rm /images/.{name}.sum", f"write {stamp} /images/.{name}.sum"]
        if not lines:
            return
        script = Path(folder) / "script"
        script.write_text("\n".join(lines) + "\n")
        done = subprocess.run(["debugfs", "-w", "-f", str(script), str(disk)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        trouble = [line for line in done.stdout.splitlines() if "No space" in line or "Could not" in line]
        if done.returncode != 0 or trouble:
            raise HarnessError(f"cannot put images on '{disk}': {' '.join(trouble) or done.stdout.strip()}")


def digest(file: Path) -> str:
    with open(file, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _on_disk(disk: Path, name: str, scratch: Path) -> str:
    scratch.unlink(missing_ok=True)
    subprocess.run(["debugfs", "-R", f"dump /images/.{name}.sum {scratch}", str(disk)],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return scratch.read_text() if scratch.exists() else ""


def _file_name(name: str, file: Path) -> str:
    """A name with a known ending is taken as it is; otherwise the type of the content tells the ending."""
    if name.endswith((".erofs", ".squashfs", ".roothash", ".verity")):
        return name
    with open(file, "rb") as handle:
        magic = handle.read(4)
    return f"{name}.squashfs" if magic == b"hsqs" else f"{name}.erofs"


def _template(images: dict[str, Path]) -> Path:
    for name, file in images.items():
        if not file.is_file():
            raise HarnessError(f"image '{name}': there is no file '{file}'")
        if "/" in name or name.startswith("."):
            raise HarnessError(f"image '{name}': a name has no '/' and does not start with '.'")
    sums = {name: digest(file) for name, file in sorted(images.items())}
    key = hashlib.sha256(repr((sums, FREE_BYTES)).encode()).hexdigest()[:16]
    folder = images_dir() / "disk"
    template = folder / f"{key}.ext4"
    with image_lock():
        if template.exists():
            os.utime(template)
        else:
            folder.mkdir(exist_ok=True)
            _make(images, sums, template)
            for old in sorted(folder.glob("*.ext4"), key=lambda path: path.stat().st_mtime)[:-KEPT_TEMPLATES]:
                old.unlink()
    return template


def _make(images: dict[str, Path], sums: dict[str, str], target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="husk-", dir=target.parent) as name:
        root = Path(name)
        (root / "images").mkdir()
        (root / "volumes").mkdir()
        root.chmod(0o755)
        for image, file in images.items():
            stored = root / "images" / _file_name(image, file)
            try:
                os.link(file, stored)
            except OSError:
                shutil.copyfile(file, stored)
            (root / "images" / f".{image}.sum").write_text(sums[image])
        size = FREE_BYTES + sum(file.stat().st_size for file in images.values()) * 9 // 8
        work = target.with_suffix(".new")
        work.unlink(missing_ok=True)
        with open(work, "wb") as handle:
            handle.truncate((size + 0xFFFFF) & ~0xFFFFF)
        done = subprocess.run(
            ["mke2fs", "-q", "-t", "ext4", "-L", "husk-state", "-N", "16384", "-m", "0", "-J", "size=8",
             "-E", "root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0", "-d", str(root), str(work)],
            stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise HarnessError(f"mke2fs failed: {done.stderr.strip()}")
        if os.geteuid() != 0:
            _give_to_root(images, work)
        work.rename(target)


def _give_to_root(images: dict[str, Path], disk: Path) -> None:
    """mke2fs keeps the owners of the folder it copies."""
    paths = ["/images", "/volumes", *(f"/images/{_file_name(name, file)}" for name, file in images.items())]
    lines = [f"sif {path} {what} 0" for path in paths for what in ("uid", "gid")]
    subprocess.run(["debugfs", "-w", "-f", "-", str(disk)], input="\n".join(lines), text=True, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
