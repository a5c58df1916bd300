"""Guests for the ring 'attack', see attacks.py."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import attacks  # noqa: E402
import huskvm  # noqa: E402
from boot_conftest import kernel, pytest_runtest_makereport  # noqa: E402,F401


def booted(units_folder, units, kernel, options):
    """A guest with the programs in it."""
    options = {"append": "loglevel=7", "timeout": attacks.TIMEOUT * 4, **options}
    options["files"] = [*attacks.attack_files(), *options.get("files", [])]
    return huskvm.boot(units=attacks.write_units(units_folder, units), kernel=kernel, **options)


@pytest.fixture(scope="session")
def shared_guest(request, kernel, tmp_path_factory):
    """One guest for the units of all modules that do not ask for their own."""
    units, files = {}, []
    for module in dict.fromkeys(item.module for item in request.session.items):
        if hasattr(module, "UNITS") and not hasattr(module, "BOOT"):
            assert not set(units) & set(module.UNITS), f"{module.__name__}: a unit has the name of another module's"
            units.update(module.UNITS)
            files += getattr(module, "FILES", [])
    with booted(tmp_path_factory.mktemp("units"), units, kernel, {"files": files}) as machine:
        yield machine


@pytest.fixture(scope="module")
def guest(request, kernel, tmp_path_factory):
    if not hasattr(request.module, "BOOT"):
        yield request.getfixturevalue("shared_guest")
        return
    with booted(tmp_path_factory.mktemp("units"), request.module.UNITS, kernel, request.module.BOOT) as machine:
        yield machine


@pytest.fixture(scope="module")
def attacker(guest):
    return attacks.Attacker(guest)


@pytest.fixture(scope="module")
def husk(attacker):
    return attacker.husk
