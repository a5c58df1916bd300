"""ExecStartPre= and its kin, with real processes."""

import signal
import time

from test_containers import BUSYBOX, device, unit  # noqa: F401 (a fixture)
from test_exec import LOOP, main_pid, run, wait_until  # noqa: F401

TOOLS = f"Volume={BUSYBOX}:/bin/busybox:ro\nVolume=shared.volume:/shared\n"


def sh(key: str, script: str, prefix: str = "") -> str:
    return f"{key}={prefix}/bin/sh -c \"{script}\"\n"


def web(service: str, command: str = LOOP, container: str = "") -> dict[str, str]:
    return {"web": unit(command, "TimeoutStartSec=8\nTimeoutStopSec=8\n" + service, TOOLS + container)}


def told(found, name: str = "web") -> list[str]:
    """The lines that commands wrote to the volume."""
    return run_outside(found).splitlines()


def run_outside(found) -> str:
    path = f"/proc/{found.host_pid}/root/run/test/state/volumes/shared/told"
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""


def tell(text: str) -> str:
    return f"echo {text} >>/shared/told"


def test_commands_run_in_the_order_of_a_life(device):
    found = device(web(
        sh("ExecCondition", tell("condition")) + sh("ExecStartPre", tell("pre1")) + sh("ExecStartPre", tell("pre2")) +
        sh("ExecStartPost", tell("post $MAINPID")) + sh("ExecReload", tell("reload $MAINPID")) +
        sh("ExecStop", tell("stop $MAINPID $SERVICE_RESULT")) +
        sh("ExecStopPost", tell("stop-post $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS")),
        "echo main >>/shared/told; trap 'exit 0' TERM; while :; do sleep 0.1; done"))
    found.wait_for("web", lambda u: u["state"] == "running")
    assert sorted(told(found)[:3]) == ["condition", "pre1", "pre2"]
    assert set(told(found)[3:]) == {"main", "post 1"}
    assert found.husk("stop", "web").returncode == 0
    assert told(found)[5:] == ["stop 1 success", "stop-post success exited 0"]
    assert found.unit("web")["state"] == "inactive"


def test_a_command_before_the_start_has_a_container_of_its_own_and_one_after_it_is_inside(device):
    found = device(web(
        sh("ExecStartPre", "busybox readlink /proc/self/ns/mnt >>/shared/told; id -u >>/shared/told") +
        sh("ExecStartPost", "busybox readlink /proc/self/ns/mnt >>/shared/told; grep ^0: /proc/self/cgroup >>/shared/told")))
    found.wait_for("web", lambda u: u["state"] == "running")
    pre, user, post, cgroup = told(found)
    main = run(found, "web", "busybox", "readlink", "/proc/1/ns/mnt").stdout.strip()
    assert pre != main and post == main and user == "0"
    assert cgroup.startswith("0::/command")


def test_a_condition_that_says_no_leaves_the_unit_down_without_a_failure(device):
    found = device(web(sh("ExecCondition", "exit 3") + sh("ExecStartPre", tell("pre"))))
    found.wait_for("web", lambda u: u["state"] == "inactive")
    assert told(found) == []


def test_a_command_that_fails_fails_the_start(device):
    found = device(web("Restart=no\n" + sh("ExecStartPre", "exit 4") + sh("ExecStopPost", tell("post $SERVICE_RESULT"))))
    shown = found.wait_for("web", lambda u: u["state"] == "failed")
    assert "ExecStartPre= exited with code 4" in shown["reason"]
    wait_until(lambda: told(found) != [], "ExecStopPost= runs after any end")


def test_a_command_that_may_fail_does_not(device):
    found = device(web(sh("ExecStartPre", "exit 4", "-") + "ExecStartPost=-/bin/nothing-here\n"))
    found.wait_for("web", lambda u: u["state"] == "running")


def test_a_program_that_is_missing_is_named(device):
    found = device(web("Restart=no\nExecStartPre=/bin/nothing-here\n"))
    shown = found.wait_for("web", lambda u: u["state"] == "failed")
    assert "execute '/bin/nothing-here': no such file in the container" in shown["reason"]


def test_variables_and_prefixes(device):
    found = device(web(
        "ExecStartPre=/bin/sh -c 'echo \"$@\" >>/shared/told' sh ${A} $B $$C\n"
        "ExecStartPre=:/bin/sh -c 'echo \"$@\" >>/shared/told' sh ${A}\n"
        "ExecStartPre=@/bin/busybox sh -c 'echo named >>/shared/told'\n",
        container="Environment='A=1 2'\nEnvironment='B=3 4'\n"))
    found.wait_for("web", lambda u: u["state"] == "running")
    assert told(found) == ["1 2 3 4 $C", "${A}", "named"]


def test_a_command_that_hangs_is_killed_with_its_children(device):
    found = device(web("Restart=no\nTimeoutStartSec=1\n" + sh("ExecStartPre", "sleep 1000 & sleep 1000")))
    shown = found.wait_for("web", lambda u: u["state"] == "failed")
    assert "ExecStartPre= was not finished within 1s" in shown["reason"]
    wait_until(lambda: found.unit("web")["main_pid"] == 0)


def test_the_end_of_the_main_process_is_told(device):
    found = device(web("Restart=no\n" + sh("ExecStopPost", tell("$SERVICE_RESULT $EXIT_CODE $EXIT_STATUS")), "exit 5"))
    found.wait_for("web", lambda u: u["state"] == "failed")
    assert told(found) == ["exit-code exited 5"]


def test_output_goes_to_the_units_log(device):
    found = device(web(sh("ExecStartPre", "echo from-pre")))
    found.wait_for("web", lambda u: u["state"] == "running")
    assert "from-pre" in found.husk("logs", "-o", "cat", "web").stdout


def test_a_command_goes_on_over_a_restart_of_the_supervisor(device):
    found = device(web(sh("ExecStop", "echo begun >>/shared/told; sleep 2; echo ended >>/shared/told") + "Restart=no\n"))
    found.wait_for("web", lambda u: u["state"] == "running")
    import subprocess
    import os
    import pid1_namespace as ns
    stop = subprocess.Popen([ns.binary(), "stop", "web"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            env=os.environ | {"HUSK_RUN": f"/proc/{found.host_pid}/root/run/husk"})
    wait_until(lambda: told(found) == ["begun"], "ExecStop= runs")
    found.kill_supervisor(signal.SIGKILL)
    stop.wait(20)
    found.wait_for("web", lambda u: u["state"] == "inactive")
    assert told(found) == ["begun", "ended"]
