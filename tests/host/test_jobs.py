"""Jobs between units, with real processes: order, propagation, conflicts, ends that start others, conditions."""

import os
import pathlib
import random
import signal
import time

import pytest

import pid1_namespace as ns
from test_containers import device, unit  # noqa: F401  (a fixture)

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces and mounts"),
    pytest.mark.skipif(not ns.binary().exists(), reason=f"{ns.binary()} is not built"),
]

SLEEP = "exec sleep 1000"
STUBBORN = "trap '' TERM; echo stubborn; while true; do sleep 1; done"
DEMAND = "[Install]\nEnabled=no\n"


def state(found, name: str) -> str:
    return found.unit(name)["state"]


def is_in(*states: str):
    return lambda shown: shown["state"] in states


def texts(found, name: str) -> list[str]:
    return [entry["text"] for entry in found.unit(name)["history"]]


def starts(found, name: str) -> int:
    """How often its program was started, by its log."""
    return found.log(name).count("started")



def timed(directory: pathlib.Path, name: str, head: str) -> str:
    """Writes when it was started and when it ended; both take a moment."""
    (directory / "times").mkdir(exist_ok=True)
    (directory / "times").chmod(0o777)
    script = (f"cat /proc/uptime >/times/{name}.start; "
              f"trap 'usleep 150000; cat /proc/uptime >/times/{name}.stop; exit 0' TERM; "
              "while true; do usleep 20000; done")
    return unit(script, "Type=simple\n", "Volume=/run/test/times:/times\nUserNS=host\n", head)


def test_thirty_units_start_and_stop_in_order_and_side_by_side(device, tmp_path):
    # Ten layers of three; a layer needs the one before it.
    units, after = {}, {}
    for layer in range(10):
        for place in range(3):
            name = f"l{layer}p{place}"
            needs = [f"l{layer - 1}p{other}" for other in range(3)] if layer else []
            after[name] = needs
            head = "".join(f"After={other}\nRequires={other}\n" for other in needs)
            units[name] = timed(tmp_path, name, head)
    found = device(units)
    for name in units:
        found.wait_for(name, is_in("running"))
    times = tmp_path / "times"
    until = time.monotonic() + ns.LIMIT
    while len(list(times.glob("*.start"))) < 30:
        assert time.monotonic() < until
        time.sleep(0.05)
    began = {name: found.unit(name)["since_monotonic"] for name in units}
    for name, others in after.items():
        for other in others:
            assert began[other] <= began[name], (other, name)
    # All of it, by its deepest layer.
    assert found.husk("stop", *(f"l0p{place}" for place in range(3))).returncode == 0
    for name in units:
        assert state(found, name) == "inactive", name
    ended = {name: found.unit(name)["since_monotonic"] for name in units}
    for name, others in after.items():
        for other in others:
            assert ended[name] <= ended[other], (name, other)
    # Each layer took its 150 ms, and its three units took them together.
    for layer in range(10):
        of_layer = [ended[f"l{layer}p{place}"] for place in range(3)]
        assert max(of_layer) - min(of_layer) < 140_000_000
    assert len(list(times.glob("*.stop"))) == 30


def test_a_stop_that_hangs_holds_up_nobody_who_does_not_depend_on_it(device):
    hang = "TimeoutStopSec=600\nType=simple\n"
    found = device({
        "base": unit(SLEEP),
        "hangs": unit(STUBBORN, hang, head="After=base\nRequires=base\n"),
        "other": unit(SLEEP, head="After=base\n"),
        "apart": unit(SLEEP),
    })
    found.wait_for("hangs", lambda _: "stubborn" in found.log("hangs"))
    assert found.husk("stop", "--no-wait", "base").returncode == 0
    assert found.wait_for("hangs", is_in("stopping"))
    # base waits for it; the others do not, but for a start that is ordered with the stop of base.
    assert state(found, "base") == "running"
    assert found.husk("restart", "apart").returncode == 0
    for name in "other", "apart":
        assert found.husk("stop", name).returncode == 0
    assert found.husk("start", "apart").returncode == 0
    assert found.husk("start", "--no-wait", "other").returncode == 0
    assert found.unit("other")["reason"] == "waiting for 'base' (to be stopped)"
    assert state(found, "hangs") == "stopping" and state(found, "base") == "running"
    # What waits outlives the supervisor.
    found.kill_supervisor(signal.SIGKILL)
    found.wait_for("hangs", is_in("stopping"))
    assert found.husk("kill", "--whom=all", "-s", "KILL", "hangs").returncode == 0
    assert found.wait_for("base", is_in("inactive"))["reason"].startswith("stopped by 'husk stop'")
    found.wait_for("other", is_in("running"))


def test_a_start_cancels_a_stop_that_waits(device):
    found = device({
        "base": unit(SLEEP),
        "hangs": unit(STUBBORN, "TimeoutStopSec=600\nType=simple\n", head="After=base\nRequires=base\n"),
    })
    found.wait_for("hangs", lambda _: "stubborn" in found.log("hangs"))
    pid = found.unit("base")["main_pid"]
    assert found.husk("stop", "--no-wait", "base").returncode == 0
    found.wait_for("hangs", is_in("stopping"))
    assert found.husk("start", "base").returncode == 0
    assert found.husk("kill", "--whom=all", "-s", "KILL", "hangs").returncode == 0
    found.wait_for("hangs", is_in("inactive"))
    assert (state(found, "base"), found.unit("base")["main_pid"]) == ("running", pid)


def test_bound_units_stop_when_the_other_is_gone_for_whatever_reason(device):
    found = device({
        "db": unit(SLEEP, "Restart=no\n"),
        "web": unit(SLEEP, head="BindsTo=db\nAfter=db\n"),
        "far": unit(SLEEP, head="Requires=db\nAfter=db\n"),
    })
    assert found.husk("kill", "-s", "KILL", "db").returncode == 0
    gone = found.wait_for("web", is_in("inactive"))
    assert gone["reason"].startswith("stopped since 'db', which it is bound to, ")
    assert state(found, "db") == "failed"
    assert state(found, "far") == "running"  # Requires= alone does not mind
    assert found.husk("start", "web").returncode == 0
    assert state(found, "db") == "running"


@pytest.mark.parametrize("mode", ["normal", "direct"])
def test_bound_units_see_automatic_restarts_by_their_mode(device, mode):
    found = device({
        "db": unit(SLEEP, f"Restart=always\nRestartSec=50ms\nRestartMode={mode}\n"),
        "web": unit(SLEEP, head="BindsTo=db\nAfter=db\n"),
    })
    web = found.unit("web")["main_pid"]
    assert found.husk("kill", "-s", "KILL", "db").returncode == 0
    found.wait_for("db", lambda u: u["state"] == "running" and u["restarts"] == 1)
    if mode == "direct":
        assert found.unit("web")["main_pid"] == web
        return
    again = found.wait_for("web", lambda u: u["state"] == "running" and u["main_pid"] != web)
    assert "since 'db', which it is bound to, is restarted" in again["reason"]


def test_a_skipped_unit_is_not_up_for_those_that_are_bound_to_it(device):
    found = device({
        "skipped": unit(SLEEP, head="ConditionPathExists=/nowhere\n"),
        "needs": unit(SLEEP, head="Requires=skipped\nAfter=skipped\n"),
        "bound": unit(SLEEP, head="BindsTo=skipped\nAfter=skipped\n"),
    })
    assert state(found, "needs") == "running"
    assert found.wait_for("bound", is_in("failed"))["reason"] == \
        "start failed: is bound to 'skipped', which is not up"


def test_parts_stop_and_restart_with_the_whole_and_do_not_start_with_it(device):
    found = device({
        "app": unit(SLEEP),
        "part": unit(SLEEP, head="PartOf=app\n"),
        "idle": unit(SLEEP, head="PartOf=app\n") + DEMAND,
    })
    part = found.unit("part")["main_pid"]
    assert found.husk("restart", "app").returncode == 0
    assert found.wait_for("part", is_in("running"))["main_pid"] != part
    assert state(found, "idle") == "inactive"
    assert found.husk("stop", "app").returncode == 0
    found.wait_for("part", is_in("inactive"))
    assert found.husk("start", "app").returncode == 0
    assert state(found, "part") == "inactive"


def test_units_that_conflict_never_run_together(device, tmp_path):
    found = device({
        "day": timed(tmp_path, "day", "Conflicts=night\n"),
        "night": timed(tmp_path, "night", "") + DEMAND,
    })
    found.wait_for("day", lambda _: (tmp_path / "times/day.start").exists())
    assert found.husk("start", "night").returncode == 0  # the other direction
    assert found.unit("day")["reason"].startswith("stopped since 'night', which it conflicts with, is started")
    # day took its time to stop, and night waited for it.
    assert found.unit("day")["since_monotonic"] <= found.unit("night")["since_monotonic"]
    assert found.husk("start", "day").returncode == 0
    assert (state(found, "day"), state(found, "night")) == ("running", "inactive")


def test_a_start_that_contradicts_itself_is_refused_by_name(device):
    found = device({
        "left": unit(SLEEP, head="Conflicts=right\n") + DEMAND,
        "right": unit(SLEEP) + DEMAND,
        "wants": unit(SLEEP, head="Wants=left right\n") + DEMAND,
    })
    refused = found.husk("start", "left", "right")
    assert refused.returncode == 1
    assert "'left' and 'right' conflict with each other (Conflicts=)" in refused.stderr
    assert (state(found, "left"), state(found, "right")) == ("inactive", "inactive")
    assert found.husk("start", "wants").returncode == 0
    found.wait_for("left", is_in("running"))
    assert state(found, "right") == "inactive"
    assert texts(found, "right") == \
        ["not started: 'left' and 'right' conflict with each other (Conflicts=)"]


def test_a_failure_starts_others_once_and_backoff_is_none(device):
    alarm = "echo started; exec sleep 1000"
    found = device({
        "web": unit("sleep 0.1; exit 3", "Restart=on-failure\nRestartSec=10ms\n",
                    head="OnFailure=alarm\nOnSuccess=party\nStartLimitIntervalSec=60\nStartLimitBurst=4\n"),
        "good": unit("exit 0", "Type=oneshot\n", head="OnSuccess=party\nOnFailure=alarm\n"),
        "alarm": unit(alarm) + DEMAND,
        "party": unit(alarm) + DEMAND,
    })
    found.wait_for("web", is_in("failed"))
    shown = found.wait_for("alarm", is_in("running"))
    assert shown["reason"] == "started because 'web' failed"
    assert [text for text in texts(found, "alarm") if "because" in text] == [shown["reason"]]
    assert found.wait_for("party", is_in("running"))["reason"] == "started because 'good' has ended well"
    assert found.husk("reset-failed").returncode == 0
    assert state(found, "web") == "inactive"


def test_whom_an_end_starts_is_told_whose_it_was(device):
    tell = 'ExecStartPre=/bin/sh -c "echo pre ${MONITOR_UNIT} $$MONITOR_EXIT_STATUS"\n'
    show = "env | grep MONITOR_ | sort; echo end"
    found = device({
        "web": unit("exit 3", "Restart=no\n", head="OnFailure=alarm@%n both\n") + DEMAND,
        "job": unit("exit 5", "Type=oneshot\nRestart=no\n", head="OnFailure=report both\n") + DEMAND,
        "alarm@": unit(show, "Type=oneshot\n" + tell) + DEMAND,
        "report": unit(show, "Type=oneshot\n") + DEMAND,
        "both": unit(show, "Type=oneshot\n") + DEMAND,
    })
    assert found.husk("start", "--no-wait", "web", "job").returncode == 0
    for name in "alarm@web", "report", "both":
        found.wait_for(name, lambda _: "end" in found.log(name))
    assert found.log("alarm@web") == ["pre web 3", "MONITOR_EXIT_CODE=exited", "MONITOR_EXIT_STATUS=3",
                                      "MONITOR_SERVICE_RESULT=exit-code", "MONITOR_UNIT=web", "end"]
    assert found.log("both")[0] == "end", "two units may start it: nobody knows which did"
    found.kill_supervisor(signal.SIGKILL)
    # It knows of the end before itself.
    assert found.husk("start", "report").returncode == 0
    found.wait_for("report", lambda _: found.log("report").count("end") >= 2)
    assert found.log("report").count("MONITOR_UNIT=job") == found.log("report").count("end")


def test_a_failure_starts_others_once_though_supervisors_are_killed(device, tmp_path):
    seed = random.Random(5)
    found = device({
        "web": unit("read line </pipes/go; exit 3", "Restart=no\nType=simple\n",
                    "Volume=/run/test/pipes:/pipes\nUserNS=host\n", "OnFailure=count\n") + DEMAND,
        "count": unit("echo started", "Type=oneshot\n") + DEMAND,
    })
    pipes = tmp_path / "pipes"
    pipes.mkdir(exist_ok=True)
    os.mkfifo(pipes / "go")
    os.chmod(pipes / "go", 0o666)
    for round in range(1, 16):
        assert found.husk("start", "web").returncode == 0
        with open(pipes / "go", "w") as go:  # opens once the unit reads
            go.write("now\n")
        for _ in range(2):
            time.sleep(seed.uniform(0, 0.02))  # anywhere in what follows
            try:
                found.kill_supervisor(signal.SIGKILL)
            except (OSError, FileNotFoundError):
                pass
        found.wait_for("web", is_in("failed"))
        found.wait_for("count", lambda u: u["state"] == "inactive" and starts(found, "count") >= round)
        assert starts(found, "count") == round


def test_an_end_that_cannot_be_helped_does_not_loop(device):
    found = device({
        "one": unit(SLEEP, head="AssertPathExists=/nowhere\nOnFailure=two\n"),
        "two": unit(SLEEP, head="AssertPathExists=/nowhere\nOnFailure=one\n") + DEMAND,
    })
    found.wait_for("two", lambda u: any("more than 5 times within 10s" in e["text"] for e in u["history"]) or
                   any("more than 5 times" in text for text in texts(found, "one")))
    assert state(found, "one") == "failed"


def test_a_failure_takes_the_device_down(device):
    found = device({"web": unit("exit 3", "Restart=no\n", head="FailureAction=poweroff\n") + DEMAND,
                    "other": unit(SLEEP)})
    found.husk("start", "--no-wait", "web")
    assert found.wait() == signal.SIGINT


LIMITED = "StartLimitIntervalSec=60\nStartLimitBurst=3\n"


@pytest.mark.parametrize("action, ends", [("reboot", signal.SIGHUP), ("poweroff", signal.SIGINT), ("halt", signal.SIGINT)])
def test_a_start_too_many_takes_the_device_down(device, action, ends):
    """The signal is reboot(2)'s: what ends a PID namespace instead of a machine."""
    found = device({"web": unit("echo started; exit 3", "Restart=always\nRestartSec=10ms\n",
                                head=f"{LIMITED}StartLimitAction={action}\n") + DEMAND,
                    "other": unit(SLEEP)})
    found.husk("start", "--no-wait", "web")
    assert found.wait() == ends
    assert b"StartLimitAction= of unit 'web'" in found.console


def test_only_a_start_too_many_does(device):
    found = device({
        "web": unit("echo started; exit 3", "Restart=no\n", head=f"{LIMITED}StartLimitAction=poweroff\n") + DEMAND,
        "none": unit("echo started; exit 3", "Restart=always\nRestartSec=10ms\n", head=f"{LIMITED}StartLimitAction=none\n") + DEMAND,
    })
    found.husk("start", "--no-wait", "none")
    assert "3 starts within 1min (StartLimitBurst=)" in found.wait_for("none", is_in("failed"))["reason"]
    assert found.log("none").count("started") == 3
    for round in range(1, 4):
        found.husk("start", "web")
        found.wait_for("web", lambda u: u["state"] == "failed" and found.log("web").count("started") == round)
    assert found.husk("is-system-running").stdout == "degraded\n"
    # By a person, too.
    found.husk("start", "--no-wait", "web")
    assert found.wait() == signal.SIGINT


@pytest.mark.parametrize("head, shown, reason", [
    ("ConditionPathExists=/nowhere\n", "inactive", "ConditionPathExists=/nowhere does not hold ("),
    ("ConditionPathExists=!/proc\n", "inactive", "ConditionPathExists=!/proc does not hold ("),
    ("ConditionPathExists=!/nowhere\n", "running", "started at boot"),
    ("ConditionPathExists=|/nowhere\nConditionPathExists=|/proc\n", "running", "started at boot"),
    ("ConditionPathExists=|/nowhere\nConditionKernelCommandLine=|no.such.word\n", "inactive",
     "ConditionPathExists=|/nowhere does not hold ("),
    ("ConditionArchitecture=native\n", "running", "started at boot"),
    ("ConditionArchitecture=s390x\n", "inactive", "ConditionArchitecture=s390x does not hold ("),
    ("ConditionFirstBoot=yes\n", "running", "started at boot"),
    ("ConditionFirstBoot=no\n", "inactive", "ConditionFirstBoot=no does not hold ("),
    ("AssertPathExists=/nowhere\n", "failed", "AssertPathExists=/nowhere does not hold ("),
])
def test_conditions_skip_and_assertions_fail(device, head, shown, reason):
    found = device({"web": unit(SLEEP, head=head)})
    now = found.unit("web")
    assert now["state"] == shown
    assert reason in now["reason"]
    if shown != "running":
        assert "web.container:3)" in now["reason"]


def test_the_first_boot_is_over_with_the_next_one(device, tmp_path):
    found = device({"setup": unit(SLEEP, head="ConditionFirstBoot=yes\n")})
    assert state(found, "setup") == "running"
    found.kill_supervisor(signal.SIGKILL)  # the same boot
    assert found.husk("is-system-running").returncode == 0
    assert found.husk("restart", "setup").returncode == 0
    assert state(found, "setup") == "running"
    assert (tmp_path / "state/booted").exists()


def test_a_start_that_waits_too_long_fails(device):
    found = device({
        "slow": unit("sleep 1000", "Type=oneshot\n") + DEMAND,
        "web": unit(SLEEP, head="After=slow\nRequires=slow\nJobTimeoutSec=300ms\n") + DEMAND,
    })
    assert found.husk("start", "web").returncode == 1
    assert "300ms" in found.wait_for("web", is_in("failed"))["reason"]
    assert state(found, "slow") == "starting"


def test_a_start_does_not_wait_for_what_has_failed(device, tmp_path):
    behind = "After={0}\nRequires={0}\n"
    found = device({
        "sick": unit("test -e /times/well || exit 3", "Restart=on-failure\nRestartSec=600\nType=oneshot\n",
                     "Volume=/run/test:/times\nUserNS=host\n") + DEMAND,
        "web": unit(SLEEP, head=behind.format("sick")) + DEMAND,
        "far": unit(SLEEP, head=behind.format("web")) + DEMAND,
    })
    ended = found.husk("start", "far", "web")
    assert ended.returncode == 1
    assert "unit 'web': waiting for 'sick'" in ended.stderr and "unit 'far': waiting for 'web'" in ended.stderr
    assert state(found, "far") == "waiting"  # it comes up when what it needs does
    (tmp_path / "well").touch()
    assert found.husk("start", "--no-wait", "sick").returncode == 0
    found.wait_for("far", is_in("running"))


def test_a_unit_is_told_to_reload(device):
    hears = "trap 'echo again' HUP; echo ready; while true; do usleep 20000; done"
    found = device({"web": unit(hears, "Type=simple\n", "ReloadSignal=SIGHUP\n"), "deaf": unit(SLEEP)})
    found.wait_for("web", lambda _: "ready" in found.log("web"))
    pid = found.unit("web")["main_pid"]
    assert found.husk("reload", "web").returncode == 0
    found.wait_for("web", lambda _: "again" in found.log("web"))
    assert found.unit("web")["main_pid"] == pid
    refused = found.husk("reload", "deaf")
    assert refused.returncode == 1
    assert "unit 'deaf' has no way to be reloaded: give it ExecReload=, Type=notify-reload or ReloadSignal=" \
        in refused.stderr
    assert found.husk("reload").returncode == 0  # of files, as ever
