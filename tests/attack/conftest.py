"""Guests for the ring 'attack', see attacks.py."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import attacks  # noqa: E402
import huskvm  # noqa: E402
from boot_conftest import pytest_runtest_makereport  # noqa: E402,F401

# Both in `tests/run --long`: a second kernel takes minutes, and what refuses is the same at nearly all places.
KERNELS = os.environ.get("HUSK_KERNELS", huskvm.kernel.DEFAULT).split()


@pytest.fixture(scope="session", params=KERNELS)
def kernel(request):
    """Tests that name it run once on each kernel."""
    return request.param


def booted(units_folder, units, kernel, options):
    """A guest with the programs in it."""
    options = {"append": "loglevel=7", "timeout": attacks.TIMEOUT * 4, **options}
    options["files"] = [*attacks.attack_files(), *options.get("files", [])]
    return huskvm.boot(units=attacks.write_units(units_folder, units), kernel=kernel, **options)


@pytest.fixture(scope="module")
def guest(request, kernel, tmp_path_factory):
    """A guest with the module's UNITS, and its NETWORKS, made as its BOOT says where it has that."""
    units = tmp_path_factory.mktemp("units")
    options = getattr(request.module, "BOOT", {})
    for name, text in getattr(request.module, "NETWORKS", {}).items():
        (units / f"{name}.network").write_text(text)
    with booted(units, request.module.UNITS, kernel, options() if callable(options) else options) as machine:
        yield machine


@pytest.fixture(scope="module")
def attacker(guest):
    return attacks.Attacker(guest)


@pytest.fixture(scope="module")
def husk(attacker):
    return attacker.husk
