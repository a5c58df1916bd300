"""Kernels: Debian's cloud kernels or one of the user's, and just the modules that a boot needs.

Debian's packages carry no modules.dep (their postinst runs depmod), so dependencies come from the modules' own
.modinfo section. What the initramfs gets is a modules.dep in kmod's format for the chosen modules alone.
"""

import functools
import lzma
import os
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import elf, packages
from .paths import HarnessError, image_lock, images_dir, progress

# Meta package, the suites to try in order, and the package behind the meta package.
DEBIAN = {
    "6.1": ("linux-image-cloud-amd64", "bookworm", r"linux-image-6\.1\..*-cloud-amd64"),
    "6.12": ("linux-image-cloud-amd64", "bookworm-backports,trixie", r"linux-image-6\.12\..*-cloud-amd64"),
}
DEFAULT = "6.12"

# What a boot needs; those that a kernel has built in are left out of KernelModules=.
MODULES = ["virtio_pci", "virtio_blk", "ext4", "erofs", "squashfs", "loop", "overlay", "button", "evdev"]
# What husk loads by itself, when a unit first needs it; what a kernel lacks of these is left out.
ON_DEMAND = ["bridge", "veth", "nf_tables", "nft_ct", "nft_chain_nat", "nft_nat", "nft_masq", "nft_fib_inet",
             "nft_reject_inet", "nft_meta_bridge", "nf_flow_table_inet", "nft_flow_offload", "macvlan", "ipvlan"]


@dataclass
class Kernel:
    version: str
    image: Path
    modules: Path | None  # the folder that holds modules.builtin, kernel/, …

    @functools.cached_property
    def builtin(self) -> set[str]:
        listing = self.modules / "modules.builtin" if self.modules else None
        if not listing or not listing.exists():
            return set()
        return {module_name(line) for line in listing.read_text().split()}

    @functools.cached_property
    def files(self) -> dict[str, Path]:
        """Module name -> file, relative to the modules folder."""
        if not self.modules:
            return {}
        return {module_name(path.name): path.relative_to(self.modules)
                for path in sorted(self.modules.rglob("*.ko*")) if ".ko" in path.suffixes}

    def read(self, name: str) -> bytes:
        """The module as the kernel wants it: decompressed."""
        return decompressed(self.modules / self.files[name])

    def present(self, wanted: list[str]) -> list[str]:
        """Those of the wanted modules that are files, not built in. A kernel without any modules is taken to have
        everything built in; otherwise a name that is neither is an error."""
        if not self.modules:
            return []
        missing = [name for name in wanted if _key(name) not in self.files and _key(name) not in self.builtin]
        if missing:
            raise HarnessError(f"kernel {self.version} has no module '{missing[0]}', neither built in nor in "
                               f"'{self.modules}': build it in or add the module")
        return [name for name in wanted if _key(name) in self.files]


def _key(name: str) -> str:
    return name.replace("-", "_")


def module_name(path: str) -> str:
    return _key(os.path.basename(path).partition(".ko")[0])


def decompressed(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".gz":
        import gzip
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def resolve(wanted, info, builtin) -> dict[str, list[str]]:
    """Module -> all that must be loaded before it, in modules.dep order: the last of the list is loaded first.

    `info(name)` gives the .modinfo of a module, or None where there is no such module. Soft dependencies
    ("softdep=pre: a b") count when they are there. The result has a line for every module named anywhere in it.
    """
    direct: dict[str, list[str]] = {}

    def visit(name, chain):
        if name in direct:
            return
        if name in chain:
            raise HarnessError(f"modules depend on each other: {' -> '.join([*chain, name])}")
        fields = info(name)
        if fields is None:
            raise HarnessError(f"module '{chain[-1] if chain else name}' needs '{name}', which is not there")
        hard = [_key(dep) for text in fields.get("depends", []) for dep in text.split(",") if dep]
        soft = [_key(dep) for text in fields.get("softdep", []) for dep in _soft_before(text)]
        needed = hard + [dep for dep in soft if dep not in builtin and info(dep) is not None]
        needed = [dep for dep in dict.fromkeys(needed) if dep not in builtin]
        for dep in needed:
            visit(dep, [*chain, name])
        direct[name] = needed

    def loading_order(name, order):
        for dep in direct[name]:
            loading_order(dep, order)
            if dep not in order:
                order.append(dep)
        return order

    for name in wanted:
        if _key(name) not in builtin:
            visit(_key(name), [])
    return {name: loading_order(name, [])[::-1] for name in direct}


def _soft_before(text: str) -> list[str]:
    names, before = [], False
    for word in text.split():
        if word.endswith(":"):
            before = word == "pre:"
        elif before:
            names.append(word)
    return names


def pruned(kernel: Kernel, wanted: list[str]) -> dict[str, bytes]:
    """Files for /lib/modules/VERSION: the modules with what they need, modules.dep and modules.alias. Compressed ones
    are stored decompressed, so that the loader needs no decompressor."""
    names = kernel.present(wanted)
    if not names:
        return {}

    @functools.cache
    def data(name):
        return kernel.read(name) if name in kernel.files else None

    dependencies = resolve(names, lambda name: elf.modinfo(data(name)) if data(name) else None, kernel.builtin)

    def path(name):
        relative = kernel.files[name].as_posix()
        return relative[: relative.index(".ko") + 3]

    lines = [f"{path(name)}:{''.join(' ' + path(dep) for dep in deps)}\n" for name, deps in dependencies.items()]
    files = {path(name): data(name) for name in dependencies}
    files["modules.dep"] = "".join(lines).encode()
    files["modules.alias"] = "".join(f"alias {alias} {name}\n" for name in dependencies
                                     for alias in elf.modinfo(data(name)).get("alias", [])).encode()
    builtin = kernel.modules / "modules.builtin"
    if builtin.exists():
        files["modules.builtin"] = builtin.read_bytes()
    return files


def image_version(image: Path) -> str:
    """The version that a bzImage states in its header (Documentation/arch/x86/boot.rst)."""
    with open(image, "rb") as handle:
        head = handle.read(0x10000)
    if len(head) < 0x210 or head[0x202:0x206] != b"HdrS":
        raise HarnessError(f"'{image}' is not an x86 kernel image (bzImage, Debian's vmlinuz)")
    at = struct.unpack_from("<H", head, 0x20E)[0] + 0x200
    return head[at : head.index(b"\0", at)].decode(errors="replace").split()[0]


def get(name: str = DEFAULT) -> Kernel:
    """'6.1' or '6.12' (fetched from Debian the first time), or the path of a kernel image."""
    if name in DEBIAN:
        return _debian(name)
    image = Path(name)
    if not image.is_file():
        raise HarnessError(f"no kernel '{name}': say {', '.join(DEBIAN)} or the path of a vmlinuz")
    version = image_version(image)
    for base in (image.parent, image.parent.parent):
        for folder in (f"lib/modules/{version}", f"usr/lib/modules/{version}", f"modules/{version}", "modules"):
            if (base / folder / "modules.builtin").exists() or (base / folder / "kernel").is_dir():
                return Kernel(version, image, base / folder)
    return Kernel(version, image, None)


def _debian(name: str) -> Kernel:
    folder = images_dir() / "kernel" / name
    if not (folder / "vmlinuz").exists():
        with image_lock():
            if not (folder / "vmlinuz").exists():
                _fetch(name, folder)
    version = image_version(folder / "vmlinuz")
    return Kernel(version, folder / "vmlinuz", folder / "modules" / version)


def _fetch(name: str, folder: Path) -> None:
    progress(f"getting Debian's kernel {name} (first time) …")
    work = folder.with_name(f"{name}.new")
    shutil.rmtree(work, ignore_errors=True)
    meta, suites, match = DEBIAN[name]
    debs = packages.fetch(work / "debs", [meta], suites, closure=True, match=match)
    packages.unpack(debs, work / "root")
    image = next((work / "root/boot").glob("vmlinuz-*"))
    version = image_version(image)
    modules = next((path for path in (work / "root/lib/modules" / version, work / "root/usr/lib/modules" / version)
                    if path.is_dir()), None)
    if modules is None:
        raise HarnessError(f"the package of kernel {version} has no modules folder")
    (work / "modules").mkdir()
    modules.rename(work / "modules" / version)
    config = work / f"root/boot/config-{version}"
    if config.exists():
        config.rename(work / "config")
    image.rename(work / "vmlinuz")
    shutil.rmtree(work / "root")
    shutil.rmtree(work / "debs")
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)
