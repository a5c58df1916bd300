"""From options to a running guest. Tests use boot(); images/run is a thin command line over the same."""

import contextlib
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from . import accel, build, disk, initramfs, kernel, rootfs, verified
from .paths import DEMO, HarnessError
from .qemu import Config, Machine

DEMO_UNITS = DEMO / "units"
DEMO_RECIPES = DEMO / "images"
HEARTBEAT = "/usr/lib/husk-demo/heartbeat"
NETWORK_MODULES = ["virtio_net", "af_packet"]  # the link, and what a DHCP client listens with
# A panic ends QEMU at once (panic=-1 reboots, and a reboot ends QEMU), so that it is reported without waiting. A machine
# with more to do than it has cores for gives an emulated timer no time in the milliseconds in which the kernel tests it.
APPEND = "console=ttyS0 quiet loglevel=4 panic=-1 no_timer_check"


@dataclass
class Options:
    """What a guest is made of. images/run's options have the same names. Paths may be strings."""

    units: Path | None = None  # None: the demo's
    files: list[tuple[Path, str]] = field(default_factory=list)  # host file or folder -> guest path
    images: dict[str, Path] = field(default_factory=dict)  # name -> erofs or squashfs file
    kernel: str = kernel.DEFAULT  # '6.1', '6.12' or a path
    modules: list[str] = field(default_factory=list)  # loaded at boot, beyond those that every boot needs
    system: dict[str, dict[str, str]] = field(default_factory=dict)  # section -> entries of system.conf
    memory: str = "512M"
    cpus: int = 2
    timeout: float = 180
    append: str = ""
    console_log: Path | None = None
    disk: Path | None = None  # a state disk that stays; None: a fresh one for this run
    write_log: Path | None = None  # where the disk's writes are noted, in order (dm-log-writes' format)
    state: bool = True  # False: no state disk at all
    verified: str | None = None  # 'erofs' or 'squashfs': the root is such an image on a disk, checked by dm-verity
    shell: bool = True
    agent: bool = True
    icount: bool = False
    husk: Path | None = None  # None: what the device preset builds
    on_reboot: str = "shutdown"  # or 'reset'
    network: bool | None = None  # a link to QEMU's user network, with DHCP; None: for the demo only
    qemu_args: list[str] = field(default_factory=list)
    terminal: tuple[int, int] = (80, 24)

    def __post_init__(self):
        for name in ("units", "console_log", "disk", "husk", "write_log"):
            value = getattr(self, name)
            setattr(self, name, Path(value) if value is not None else None)
        self.console_log = self.console_log.resolve() if self.console_log else None
        self.files = [(Path(source), path) for source, path in self.files]
        self.images = {name: Path(file) for name, file in self.images.items()}
        if self.network is None:
            self.network = self.units is None


def named_images(units: Path) -> set[str]:
    """What the units of a folder name as Image=, drop-ins included."""
    names = set()
    for path in [*units.rglob("*.container"), *units.rglob("*.conf")]:
        if not path.is_file():
            continue
        for line in path.read_bytes().decode(errors="replace").splitlines():
            key, equals, value = line.partition("=")
            if equals and key.strip() == "Image":
                names.add(value.strip())
    return names


def images_for(options: Options, units: Path) -> dict[str, Path]:
    """The user's images, and those of the demo that the units name. A name that is neither is left to husk, which
    refuses the unit and says why."""
    images = dict(options.images)
    for name in sorted(named_images(units)):
        recipe = DEMO_RECIPES / f"{name}.toml"
        if name and "/" not in name and name not in images and recipe.is_file():
            images[name] = rootfs.image(recipe)
    return images


def prepare(options: Options, folder: Path) -> Config:
    """Builds whatever is missing or old; initramfs and disk of this run go into `folder`."""
    units = options.units or DEMO_UNITS
    if not units.is_dir():
        raise HarnessError(f"--units {units}: there is no such folder")
    # The programs first: building them also installs what the rest needs on a fresh machine.
    husk = options.husk or build.husk()
    if not husk.is_file():
        raise HarnessError(f"there is no husk binary '{husk}'")
    image = kernel.get(options.kernel)
    demo = {HEARTBEAT: build.heartbeat()} if options.units is None else {}
    guest = initramfs.Guest(
        kernel=image, husk=husk, modules=[*(NETWORK_MODULES if options.network else []), *options.modules],
        system=options.system, state=options.state, shell=options.shell,
        agent=build.agent() if options.agent else None, units=units, demo=demo, files=options.files,
        terminal=options.terminal, network=options.network)
    archive = folder / "initramfs"
    extra, words = list(options.qemu_args), [APPEND]
    if options.verified:
        root = folder / f"root.{options.verified}"
        root_hash = verified.build(guest, options.verified, root, archive)
        extra = ["-drive", f"file={root},if=none,id=root,format=raw,readonly=on", "-device", "virtio-blk-pci,drive=root", *extra]
        words.append(f"husk.root=/dev/{'vdb' if options.state else 'vda'} husk.roothash={root_hash}")
    else:
        initramfs.build(guest, archive)
    state = None
    if options.state:
        images = images_for(options, units)
        state = options.disk or folder / "state.ext4"
        disk.refresh(images, state) if options.disk else disk.prepare(images, state)
    if options.agent:
        words.append(f"husk.console={initramfs.AGENT}")
    return Config(
        kernel=image.image, initramfs=archive, append=" ".join([*words, options.append]).rstrip(), disk=state,
        disk_cache="writeback" if options.disk else "unsafe", write_log=options.write_log, memory=options.memory,
        cpus=options.cpus, accel="tcg" if options.icount else accel.choose(image.image), icount=options.icount,
        interactive=not options.agent, console_log=options.console_log, on_reboot=options.on_reboot,
        network=options.network, extra=extra)


@contextlib.contextmanager
def machine(options: Options):
    """A machine that is ready to start; everything of the run is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="husk-run-"))
    try:
        with Machine(prepare(options, folder), options.timeout) as guest:
            yield guest
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def boot(*, wait: str = "settled", **options):
    """A running guest, for tests: `with boot(units=..., images=...) as guest: guest.run('husk status')`.

    Takes what Options has. `wait` says how far the guest has come when the block starts: 'settled' (husk says that the
    boot is over), 'agent' (commands can run) or 'started' (QEMU runs, no more)."""
    with machine(Options(**options)) as guest:
        guest.start()
        if wait != "started":
            guest.wait_agent()
        if wait == "settled":
            guest.state = guest.settle()
        yield guest
