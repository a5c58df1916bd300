"""Keys of isolation that cannot be carried out: a value that is none, or a kernel without what the value needs. The unit is
refused or fails, the message names the key and the cure, and units that do not need it run. One guest for the values,
and one for each command line that takes something away from the kernel."""

import re

import attacks
import huskvm
import pytest
from attacks import Attacker, attack_files, unit, write_units


def heart(**keys: str) -> str:
    return unit("heart", stays=True, **keys)


# name -> (keys, what the message has to say)
BAD = {
    "capability-unknown": ({"container": "AddCapability=CAP_EVERYTHING"}, r"CAP_EVERYTHING"),
    "capability-near": ({"container": "AddCapability=CAP_NET_BIND_SERVICES"}, r"did you mean.*NET_BIND_SERVICE"),
    "capability-all": ({"container": "AddCapability=all"}, r"'all' is refused.*name each"),
    "userns-unknown": ({"container": "UserNS=sideways"}, r"UserNS.*'auto'.*'host'"),
    "map-malformed": ({"container": "UIDMap=0:x:1"}, r"UIDMap"),
    "map-overlaps": ({"container": "UIDMap=0:100000:1000\nUIDMap=500:200000:1000"}, r"UIDMap"),
    "map-overlaps-outside": ({"container": "UIDMap=0:100000:1000\nUIDMap=1000:100500:1000"}, r"UIDMap"),
    "filter-unknown": ({"container": "SystemCallFilter=@no-such-group"}, r"SystemCallFilter.*'no-such-group' is not a group.*lists the groups"),
    "filter-call": ({"container": "SystemCallFilter=opne"}, r"SystemCallFilter.*'opne'"),
    "filter-errno": ({"container": "SystemCallErrorNumber=EWHATEVER"}, r"SystemCallErrorNumber.*EWHATEVER"),
    "filter-architecture": ({"container": "SystemCallArchitectures=pdp11"}, r"SystemCallArchitectures.*pdp11"),
    "profile-missing": ({"container": "SeccompProfile=/nowhere.json"}, r"/nowhere\.json"),
    "profile-no-json": ({"container": "SeccompProfile=/profiles/text.json"}, r"/profiles/text\.json"),
    "profile-unknown-call-action": ({"container": "SeccompProfile=/profiles/action.json"}, r"/profiles/action\.json"),
    "profile-deep": ({"container": "SeccompProfile=/profiles/deep.json"}, r"/profiles/deep\.json"),
    "profile-pipe": ({"container": "SeccompProfile=/profiles/endless"}, r"/profiles/endless"),
    "mask-relative": ({"container": "Mask=proc/kcore"}, r"Mask.*absolute"),
    "memory-negative": ({"service": "MemoryMax=-1"}, r"MemoryMax"),
    "memory-order": ({"service": "MemoryMin=64M\nMemoryMax=16M"}, r"MemoryM"),
    "memory-twice": ({"service": "MemoryMax=16M", "container": "Memory=32M"}, r"Memory"),
    "tasks-zero": ({"service": "TasksMax=0"}, r"TasksMax"),
    "quota-word": ({"service": "CPUQuota=much"}, r"CPUQuota"),
    "cpus-missing": ({"service": "AllowedCPUs=4000"}, r"AllowedCPUs"),
    "limit-order": ({"service": "LimitNOFILE=100:50"}, r"LimitNOFILE"),
    "device-path": ({"container": "AddDevice=/etc/passwd"}, r"AddDevice"),
    "verity-hash": ({"container": "Image=app\nImageVerity=12345"}, r"ImageVerity"),
    "landlock-relative": ({"container": "LandlockReadPaths=etc"}, r"LandlockReadPaths"),
    "landlock-port": ({"container": "LandlockBindPorts=70000"}, r"LandlockBindPorts"),
    "sysctl-device": ({"container": "Sysctl=kernel.core_pattern=|/x"}, r"Sysctl.*kernel\.core_pattern"),
    "privileges": ({"container": "NoNewPrivileges=perhaps"}, r"NoNewPrivileges"),
}
UNITS = {name: heart(**keys) for name, (keys, _) in BAD.items()} | {"good": heart()}
DEEP = b'{"defaultAction":' + b"[" * 30000 + b"]" * 30000 + b"}"


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    work = tmp_path_factory.mktemp("bad-keys")
    profiles = work / "profiles"
    profiles.mkdir()
    (profiles / "text.json").write_text("no json\n")
    (profiles / "action.json").write_text('{"defaultAction": "SCMP_ACT_MAYBE", "syscalls": []}\n')
    (profiles / "deep.json").write_bytes(DEEP)
    (profiles / "endless").symlink_to("/dev/zero")
    with huskvm.boot(units=write_units(work / "units", UNITS), files=[*attack_files(), (profiles, "/profiles")], state=False,
                     append="loglevel=7", timeout=attacks.TIMEOUT * 2) as machine:
        yield machine


@pytest.fixture(scope="module")
def husk(guest):
    return Attacker(guest).husk


@pytest.fixture(scope="module")
def units(husk):
    return husk.units()


@pytest.mark.parametrize("name", BAD)
def test_a_value_that_cannot_be_carried_out_runs_nothing_and_is_named(husk, units, name):
    assert units[name]["state"] in ("refused", "failed"), units[name]
    assert units[name]["main_pid"] == 0
    why = husk(f"why {name}")
    assert re.search(BAD[name][1], why, re.S), why


def test_the_good_one_runs_beside_them(units):
    assert units["good"]["state"] == "running" and units["good"]["restarts"] == 0


# Kernels that lack something. Name -> (command line, system.conf, units that need it and what is said, units that do not).
PLAIN_ROOT = "UserNS=host\nPrivateIPC=no\nNetwork=host"
WITHOUT = {
    "memory": ("cgroup_disable=memory", {}, {"wants-it": (heart(service="MemoryMax=16M"), r"MemoryMax=.*memory\.max.*CONFIG_MEMCG.*cgroup_disable=")},
               {"needs-nothing": heart()}),
    "pids": ("cgroup_disable=pids", {}, {"wants-it": (heart(service="TasksMax=20"), r"TasksMax=.*pids\.max.*CONFIG_CGROUP_PIDS.*cgroup_disable="),
                                         "by-default": (heart(), r"TasksMax=.*pids\.max")},
             {"needs-nothing": heart(service="TasksMax=infinity")}),
    "user-namespaces": ("", {"Sysctl": "user.max_user_namespaces=0"},
                        {"wants-it": (heart(), r"user namespace.*(USER_NS|max_user_namespaces)")},
                        {"needs-nothing": heart(container="UserNS=host")}),
    "network-namespaces": ("", {"Sysctl": "user.max_net_namespaces=0"},
                           {"wants-it": (heart(), r"clone|namespace|No space left")},
                           {"needs-nothing": heart(container="Network=host")}),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_a_kernel_that_lacks_it_runs_what_does_not_need_it(boot_without, name):
    append, system, needing, others = WITHOUT[name]
    texts = {unit_name: text for unit_name, (text, _) in needing.items()} | others
    with boot_without(texts, append, system) as machine:
        husk = Attacker(machine).husk
        units = husk.units()
        for unit_name, (_, said) in needing.items():
            why = husk(f"why {unit_name}")
            assert units[unit_name]["state"] in ("refused", "failed") and units[unit_name]["main_pid"] == 0, why
            assert re.search(said, why, re.S), why
        for unit_name in others:
            assert units[unit_name]["state"] == "running", husk(f"why {unit_name}")


@pytest.fixture
def boot_without(tmp_path):
    def start(texts, append, system):
        return huskvm.boot(units=write_units(tmp_path / "units", texts), files=attack_files(), state=False,
                           append=f"loglevel=7 {append}", system={"System": system} if system else {}, timeout=attacks.TIMEOUT)

    return start
