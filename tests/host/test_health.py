"""Health checks of real containers: by command, by HTTP and by TCP."""

import contextlib
import pathlib
import time

import pytest

from test_containers import BUSYBOX, Device, device, unit  # noqa: F401: a fixture

HTTPD = (f"Volume={BUSYBOX}:/bin/busybox:ro\nVolume=/run/test/www:/www\n")


def health(found) -> dict:
    return found["health"] or {}


def in_state(name: str):
    return lambda found: health(found).get("state") == name


def runs(command: str) -> bool:
    """Anywhere on the machine."""
    words = command.replace(" ", "\0").encode()
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if words in path.read_bytes():
                return True
    return False


def test_without_a_check_there_is_no_health(device):
    found = device({"web": unit("sleep 1000")})
    assert found.unit("web")["health"] is None


def test_a_command_that_succeeds_makes_it_healthy(device):
    found = device({"web": unit("sleep 1000", container="HealthCmd=test -e /bin/sh && echo fine\nHealthInterval=1h\n")})
    shown = found.wait_for("web", in_state("healthy"))
    assert shown["health"]["last_output"] == "exited with code 0: fine"
    assert shown["health"]["check"] == "'test -e /bin/sh && echo fine'"
    assert any("healthy: 'test -e" in entry["text"] for entry in shown["history"])


def test_failures_in_a_row_make_it_unhealthy_and_kill_it(device):
    container = ("HealthCmd=echo broken; exit 3\nHealthInterval=50ms\nHealthRetries=3\nHealthOnFailure=kill\n")
    found = device({"web": unit("sleep 1000", "Restart=no\n", container)})
    shown = found.wait_for("web", lambda u: u["state"] == "failed")
    assert "exited with code 3: broken (3 in a row)" in "".join(e["text"] for e in shown["history"])
    assert shown["last_exit"]["kind"] == "unhealthy"


def test_an_unhealthy_unit_is_restarted(device):
    container = "HealthCmd=exit 1\nHealthInterval=50ms\nHealthRetries=1\nHealthOnFailure=restart\n"
    found = device({"web": unit("sleep 1000", "RestartSec=10ms\n", container)})
    found.wait_for("web", lambda u: u["restarts"] >= 2)


def test_without_an_action_it_goes_on_and_gets_well_again(device, tmp_path):
    (tmp_path / "www").mkdir()
    container = ("Volume=/run/test/www:/www:ro\nHealthCmd=test -e /www/good\n"
                 "HealthInterval=50ms\nHealthRetries=2\n")
    found = device({"web": unit("sleep 1000", container=container)})
    shown = found.wait_for("web", in_state("unhealthy"))
    assert shown["state"] == "running" and shown["health"]["failing_streak"] >= 2
    (tmp_path / "www/good").write_text("")
    shown = found.wait_for("web", in_state("healthy"))
    assert shown["health"]["failing_streak"] == 0


def test_a_check_that_hangs_is_killed_with_its_children(device):
    container = ("HealthCmd=sleep 4321 & sleep 4321\nHealthInterval=1h\nHealthTimeout=200ms\nHealthRetries=1\n")
    found = device({"web": unit("sleep 1000", container=container)})
    shown = found.wait_for("web", in_state("unhealthy"))
    assert "no end within 200ms" in shown["health"]["last_output"]
    assert not runs("sleep 4321")


def test_a_stop_amid_a_check_ends(device):
    container = ("HealthCmd=sleep 4322\nHealthInterval=1h\nHealthTimeout=1h\n")
    found = device({"web": unit("sleep 1000", container=container + "StopSignal=SIGKILL\n")})
    found.wait_for("web", lambda u: runs("sleep 4322"))
    assert found.husk("stop", "web").returncode == 0
    assert found.unit("web")["state"] == "inactive" and not runs("sleep 4322")


def test_a_check_that_writes_without_end_is_killed(device):
    container = ("HealthCmd=while :; do echo yes yes yes; done\nHealthInterval=1h\nHealthTimeout=500ms\nHealthRetries=1\n")
    found = device({"web": unit("sleep 1000", container=container)})
    shown = found.wait_for("web", in_state("unhealthy"))
    assert len(shown["health"]["last_output"]) <= 512


def test_the_startup_check_comes_first(device, tmp_path):
    (tmp_path / "www").mkdir()
    container = ("Volume=/run/test/www:/www:ro\nHealthCmd=exit 1\nHealthRetries=1000\nHealthInterval=50ms\n"
                 "HealthStartupCmd=test -e /www/up\nHealthStartupInterval=50ms\n")
    found = device({"web": unit("sleep 1000", container=container)})
    found.wait_for("web", lambda u: health(u).get("failing_streak", 0) > 2)
    assert found.unit("web")["health"]["state"] == "starting"
    (tmp_path / "www/up").write_text("")
    shown = found.wait_for("web", lambda u: health(u).get("check") == "'exit 1'")
    assert shown["health"]["state"] == "healthy"


def test_startup_failures_restart_it(device):
    container = ("HealthCmd=true\nHealthStartupCmd=false\nHealthStartupInterval=50ms\nHealthStartupRetries=2\n")
    found = device({"web": unit("sleep 1000", "RestartSec=10ms\n", container)})
    found.wait_for("web", lambda u: u["restarts"] >= 1)


def server(tmp_path, more: str, service: str = "") -> str:
    (tmp_path / "www").mkdir()
    (tmp_path / "www").chmod(0o755)
    (tmp_path / "www/index.html").write_text("hello")
    return ("[Container]\nVolume=/run/test/www:/www:ro\n" + f"Volume={BUSYBOX}:/bin/busybox:ro\n" + more +
            f"Exec=/bin/busybox httpd -f -p 127.0.0.1:8080 -h /www\n[Service]\n{service}")


def test_http_is_asked_inside_the_units_own_network(device, tmp_path):
    found = device({"web": server(tmp_path, "HealthHttp=http://localhost:8080/\nHealthInterval=100ms\nHealthRetries=1\n")})
    shown = found.wait_for("web", in_state("healthy"))
    assert shown["health"]["last_output"] == "HTTP status 200"
    (tmp_path / "www/index.html").unlink()
    shown = found.wait_for("web", in_state("unhealthy"))
    assert shown["health"]["last_output"] == "HTTP status 404"


@pytest.mark.parametrize("port, state", [(8080, "healthy"), (8081, "unhealthy")])
def test_a_tcp_port_accepts_or_does_not(device, tmp_path, port, state):
    found = device({"web": server(tmp_path, f"HealthTcp=127.0.0.1:{port}\nHealthInterval=100ms\nHealthRetries=5\n")})
    found.wait_for("web", in_state(state))


def test_it_is_ready_when_it_is_healthy(device, tmp_path):
    more = "HealthHttp=http://127.0.0.1:8080/ready\nHealthInterval=50ms\nHealthRetries=1000\nNotify=healthy\n"
    text = server(tmp_path, more, "TimeoutStartSec=60\n") + "[Install]\nEnabled=no\n"
    found = device({"web": text})
    import subprocess, os
    import pid1_namespace as ns
    client = subprocess.Popen([ns.binary(), "start", "web"],
                              env=os.environ | {"HUSK_RUN": f"/proc/{found.host_pid}/root/run/husk"})
    try:
        found.wait_for("web", lambda u: "404" in health(u).get("last_output", ""))
        assert found.unit("web")["state"] == "starting"
        (tmp_path / "www/ready").write_text("yes")
        found.wait_for("web", lambda u: u["state"] == "running")
        assert client.wait(20) == 0
    finally:
        client.kill()
        client.wait()


def test_checks_go_on_after_the_supervisor_was_killed(device, tmp_path):
    found = device({"web": server(tmp_path, "HealthHttp=http://localhost:8080/\nHealthInterval=100ms\nHealthRetries=2\n")})
    before = found.wait_for("web", in_state("healthy"))
    found.kill_supervisor(9)
    shown = found.wait_for("web", lambda u: health(u).get("checked_at", 0) > before["health"]["checked_at"] + 300_000_000)
    assert shown["health"]["state"] == "healthy" and shown["main_pid"] == before["main_pid"]
    (tmp_path / "www/index.html").unlink()
    found.wait_for("web", in_state("unhealthy"))


def test_a_check_on_request(device, tmp_path):
    (tmp_path / "www").mkdir()
    container = ("Volume=/run/test/www:/www:ro\nHealthCmd=test -e /www/good || { echo missing; false; }\n"
                 "HealthInterval=disable\nHealthRetries=2\n")
    found = device({"web": unit("sleep 1000", container=container), "plain": unit("sleep 1000")})
    bad = found.husk("healthcheck", "web")
    assert bad.returncode == 1 and "exited with code 1: missing" in bad.stderr + bad.stdout
    assert found.unit("web")["health"]["failing_streak"] == 1
    (tmp_path / "www/good").write_text("")
    assert found.husk("healthcheck", "web").returncode == 0
    assert found.unit("web")["health"]["state"] == "healthy"
    none = found.husk("healthcheck", "plain")
    assert none.returncode == 1 and "it has no health check" in none.stderr + none.stdout
    found.husk("stop", "web")
    assert "it does not run" in found.husk("healthcheck", "web").stderr
