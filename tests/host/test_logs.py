"""Logs: rate limits, several units as one, files, events; with the real supervisor."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

import pid1_namespace as ns
from test_containers import Device, device, unit  # noqa: F401 (a fixture)

ON_DEMAND = "[Install]\nEnabled=no\n"


def lines_of(found, *words: str) -> list[str]:
    return found.husk("logs", *words).stdout.splitlines()


def json_of(found, *words: str) -> list[dict]:
    return [json.loads(line) for line in lines_of(found, "--json", *words)]


def wait_until(check, what: str):
    until = time.monotonic() + ns.LIMIT
    while time.monotonic() < until:
        if result := check():
            return result
        time.sleep(0.05)
    pytest.fail(what)


def test_a_rate_limit_keeps_the_first_lines_and_counts_the_rest(device):
    found = device({
        "chatty": unit("i=0; while test $i -lt 1000; do i=$((i+1)); echo line $i; done",
                       "Type=oneshot\nRemainAfterExit=yes\nLogRateLimitIntervalSec=1h\nLogRateLimitBurst=10\n"),
        "free": unit("i=0; while test $i -lt 1000; do i=$((i+1)); echo line $i; done",
                     "Type=oneshot\nRemainAfterExit=yes\n"),
    })
    assert found.log("chatty") == [f"line {i}" for i in range(1, 11)]
    assert len(found.log("free")) == 1000
    limited = [entry for entry in json_of(found, "chatty") if entry["kind"] == "limited"]
    assert sum(entry["lines"] for entry in limited) == 990
    assert found.unit("chatty")["log"]["lines_dropped"] == 990
    assert any("990 lines dropped (LogRateLimitBurst=)" in line for line in lines_of(found, "chatty"))
    # A new supervisor knows.
    found.kill_supervisor(signal.SIGKILL)
    assert found.unit("chatty")["log"]["lines_dropped"] == 990


def test_several_logs_come_as_one_in_order_of_time(device):
    found = device({
        "a": unit("i=0; while test $i -lt 20; do i=$((i+1)); echo a $i; usleep 20000; done; sleep 1000"),
        "b": unit("i=0; while test $i -lt 20; do i=$((i+1)); echo b $i; usleep 20000; done; sleep 1000",
                  "SyslogIdentifier=bee\n"),
    })
    wait_until(lambda: "a 20" in found.log("a") and "b 20" in found.log("b"), "20 lines each")
    entries = [entry for entry in json_of(found) if entry["kind"] == "text"]
    assert [entry["text"] for entry in entries if entry["unit"] == "a"] == [f"a {i}" for i in range(1, 21)]
    times = [entry["monotonic"] for entry in entries]
    assert times == sorted(times) and {entry["unit"] for entry in entries} == {"a", "b"}
    assert any(" bee: b 7" in line for line in lines_of(found, "a", "b"))
    assert lines_of(found, "-o", "cat", "-n", "1", "-g", "b 1?") == ["b 19"]
    assert lines_of(found, "--since", "+1h") == []
    assert lines_of(found, "-o", "cat", "--until", "-1h") == []


def test_following_goes_on_over_a_restart_of_the_supervisor(device):
    found = device({
        "a": unit("i=0; while true; do i=$((i+1)); echo a $i; usleep 5000; done"),
        "b": unit("i=0; while true; do i=$((i+1)); echo b $i; usleep 5000; done"),
    })
    environment = os.environ | {"HUSK_RUN": f"/proc/{found.host_pid}/root/run/husk"}
    with subprocess.Popen([ns.binary(), "logs", "-f", "-n", "all", "-o", "cat", "a", "b"], text=True,
                          stdout=subprocess.PIPE, env=environment) as follower:
        seen = {"a": [], "b": []}

        def read(count: int) -> None:
            while min(len(numbers) for numbers in seen.values()) < count:
                name, number = follower.stdout.readline().split()
                seen[name].append(int(number))

        read(20)
        for _ in range(3):
            found.kill_supervisor(signal.SIGKILL)
            read(min(len(numbers) for numbers in seen.values()) + 100)
        follower.kill()
    for numbers in seen.values():
        assert numbers == list(range(1, len(numbers) + 1))


def test_events_are_told_as_they_come_and_go_on_over_a_restart_of_the_supervisor(device):
    found = device({"web": unit("sleep 1000"), "other": unit("sleep 1000")})
    environment = os.environ | {"HUSK_RUN": f"/proc/{found.host_pid}/root/run/husk"}
    with subprocess.Popen([ns.binary(), "events", "--json", "web"], text=True, stdout=subprocess.PIPE,
                          env=environment) as follower:
        def next_event(kind: str) -> dict:
            while True:
                event = json.loads(follower.stdout.readline())
                if event.get("event") == kind:
                    return event

        assert next_event("history")["unit"] == "web"
        next_event("live")
        assert found.husk("stop", "web", "other").returncode == 0
        stopping = next_event("state")
        assert (stopping["unit"], stopping["before"], stopping["state"]) == ("web", "running", "stopping")
        assert "husk stop" in stopping["reason"]
        while next_event("state")["state"] != "inactive":
            pass
        found.kill_supervisor(signal.SIGKILL)
        assert found.husk("start", "web").returncode == 0
        next_event("live")
        follower.kill()


def test_a_client_that_reads_no_events_hinders_nobody(device):
    found = device({"web": unit("sleep 1000")})
    environment = os.environ | {"HUSK_RUN": f"/proc/{found.host_pid}/root/run/husk"}
    with subprocess.Popen([ns.binary(), "events"], stdout=subprocess.PIPE, env=environment) as follower:
        follower.stdout.readline()
        follower.send_signal(signal.SIGSTOP)
        for _ in range(20):
            assert found.husk("restart", "web").returncode == 0
        follower.kill()


LOG = "/tmp/logs/web.log"  # PID 1 has a /tmp of its own


def test_files_are_renamed_and_never_take_more_than_they_may(device):
    count = 20_000
    found = device({
        "web": unit(f"i=0; while test $i -lt {count}; do i=$((i+1)); echo line $i of the web server; done; sleep 1000",
                    container=f"LogOpt=path={LOG}\nLogOpt=max-size=128K\nLogOpt=max-file=3\nLogOpt=tag=www\n"),
    })
    log = found.inside(LOG)
    files = [log, log.with_name("web.log.1"), log.with_name("web.log.2")]
    wait_until(lambda: log.exists() and f"line {count} of" in log.read_text(), "the last line in the file")
    assert sorted(path.name for path in log.parent.iterdir()) == sorted(path.name for path in files)
    assert all(path.stat().st_size <= 128 << 10 for path in files)
    text = "".join(path.read_text() for path in reversed(files))
    numbers = [int(line.split("www: line ")[1].split()[0]) for line in text.splitlines() if "www: line" in line]
    assert numbers == list(range(numbers[0], count + 1))


def test_a_writer_that_is_killed_loses_and_repeats_no_line_of_the_file(device):
    found = device({
        "web": unit("i=0; while true; do i=$((i+1)); echo line $i; usleep 300; done",
                    container=f"LogOpt=path={LOG}\nLogOpt=max-size=128K\nLogOpt=max-file=50\n"),
    })
    log = found.inside(LOG)
    wait_until(log.exists, "the file")

    def writers() -> list[int]:
        found_pids = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
                inside = os.readlink(path.parent / "ns/pid") == os.readlink(f"/proc/{found.host_pid}/ns/pid")
            except OSError:
                continue
            if b"log-files" in words and inside:
                found_pids.append(int(path.parent.name))
        return found_pids

    for round in range(12):
        size = log.stat().st_size
        wait_until(lambda: log.stat().st_size != size, "the file grows")
        if round % 3 == 2:
            found.kill_supervisor(signal.SIGKILL)
        else:
            for pid in writers():
                os.kill(pid, signal.SIGKILL)
    size = log.stat().st_size
    wait_until(lambda: log.stat().st_size != size, "the file grows")
    assert found.husk("stop", "web").returncode == 0
    last = [line for line in found.log("web") if line.startswith("line ")][-1]
    wait_until(lambda: f"web: {last}\n" in log.read_text(), "the last line")
    files = sorted(log.parent.iterdir(), key=lambda path: -int(path.suffix[1:]) if path.suffix != ".log" else 1)
    text = "".join(path.read_text() for path in files)
    numbers = [int(line.split("line ")[1]) for line in text.splitlines() if "web: line " in line]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_file_system_that_gets_full_keeps_its_reserve_and_is_written_again_later(device):
    folder = "/tmp/small"
    found = device({
        "web": unit("i=0; while test $i -lt 100; do i=$((i+1)); echo line $i; done; sleep 1000",
                    container=f"LogOpt=path={folder}/web.log\nLogOpt=max-size=128K\n") + ON_DEMAND,
    })
    mount = ["nsenter", "-t", str(found.host_pid), "-m"]
    inside = found.inside(folder)
    inside.mkdir()
    subprocess.run([*mount, "mount", "-t", "tmpfs", "-o", "size=1m", "small", folder], check=True)
    (inside / "ballast").write_bytes(b"x" * (1000 << 10))
    assert found.husk("start", "web").returncode == 0
    wait_until(lambda: "line 100" in found.log("web"), "the log in memory")
    wait_until(lambda: (inside / "web.log").exists(), "the file")
    assert "line" not in (inside / "web.log").read_text()
    assert found.unit("web")["state"] == "running"
    (inside / "ballast").unlink()
    wait_until(lambda: "web: line 100\n" in (inside / "web.log").read_text(), "written again")
    numbers = [int(line.split("line ")[1]) for line in (inside / "web.log").read_text().splitlines()
               if "web: line " in line]
    assert numbers == list(range(1, 101))


def test_a_log_is_read_while_its_unit_floods_it(device):
    found = device({"flood": unit(f"while :; do yes {'x' * 63} | head -n 100000; done")})
    wait_until(lambda: found.unit("flood")["log"]["bytes"] > 64 << 20 or None, "a flood")
    # The reader is overtaken and goes on; it says where, and comes to an end.
    entries = json_of(found, "-n", "all", "flood")
    texts = [entry for entry in entries if entry["kind"] == "text"]
    gaps = [entry for entry in entries if entry["kind"] == "dropped"]
    assert sum(len(entry["text"]) + 1 for entry in texts) > 4 << 20
    assert entries[0]["kind"] == "dropped" and entries[0]["bytes"] > 32 << 20 and all(gap["bytes"] > 0 for gap in gaps)
    # Whole lines only: what a gap cuts is told as gone.
    assert {entry["text"] for entry in texts[1:-1]} == {"x" * 63}
    assert found.unit("flood")["state"] == "running"
