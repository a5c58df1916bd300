"""What is outside of the container in the same kernel: processes, users, keys, terminals, directories."""

import os
import shutil
import struct
import tempfile
from pathlib import Path

import huskvm.rootfs
import pytest
from attacks import ATTACKS, NO_SUCH_CALL, refused, succeeded, unit

DEMAND = "Enabled=no"
CAP_NET_RAW = 13
GAIN = "User=1000\nGroup=1000"


def gaining(where: str, container: str) -> str:
    """A unit that executes a file that is to gain rights: by an image, or a volume."""
    root = "Image=gains" if where == "image" else "Volume=gains.volume:/gains" if where == "volume" else \
        "Volume=gains.volume:/gains:suid"
    folder = "" if where == "image" else "/gains"
    return "\n".join([f"[Container]\n{root}\n{GAIN}\n{container}\nExec={folder}/%i", "[Service]\nType=oneshot\nRestart=no",
                      "RemainAfterExit=yes", f"[Install]\n{DEMAND}\n"])


UNITS = {
    "others": unit("processes"),
    "others-pids": unit("processes", container="PrivatePIDs=no"),
    "others-user": unit("processes", container="PrivatePIDs=no\nUserNS=host\nUser=1000"),
    "others-host": unit("processes", container="UserNS=host"),
    "others-capable": unit("processes", container="PrivatePIDs=no\nAddCapability=CAP_SYS_PTRACE CAP_KILL CAP_SYS_RESOURCE"),
    "others-init": unit("processes", container="RunInit=yes"),
    "others-init-capable": unit("processes", container="RunInit=yes\nAddCapability=CAP_SYS_PTRACE CAP_KILL CAP_SYS_RESOURCE"),
    "neighbour": unit("processes", container="Environment=SECRET=1"),
    "namespaces": unit("namespaces"),
    "namespaces-host": unit("namespaces", container="UserNS=host"),
    "namespaces-admin": unit("namespaces", container="AddCapability=CAP_SYS_ADMIN"),
    "image@": gaining("image", ""),
    "image-gains@": gaining("image", "NoNewPrivileges=no"),
    "image-holds@": gaining("image", "NoNewPrivileges=no\nAddCapability=CAP_NET_RAW"),
    "volume@": gaining("volume", ""),
    "volume-gains@": gaining("volume", "NoNewPrivileges=no"),
    "volume-suid@": gaining("suid", ""),
    "keys": unit("keyring"),
    "keys-host": unit("keyring", container="UserNS=host"),
    "terminal": unit("terminal"),
    "terminal-console": unit("terminal", service="StandardError=console"),
    "terminal-console-host": unit("terminal", container="UserNS=host", service="StandardError=console"),
    "terminal-own": unit("terminal", "own"),
    "chroot": unit("chroot"),
    "chroot-host": unit("chroot", container="UserNS=host"),
    "chroot-capable": unit("chroot", container="AddCapability=CAP_SYS_CHROOT"),
    "chroot-capable-host": unit("chroot", container="UserNS=host\nAddCapability=CAP_SYS_CHROOT CAP_DAC_READ_SEARCH"),
}


def file_capability(number: int) -> bytes:
    """security.capability, capabilities(7): effective, permitted one."""
    return struct.pack("<IIIII", 0x02000001, 1 << number, 0, 0, 0)


def gaining_image() -> Path:
    """An image with a program that is root's and setuid, and one with a capability."""
    folder = Path(tempfile.mkdtemp(prefix="husk-attack-"))
    root = folder / "root"
    for name in ("proc", "sys", "dev", "run", "tmp", "etc", "var/tmp"):
        (root / name).mkdir(parents=True)
    for name in ("setuid", "capable"):
        shutil.copy(huskvm.build.device() / "attack/setuid", root / name)
        os.chown(root / name, 0, 0)
    (root / "setuid").chmod(0o6755)
    os.setxattr(root / "capable", "security.capability", file_capability(CAP_NET_RAW))
    huskvm.rootfs.make_erofs(root, folder / "gains.erofs")
    return folder / "gains.erofs"


def BOOT():
    return {"images": {"gains": gaining_image()}}


# Processes


def test_no_process_outside_can_be_named(attacker):
    tried = attacker.inside("others")
    assert tried["others"] == "none"
    refused(tried, "ESRCH", but=("others",))


def test_for_the_devices_root_they_are_there(attacker):
    tried = attacker.outside("processes")
    assert tried["others"] == "seen"
    succeeded(tried, *(set(tried) - {"others"}))


@pytest.mark.parametrize("name", ["others-pids", "others-user"])
def test_where_they_can_be_named_they_are_other_users(attacker, name):
    tried = attacker.inside(name)
    assert tried["others"] == "seen"
    refused(tried, "EPERM", "EACCES", but=("others",))


def test_capabilities_do_not_reach_into_another_user_namespace(attacker):
    refused(attacker.inside("others-capable"), "EPERM", "EACCES", but=("others",))


@pytest.mark.parametrize("name", ["others-init", "others-init-capable"])
def test_process_1_of_run_init_cannot_be_looked_into(attacker, name):
    """It began as a copy of the supervisor, and is the container's own user."""
    tried = attacker.inside(name)
    assert tried["others"] == "seen"
    allowed = ("signal", "signal of a stop", "limits")  # its own user's; the signals go to the program
    succeeded(tried, *allowed)
    refused(tried, "EPERM", "EACCES", but=("others", *allowed))


def test_the_same_user_cannot_name_them_either(attacker):
    tried = attacker.inside("others-host")
    assert tried["others"] == "none"
    refused(tried, "ESRCH", but=("others",))


def test_husk_and_its_neighbours_run_on(husk):
    assert husk.unit("neighbour")["state"] == "exited" and husk.supervisor() > 0


# Namespaces


def test_no_namespace_can_be_made_or_joined(attacker):
    succeeded(attacker.outside("namespaces"))
    refused(attacker.inside("namespaces"), *NO_SUCH_CALL)
    refused(attacker.inside("namespaces-host"), *NO_SUCH_CALL)


def test_with_the_calls_allowed_what_is_masked_cannot_be_had_anew(attacker):
    tried = attacker.inside("namespaces-admin")
    succeeded(tried, "unshare of users")
    assert tried["proc anew, without masks"] == "EPERM"


# Files that gain rights


@pytest.fixture(scope="module")
def gains(guest):
    """On a volume, and so that one unit can be asked as much as another."""
    folder = "/var/lib/husk/volumes/gains"
    done = guest.run(f"mkdir -p {folder} && cp {ATTACKS}/setuid {folder}/setuid && chmod 6755 {folder}/setuid", 20)
    assert done.status == 0, done


def test_a_setuid_program_gains_by_its_file(attacker, guest, gains):
    guest.run("mkdir -p /run/gains && mount -t tmpfs none /run/gains && cp /var/lib/husk/volumes/gains/setuid /run/gains &&"
              "chmod 6755 /run/gains/setuid", 20)
    tried = attacker.outside("setuid", "as 1000 /run/gains/setuid")
    assert tried["uid"] == "0" and tried["gid"] == "0" and int(tried["capabilities"]) > 0


@pytest.mark.parametrize("name", ["image@setuid", "volume@setuid", "volume-suid@setuid", "volume-gains@setuid"])
def test_in_a_container_it_gains_nothing(attacker, gains, name):
    tried = attacker.start(name)
    assert tried["uid"] == tried["gid"] == "1000" and tried["capabilities"] == "0"
    assert tried["become root"] == "EPERM"


@pytest.mark.parametrize("name", ["image@capable", "image-gains@capable"])
def test_a_program_that_would_have_less_than_its_file_says_is_not_executed(husk, name):
    assert "execute '/capable': Operation not permitted" in husk(f"start {name}")


def test_where_it_may_it_gains_no_capability(attacker, gains):
    tried = attacker.start("image-gains@setuid")
    assert tried["uid"] == "0", "no_new_privs still holds; what the unit opened is shut"
    assert tried["capabilities"] == "0", "more than the bounding set"


def test_it_gains_what_the_unit_has_and_no_more(attacker):
    assert int(attacker.start("image-holds@capable")["capabilities"]) == 1 << CAP_NET_RAW
    assert int(attacker.start("image-holds@setuid")["capabilities"]) == 1 << CAP_NET_RAW


# Keys


def test_the_devices_keys_are_not_found(attacker, guest):
    succeeded(attacker.outside("keyring", "plant"))
    for name in ("keys", "keys-host"):
        refused(attacker.inside(name), "EPERM", "ENOSYS", "ENOKEY", "ENODATA", "EACCES")


# Terminals


def test_nothing_is_typed_into_the_devices_console(attacker):
    assert attacker.outside("terminal", "own")["TIOCSTI on a terminal of its own"] == "ok"
    for name in ("terminal", "terminal-console", "terminal-console-host"):
        refused(attacker.inside(name), "EPERM", "ENOTTY", "ENXIO", "ENOENT", "EBADF")
    assert attacker.inside("terminal-own")["TIOCSTI on a terminal of its own"] == "EPERM"


# Directories


def test_there_is_nothing_above_the_root(attacker):
    refused(attacker.inside("chroot"), "EPERM", "ENOENT")
    refused(attacker.inside("chroot-host"), "EPERM", "ENOENT")


@pytest.mark.parametrize("name", ["chroot-capable", "chroot-capable-host"])
def test_chroot_leads_to_the_containers_own_root_only(attacker, name):
    outside = attacker.outside("chroot", "jail")
    assert outside["read it from the jail"] == "ENOENT" and outside["out by chroot"] == "ok"
    tried = attacker.inside(name)
    succeeded(tried, "chroot")
    refused(tried, "ENOENT", but=("chroot",))
