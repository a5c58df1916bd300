"""Images made by an attacker: what lies where husk mounts, or what husk reads, is a link, a file, a pipe or a device;
the file is damaged, or changes under a running unit. Nothing of the device is seen, changed or left behind, and the
message names what is wrong. One guest; the images are made here."""

import os
import random
import re
import shutil
import stat
import subprocess

import attacks
import huskvm
import pytest
from attacks import ATTACKS, Attacker, attack_files, write_units

FOLDERS = ("etc", "dev", "proc", "sys", "tmp", "run", "var")
BINDS = f"Volume={ATTACKS}/hostile_root:/hostile_root:ro\n"
FUZZ_TRIES = 50  # as many are left behind where each leaves something


def container(image: str, *, exec_: str = "/hostile_root", more: str = "", enabled: bool = True) -> str:
    """A unit whose root is an image, or a directory where `image` has a slash in front."""
    key = "Image" if image.endswith("erofs") or not image.startswith("/") else "Rootfs"
    return (f"[Container]\n{key}={image}\nExec={exec_}\n{BINDS}{more}\n[Service]\nRestart=no\n"
            f"[Install]\n{'' if enabled else 'Enabled=no'}\n")


# What a root is made of: each entry takes the place of a plain folder.


def plain_root(folder) -> None:
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)


def link_to(target: str):
    return lambda path: path.symlink_to(target)


def node(kind: int, device: int):
    return lambda path: os.mknod(path, kind | 0o666, device)


def link_out_and_in(name: str):
    """Up past the root, to a folder that the image has too: inside it leads to the one, and to the device's own for
    whoever follows it where the root is not held."""
    def make(path):
        (path.parent / "outside" / name).mkdir(parents=True)
        path.symlink_to(f"../../../../../../outside/{name}")
    return make


def file_of(content: bytes):
    return lambda path: path.write_bytes(content)


PIPE, NULL, DISK = node(stat.S_IFIFO, 0), node(stat.S_IFCHR, os.makedev(1, 3)), node(stat.S_IFBLK, os.makedev(254, 0))

# name -> (path in the image, what makes it)
HOSTILE = {}
for _name in FOLDERS:
    HOSTILE[f"{_name}-out"] = (_name, link_to(f"/outside/{_name}"))
    HOSTILE[f"{_name}-up"] = (_name, link_to(f"../../../../../../outside/{_name}"))
    HOSTILE[f"{_name}-in"] = (_name, link_out_and_in(_name))
    HOSTILE[f"{_name}-file"] = (_name, file_of(b"no folder\n"))
for _name in ("etc", "dev", "proc"):
    HOSTILE[f"{_name}-pipe"] = (_name, PIPE)
    HOSTILE[f"{_name}-loop"] = (_name, link_to(_name))
HOSTILE |= {
    "proc-in-tmp": ("proc", link_to("tmp/proc")),
    "sys-in-proc": ("sys", link_to("/proc/self/cwd/sys")),
    "dev-in-proc": ("dev", link_to("/proc/1/root/dev")),
    "run-is-husks": ("run", link_to("/run/husk")),
    "tmp-is-proc": ("tmp", link_to("/proc/1/root/../outside/tmp")),
    "hosts-out": ("etc/hosts", link_to("/outside/secret")),
    "hosts-up": ("etc/hosts", link_to("../../../../../outside/secret")),
    "hosts-pipe": ("etc/hosts", PIPE),
    "hosts-disk": ("etc/hosts", DISK),
    "resolv-out": ("etc/resolv.conf", link_to("/outside/secret")),
    "hostname-fd": ("etc/hostname", link_to("/proc/self/fd/1")),
    "passwd-pipe": ("etc/passwd", PIPE),
    "passwd-null": ("etc/passwd", NULL),
    "passwd-disk": ("etc/passwd", DISK),
    "passwd-huge": ("etc/passwd", file_of(b"web:x:33:33::/:/bin/sh\n" + b"x" * (5 << 20))),
    "passwd-fd": ("etc/passwd", link_to("/proc/self/fd/0")),
    "passwd-up": ("etc/passwd", link_to("../../../../../outside/passwd")),
    "passwd-folder": ("etc/passwd", lambda path: path.mkdir()),
    "group-pipe": ("etc/group", PIPE),
}
# The same as directories of the device: there '..' of a link is not held by a file system's own root.
ROOTFS = [f"{name}-{how}" for name in FOLDERS for how in ("out", "up", "in")] + [
    "proc-in-tmp", "sys-in-proc", "hosts-out", "hosts-up", "passwd-up", "passwd-fd"]
NAMED_USER = [name for name in HOSTILE if name.startswith("passwd-")]

UNITS = {f"image-{name}": container(name) for name in HOSTILE}
UNITS |= {f"rootfs-{name}": container(f"/roots/{name}") for name in ROOTFS}
UNITS |= {f"user-{name}": container(name, more="User=web") for name in NAMED_USER}
UNITS |= {
    "plain": container("plain"),
    "plain-squashfs": container("plain-squashfs"),
    "fuzz": container("/var/lib/husk/images/fuzz.erofs", enabled=False),
    "changed": container("/var/lib/husk/images/changed.erofs", enabled=False, exec_="/hostile_root /noise"),
    # another unit can write to where this one's image lies
    "victim": container("/var/lib/husk/volumes/shared/app.erofs", enabled=False),
}


def make_image(root, target) -> None:
    command = ["mkfs.erofs", str(target), str(root)] if target.suffix == ".erofs" else [
        "mksquashfs", str(root), str(target), "-noappend", "-quiet", "-no-progress"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_root(folder, place: str = "", make=None):
    plain_root(folder)
    if place:
        at = folder / place
        if at.is_dir():
            at.rmdir()
        make(at)
    return folder


def damaged(good: bytes, number: int) -> bytes:
    """The same for the same number: cut short, noise, or a good image with a superblock that lies."""
    chance = random.Random(number)
    if number % 5 == 0:
        return good[: chance.randrange(len(good))]
    if number % 5 == 1:
        return chance.randbytes(chance.randrange(1, 8192))
    bad = bytearray(good)
    start = 1024 if good[1024:1028] == b"\xe2\xe1\xf5\xe0" else 0
    for _ in range(chance.randrange(1, 12)):
        bad[start + 4 + chance.randrange(92)] = chance.randrange(256)
    return bytes(bad)


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    work = tmp_path_factory.mktemp("images")
    images, files = {}, attack_files()
    for i, (name, (place, make)) in enumerate(HOSTILE.items()):
        root = make_root(work / "roots" / name, place, make)
        images[name] = work / f"{name}{('.erofs', '.squashfs')[i % 2]}"
        make_image(root, images[name])
        if name in ROOTFS:
            files.append((root, f"/roots/{name}"))
    root = make_root(work / "plain-root")
    for name, ending in ("plain", ".erofs"), ("plain-squashfs", ".squashfs"):
        images[name] = work / f"{name}{ending}"
        make_image(root, images[name])
    (root / "noise").write_bytes(random.Random(1).randbytes(2 << 20))
    make_image(root, work / "changed.erofs")
    files.append((work / "changed.erofs", "/tries/changed"))
    shutil.copy(images["plain"], work / "good")
    files.append((work / "good", "/tries/good"))
    for number in range(FUZZ_TRIES):
        good = images[("plain", "plain-squashfs")[number // 5 % 2]].read_bytes()
        (work / f"try-{number}").write_bytes(damaged(good, number))
        files.append((work / f"try-{number}", f"/tries/{number}"))
    # What links lead to, open for everybody, so that only husk is in the way.
    outside = work / "outside"
    for name in FOLDERS:
        (outside / name).mkdir(parents=True)
        (outside / name / "marker").write_text("untouched\n")
    (outside / "secret").write_text("the device's secret\n")
    (outside / "passwd").write_text("web:x:33:33::/:/bin/sh\n")
    for path in [outside, *outside.rglob("*")]:
        path.chmod(0o777)
    files.append((outside, "/outside"))
    units = write_units(work / "units", UNITS)
    with huskvm.boot(units=units, files=files, images=images, append="loglevel=7", timeout=attacks.TIMEOUT * 2,
                     system={"Manager": {"DefaultTimeoutStartSec": "60s"}}) as machine:
        yield machine


@pytest.fixture(scope="module")
def attacker(guest):
    return Attacker(guest)


@pytest.fixture(scope="module")
def husk(attacker):
    return attacker.husk


@pytest.fixture(scope="module")
def units(husk):
    return husk.units()


@pytest.fixture(scope="module")
def mounts_of(guest):
    """Unit's pid -> its mountinfo; all of them by one question."""
    done = guest.run("for p in /proc/[0-9]*; do echo \"pid ${p#/proc/}\"; cat $p/mountinfo; done", 60)
    found = {}
    for part in done.text.split("pid ")[1:]:
        pid, newline, text = part.partition("\n")
        found[int(pid)] = text
    return found


def device_state(guest) -> tuple[set[str], str]:
    """What an attack could leave behind: mounts of the device, and everything below /outside."""
    mounts = guest.run("cut -d' ' -f5 /proc/1/mountinfo", 20).text.split()
    files = guest.run("cd /outside && find . -exec stat -c '%n %F %a %u %s' {} \\; | sort; cat */marker secret", 20).text
    return {path for path in mounts if not path.startswith("/run/husk/images/")}, files


def loops(guest) -> int:
    return len(guest.run("cat /sys/block/loop*/loop/backing_file 2>/dev/null", 20).text.split("\n")) - 1


def test_the_device_is_as_it_was_after_every_hostile_root(guest, units):
    mounts, files = device_state(guest)
    assert not [path for path in mounts if path.startswith(("/outside", "/roots"))]
    assert mounts <= {"/", "/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/run", "/run/husk", "/tmp", "/run/husk/dev",
                      "/sys/fs/cgroup", "/sys/fs/pstore", "/var/lib/husk"}, mounts
    lines = files.splitlines()
    assert len(lines) == 3 + 2 * len(FOLDERS) + len(FOLDERS) + 1, files
    assert lines.count("untouched") == len(FOLDERS) and "the device's secret" in lines
    assert all(" 777 0 " in line for line in lines if line.startswith("./") or line.startswith(". ")), files


def test_a_plain_image_has_what_a_root_has(attacker, units):
    for name in ("plain", "plain-squashfs"):
        tried = attacker.inside(name)
        for path, kind in (("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "tmpfs"), ("/tmp", "tmpfs"), ("/run", "tmpfs")):
            assert tried[f"file system of {path}"] == kind, (path, tried.text)
        assert tried["/dev/null"] == "is null" and tried["/etc/hosts"] == "is husk's"


@pytest.mark.parametrize("name", [name for name in UNITS if name.startswith(("image-", "rootfs-"))])
def test_a_hostile_root_is_refused_or_keeps_its_unit_inside(attacker, husk, units, mounts_of, name):
    one = units[name]
    if one["state"] != "running":
        # By name, and not by an errno alone.
        place = "/" + HOSTILE[name.partition("-")[2]][0]
        why = husk(f"why {name}")
        assert one["state"] in ("failed", "refused"), why
        assert f"'{place}" in why, why
        return
    tried = attacker.inside(name)
    for path, kind in (("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "tmpfs"), ("/tmp", "tmpfs"), ("/run", "tmpfs"),
                       ("/sys/fs/cgroup", "cgroup2"), ("/dev/pts", "devpts"), ("/dev/shm", "tmpfs")):
        assert tried[f"file system of {path}"] == kind, (path, tried.text)
    assert tried["/dev/null"] == "is null"
    assert tried["read the device's secret"] == "ENOENT" or "hosts" in name or "resolv" in name, tried.text
    assert tried["see the device's husk"] == "ENOENT"
    for what in ("write /etc/hosts", "write /proc/sys", "write a cgroup's limit"):
        assert tried[what] in ("EROFS", "EACCES", "ENOENT", "ENXIO", "ELOOP"), (what, tried.text)
    for what in ("read /proc/kcore", "read /proc/keys"):
        assert tried[what] in ("ENODATA", "EACCES", "ENOENT"), (what, tried.text)
    # All that is masked or made read-only in a plain root is it here, wherever /proc and /sys lie.
    plain, own = (attacks.mounts(mounts_of[units[unit]["main_pid"]]) for unit in ("plain", name))
    proc, = (path for path, fields in own.items() if fields[fields.index("-") + 1] == "proc" and fields[3] == "/")
    sys, = (path for path, fields in own.items() if fields[fields.index("-") + 1] == "sysfs" and fields[3] == "/")
    for path, fields in plain.items():
        real = re.sub("^/sys(?=/)", sys, re.sub("^/proc(?=/)", proc, path))
        if path.startswith(("/proc/", "/sys/")):
            assert real in own, f"{path} is not covered in {name}: {sorted(own)}"
            assert ("ro" in own[real][5].split(",")) == ("ro" in fields[5].split(",")), real
    assert not [fields for fields in own.values() if "shared:" in " ".join(fields[6:8])]


def test_some_hostile_roots_run_all_the_same(units):
    """Else the test above would say nothing of where the mounts go."""
    running = [name for name in UNITS if units[name]["state"] == "running"]
    assert {"image-etc-out", "image-etc-in", "image-tmp-up", "image-hosts-up", "image-passwd-fd"} <= set(running), running


@pytest.mark.parametrize("name", NAMED_USER)
def test_a_user_is_not_looked_up_in_a_passwd_that_is_no_file_of_the_image(husk, units, name):
    one, why = units[f"user-{name}"], husk(f"why user-{name}")
    assert one["state"] == "failed", why
    assert re.search(r"'web'.*/etc/passwd|/etc/passwd.*(not a|too large|over )", why), why


def test_damaged_images_fail_with_a_cause_and_leave_nothing(guest, husk):
    before, loops_before = device_state(guest), loops(guest)
    folders = guest.run("ls /run/husk/images | wc -l", 20).text
    script = "cd /var/lib/husk/images; for i in $(seq 0 %d); do cp /tries/$i fuzz.new; mv fuzz.new fuzz.erofs;" \
             "echo \"try $i\"; husk start fuzz 2>&1; husk why fuzz; husk stop fuzz 2>&1; done" % (FUZZ_TRIES - 1)
    done = guest.run(script, 240)
    said = re.split(r"^try \d+$", done.text, flags=re.M)[1:]
    assert len(said) == FUZZ_TRIES
    causes = (r"the file is empty", r"neither erofs nor squashfs", r"cut short", r"header is damaged",
              r"is the file damaged\?", r"image .* damaged")
    fine = 0
    for number, text in enumerate(said):
        # Of a superblock with only unused bytes changed the kernel takes what it says.
        if re.search(r"fuzz is running|fuzz (was )?started|is running", text):
            fine += 1
            continue
        assert re.search(r"fuzz\.erofs'", text), (number, text)
        assert any(re.search(cause, text) for cause in causes) or re.search(r"hostile_root", text), (number, text)
    assert fine < FUZZ_TRIES // 2
    guest.run("rm -f /var/lib/husk/images/fuzz.erofs", 20)
    assert device_state(guest) == before
    return_to = loops(guest)
    assert return_to <= loops_before + fine, f"{return_to} loop devices, {loops_before} before"
    left = int(guest.run("ls /run/husk/images | wc -l", 20).text) - int(folders)
    assert left <= fine, f"{left} folders of images that could not be mounted are left in /run/husk/images"


def test_an_image_that_changes_under_a_running_unit_harms_that_unit_alone(guest, husk, units):
    plain = units["plain"]["main_pid"]
    supervisor = husk.supervisor()
    image = "/var/lib/husk/images/changed.erofs"

    def start():
        assert guest.run(f"cp /tries/changed {image}.new && mv {image}.new {image}; husk start changed", 60).status == 0
        assert husk.wait("changed", lambda one: one["state"] == "running")

    start()
    # Replaced and deleted: the old file is held.
    guest.run(f"cp /tries/good {image}.new; mv {image}.new {image}; rm {image}; sync; echo 3 >/proc/sys/vm/drop_caches", 30)
    assert husk.unit("changed")["state"] == "running"
    husk("stop changed")
    start()
    # Truncated in place: a loop device reads zeros behind the end, so it may go on, or not.
    guest.run(f": >{image}; sync; echo 3 >/proc/sys/vm/drop_caches", 30)
    husk("stop changed")
    said = husk("start changed") + husk("why changed")
    assert "changed.erofs" in said and "empty" in said, said
    assert husk.supervisor() == supervisor and husk.unit("plain")["main_pid"] == plain
    guest.run(f"rm {image}", 20)


@pytest.mark.parametrize("name, make, said", [
    ("a pipe", "mkfifo $f", "regular file"),
    ("a link to the disk", "ln -s /dev/vda $f", "regular file"),
    ("a link to a terminal", "ln -s /dev/ttyS0 $f", "regular file"),
    ("a link to a secret", "ln -s /outside/secret $f", "neither erofs nor squashfs"),
    ("a link to itself", "ln -s app.erofs $f", "[Ss]ymbolic link"),
    ("a folder", "mkdir $f", "regular file|directory"),
    ("endless", "ln -s /dev/zero $f", "regular file")])
def test_an_image_where_another_unit_can_write_is_no_trap(guest, husk, name, make, said):
    f = "/var/lib/husk/volumes/shared/app.erofs"
    guest.run(f"mkdir -p /var/lib/husk/volumes/shared; rm -rf {f}; f={f}; cd ${{f%/*}}; {make}", 20)
    done = guest.run("timeout 20 husk start victim 2>&1; timeout 20 husk why victim", 60)
    try:
        assert re.search(said, done.text), (name, done.text)
        assert "app.erofs" in done.text
        assert guest.run("timeout 20 husk status >/dev/null", 30).status == 0, "the supervisor hangs"
        husk("stop victim")
    finally:
        # Lets a supervisor go that waits for the pipe's other end.
        guest.run(f"[ -p {f} ] && timeout 2 sh -c 'echo >{f}'; rm -rf {f}", 20)


def test_no_image_is_left_when_all_units_are_stopped(guest, husk):
    """Last: what it stops does not come back."""
    names = [name for name, one in husk.units().items() if one["state"] == "running"]
    husk("stop " + " ".join(names), 120)
    assert guest.run("husk status >/dev/null", 30).status == 0
    mounts, _ = device_state(guest)
    assert not [path for path in mounts if path.startswith(("/outside", "/roots"))]
