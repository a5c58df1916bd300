"""SystemCallFilter= and SeccompProfile= of real units, asked from the inside by tests/probes/calls.cc."""

import errno
import json
import re

import huskvm
import huskvm.build
import pytest
from conftest import PROBES, TIMEOUT, write_units

pytestmark = pytest.mark.each_kernel

PROFILE = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64", "SCMP_ARCH_X86"],
    "syscalls": [
        {"names": ["getcwd"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EROFS},
        {"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EXDEV,
         "args": [{"index": 1, "value": 7, "op": "SCMP_CMP_GE"}]},
        {"names": ["sync"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_KILL"]}},
        {"names": ["mincore"], "action": "SCMP_ACT_ERRNO", "includes": {"minKernel": "6.0"}},
    ],
}


def unit(calls: str, container: str = "") -> str:
    return (f"[Container]\nExec=/calls {calls}\nVolume={PROBES}/calls:/calls:ro\n{container}\n"
            "[Service]\nRestart=no\n")


EVERYWHERE = "unshare,0x10000000 setns clone3 ioctl,1,0x5412 personality,0x40000"
UNITS = {
    "default": unit(f"getppid getcwd ptrace keyctl socket,38 socket,40 newer {EVERYWHERE}"),
    "allow": unit(f"getppid getcwd fchownat {EVERYWHERE}",
                  "SystemCallFilter=@basic-io @process ioctl personality\nSystemCallErrorNumber=ENOENT"),
    "deny": unit("getppid getcwd fchownat fchmodat keyctl",
                 "SystemCallFilter=~@chown fchmodat:EROFS\nSystemCallFilter=getcwd"),
    "kills": unit("getppid getcwd", "SystemCallFilter=~getcwd:kill"),
    "foreign": unit("getppid x32-getppid"),
    "profile": unit(f"getppid getcwd getpriority,0,6 getpriority,0,7 sync mincore {EVERYWHERE}",
                    "SeccompProfile=/etc/profile.json"),
    "setuid": unit("getppid getcwd", "NoNewPrivileges=no\nUser=1000\nSystemCallFilter=~getcwd"),
    # Only execve is asked for under the filter where the program is found, and nothing where it is not.
    "by-path": ("[Container]\nExec=calls getppid getcwd\nSystemCallFilter=@basic-io @signal @process\n"
                f"SystemCallErrorNumber=kill\nVolume={PROBES}/calls:/bin/calls:ro\n[Service]\nRestart=no\n"),
    "absent": ("[Container]\nExec=not-there\nSystemCallFilter=@signal\nSystemCallErrorNumber=kill\n"
               f"Volume={PROBES}/calls:/bin/calls:ro\n[Service]\nRestart=no\n"),
    "broken": unit("getppid", "SeccompProfile=/etc/broken.json"),
    "misspelt": unit("getppid", "SystemCallFilter=@system-service opnat"),
}


@pytest.fixture(scope="module")
def guest(tmp_path_factory, kernel):
    folder = tmp_path_factory.mktemp("seccomp")
    (folder / "profile.json").write_text(json.dumps(PROFILE))
    (folder / "broken.json").write_text('{"defaultAction": "SCMP_ACT_NOTIFY"}')
    files = [(huskvm.build.device() / "probes/calls", f"{PROBES}/calls")]
    files += [(folder / name, f"/etc/{name}") for name in ("profile.json", "broken.json")]
    units = write_units(folder / "units", UNITS)
    with huskvm.boot(units=units, files=files, kernel=kernel, append="loglevel=7", timeout=TIMEOUT * 2) as machine:
        yield machine


def answers(husk, name: str) -> dict[str, int]:
    told = husk.guest.run(f"for i in $(seq 60); do husk logs -o cat -n all {name} | grep -q '^end' && break; sleep 0.5; done;"
                          f"husk logs -o cat -n all {name}", 90).text
    assert re.search("^end$", told, re.M), told
    return {call: int(code) for call, code in re.findall(r"^(\S+) (\d+)$", told, re.M)}


def always_holds(said: dict[str, int]):
    assert said["unshare,0x10000000"] == errno.EPERM
    assert said["setns"] == errno.EPERM
    assert said["clone3"] == errno.ENOSYS
    assert said["ioctl,1,0x5412"] == errno.EPERM
    assert said["personality,0x40000"] == errno.EPERM


def test_the_default_profile(husk):
    said = answers(husk, "default")
    assert said["getppid"] == 0 and said["newer"] == errno.ENOSYS
    assert said["getcwd"] == errno.ERANGE, "the kernel's own answer"
    assert said["ptrace"] == said["keyctl"] == said["socket,38"] == said["socket,40"] == errno.EPERM
    always_holds(said)


def test_an_allow_list_and_its_error(husk):
    said = answers(husk, "allow")
    assert said["getppid"] == 0
    assert said["getcwd"] == said["fchownat"] == errno.ENOENT
    always_holds(said)


def test_a_deny_list_takes_from_the_default(husk):
    said = answers(husk, "deny")
    assert said["getppid"] == 0 and said["getcwd"] == errno.ERANGE
    assert said["fchownat"] == said["keyctl"] == errno.EPERM
    assert said["fchmodat"] == errno.EROFS


def test_a_call_that_kills(husk):
    for name in ("kills", "foreign"):
        one = husk.wait(name, lambda one: one["state"] == "failed")
        assert "SIGSYS" in husk(f"why {name}"), one
        assert husk.log(name).splitlines() == ["getppid 0"], name


def test_a_filter_that_kills_does_not_stand_in_the_way_of_a_start(husk):
    husk.wait("by-path", lambda one: one["state"] == "failed")
    assert husk.log("by-path").splitlines() == ["getppid 0"]
    husk.wait("absent", lambda one: one["state"] == "failed")
    assert "no such program in the container's PATH" in husk("why absent")


def test_a_profile(husk):
    said = answers(husk, "profile")
    assert said["getppid"] == said["sync"] == 0
    assert said["getcwd"] == errno.EROFS
    assert said["getpriority,0,6"] == errno.ESRCH and said["getpriority,0,7"] == errno.EXDEV
    assert said["mincore"] == errno.EPERM
    always_holds(said)


def test_without_no_new_privileges_the_filter_holds_too(husk):
    said = answers(husk, "setuid")
    assert said["getppid"] == 0 and said["getcwd"] == errno.EPERM


def test_a_filter_that_does_not_compile_refuses_its_unit_and_says_why(husk):
    units = husk.units()
    assert units["broken"]["state"] == units["misspelt"]["state"] == "refused"
    said = husk("check")
    assert re.search(r"misspelt\.container:4: error: key 'SystemCallFilter': 'opnat' is not a system call "
                     r"\(did you mean 'openat'\?\)", said), said
    assert re.search(r"broken\.container:4: error: key 'SeccompProfile': profile '/etc/broken\.json': action "
                     r"'SCMP_ACT_NOTIFY' is not supported", said), said
