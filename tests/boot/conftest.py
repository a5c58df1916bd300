"""Boot tests: whole guests in QEMU. `guest` is a booted demo that the tests of a module share; `boot` boots others.

A test that changes what the guest is made of, or ends it, uses `boot`:

    def test_a_broken_unit_is_listed(boot, tmp_path):
        (tmp_path / "bad.container").write_text("[Container]\\nImge=x\\n")
        with boot(units=tmp_path) as guest:
            assert b"Image" in guest.run("husk status bad").stdout

HUSK_KERNELS (default "6.12 6.1") says on which kernels a test with the `kernel` fixture runs.
"""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "images"))

import huskvm  # noqa: E402

KERNELS = os.environ.get("HUSK_KERNELS", "6.12 6.1").split()
# Emulated guests on a machine that also builds: what takes 10 s alone can take a minute.
TIMEOUT = float(os.environ.get("HUSK_BOOT_TIMEOUT", "300"))


@pytest.fixture(scope="session", params=KERNELS)
def kernel(request):
    """Tests that name it run once on each kernel."""
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
    with huskvm.boot(kernel=kernel, timeout=TIMEOUT * 4) as machine:
        yield machine


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the console of its guest."""
    outcome = yield
    report = outcome.get_result()
    machine = getattr(item, "funcargs", {}).get("guest")
    if report.when == "call" and report.failed and machine is not None:
        report.sections.append(("guest console", machine.console_tail(60)))
