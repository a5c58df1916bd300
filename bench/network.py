"""What a packet costs on its way through a published port: husk's, podman's, and a veth pair that is routed to.

Each of the three is a device of its own: a network namespace with a cable to another one, the world, where the client
is. Client and server share one CPU, before everybody else who wants it (SCHED_FIFO), so that time is work; the three take
turns, and what counts is the ratio within a turn."""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent / "tests/host"))

PORT = 5001
DEVICE, WORLD = "192.0.2.1", "192.0.2.2"
CPU = max(os.sched_getaffinity(0))


def run(*words, **more) -> str:
    return subprocess.run([str(word) for word in words], check=True, stdout=subprocess.PIPE, text=True, timeout=60, **more).stdout


def inside(pid: int, *words, **more) -> str:
    return run("nsenter", "-t", pid, "--net", *words, **more)


def namespace(stack: contextlib.ExitStack) -> int:
    """A network namespace, as the pid of a process in it."""
    process = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    stack.callback(lambda: (process.kill(), process.wait()))
    while os.readlink(f"/proc/{process.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
        time.sleep(0.005)
    inside(process.pid, "ip", "link", "set", "lo", "up")
    return process.pid


def cable(a: int, a_address: str, b: int, b_address: str, link: str) -> None:
    inside(a, "ip", "link", "add", link, "type", "veth", "peer", "name", link, "netns", str(b))
    for pid, address in (a, a_address), (b, b_address):
        inside(pid, "ip", "addr", "add", address, "dev", link)
        inside(pid, "ip", "link", "set", link, "up")


class Plain:
    """world - device - container, and nothing but routes."""

    def __init__(self, stack, folder: Path, program: Path):
        self.world, device, container = (namespace(stack) for _ in range(3))
        cable(device, DEVICE + "/24", self.world, WORLD + "/24", "wan")
        cable(device, "10.1.0.1/24", container, "10.1.0.2/24", "port")
        inside(device, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        inside(self.world, "ip", "route", "add", "10.1.0.0/24", "via", DEVICE)
        inside(container, "ip", "route", "add", "default", "via", "10.1.0.1")
        server = subprocess.Popen(["nsenter", "-t", str(container), "--net", program, "serve", str(PORT)])
        stack.callback(lambda: (server.kill(), server.wait()))
        self.address, self.server = "10.1.0.2", server.pid


class Husk:
    def __init__(self, stack, folder: Path, program: Path):
        from test_network import LAN, Host
        (folder / "husk").mkdir()
        shutil.copy(program, folder / "husk/stream")  # which is /run/test there
        text = (f"[Container]\nVolume=/run/test/stream:/stream:ro\nNetwork=lan.network\nPublishPort={PORT}:{PORT}\n"
                f"Exec=/stream serve {PORT}\n")
        host = stack.enter_context(Host(folder / "husk", {"stream": text}, {"lan": LAN}))
        host.wait_for("stream", lambda unit: unit["state"] == "running")
        self.world, self.address = host.world.pid, DEVICE
        self.server = host.host_pid_of(host.unit("stream")["main_pid"])
        self.host = host


NETAVARK = Path("/usr/lib/podman/netavark")


class Podman:
    """Its default network, made by the program that podman asks for it: no container, so that no image and no cgroup is
    needed."""

    def __init__(self, stack, folder: Path, program: Path):
        self.world, device, container = (namespace(stack) for _ in range(3))
        cable(device, DEVICE + "/24", self.world, WORLD + "/24", "wan")
        network = {"name": "podman", "id": "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9", "driver": "bridge",
                   "network_interface": "podman0", "subnets": [{"subnet": "10.88.0.0/16", "gateway": "10.88.0.1"}],
                   "ipv6_enabled": False, "internal": False, "dns_enabled": False, "ipam_options": {"driver": "host-local"}}
        wish = {"container_id": "bench", "container_name": "bench",
                "port_mappings": [{"container_port": PORT, "host_port": PORT, "host_ip": "", "protocol": "tcp", "range": 1}],
                "networks": {"podman": {"interface_name": "eth0", "static_ips": ["10.88.0.2"]}}, "network_info": {"podman": network}}
        (folder / "netavark").mkdir()
        inside(device, NETAVARK, "--config", folder / "netavark", "setup", f"/proc/{container}/ns/net", input=json.dumps(wish))
        server = subprocess.Popen(["nsenter", "-t", str(container), "--net", program, "serve", str(PORT)])
        stack.callback(lambda: (server.kill(), server.wait()))
        self.address, self.server = DEVICE, server.pid


def take_cpu(pid: int) -> None:
    os.sched_setaffinity(pid, {CPU})
    os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(10))


def once(setup, program: Path, *words) -> int:
    done = subprocess.run(["nsenter", "-t", str(setup.world), "--net", program, words[0], setup.address, str(PORT), str(words[1])],
                          stdout=subprocess.PIPE, text=True, timeout=60, preexec_fn=lambda: take_cpu(0), check=True)
    return int(done.stdout)


def measure(folder: Path, program: Path, rounds: int) -> dict:
    kinds = {"plain": Plain, "husk": Husk}
    if NETAVARK.exists() and shutil.which("iptables"):
        kinds["podman"] = Podman
    folder.chmod(0o755)
    program = Path(shutil.copy(program, folder / "stream"))
    with contextlib.ExitStack() as stack:
        setups = {name: kind(stack, folder, program) for name, kind in kinds.items()}
        for setup in setups.values():
            until = time.monotonic() + 20
            while subprocess.run(["nsenter", "-t", str(setup.world), "--net", program, "turns", setup.address, str(PORT), "1"],
                                 capture_output=True).returncode != 0:
                if time.monotonic() > until:
                    raise subprocess.SubprocessError(f"nobody answers at {setup.address}")
                time.sleep(0.05)
            take_cpu(setup.server)
        took = {what: {name: [] for name in setups} for what in ("turns", "bulk")}
        for _ in range(rounds):
            for what, amount in ("turns", 2000), ("bulk", 150):
                for name, setup in setups.items():
                    took[what][name].append(once(setup, program, what, amount))
    result = {}
    for what, values in took.items():
        result[what] = {name: {"median_ns": round(statistics.median(one))} for name, one in values.items()}
        for name in values:
            # How many there are of it while there is one of the plain pair's.
            ratios = sorted(plain / other for plain, other in zip(values["plain"], values[name]))
            quarters = statistics.quantiles(ratios, n=4)
            result[what][name] |= {"ratio": round(quarters[1], 3), "quarter": round(quarters[0], 3),
                                   "three_quarters": round(quarters[2], 3)}
    return result | {"many": many(folder, program)}


def many(folder: Path, program: Path, count: int = 200, around: int = 10) -> dict:
    """`husk start` of units of one bridge, one after the other."""
    from test_network import LAN, Host
    (folder / "many").mkdir()
    shutil.copy(program, folder / "many/stream")
    text = f"[Container]\nVolume=/run/test/stream:/stream:ro\n{{}}Exec=/stream serve {PORT}\n[Install]\nEnabled=no\n"
    units = {f"{kind}{i:03}": text.format("Network=lan.network\n" if kind == "n" else "Network=none\n")
             for kind in "na" for i in range(count)}
    took = {"n": [], "a": []}
    with Host(folder / "many", units, {"lan": LAN}) as host:
        for i in range(count):
            for kind, values in took.items():
                begun = time.monotonic()
                if host.husk("start", f"{kind}{i:03}").returncode != 0:
                    raise subprocess.SubprocessError(host.husk("why", f"{kind}{i:03}").stdout)
                values.append((time.monotonic() - begun) * 1e3)
        begun = time.monotonic()
        host.husk("list", "--json")
        listed = (time.monotonic() - begun) * 1e3
    early, late = slice(0, 2 * around), slice(count - 2 * around, count)
    result = {name: {"first_ms": round(statistics.median(took[kind][early]), 1), "last_ms": round(statistics.median(took[kind][late]), 1)}
              for kind, name in (("n", "network"), ("a", "none"))}
    return result | {"growth": round(result["network"]["last_ms"] / result["network"]["first_ms"], 2), "list_ms": round(listed, 1)}


def show(result: dict) -> None:
    if "many" in result:
        one = result.pop("many")
        for name in "network", "none":
            print(f"'husk start' of a unit, Network={'lan.network' if name == 'network' else name}, median of the first twenty and "
                  f"of the last twenty of 200: {one[name]['first_ms']} ms, {one[name]['last_ms']} ms")
        print(f"  growth on one bridge: {one['growth']}; one list of all, counters of 200 links in it: {one['list_ms']} ms")
    if "podman" not in result["turns"]:
        print("nothing of podman: apt install netavark iptables")
    for what, name_of, unit in ("turns", "a byte there and back through a published port", "ns"), ("bulk", "a megabyte through it", "ns"):
        print(f"{name_of}, client, device and server on one CPU:")
        for name, one in result[what].items():
            print(f"  {name}: {one['median_ns']} {unit}; of the plain pair's rate {one['ratio']} "
                  f"(half of the turns {one['quarter']} to {one['three_quarters']})")
