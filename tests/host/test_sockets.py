"""[Socket] with the whole of husk: what the program is given, and that no connection is lost.

The namespaces share the host's network, so that the test connects to what PID 1 keeps open.
"""

import contextlib
import os
import shutil
import signal
import socket
import threading
import time

import pytest

import pid1_namespace as ns
from test_containers import Device, device, unit  # noqa: F401: a fixture

PROBE = ns.REPO / "build/device/probes/listen"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces and mounts"),
    pytest.mark.skipif(not ns.binary().exists(), reason=f"{ns.binary()} is not built"),
    pytest.mark.skipif(not PROBE.exists(), reason=f"{PROBE} is not built"),
]


@pytest.fixture(autouse=True)
def listen(tmp_path):
    """Where the namespaces see it, wherever the repository is."""
    shutil.copy(PROBE, tmp_path / "listen")


def server(sockets: str, arguments: str = "", service: str = "") -> str:
    return (f"[Container]\nVolume=/run/test/listen:/bin/listen:ro\nExec=/bin/listen {arguments}\n"
            f"[Service]\n{service}[Socket]\n{sockets}")


def free_port(kind=socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=ns.LIMIT) as connection:
        answer = b""
        while data := connection.recv(64):
            answer += data
        return answer


def test_the_first_connection_starts_the_unit_and_a_stop_closes_the_socket(device):
    port = free_port()
    found = device({"web": server(f"ListenStream={port}\n")})
    asleep = found.unit("web")
    assert (asleep["state"], asleep["armed"], asleep["main_pid"]) == ("inactive", True, 0)
    assert asleep["sockets"] == [f"ListenStream={port}"]
    assert asleep["listen"] == [{"key": "ListenStream", "address": str(port), "open": True, "waiting": False, "connections": 0}]
    assert ask(port) == b"served\n"
    awake = found.unit("web")
    assert awake["state"] == "running"
    assert any(f"by a connection (ListenStream={port})" in line["text"] for line in awake["history"])
    assert found.husk("stop", "web").returncode == 0
    with pytest.raises(ConnectionRefusedError):
        ask(port)
    assert found.unit("web")["armed"] is False
    assert found.husk("start", "web").returncode == 0
    assert ask(port) == b"served\n"


def test_status_says_what_it_listens_to_and_what_waits_there(device):
    port, other = free_port(), free_port(socket.SOCK_DGRAM)
    sockets = f"ListenStream=127.0.0.1:{port}\nListenStream=/run/web.sock\nListenFIFO=/run/in\nListenDatagram={other}\n"
    found = device({"deaf": unit("sleep 1000") + f"[Socket]\n{sockets}"})
    with contextlib.ExitStack() as clients:
        for _ in range(3):
            clients.enter_context(socket.create_connection(("127.0.0.1", port)))
        folder = os.open(found.inside("/run"), os.O_PATH)
        for _ in range(2):
            client = clients.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            client.connect(f"/proc/self/fd/{folder}/web.sock")
        os.close(folder)
        found.inside("/run/in").write_text("x")
        shown = found.wait_for("deaf", lambda one: one["state"] == "running" and one["listen"][0]["connections"] == 3)
        tcp, unix, fifo, datagram = shown["listen"]
        assert (tcp["waiting"], unix["waiting"], unix["connections"]) == (True, True, 2)
        assert (fifo["waiting"], fifo["connections"], datagram["waiting"]) == (True, None, False)
        page = found.husk("status", "deaf").stdout
        for line in (f"     Listen: 127.0.0.1:{port} (Stream), 3 connections wait\n", "     Listen: /run/in (FIFO), something waits\n",
                     "     Listen: /run/web.sock (Stream), 2 connections wait\n", f"     Listen: {other} (Datagram)\n"):
            assert line in page, page
    assert found.husk("stop", "deaf").returncode == 0
    assert f"{port} (Stream), not open" in found.husk("status", "deaf").stdout


def test_descriptors_come_in_the_order_of_the_file_with_their_name(device):
    port, other = free_port(), free_port(socket.SOCK_DGRAM)
    found = device({"web": server(
        f"ListenFIFO=/run/fifos/in\nListenStream=127.0.0.1:{port}\nListenDatagram={other}\n"
        "ListenStream=/run/made/for/it/web.sock\nSocketMode=0640\nFileDescriptorName=front\n")})
    path = found.inside("/run/made/for/it/web.sock")
    assert path.lstat().st_mode & 0o7777 == 0o640
    assert found.inside("/run/fifos/in").stat().st_mode & 0o7777 == 0o640
    assert ask(port) == b"served\n"
    expected = ["descriptors 4 names front:front:front:front pid mine", "3 fifo", "4 stream", "5 datagram", "6 stream"]
    assert found.log("web")[:5] == expected
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        folder = os.open(path.parent, os.O_PATH)
        client.connect(f"/proc/self/fd/{folder}/web.sock")
        os.close(folder)
        assert client.recv(64) == b"served\n"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"one", ("127.0.0.1", other))
    found.inside("/run/fifos/in").write_text("two")
    found.wait_for("web", lambda _: {"datagram: one", "fifo: two"} <= set(found.log("web")))


@pytest.mark.parametrize("kind", ["datagram", "fifo"])
def test_a_datagram_and_a_byte_start_it_too_and_are_not_lost(device, kind):
    port = free_port(socket.SOCK_DGRAM)
    sockets = f"ListenDatagram={port}\n" if kind == "datagram" else "ListenFIFO=/run/in\n"
    found = device({"web": server(sockets)})
    if kind == "datagram":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"hello", ("127.0.0.1", port))
    else:
        found.inside("/run/in").write_text("hello")
    found.wait_for("web", lambda _: f"{kind}: hello" in found.log("web"))


def test_ten_thousand_connections_over_restarts_of_the_unit_and_of_the_supervisor(device):
    port = free_port()
    found = device({"web": server(f"ListenStream={port}\n")})
    clients, each = 8, 1250
    answers, errors, rounds = [0] * clients, [], [0]

    def run(number: int) -> None:
        for done in range(each):
            while done > (rounds[0] + 1) * each // 50:
                time.sleep(0.001)  # some for each round
            try:
                assert ask(port) == b"served\n"
                answers[number] += 1
            except Exception as error:  # noqa: BLE001: whatever it is, a connection is lost
                errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    kills = 0
    for round in range(50):
        rounds[0] = round
        assert found.husk("restart", "web").returncode == 0
        if round % 5 == 4:
            found.kill_supervisor(signal.SIGKILL)
            kills += 1
            found.wait_for_console("took over", kills)  # the old one may take a request and die
    rounds[0] = 50
    for thread in threads:
        thread.join(60)
    assert (sum(answers), errors, kills) == (10_000, [], 10)


def test_an_address_in_use_is_said_with_its_line_and_tried_again(device):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        found = device({"web": server(f"ListenStream=127.0.0.1:{port}\n")})
        shown = found.unit("web")
        assert shown["sockets"] == []
        wanted = f"cannot listen on 'ListenStream=127.0.0.1:{port}' (/run/test/units/web.container:6): bind: Address in use"
        assert any(wanted in note for note in shown["notes"]), shown["notes"]
        assert wanted in found.husk("why", "web").stdout
    found.wait_for("web", lambda one: one["sockets"] != [])
    assert ask(port) == b"served\n"


def test_a_program_that_leaves_its_connection_waiting_does_not_spin(device):
    port = free_port()
    found = device({"web": server(f"ListenStream={port}\n", "0")})
    with socket.create_connection(("127.0.0.1", port)):
        paused = found.wait_for("web", lambda one: any("not listened to for 30s" in line["text"] for line in one["history"]))
    assert paused["state"] == "inactive"
    starts = [line for line in found.log("web") if line.startswith("descriptors")]
    assert len(starts) == 20


def test_a_program_that_cannot_start_backs_off_with_the_connection_waiting(device):
    port = free_port()
    found = device({"web": "[Container]\nExec=/bin/nothing\n[Socket]\n" f"ListenStream={port}\n"})
    with socket.create_connection(("127.0.0.1", port)):
        shown = found.wait_for("web", lambda one: one["state"] == "backoff" and one["restarts"] >= 2)
    assert "no such file in the container" in shown["reason"]


def test_a_reload_closes_what_is_gone_and_keeps_the_rest(device, tmp_path):
    first, second, third = free_port(), free_port(), free_port()
    found = device({"web": server(f"ListenStream={first}\nListenStream={second}\n")})
    # Waits in the queue of the one that stays.
    assert ask(first) == b"served\n"
    (tmp_path / "units/web.container").write_text(server(f"ListenStream={third}\nListenStream={first}\n"))
    assert found.husk("reload").returncode == 0
    for port in first, third:
        assert ask(port) == b"served\n"
    with pytest.raises(ConnectionRefusedError):
        ask(second)
    assert found.unit("web")["sockets"] == [f"ListenStream={third}", f"ListenStream={first}"]
