"""Broken units beside good ones in one guest: each says what is wrong with it, the others run, init lives."""

import gzip
import re
import shutil
import struct
import subprocess

import huskvm
import pytest
from conftest import TIMEOUT, Husk, probe_files, unit, write_units
from huskvm import End

GOOD = {"good": unit("/workload sleep"), "good-too": unit("/workload numbers 500000"), "image-good": "[Container]\nImage=fine\nExec=/workload sleep\n"}

BROKEN = {
    "typo": "[Container]\nImge=fine\nExec=/workload\n",
    "typo-value": unit("/workload sleep", service="Restart=allways"),
    "many-errors": "[Container]\nImge=x\nExec=/workload\n[Service]\nMemryMax=3\n[Servce]\nX=y\n",
    "nul": b"[Container]\nExec=/workload\0 sleep\n",
    "huge": b"# " + b"x" * 4000 + b"\n" + (b"# " + b"y" * 4000 + b"\n") * 2600,
    "empty": b"",
    "binary": bytes(range(1, 256)) * 8,
    "no-image": "[Container]\nImage=nowhere\nExec=/workload\n",
    "truncated-image": "[Container]\nImage=truncated\nExec=/workload sleep\n",
    "short-image": "[Container]\nImage=short\nExec=/workload sleep\n",
    "gzip-image": "[Container]\nImage=zipped\nExec=/workload sleep\n",
    "no-program": unit("/nowhere/program"),
    "other-processor": unit("/foreign", container="Volume=/usr/lib/husk-test/foreign:/foreign:ro"),
    "no-loader": unit("/dynamic", container="Volume=/usr/lib/husk-test/dynamic:/dynamic:ro"),
    "no-shell": unit("/script", container="Volume=/usr/lib/husk-test/script:/script:ro"),
    "not-executable": unit("/text", container="Volume=/usr/lib/husk-test/text:/text:ro"),
    "no-source": unit("/workload", container="Volume=/nowhere:/data"),
    "no-user": unit("/workload", container="User=nobody-knows"),
    "cycle-a": unit("/workload sleep", unit_="After=cycle-b"),
    "cycle-b": unit("/workload sleep", unit_="After=cycle-a"),
    "needs-nothing": unit("/workload sleep", unit_="Requires=not-there\nAfter=not-there"),
}


def elf(machine: int, interpreter: bytes = b"") -> bytes:
    """The head of a program: for another processor, or with an interpreter."""
    program = struct.pack("<IIQQQQQQ", 3, 4, 176, 176, 176, len(interpreter) + 1, len(interpreter) + 1, 1)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 4096, 4096, 4096)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0x400000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    return (head + program + load + interpreter + b"\0").ljust(8192, b"\0")


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    work = tmp_path_factory.mktemp("bad")
    units = write_units(work / "units", GOOD | BROKEN)
    (units / "folder.container").mkdir()
    (units / "README.txt").write_text("no unit\n")
    files = probe_files()
    for name, content, mode in [
            ("foreign", elf(183), 0o755), ("dynamic", elf(62, b"/lib64/ld-linux-x86-64.so.2"), 0o755),
            ("script", b"#!/bin/bash -e\necho\n", 0o755), ("text", b"just words\n", 0o644)]:
        (work / name).write_bytes(content)
        (work / name).chmod(mode)
        files.append((work / name, f"/usr/lib/husk-test/{name}"))
    files.append((work / "text", "/usr/lib/husk/units"))  # where a folder of units would be
    root = work / "root"
    for folder in ("proc", "sys", "dev", "tmp", "run", "etc", "var"):
        (root / folder).mkdir(parents=True)
    shutil.copy(files[1][0], root / "workload")
    (root / "noise").write_bytes(subprocess.run(["head", "-c", "2000000", "/dev/urandom"], stdout=subprocess.PIPE).stdout)
    subprocess.run(["mkfs.erofs", str(work / "fine.erofs"), str(root)], check=True, stdout=subprocess.DEVNULL)
    fine = (work / "fine.erofs").read_bytes()
    (work / "truncated.erofs").write_bytes(fine[:len(fine) // 2])
    (work / "short.erofs").write_bytes(fine[:700])
    (work / "zipped.erofs").write_bytes(gzip.compress(fine[:100000]))
    images = {name: work / f"{name}.erofs" for name in ("fine", "truncated", "short", "zipped")}
    with huskvm.boot(units=units, files=files, images=images, append="loglevel=7", timeout=TIMEOUT * 2) as machine:
        yield machine


@pytest.fixture(scope="module")
def husk(guest):
    return Husk(guest)


@pytest.fixture(scope="module")
def units(husk):
    return husk.units()


def test_the_boot_settles_and_good_units_run(guest, units):
    assert guest.state == "degraded"
    for name in GOOD:
        assert units[name]["state"] == "running", units[name]
        assert units[name]["restarts"] == 0


def test_every_broken_unit_is_listed_and_none_runs(units):
    assert set(BROKEN) <= set(units)
    for name in BROKEN:
        assert units[name]["state"] in ("refused", "failed", "backoff", "starting"), (name, units[name])
        assert units[name]["main_pid"] == 0 or units[name]["state"] == "starting", (name, units[name])


def test_what_is_no_unit_is_not_listed(units):
    assert "README" not in units and "README.txt" not in units


@pytest.mark.parametrize("name, said", [
    ("typo", r"typo\.container:2: .*'Imge'.*Image"),
    ("typo-value", r"typo-value\.container:\d+: .*allways.*always"),
    ("nul", r"nul\.container:2: .*NUL"),
    ("huge", r"huge\.container.*(64 KiB|65536)"),
    ("empty", r"empty\.container.*"),
    ("binary", r"binary\.container:1: "),
    ("cycle-a", r"cycle-a.*cycle-b|cycle-b.*cycle-a"),
    ("needs-nothing", r"not-there"),
    ("folder", r"folder\.container.*director"),
])
def test_a_broken_file_is_refused_with_its_place_and_cure(husk, units, name, said):
    assert units[name]["state"] == "refused"
    why = husk(f"why {name}")
    assert re.search(said, why), why
    assert f"{name} is refused" in why


def test_all_errors_of_a_file_are_shown(husk):
    why = husk("why many-errors")
    assert re.search(r":2: .*Image", why) and re.search(r":5: .*MemoryMax", why) and re.search(r":6: .*Service", why), why


@pytest.mark.parametrize("name, said", [
    ("no-image", r"'nowhere'|nowhere"),
    ("truncated-image", r"truncated"),
    ("short-image", r"short"),
    ("gzip-image", r"gzip|neither|not an? "),
    ("no-program", r"execute '/nowhere/program': no such file in the container"),
    ("other-processor", r"a program for aarch64, and this machine is x86_64"),
    ("no-loader", r"its interpreter '/lib64/ld-linux-x86-64\.so\.2' is missing in the container"),
    ("no-shell", r"its interpreter '/bin/bash' is missing in the container"),
    ("not-executable", r"Permission denied.*executable"),
    ("no-source", r"'/nowhere'"),
    ("no-user", r"nobody-knows"),
])
def test_what_cannot_start_says_why(husk, units, name, said):
    why = husk(f"why {name}")
    assert re.search(said, why), why
    assert not re.search(r"exited with code 127|lost", why), why


def test_a_start_that_fails_is_tried_again_with_backoff(husk):
    one = husk.wait("no-program", lambda one: one["restarts"] >= 2)
    assert one["last_exit"]["kind"] == "start-failed"
    assert one["state"] in ("backoff", "starting")


def test_status_tells_the_table_with_reasons(husk):
    table = husk("status")
    assert re.search(r"^typo +refused .* typo\.container:2: ", table, re.M), table
    assert re.search(r"\d+ refused", table)


def test_a_folder_of_units_that_cannot_be_read_is_told(guest):
    assert re.search(r"'?/usr/lib/husk/units'?.*: Not a directory", guest.console_text())


def test_check_says_the_same_on_the_device(guest):
    done = guest.run("husk check", 60)
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.status == 1
    assert "typo.container:2" in said and "nul.container:2" in said


def test_a_mended_unit_starts_after_a_reload_of_what_is_valid(guest, husk):
    guest.put("/etc/husk/units/typo.container", unit("/workload sleep").encode())
    assert "husk reload --partial" in husk("reload")  # others are refused still
    assert husk.unit("typo")["state"] == "refused"
    husk("reload --partial")
    assert husk.unit("typo")["state"] == "running"


def test_reboot_ends_it(guest):
    start = len(guest.console_text())
    assert guest.run("husk reboot", 30).status == 0
    assert guest.wait_exit(60) is End.REBOOT
    assert "all units are stopped" in guest.console_text()[start:]
