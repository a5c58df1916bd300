"""A root of its own: erofs on a disk, every block of it checked by dm-verity, state apart, an initramfs that only leads there."""

import shutil
import subprocess

import pytest
from conftest import Husk, unit, write_units
from huskvm import End, build, initramfs, verity

CONF = "[System]\nHostname=verified\nStateDevice=/dev/vda\n"


@pytest.fixture
def root_image(tmp_path):
    """The image, with its hash tree behind it, and the root hash."""
    root = tmp_path / "root"
    for folder in [*initramfs.FOLDERS, "tmp", "usr/lib/husk"]:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for source, place in ((build.husk(), "usr/bin/husk"), (initramfs.busybox(), "bin/busybox"), (build.agent(), initramfs.AGENT[1:])):
        shutil.copy(source, root / place)
    (root / "sbin/init").symlink_to("../usr/bin/husk")
    for applet in ("sh", "cat", "grep", "dmesg", "touch", "mount"):
        (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/husk/system.conf").write_text(CONF)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    write_units(root / "etc/husk/units", {
        "one": unit("/bin/busybox sleep 10000").replace("Volume=/usr/lib/husk-test", "#"),
    })
    image = tmp_path / "root.erofs"
    subprocess.run(["mkfs.erofs", "--all-root", image, root], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return image, verity.append(image)


@pytest.fixture
def boot_root(boot, tmp_path):
    def start(image, words, **more):
        return boot(units=write_units(tmp_path / "none", {}), append=f"loglevel=7 husk.root=/dev/vdb {words}",
                    modules=["dm_verity"], qemu_args=["-drive", f"file={image},if=none,format=raw,id=root,readonly=on",
                                                      "-device", "virtio-blk-pci,drive=root"], **more)

    return start


def test_the_root_is_the_verified_one_and_state_is_apart(boot_root, root_image):
    image, root_hash = root_image
    with boot_root(image, f"husk.roothash={root_hash}") as guest:
        husk = Husk(guest)
        assert husk.unit("one")["state"] == "running"
        table = [line.split() for line in guest.run("cat /proc/mounts", 30).text.splitlines()]
        root = [line for line in table if line[1] == "/"][-1]
        assert root[2] == "erofs" and root[0].startswith("/dev/dm-") and root[3].startswith("ro")
        assert ["/dev/vda", "/var/lib/husk", "ext4"] in [line[:3] for line in table]
        assert guest.run("touch /etc/x", 30).status != 0
        assert f"the root is /dev/vdb, checked by {root_hash}" in guest.run("dmesg", 30).text
        assert guest.run("cat /proc/sys/kernel/hostname", 30).text == "verified\n"
        guest.run("husk poweroff", 60)
        assert guest.wait_exit(120) is End.POWEROFF
        assert "cannot unmount" not in guest.console_text()


def test_another_root_than_the_hashs_is_not_booted(boot_root, root_image):
    image, root_hash = root_image
    wrong = root_hash[:-1] + ("0" if root_hash[-1] != "0" else "1")
    with boot_root(image, f"husk.roothash={wrong}", wait="started") as guest:
        guest.wait_console("no root to boot", 120)
        assert guest.wait_exit(60) is End.REBOOT
        assert "no root: " in guest.console_text() and "PID 1 started" in guest.console_text()
    with boot_root(image, "husk.roothash=none", wait="started") as guest:
        guest.wait_console("no root: husk.roothash", 120)


def test_a_block_that_was_changed_is_not_run(boot_root, root_image):
    image, root_hash = root_image
    data = bytearray(image.read_bytes())
    at = data.index(build.husk().read_bytes()[:64])
    data[at + 4096 * 10] ^= 1
    image.write_bytes(data)
    with boot_root(image, f"husk.roothash={root_hash}", wait="started") as guest:
        guest.wait_console("device-mapper: verity: .*is corrupted", 120)
