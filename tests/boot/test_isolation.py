"""What a container sees and what it is refused, asked from its inside by tests/probes/probe.cc; and what limits,
restarts and 'husk why' do. One guest for all of it."""

import json
import re

import huskvm
import pytest
from conftest import TIMEOUT, Husk, probe_files, unit, write_units
from huskvm import End

pytestmark = pytest.mark.each_kernel

SECOND = 1e9

UNITS = {
    "plain": unit("/probe", service="MemoryMax=24M\nTasksMax=17\nCPUQuota=25%\nCPUWeight=50\nMemoryHigh=20M"),
    "user": unit("/probe", container="User=1234\nGroup=2345\nHostName=other\nEnvironment=A=b\nWorkingDir=/tmp"),
    "other": unit("/workload sleep"),
    "bomb": unit("/workload eat", service="MemoryMax=12M\nRestartSec=1\nRestartSteps=3\nRestartMaxDelaySec=4"),
    "killed": unit("/workload sleep", service="RestartSec=20\nRestart=always"),
    "fails": unit("/workload exit 3", service="RestartSec=300ms\nRestartSteps=3\nRestartMaxDelaySec=3\nRestart=on-failure"),
    "fails-once": unit("/workload exit 4", service="Restart=no"),
    "ends": unit("/workload exit 0", service="Restart=on-failure"),
    "prevented": unit("/workload exit 5", service="Restart=always\nRestartPreventExitStatus=5"),
    "once": unit("/workload exit 0 300", service="Type=oneshot\nRemainAfterExit=yes"),
    "after-once": unit("/workload sleep", unit_="After=once\nRequires=once"),
    "once-bad": unit("/workload exit 6", service="Type=oneshot\nRestart=no"),
    "after-bad": unit("/workload sleep", unit_="After=once-bad\nRequires=once-bad"),
    "stubborn": unit("/workload stubborn", service="TimeoutStopSec=1"),
    "demand": unit("/workload sleep", install="Enabled=no"),
}


@pytest.fixture(scope="module")
def guest(tmp_path_factory, kernel):
    units = write_units(tmp_path_factory.mktemp("units"), UNITS)
    with huskvm.boot(units=units, files=probe_files(), kernel=kernel, append="loglevel=7", timeout=TIMEOUT * 2) as machine:
        yield machine


class Facts(dict):
    def status(self, name: str) -> str:
        return re.search(rf"^{name}:\s*(.*)$", self["/proc/self/status"], re.M)[1]

    def tried(self, name: str) -> str:
        return self[f"try {name}"]

    def keys_of(self, *beginnings: str) -> list[str]:
        """Names of what was tried."""
        tried = [name.removeprefix("try ") for name in self if name.startswith("try ")]
        return [name for name in tried if name.startswith(beginnings)]


def facts_of(husk: Husk, name: str) -> Facts:
    done = husk.guest.run(f"for i in $(seq 60); do husk logs -o cat -n all {name} | grep -q '^end' && break; sleep 0.5; done;"
                          f"husk logs -o cat -n all {name}", 90)
    found = Facts()
    for line in done.text.splitlines():
        key, tab, value = line.partition("\t")
        if tab:
            found[key] = json.loads(value)
    assert "end" in found, done.text[-2000:]
    return found


@pytest.fixture(scope="module")
def facts(husk):
    return facts_of(husk, "plain")


@pytest.fixture(scope="module")
def user_facts(husk):
    return facts_of(husk, "user")


def test_there_are_no_capabilities_and_none_can_be_gained(facts, user_facts):
    for one in (facts, user_facts):
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(one.status(name), 16) == 0, name
        assert one.status("NoNewPrivs") == "1"
        assert one.status("Seccomp") == "2" and one.status("Seccomp_filters") == "1"


def test_ids_are_mapped_to_an_own_range(facts, user_facts):
    ranges = []
    for one in (facts, user_facts):
        lines = [line.split() for line in one["/proc/self/uid_map"].splitlines()]
        assert len(lines) == 1 and lines[0][0] == "0" and lines[0][2] == "65536"
        assert int(lines[0][1]) >= 65536, "the device's own ids are in the range"
        assert one["/proc/self/gid_map"] == one["/proc/self/uid_map"]
        ranges.append(int(lines[0][1]))
    assert abs(ranges[0] - ranges[1]) >= 65536, "two units share ids"


def test_a_user_runs_as_it_is_asked_to(user_facts):
    assert user_facts.status("Uid").split() == ["1234"] * 4
    assert user_facts.status("Gid").split() == ["2345"] * 4
    assert user_facts["hostname"] == "other" and user_facts["cwd"] == "/tmp"
    assert "A=b" in user_facts["environment"]


def test_every_namespace_is_its_own(guest, husk, facts):
    def kinds(lines):
        return dict(line.split("=", 1) for line in lines)

    device = guest.run("cd /proc/self/ns; for n in *; do echo $n=$(readlink $n); done", 20).text.split("\n")
    device = kinds(line for line in device if "=" in line)
    inside = kinds(facts["namespaces"])
    for kind in ("mnt", "pid", "net", "ipc", "uts", "cgroup", "user"):
        assert inside[kind] != device[kind], kind
    other = husk.unit("other")["main_pid"]
    beside = guest.run(f"cd /proc/{other}/ns; for n in *; do echo $n=$(readlink $n); done", 20).text.split("\n")
    beside = kinds(line for line in beside if "=" in line)
    for kind in ("mnt", "pid", "net", "ipc", "uts", "cgroup", "user"):
        assert inside[kind] != beside[kind], kind


def test_it_is_pid_1_of_a_session_of_its_own(facts):
    assert (facts["pid"], facts["ppid"], facts["sid"], facts["pgid"]) == (1, 0, 1, 1)
    assert facts["has controlling terminal"] == 0
    assert [name for name in facts["processes"] if name.isdigit()] == ["1"]
    assert facts["/proc/1/cmdline"].startswith("/probe")


def test_only_the_standard_streams_are_open(facts):
    fds = dict(entry.split("=", 1) for entry in facts["fds"])
    assert set(fds) == {"0", "1", "2"}
    assert fds["0"] == "/dev/null"


def test_signals_are_as_a_program_expects_them(facts):
    assert int(facts.status("SigBlk"), 16) == 0
    assert int(facts.status("SigIgn"), 16) == 0
    assert facts["pdeathsig"] == 0
    assert facts["umask"] == 0o022


def test_limits_are_in_force_from_the_inside(facts):
    assert facts["/sys/fs/cgroup/memory.max"].strip() == str(24 << 20)
    assert facts["/sys/fs/cgroup/memory.high"].strip() == str(20 << 20)
    assert facts["/sys/fs/cgroup/pids.max"].strip() == "17"
    assert facts["/sys/fs/cgroup/cpu.max"].split() == ["25000", "100000"]
    assert facts["/sys/fs/cgroup/cpu.weight"].strip() == "50"
    assert facts["/sys/fs/cgroup/memory.oom.group"].strip() == "1"
    assert facts["/sys/fs/cgroup/cgroup.procs"].strip() == "1"
    assert facts["/proc/self/cgroup"].strip() == "0::/"
    for name in ("write /sys/fs/cgroup/memory.max", "write /sys/fs/cgroup/pids.max", "make a cgroup"):
        assert facts.tried(name) in ("EROFS", "EACCES"), name


def test_limits_are_written_as_the_unit_says(guest):
    leaf = guest.run("cd /sys/fs/cgroup/units/plain && cat memory.max pids.max cpu.max", 20).text.split("\n")
    assert leaf[:3] == [str(24 << 20), "17", "25000 100000"]
    assert guest.run("cat /sys/fs/cgroup/units/other/pids.max", 20).text.strip() == "512"


def test_resource_limits_have_systemds_defaults(facts):
    assert facts["rlimit 7"] == [1024, 524288]
    assert facts["/proc/self/oom_score_adj"].strip() == "0"


def test_files_in_etc_are_there(facts, user_facts):
    assert facts["hostname"] == "plain" and facts["/etc/hostname"] == "plain\n"
    assert "127.0.0.1\tlocalhost" in facts["/etc/hosts"] and "plain" in facts["/etc/hosts"]
    assert facts["/etc/resolv.conf"] is not None
    assert facts["/etc/passwd"].startswith("root:") and facts["/etc/group"].startswith("root:")
    assert user_facts["/etc/hostname"] == "other\n"


def test_mounts_of_the_device_are_not_to_be_seen(facts):
    mounts = [line.split() for line in facts["/proc/self/mountinfo"].splitlines()]
    targets = [fields[4] for fields in mounts]
    for path in ("/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/sys", "/sys/fs/cgroup", "/tmp", "/run"):
        assert path in targets, path
    options = {fields[4]: fields[5].split(",") for fields in mounts}
    assert "ro" in options["/"] and "ro" in options["/sys"] and "ro" in options["/sys/fs/cgroup"]
    assert "ro" in options["/proc/sys"]
    assert not [path for path in targets if "husk" in path or path.startswith("/old")]
    assert not [fields for fields in mounts if "shared:" in " ".join(fields[6:8])]


def test_masked_paths_are_empty(facts):
    for path in ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/interrupts"):
        assert facts[path] in ("", None), path
    for path in ("/sys/firmware", "/proc/acpi", "/proc/scsi", "/sys/devices/virtual/powercap"):
        assert facts[path] in ([], None), path
    assert set(facts["/sys/class/net"]) == {"lo"}


def test_devices_are_few(facts):
    allowed = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue", "fd", "stdin", "stdout",
               "stderr", "console", "core", "husk-notify"}
    assert {"null", "zero", "full", "random", "urandom", "tty", "ptmx"} <= set(facts["/dev"]) <= allowed
    assert facts.tried("write /dev/null") == "ok"
    assert facts.tried("mknod of a disk") == "EPERM"
    assert facts.tried("open /dev/vda") == "ENOENT"
    assert facts["/dev/kmsg"] is None


@pytest.mark.parametrize("path, answers", [
    ("/file", {"EROFS"}), ("/etc/hosts", {"EROFS"}), ("/dev/file", {"EROFS", "EACCES", "EPERM"}),
    ("/proc/sys/kernel/hostname", {"EROFS", "EACCES"}), ("/proc/sys/kernel/core_pattern", {"EROFS", "EACCES"}),
    ("/proc/sysrq-trigger", {"EROFS", "EACCES"}),
    ("/tmp/file", {"ok"}), ("/run/file", {"ok"}), ("/dev/shm/file", {"ok"})])
def test_only_what_is_meant_for_it_can_be_written(facts, path, answers):
    assert facts.tried(f"write {path}") in answers


@pytest.mark.parametrize("call", [
    "mount", "remount", "umount", "fsopen", "open_tree", "mount_setattr", "pivot_root", "chroot", "unshare user",
    "unshare mounts", "setns", "clone into a user namespace", "reboot", "init_module", "finit_module", "delete_module",
    "kexec_load", "bpf", "perf_event_open", "add_key", "keyctl", "userfaultfd", "io_uring_setup", "open_by_handle_at",
    "swapon", "sethostname", "clock_settime", "syslog", "iopl", "ioperm", "TIOCSTI",
    "raise RLIMIT_NOFILE above its hard limit", "raw socket", "packet socket"])
def test_a_call_that_is_not_for_containers_is_refused(facts, user_facts, call):
    assert facts.tried(call) in ("EPERM", "ENOSYS")
    assert user_facts.tried(call) in ("EPERM", "ENOSYS")


def test_clone3_says_that_it_does_not_exist(facts):
    assert facts.tried("clone3") == "ENOSYS"


def test_processes_outside_cannot_be_named(facts):
    assert facts.tried("ptrace of a process outside") in ("ESRCH", "EPERM")
    assert facts.tried("signal to a process outside") == "ESRCH"


def test_calls_of_another_architecture_end_the_process(facts):
    assert facts.tried("i386 call") == "signal 31"
    assert facts.tried("x32 call") == "signal 31"


def test_its_weight_cannot_be_raised(facts):
    assert facts.tried("setpriority -5") in ("EACCES", "EPERM")
    assert facts.tried("lower oom_score_adj") in ("EACCES", "EPERM")


# Limits and restarts


def test_a_memory_bomb_is_killed_for_memory_and_comes_again(husk):
    one = husk.wait("bomb", lambda one: one["restarts"] >= 2)
    assert one["last_exit"]["kind"] == "oom" and one["last_exit"]["signal"] == "SIGKILL"
    assert "killed for memory (limit 12" in husk("why bomb")


def test_a_kill_is_told_apart_from_memory(husk, guest):
    before = husk.unit("killed")
    assert guest.run(f"kill -9 {before['main_pid']}", 10).status == 0
    after = husk.wait("killed", lambda one: one["state"] == "backoff")
    assert after["last_exit"]["kind"] == "signal" and after["last_exit"]["signal"] == "SIGKILL"
    assert 0 < after["next_try_ms"] <= 22_000
    why = husk("why killed")
    assert "killed by SIGKILL" in why and "memory" not in why
    assert re.search(r"Next try: in \d+", why)
    assert re.search(r"What happened:\n  .*\(.* ago\): ", why)


def test_backoff_grows_and_is_capped(husk, guest):
    one = husk.wait("fails", lambda one: one["restarts"] >= 6, 90)
    assert one["last_exit"]["kind"] == "exited" and one["last_exit"]["code"] == 3
    log = [json.loads(line) for line in guest.run("husk logs --json -n all fails", 30).text.splitlines()]
    ends, starts = ([entry["monotonic"] for entry in log if entry["kind"] == kind] for kind in ("exited", "started"))
    pauses = [(start - end) / SECOND for start, end in zip(starts[1:], ends)]
    assert pauses[0] >= 0.29 and pauses[0] < pauses[2] < pauses[3] * 1.2
    assert all(2.9 <= pause for pause in pauses[4:]), pauses
    # A tenth of jitter, and what an emulated guest takes to start a process.
    assert all(pause < 3.3 + 2 for pause in pauses), pauses


def test_restart_rules_say_what_comes_again(husk):
    units = husk.units()
    assert units["fails-once"]["state"] == "failed" and units["fails-once"]["last_exit"]["code"] == 4
    assert units["prevented"]["state"] == "failed" and units["prevented"]["restarts"] == 0
    assert units["ends"]["state"] in ("inactive", "exited") and units["ends"]["restarts"] == 0
    assert units["demand"]["state"] == "inactive"


def test_a_oneshot_is_waited_for(husk):
    units = husk.units()
    assert units["once"]["state"] == "exited" and units["after-once"]["state"] == "running"
    assert units["after-once"]["since_monotonic"] >= units["once"]["since_monotonic"]
    assert units["once-bad"]["state"] == "failed"
    assert units["after-bad"]["state"] not in ("running", "starting")
    assert "once-bad" in husk("why after-bad")


def test_states_have_their_exit_status(guest, husk):
    assert guest.run("husk is-system-running", 20).status == 1
    assert guest.run("husk status other", 20).status == 0
    assert guest.run("husk status fails-once", 20).status == 3
    assert guest.run("husk status nobody", 20).status == 4
    assert guest.run("husk start demand && husk status demand", 20).status == 0
    assert guest.run("husk stop demand", 20).status == 0
    assert husk.unit("demand")["state"] == "inactive"


def test_what_ignores_the_stop_signal_is_killed(husk):
    husk("stop stubborn", 30)
    one = husk.unit("stubborn")
    assert one["state"] in ("inactive", "failed") and one["main_pid"] == 0
    assert "SIGKILL" in husk("why stubborn")


def test_the_power_button_ends_it_in_order(guest):
    start = len(guest.console_text())
    guest.power_button()
    assert guest.wait_exit(60) is End.POWEROFF
    console = guest.console_text()[start:]
    stopped = re.findall(r"unit '([\w-]+)': stop", console)
    assert {"plain", "other", "killed", "after-once"} <= set(stopped)
    assert "all units are stopped" in console
