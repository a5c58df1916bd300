"""Limits in the leaf as the unit says them, what a delegated cgroup may and may not, memory that runs short, and
'husk update'. One guest for all of it."""

import json

import huskvm
import pytest
from conftest import TIMEOUT, Husk, probe_files, unit, write_units

pytestmark = pytest.mark.each_kernel

CGROUP = "/sys/fs/cgroup/units"
# Run inside: what its root may do with the cgroups below its own, and with its own limits.
DELEGATED = """\
b=/bin/busybox
cd /sys/fs/cgroup
$b mkdir inner && echo made
echo 1 > inner/cgroup.procs && echo moved
echo +pids > cgroup.subtree_control && echo controls
$b mkdir inner/deeper && echo deeper
(echo max > memory.max) 2>/dev/null && echo RAISED memory.max
(echo max > pids.max) 2>/dev/null && echo RAISED pids.max
(echo 7 > cgroup.max.depth) 2>/dev/null && echo RAISED cgroup.max.depth
(echo 5 > inner/pids.max) && echo limits
echo end
exec /workload sleep
"""

UNITS = {
    "limited": unit("/workload sleep", service=(
        "IOReadBandwidthMax=/dev/vda 10M\nIOWriteIOPSMax=/var/lib/husk 100\nIOWeight=50\nTasksMax=10%\nCPUQuota=12.5%\n"
        "AllowedMemoryNodes=0\nMemoryMax=24M\nCPUSchedulingPolicy=fifo\nCPUSchedulingPriority=3\nIOSchedulingClass=idle")),
    "no-disk": unit("/workload sleep", service="IOReadBandwidthMax=/run 1M\nRestart=no"),
    "no-zswap": unit("/workload sleep", service="MemoryZSwapMax=1M\nRestart=no"),
    "stopped": unit("/bin/busybox sh -c '/workload eat; /workload sleep; true'",
                    service="MemoryMax=12M\nOOMPolicy=stop\nRestart=no"),
    "reaped": unit("/workload eat", service="MemoryMax=12M\nOOMPolicy=continue\nRestart=no", container="RunInit=yes"),
    "delegated": unit("/bin/busybox sh /script", service="Delegate=yes\nMemoryMax=32M\nTasksMax=40",
                      container="Volume=/usr/lib/husk-test/script:/script:ro"),
    "pressed": unit("/workload eat", service="MemoryHigh=8M\nMemoryMax=64M\nRestart=no"),
    "web": unit("/workload sleep", service="MemoryMax=20M\nIOReadIOPSMax=/dev/vda 50"),
    "hand": unit("/workload sleep", install="Enabled=no"),
}


@pytest.fixture(scope="module")
def guest(tmp_path_factory, kernel):
    folder = tmp_path_factory.mktemp("guest")
    (folder / "script").write_text(DELEGATED)
    with huskvm.boot(units=write_units(folder / "units", UNITS), kernel=kernel, append="loglevel=7", timeout=TIMEOUT * 2,
                     files=[*probe_files(), (folder / "script", "/usr/lib/husk-test/script")]) as machine:
        yield machine


def leaf(guest, name: str, file: str) -> str:
    return guest.run(f"cat {CGROUP}/{name}/{file}", 20).text.strip()


def test_limits_are_written_as_the_unit_says(guest, husk):
    husk.wait("limited", lambda one: one["state"] == "running")
    disk = guest.run("cat /sys/block/vda/dev", 20).text.strip()
    assert leaf(guest, "limited", "io.max") == f"{disk} rbps=10000000 wbps=max riops=max wiops=100"
    assert leaf(guest, "limited", "io.weight") == "default 50"
    most = int(guest.run("cat /proc/sys/kernel/pid_max", 20).text)
    threads = int(guest.run("cat /proc/sys/kernel/threads-max", 20).text)
    assert int(leaf(guest, "limited", "pids.max")) == min(most, threads) // 10
    assert leaf(guest, "limited", "cpu.max") == "12500 100000"
    assert leaf(guest, "limited", "cpuset.mems") == "0"


def test_it_is_scheduled_as_the_unit_says(guest, husk):
    pid = husk.wait("limited", lambda one: one["state"] == "running")["main_pid"]
    fields = guest.run(f"cat /proc/{pid}/stat", 20).text.rpartition(")")[2].split()
    assert fields[37:39] == ["3", "1"], "rt_priority 3, SCHED_FIFO"
    assert guest.run(f"busybox ionice -p {pid}", 20).text.strip().startswith("idle")


def test_a_limit_of_no_disk_and_of_a_kernel_without_it_refuse_the_start(husk):
    reason = husk.wait("no-disk", lambda one: one["state"] == "failed")["reason"]
    assert "IOReadBandwidthMax=: '/run' lies on no disk of its own" in reason and "name the disk" in reason
    reason = husk.wait("no-zswap", lambda one: one["state"] == "failed")["reason"]
    assert "MemoryZSwapMax=" in reason and "CONFIG_ZSWAP" in reason


def test_out_of_memory_stops_the_unit_where_it_says_so(husk):
    one = husk.wait("stopped", lambda one: one["state"] == "failed")
    assert one["last_exit"]["kind"] == "oom"
    assert one["reason"].startswith("stopped by OOMPolicy=stop: 1 process was killed for memory (limit 12.0M)")


def test_out_of_memory_of_a_program_below_init_is_no_exit_code(husk):
    one = husk.wait("reaped", lambda one: one["state"] == "failed")
    assert one["last_exit"]["kind"] == "oom" and "killed for memory (limit 12.0M)" in one["reason"], one


def test_a_delegated_cgroup_is_its_own_but_not_its_limits(guest, husk):
    done = husk.guest.run("for i in $(seq 60); do husk logs -o cat -n all delegated | grep -q '^end' && break; sleep 0.5;"
                          "done; husk logs -o cat -n all delegated", 90).text
    for word in ("made", "moved", "controls", "deeper", "limits", "end"):
        assert word in done.split(), done
    assert "RAISED" not in done
    assert leaf(guest, "delegated", "memory.max") == str(32 << 20) and leaf(guest, "delegated", "pids.max") == "40"
    assert husk.unit("delegated")["tasks"]["current"] == 1, "what is below counts"
    husk("restart delegated")
    husk.wait("delegated", lambda one: one["state"] == "running")
    husk("stop delegated")
    assert guest.run(f"test -e {CGROUP}/delegated", 20).status != 0, "what it made goes with it"


def test_a_unit_that_is_short_of_memory_says_so(husk):
    one = husk.wait("pressed", lambda one: any("short of memory" in line["text"] for line in one["history"]))
    text = next(line["text"] for line in one["history"] if "short of memory" in line["text"])
    assert text.startswith("short of memory: stalled for 150ms within 1s at ") and text.endswith("of MemoryHigh=8.0M")
    assert sum("short of memory" in line["text"] for line in one["history"]) == 1, "once in some minutes"
    husk.wait("pressed", lambda one: any("short of memory" in note for note in one["notes"]))


def test_status_as_json_has_what_it_waited_for_and_moved(husk):
    shown = json.loads(husk("status --json pressed"))["units"][0]
    assert shown["pressure"]["memory"]["some"]["total_usec"] > 0
    assert 0 <= shown["pressure"]["cpu"]["some"]["avg10"] <= 100 and "avg300" in shown["pressure"]["io"]["full"]
    assert set(shown["io"]) == {"read_bytes", "written_bytes", "reads", "writes"}
    assert "  Pressure: cpu " in husk("status pressed")


def test_an_update_holds_at_once_and_until_the_device_restarts(guest, husk):
    before = husk.wait("web", lambda one: one["state"] == "running")
    assert husk("update web MemoryMax=64M CPUWeight=30") == \
        "web: MemoryMax=64M CPUWeight=30 hold now and until the device restarts; --persist keeps it\n"
    assert leaf(guest, "web", "memory.max") == str(64 << 20) and leaf(guest, "web", "cpu.weight") == "30"
    assert husk.unit("web")["main_pid"] == before["main_pid"]
    assert "/run/husk/units/web.container.d/update.conf:3" in husk("show -p MemoryMax web")
    husk("update web 'IOReadIOPSMax=/dev/vda 70'")
    assert "riops=70" in leaf(guest, "web", "io.max")
    husk("update web IOReadIOPSMax=")
    assert leaf(guest, "web", "io.max") == ""
    assert "nothing changes" in husk("plan")


def test_an_update_that_is_not_valid_changes_nothing(guest, husk):
    def answer(words):
        done = guest.run(f"husk update {words}", 60)
        assert done.status == 1, done
        return done.stderr.decode().strip()

    was = leaf(guest, "web", "memory.max")
    assert "'64X' is not a size" in answer("web MemoryMax=64X")
    assert "needs a restart of the unit (write it in the unit's file" in answer("web Exec=/x")
    assert "did you mean 'MemoryMax'?" in answer("web MemoryMaxx=1M")
    assert "No such file" in answer("web 'IOReadIOPSMax=/nothing 5'")
    assert "AllowedCPUs=" in answer("web AllowedCPUs=7000 MemoryMax=11M")
    assert leaf(guest, "web", "memory.max") == was and "7000" not in husk("show web")
    assert guest.run("husk update nobody MemoryMax=1M", 60).status == 4


def test_a_unit_that_does_not_run_takes_an_update_for_its_next_start(guest, husk):
    assert "holds from its next start on" in husk("update hand TasksMax=33")
    husk("start hand")
    assert leaf(guest, "hand", "pids.max") == "33"


def test_a_new_supervisor_and_a_persistent_update(guest, husk):
    shown = json.loads(husk("update --persist --json web TasksMax=44"))
    assert shown["persistent"] and shown["file"] == "/etc/husk/units/web.container.d/update.conf"
    assert leaf(guest, "web", "pids.max") == "44"
    assert guest.run(f"cat {shown['file']}", 20).text == "# Written by 'husk update'.\n[Service]\nTasksMax=44\n"
    pid, old = husk.unit("web")["main_pid"], husk.supervisor()
    guest.run(f"kill -9 {old}", 20)
    husk.wait("web", lambda one: husk.supervisor() != old and one["state"] == "running")
    assert husk.unit("web")["main_pid"] == pid and leaf(guest, "web", "memory.max") == str(64 << 20)
    assert "nothing changes" in husk("plan")
