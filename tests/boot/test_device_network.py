"""The device's own network in a guest: dhcpcd as a unit asks DHCP servers and routers, husk follows with the resolv.conf
of units, and a cable that is pulled and put back needs nobody. On eth0 is QEMU's network, on eth1 a router of the test's
(wire.py), which changes its mind. Links, routes and addresses of system.conf are in tests/host."""

import re
import shutil
import time

import huskvm
import pytest
from conftest import KERNELS, TIMEOUT, Husk, probe_files, unit, write_units
from huskvm.launch import DEMO_UNITS
from wire import DECLINE, DISCOVER, ROUTER4, REQUEST, Router

IDLE = "/bin/busybox sh -c 'trap \"exit 0\" TERM; while :; do /bin/busybox sleep 1; done'"


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    router = Router(tmp_path_factory.mktemp("w"))
    yield router
    router.close()


# The client and the kernel's side of it are the same on both kernels: one is enough.
@pytest.fixture(scope="module")
def guest(tmp_path_factory, router):
    folder = write_units(tmp_path_factory.mktemp("units"), {"member": unit(IDLE, container="Network=lan.network\n")})
    (folder / "lan.network").write_text("[Network]\n")
    shutil.copy(DEMO_UNITS / "dhcpcd.container", folder)
    # Away at boot: the cable is in, and nobody answers.
    with huskvm.boot(kernel=KERNELS[0], units=folder, files=probe_files(), network=True, wait="started", append="loglevel=7",
                     timeout=TIMEOUT * 2, qemu_args=router.qemu_args) as machine:
        machine.qmp("set_link", name="net0", up=False)
        machine.wait_agent()
        machine.settle()
        yield machine


@pytest.fixture(scope="module")
def husk(guest):
    return Husk(guest)


def until(guest, command: str, wanted, timeout: float = 90) -> str:
    """Until what a command prints is as wanted."""
    deadline = time.monotonic() + timeout
    while not wanted(text := guest.run(command, 60).text):
        assert time.monotonic() < deadline, f"{command}: {text}\n{guest.run('husk logs -o cat -n 40 dhcpcd', 60).text}"
        time.sleep(0.3)  # what is waited for is a lease
    return text


def until_router(router, guest, wanted, what: str, timeout: float = 90):
    """Until what came to the router is as wanted."""
    deadline = time.monotonic() + timeout
    while not wanted():
        assert time.monotonic() < deadline, f"{what}: {router.asked}\n{guest.run('husk logs -o cat -n 40 dhcpcd', 60).text}"
        time.sleep(0.1)  # what is waited for is a frame


NAMES = "husk exec member /bin/busybox cat /etc/resolv.conf"


def on_wire(address: str):
    return lambda text: f"inet {address}/24" in text


def leased(text: str) -> bool:
    return "inet 10.0.2.15/24" in text


def test_a_server_that_is_away_at_boot_is_asked_until_it_comes(guest, husk, router):
    assert husk.unit("dhcpcd")["state"] == "running"
    until_router(router, guest, lambda: router.count(DISCOVER) >= 1, "the client asks")
    assert "inet " not in guest.run("ip addr show eth1", 60).text
    router.answers = True
    until(guest, "ip addr show eth1", on_wire("198.51.100.20"))
    until(guest, "ip route", lambda text: f"default via {ROUTER4} dev eth1" in text)
    until(guest, NAMES, lambda text: "nameserver 198.51.100.53\nsearch lan.example\n" in text)
    assert husk.unit("dhcpcd")["restarts"] == 0


def test_a_lease_is_renewed_and_brings_other_name_servers(guest, husk, router):
    pids, discovers = husk.pids(), router.count(DISCOVER)
    renewed = router.count(REQUEST, router.address)
    until_router(router, guest, lambda: router.count(REQUEST, router.address) >= renewed + 2, "two renewals")
    # One more, since the last one may have been asked for before.
    router.servers = ["198.51.100.54", "198.51.100.55"]
    until(guest, NAMES, lambda text: "nameserver 198.51.100.54\nnameserver 198.51.100.55\nsearch lan.example\n" in text)
    assert on_wire("198.51.100.20")(guest.run("ip addr show eth1", 60).text)
    assert router.count(DISCOVER) == discovers and husk.pids() == pids


def test_an_address_that_changes_takes_units_and_rules_along(guest, husk, router):
    pids = husk.pids()

    def sent_from(address: str) -> None:
        deadline = time.monotonic() + 60
        while address not in router.callers:
            assert time.monotonic() < deadline, (router.callers, guest.run("ip addr; ip route", 60).text)
            guest.run(f"husk exec member /bin/busybox nc -w 1 {ROUTER4} 9", 60)

    sent_from("198.51.100.20")
    # The server refuses the next renewal, and has another address and name server.
    router.servers, router.address = ["198.51.100.56"], "198.51.100.30"
    until(guest, "ip addr show eth1", on_wire("198.51.100.30"))
    until(guest, NAMES, lambda text: "nameserver 198.51.100.56\nsearch" in text)
    assert "198.51.100.20" not in guest.run("ip addr; ip route", 60).text
    sent_from("198.51.100.30")
    assert husk.pids() == pids


def test_an_address_in_use_is_declined(guest, husk, router):
    router.taken.add("198.51.100.40")
    router.address = "198.51.100.40"
    until_router(router, guest, lambda: router.count(DECLINE) >= 1, "the client finds the address in use")
    assert "198.51.100.40" not in guest.run("ip addr show eth1", 60).text
    router.address = "198.51.100.41"
    until(guest, "ip addr show eth1", on_wire("198.51.100.41"))


def test_a_router_gives_an_address_a_route_and_name_servers_by_ipv6(guest, husk, router):
    router.servers6 = {"fe80::1": 600, "2001:db8:5::53": 600}
    router.advertises = True
    router.advertise()
    until(guest, "ip addr show eth1", lambda text: re.search(r"inet6 2001:db8:5:\S+/64 .*dynamic", text))
    until(guest, "ip -6 route", lambda text: "default via fe80::1 dev eth1" in text)
    until(guest, NAMES, lambda text: "nameserver 2001:db8:5::53\n" in text)
    # One that is of the link is of use to the device, and to no network of units.
    assert "nameserver fe80::1%eth1\n" in guest.run("cat /etc/resolv.conf", 60).text
    assert "fe80::1" not in guest.run(NAMES, 60).text
    # It takes one back, and has another.
    router.servers6 = {"2001:db8:5::53": 0, "2001:db8:5::54": 600}
    router.advertise()
    until(guest, NAMES, lambda text: "nameserver 2001:db8:5::54\n" in text and "2001:db8:5::53" not in text)
    # It is no router any more.
    router.router_lifetime = 0
    router.advertise()
    until(guest, "ip -6 route", lambda text: "default via fe80::1" not in text)
    router.advertises = False


def test_what_a_wire_gave_goes_with_it(guest, husk, router):
    guest.qmp("set_link", name="wire", up=False)
    until(guest, "ip addr show eth1", lambda text: "198.51.100." not in text)
    until(guest, NAMES, lambda text: "nameserver" not in text)
    assert husk.unit("dhcpcd")["restarts"] == 0


def test_a_lease_comes_when_the_server_does(guest, husk):
    assert husk.unit("dhcpcd")["state"] == "running"
    assert not leased(guest.run("ip addr show eth0", 60).text)
    assert guest.run("cat /etc/resolv.conf", 60).text == ""
    guest.qmp("set_link", name="net0", up=True)
    until(guest, "ip addr show eth0", leased)
    until(guest, "ip route", lambda text: "default via 10.0.2.2" in text)
    # By the router's advertisements.
    until(guest, "ip addr show eth0", lambda text: re.search(r"inet6 fec0::\S+/64 .*dynamic", text))
    assert husk.unit("dhcpcd")["restarts"] == 0


def test_units_get_the_name_server_while_they_run(guest, husk):
    pid = husk.unit("member")["main_pid"]
    for command in "cat /etc/resolv.conf", "husk exec member /bin/busybox cat /etc/resolv.conf":
        until(guest, command, lambda text: "nameserver 10.0.2.3\n" in text)
    assert husk.unit("member")["main_pid"] == pid


def test_a_cable_that_is_pulled_and_put_back_needs_nobody(guest, husk):
    guest.qmp("set_link", name="net0", up=False)
    until(guest, "ip addr show eth0", lambda text: not leased(text))
    until(guest, "husk exec member /bin/busybox cat /etc/resolv.conf", lambda text: "10.0.2.3" not in text)
    guest.qmp("set_link", name="net0", up=True)
    until(guest, "ip addr show eth0", leased)
    until(guest, "husk exec member /bin/busybox cat /etc/resolv.conf", lambda text: "nameserver 10.0.2.3\n" in text)
    assert husk.unit("dhcpcd")["restarts"] == 0


def test_a_stop_gives_the_lease_back_and_a_start_gets_it_again(guest, husk):
    assert guest.run("husk stop dhcpcd", 60).status == 0
    assert "releasing lease of 10.0.2.15" in husk.log("dhcpcd")
    assert not leased(guest.run("ip addr show eth0", 60).text)
    assert guest.run("ls /run/husk/dns", 60).text == ""
    assert guest.run("husk start dhcpcd", 60).status == 0
    until(guest, "ip addr show eth0", leased)
