"""The harness against real guests: what images/run promises, and what a test may do to a machine."""

import subprocess
from pathlib import Path

import pytest
from huskvm import End, GuestTrouble

RUN = Path(__file__).resolve().parents[2] / "images/run"


@pytest.fixture
def no_units(tmp_path):
    folder = tmp_path / "units"
    folder.mkdir()
    return folder


def run(*words, timeout=400):
    done = subprocess.run([str(RUN), *map(str, words)], capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr.decode()


def test_commands_print_exactly_their_output_and_the_first_bad_status_counts(no_units, kernel):
    status, out, err = run("--units", no_units, "--kernel", kernel, "--command", r"printf 'a\000b\r\n'",
                           "--command", "echo trouble >&2; exit 3", "--command", "echo last; exit 4")
    assert (status, out) == (3, b"a\0b\r\nlast\n")
    assert err.splitlines()[-1] == "trouble"


def test_files_units_and_console_log_arrive(no_units, tmp_path):
    (tmp_path / "note").write_text("hello")
    (no_units / "x.container.d").mkdir()
    (no_units / "x.container.d" / "y.conf").write_text("[Unit]\n")
    status, out, _ = run("--units", no_units, "--file", f"{tmp_path}/note:/srv/note", "--console-log", tmp_path / "log",
                         "--append", "test.word", "--command", "cat /srv/note /etc/husk/units/x.container.d/y.conf",
                         "--command", "grep -o test.word /proc/cmdline; echo seen >/dev/console")
    assert (status, out) == (0, b"hello[Unit]\ntest.word\n")
    assert "seen" in (tmp_path / "log").read_text()


def test_a_panic_is_reported_with_its_reason(no_units, kernel):
    status, out, err = run("--units", no_units, "--kernel", kernel, "--command", "echo c >/proc/sysrq-trigger")
    assert (status, out) == (125, b"")
    assert "the guest panicked: sysrq triggered crash" in err and "the console's last lines" in err


def test_a_hang_is_reported_within_the_timeout(no_units):
    status, out, err = run("--units", no_units, "--append", "husk.console=none", "--timeout", "15", "--command", "true")
    assert (status, out) == (125, b"") and "the guest hangs" in err


def test_a_command_that_takes_too_long_is_reported(no_units):
    status, _, err = run("--units", no_units, "--timeout", "25", "--command", "sleep 1000")
    assert status == 125 and "'sleep 1000' did not end within" in err


def test_powering_off_as_the_last_command_is_no_trouble(no_units):
    assert run("--units", no_units, "--command", "husk poweroff")[0] == 0


def test_a_disk_that_stays_keeps_its_volumes(no_units, tmp_path):
    disk = tmp_path / "state.ext4"
    words = ("--units", no_units, "--disk", disk)
    assert run(*words, "--command", "echo kept >/var/lib/husk/volumes/note")[0] == 0
    assert run(*words, "--command", "cat /var/lib/husk/volumes/note")[:2] == (0, b"kept\n")


@pytest.mark.parametrize("press", ["power_button", "ctrl_alt_del"])
def test_buttons_end_the_guest_in_order(boot, no_units, kernel, press):
    with boot(units=no_units, kernel=kernel) as guest:
        getattr(guest, press)()
        assert guest.wait_exit(120) is (End.POWEROFF if press == "power_button" else End.REBOOT)


def test_a_guest_lives_through_reset_and_power_cut(boot, no_units):
    with boot(units=no_units) as guest:
        guest.run("echo kept >/var/lib/husk/volumes/note; sync; touch /tmp/gone")
        for again in (guest.reset, guest.power_cut):
            again()
            guest.wait_agent(180)
            guest.settle(180)
            assert guest.run("cat /var/lib/husk/volumes/note; ls /tmp").stdout == b"kept\n"


def test_a_person_types_on_the_console(boot, no_units):
    with boot(units=no_units, append="husk.console=/bin/sh", wait="started") as guest:
        guest.wait_console("# ", 180)
        guest.send_console("echo $((6 * 7)) things\n")
        guest.wait_console("42 things", 60)


def test_a_guest_without_a_shell_still_takes_commands(boot, no_units):
    with boot(units=no_units, shell=False) as guest:
        assert guest.run("husk version").status == 0
        assert guest.run("nothing 'of the kind'").status == 127


def test_trouble_carries_the_end(boot, no_units):
    with boot(units=no_units) as guest:
        with pytest.raises(GuestTrouble, match="rebooted by itself") as caught:
            guest.run("echo b >/proc/sysrq-trigger; sleep 60")
        assert caught.value.end is End.REBOOT
