"""Networks of units in a guest: the kernels' own modules, loaded when the first unit needs them, and addresses that a
boot does not change. What goes through a cable is in tests/host, where a world outside can be had."""

import re

import huskvm
import pytest
from conftest import TIMEOUT, Husk, probe_files, unit, write_units

PAGE = "hello from web"
WEB = ("/bin/busybox sh -c 'mkdir /tmp/www; echo hello from $(hostname) > /tmp/www/index.html; "
       "exec /bin/busybox httpd -f -p 80 -h /tmp/www'").replace("$(", "$$(")
IDLE = "/bin/busybox sh -c 'trap \"exit 0\" TERM; while :; do /bin/busybox sleep 1; done'"
GET = "printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 5 {} {}"


def units() -> dict[str, str]:
    return {
        "web": unit(WEB, container="Network=lan.network\nNetworkAlias=shop\nPublishPort=8080:80\nMemory=64M\n",
                    service="Restart=always\nRestartSec=10ms\n"),
        "client": unit(IDLE, container="Network=lan.network\n"),
        "other": unit(IDLE, container="Network=dmz.network\n"),
        "six": unit(WEB, container="Network=six.network\nPublishPort=8086:80\n"),
    }


@pytest.fixture(scope="module")
def guest(kernel, tmp_path_factory):
    folder = write_units(tmp_path_factory.mktemp("units"), units())
    (folder / "lan.network").write_text("[Network]\n")
    (folder / "dmz.network").write_text("[Network]\nSubnet=10.77.2.0/24\n")
    (folder / "six.network").write_text("[Network]\nIPv6=yes\n")
    with huskvm.boot(kernel=kernel, units=folder, files=probe_files(), append="loglevel=7", timeout=TIMEOUT * 3) as machine:
        yield machine


@pytest.fixture(scope="module")
def husk(guest):
    return Husk(guest)


def fetch(guest, address, port=80, name=None) -> str:
    command = GET.format(address, port)
    if name:
        command = f"husk exec {name} /bin/busybox sh -c \"{command}\""
    text = guest.run(command, 60).text.replace("\r", "")
    return text.strip().split("\n")[-1] if "200 OK" in text else ""


def address(guest, name, family="inet") -> str:
    shown = guest.run(f"husk exec {name} /bin/busybox ip addr show eth0", 60).text
    return re.search(rf"{family} ([0-9a-f.:]+)/\d+ (brd \S+ )?scope global", shown)[1]


def test_units_find_each_other_by_name_and_other_networks_not_at_all(guest, husk):
    for name in units():
        assert husk.wait(name, lambda one: one["state"] in ("running", "failed"))["state"] == "running", husk(f"why {name}")
    husk.wait("web", lambda _: fetch(guest, "web", name="client") == PAGE)
    assert fetch(guest, "shop", name="client") == PAGE
    assert fetch(guest, address(guest, "web"), name="other") == ""


def test_a_published_port_leads_in_from_the_device_itself(guest):
    assert fetch(guest, "127.0.0.1", 8080) == PAGE
    guest.run("ip addr add 192.0.2.1/32 dev lo", 60)
    assert fetch(guest, "192.0.2.1", 8080) == PAGE
    assert fetch(guest, "127.0.0.1", 8086) == "hello from six"
    assert fetch(guest, "::1", 8086) == "hello from six"
    assert fetch(guest, address(guest, "six", "inet6")) == "hello from six"


def test_the_namespace_and_its_connections_outlive_restarts_and_the_supervisor(guest, husk):
    namespace = lambda: guest.run(f"readlink /proc/{husk.unit('web')['main_pid']}/ns/net", 60).text
    before, links = namespace(), guest.run("ip link | grep -o '^[0-9]*: [^:]*'", 60).text
    guest.run(f"kill -9 {husk.unit('web')['main_pid']}", 60)
    husk.wait("web", lambda one: one["state"] == "running" and one["restarts"] == 1)
    assert namespace() == before
    pid = husk.supervisor()
    guest.run(f"kill -9 {pid}", 60)
    husk.wait("web", lambda one: husk.supervisor() != pid and one["state"] == "running")
    assert namespace() == before and guest.run("ip link | grep -o '^[0-9]*: [^:]*'", 60).text == links
    husk.wait("web", lambda _: fetch(guest, "127.0.0.1", 8080) == PAGE)
    assert guest.run("husk restart web", 60).status == 0
    husk.wait("web", lambda _: fetch(guest, "web", name="client") == PAGE)
    assert guest.run("husk stop web client", 60).status == 0
    husk.wait("web", lambda _: not re.search("hk-lan|hv-web", guest.run("ip link", 60).text))
    assert guest.run("husk start web client", 60).status == 0


def test_addresses_and_ports_outlast_a_boot(guest, husk):
    before = {name: address(guest, name) for name in units()}
    guest.power_cut()
    guest.wait_agent()
    guest.settle()
    for name in units():
        husk.wait(name, lambda one: one["state"] == "running")
    assert {name: address(guest, name) for name in units()} == before
    husk.wait("web", lambda _: fetch(guest, "127.0.0.1", 8080) == PAGE)
