"""A container that speaks Ethernet by itself: it is on a network with a victim, there is another network, one that is
internal, and a world. The strongest one has CAP_NET_RAW in the device's user namespace; nobody has more."""

import time

import pytest
from attacks import ATTACKS, Tried, unit

RAW = "UserNS=host\nAddCapability=NET_RAW\n"
OFF = {"install": "Enabled=no"}
DEVICE, WORLD = "192.0.2.1", "192.0.2.2"
ADDRESSES = ("gateway=10.77.1.1 gateway6=fd77:1::1 victim=10.77.1.20 other=10.77.2.20 other6=fd77:2::20 "
             f"other-gateway=10.77.2.1 device={DEVICE} world={WORLD}")
# What nobody may reach from a network: the device's services by any of its addresses, and others' networks.
CLOSED = ("gateway=10.77.1.1:9100 the-other-gateway=10.77.2.1:9100 the-device=192.0.2.1:9100 "
          "by-IPv6=fd77:1::1:9100 another-network=10.77.2.20:80 another-network-by-IPv6=fd77:2::20:80 "
          "its-published-port-where-it-leads=10.77.2.20:8080")


def member(network: str, address: int, more: str = "") -> str:
    number = {"lan": 1, "dmz": 2, "inside": 3}[network]
    return f"Network={network}.network:ip=10.77.{number}.{address},ip6=fd77:{number}::{address}\n{more}"


def inside(words: str) -> str:
    return words.replace("10.77.1.", "10.77.3.").replace("fd77:1:", "fd77:3:")


UNITS = {
    "victim": unit("network", "ear eth0", container=member("lan", 20, RAW), stays=True),
    "other": unit("network", "ear eth0", container=member("dmz", 20, RAW), stays=True),
    "page": unit("network", "serve 80", container=member("dmz", 30, "PublishPort=8080:80\n"), stays=True),
    "evil": unit("network", f"send evil eth0 {ADDRESSES}", container=member("lan", 10, RAW), **OFF),
    # What only its capability holds back.
    "plain": unit("network", f"send plain eth0 {ADDRESSES}", container=member("lan", 11, "UserNS=host\n"), **OFF),
    "mapped": unit("network", f"send mapped eth0 {ADDRESSES}", container=member("lan", 12), **OFF),
    "inside": unit("network", f"send inside eth0 {inside(ADDRESSES)}", container=member("inside", 10, RAW), **OFF),
    "inside-victim": unit("network", "ear eth0", container=member("inside", 20, RAW), stays=True),
    "asks": unit("network", f"reach {CLOSED} published={DEVICE}:8080", container=member("lan", 13), **OFF),
    "asks-inside": unit("network", f"reach {inside(CLOSED)} published={DEVICE}:8080", container=member("inside", 13), **OFF),
    "showers": unit("network", f"shower {WORLD} 5000", container=member("lan", 14), **OFF),
}
NETWORKS = {"lan": "[Network]\nSubnet=10.77.1.0/24\nSubnet=fd77:1::/64\n",
            "dmz": "[Network]\nSubnet=10.77.2.0/24\nSubnet=fd77:2::/64\n",
            "inside": "[Network]\nSubnet=10.77.3.0/24\nSubnet=fd77:3::/64\nInternal=yes\n"}
BOOT = {"modules": ["dummy"]}
# In its own name, to who is on its network.
ALLOWED = {"own ARP", "own neighbour advertisement", "last", "to all", "to a group of the link", "to a group of the world",
           *(f"to the device by bridge group {number}" for number in (0, 2, 3, 14))}


class Ears:
    """Who listens where, and what was heard of a sender."""

    def __init__(self, attacker):
        self.attacker, self.guest = attacker, attacker.guest
        self.guest.run(f"ip addr add {DEVICE}/24 dev dummy0; ip link set dummy0 up; ip route add default via {WORLD}", 60)
        self.files = {"world": "ear dummy0 out", "device": "serve 7777 0.0.0.0", "loopback": "serve 7778 127.0.0.1"}
        for name, words in self.files.items():
            self.guest.run(f"setsid {ATTACKS}/network {words} </dev/null >/tmp/{name} 2>&1 &", 60)
        self.guest.run("setsid husk metrics --listen 0.0.0.0:9100 </dev/null >/tmp/metrics 2>&1 &", 60)
        self.wait(lambda: all("end" in self.all(name) for name in self.files), "the ears of the device")
        self.wait(lambda: "husk_build_info" in self.guest.run(
            "printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 5 127.0.0.1 9100", 60).text, "the metrics of the device")
        for name in "victim", "other", "page", "inside-victim":
            attacker.inside(name)

    def wait(self, is_so, what: str) -> None:
        deadline = time.monotonic() + 60
        while not is_so():
            assert time.monotonic() < deadline, what
            time.sleep(0.1)

    def all(self, name: str) -> Tried:
        return Tried(self.guest.run(f"cat /tmp/{name}", 60).text if name in self.files else self.attacker.husk.log(name))

    def heard(self, name: str, sender: str) -> dict[str, str]:
        start = f"{sender}: "
        return {what.removeprefix(start): how for what, how in self.all(name).items() if what.startswith(start)}


@pytest.fixture(scope="module")
def ears(attacker):
    return Ears(attacker)


def sends(ears, name: str, ear: str = "victim") -> set[str]:
    """What it tried to send, once it is over and `ear` has heard the last of it."""
    tried = ears.attacker.start(name)
    assert set(tried.values()) == {"ok"}, tried
    ears.wait(lambda: "last" in ears.heard(ear, name), f"{ear} does not hear the last frame of {name}")
    return set(tried) - {"end", "packet socket", "raw socket", "the gateway's MAC"}


def test_without_the_capability_nobody_makes_frames(ears):
    for name in "plain", "mapped":
        assert {what: answer for what, answer in ears.attacker.start(name).items() if what != "end"} == {
            "packet socket": "EPERM", "raw socket": "EPERM"}, name


def test_a_container_speaks_in_its_own_name_only(ears):
    tried = sends(ears, "evil")
    assert set(ears.heard("victim", "evil")) == ALLOWED
    assert len(tried - ALLOWED) > 40
    # The same frames from the device itself: they are what they say, and the victim's ear is open.
    tried = set(ears.attacker.outside("network", f"send device hk-lan {ADDRESSES.replace('world=', 'nowhere=')}"))
    tried -= {"end", "packet socket", "raw socket"}
    ears.wait(lambda: "last" in ears.heard("victim", "device"), "the device's last frame")
    assert set(ears.heard("victim", "device")) == tried and "router advertisement" in tried and "another MAC" in tried


def test_what_is_not_on_its_network_does_not_hear_it(ears):
    """By its address, by any address of the device, by a group, by frames that bridges take for themselves."""
    sends(ears, "evil")
    assert ears.heard("other", "evil") == {}
    assert ears.heard("device", "evil") == {} and ears.heard("loopback", "evil") == {}
    for address, port, ear in (DEVICE, 7777, "device"), ("127.0.0.1", 7778, "loopback"):
        ears.attacker.outside("network", f"tell {address} {port} {ear}")
        ears.wait(lambda: ears.heard(ear, "control") == {ear: "heard"}, "nobody listens there")


def test_the_world_hears_it_with_the_devices_address_or_not_at_all(ears):
    """Packets of no connection would pass NAT by."""
    sends(ears, "evil")
    assert ears.heard("world", "evil") == {f"{kind} to the world": DEVICE
                                           for kind in ("datagram", "fragments", "ICMP error", "another protocol")}


def test_nothing_leaves_an_internal_network(ears):
    sends(ears, "inside", "inside-victim")
    assert set(ears.heard("inside-victim", "inside")) == ALLOWED
    for ear in "victim", "other", "device", "loopback", "world":
        assert ears.heard(ear, "inside") == {}, ear


@pytest.mark.parametrize("name", ["asks", "asks-inside"])
def test_neither_the_device_nor_another_network_is_to_be_connected_to(ears, name):
    tried = dict(ears.attacker.start(name))
    published = tried.pop("published")
    assert published == ("ok" if name == "asks" else "ENETUNREACH")
    assert tried.pop("end") == "ok" and len(tried) == 7
    assert set(tried.values()) <= {"EHOSTUNREACH", "EACCES", "ENETUNREACH"}, tried


def test_a_shower_of_datagrams_leaves_room_for_the_connections_of_others(ears):
    """The kernel's table of connections is one for all. What nobody has answered makes way."""
    limit = "/proc/sys/net/netfilter/nf_conntrack_max"
    ears.guest.run(f"cat {limit} >/tmp/limit; echo 1000 >{limit}", 60)
    ears.attacker.start("showers")
    counted = int(ears.guest.run("cat /proc/sys/net/netfilter/nf_conntrack_count", 60).text)
    tried = ears.attacker.outside("network", f"reach page={DEVICE}:8080")
    ears.guest.run(f"cat /tmp/limit >{limit}", 60)
    assert counted > 900 and tried["page"] == "ok", (counted, tried)
