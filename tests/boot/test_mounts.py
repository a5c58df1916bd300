"""[Mounts] and [Devices] of system.conf: found by label and partition, waited for, checked, made, grown."""

import json
import subprocess
import uuid
import zlib

import pytest
from conftest import Husk, probe_files, unit, write_units
from huskvm import End

MIB = 1 << 20
MARK = b"husk: a file system is being made here\n"
TOOLS = ["/sbin/mke2fs", "/sbin/e2fsck"]

MOUNTS = """\
Where=/data/inner
Type=tmpfs
Options=size=1M
Where=/data
What=LABEL=data
GrowFileSystem=yes
Where=/made
What=/dev/vdc
Type=ext4
MakeFileSystem=yes
Options=noatime,suid
Where=/conf
What=PARTLABEL=config
Options=ro
Where=/full
What=/dev/vdd
Type=ext4
MakeFileSystem=yes
Where=/again
What=/dev/vde
Type=ext4
MakeFileSystem=yes
Where=/never
What=UUID=00000000-1111-2222-3333-444444444444
TimeoutSec=1s
Where=/never/below
Type=tmpfs
"""


def tools() -> list:
    """The programs of e2fsprogs with what they are linked to."""
    files = set(TOOLS)
    for tool in TOOLS:
        for word in subprocess.run(["ldd", tool], stdout=subprocess.PIPE, text=True, check=True).stdout.split():
            if word.startswith("/"):
                files.add(word)
    return [(path, path) for path in sorted(files)]


def make_ext4(file, *, label, size, blocks="", offset=0):
    command = ["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-L", label, "-E", f"offset={offset}", str(file)]
    if not file.exists():
        file.write_bytes(b"")
        with file.open("r+b") as disk:
            disk.truncate(size)
    subprocess.run(command + ([blocks] if blocks else []), check=True, stdout=subprocess.DEVNULL)


def gpt(file, size, name):
    """One partition, from 1 MiB to the end but for a MiB (UEFI specification, GUID Partition Table)."""
    last = size // 512 - 1
    entry = (uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le + uuid.uuid4().bytes_le +
             (2048).to_bytes(8, "little") + (last - 2048).to_bytes(8, "little") + bytes(8) + name.encode("utf-16-le"))
    table = entry.ljust(128 * 128, b"\0")

    def header(here, there, at):
        text = bytearray(b"EFI PART" + (0x10000).to_bytes(4, "little") + (92).to_bytes(4, "little") + bytes(8) +
                         here.to_bytes(8, "little") + there.to_bytes(8, "little") + (34).to_bytes(8, "little") +
                         (last - 33).to_bytes(8, "little") + uuid.uuid4().bytes_le + at.to_bytes(8, "little") +
                         (128).to_bytes(4, "little") + (128).to_bytes(4, "little") + zlib.crc32(table).to_bytes(4, "little"))
        text[16:20] = zlib.crc32(text).to_bytes(4, "little")
        return bytes(text).ljust(512, b"\0")

    protective = bytes(446) + b"\0\0\2\0\xee\xff\xff\xff" + (1).to_bytes(4, "little") + last.to_bytes(4, "little")
    with file.open("r+b") as disk:
        disk.write(protective.ljust(510, b"\0") + b"\x55\xaa" + header(1, last, 2) + table)
        disk.seek((last - 32) * 512)
        disk.write(table + header(last, 1, last - 32))


@pytest.fixture
def disks(tmp_path):
    """vdb to vde: a damaged ext4 on half of its disk, a blank one, a partition, one whose making was cut off."""
    data, blank, parts, cut = (tmp_path / name for name in ("data", "blank", "parts", "cut"))
    make_ext4(data, label="data", size=64 * MIB, blocks="32M")
    for request in ("ssv free_inodes_count 7", "ssv state 2"):
        subprocess.run(["/sbin/debugfs", "-w", "-R", request, data], check=True, stderr=subprocess.DEVNULL)
    blank.write_bytes(bytes(16 * MIB))
    parts.write_bytes(bytes(32 * MIB))
    make_ext4(parts, label="conf", size=0, blocks="16M", offset=MIB)
    gpt(parts, 32 * MIB, "config")
    cut.write_bytes(b"half of something" + bytes(16 * MIB - 17 - 512) + MARK.ljust(512, b"\0"))
    return [word for number, file in enumerate((data, blank, parts, cut)) for word in
            ("-drive", f"file={file},if=none,format=raw,id=more{number},cache=writeback",
             "-device", f"virtio-blk-pci,drive=more{number},serial=more{number}")]


def mounts(guest) -> dict:
    answer = json.loads(guest.run("husk status --json", 60).stdout)
    return {mount["where"]: mount.get("error", "mounted") for mount in answer["mounts"]}


def test_file_systems_are_found_checked_made_and_grown(boot, disks, tmp_path):
    units = write_units(tmp_path / "units", {
        "writer": unit("/bin/busybox sleep 10000", container="Volume=/made:/made"),
        "held": unit("/bin/busybox sleep 10000", container="Volume=/never/things:/things"),
    })
    start = {
        "units": units, "files": [*probe_files(), *tools()], "disk": tmp_path / "state.ext4", "qemu_args": disks,
        "append": "loglevel=7",
        "system": {"Mounts": {"Where": MOUNTS.removeprefix("Where=")},
                   "Devices": {"Node": "vd?\nGroup=nogroup\nMode=0640\nNode=vdb\nLink=data-disk"}},
    }
    with boot(**start) as guest:
        husk, log = Husk(guest), guest.run("dmesg", 30).text
        assert mounts(guest) == {
            "/var/lib/husk": "mounted", "/data": "mounted", "/data/inner": "mounted", "/made": "mounted", "/conf": "mounted",
            "/full": "on /dev/vdd is no file system that husk knows", "/again": "mounted",
            "/never": "there is no UUID=00000000-1111-2222-3333-444444444444", "/never/below": "'/never' is not mounted",
        }
        table = {line.split()[1]: line.split() for line in guest.run("cat /proc/mounts", 30).text.splitlines()}
        assert table["/made"][3].startswith("rw,nodev,noatime") and table["/conf"][3].startswith("ro,nosuid,nodev")
        assert table["/conf"][0] == "/dev/vdd1" and table["/data"][2] == "ext4"
        # Checked and mended, grown to its disk, made where nothing was or making was cut off, and not where something is.
        assert "e2fsck /dev/vdb: mended" in log and "grew '/data' to the size of /dev/vdb" in log
        assert int(guest.run("stat -f -c '%b %S' /data", 30).text.split()[0]) * 1024 > 50 * MIB
        assert log.count("making ext4 on ") == 2 and "mounted '/again': /dev/vde, ext4, made anew" in log
        # What is missing is waited for so long, and said with what is there.
        assert "there is no UUID=00000000-1111-2222-3333-444444444444 after 1s" in log and "(ext4, LABEL=data)" in log
        assert "/never is not mounted: there is no UUID=" in guest.run("husk status", 30).text
        # Units wait for what they would need of it, and only these.
        assert husk.unit("writer")["state"] == "running" and husk.unit("held")["state"] == "waiting"
        assert "mount '/never'" in husk.unit("held")["reason"]
        # Stable names, owners, links.
        assert [guest.run(f"readlink /dev/{name}", 30).text.strip() for name in
                ("disk/by-label/data", "disk/by-partlabel/config", "data-disk")] == ["../../vdb", "../../vdd1", "/dev/vdb"]
        assert guest.run("stat -c '%a %G' /dev/vdb /dev/null", 30).text.split() == ["640", "nogroup", "666", "root"]
        # A new supervisor waits for nothing.
        guest.run("kill -9 $(husk version --json | grep -o '\"pid\":[0-9]*' | cut -d: -f2)", 30)
        assert husk.unit("held")["state"] == "waiting"
        assert guest.run("dmesg", 30).text.count("waiting for the devices of file systems") == 1
        # A disk that goes and comes back.
        number = guest.run("basename $(readlink -f /sys/block/vdb/device)", 30).text.strip()
        guest.run(f"echo {number} >/sys/bus/virtio/drivers/virtio_blk/unbind", 30)
        guest.wait_console("unmounted '/data': /dev/vdb has gone", 30)
        assert mounts(guest)["/data"] == "there is no LABEL=data"
        assert guest.run("readlink /dev/disk/by-label/data", 30).status != 0
        guest.run(f"echo {number} >/sys/bus/virtio/drivers/virtio_blk/bind", 30)
        guest.wait_console("mounted '/data': /dev/vd[bf], ext4", 30, start=guest.console_text().index("/dev/vdb has gone"))
        guest.run("echo kept >/made/file", 30)
        guest.run("husk poweroff", 60)
        assert guest.wait_exit(120) is End.POWEROFF
    with boot(**start) as guest:
        assert guest.run("cat /made/file", 30).text == "kept\n"
        log = guest.run("dmesg", 30).text
        assert "e2fsck /dev/vdc: clean" in log and "making ext4" not in log and "grew" not in log
