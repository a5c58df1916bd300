"""What the guest finds when it boots: husk as init, its configuration, units, modules, a shell, the user's files."""

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from . import kernel
from .cpio import Archive
from .paths import HarnessError, image_lock, images_dir

AGENT = "/usr/lib/husk/agent"
UNITS = "/etc/husk/units"
FOLDERS = ["bin", "sbin", "usr/bin", "usr/sbin", "usr/lib", "lib", "etc/husk/units", "root", "dev", "proc", "sys",
           "run", "var/lib/husk", "mnt"]

# busybox's poweroff, reboot and halt signal PID 1 in a way of its own: left out, husk has these verbs.
APPLETS = """[ awk base64 basename cat chmod chown clear cmp cp cut date dd df diff dirname dmesg du echo env expr false
find free fuser getopt grep gunzip gzip head hexdump hostname id ifconfig install insmod ip kill killall less ln ls
lsmod lsof md5sum mkdir mkfifo mknod mktemp mount mountpoint mv nc netstat nice nohup nproc od pgrep pidof ping pkill
printenv printf ps pstree pwd readlink realpath reset resize rm rmdir rmmod route sed seq setsid sh sha256sum sleep sort
stat strings stty sync sysctl tail tar tee test time timeout top touch tr true truncate tty umount uname uniq uptime
usleep vi watch wc wget which xargs xxd yes zcat""".split()

PROFILE = """\
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root
export PS1='husk:\\w\\$ '
{stty}cd /root
cat <<'END'

  husk: every unit in {units} runs in a container of its own. Try
    husk status              what runs, and how it is
    husk logs web -f         follow what a unit writes (Ctrl-C ends it)
    husk why web             what happened to a unit, and when it is tried next
  'husk help' lists the verbs. 'husk poweroff' ends the guest; Ctrl-A X quits QEMU at once.

END
"""


@dataclass
class Guest:
    """One guest's content. Later members win over earlier ones where paths meet."""

    kernel: kernel.Kernel
    husk: Path
    modules: list[str] = field(default_factory=list)  # beyond kernel.MODULES
    system: dict[str, dict[str, str]] = field(default_factory=dict)  # more of /etc/husk/system.conf
    state: bool = True  # there is a state disk
    network: bool = False  # there is a link, which a client is to ask for addresses
    shell: bool = True  # busybox's, with applets
    agent: Path | None = None
    units: Path | None = None
    demo: dict[str, Path] = field(default_factory=dict)  # the demo's own programs: guest path -> file
    files: list[tuple[Path, str]] = field(default_factory=list)  # host file or folder -> guest path
    terminal: tuple[int, int] = (80, 24)  # a serial line does not know; unset, the shell asks at every prompt


def build(guest: Guest, target: Path) -> None:
    """Writes the archive: the modules' part, which is kept, and this guest's own behind it."""
    archive = Archive()
    fill(archive, guest)
    target.write_bytes(modules_part(guest.kernel, module_names(guest)) + archive.data())


def module_names(guest: Guest) -> list[str]:
    """All that the guest has, loaded at boot or when they are needed."""
    return [*kernel.MODULES, *guest.modules, *(name for name in kernel.ON_DEMAND if name in guest.kernel.files)]


def fill(archive: Archive, guest: Guest) -> None:
    """All but the modules."""
    for folder in FOLDERS:
        archive.folder(folder)
    archive.folder("tmp", 0o1777)
    archive.device("dev/console", "c", 5, 1)
    archive.device("dev/null", "c", 1, 3, 0o666)
    archive.file("usr/bin/husk", guest.husk.read_bytes(), 0o755)
    archive.link("init", "usr/bin/husk")
    archive.link("sbin/init", "../usr/bin/husk")
    archive.link("etc/resolv.conf", "../run/husk/resolv.conf")
    archive.file("etc/husk/system.conf", system_conf(guest, guest.kernel.present([*kernel.MODULES, *guest.modules])).encode())
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    archive.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n")
    if guest.shell:
        _add_shell(archive, guest)
    if guest.agent:
        archive.file(AGENT, guest.agent.read_bytes(), 0o755)
    for path, file in guest.demo.items():
        archive.file(path, file.read_bytes(), 0o755)
    if guest.units:
        for child in sorted(guest.units.iterdir()):
            archive.tree(child, f"{UNITS}/{child.name}")
    for source, path in guest.files:
        if not path.startswith("/"):
            raise HarnessError(f"--file {source}:{path}: the guest's path must be absolute")
        if not source.exists():
            raise HarnessError(f"--file {source}:{path}: there is no '{source}'")
        archive.tree(source.resolve() if source.is_file() else source, path)


def system_conf(guest: Guest, modules: list[str]) -> str:
    sections: dict[str, dict[str, str]] = {"System": {"Hostname": "husk-demo"}}
    if modules:
        sections["System"]["KernelModules"] = " ".join(modules)
    if guest.state:
        sections["System"] |= {"StateDevice": "/dev/vda", "StateFilesystem": "ext4"}
    if guest.network:
        # All links; the client hears the routers.
        sections["Network"] = {"Link": "*", "IPv6AcceptRA": "no", "RequiredForOnline": "no"}
    for section, entries in guest.system.items():
        sections.setdefault(section, {}).update(entries)
    return "\n".join(f"[{section}]\n" + "".join(f"{key}={value}\n" for key, value in entries.items())
                     for section, entries in sections.items())


def busybox() -> Path:
    found = shutil.which("busybox")
    if not found:
        raise HarnessError("there is no busybox for the guest's shell: run toolchain/bootstrap "
                           "(or apt-get install busybox-static)")
    return Path(found).resolve()


def _add_shell(archive: Archive, guest: Guest) -> None:
    archive.file("bin/busybox", busybox().read_bytes(), 0o755)
    for applet in APPLETS:
        archive.link(f"bin/{applet}", "busybox")
    stty = f"stty cols {guest.terminal[0]} rows {guest.terminal[1]} 2>/dev/null\n"
    archive.file("etc/profile", PROFILE.format(stty=stty, units=UNITS).encode())


def modules_part(image: kernel.Kernel, wanted: list[str]) -> bytes:
    """Finding and decompressing modules takes a second, so the result is kept."""
    identity = repr(("with aliases", image.version, str(image.modules), wanted, image.modules and image.modules.stat().st_mtime_ns))
    kept = images_dir() / "modules" / f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.cpio"
    with image_lock():
        if not kept.exists():
            archive = Archive()
            for path, data in kernel.pruned(image, wanted).items():
                archive.file(f"lib/modules/{image.version}/{path}", data)
            kept.parent.mkdir(exist_ok=True)
            fresh = kept.with_suffix(".new")
            fresh.write_bytes(archive.data())
            fresh.rename(kept)
    return kept.read_bytes()
