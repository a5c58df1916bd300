"""A root of its own on a disk, every block of it checked by dm-verity, state apart, behind a small initramfs."""

import contextlib

import pytest
from conftest import KERNELS, Husk, write_units
from huskvm import End, build, initramfs, kernel, verified, verity
from huskvm.cpio import Tree

UNIT = "[Container]\nExec=/bin/busybox sleep 10000\nVolume=/bin/busybox:/bin/busybox:ro\n"
HOST_NAME = {"System": {"Hostname": "verified"}}
BALLAST = 24 << 20  # bytes that only the initramfs has
READ_LATE = b"nobody reads this before the test " * 1000


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    return write_units(tmp_path_factory.mktemp("units"), {"one": UNIT})


@pytest.fixture(scope="module")
def squashfs(units, tmp_path_factory):
    """The image, the file with its hash tree, and the root hash. Not compressed: damaged() looks for content in it."""
    folder = tmp_path_factory.mktemp("image")
    late, image, hashes = (folder / name for name in ("late", "root.squashfs", "root.verity"))
    late.write_bytes(READ_LATE)
    guest = initramfs.Guest(kernel=kernel.get(KERNELS[0]), husk=build.husk(), agent=build.agent(), units=units,
                            files=[(late, "/etc/late")])
    initramfs.fill(Tree(folder / "root"), guest)
    verified.make_squashfs(folder / "root", image, "-noD", "-no-fragments")
    return image, hashes, verity.make(image, hashes)


@pytest.fixture
def boot_root(boot, tmp_path):
    """Boots an initramfs without units, with these files as disks behind the state disk, if there is one."""
    none = write_units(tmp_path / "none", {})

    def start(words, *disks, **more):
        args = [word for at, file in enumerate(disks) for word in
                ("-drive", f"file={file},if=none,format=raw,id=root{at},readonly=on",
                 "-device", f"virtio-blk-pci,drive=root{at}")]
        return boot(units=none, append=f"loglevel=7 {words}", modules=["dm_verity"], qemu_args=args, **more)

    return start


def damaged(image, folder, content: bytes):
    """A copy in which one byte of a file with this content is another: of its second block."""
    data = bytearray(image.read_bytes())
    data[data.index(content[:8192]) + 6000] ^= 1
    copy = folder / f"damaged.{image.name}"
    copy.write_bytes(data)
    return copy


def root_mount(guest) -> list[str]:
    table = [line.split() for line in guest.run("cat /proc/mounts", 30).text.splitlines()]
    assert ["/dev/vda", "/var/lib/husk", "ext4"] in [line[:3] for line in table]
    return [line for line in table if line[1] == "/"][-1]


def power_off(guest):
    guest.run("husk poweroff", 60)
    assert guest.wait_exit(120) is End.POWEROFF
    assert "cannot unmount" not in guest.console_text()


def test_the_root_is_the_verified_one_and_state_is_apart(boot, boot_root, units, squashfs, tmp_path, kernel):
    ballast, hash_file, state = (tmp_path / name for name in ("ballast", "roothash", "state.ext4"))
    with boot(verified="erofs", units=units, system=HOST_NAME, append="loglevel=7", disk=state, kernel=kernel) as guest:
        assert Husk(guest).unit("one")["state"] == "running"
        device, _, kind, options = root_mount(guest)[:4]
        assert kind == "erofs" and device.startswith("/dev/dm-") and options.startswith("ro")
        assert guest.run("touch /etc/x", 30).status != 0
        assert guest.run("cat /proc/sys/kernel/hostname", 30).text == "verified\n"
        assert "husk: the root is /dev/vdb, checked by " in guest.console_text()
        guest.run("echo kept >/var/lib/husk/file", 30)
        power_off(guest)
    # The next boot, with another image: its hash in the initramfs, its tree on a device of its own, one block changed.
    image, hashes, root_hash = squashfs
    hash_file.write_text(root_hash + "\n")
    ballast.write_bytes(bytes(BALLAST))
    with boot_root("husk.root=/dev/vdb husk.roothashdevice=/dev/vdc", damaged(image, tmp_path, READ_LATE), hashes,
                   files=[(hash_file, "/etc/husk/roothash"), (ballast, "/ballast")], disk=state,
                   kernel=kernel) as guest:
        assert Husk(guest).unit("one")["state"] == "running"
        device, _, kind, options = root_mount(guest)[:4]
        assert kind == "squashfs" and device.startswith("/dev/dm-") and options.startswith("ro")
        assert guest.run("cat /var/lib/husk/file", 30).text == "kept\n"
        # What the initramfs took is free again.
        memory = dict(line.split(":") for line in guest.run("cat /proc/meminfo", 30).text.splitlines())
        assert sum(int(memory[name].split()[0]) for name in ("Shmem", "Unevictable")) << 10 < BALLAST // 4, memory
        # Nobody gets the block that was changed.
        assert guest.run("cat /etc/late >/dev/null", 30).status != 0
        guest.wait_console(r"husk: the root is damaged: block \d+ of its data does not match its hash; write its", 30)
        assert Husk(guest).unit("one")["state"] == "running"
        power_off(guest)


def test_what_does_not_match_or_is_not_there_is_said_and_not_booted(boot_root, squashfs, tmp_path, kernel):
    image, hashes, root_hash = squashfs
    wrong = root_hash[:-1] + ("0" if root_hash[-1] != "0" else "1")
    cases = [
        (f"husk.roothash={root_hash}", damaged(image, tmp_path, build.husk().read_bytes()),
         "read '/sbin/init': I/O error: the root is damaged; write its image again"),
        (f"husk.roothash={wrong}", image,
         "/dev/vda: its first blocks do not match the root hash: either that is not this image's, or"),
        (f"husk.roothash={root_hash} husk.root=LABEL=root husk.rootwait=1", image,
         "there is no LABEL=root after 1s (there are: /dev/vda (squashfs"),
        ("", image, "there is no root hash: write husk.roothash=HASH on the kernel's command line"),
    ]
    with contextlib.ExitStack() as stack:  # side by side, since each waits for its reader
        guests = [stack.enter_context(boot_root(f"husk.root=/dev/vda husk.roothashdevice=/dev/vdb {words}", disk,
                                                hashes, wait="started", state=False, shell=False, kernel=kernel))
                  for words, disk, _ in cases]
        for guest, (_, _, says) in zip(guests, cases, strict=True):
            guest.wait_console("husk: no root to boot; rebooting in 10 seconds", 120)
            text = guest.console_text()
            assert text.count("husk: no root: ") == 1 and says in text, text
            assert guest.wait_exit(60) is End.REBOOT
            assert "the root is switched" not in guest.console_text()
