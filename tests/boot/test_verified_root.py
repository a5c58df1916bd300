"""A root of its own on a disk, every block of it checked by dm-verity, state apart, behind an initramfs that only leads there."""

import contextlib
import shutil
import subprocess

import pytest
from conftest import Husk, write_units
from huskvm import End, build, initramfs, verity

UNIT = "[Container]\nExec=/bin/busybox sleep 10000\nVolume=/bin/busybox:/bin/busybox:ro\n"
CONF = "[System]\nHostname=verified\nStateDevice=/dev/vda\n"
BALLAST = 24 << 20  # bytes that only the initramfs has
HASH_FILE = "/etc/husk/roothash"
READ_LATE = b"nobody reads this before the test " * 1000


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """What a root image has: husk, units, settings, folders to mount on; here also a shell and the harness' agent."""
    root = tmp_path_factory.mktemp("image") / "root"
    for folder in [*initramfs.FOLDERS, "tmp", "usr/lib/husk"]:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for source, place in ((build.husk(), "usr/bin/husk"), (initramfs.busybox(), "bin/busybox"),
                          (build.agent(), initramfs.AGENT[1:])):
        shutil.copy(source, root / place)
    (root / "sbin/init").symlink_to("/usr/bin/husk")
    for applet in ("sh", "cat", "grep", "dmesg", "touch", "tail"):
        (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/husk/system.conf").write_text(CONF)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/late").write_bytes(READ_LATE)
    write_units(root / "etc/husk/units", {"one": UNIT})
    return root


@pytest.fixture(scope="module")
def erofs(tree):
    """The image with its hash tree behind it, and the root hash. Not compressed: damaged() looks for content in it."""
    image = tree.parent / "root.erofs"
    subprocess.run(["mkfs.erofs", "--quiet", "--all-root", image, tree], check=True)
    return image, verity.append(image)


@pytest.fixture(scope="module")
def squashfs(tree):
    """The image, the file with its hash tree, and the root hash."""
    image, hashes = tree.parent / "root.squashfs", tree.parent / "root.verity"
    subprocess.run(["mksquashfs", tree, image, "-noappend", "-all-root", "-noD", "-no-fragments", "-quiet", "-no-progress"], check=True)
    return image, hashes, verity.make(image, hashes)


@pytest.fixture
def boot_root(boot, tmp_path):
    """Boots an initramfs without units, with these files as /dev/vdb, /dev/vdc and so on."""
    none = write_units(tmp_path / "none", {})

    def start(words, *disks, **more):
        args = [word for at, file in enumerate(disks) for word in
                ("-drive", f"file={file},if=none,format=raw,id=root{at},readonly=on", "-device", f"virtio-blk-pci,drive=root{at}")]
        return boot(units=none, append=f"loglevel=7 {words}", modules=["dm_verity"], qemu_args=args, **more)

    return start


def root_mount(guest) -> list[str]:
    table = [line.split() for line in guest.run("cat /proc/mounts", 30).text.splitlines()]
    assert ["/dev/vda", "/var/lib/husk", "ext4"] in [line[:3] for line in table]
    return [line for line in table if line[1] == "/"][-1]


def power_off(guest):
    guest.run("husk poweroff", 60)
    assert guest.wait_exit(120) is End.POWEROFF
    assert "cannot unmount" not in guest.console_text()


def damaged(image, folder, content: bytes):
    """A copy in which one byte of a file with this content is another: of its second block."""
    data = bytearray(image.read_bytes())
    data[data.index(content[:8192]) + 5000] ^= 1
    copy = folder / f"damaged.{image.name}"
    copy.write_bytes(data)
    return copy


def test_the_root_is_the_verified_one_and_state_is_apart(boot_root, erofs, squashfs, tmp_path):
    image, root_hash = erofs
    ballast, hash_file, state = (tmp_path / name for name in ("ballast", "roothash", "state.ext4"))
    ballast.write_bytes(bytes(BALLAST))
    with boot_root(f"husk.root=/dev/vdb husk.roothash={root_hash}", image, files=[(ballast, "/ballast")], disk=state) as guest:
        assert Husk(guest).unit("one")["state"] == "running"
        device, _, kind, options = root_mount(guest)[:4]
        assert kind == "erofs" and device.startswith("/dev/dm-") and options.startswith("ro")
        assert guest.run("touch /etc/x", 30).status != 0
        assert f"the root is /dev/vdb, checked by {root_hash}" in guest.run("dmesg", 30).text
        assert guest.run("cat /proc/sys/kernel/hostname", 30).text == "verified\n"
        # What the initramfs took is free again.
        memory = dict(line.split(":") for line in guest.run("cat /proc/meminfo", 30).text.splitlines())
        assert sum(int(memory[name].split()[0]) for name in ("Shmem", "Unevictable")) << 10 < BALLAST // 4, memory
        guest.run("echo kept >/var/lib/husk/file", 30)
        power_off(guest)
    # The next boot, with another image: its hash in the initramfs, its tree on a device of its own, one block not as it was.
    image, hashes, root_hash = squashfs
    hash_file.write_text(root_hash + "\n")
    with boot_root("husk.root=/dev/vdb husk.roothashdevice=/dev/vdc", damaged(image, tmp_path, READ_LATE), hashes,
                   files=[(hash_file, HASH_FILE)], disk=state) as guest:
        assert Husk(guest).unit("one")["state"] == "running"
        device, _, kind, options = root_mount(guest)[:4]
        assert kind == "squashfs" and device.startswith("/dev/dm-") and options.startswith("ro")
        assert guest.run("cat /var/lib/husk/file", 30).text == "kept\n"
        assert guest.run("cat /etc/late >/dev/null", 30).status != 0
        guest.wait_console(r"husk: the root is damaged: block \d+ of its data does not match its hash; write its image again", 30)
        assert Husk(guest).unit("one")["state"] == "running"
        power_off(guest)


@contextlib.contextmanager
def refused(boot_root, words, disk, *, says):
    """The device says what is wrong and what to do, once, runs nothing of the root, and is about to restart."""
    with boot_root(words, disk, wait="started", state=False, shell=False, agent=False) as guest:
        guest.wait_console("husk: no root to boot; rebooting in 10 seconds", 120)
        text = guest.console_text()
        assert text.count("husk: no root: ") == 1 and says in text, text
        assert "the root is switched" not in text
        yield guest


def test_a_block_of_pid_1_that_was_changed_is_not_run(boot_root, erofs, tmp_path):
    image, root_hash = erofs
    with refused(boot_root, f"husk.root=/dev/vda husk.roothash={root_hash}", damaged(image, tmp_path, build.husk().read_bytes()),
                 says="read '/sbin/init': I/O error: the root is damaged; write its image again") as guest:
        assert guest.wait_exit(60) is End.REBOOT


def test_another_root_than_the_hashs_is_not_booted(boot_root, erofs, tmp_path):
    image, root_hash = erofs
    wrong = root_hash[:-1] + ("0" if root_hash[-1] != "0" else "1")
    with refused(boot_root, f"husk.root=/dev/vda husk.roothash={wrong}", image, says="do not match the root hash: either that is"):
        pass


def test_a_device_that_does_not_come_is_waited_for_so_long(boot_root, erofs, tmp_path):
    image, root_hash = erofs
    with refused(boot_root, f"husk.root=LABEL=root husk.roothash={root_hash} husk.rootwait=1", image,
                 says="there is no LABEL=root after 1s (there are: /dev/vda (erofs"):
        pass
