"""What a device takes along to its next boot by itself: the time, and randomness. A clock without a battery."""

import huskvm
import pytest
from conftest import TIMEOUT, write_units
from huskvm import End

SEED = "/var/lib/husk/random-seed"


@pytest.fixture
def boot_in_1980(boot, tmp_path):
    """The same disk each time."""
    units = write_units(tmp_path / "units", {})

    def start():
        return boot(units=units, disk=tmp_path / "state.ext4", append="loglevel=7", qemu_args=["-rtc", "base=1980-01-01"])

    return start


def year(guest) -> int:
    return int(guest.run("date -u +%Y", 30).text)


def seed(guest) -> str:
    return guest.run(f"sha256sum {SEED}; stat -c '%s %a' {SEED}", 30).text


def end(guest) -> None:
    guest.run("husk poweroff", 60)
    assert guest.wait_exit(120) is End.POWEROFF


def test_the_clock_goes_on_where_it_was_and_no_seed_is_used_twice(boot_in_1980):
    with boot_in_1980() as guest:
        guest.run("date -u -s '2031-05-06 07:08:09'", 30)
        first = seed(guest)
        assert first.splitlines()[1] == "32 600"
        end(guest)
    with boot_in_1980() as guest:
        assert guest.run("date -u +%FT%H", 30).text.strip() == "2031-05-06T07"
        assert "the clock was behind and is set forward by" in guest.run("dmesg", 30).text
        second = seed(guest)
        assert second.splitlines()[1] == "32 600" and second != first
        # A reset keeps what was there at the boot's beginning.
        guest.run("date -u -s '2040-01-01'", 30)
        guest.power_cut()
        guest.wait_agent(180)
        guest.settle(180)
        assert year(guest) == 2031 and seed(guest) != second


def test_a_seed_that_is_damaged_is_said_and_made_anew(boot_in_1980):
    with boot_in_1980() as guest:
        guest.run(f"echo short > {SEED}; sync", 30)
        guest.power_cut()
        guest.wait_agent(180)
        guest.settle(180)
        assert "random-seed' has not 32 bytes" in guest.run("dmesg", 30).text
        assert seed(guest).splitlines()[1] == "32 600"
        assert guest.state == "running"
