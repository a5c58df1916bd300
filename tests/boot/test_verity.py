"""dm-verity: an image whose blocks are checked when they are read, by a root hash of the unit or of a file beside it."""

import re
import shutil
import subprocess

import huskvm
import pytest
from conftest import TIMEOUT, write_units
from huskvm import verity

MARK = b"this block will be flipped "


def image(folder, name, flip=False, apart=False, content=b""):
    """A small root with busybox, and a big file of random-looking lines; the root hash."""
    root = folder / name
    (root / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for other in ("proc", "dev", "sys", "tmp", "run", "etc", "var/tmp"):
        (root / other).mkdir(parents=True)
    (root / "etc/hostname").write_text("x\n")
    (root / "data").write_bytes(MARK * 40000 + content)
    target = folder / f"{name}.erofs"
    subprocess.run(["mkfs.erofs", "--quiet", "-T0", str(target), str(root)], check=True, stdout=subprocess.DEVNULL)
    if apart:
        root_hash = verity.make(target, folder / f"{name}.verity")
    else:
        root_hash = verity.append(target)
    if flip:
        bytes_ = bytearray(target.read_bytes())
        at = bytes_.index(MARK, 200 * 4096)
        at = (at // 4096 + 40) * 4096 + 11
        bytes_[at] ^= 1
        target.write_bytes(bytes_)
        return target, root_hash, at // 4096
    return target, root_hash, 0


READ = "/bin/busybox sh -c 'busybox sleep 1; busybox cat /data | busybox wc -c; echo read $?; exec busybox sleep 1000'"


@pytest.fixture(scope="module")
def damaged():
    return {}


@pytest.fixture(scope="module")
def guest(tmp_path_factory, kernel, damaged):
    folder = tmp_path_factory.mktemp("verity")
    good, good_hash, _ = image(folder, "good")
    apart, apart_hash, _ = image(folder, "apart", apart=True, content=b"2")
    bad, bad_hash, damaged["block"] = image(folder, "bad", flip=True, content=b"3")
    (folder / "bad.roothash").write_text(bad_hash + "\n")
    (folder / "apart.roothash").write_text(apart_hash.upper())
    def of(name, extra="", service=""):
        return f"[Container]\nImage={name}\nExec={READ}\n{extra}\n[Service]\n{service}\n"
    wrong = "0" * 64
    units = write_units(tmp_path_factory.mktemp("units"), {
        "good": of("good", f"ImageVerity={good_hash}"), "good2": of("good", f"ImageVerity={good_hash}"),
        "plain": of("good"), "apart": of("apart"),
        "wrong": of("good", f"ImageVerity={wrong}", "Restart=no"),
        "bad": of("bad", service="Restart=always\nRestartSec=100ms"), "bad2": of("bad"),
        "tree-less": f"[Container]\nImage=bare.erofs\nImageVerity={wrong}\nExec=/x\n[Service]\nRestart=no\n"})
    bare = folder / "bare.erofs"
    bare.write_bytes(good.read_bytes()[:verity.file_system_size(good)])
    images = {"good": good, "apart": apart, "apart.verity": folder / "apart.verity",
              "apart.roothash": folder / "apart.roothash", "bad": bad, "bad.roothash": folder / "bad.roothash",
              "bare.erofs": bare}
    with huskvm.boot(units=units, images=images, modules=["dm_verity"], kernel=kernel, append="loglevel=7",
                     timeout=TIMEOUT * 2) as machine:
        yield machine


def test_a_good_image_runs(husk, guest):
    for name in ("good", "good2", "apart", "plain"):
        assert husk.wait(name, lambda one: one["state"] == "running")
    for name in ("good", "apart"):
        husk.wait(name, lambda one: "read 0" in husk.log(name))
    for name in ("bad", "bad2"):  # they let go of theirs
        husk.wait(name, lambda one: one["state"] == "failed")
    devices = guest.run("for d in /sys/block/dm-*; do cat $d/dm/name; done", 20).text
    assert devices.count("husk-") == 2, devices  # good (of two units) and apart; 'wrong' left nothing
    assert guest.run("grep -c ' /run/husk/images/' /proc/self/mountinfo", 20).text.strip() == "3"


def test_a_wrong_root_hash_is_refused(husk):
    husk.wait("wrong", lambda one: one["state"] == "failed")
    assert "do not match the root hash" in husk("why wrong") and "veritysetup" in husk("why wrong")


def test_a_root_hash_needs_a_tree(husk):
    husk.wait("tree-less", lambda one: one["state"] == "failed")
    assert "no hash tree" in husk("why tree-less")


def test_a_flipped_byte_fails_the_units_of_the_image(husk, guest, damaged):
    for name in ("bad", "bad2"):
        one = husk.wait(name, lambda one: one["state"] == "failed")
        assert one["last_exit"]["kind"] == "damaged" and one["main_pid"] == 0
    words = f"image 'bad' is damaged: block {damaged['block']} of its data does not match its hash"
    assert words in husk("why bad")
    assert words in guest.console_text()
    assert husk.unit("bad")["restarts"] <= 1  # not in a loop
    # The rest goes on.
    for name in ("good", "good2", "apart", "plain"):
        assert husk.unit(name)["state"] == "running"


def test_it_can_be_started_by_a_person_and_fails_again(husk, guest):
    assert guest.run("husk start bad", 60).status in (0, 1)
    husk.wait("bad", lambda one: one["state"] == "failed" and one["restarts"] == 0)
    assert "is damaged" in husk("why bad")


def test_a_device_goes_with_its_last_user(husk, guest):
    def loops():
        return guest.run("cat /sys/block/loop*/loop/backing_file 2>/dev/null", 20).text

    assert loops().count("good.erofs") == 2  # the checked mount and the plain one
    husk("stop good")
    assert loops().count("good.erofs") == 2
    husk("stop good2 plain bad bad2 apart", 60)
    done = guest.run("for i in $(seq 50); do ls /sys/block | grep -q '^dm-' || break; sleep 0.2; done; ls /sys/block", 30).text
    assert "dm-" not in done, done
    done = guest.run("for i in $(seq 50); do cat /sys/block/loop*/loop/backing_file 2>/dev/null || break; sleep 0.2; done; "
                     "cat /sys/block/loop*/loop/backing_file 2>/dev/null; ls /run/husk/images", 30).text
    assert done.split("\n")[-2:] in (["", ""], [""]) or not re.search(r"\.erofs$", done.strip().split("\n")[-1]), done
