"""Boot tests: whole guests in QEMU. `guest` is a booted demo that the tests of a module share; `boot` boots others.

A test that changes what the guest is made of, or ends it, uses `boot`:

    def test_a_broken_unit_is_listed(boot, tmp_path):
        (tmp_path / "bad.container").write_text("[Container]\\nImge=x\\n")
        with boot(units=tmp_path) as guest:
            assert b"Image" in guest.run("husk status bad").stdout

A test with the `kernel` fixture runs on the first of HUSK_KERNELS (default "6.12 6.1"); on each of them where its module is
marked `each_kernel`, since what it shows is the kernel's own work, or with HUSK_LONG.
"""

import json
import os
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "images"))

import huskvm  # noqa: E402
import huskvm.build  # noqa: E402

KERNELS = os.environ.get("HUSK_KERNELS", "6.12 6.1").split()
# Emulated guests on a machine that also builds: what takes 10 s alone can take a minute.
TIMEOUT = float(os.environ.get("HUSK_BOOT_TIMEOUT", "300"))


def pytest_configure(config):
    config.addinivalue_line("markers", "each_kernel: on every kernel, in the short form of the tests too")


def pytest_generate_tests(metafunc):
    if "kernel" in metafunc.fixturenames:
        each = "HUSK_LONG" in os.environ or metafunc.definition.get_closest_marker("each_kernel")
        metafunc.parametrize("kernel", KERNELS if each else KERNELS[:1], indirect=True, scope="session")


@pytest.fixture(scope="session")
def kernel(request):
    return request.param


@pytest.fixture
def boot():
    """huskvm.boot with a timeout for tests. A context manager; takes what huskvm.Options has."""

    def start(**options):
        options.setdefault("timeout", TIMEOUT)
        return huskvm.boot(**options)

    return start


@pytest.fixture(scope="module")
def guest(kernel):
    """The demo, booted and settled, once for a module and kernel."""
    with huskvm.boot(kernel=kernel, append="loglevel=7", timeout=TIMEOUT * 4) as machine:
        yield machine


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the console of its guest."""
    outcome = yield
    report = outcome.get_result()
    machine = getattr(item, "funcargs", {}).get("guest")
    if report.when == "call" and report.failed and machine is not None:
        report.sections.append(("guest console", machine.console_tail(60)))


# The programs of tests/probes, in every guest of the tests that ask for them.
PROBES = "/usr/lib/husk-test"


def probe_files() -> list[tuple[Path, str]]:
    folder = huskvm.build.device() / "probes"
    return [(folder / name, f"{PROBES}/{name}") for name in ("probe", "workload", "sctp")]


def unit(exec_: str, *, container: str = "", service: str = "", unit_: str = "", install: str = "") -> str:
    """A unit in the minimal root, with busybox and the probes in it."""
    return (f"[Unit]\n{unit_}\n[Container]\nExec={exec_}\nVolume=/bin/busybox:/bin/busybox:ro\n"
            f"Volume={PROBES}/probe:/probe:ro\nVolume={PROBES}/workload:/workload:ro\n{container}\n"
            f"[Service]\n{service}\n[Install]\n{install}\n")


def write_units(folder: Path, units: dict[str, str | bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in units.items():
        (folder / f"{name}.container").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


class Husk:
    """Questions to the husk of a guest, with answers as Python values."""

    def __init__(self, guest):
        self.guest = guest

    def __call__(self, words: str, timeout: float | None = 60) -> str:
        """What 'husk WORDS' prints, on either stream."""
        done = self.guest.run(f"husk {words}", timeout)
        return (done.stdout + done.stderr).decode(errors="replace")

    def units(self, timeout: float | None = 60) -> dict[str, dict]:
        done = self.guest.run("husk status --json", timeout)
        return {one["name"]: one for one in json.loads(done.stdout)["units"]}

    def unit(self, name: str) -> dict:
        """Of one unit, all that is known, its history too."""
        done = self.guest.run(f"husk why --json {name}", 60)
        return json.loads(done.stdout)["units"][0]

    def wait(self, name: str, is_so, timeout: float = 60) -> dict:
        """Until `is_so(unit)`: the unit then."""
        deadline = time.monotonic() + timeout
        while True:
            one = self.unit(name)
            if is_so(one):
                return one
            assert time.monotonic() < deadline, f"'{name}' stays {one}"
            time.sleep(0.2)

    def log(self, name: str) -> str:
        return self.guest.run(f"husk logs -o cat -n all {name}", 60).text

    def pids(self) -> dict[str, int]:
        return {name: one["main_pid"] for name, one in self.units().items()}

    def supervisor(self) -> int:
        return json.loads(self.guest.run("husk version --json", 60).stdout)["pid"]


@pytest.fixture(scope="module")
def husk(guest):
    return Husk(guest)
