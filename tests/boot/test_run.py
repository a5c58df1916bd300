"""images/run as a user's CI calls it; guests that panic or hang; no units; thousands of them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import huskvm
from conftest import TIMEOUT, probe_files, unit, write_units

RUN = Path(__file__).resolve().parents[2] / "images/run"
MANY = 10_000 if "HUSK_LONG" in os.environ else 3_000


def run(*words: str, timeout: float = 180) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, str(RUN), "--timeout", str(timeout), *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout + 120)


def test_commands_print_exactly_their_output_and_the_first_bad_status_counts(tmp_path):
    root = tmp_path / "root"
    for folder in ("proc", "sys", "dev", "tmp", "run", "etc", "var"):
        (root / folder).mkdir(parents=True)
    (root / "message").write_text("from the image\n")
    subprocess.run(["mkfs.erofs", str(tmp_path / "mine.erofs"), str(root)], check=True, stdout=subprocess.DEVNULL)
    (tmp_path / "note").write_bytes(b"no newline at its end")
    units = write_units(tmp_path / "units", {
        "mine": "[Container]\nImage=mine\nVolume=/bin/busybox:/busybox:ro\nExec=/busybox sh -c 'cat /message; exec /busybox sleep 9999'\n"})
    done = run("--units", str(units), "--image", f"mine={tmp_path}/mine.erofs", "--file", f"{tmp_path}/note:/etc/note",
               "--console-log", str(tmp_path / "console"), "--memory", "384M", "--cpus", "1",
               "--command", "cat /etc/note", "--command", "printf 'a\\0b\\r\\n\\377'; echo err >&2",
               "--command", "husk list", "--command", "husk logs -o cat mine",
               "--command", "exit 7", "--command", "exit 9", "--command", "husk is-system-running")
    assert done.stdout == b"no newline at its enda\0b\r\n\xffmine\nfrom the image\nrunning\n", done
    assert b"err\n" in done.stderr
    assert done.returncode == 7
    assert b"Linux" in (tmp_path / "console").read_bytes() or (tmp_path / "console").exists()


def test_a_guest_that_panics_is_reported_with_its_last_lines():
    start = time.monotonic()
    done = run("--append", "rdinit=/nonexistent", "--command", "true", timeout=120)
    assert done.returncode == 125
    assert b"the guest panicked: " in done.stderr and b"the console's last lines:" in done.stderr
    assert b"Kernel panic" in done.stderr or b"VFS" in done.stderr
    assert time.monotonic() - start < 120
    assert done.stdout == b""


def test_a_guest_that_hangs_is_reported_within_the_timeout():
    start = time.monotonic()
    done = run("--append", "rdinit=/bin/cat loglevel=7", "--command", "true", timeout=15)
    assert done.returncode == 125
    assert b"hangs" in done.stderr and b"the console's last lines:" in done.stderr
    assert b"Run /bin/cat as init process" in done.stderr, done.stderr
    assert time.monotonic() - start < 15 + 60


def test_a_slip_in_the_options_is_an_error_and_no_boot(tmp_path):
    for words, said in [(["--units", "/nowhere"], b"no such folder"), (["--file", "x"], b"HOST:GUEST"),
                        (["--image", "x=/nowhere"], b"/nowhere"), (["--file", "/nowhere:/x"], b"/nowhere")]:
        done = run(*words, "--command", "true", timeout=20)
        assert done.returncode == 125 and said in done.stderr, (words, done)


def test_without_units_it_boots_and_says_so(tmp_path):
    with huskvm.boot(units=write_units(tmp_path / "units", {}), state=False, timeout=TIMEOUT) as guest:
        assert guest.state == "running"
        done = guest.run("husk status", 30)
        assert done.status == 0 and "no units" in done.text
        assert guest.run("husk list", 30).stdout == b""


def test_thousands_of_units_load_and_the_good_one_runs(tmp_path):
    """On demand, refused, and one that runs: the boot settles, answers come, and the one runs."""
    units = {f"demand-{number}": unit("/workload sleep", install="Enabled=no") for number in range(MANY // 2)}
    units |= {f"bad-{number}": "[Container]\nImge=x\nExec=/x\n" for number in range(MANY // 2)}
    units["good"] = unit("/workload sleep")
    with huskvm.boot(units=write_units(tmp_path / "units", units), files=probe_files(), state=False, memory="1G",
                     timeout=TIMEOUT) as guest:
        assert guest.state == "degraded"
        assert guest.run("husk status good", 30).status == 0
        assert guest.run("husk list | wc -l", 60).text.strip() == str(MANY + 1)
        table = guest.run("husk status | tail -n 1", 60).text
        assert f"{MANY // 2} refused" in table
        assert guest.run("husk start demand-77 && husk status demand-77", 60).status == 0
        settled = guest.run("cut -d' ' -f1 /proc/uptime", 20).text
        assert float(settled) < 240
