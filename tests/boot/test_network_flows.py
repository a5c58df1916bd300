"""Established connections of networks go by a flowtable: past the bridge and the rules, and no further than those let them.

The world is a network namespace of the guest at the other end of a link that the device gets after husk has begun."""

import re
import time

import huskvm
import pytest
from conftest import PROBES, TIMEOUT, Husk, probe_files, unit, write_units
from test_network import IDLE, address

WIRE = f"{PROBES}/wire"
# Answers each line when it comes, for as long as the other end is there.
ECHO = "/bin/busybox nc -ll -p 7 -e /bin/busybox cat"
UNITS = {
    "echo": unit(ECHO, container="Network=lan.network\nPublishPort=7:7\nPublishPort=9:9/udp\n"),
    "thief": unit(IDLE, container="Network=lan.network\n"),
    "client": unit(IDLE, container="Network=lan.network\n"),
}


@pytest.fixture(scope="module")
def guest(kernel, tmp_path_factory):
    folder = write_units(tmp_path_factory.mktemp("units"), UNITS)
    (folder / "lan.network").write_text("[Network]\nIPv6=yes\nSubnet=10.77.1.0/24\nSubnet=fd77:1::/64\n")
    files = [*probe_files(), (huskvm.build.device() / "probes/wire", WIRE)]
    with huskvm.boot(kernel=kernel, units=folder, files=files, modules=["af_packet"], append="loglevel=7",
                     timeout=TIMEOUT * 3) as machine:
        yield machine


@pytest.fixture(scope="module")
def husk(guest):
    husk = Husk(guest)
    for name in UNITS:
        assert husk.wait(name, lambda one: one["state"] in ("running", "failed"))["state"] == "running", husk(f"why {name}")
    assert guest.run(f"{WIRE} namespace world", 60).status == 0
    plug_in(guest)
    return husk


def plug_in(guest):
    done = guest.run(f"{WIRE} cable - wan 192.0.2.1/24 world wan 192.0.2.2/24 && {WIRE} route world 10.77.1.0/24 192.0.2.1 && "
                     f"{WIRE} address - wan 2001:db8::1/64 && {WIRE} address world wan 2001:db8::2/64", 60)
    assert done.status == 0, done.stderr


def wait(is_so, what, timeout=60):
    deadline = time.monotonic() + timeout
    while not (found := is_so()):
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.2)
    return found


def entries(guest):
    """Port of who asked -> what the kernel knows of that connection."""
    lines = guest.run("cat /proc/net/nf_conntrack", 60).text.splitlines()
    return {found[1]: line for line in lines if (found := re.search(r"sport=(\d+) dport=7 ", line))}


class Connection:
    """From `where` to the one who answers at `to`, and established."""

    def __init__(self, guest, to, where="world"):
        before = entries(guest)
        self.guest, self.lines = guest, 0
        self.name = guest.run("mktemp -u", 60).text.strip()
        guest.run(f"mkfifo {self.name}; (sleep 100000 >{self.name} &); "
                  f"({WIRE} in {where} busybox nc {to} 7 <{self.name} >{self.name}.out 2>&1 &)", 60)
        assert self.says(), guest.run(f"cat {self.name}.out", 60).text
        self.port, = entries(guest).keys() - before.keys()

    def says(self, count=1):
        """Lines there and back, one after the other."""
        first, self.lines = self.lines + 1, self.lines + count
        done = self.guest.run(f"for i in $(seq {first} {self.lines}); do echo line $i >{self.name}; n=0; "
                              f"until grep -qx \"line $i\" {self.name}.out; do n=$((n+1)); [ $n -gt 2000 ] && exit 1; usleep 10000; done; done", 120)
        return done.status == 0

    def entry(self):
        return entries(self.guest).get(self.port, "")

    def by_flow(self):
        return "[OFFLOAD]" in self.entry()

    def joins_flow(self):
        wait(lambda: self.says() and self.by_flow(), self.entry)


def counters(guest):
    """Link -> packets received, sent."""
    lines = guest.run("cat /proc/net/dev", 60).text.splitlines()[2:]
    fields = {line.partition(":")[0].strip(): line.partition(":")[2].split() for line in lines}
    return {name: (int(one[1]), int(one[9])) for name, one in fields.items()}


@pytest.mark.parametrize("to", ["192.0.2.1", "2001:db8::1"])
def test_an_established_connection_passes_by_the_bridge_and_is_counted(guest, husk, to):
    connection = Connection(guest, to)
    connection.joins_flow()
    before = counters(guest)
    assert connection.says(50)
    grown = {name: [now - then for now, then in zip(values, before[name])] for name, values in counters(guest).items()}
    # A packet each way for a line, and one that says it has come.
    assert min(grown["hv-echo"]) >= 50 and min(grown["wan"]) >= 50
    assert max(grown["hk-lan"]) < 20, grown


def test_datagrams_go_by_it_when_they_are_answered(guest, husk):
    guest.run(f"({WIRE} in {husk.unit('echo')['main_pid']} {WIRE} answer 9 &)", 60)
    wait(lambda: guest.run(f"{WIRE} in world {WIRE} ask 192.0.2.1 9 0 1", 60).status == 0, "no answer")
    before = counters(guest)
    assert guest.run(f"({WIRE} in world {WIRE} ask 192.0.2.1 9 20 100; echo $? >/tmp/asked) >/dev/null 2>&1 &", 60).status == 0
    wait(lambda: re.search(r" udp .*dport=9 .*\[OFFLOAD\]", guest.run("cat /proc/net/nf_conntrack", 60).text), "not in a flow")
    assert wait(lambda: guest.run("cat /tmp/asked", 60).text, "no end").strip() == "0"
    grown = {name: [now - then for now, then in zip(values, before[name])] for name, values in counters(guest).items()}
    assert min(grown["hv-echo"]) >= 100 and max(grown["hk-lan"]) < 20, grown


def test_a_unit_that_asks_the_world_goes_by_it_too(guest, husk):
    guest.run(f"({WIRE} in world busybox nc -ll -p 7 -e cat &)", 60)
    wait(lambda: ":7 " in guest.run(f"{WIRE} in world netstat -ltn", 60).text, "nobody listens")
    connection = Connection(guest, "192.0.2.2", husk.unit("client")["main_pid"])
    connection.joins_flow()


def test_nobody_sends_by_the_flow_of_another(guest, husk):
    connection = Connection(guest, "192.0.2.1")
    connection.joins_flow()
    bridge = re.search(r"ether ([0-9a-f:]+)", guest.run("ip link show hk-lan", 60).text)[1]

    def sent(name):
        """How many of the frames that `name` sends as the end of the connection get out."""
        before = counters(guest)["wan"][1]
        done = guest.run(f"{WIRE} in {husk.unit(name)['main_pid']} {WIRE} frames eth0 {bridge} {address(guest, 'echo')} 7 "
                         f"192.0.2.2 {connection.port} 100", 60)
        assert done.status == 0, done.stderr
        return counters(guest)["wan"][1] - before

    assert sent("thief") < 50
    # Its own frames do: they are what they ought to be.
    assert sent("echo") >= 100
    assert connection.says()
    # And a flow lets nobody in beside it.
    assert guest.run(f"{WIRE} in world busybox nc -w 3 {address(guest, 'echo')} 7 </dev/null", 60).status != 0
    assert guest.run(f"{WIRE} in world busybox nc -w 3 {address(guest, 'thief')} 7 </dev/null", 60).status != 0


def test_a_new_supervisor_and_a_link_that_comes_back_find_it_again(guest, husk):
    connection = Connection(guest, "192.0.2.1")
    connection.joins_flow()
    before = husk.supervisor()
    guest.run(f"kill -9 {before}", 60)
    husk.wait("echo", lambda _: husk.supervisor() != before)
    connection.joins_flow()
    before = counters(guest)["hk-lan"]
    assert connection.says(30)
    assert max(now - then for now, then in zip(counters(guest)["hk-lan"], before)) < 20
    guest.run("ip link del wan", 60)
    wait(lambda: not connection.by_flow(), connection.entry)
    plug_in(guest)
    connection = Connection(guest, "192.0.2.1")
    connection.joins_flow()
    before = counters(guest)["hk-lan"]
    assert connection.says(30)
    assert max(now - then for now, then in zip(counters(guest)["hk-lan"], before)) < 20


def test_what_ends_with_a_unit_is_in_no_flow_any_more(guest, husk):
    connection = Connection(guest, "192.0.2.1")
    connection.joins_flow()
    assert guest.run("husk stop echo", 60).status == 0
    wait(lambda: not connection.by_flow(), connection.entry)
    assert guest.run("husk start echo", 60).status == 0
    connection = Connection(guest, "192.0.2.1")
    connection.joins_flow()
