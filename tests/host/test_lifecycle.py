"""Restart rules, limits and signals of a stop with real processes. Whole lives against a fake host are in
tests/unit/supervisor_lifecycle_*."""

import os
import subprocess
import time

import pid1_namespace as ns
from test_containers import device, unit  # noqa: F401: a fixture

# What ends the program: by itself, or as `how` says. "restarts" is systemd's table of Restart= (systemd.service(5)).
ENDS = {
    "clean": "exit 0",
    "code": "exit 3",
    "signal": "trap - TERM; kill -SEGV $$$$",
    "watchdog": "trap : ABRT; while :; do sleep 1; done",  # never a sign of life
}
TABLE = {
    "no": [],
    "always": ["clean", "code", "signal", "watchdog"],
    "on-success": ["clean"],
    "on-failure": ["code", "signal", "watchdog"],
    "on-abnormal": ["signal", "watchdog"],
    "on-abort": ["signal"],
    "on-watchdog": ["watchdog"],
}


def test_each_restart_rule_restarts_after_the_ends_that_systemds_table_names(device):
    # With PrivatePIDs=no a program can end itself by a signal: the first process of a PID namespace is deaf to its own.
    units, ends = {}, [end for end in ENDS if end != "watchdog"]
    for rule in TABLE:
        for end in ends:
            units[f"{rule}-{end}"] = unit(f"sleep 0.05; {ENDS[end]}", f"Restart={rule}\nRestartSec=50ms\n",
                                          "PrivatePIDs=no\n")
    with_rules = device(units)
    for rule, restarted in TABLE.items():
        for end in ends:
            name = f"{rule}-{end}"
            if end in restarted:
                with_rules.wait_for(name, lambda u: u["restarts"] >= 2)
            else:
                final = "inactive" if end == "clean" else "failed"
                assert with_rules.wait_for(name, lambda u: u["state"] == final)["restarts"] == 0, name


def test_a_unit_that_runs_too_long_is_stopped_and_has_failed(device):
    found = device({"long": unit("trap 'exit 0' TERM; while :; do sleep 0.1; done", "RuntimeMaxSec=300ms\nRestart=no\n")})
    shown = found.wait_for("long", lambda u: u["state"] == "failed")
    assert shown["reason"] == "ran longer than 300ms (RuntimeMaxSec=); not started again (Restart=no)"
    assert shown["last_exit"]["kind"] == "timeout"


def test_a_start_limit_ends_the_restarts_until_it_is_reset(device):
    found = device({"loop": unit("exit 1", "RestartSec=10ms\nRestartSteps=0\n",
                                 head="StartLimitBurst=3\nStartLimitIntervalSec=1h\n")})
    shown = found.wait_for("loop", lambda u: u["state"] == "failed")
    assert shown["reason"] == "start failed: 3 starts within 1h (StartLimitBurst=)"
    assert shown["restarts"] == 3  # the fourth start, the third by itself, is the one too many
    assert "StartLimitBurst" in found.husk("start", "loop").stderr


def test_a_stop_signals_as_the_keys_say_and_always_ends(device):
    says = "for s in TERM HUP QUIT USR1; do trap \\\"echo got $s\\\" $s; done; echo up; while :; do sleep 0.1; done"
    keys = "KillSignal=SIGTERM\nSendSIGHUP=yes\nFinalKillSignal=SIGQUIT\nRestartKillSignal=SIGUSR1\nTimeoutStopSec=300ms\n"
    found = device({"deaf": unit(says, keys)})
    while "up" not in found.log("deaf"):
        time.sleep(0.02)
    assert found.husk("restart", "deaf").returncode == 0
    first = found.log("deaf")
    got = [line for line in first if line.startswith("got")]
    assert sorted(got) == ["got HUP", "got QUIT", "got USR1"] and got[-1] == "got QUIT"
    while found.log("deaf").count("up") < 2:
        time.sleep(0.02)
    assert found.husk("stop", "deaf").returncode == 0
    lines = [line for line in found.log("deaf") if line.startswith("got")][3:]
    assert sorted(lines) == ["got HUP", "got QUIT", "got TERM"] and lines[-1] == "got QUIT"
    assert "killed" in found.unit("deaf")["reason"]


def test_a_program_that_ignores_the_signal_has_its_time(device):
    says = "trap '' TERM; echo up; exec sleep 1000"
    found = device({"busy": unit(says, "TimeoutStopSec=400ms\n"), "plain": unit("exec sleep 1000", "TimeoutStopSec=1min\n")})
    found.wait_for("busy", lambda _: "up" in found.log("busy"))
    began = time.monotonic()
    assert found.husk("stop", "busy").returncode == 0
    assert time.monotonic() - began > 0.4
    # What does nothing about it would never end by it, being the first of its PID namespace.
    assert found.husk("stop", "plain").returncode == 0
    assert found.unit("plain")["last_exit"]["signal"] == "SIGKILL"


def test_a_start_waits_for_others_no_longer_than_it_may(device):
    found = device({"slow": unit("sleep 3", "Type=oneshot\n"),
                    "late": unit("sleep 1000", head="After=slow\nRequires=slow\nJobTimeoutSec=300ms\n")})
    shown = found.wait_for("late", lambda u: u["state"] == "failed")
    assert shown["reason"] == "start failed: waiting for 'slow' (starting) for more than 300ms (JobTimeoutSec=)"


def test_deadlines_go_on_after_the_supervisor_was_killed(device):
    found = device({"long": unit("sleep 1000", "RuntimeMaxSec=3s\nRestart=no\n")})
    found.wait_for("long", lambda u: u["state"] == "running")
    found.kill_supervisor(9)
    assert found.wait_for("long", lambda u: u["state"] == "failed")["reason"].startswith("ran longer than 3s")


def test_a_stop_that_hangs_holds_up_nobody_else(device):
    found = device({"hang": unit("trap : TERM; echo up; while :; do sleep 0.1; done", "TimeoutStopSec=60\n"),
                    "other": unit("sleep 1000")})
    while "up" not in found.log("hang"):
        time.sleep(0.02)
    environment = os.environ | {"HUSK_RUN": f"/proc/{found.host_pid}/root/run/husk"}
    hanging = subprocess.Popen([ns.binary(), "stop", "hang"], env=environment, stdout=subprocess.PIPE)
    found.wait_for("hang", lambda u: u["state"] == "stopping")
    assert found.husk("restart", "other").returncode == 0
    assert found.husk("stop", "other").returncode == 0
    assert found.unit("hang")["state"] == "stopping"
    assert found.husk("kill", "-s", "KILL", "hang").returncode == 0
    assert hanging.wait(timeout=30) == 0
