"""Networks of units, with the real binary: the device is a network namespace of its own, with a cable to another one,
the world. Nothing is sent outside of these two."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time

import pytest
from pid1_namespace import LIMIT
from test_containers import Device, unit

LAN = "[Network]\nSubnet=10.77.1.0/24\n"
PAGE = "hello from web\n"
WEB = "mkdir /tmp/www; echo hello from $$HOSTNAME > /tmp/www/index.html; httpd -f -p 80 -h /tmp/www"
RAW = "UserNS=host\nAddCapability=NET_RAW\n"  # what busybox needs for ping
IDLE = "trap 'exit 0' TERM; while :; do sleep 1; done"


class Host(Device):
    """A device with a network of its own: 192.0.2.1, and the world is 192.0.2.2."""

    MORE_NAMESPACES = ["--net"]

    def __init__(self, directory, units, networks):
        super().__init__(directory, units)
        for name, text in networks.items():
            (directory / f"units/{name}.network").write_text(text)

    def __enter__(self):
        super().__enter__()
        self.world = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        until = time.monotonic() + 10
        while os.readlink(f"/proc/{self.world.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            assert time.monotonic() < until
            time.sleep(0.005)  # nothing tells when unshare(1) is there
        self.ip("link", "add", "wan", "type", "veth", "peer", "name", "wan", "netns", str(self.world.pid))
        self.ip("addr", "add", "192.0.2.1/24", "dev", "wan")
        self.ip("link", "set", "wan", "up")
        self.out(f"ip addr add 192.0.2.2/24 dev wan; ip link set wan up; ip link set lo up; "
                 f"ip route add 10.77.0.0/16 via 192.0.2.1")
        return self

    def __exit__(self, *error):
        self.world.kill()
        self.world.wait()
        super().__exit__(*error)

    def ip(self, *words):
        return self.on(f"ip {' '.join(words)}")

    def on(self, command: str, check: bool = True) -> str:
        """What a shell on the device prints."""
        return self._shell(self.host_pid, command, check)

    def out(self, command: str, check: bool = True) -> str:
        """The same in the world."""
        return self._shell(self.world.pid, command, check)

    def _shell(self, pid, command, check):
        done = subprocess.run(["nsenter", "-t", str(pid), "--net", "sh", "-c", command], capture_output=True, text=True,
                              timeout=60)
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def inside(self, name: str, command: str) -> subprocess.CompletedProcess:
        return self.husk("exec", name, "/bin/sh", "-c", command)

    def fetch(self, name: str, address: str, port: int = 80) -> str:
        """A page, asked for from inside of a unit: its last line."""
        got = self.inside(name, f"printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | nc -w 3 {address} {port}").stdout
        return got.rpartition("\n\n")[2] if got.startswith("HTTP/1.1 200") else ""

    def address(self, name: str, link: str = "eth0") -> str:
        shown = self.inside(name, f"ip -4 addr show {link}").stdout
        return re.search(r"inet ([0-9.]+)/", shown)[1]


@pytest.fixture
def host(tmp_path):
    hosts = []

    def start(units: dict[str, str], networks: dict[str, str]) -> Host:
        device = Host(tmp_path, units, networks)
        hosts.append(device)
        return device.__enter__()

    yield start
    for device in hosts:
        device.__exit__()


def two_families(found: Host) -> None:
    """The device is 2001:db8::1 too, and the world 2001:db8::2."""
    found.on("ip addr add 2001:db8::1/64 dev wan nodad")
    found.out("ip addr add 2001:db8::2/64 dev wan nodad")
    # A kernel with br_netfilter translates addresses on bridges already, and then refuses ::1 from there.
    found.on("echo 0 > /proc/sys/net/bridge/bridge-nf-call-ip6tables", check=False)


def fetch(address: str, port: int = 80) -> str:
    """The command that prints a page, or nothing."""
    return (f"printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 3 {address} {port} | "
            "sed -n '1{/200 OK/!q}; ${/hello/p}'")


@contextlib.contextmanager
def conversation(found: Host):
    """From the world, by one connection to port 8080 of the device: a line, and the line that comes back."""
    def say(word: str) -> str:
        try:
            connection.stdin.write(word + "\n")
            connection.stdin.flush()
        except BrokenPipeError:
            pass
        return connection.stdout.readline()

    until = time.monotonic() + LIMIT
    while True:
        connection = subprocess.Popen(["nsenter", "-t", str(found.world.pid), "--net", "busybox", "nc", "192.0.2.1", "8080"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            if say("hello") == "got hello\n":
                yield say
                return
        finally:
            connection.kill()
            connection.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)  # nothing tells when nc listens


def test_two_units_of_a_network_find_each_other_by_name(host):
    found = host({"web": unit(WEB, container="Network=lan.network\nNetworkAlias=shop\n"),
                  "client": unit(IDLE, container="Network=lan.network\n")}, {"lan": LAN})
    for name in "web", "client":
        assert found.unit(name)["state"] == "running", (found.unit(name), found.console.decode())
    for name in "web", "shop":
        found.wait_for("web", lambda _: found.fetch("client", name) == PAGE)
    hosts = found.inside("client", "cat /etc/hosts").stdout
    assert f"{found.address('web')}\tweb shop\n" in hosts
    # A link of its own, and only its own in /sys.
    assert found.inside("client", "ls /sys/class/net").stdout.split() == ["eth0", "lo"]


def test_a_published_port_leads_in_from_the_world_and_from_the_device_itself(host):
    found = host({"web": unit(WEB, container="Network=lan.network\nPublishPort=8080:80\nPublishPort=192.0.2.1:8081:80\n"
                                             "PublishPort=127.0.0.1:8082:80\n"),
                  "client": unit(IDLE, container="Network=lan.network\n")}, {"lan": LAN})
    found.wait_for("web", lambda _: found.out(fetch("192.0.2.1", 8080), check=False) == PAGE)
    assert found.out(fetch("192.0.2.1", 8081)) == PAGE
    assert found.out(fetch("192.0.2.1", 8082), check=False) == ""
    for address, port in ("127.0.0.1", 8080), ("192.0.2.1", 8080), ("192.0.2.1", 8081), ("127.0.0.1", 8082):
        assert found.on(fetch(address, port)) == PAGE, (address, port)
    # From its own network, by the device's address.
    assert found.fetch("client", "192.0.2.1", 8080) == PAGE
    # Not by the unit's own address, whatever routes the world has.
    assert found.out(fetch(found.address("web")), check=False) == ""
    found.husk("stop", "web")
    assert found.out(fetch("192.0.2.1", 8080), check=False) == ""


def test_units_reach_the_world_with_the_devices_address(host):
    found = host({"client": unit(IDLE, container="Network=lan.network\n" + RAW),
                  "shut": unit(IDLE, container="Network=inside.network\n" + RAW)},
                 {"lan": LAN, "inside": "[Network]\nInternal=yes\n"})
    server = subprocess.Popen(["nsenter", "-t", str(found.world.pid), "--net", "busybox", "nc", "-l", "-p", "99", "-e",
                               "sh", "-c", "echo you are $NCAT_REMOTE_ADDR; busybox netstat -tn | grep :99"],
                              stdout=subprocess.PIPE)
    try:
        until = time.monotonic() + LIMIT
        while ":99 " not in found.out("busybox netstat -tln"):
            assert time.monotonic() < until
            time.sleep(0.02)  # nothing tells when nc listens
        said = found.inside("client", "ping -c 1 -W 5 192.0.2.2 && nc -w 5 192.0.2.2 99 </dev/null").stdout
    finally:
        server.kill()
        server.wait()
    assert "192.0.2.1:" in said, said  # as the world saw it
    assert found.inside("shut", "ping -c 1 -W 1 192.0.2.2").returncode != 0


def test_networks_are_apart_and_the_device_is_not_theirs(host):
    found = host({"web": unit(WEB, container="Network=lan.network\n"),
                  "other": unit(IDLE, container="Network=dmz.network\n" + RAW)},
                 {"lan": LAN, "dmz": "[Network]\nSubnet=10.77.2.0/24\n"})
    listener = subprocess.Popen(["nsenter", "-t", str(found.host_pid), "--net", "busybox", "httpd", "-f", "-p", "7777",
                                 "-h", "/etc"])
    try:
        web = found.address("web")
        found.wait_for("web", lambda _: found.fetch("web", web) == PAGE)
        assert found.fetch("other", web) == ""
        for address in "10.77.2.1", "10.77.1.1", "192.0.2.1":  # the bridges' addresses, and the device's
            assert found.inside("other", f"echo | nc -w 3 {address} 7777").returncode != 0, address
        assert found.inside("other", "ping -c 1 -W 5 10.77.2.1").returncode == 0
    finally:
        listener.kill()
        listener.wait()


def test_the_network_lives_across_restarts_and_goes_with_a_stop(host):
    found = host({"web": unit(WEB, "Restart=always\nRestartSec=10ms\n",
                              "Network=lan.network\nPublishPort=8080:80\n")}, {"lan": LAN})
    namespace = lambda: os.readlink(f"/proc/{found.host_pid_of(found.unit('web')['main_pid'])}/ns/net")
    before, address = namespace(), found.address("web")
    link = found.ip("-o", "link", "show", "hv-web").split(":")[0]
    os.kill(found.host_pid_of(found.unit("web")["main_pid"]), signal.SIGKILL)
    found.wait_for("web", lambda u: u["state"] == "running" and u["restarts"] == 1)
    assert namespace() == before and found.address("web") == address
    assert found.ip("-o", "link", "show", "hv-web").split(":")[0] == link
    assert found.husk("restart", "web").returncode == 0
    assert found.address("web") == address
    assert found.husk("stop", "web").returncode == 0
    found.wait_for("web", lambda _: not re.search("hv-web|hk-lan", found.ip("-o", "link")))
    rules = found.on("nft list ruleset")
    assert "8080" not in rules and address not in rules
    assert found.husk("start", "web").returncode == 0
    assert found.address("web") == address
    found.wait_for("web", lambda _: found.out(fetch("192.0.2.1", 8080), check=False) == PAGE)


def test_who_shares_a_network_goes_on_over_the_restarts_of_its_unit(host):
    echo = "nc -ll -p 90 -e sh -c 'while read line; do echo got $$line; done'"
    always = "Restart=always\nRestartSec=10ms\n"
    found = host({"vpn": unit(IDLE, always, "Network=lan.network\nPublishPort=8080:90\n"),
                  "app": unit(echo, always, "Network=vpn.container\n"),
                  "tied": unit(IDLE, container="Network=vpn.container\n").replace("[Container]", "[Unit]\nRequires=vpn\n[Container]")},
                 {"lan": LAN})
    pid = lambda name: found.unit(name)["main_pid"]
    namespace = lambda name: os.readlink(f"/proc/{found.host_pid_of(pid(name))}/ns/net")
    app, tied, before = pid("app"), pid("tied"), namespace("vpn")
    assert namespace("app") == before
    found.wait_for("app", lambda _: ":90 " in found.inside("app", "netstat -tln").stdout)
    with conversation(found) as say:
        assert say("one") == "got one\n"
        os.kill(found.host_pid_of(pid("vpn")), signal.SIGKILL)
        found.wait_for("vpn", lambda u: u["state"] == "running" and u["restarts"] == 1)
        assert say("two") == "got two\n"
        assert found.husk("restart", "vpn").returncode == 0
        assert say("three") == "got three\n"
        assert pid("app") == app and namespace("vpn") == before
        assert pid("tied") not in (0, tied)  # as Requires= says
    # A restart of its own leads back into the same network, and so does one beside a supervisor that is killed.
    os.kill(found.host_pid_of(app), signal.SIGKILL)
    found.wait_for("app", lambda u: u["state"] == "running" and u["main_pid"] != app)
    assert namespace("app") == before
    app = pid("app")
    found.kill_supervisor(signal.SIGKILL)
    until = time.monotonic() + 20
    while json.loads(found.husk("version", "--json").stdout or "{}").get("starts", 2) < 2:
        assert time.monotonic() < until
    assert found.husk("restart", "vpn").returncode == 0
    assert pid("app") == app and namespace("app") == namespace("vpn") == before
    # A stop takes it along, and a start of it brings the unit back.
    assert found.husk("stop", "vpn").returncode == 0
    assert found.unit("app")["state"] == "inactive"
    assert found.husk("start", "app").returncode == 0
    assert namespace("app") == namespace("vpn")


def test_who_shares_a_network_that_is_gone_gets_the_next_one(host):
    once = "Restart=no\n"
    found = host({"vpn": unit(IDLE, once, "Network=lan.network\n"), "app": unit(IDLE, container="Network=vpn.container\n"),
                  "bare": unit(IDLE, "Restart=always\nRestartSec=10ms\n"),
                  "local": unit(IDLE, container="Network=bare.container\n")}, {"lan": LAN})
    pid = lambda name: found.unit(name)["main_pid"]
    namespace = lambda name: os.readlink(f"/proc/{found.host_pid_of(pid(name))}/ns/net")
    app, local = pid("app"), pid("local")
    os.kill(found.host_pid_of(pid("vpn")), signal.SIGKILL)
    found.wait_for("vpn", lambda u: u["state"] == "failed")
    assert pid("app") == app
    assert "'vpn' has ended, and with it the network that it shares" in found.husk("why", "app").stdout
    assert found.husk("start", "vpn").returncode == 0
    found.wait_for("app", lambda u: u["state"] == "running" and u["main_pid"] != app)
    assert "since 'vpn', whose network it shares, has another one now" in found.unit("app")["reason"]
    assert namespace("app") == namespace("vpn")
    # With Network=none it goes with each run.
    os.kill(found.host_pid_of(pid("bare")), signal.SIGKILL)
    found.wait_for("local", lambda u: u["state"] == "running" and u["main_pid"] != local)
    assert namespace("local") == namespace("bare")


def test_a_unit_sets_parameters_of_its_own_network(host, tmp_path):
    def text(parameters):
        return unit(IDLE, container=f"Network=lan.network\nSysctl={parameters}\n")

    found = host({"web": text("net.ipv4.ip_local_port_range='40000 40100' net.ipv4.conf.eth0.arp_ignore=1"),
                  "plain": unit(IDLE, container="Network=lan.network\n"),
                  "wrong": text("net.ipv4.nothing=1").replace("[Service]", "[Service]\nRestart=no"),
                  "devices": text("net.core.rmem_max=1").replace("[Service]", "[Service]\nRestart=no"),
                  "guest": unit(IDLE, container="Network=web.container\nSysctl=net.ipv4.tcp_syncookies=0\n")}, {"lan": LAN})
    def ports(name):
        return found.inside(name, "cat /proc/sys/net/ipv4/ip_local_port_range").stdout.split()

    usual = found.on("cat /proc/sys/net/ipv4/ip_local_port_range").split()
    assert ports("web") == ["40000", "40100"] and ports("plain") == usual != ["40000", "40100"]
    assert found.inside("web", "cat /proc/sys/net/ipv4/conf/eth0/arp_ignore").stdout == "1\n"
    for name, parameter in ("wrong", "net.ipv4.nothing"), ("devices", "net.core.rmem_max"):
        assert found.unit(name)["state"] == "failed"
        assert f"Sysctl={parameter}: this kernel has no such parameter in a network namespace" in found.unit(name)["reason"]
    assert "is of a network that is not the unit's own" in found.husk("why", "guest").stdout
    # What is taken out of its file is as it was.
    address = found.address("web")
    (tmp_path / "units/web.container").write_text(text("net.ipv4.conf.eth0.arp_ignore=0"))
    assert found.husk("reload", "--partial").returncode == 0
    assert ports("web") == usual and found.address("web") == address


def test_a_supervisor_that_is_killed_leaves_connections_alive_and_rules_identical(host):
    found = host({"web": unit("nc -l -p 80 -e sh -c 'while read line; do echo got $$line; done'",
                              container="Network=lan.network\nPublishPort=8080:80\n"),
                  "idle": unit(IDLE, container="Network=lan.network\n")}, {"lan": LAN})
    rules, links = found.on("nft list ruleset"), found.ip("-o", "link")
    with conversation(found) as say:
        assert say("one") == "got one\n"
        pids = {name: found.unit(name)["main_pid"] for name in ("web", "idle")}
        found.kill_supervisor(signal.SIGKILL)
        until = time.monotonic() + 20
        while json.loads(found.husk("version", "--json").stdout or "{}").get("starts", 2) < 2:
            assert time.monotonic() < until
        found.wait_for("idle", lambda u: u["state"] == "running")
        assert say("two") == "got two\n"
        assert {name: found.unit(name)["main_pid"] for name in ("web", "idle")} == pids
        assert found.on("nft list ruleset") == rules
        assert found.ip("-o", "link") == links
        assert found.husk("restart", "idle").returncode == 0


def test_addresses_are_the_same_after_a_boot(tmp_path):
    units = {f"u{i}": unit(IDLE, container="Network=own.network\n") for i in range(3)}
    first, second = {}, {}
    for boot, found in enumerate((first, second)):
        folder = tmp_path / f"boot{boot}"
        folder.mkdir()
        host = Host(folder, units if boot == 0 else {"aaa": unit(IDLE, container="Network=own.network\n")} | units,
                    {"own": "[Network]\n"})
        if boot == 1:
            (folder / "state/network").mkdir()
            (folder / "state/network/leases").write_text((tmp_path / "boot0/state/network/leases").read_text())
        with host:
            for name in units:
                found[name] = host.address(name)
                assert found[name].startswith("10.89.")
    assert first == second and len(set(first.values())) == 3


def test_what_is_in_the_way_is_named(host):
    found = host({"web": unit(WEB, "Restart=no\n[Install]\nEnabled=no\n", "Network=lan.network\nPublishPort=9090:80\n"),
                  "clash": unit(IDLE, container="Network=lan.network\nIP=10.77.1.1\n")}, {"lan": LAN})
    assert "is the gateway of network 'lan'" in found.husk("why", "clash").stdout
    taken = subprocess.Popen(["nsenter", "-t", str(found.host_pid), "--net", "busybox", "httpd", "-f", "-p", "9090"])
    try:
        until = time.monotonic() + 10
        while ":9090" not in found.on("busybox netstat -tln"):
            assert time.monotonic() < until
        assert found.husk("start", "web").returncode != 0
        assert ("PublishPort=: port 9090/tcp of the device is taken by a process; end that, or choose another"
                in found.husk("why", "web").stdout), found.husk("why", "web").stdout
    finally:
        taken.kill()
        taken.wait()
    found.wait_for("web", lambda _: "hv-web" not in found.ip("-o", "link"))
    found.ip("link", "add", "hk-lan", "type", "bridge")
    assert found.husk("start", "web").returncode != 0
    assert "a link 'hk-lan' is there that is not husk's" in found.husk("why", "web").stdout
    found.ip("link", "del", "hk-lan")
    assert found.husk("start", "web").returncode == 0
    found.wait_for("web", lambda _: found.out(fetch("192.0.2.1", 9090), check=False) == PAGE)


def test_what_another_unit_has_is_refused_with_file_and_line(host):
    # The one that is read first has it: by name.
    found = host({"a": unit(IDLE, container="Network=lan.network\nIP=10.77.1.5\nPublishPort=8080:80\n"),
                  "port": unit(IDLE, container="Network=lan.network\nPublishPort=127.0.0.1:8080:81\n"),
                  "address": unit(IDLE, container="Network=lan.network\nIP=10.77.1.5\n"),
                  "subnet": unit(IDLE, container="Network=wide.network\n"),
                  "datagrams": unit(IDLE, container="Network=lan.network\nPublishPort=8080:80/udp\n")},
                 {"lan": LAN, "wide": "[Network]\nSubnet=10.77.0.0/16\n"})
    for name, words in {"port": ["port '127.0.0.1:8080/tcp' is published by unit 'a' (", "a.container:7)"],
                        "address": ["'10.77.1.5' is taken by unit 'a'", "a.container:6)"],
                        "subnet": ["'10.77.0.0/16' overlaps '10.77.1.0/24' of network 'lan'", "lan.network:2"]}.items():
        why = found.husk("why", name).stdout
        assert found.unit(name)["state"] == "refused" and all(word in why for word in words), why
        assert found.husk("start", name).returncode != 0
    for name in "a", "datagrams":
        assert found.unit(name)["state"] == "running", found.husk("why", name).stdout
    assert "hk-wide" not in found.ip("-o", "link")


LISTEN = """
import socket, sys
family, kind, address, port = sys.argv[1:]
s = socket.socket(getattr(socket, family), getattr(socket, kind))
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if family == "AF_INET6": s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s.bind((address, int(port)))
if kind == "SOCK_STREAM": s.listen()
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_port_that_a_process_has_is_left_to_it(host):
    late = "Restart=no\n[Install]\nEnabled=no\n"
    cases = {  # what a process has, the unit's port, and what that is told
        "tcp": ("AF_INET", "SOCK_STREAM", "127.0.0.1", 7000, "7000:80", "7000/tcp"),
        "one": ("AF_INET", "SOCK_STREAM", "0.0.0.0", 7001, "127.0.0.1:7001:80", "7001/tcp"),
        "six": ("AF_INET6", "SOCK_STREAM", "::", 7002, "7002:80", "7002/tcp"),
        "udp": ("AF_INET", "SOCK_DGRAM", "0.0.0.0", 7003, "7003:80/udp", "7003/udp"),
        "udp6": ("AF_INET6", "SOCK_DGRAM", "::1", 7004, "[::1]:7004:80/udp", "7004/udp"),
        "range": ("AF_INET", "SOCK_STREAM", "127.0.0.1", 7012, "7010-7015:80-85", "7012/tcp"),
        "beside": ("AF_INET", "SOCK_STREAM", "127.0.0.1", 7005, "192.0.2.1:7005:80", ""),
        "other": ("AF_INET", "SOCK_STREAM", "127.0.0.1", 7006, "7006:80/udp", ""),
    }
    found = host({name: unit(IDLE, late, f"Network=lan.network\nPublishPort={case[4]}\n") for name, case in cases.items()},
                 {"lan": "[Network]\nIPv6=yes\n"})
    processes = []
    try:
        for family, kind, address, port, *_ in cases.values():
            processes.append(subprocess.Popen(
                ["nsenter", "-t", str(found.host_pid), "--net", "/usr/bin/python3", "-c", LISTEN, family, kind, address,
                 str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * len(cases)
        for name, case in cases.items():
            started, why = found.husk("start", name), found.husk("why", name).stdout
            if not case[5]:
                assert started.returncode == 0, why
                continue
            assert started.returncode != 0 and found.unit(name)["state"] == "failed"
            assert f"port {case[5]} of the device is taken by a process; end that, or choose another" in why, why
    finally:
        for process in processes:
            process.kill()
            process.wait()


# Frames of a container that is not who it says. Sent and heard by the device's root in the units' namespaces, since
# units have no right to; what a kernel bug or a capability gives them is what is tried.
FRAMES = r'''
import ipaddress, socket, struct, sys
TAG = b"husk-test-"
def mac(text): return bytes.fromhex(text.replace(":", ""))
def ether(source, kind, payload, target="ff:ff:ff:ff:ff:ff"): return mac(target) + mac(source) + struct.pack("!H", kind) + payload
def checksum(data):
    if len(data) % 2: data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
def arp(hardware, address, tag): return struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + mac(hardware) + ipaddress.ip_address(address).packed + b"\xff" * 6 + b"\0" * 4 + TAG + tag
def ip4(source, tag):
    body = struct.pack("!HHHH", 9, 9, 8 + len(TAG + tag), 0) + TAG + tag
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, 17, 0) + ipaddress.ip_address(source).packed + b"\xff" * 4
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body
def ip6(source, kind, body, tag, target="ff02::1", extension=b""):
    source, target = ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed
    message = struct.pack("!BBH", kind, 0, 0) + body + TAG + tag
    message = message[:2] + struct.pack("!H", checksum(source + target + struct.pack("!II", len(message), 58) + message)) + message[4:]
    return struct.pack("!IHBB", 6 << 28, len(extension) + len(message), 0 if extension else 58, 255) + source + target + extension + message
def link_local(text):
    m = mac(text)
    return str(ipaddress.ip_address(b"\xfe\x80" + b"\0" * 6 + bytes([m[0] ^ 2]) + m[1:3] + b"\xff\xfe" + m[3:]))
'''

SEND = FRAMES + r'''
own, address, address6, other, gateway, gateway6 = sys.argv[1:7]
here = link_local(own)
advert = b"\x40\0\x07\x08" + b"\0" * 8
target = lambda text: b"\x20\0\0\0" + ipaddress.ip_address(text).packed
hop = b"\x3a\0\1\4\0\0\0\0"
frames = {
    "another MAC": ether(other, 0x800, ip4(address, b"another MAC")),
    "another address": ether(own, 0x800, ip4(gateway, b"another address")),
    "ARP for the gateway": ether(own, 0x806, arp(own, gateway, b"ARP for the gateway")),
    "ARP with another MAC": ether(own, 0x806, arp(other, address, b"ARP with another MAC")),
    "router advertisement": ether(own, 0x86dd, ip6(here, 134, advert, b"router advertisement")),
    "router advertisement behind an option": ether(own, 0x86dd, ip6(here, 134, advert, b"router advertisement behind an option", extension=hop)),
    "redirect": ether(own, 0x86dd, ip6(here, 137, b"\0" * 36, b"redirect")),
    "neighbour advertisement for the gateway": ether(own, 0x86dd, ip6(address6, 136, target(gateway6), b"neighbour advertisement for the gateway")),
    "another IPv6 address": ether(own, 0x86dd, ip6(gateway6, 128, b"\0" * 4, b"another IPv6 address")),
    "a frame in a VLAN": ether(own, 0x8100, struct.pack("!HH", 5, 0x800) + ip4(address, b"a frame in a VLAN")),
    "another protocol": ether(own, 0x88b5, TAG + b"another protocol"),
    "own neighbour advertisement": ether(own, 0x86dd, ip6(address6, 136, target(address6), b"own neighbour advertisement")),
    "own ARP": ether(own, 0x806, arp(own, address, b"own ARP")),
    "last: own address": ether(own, 0x800, ip4(address, b"last: own address")),
}
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("eth0", 0))
for frame in frames.values(): out.send(frame)
print("\n".join(frames))
'''

HEAR = FRAMES + r'''
ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
ear.bind(("eth0", 0))
ear.settimeout(10)
print("ready", flush=True)
while True:
    frame = ear.recv(65536)
    if TAG in frame:
        tag = frame.partition(TAG)[2].rstrip(b"\0").decode()
        print(tag, flush=True)
        if tag.startswith("last"): break
'''


def heard_from(found: Host, sender: str, ear: str) -> tuple[set[str], set[str]]:
    """What `sender` sent with all its might, and what `ear` heard of it."""
    def python(name, program, *words):
        pid = found.host_pid_of(found.unit(name)["main_pid"])
        return subprocess.Popen(["nsenter", "-t", str(pid), "--net", "/usr/bin/python3", "-c", program, *words],
                                stdout=subprocess.PIPE, text=True)

    link = found.inside(sender, "ip addr show eth0").stdout
    own = re.search(r"link/ether (\S+)", link)[1]
    other = re.search(r"link/ether (\S+)", found.inside(ear, "ip addr show eth0").stdout)[1]
    address6 = re.search(r"inet6 (fd\S+)/", link)[1]
    listener = python(ear, HEAR)
    assert listener.stdout.readline() == "ready\n"
    sent = python(sender, SEND, own, found.address(sender), address6, other, "10.77.1.1", "fd77::1").communicate(timeout=20)[0]
    return set(sent.splitlines()), set(listener.communicate(timeout=20)[0].splitlines())


def test_a_container_speaks_in_its_own_name_only(host):
    found = host({name: unit(IDLE, container="Network=lan.network\n") for name in ("evil", "web")},
                 {"lan": LAN + "Subnet=fd77::/64\n"})
    allowed = {"own neighbour advertisement", "own ARP", "last: own address"}
    sent, heard = heard_from(found, "evil", "web")
    assert heard == allowed and len(sent) == 14
    # And that it is the guard which refuses them: without it, all of them arrive.
    found.on("nft delete table bridge husk")
    sent, heard = heard_from(found, "evil", "web")
    assert heard == sent


def test_no_member_sees_frames_of_another(host):
    """Neither what is for nobody who is there, nor what is for one whom the bridge has not heard for long."""
    found = host({name: unit(IDLE, container="Network=lan.network\n") for name in ("a", "b")}, {"lan": LAN})

    def received(name: str) -> int:
        members = json.loads(found.husk("network", "--json").stdout)["networks"][0]["members"]
        return next(member["received_packets"] for member in members if member["unit"] == name)

    bridge = json.loads(found.husk("network", "--json").stdout)["networks"][0]["bridge"]
    found.on(f"ip neigh replace 10.77.1.99 lladdr 02:00:00:00:00:99 dev {bridge}")
    address = found.address("a")
    found.on(f"busybox ping -c 1 -W 5 {address}")
    # The bridge forgets all that it has learned.
    found.on(f"ip link set {bridge} type bridge fdb_flush")
    before = {name: received(name) for name in ("a", "b")}
    for to in "10.77.1.99", address:
        found.on(f"python3 -c 'import socket; s = socket.socket(type=socket.SOCK_DGRAM); "
                 f"[s.sendto(bytes(9), (\"{to}\", 9)) for _ in range(100)]'")
    after = {name: received(name) for name in ("a", "b")}
    assert after["a"] - before["a"] in range(100, 130) and after["b"] - before["b"] < 30, (before, after)


def test_ipv6_udp_ranges_and_several_networks(host):
    found = host({"web": unit(WEB, container="Network=lan.network\nNetwork=inside.network:interface_name=db0,alias=backend\n"
                                             "PublishPort=8000-8002:79-81\nPublishPort=[2001:db8::1]:8443:80\n"),
                  "db": unit(IDLE, container="Network=inside.network\n"),
                  "chosen": unit(WEB, container="Network=lan.network\nPublishPort=80\n")},
                 {"lan": LAN + "IPv6=yes\n", "inside": "[Network]\nInternal=yes\nOptions=mtu=1400\nIPv6=yes\n"})
    # A device that forwards goes on to hear of its routers.
    assert found.on("cat /proc/sys/net/ipv6/conf/wan/accept_ra /proc/sys/net/ipv6/conf/all/forwarding").split() == ["2", "1"]
    assert found.on("cat /proc/sys/net/ipv6/conf/hk-lan/accept_ra") == "0\n"
    two_families(found)
    found.wait_for("web", lambda _: found.out(fetch("192.0.2.1", 8001), check=False) == PAGE)
    assert found.out(fetch("2001:db8::1", 8443)) == PAGE
    assert found.out(fetch("2001:db8::1", 8001)) == PAGE
    assert found.on(fetch("2001:db8::1", 8443)) == PAGE
    assert found.on(fetch("::1", 8001)) == PAGE
    links = found.inside("web", "ip -o link").stdout
    assert "eth0@" in links and re.search(r"db0@.* mtu 1400 ", links)
    assert found.fetch("db", "backend") == PAGE
    # From the inner network nothing leads out, not even to the other address of the same unit.
    assert found.fetch("db", found.address("web")) == ""
    assert "default" not in found.inside("db", "ip route; ip -6 route").stdout
    port = int(re.search(r"tcp \. (\d{5}) : " + re.escape(found.address("chosen")), found.on("nft list map inet husk published4"))[1])
    assert port >= 49152
    found.wait_for("chosen", lambda _: found.out(fetch("192.0.2.1", port), check=False) == "hello from chosen\n")


def test_datagrams_find_a_published_port_and_the_answer_its_way_back(host):
    found = host({"dns": unit(IDLE, container="Network=lan.network\nPublishPort=5300:53/udp\nPublishPort=127.0.0.1:5301:53/udp\n"
                                              "PublishPort=[2001:db8::1]:5301:53/udp\n"),
                  "client": unit(IDLE, container="Network=lan.network\n")}, {"lan": LAN + "IPv6=yes\n"})
    two_families(found)
    namespaces = {name: found.host_pid_of(found.unit(name)["main_pid"]) for name in ("dns", "client")}
    namespaces |= {"world": found.world.pid, "device": found.host_pid}
    answering = ("import socket; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(('::', 53)); print('ready', flush=True)\n"
                 "while True: data, who = s.recvfrom(99); s.sendto(data.upper(), who)")
    # Connected: an answer from another address than was asked is none.
    asking = ("import socket, sys; host, port = sys.argv[1:]\n"
              "s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)\n"
              "s.connect((host, int(port))); s.send(b'hello'); print(s.recv(99).decode())")

    def ask(who: str, address: str, port: int) -> str:
        return subprocess.run(["nsenter", "-t", str(namespaces[who]), "--net", "/usr/bin/python3", "-c", asking, address,
                               str(port)], capture_output=True, text=True, timeout=20).stdout

    server = subprocess.Popen(["nsenter", "-t", str(namespaces["dns"]), "--net", "/usr/bin/python3", "-c", answering],
                              stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "ready\n"
        found.wait_for("dns", lambda _: ask("world", "2001:db8::1", 5300) == "HELLO\n")
        for who, address, port in [
                ("world", "192.0.2.1", 5300), ("device", "192.0.2.1", 5300), ("device", "127.0.0.1", 5300),
                ("device", "2001:db8::1", 5300), ("device", "::1", 5300), ("client", "192.0.2.1", 5300),
                ("client", "2001:db8::1", 5300), ("device", "127.0.0.1", 5301), ("world", "2001:db8::1", 5301)]:
            assert ask(who, address, port) == "HELLO\n", (who, address, port)
        # One address is not another, and not the port of TCP.
        for who, address in ("world", "192.0.2.1"), ("device", "192.0.2.1"), ("device", "::1"):
            assert ask(who, address, 5301) == "", (who, address)
        assert found.on("busybox nc -w 2 192.0.2.1 5300 </dev/null && echo taken", check=False) == ""
    finally:
        server.kill()
        server.wait()


def test_a_changed_network_restarts_its_units_and_hosts_files_follow_a_reload(host):
    found = host({"web": unit(WEB, container="Network=lan.network\n"), "idle": unit(IDLE, container="Network=dmz.network\n")},
                 {"lan": LAN, "dmz": "[Network]\n"})
    before = {name: found.unit(name)["main_pid"] for name in ("web", "idle")}
    folder = found._directory / "units"
    (folder / "new.container").write_text(unit(IDLE, container="Network=dmz.network\nIP=\n"))
    assert found.husk("reload").returncode == 0
    assert {name: found.unit(name)["main_pid"] for name in before} == before
    assert f"{found.address('new')}\tnew\n" in found.inside("idle", "cat /etc/hosts").stdout
    (folder / "lan.network").write_text("[Network]\nSubnet=10.77.9.0/24\n")
    assert found.husk("reload").returncode == 0
    found.wait_for("web", lambda u: u["state"] == "running" and u["main_pid"] != before["web"])
    assert found.address("web").startswith("10.77.9.") and found.unit("idle")["main_pid"] == before["idle"]
    assert "10.77.1." not in found.on("nft list ruleset; ip addr show hk-lan")
    (folder / "web.container").unlink()
    (folder / "lan.network").unlink()
    assert found.husk("reload").returncode == 0
    until = time.monotonic() + 10
    while "hk-lan" in found.ip("-o", "link"):
        assert time.monotonic() < until, found.husk("status").stdout
        time.sleep(0.05)  # after the unit's end
    assert "10.77.9." not in found.on("nft list ruleset")


def test_husk_network_shows_who_is_where_and_what_went_through(host):
    found = host({"web": unit(WEB, container="Network=lan.network\nPublishPort=127.0.0.1:8080:80\n"),
                  "guest": unit(IDLE, container="Network=web.container\n"),
                  "down": unit(IDLE, "[Install]\nEnabled=no\n", "Network=lan.network\n")}, {"lan": LAN, "empty": "[Network]\n"})
    shown = found.husk("network").stdout
    assert re.search(r"^lan +up +1 of 2 +10\.77\.1\.1/24$", shown, re.M) and re.search(r"^empty +down +0 of 0 ", shown, re.M)
    found.wait_for("web", lambda _: found.on(fetch("127.0.0.1", 8080), check=False) == PAGE)
    lan = next(one for one in json.loads(found.husk("network", "--json").stdout)["networks"] if one["name"] == "lan")
    members = {one["unit"]: one for one in lan["members"]}
    assert members["web"]["up"] and members["web"]["ports"] == ["127.0.0.1:8080 -> 80/tcp"]
    assert members["web"]["addresses"] == [found.address("web") + "/24"]
    assert members["web"]["received_bytes"] > 200 and members["web"]["sent_packets"] > 4
    assert not members["down"]["up"] and members["down"]["addresses"][0].startswith("10.77.1.")
    assert "hv-web" in found.husk("network", "lan").stdout
    # The same counters wherever units are shown.
    one = next(one for one in json.loads(found.husk("status", "web", "--json").stdout)["units"])
    assert [traffic["network"] for traffic in one["networks"]] == ["lan"]
    assert one["networks"][0]["received_bytes"] >= members["web"]["received_bytes"]
    assert re.search(r"^ +IP: [0-9.]+[BK] in, [0-9.]+[BK] out$", found.husk("status", "web").stdout, re.M)
    assert " IP: " not in found.husk("status", "down").stdout
    metrics = found.husk("metrics").stdout
    sent = re.search(r'^husk_unit_network_transmit_packets_total\{unit="web",network="lan"\} (\d+)$', metrics, re.M)
    assert int(sent[1]) >= members["web"]["sent_packets"] and 'unit="down",network=' not in metrics
    # Who shares the network of a unit has that one's.
    shared = json.loads(found.husk("status", "guest", "--json").stdout)["units"][0]["networks"][0]
    assert shared["shared_with"] == "web" and shared["received_bytes"] >= one["networks"][0]["received_bytes"]
    assert re.search(r"^ +IP: .* out \(shared with web\)$", found.husk("status", "guest").stdout, re.M)
    assert re.search(r'network_transmit_packets_total\{unit="guest",network="lan",shared_with="web"\} \d+$', metrics, re.M)
    # The device's own link, which the test has given its address.
    assert re.search(r"^LINK +STATE +RECEIVED +SENT +ADDRESSES\nwan +up +[0-9.]+[BK] +[0-9.]+[BK] +192\.0\.2\.1/24$", shown, re.M)
    assert all(len(line) <= 80 for line in shown.splitlines()) and "hv-" not in shown
    link, = json.loads(found.husk("network", "--json").stdout)["links"]
    assert (link["name"], link["up"], link["carrier"], link["configured"]) == ("wan", True, True, False)
    assert {"address": "192.0.2.1/24", "by": "other"} in link["addresses"]
    assert link["sent_packets"] >= 0 and link["mtu"] == 1500
    one_link = found.husk("network", "wan").stdout
    assert "192.0.2.1/24" in one_link and re.search(r"^sent .* in \d+ packets, 0 dropped$", one_link, re.M), one_link
    found.ip("link", "set", "wan", "down")
    assert found.husk("network", "wan").stdout.startswith("wan: down, veth, MAC ")
    missing = found.husk("network", "lam")
    assert missing.returncode != 0 and "no network and no link 'lam' (did you mean 'lan'?)" in missing.stderr
