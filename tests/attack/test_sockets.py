"""Sockets: husk's own, and those of the device that have no file."""

import pytest
from attacks import ATTACKS, refused, succeeded, unit

BOOT = {"modules": ["vsock"]}
AFTER = {"section": "After=victim\nRequires=victim"}  # there is a record of it
UNITS = {
    "victim": unit("abstract", "listen", stays=True),
    "control": unit("control"),
    "control-host": unit("control", container="UserNS=host"),
    "control-bound": unit("control", "/device", container="Volume=/run/husk:/device:noidmap", **AFTER),
    "control-user": unit("control", "/device", container="Volume=/run/husk:/device:noidmap\nUserNS=host\nUser=1000",
                         **AFTER),
    "control-mapped": unit("control", "/device", container="Volume=/run/husk:/device:ro", **AFTER),
    "connect": unit("abstract"),
    "connect-host": unit("abstract", container="UserNS=host"),
    "connect-network": unit("abstract", container="Network=host", install="Enabled=no"),
}


def test_the_control_socket_is_not_to_be_seen(attacker):
    for name in ("control", "control-host"):
        refused(attacker.inside(name), "ENOENT", "EROFS")


def test_it_obeys_the_devices_root(attacker, guest):
    succeeded(attacker.outside("control"))


@pytest.mark.parametrize("name", ["control-bound", "control-user"])
def test_where_it_is_to_be_seen_it_belongs_to_somebody_else(attacker, name):
    refused(attacker.inside(name), "EACCES", "EPERM", but=("read a record",))


def test_where_a_map_makes_it_the_containers_own_husk_looks_who_asks(attacker):
    """A volume's owners are mapped: the device's root is the container's on it, and may connect."""
    refused(attacker.inside("control-mapped"), "EACCES", "EPERM", "EROFS", "ENOENT", but=("read a record",))


def test_sockets_of_the_device_cannot_be_reached(attacker, guest):
    guest.run(f"{ATTACKS}/abstract listen </dev/null >/dev/null 2>&1 &", 20)
    guest.run("for i in $(seq 50); do grep -q husk-attack /proc/net/unix && break; usleep 100000; done", 20)
    succeeded(attacker.outside("abstract"))
    for name in ("connect", "connect-host"):
        refused(attacker.inside(name), "ECONNREFUSED", "EPERM")


def test_in_the_devices_network_raw_ones_still_cannot_be_made(attacker):
    tried = attacker.start("connect-network")
    assert tried["abstract"] == tried["loopback"] == "ok"
    assert tried["raw"] == tried["packet"] == tried["vsock"] == "EPERM"
