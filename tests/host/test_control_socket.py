"""The control socket of the real supervisor, asked by crowds and by members of the group husk, and the commands that
read from it again and again."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

import pid1_namespace as ns
from test_containers import BUSYBOX, Device, device, unit  # noqa: F401: a fixture

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces and mounts"),
    pytest.mark.skipif(not ns.binary().exists(), reason=f"{ns.binary()} is not built"),
    pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs Debian's busybox-static"),
]

CROWD = 1000
STATUS = b'{"version":1,"verb":"status"}\n'


def connect(device) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(ns.LIMIT)
    client.connect(f"/proc/{device.host_pid}/root/run/husk/control")
    return client


def whole(client: socket.socket) -> bytes:
    data = b""
    while part := client.recv(1 << 16):
        data += part
    return data


def ask(device, request: bytes) -> dict:
    with connect(device) as client:
        client.sendall(request)
        return json.loads(whole(client))


def test_a_thousand_clients_at_once_have_their_answer_or_are_turned_away(device):
    there = device({f"u{number}": unit("sleep 1000") for number in range(3)})
    clients = [connect(there) for _ in range(CROWD)]
    for client in clients:
        client.sendall(STATUS)
    answers = [json.loads(whole(client)) for client in clients]
    good = [answer for answer in answers if answer["ok"]]
    assert len(good) > CROWD // 2
    assert all(len(answer["units"]) == 3 for answer in good)
    assert {answer["code"] for answer in answers if not answer["ok"]} <= {"busy"}
    assert ask(there, STATUS)["ok"]


def test_a_thousand_silent_clients_hold_up_nobody(device):
    there = device({"web": unit("sleep 1000")})
    silent = [connect(there) for _ in range(CROWD)]
    assert ask(there, STATUS)["ok"]
    assert there.husk("restart", "web").returncode == 0
    more = [connect(there) for _ in range(100)]  # beyond what there is room for
    assert ask(there, STATUS)["ok"]
    for client in silent + more:
        client.close()


@pytest.mark.skipif(sys.platform != "linux", reason="setgid in a child")
def test_members_of_the_group_may_look_and_nothing_else(device):
    line = next((line for line in open("/etc/group") if line.startswith("husk:")), None)
    there = device({"web": unit("sleep 1000")})
    path = there.inside("/run/husk/control")
    status = path.stat()
    if line is None:
        assert status.st_mode & 0o777 == 0o600
        pytest.skip("this machine has no group husk")
    group = int(line.split(":")[2])
    assert (status.st_mode & 0o777, status.st_gid) == (0o660, group)

    def as_member(request: bytes) -> dict:
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            directory = os.open(path.parent, os.O_PATH)  # what leads there is root's
            os.setgroups([group])
            os.setgid(12345)
            os.setuid(12345)
            client = socket.socket(socket.AF_UNIX)
            try:
                os.fchdir(directory)
                client.connect("control")
                client.sendall(request)
                os.write(write, whole(client))
            finally:
                os._exit(0)
        os.close(write)
        os.waitpid(child, 0)
        with os.fdopen(read, "rb") as answer:
            return json.loads(answer.read())

    assert as_member(STATUS)["ok"]
    refused = as_member(b'{"version":1,"verb":"stop","units":["web"]}\n')
    assert (refused["code"], refused["error"]) == ("not-allowed", "only root may 'stop'")
    assert there.unit("web")["state"] == "running"


def test_patterns_and_states_choose_units(device):
    there = device({"web1": unit("sleep 1000"), "web2": unit("sleep 1000"), "bad": unit("exit 3")})
    there.wait_for("bad", lambda bad: bad["state"] in ("failed", "backoff"))
    assert there.husk("list", "web*").stdout.split() == ["web1", "web2"]
    assert there.husk("list", "--state=running").stdout.split() == ["web1", "web2"]
    assert there.husk("stop", "web*").returncode == 0
    assert there.husk("list", "--state=running").stdout == ""
    assert there.husk("list", "x*").returncode == 4
    assert there.husk("list", "--state=runing").returncode == 2


def test_a_brief_status_has_what_a_list_shows(device):
    found = device({"up": unit("sleep 1000"), "down": unit("sleep 1000")})
    found.husk("stop", "down")

    def units(request: bytes) -> dict:
        return {one["name"]: one for one in ask(found, request)["units"]}

    whole_units, brief = units(STATUS), units(b'{"version":1,"verb":"status","brief":true}\n')
    for name, one in brief.items():
        assert set(one) == {"name", "state", "sub_state", "reason", "since", "since_monotonic", "main_pid", "restarts",
                            "memory", "problems"}
        assert list(one["memory"]) == ["current"]
        same = [key for key in one if key not in ("since", "memory")]
        assert [one[key] for key in same] == [whole_units[name][key] for key in same]
    page = found.husk("status").stdout
    assert all(name in page for name in brief)


def test_blame_and_the_chain_outlive_the_supervisor(device):
    there = device({"db": unit("sleep 1000"),
                    "web": unit("sleep 1000", head="After=db.container\nRequires=db.container\n")})
    before = json.loads(there.husk("blame", "--json").stdout)
    assert 0 < before["boot"]["init"] <= before["boot"]["supervisor"] <= before["boot"]["settled"]
    web = next(entry for entry in before["units"] if entry["name"] == "web")
    assert web["after"] == ["db"] and web["wanted"] <= web["launched"] <= web["up"]
    chain = json.loads(there.husk("critical-chain", "web", "--json").stdout)["chain"]
    assert [entry["name"] for entry in chain] == ["web", "db"]
    there.kill_supervisor(9)
    there.husk("restart", "web")
    assert json.loads(there.husk("blame", "--json").stdout) == before
    assert there.husk("critical-chain", "nobody").returncode == 4


def test_the_page_of_a_unit_shows_its_processes(device):
    there = device({"web": unit("sleep 1000 & sleep 2000")})
    shown = there.husk("status", "web").stdout
    assert "Active: running since" in shown and "Main PID: " in shown
    table = there.husk("status").stdout
    assert "1 unit; running; boot took " in table


def test_top_prints_a_table_or_an_object_a_round(device):
    there = device({"web": unit("while true; do true; done")})
    table = there.husk("top", "-b", "-n", "2", "-d", "200ms").stdout
    assert table.count("UNIT") == 2
    rounds = [json.loads(line) for line in there.husk("top", "-n", "2", "-d", "200ms", "--json").stdout.splitlines()]
    assert [len(one["units"]) for one in rounds] == [1, 1]
    assert rounds[0]["version"] == 1
    assert there.husk("top", "-s", "x").returncode == 2


@pytest.mark.parametrize("words", [
    "status", "status web", "list", "timers", "why web", "logs -n 3 web", "show --namespaces web", "top -b -n 1 -d 100ms", "metrics",
    "start web", "kill -s CONT web", "reset-failed", "healthcheck web", "plan", "reload", "restart web", "is-system-running", "blame",
    "critical-chain", "version", "stop web",
    # What fails has its object, too.
    "status none", "why none", "logs none", "events none", "cat none", "start none", "show --namespaces none", "confirm",
    "critical-chain none", "upgrade /none", "image list", "image list none", "image add /none", "image switch none 1",
    "image remove none 1"])
def test_every_command_speaks_json(json_device, words):
    said = json_device.husk(*words.split(), "--json")
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    assert lines and all(line["version"] == 1 for line in lines), said
    failed = "none" in words or words == "confirm"
    assert (said.returncode != 0) == failed and (lines[0].get("ok") is False) == failed


def test_exec_as_json_leaves_standard_output_to_the_program(json_device):
    json_device.husk("start", "web")
    said = json_device.husk("exec", "--json", "web", "/bin/sh", "-c", "echo mine; exit 3")
    assert (said.returncode, said.stdout) == (3, "mine\n")
    assert json.loads(said.stderr) == {"version": 1, "ok": True, "exit_status": 3, "exit": "exited with code 3"}


@pytest.fixture(scope="module")
def json_device(tmp_path_factory):
    with Device(tmp_path_factory.mktemp("json"), {"web": unit("sleep 1000", container="HealthCmd=true\n")}) as there:
        yield there


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def metrics(device):
    limits = "Type=oneshot\nLogRateLimitIntervalSec=1h\nLogRateLimitBurst=5\n"
    there = device({"web": unit("sleep 1000", head='Description=a "web" server\n'),
                    "chatty": unit("seq 100", limits) + "[Timer]\nOnBootSec=1\n"})
    there.wait_for("chatty", lambda one: one["log"] and one["log"]["lines_dropped"] == 95)
    port = free_port()
    environment = os.environ | {"HUSK_RUN": f"/proc/{there.host_pid}/root/run/husk"}
    server = subprocess.Popen([ns.binary(), "metrics", f"--listen={port}"], env=environment)
    until = time.monotonic() + ns.LIMIT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.02)  # nothing tells when it listens
    yield there, port
    server.kill()
    server.wait()


def test_metrics_are_open_metrics_to_another_parser(metrics):
    there, port = metrics
    reply = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=ns.LIMIT)
    assert reply.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    text = reply.read().decode()
    assert text.endswith("# EOF\n") and 'husk_unit_state{unit="web",husk_unit_state="running"} 1' in text
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    assert families["husk_unit_state"].type == "stateset"
    assert families["husk_supervisor_starts"].samples[0].value == 1
    samples = {(one.name, one.labels.get("unit")): one.value for family in families.values() for one in family.samples}
    assert samples["husk_unit_log_dropped_lines_total", "chatty"] == 95
    assert samples["husk_unit_log_written_bytes_total", "chatty"] == len("1\n2\n3\n4\n5\n")
    assert samples["husk_unit_log_held_bytes", "chatty"] > 0
    assert samples["husk_unit_timer_last_trigger_timestamp_seconds", "chatty"] > 0
    parser_of_command = parser.text_string_to_metric_families(there.husk("metrics").stdout)
    assert {family.name for family in parser_of_command} == set(families)


@pytest.mark.parametrize("path, method, code", [("/", "GET", 404), ("/metrics", "POST", 405)])
def test_the_server_of_metrics_refuses_the_rest(metrics, path, method, code):
    _, port = metrics
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=ns.LIMIT)
    assert refused.value.code == code


def test_the_server_of_metrics_bounds_its_clients(metrics):
    _, port = metrics
    with socket.create_connection(("127.0.0.1", port), timeout=ns.LIMIT) as flood:
        flood.sendall(b"GET /metrics HTTP/1.1\r\nA: " + b"x" * 8000)
        assert b" 431 " in flood.recv(4096)
    with socket.create_connection(("127.0.0.1", port), timeout=ns.LIMIT) as broken:
        broken.sendall(b"\x16\x03\x01\x00\r\n\r\n")
        assert b" 400 " in broken.recv(4096)
    # Fewer silent ones than there are places hold up nobody.
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    reply = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=ns.LIMIT)
    assert reply.status == 200
    for client in silent:
        client.close()
