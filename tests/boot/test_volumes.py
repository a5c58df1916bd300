"""What lasts: owners on volumes and what is written to an overlay, over restarts, a rename of the unit and power cuts.
And the mounts of Mount=."""

import os
import shutil
import subprocess
import time

import huskvm
import pytest
from conftest import TIMEOUT, Husk, probe_files, unit

pytestmark = pytest.mark.each_kernel

OWNER = unit("/bin/busybox sh -c 'cd /data; echo line >>file; mkdir -p dir; echo x >dir/inner; echo mine $(stat -c %%u:%%g file dir); "
             "exec sleep 1000'", container="User=1000\nGroup=1001\nVolume=data.volume:/data")
IMAGE = "[Container]\nImage=small\nUser=1000\nGroup=1001\n"
KEEPS = IMAGE + ("Overlay=root.volume\nExec=/bin/busybox sh -c 'echo line >>/srv/kept; echo new >/srv/new; rm -f /srv/gone; "
                 "echo kept $(busybox wc -l </srv/kept) $(busybox stat -c %%u:%%g /srv/kept /srv/new) $(busybox ls /srv); "
                 "exec busybox sleep 1000'\n")
SMALL = IMAGE + ("Overlay=volatile:1M\nExec=/bin/busybox sh -c 'busybox dd if=/dev/zero of=/srv/big bs=64k count=32; "
                 "echo big $(busybox stat -c %%s /srv/big); exec busybox sleep 1000'\n")
MOUNTS = IMAGE + ("Mount=type=image,source=small,destination=/image,subpath=srv\nMount=type=tmpfs,dst=/scratch,tmpfs-size=1M\n"
                  "Mount=type=volume,source=data.volume,destination=/d,subpath=dir,ro\n"
                  "Mount=type=bind,source=/etc/husk,destination=/etc/device,ro,rbind\n"
                  "Exec=/bin/busybox sh -c 'echo saw $(busybox ls /image) $(busybox cat /d/inner) $(busybox ls /etc/device); "
                  "busybox touch /image/x; busybox touch /d/x; busybox touch /scratch/x && echo scratch; exec busybox sleep 1000'\n"
                  "[Unit]\nRequires=owner\nAfter=owner\n")
LINK = IMAGE + ("Mount=type=volume,source=evil.volume,destination=/d,subpath=out\nExec=/bin/busybox sleep 1000\n"
                "[Service]\nRestart=no\n[Install]\nEnabled=no\n")


def small_image(folder):
    root = folder / "small"
    (root / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for other in ("proc", "dev", "sys", "tmp", "run", "etc", "srv", "var/tmp"):
        (root / other).mkdir(parents=True)
    (root / "srv/gone").write_text("of the image\n")
    for path in (root / "srv", root / "srv/gone"):
        os.chown(path, 1000, 1001)
    target = folder / "small.erofs"
    subprocess.run(["mkfs.erofs", "--quiet", str(target), str(root)], check=True, stdout=subprocess.DEVNULL)
    return target


@pytest.fixture(scope="module")
def guest(tmp_path_factory, kernel):
    folder = tmp_path_factory.mktemp("guest")
    (folder / "etc").mkdir()
    (folder / "etc/units").symlink_to("/var/lib/husk/units")
    for name, owner in (("first", "owner"), ("renamed", "someone")):
        given = folder / "given" / name
        given.mkdir(parents=True)
        (given / f"{owner}.container").write_text(OWNER)
        for other, text in {"keeps": KEEPS, "small": SMALL, "mounts": MOUNTS.replace("owner", owner), "link": LINK}.items():
            (given / f"{other}.container").write_text(text)
    (folder / "none").mkdir()
    with huskvm.boot(units=folder / "none", append="loglevel=7", timeout=TIMEOUT * 4, kernel=kernel,
                     images={"small": small_image(folder)},
                     files=[*probe_files(), (folder / "etc", "/etc/husk"),
                            (folder / "given", "/given")]) as machine:
        husk = Husk(machine)
        machine.run("mkdir -p /var/lib/husk/volumes/evil && ln -s /etc /var/lib/husk/volumes/evil/out", 20)
        # 'mounts' may come before 'owner' has made the folder that it wants, and comes again.
        machine.run("timeout 60 husk apply /given/first", 120)
        wait_for(husk, "keeps", "kept 1")
        yield machine


def wait_for(husk, name, words, timeout=60):
    deadline = time.monotonic() + timeout
    while words not in husk.log(name):
        assert time.monotonic() < deadline, husk.log(name) + husk(f"why {name}")
        time.sleep(0.3)
    return husk.log(name)


def on_disk(guest):
    return guest.run("cd /var/lib/husk/volumes && stat -c '%n %u:%g' data/file data/dir root/upper/srv/kept root/upper/srv/new", 20).text


ON_DISK = ("data/file 1000:1001\ndata/dir 1000:1001\nroot/upper/srv/kept 1000:1001\nroot/upper/srv/new 1000:1001")


def changed(guest):
    """When the owner or the mode of a folder that nobody touches was changed last."""
    return guest.run("stat -c %z /var/lib/husk/volumes/data/dir", 20).text


def test_owners_are_the_containers_over_a_restart(guest, husk):
    wait_for(husk, "owner", "mine 1000:1001 1000:1001")
    before = changed(guest)
    assert on_disk(guest).strip() == ON_DISK
    husk("restart owner keeps", 60)
    log = wait_for(husk, "keeps", "kept 2")
    assert "kept 2 1000:1001 1000:1001 kept new" in log and "gone" not in log.replace("gone:", "")
    wait_for(husk, "owner", "mine 1000:1001 1000:1001")
    assert on_disk(guest).strip() == ON_DISK and changed(guest) == before


def test_a_volatile_overlay_is_bounded(guest, husk):
    log = wait_for(husk, "small", "big ")
    assert "No space left on device" in log
    assert guest.run("ls /var/lib/husk/volumes", 20).text.split() == ["data", "evil", "root"]


def test_mounts_are_made_in_the_long_form(guest, husk):
    log = wait_for(husk, "mounts", "scratch")
    assert "saw gone x " in log and " units" in log
    # Two of the three places cannot be written to; it runs again when what it requires does.
    runs = log.count("saw gone x ")
    assert log.count("Read-only file system") == 2 * runs


def test_a_subpath_follows_no_link_out_of_its_volume(guest, husk):
    guest.run("husk start link", 60)
    husk.wait("link", lambda one: one["state"] == "failed")
    assert "symbolic link" in husk("why link")


def test_owners_are_the_containers_after_a_rename_of_the_unit(guest, husk):
    before, pid = changed(guest), husk.unit("owner")["main_pid"]
    ids = guest.run(f"cat /proc/{pid}/uid_map", 20).text.split()
    guest.run("timeout 60 husk apply /given/renamed", 120)
    wait_for(husk, "someone", "mine 1000:1001 1000:1001")
    other = guest.run(f"cat /proc/{husk.unit('someone')['main_pid']}/uid_map", 20).text.split()
    assert ids[1] != other[1], "the renamed unit has the same range: this shows nothing"
    assert on_disk(guest).strip() == ON_DISK and changed(guest) == before


def test_they_last_over_a_power_cut(guest, husk):
    before = changed(guest)
    guest.run("sync", 60)
    guest.power_cut()
    guest.wait_agent()
    wait_for(husk, "someone", "mine 1000:1001 1000:1001", 120)
    assert "1000:1001 1000:1001 kept new" in wait_for(husk, "keeps", "kept 3", 120)
    assert on_disk(guest).strip() == ON_DISK and changed(guest) == before
