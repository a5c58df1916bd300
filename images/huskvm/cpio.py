"""A writer of newc cpio archives, the format of an initramfs. Owner 0:0, time 0: same input, same bytes."""

import os
import stat
from pathlib import Path

ALIGN = b"\0\0\0"


class Archive:
    """Entries are written in the order of the calls; parents are made when nobody made them before.

    The kernel unpacks concatenated archives one after the other, so an overlay is an archive of its own. It gives a
    folder that exists the mode of the later entry, so pass the folders of the earlier archives as `existing`.
    """

    def __init__(self, existing=()):
        self._parts: list[bytes] = []
        self._inode = 0
        self._folders = {"", *(path.strip("/") for path in existing)}

    @property
    def folders(self) -> set[str]:
        return set(self._folders)

    def folder(self, path: str, mode: int = 0o755) -> None:
        name = _name(path)
        self._parents(name)
        if name not in self._folders:
            self._folders.add(name)
            self._entry(name, stat.S_IFDIR | mode, b"", nlink=2)

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        name = _name(path)
        self._parents(name)
        self._entry(name, stat.S_IFREG | mode, data)

    def link(self, path: str, target: str) -> None:
        name = _name(path)
        self._parents(name)
        self._entry(name, stat.S_IFLNK | 0o777, os.fsencode(target))

    def device(self, path: str, kind: str, major: int, minor: int, mode: int = 0o600) -> None:
        name = _name(path)
        self._parents(name)
        bits = stat.S_IFCHR if kind == "c" else stat.S_IFBLK
        self._entry(name, bits | mode, b"", device=(major, minor))

    def tree(self, source: Path, path: str) -> None:
        """A file, a link or a whole folder of the host. Modes are kept, owners are not."""
        status = source.lstat()
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISLNK(status.st_mode):
            self.link(path, os.readlink(source))
        elif stat.S_ISREG(status.st_mode):
            self.file(path, source.read_bytes(), mode)
        elif stat.S_ISDIR(status.st_mode):
            self.folder(path, mode)
            for child in sorted(source.iterdir()):
                self.tree(child, f"{path.rstrip('/')}/{child.name}")
        else:
            raise ValueError(f"'{source}' is neither a file, a link nor a folder")

    def data(self) -> bytes:
        """The archive, with its end marker, padded so that another one can follow."""
        end = Archive.__new__(Archive)
        end._parts, end._inode = [], 0
        end._entry("TRAILER!!!", 0, b"")
        body = b"".join(self._parts + end._parts)
        return body + bytes(-len(body) % 512)

    def _parents(self, name: str) -> None:
        parent = name.rpartition("/")[0]
        if parent not in self._folders:
            self.folder(parent)

    def _entry(self, name, mode, data, nlink=1, device=(0, 0)):
        self._inode += 1
        raw = os.fsencode(name) + b"\0"
        # ino mode uid gid nlink mtime size devmajor devminor rdevmajor rdevminor namesize check
        fields = (self._inode, mode, 0, 0, nlink, 0, len(data), 0, 0, *device, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % value for value in fields) + raw
        self._parts += [head + ALIGN[: -len(head) % 4], data + ALIGN[: -len(data) % 4]]


class Tree(Archive):
    """The same entries as files below a folder of the host, for images. Device nodes are left out: devtmpfs has them."""

    def __init__(self, root: Path):
        super().__init__()
        self._root = root

    def _entry(self, name, mode, data, nlink=1, device=(0, 0)):
        path = self._root / name
        if stat.S_ISDIR(mode):
            path.mkdir(parents=True)
        elif stat.S_ISREG(mode):
            path.unlink(missing_ok=True)
            path.write_bytes(data)
        elif stat.S_ISLNK(mode):
            path.unlink(missing_ok=True)
            path.symlink_to(os.fsdecode(data))
            return
        else:
            return
        path.chmod(stat.S_IMODE(mode))


def _name(path: str) -> str:
    name = os.path.normpath("/" + path).lstrip("/")
    if ".." in path.split("/"):
        raise ValueError(f"'{path}' has '..' in it")
    return name
