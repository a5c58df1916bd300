"""Options and what is shared of the ring 'ordeal'."""

import ctypes
import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "host")]

_spec = importlib.util.spec_from_file_location("boot_conftest", HERE.parent / "boot/conftest.py")
boot_conftest = importlib.util.module_from_spec(_spec)
sys.modules["boot_conftest"] = boot_conftest
_spec.loader.exec_module(boot_conftest)

from figures import LONG, lines  # noqa: E402


def pytest_addoption(parser):
    group = parser.getgroup("ordeal")
    group.addoption("--seed", default="husk", help="of the moments at which the power goes")
    group.addoption("--cuts", type=int, default=300 if LONG else 10, help="how often it goes")
    group.addoption("--cut", type=int, help="only this one, upon a fresh disk")
    group.addoption("--states", type=int, default=5000 if LONG else 200, help="how many states of a disk are looked at")
    group.addoption("--state", type=int, help="only this one; with the --write-log of a run before it is the same one")
    group.addoption("--boots", type=int, default=200 if LONG else 2, help="how many of the states are booted in QEMU too")
    group.addoption("--write-log", type=Path, help="the folder of a recording that was kept, instead of a new one")


@pytest.fixture
def seed(request):
    return request.config.getoption("seed")


def pytest_terminal_summary(terminalreporter):
    for line in lines:
        terminalreporter.write_line(line)


# A kept clock that is ahead would be set on this machine, too, by a husk that boots in namespaces of it.
PR_CAPBSET_DROP, CAP_SYS_TIME = 24, 25
ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_TIME)
