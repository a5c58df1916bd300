"""The device's own network, with the real binary: links of system.conf that are there, come later and come back, and
the resolv.conf of units that follows. The device is a network namespace; its links are one end of a pair each."""

import pathlib
import subprocess
import time

import pytest
from pid1_namespace import LIMIT
from test_containers import SYSTEM_CONF, Device, unit

IDLE = "trap 'exit 0' TERM; while :; do sleep 1; done"
NETWORK = """
[Network]
Link=eth0
Address=192.0.2.5/24
Address=fd00:7::5/64
Gateway=192.0.2.1
Route=10.8.0.0/16 192.0.2.9
MTU=1400
IPv6AcceptRA=no
DNS=192.0.2.53
DNSSearch=example.org
Link=eth1
Address=198.51.100.5/24
RequiredForOnline=no
"""


class Cabled(Device):
    MORE_NAMESPACES = ["--net"]

    def __init__(self, directory, units, networks):
        super().__init__(directory, units)
        (directory / "system.conf").write_text(SYSTEM_CONF + NETWORK)
        for name, text in networks.items():
            (directory / f"units/{name}.network").write_text(text)

    def plug(self, name: str) -> None:
        """A link of that name, down, with a carrier."""
        self.on(f"ip link add {name} type veth peer name far-{name}")
        self.on(f"ip link set far-{name} up")

    def on(self, command: str) -> str:
        done = subprocess.run(["nsenter", "-t", str(self.host_pid), "--net", "sh", "-c", command], capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def file(self, path: str) -> pathlib.Path:
        return pathlib.Path(f"/proc/{self.host_pid}/root{path}")

    def until(self, found, what: str):
        end = time.monotonic() + LIMIT
        while not (value := found()):
            assert time.monotonic() < end, f"{what}\n{self.on('ip addr; ip route')}\n{self.console.decode()}"
            time.sleep(0.02)  # what the kernel and a container have is not told to a test
        return value

    def has_all(self) -> bool:
        shown, routes = self.on("ip addr show eth0"), self.on("ip route; ip -6 route")
        return ("192.0.2.5/24" in shown and "fd00:7::5/64" in shown and "mtu 1400" in shown
                and "default via 192.0.2.1 dev eth0" in routes and "10.8.0.0/16 via 192.0.2.9" in routes)


@pytest.fixture
def cabled(tmp_path):
    devices = []

    def start(units: dict[str, str], networks: dict[str, str] | None = None) -> Cabled:
        device = Cabled(tmp_path, units, networks or {})
        devices.append(device)
        return device.__enter__()

    yield start
    for device in devices:
        device.__exit__()


def test_a_link_is_set_up_when_it_appears_and_when_it_comes_back(cabled):
    device = cabled({})
    device.plug("eth0")
    device.until(device.has_all, "a link that appears is set up")
    assert device.on("cat /proc/sys/net/ipv6/conf/eth0/accept_ra").strip() == "0"
    # It goes and comes back, as a USB one does.
    device.on("ip link del eth0")
    device.plug("eth0")
    device.until(device.has_all, "a link that comes back is set up")
    # Down and up takes its routes and IPv6 addresses.
    device.on("ip link set eth0 down")
    assert "10.8.0.0/16" not in device.on("ip route")
    assert "state DOWN" in device.on("ip link show eth0"), "who takes a link down means it"
    device.on("ip link set eth0 up")
    device.until(device.has_all, "what a link lost is put back")
    # Somebody else's stay, and so do those of links that husk has no word about.
    device.on("ip addr add 203.0.113.9/24 dev eth0; ip link add br0 type bridge")
    device.plug("eth1")
    device.until(lambda: "198.51.100.5/24" in device.on("ip addr show eth1"), "another link")
    assert "203.0.113.9/24" in device.on("ip addr show eth0")
    assert "state DOWN" in device.on("ip link show br0")


def test_a_new_supervisor_finds_links_as_they_are_to_be(cabled):
    device = cabled({})
    device.plug("eth0")
    device.until(device.has_all, "a link that appears is set up")
    device.kill_supervisor(9)
    device.on("ip addr del 192.0.2.5/24 dev eth0")
    device.until(device.has_all, "what was lost while there was no supervisor")


def test_a_network_that_overlaps_a_link_is_refused_and_a_chosen_one_makes_way(cabled):
    device = cabled({"clashing": unit(IDLE, container="Network=lan.network\n"),
                     "planned": unit(IDLE, container="Network=later.network\n"),
                     "chosen": unit(IDLE, container="Network=any.network\n")},
                    {"later": "[Network]\nSubnet=198.51.100.128/25\n", "lan": "[Network]\nSubnet=192.0.0.0/16\n", "any": "[Network]\n"})
    device.plug("eth0")
    device.until(device.has_all, "a link that appears is set up")
    device.husk("restart", "clashing")
    found = device.wait_for("clashing", lambda one: "overlaps" in one["reason"])
    assert ("network 'lan': its subnet overlaps '192.0.2.5/24' of the device's link 'eth0'; write another Subnet= in "
            "lan.network") in found["reason"]
    # And one that a link is to have once it is there.
    found = device.wait_for("planned", lambda one: "overlaps" in one["reason"])
    assert "network 'later': its subnet overlaps '198.51.100.5/24' of a link in system.conf" in found["reason"]
    # The device gets an address, by DHCP for one, where husk has chosen a subnet.
    device.wait_for("chosen", lambda one: one["state"] == "running")
    subnet = next(line.split()[3] for line in device.on("ip -o -4 addr").splitlines() if "hk-any" in line)
    device.husk("stop", "chosen")
    device.until(lambda: "hk-any" not in device.on("ip link"), "the network goes with its last unit")
    device.on(f"ip addr add {subnet.replace('.1/', '.77/')} dev eth0")
    device.husk("start", "chosen")
    device.wait_for("chosen", lambda one: one["state"] == "running")
    other = next(line.split()[3] for line in device.on("ip -o -4 addr").splitlines() if "hk-any" in line)
    assert other != subnet


def test_the_resolv_conf_of_units_follows_the_devices(cabled):
    device = cabled({"member": unit(IDLE, container="Network=lan.network\n"),
                     "sharing": unit(IDLE, container="Network=host\n"),
                     "own": unit(IDLE, container="Network=host\nDNS=203.0.113.1\n")},
                    {"lan": "[Network]\n"})
    shown = lambda name: device.husk("exec", name, "/bin/sh", "-c", "cat /etc/resolv.conf").stdout
    first = "nameserver 192.0.2.53\nsearch example.org\n"
    for name in "member", "sharing":
        device.wait_for(name, lambda one: one["state"] == "running")
        assert shown(name) == first
    assert shown("own") == "nameserver 203.0.113.1\nsearch example.org\n"
    pids = {name: device.unit(name)["main_pid"] for name in ("member", "sharing", "own")}
    # A client has a lease, and a VPN comes up; nonsense and links are nobody's name servers.
    folder = device.file("/run/husk/dns")
    (folder / "eth0.dhcp4").write_text("nameserver 192.0.2.1\nnameserver 127.0.0.53\nsearch lan\nnonsense\nnameserver x\n")
    (folder / "link").symlink_to("/etc/passwd")
    wanted = "nameserver 192.0.2.53\nnameserver 192.0.2.1\nnameserver 127.0.0.53\nsearch example.org lan\n"
    device.until(lambda: shown("sharing") == wanted, "a unit on the device's network follows")
    # The device's loopback is none of a member's.
    assert shown("member") == wanted.replace("nameserver 127.0.0.53\n", "")
    assert device.file("/run/husk/resolv.conf").read_text() == wanted
    (folder / "eth0.dhcp4").unlink()
    device.until(lambda: shown("member") == first, "what a client takes back is gone")
    assert {name: device.unit(name)["main_pid"] for name in pids} == pids
