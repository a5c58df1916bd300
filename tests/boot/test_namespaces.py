"""Namespaces, id maps, clocks and Landlock, asked from the inside by tests/probes/probe.cc, and what is said where the
kernel cannot give them. One guest for all of it."""

import json
import re

import huskvm
import pytest
from conftest import PROBES, TIMEOUT, Husk, probe_files, unit, write_units
from test_isolation import Facts, facts_of

HOUR = 3600
KINDS = ("mnt", "pid", "net", "ipc", "uts", "cgroup", "user", "time")

# On the device's root: no folder of the unit's own can be named.
ON_THE_DEVICE = f"[Container]\nExec={PROBES}/probe\nPrivateMounts=no\nProtectHostname=no\nPrivatePIDs=no\nPrivateIPC=no\n" \
                f"Network=host\nUserNS=host\nEnvironment=PROBE_SIGNAL=1 PROBE_TAME=1\n"

UNITS = {
    "plain": unit("/probe"),
    "mapped": unit("/probe", container="UIDMap=0:100000:1\nUIDMap=1000:200000:10\nGIDMap=0:300000:3\nUser=1005\nGroup=2\n"
                                       "Volume=mapped.volume:/data\nEnvironment=PROBE_WRITE=/data/file"),
    "no-such-id": unit("/probe", container="UIDMap=0:100000:10\nUser=nobody", service="Restart=no"),
    "said": unit("/probe", container="User=1234\nGroup=2345\nGroupAdd=7 8\nAddCapability=CAP_KILL CAP_NET_BIND_SERVICE\n"
                                     "HostName=said.example\nWorkingDir=/scratch\nEnvironment=A=b C=d\nTmpfs=/scratch:size=1M,noexec\n"
                                     "Volume=said.volume:/data:ro",
                 service="UMask=0077\nNice=3\nOOMScoreAdjust=100\nLimitNOFILE=33:44\nLimitCORE=0\nMemoryMax=32M\nTasksMax=9"),
    "shared": ON_THE_DEVICE,
    "shared-kept": ON_THE_DEVICE + "LandlockReadPaths=/\n",
    "guest": unit("/probe", container="Network=plain.container"),
    "later": unit("/probe", container="TimeOffset=1000h"),
    "earlier": unit("/probe", container="TimeOffset=-1s"),
    "too-early": unit("/probe", container="TimeOffset=-1000h", service="Restart=no"),
    "locked": unit("/probe", container="LandlockReadPaths=/probe:/proc:/sys:/dev:/etc/hosts:-/nowhere\nLandlockWritePaths=/tmp\n"
                                       "Environment='PROBE_READ=/etc/hosts:/etc/passwd:/tmp:/workload:/bin'\n"
                                       "Environment='PROBE_WRITE=/tmp/file:/run/file:/dev/shm/file'\nEnvironment=PROBE_RENAME=/tmp"),
    "read-only-locked": unit("/probe", container="LandlockReadPaths=/probe:/proc:/dev\nTmpfs=/scratch\n"
                                                 "Environment=PROBE_RENAME=/scratch"),
    "lock-missing": unit("/probe", container="LandlockReadPaths=/probe:/nowhere", service="Restart=no"),
    "lock-blind": unit("/probe", container="LandlockReadPaths=/etc", service="Restart=no"),
    "lock-privileged": unit("/probe", container="LandlockReadPaths=/probe:/proc:/sys:/dev\nNoNewPrivileges=no\n"
                                                "Environment=PROBE_READ=/etc/hosts"),
    "tuned": unit("/probe", container="Sysctl=\"net.ipv4.ping_group_range=0 5\" kernel.msgmax=4096 fs.mqueue.msg_max=7\n"
                                      "Environment=PROBE_SHOW=/proc/sys/net/ipv4/ping_group_range:/proc/sys/kernel/msgmax:"
                                      "/proc/sys/fs/mqueue/msg_max\n"
                                      "Environment=PROBE_WRITE=/proc/sys/kernel/msgmax"),
    "tuned-core": unit("/probe", container="Sysctl=net.core.somaxconn=77\nEnvironment=PROBE_SHOW=/proc/sys/net/core/somaxconn",
                       service="Restart=no"),
    "tuned-wrong": unit("/probe", container="Sysctl=net.core.nothing=1", service="Restart=no"),
    "ports": unit("/probe", container="LandlockBindPorts=8080 8081\nEnvironment=PROBE_BIND=8080:8081:8082", service="Restart=no"),
}


@pytest.fixture(scope="module")
def guest(tmp_path_factory, kernel):
    units = write_units(tmp_path_factory.mktemp("units"), UNITS)
    with huskvm.boot(units=units, files=probe_files(), kernel=kernel, append="loglevel=7", timeout=TIMEOUT * 2) as machine:
        yield machine


@pytest.fixture(scope="module")
def abi(guest):
    """Landlock's, by what the kernel is: 2 in 6.1, 6 in 6.12."""
    return 6 if guest.run("uname -r", 20).text.startswith("6.12") else 2


@pytest.fixture(scope="module")
def device(guest) -> dict[str, str]:
    text = guest.run("cd /proc/1/ns; for n in *; do echo $n=$(readlink $n); done", 20).text
    return dict(line.split("=", 1) for line in text.split("\n") if "=" in line)


@pytest.fixture(scope="module")
def facts(husk):
    found: dict[str, Facts] = {}

    def of(name: str) -> Facts:
        if name not in found:
            found[name] = facts_of(husk, name)
        return found[name]

    return of


def namespaces(facts: Facts) -> dict[str, str]:
    return dict(line.split("=", 1) for line in facts["namespaces"])


def test_an_explicit_map_is_the_units(facts, guest, husk):
    one = facts("mapped")
    lines = [line.split() for line in one["/proc/self/uid_map"].splitlines()]
    assert lines == [["0", "100000", "1"], ["1000", "200000", "10"]]
    assert one["/proc/self/gid_map"].split() == ["0", "300000", "3"]
    assert one.status("Uid").split() == ["1005"] * 4 and one.status("Gid").split() == ["2"] * 4
    seen = guest.run(f"grep -E '^(Uid|Gid):' /proc/{husk.unit('mapped')['main_pid']}/status", 20).text.split()
    assert seen[1] == "200005" and seen[6] == "300002"


def test_files_on_a_volume_belong_to_the_containers_user_on_disk(facts, guest):
    assert facts("mapped").tried("write /data/file") == "ok"
    owner = guest.run("stat -c %u:%g /var/lib/husk/volumes/mapped /var/lib/husk/volumes/mapped/file", 20).text.split()
    assert owner == ["1005:2", "1005:2"]


def test_a_user_outside_of_the_map_is_named(husk):
    one = husk.wait("no-such-id", lambda one: one["state"] == "failed")
    assert "user 65534 of 'nobody' is not in the map of ids; add it to UIDMap=" in one["reason"]


def test_what_is_seen_from_inside_is_what_the_unit_says(facts, guest, husk):
    one = facts("said")
    assert one.status("Uid").split() == ["1234"] * 4 and one.status("Gid").split() == ["2345"] * 4
    assert sorted(one["groups"]) == [7, 8] == sorted(int(group) for group in one.status("Groups").split())
    capabilities = 1 << 5 | 1 << 10
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(one.status(name), 16) == capabilities, name
    assert (one.status("NoNewPrivs"), one.status("Seccomp")) == ("1", "2")
    assert one["hostname"] == "said.example" and one["cwd"] == "/scratch"
    assert {"A=b", "C=d", "HOSTNAME=said.example", "container=husk"} <= set(one["environment"])
    assert {entry.split("=")[0] for entry in one["environment"]} == {"A", "C", "HOSTNAME", "container", "HOME", "PATH"}
    assert {entry.split("=")[0] for entry in one["fds"]} == {"0", "1", "2"}
    assert (one["umask"], one["nice"], one["/proc/self/oom_score_adj"].strip()) == (0o077, 3, "100")
    assert one["rlimit 7"] == [33, 44] and one["rlimit 4"] == [0, 0]
    assert (one["scheduling policy"], one["scheduling priority"], one["personality"]) == (0, 0, 0)
    assert one["/sys/fs/cgroup/memory.max"].strip() == str(32 << 20) and one["/sys/fs/cgroup/pids.max"].strip() == "9"
    mounts = {fields[4]: fields[5].split(",") for fields in map(str.split, one["/proc/self/mountinfo"].splitlines())}
    assert {"noexec", "nosuid", "nodev", "rw"} <= set(mounts["/scratch"])
    assert {"ro", "nosuid", "nodev"} <= set(mounts["/data"])
    inside = namespaces(one)
    shown = {space["kind"]: space for space in show_namespaces(guest, "said")["namespaces"]}
    assert {kind: f"{kind}:[{space['inode']}]" for kind, space in shown.items()} == {kind: inside[kind] for kind in KINDS}
    assert {kind for kind, space in shown.items() if space["shared"] == "own"} == set(KINDS) - {"time"}


def show_namespaces(guest, name: str) -> dict:
    return json.loads(guest.run(f"husk show --namespaces --json {name}", 30).stdout)["units"][0]


def test_show_says_with_whom_namespaces_are_shared(guest, husk, facts):
    facts("shared"), facts("guest")
    text = husk("show --namespaces guest")
    assert re.search(r"^net +\d+ +shared with 'plain'$", text, re.M), text
    assert re.search(r"^mnt +\d+ +own$", text, re.M) and re.search(r"^time +\d+ +the device's$", text, re.M)
    shared = {space["kind"]: space["shared"] for space in show_namespaces(guest, "shared")["namespaces"]}
    assert {kind for kind, how in shared.items() if how == "device"} == set(KINDS) - {"cgroup"}
    assert show_namespaces(guest, "plain")["namespaces"][2]["with"] == ["guest"]
    assert "has no process and no namespaces" in husk("show --namespaces lock-blind")


def test_security_scores_what_runs_here_by_its_files(guest):
    table = json.loads(guest.run("husk security --json", 30).stdout)["units"]
    scores = {one["name"]: one["score"] for one in table}
    assert scores["plain"] < 10 and scores["shared"] > 85
    assert [one["score"] for one in table] == sorted(scores.values(), reverse=True)
    assert guest.run("husk security --threshold=9 plain", 30).status == 0
    assert guest.run("husk security --threshold=50", 30).status == 1


def test_what_is_shared_is_the_devices(facts, device):
    inside = namespaces(facts("shared"))
    assert {kind for kind in KINDS if inside[kind] == device[kind]} == {"mnt", "pid", "net", "ipc", "uts", "user", "time"}
    assert facts("shared")["hostname"] == facts("shared")["/proc/sys/kernel/hostname"].strip() != "shared"
    assert facts("shared").status("CapEff").strip("0") == "", "the rest of its rights stays as it was"
    assert facts("shared")["/proc/1/cmdline"].startswith("/init") or "husk" in facts("shared")["/proc/1/cmdline"]


def test_a_start_on_the_devices_mounts_leaves_them_as_they_are(guest, husk):
    assert guest.run("mount | grep -c husk-test", 20).text.strip() == "0"
    assert husk.unit("shared")["state"] == "running"
    assert guest.run("cat /proc/sys/kernel/hostname", 20).text.strip() not in ("shared", "plain")


def uptime(guest) -> float:
    return float(guest.run("cat /proc/uptime", 20).text.split()[0])


def test_clocks_are_shifted_by_the_offset(facts, guest, device):
    now = uptime(guest)
    for clock in ("clock monotonic", "clock boottime"):
        assert 1000 * HOUR <= facts("later")[clock] <= 1000 * HOUR + now
        assert facts("earlier")[clock] <= now
        assert facts("plain")[clock] <= now
    assert abs(facts("later")["clock realtime"] - facts("plain")["clock realtime"]) < 600, "the time of day stays"
    assert namespaces(facts("later"))["time"] != device["time"]
    assert namespaces(facts("plain"))["time"] == device["time"]


def test_a_clock_is_not_shifted_below_zero(husk):
    one = husk.wait("too-early", lambda one: one["state"] == "failed")
    assert "TimeOffset=: a clock that is shifted by -1000h" in one["reason"] or "-41d" in one["reason"], one["reason"]
    assert "would be negative" in one["reason"]


def test_landlock_leaves_what_is_named(facts):
    one = facts("locked")
    answers = {name: one.tried(name) for name in one.keys_of("read ", "write ")}
    assert answers["read /etc/hosts"] == "ok" and answers["read /tmp"] == "ok"
    for path in ("/etc/passwd", "/workload", "/bin"):
        assert answers[f"read {path}"] == "EACCES", path
    assert answers["write /tmp/file"] == "ok"
    assert answers["write /run/file"] == "EACCES" and answers["write /dev/shm/file"] == "EACCES"
    assert one.tried("rename into another folder of /tmp") == "ok"


def test_landlock_of_reading_leaves_renames(facts):
    assert facts("read-only-locked").tried("rename into another folder of /scratch") == "ok"


def test_landlock_holds_where_new_privileges_are_allowed(facts):
    assert facts("lock-privileged").tried("read /etc/hosts") == "EACCES"
    assert facts("lock-privileged").status("NoNewPrivs") == "0"


def test_a_path_of_landlock_that_is_missing_is_named(husk):
    one = husk.wait("lock-missing", lambda one: one["state"] == "failed")
    assert "allow '/nowhere' by Landlock" in one["reason"] and "No such file" in one["reason"]


def test_a_program_that_landlock_hides_is_explained(husk):
    one = husk.wait("lock-blind", lambda one: one["state"] == "failed")
    assert "LandlockReadPaths= must hold the program" in one["reason"]


def test_ports_are_bound_as_named_or_the_unit_is_refused(facts, husk, abi):
    if abi >= 4:
        one = facts("ports")
        assert [one.tried(f"bind {port}") for port in (8080, 8081, 8082)] == ["ok", "ok", "EACCES"]
    else:
        one = husk.wait("ports", lambda one: one["state"] == "failed")
        assert "LandlockBindPorts= needs kernel 6.7 or later" in one["reason"]


def test_landlock_keeps_signals_inside_where_the_kernel_can(facts, abi):
    assert facts("shared").tried("signal 1") == "ok", "the same user outside may be signalled without it"
    assert facts("shared-kept").tried("signal 1") == ("EPERM" if abi >= 6 else "ok")


def test_kernel_parameters_are_the_containers_own(facts, guest):
    one = facts("tuned")
    assert one["/proc/sys/net/ipv4/ping_group_range"].split() == ["0", "5"]
    assert one["/proc/sys/kernel/msgmax"].strip() == "4096" and one["/proc/sys/fs/mqueue/msg_max"].strip() == "7"
    assert guest.run("cat /proc/sys/kernel/msgmax", 20).text.strip() != "4096"
    assert one.tried("write /proc/sys/kernel/msgmax") in ("EROFS", "EACCES"), "they stay as they are"


def test_a_parameter_that_an_old_kernel_hides_is_set_or_named(facts, husk, abi):
    if abi >= 4:
        assert facts("tuned-core")["/proc/sys/net/core/somaxconn"].strip() == "77"
    else:
        one = husk.wait("tuned-core", lambda one: one["state"] == "failed")
        assert "Sysctl=net.core.somaxconn: this kernel has no such parameter in the container's" in one["reason"]


def test_a_parameter_that_does_not_exist_is_named(husk):
    one = husk.wait("tuned-wrong", lambda one: one["state"] == "failed")
    assert "Sysctl=net.core.nothing: this kernel has no such parameter" in one["reason"]


def test_the_personality_is_plain(facts):
    assert facts("plain")["personality"] == 0


def test_keys_of_the_device_are_not_to_be_seen(facts):
    assert facts("plain").tried("keyctl") in ("EPERM", "ENOSYS")
    assert facts("plain").tried("add_key") in ("EPERM", "ENOSYS")
    assert facts("plain")["/proc/keys"] in ("", None)
