"""Mounts that are bent while they are made, and mounts that go out."""

import re

import pytest
from attacks import refused, succeeded, unit

ROUNDS = 15  # the neighbour swaps a hundred times in each
VOLUMES = "/var/lib/husk/volumes"
DEMAND = {"install": "Enabled=no"}
SHARED = "Volume=shared.volume:/shared"


def over(destination: str, options: str = "") -> str:
    """A unit with a volume, which an attacker filled, on a place that is the container's own."""
    return unit("look", container=f"Volume=evil.volume:{destination}{options}", **DEMAND)


# With the device's ids, and devices and setuid programs of the volume's, where it is not said otherwise.
OPEN = ":dev,suid\nUserNS=host"
PLACES = {"proc": ("/proc", ""), "proc-host": ("/proc", OPEN), "proc-sys": ("/proc/sys", OPEN), "proc-self": ("/proc/self", OPEN),
          "sysrq": ("/proc/sysrq-trigger", ""), "sys": ("/sys", OPEN), "cgroup": ("/sys/fs/cgroup", OPEN), "dev": ("/dev", ""),
          "dev-host": ("/dev", OPEN), "pts": ("/dev/pts", OPEN), "dev-fd": ("/dev/fd", OPEN), "root": ("/", OPEN)}

UNITS = {
    "swap": unit("swap", "/shared", container=SHARED, stays=True),
    "below": unit("look", "/shared /shared/target /shared/target/sub",
                  container=f"{SHARED}\nVolume=other.volume:/shared/target/sub", **DEMAND),
    "upon": unit("look", "/shared /shared/target", container=f"{SHARED}\nVolume=other.volume:/shared/target", **DEMAND),
    "tmpfs": unit("look", "/shared /shared/target", container=f"{SHARED}\nTmpfs=/shared/target/sub", **DEMAND),
    "masked": unit("look", "/shared /shared/target", container=f"{SHARED}\nMask=/shared/target/sub", **DEMAND),
    "source": unit("look", "/data", container=f"Volume={VOLUMES}/shared/target:/data", **DEMAND),
    "source-host": unit("look", "/data", container=f"Volume={VOLUMES}/shared/target:/data\nUserNS=host", **DEMAND),
    "source-path": unit("look", "/data", container="Volume=/var/lib/husk/plain/target/below:/data\nUserNS=host", **DEMAND),
    "root-below": unit("look", container=f"Rootfs={VOLUMES}/shared/target", **DEMAND),
    "propagate": unit("propagate", "/shared", container="AddCapability=CAP_SYS_ADMIN\nVolume=calm.volume:/shared", stays=True),
    "propagate-rbind": unit("propagate", "/shared", container="AddCapability=CAP_SYS_ADMIN\nVolume=calm.volume:/shared:rbind",
                            stays=True),
    "propagate-host": unit("propagate", "/shared",
                           container="AddCapability=CAP_SYS_ADMIN\nUserNS=host\nVolume=calm.volume:/shared:rbind", stays=True),
    "propagate-plain": unit("propagate", "/shared", container="Volume=plain.volume:/shared", stays=True),
    "planter": unit("look", container="Volume=/var/lib/husk/plain:/plain", **DEMAND),
    "seer": unit("look", container="Volume=calm.volume:/shared", **DEMAND),
    "moved": unit("moved", "/mine", container="Volume=moved.volume:/mine", stays=True),
} | {f"over-{name}": over(*place) for name, place in PLACES.items()}

OWN = {"/", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/proc", "/sys", "/sys/fs/cgroup", "/tmp", "/run", "/var/tmp"}


@pytest.fixture(autouse=True)
def device_stays(guest, husk):
    """Nothing of the device is mounted over, whatever happens; and husk is what it was."""

    def now():
        return guest.run("grep -v ' /run/husk/images/\\| /var/lib/husk/volumes/here ' /proc/1/mountinfo; ls /etc/husk /etc /", 20).text

    before, supervisor = now(), husk.supervisor()
    yield
    assert now() == before and husk.supervisor() == supervisor


def guarded(tried) -> None:
    """A container as every other: masks, limits, a null device, nothing of the device."""
    refused(tried, "ENOENT", "EROFS", "EACCES", "ENODATA", "EPERM", "ENOTDIR", but=("mounts", "null"))
    assert tried["null"] == "null"


def restart(guest, name: str, times: int) -> list[str]:
    """A unit started again and again: what each of its runs said."""
    guest.run(f"for i in $(seq {times}); do husk restart {name}; done >/dev/null 2>&1", 400)
    return guest.run(f"husk logs -n all {name}", 60).text.split("-- started")[1:]


def of_run(run: str) -> dict[str, str]:
    return dict(line[16:].split("\t", 1) for line in run.splitlines() if "\t" in line)


@pytest.mark.parametrize("name, point", [
    ("below", "/shared/target/sub"), ("upon", "/shared/target"), ("tmpfs", "/shared/target/sub"), ("masked", "/shared/target/sub")])
def test_a_race_at_a_mount_point_leads_nothing_elsewhere(guest, husk, name, point):
    husk.wait("swap", lambda one: one["state"] == "running")
    runs = restart(guest, name, ROUNDS)
    assert len(runs) == ROUNDS
    for run in runs:
        if "end\tok" not in run:
            assert re.search(r"exited with code 2\d\d", run), run  # of a stage before the program
            continue
        tried = of_run(run)
        guarded(tried)
        points = {path for path in tried["mounts"].split() if not path.startswith(("/proc/", "/sys/", "/dev/", "/look"))}
        # The directory that it was mounted on may have its other name since then.
        assert points <= OWN | {"/shared", point, point.replace("target", "link")}, points


@pytest.mark.parametrize("name", ["source", "source-host", "root-below"])
def test_a_race_at_a_volumes_source_stays_in_the_volume(guest, husk, name):
    husk.wait("swap", lambda one: one["state"] == "running")
    for run in restart(guest, name, ROUNDS):
        if "end\tok" in run:
            guarded(of_run(run))


def test_a_link_in_any_folder_that_a_unit_writes_to_leads_no_source_out(guest, husk):
    guest.run("mkdir -p /var/lib/husk/plain && ln -s /etc /var/lib/husk/plain/target && mkdir -p /etc/below", 20)
    husk("start source-path")
    guest.run("rmdir /etc/below; rm /var/lib/husk/plain/target", 20)
    assert "a link in '/var/lib/husk/plain', which units can write to, leads out of it" in husk("why source-path")


@pytest.fixture(scope="module")
def evil(guest):
    """What stands for the container's own files, and leads to the device's."""
    done = guest.run(f"mkdir -p {VOLUMES}/evil && cd {VOLUMES}/evil && mkdir -p pts shm mqueue fs/cgroup sys self/fd kernel 1 &&"
                     "ln -s /proc/sys/kernel/core_pattern null && ln -s /proc/sysrq-trigger console && ln -s / root &&"
                     "ln -s /proc/sys/kernel/core_pattern kcore && ln -s / cwd && mknod -m 666 zero c 1 5 && : >sysrq-trigger", 20)
    assert done.status == 0, done


@pytest.mark.parametrize("name", [f"over-{name}" for name in PLACES])
def test_a_volume_on_a_place_of_the_containers_own_opens_nothing(husk, attacker, evil, name):
    husk(f"start {name}")
    if husk.unit(name)["state"] == "exited":
        guarded(attacker.inside(name))
    else:
        why = husk(f"why {name}")
        assert "start failed" in why or "refused" in why, why


# Outwards


@pytest.mark.parametrize("name", ["propagate", "propagate-rbind", "propagate-host"])
def test_a_mount_of_a_container_stays_in_it(guest, husk, attacker, name):
    tried = attacker.inside(name)
    succeeded(tried, "make mounts shared", "mount on the volume", "write there", "mount elsewhere", "mount again")
    assert "attack-mount" not in guest.run("cat /proc/mounts /proc/1/mounts", 20).text
    assert guest.run(f"ls {VOLUMES}/calm/attack-mount", 20).text == ""
    assert "attack-mount" in guest.run(f"cat /proc/{husk.unit(name)['main_pid']}/mounts", 20).text
    assert "attack-mount" not in attacker.start("seer")["mounts"]


def test_without_the_capability_there_is_none(attacker):
    refused(attacker.inside("propagate-plain"), "EPERM", but=("write there",))


def test_what_is_mounted_on_the_device_later_is_not_seen_inside(guest, husk):
    done = guest.run(f"mkdir -p {VOLUMES}/calm/later && mount -t tmpfs none {VOLUMES}/calm/later && : >{VOLUMES}/calm/later/x", 20)
    assert done.status == 0
    seen = guest.run(f"ls /proc/{husk.unit('propagate-rbind')['main_pid']}/root/shared/later", 20).text
    guest.run(f"umount {VOLUMES}/calm/later", 20)
    assert seen == ""


def test_a_directory_that_is_moved_out_of_a_volume_leads_nowhere(guest, husk, attacker):
    husk.wait("moved", lambda one: one["state"] == "running" and "holding" in husk.log("moved"))
    guest.run(f"mv {VOLUMES}/moved/sub {VOLUMES}/here && : >{VOLUMES}/moved/go", 20)
    refused(attacker.inside("moved"), "ENOENT", but=("holding",))
    guest.run(f"rm -r {VOLUMES}/here", 20)
