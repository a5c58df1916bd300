"""Promises: SPECIFICATION.md's, each measured and held to limits.toml. A file for each guest, so that they run beside each
other."""

import pytest

import promises


@pytest.fixture(scope="module")
def measured(request):
    """What the module's measure gives: test_containers.py has that of promises.containers()."""
    promises.guest.compile_programs()
    return promises.MEASURES[request.module.__name__.removeprefix("test_")]()


def pytest_generate_tests(metafunc):
    """A test for each promise of the module's measure."""
    if "promise" in metafunc.fixturenames:
        by = metafunc.module.__name__.removeprefix("test_")
        metafunc.parametrize("promise", [name for name, one in promises.load().items() if one["by"] == by])


@pytest.fixture
def hold(measured):
    def check(promise):
        said = promises.broken({promise: promises.load()[promise]}, measured)
        assert not said, promises.wrapped(said)
        print(f"{promise}: {measured[promise]:,}")

    return check
