"""What a packet costs on its way through husk's published port and over a veth pair that is routed to, in instructions.

Both are a world, a device and a container in one guest that counts instructions (QEMU's -icount): a nanosecond of its clock
is one, of all that happens on its only processor, so figures hardly differ from run to run. The plain device is a network
namespace that only routes; husk's is the guest itself. The server is a bare process in both, and then the program of a unit in
both, with its filter of system calls and its cgroup: of the plain pair's unit husk knows no network, and its link is put into
it from outside. They take turns. A second guest lacks the kernel's flowtables."""

import contextlib
import json
import statistics
from pathlib import Path

import huskvm
from huskvm import build, kernel

PORT = 5001
BIN = "/usr/lib/husk-bench"
UNITS = {
    "husk": f"Network=lan.network\nPublishPort={PORT}:{PORT}\nPublishPort={PORT + 1}:{PORT + 1}\n",
    "plain": "Network=none\n",
}
UNIT = f"[Container]\nExec=/stream serve {PORT}\nVolume={BIN}/stream:/stream:ro\n"
# world - device - container, and nothing but routes; and husk's world.
SET_UP = """set -e
for n in plain-world plain-device world; do wire namespace $n; done
wire cable plain-device wan 192.0.2.1/24 plain-world wan 192.0.2.2/24
wire cable plain-device port 10.1.0.1/24 {plain} eth0 10.1.0.2/24
wire in plain-device sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
wire route plain-world 10.1.0.0/24 192.0.2.1
wire route {plain} 0.0.0.0/0 10.1.0.1
wire cable - wan 192.0.2.1/24 world wan 192.0.2.2/24
for unit in {plain} {husk}; do (wire in $unit stream serve {bare} >/dev/null 2>&1 &); done
for port in {port} {bare}; do for where in 'plain-world stream turns 10.1.0.2' 'world stream turns 192.0.2.1'; do
n=0; until wire in $where $port 10 >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 50 ]; usleep 100000; done
done; done
"""
ENDS = {"plain": ("plain-world", "10.1.0.2"), "husk": ("world", "192.0.2.1")}
SERVERS = {"a process": PORT + 1, "a unit's program": PORT}
PLAN = {"turns": 2000, "bulk": 150}  # round trips; milliseconds


@contextlib.contextmanager
def modules(flows: bool):
    """Guests of the block have the kernel's flowtables, or lack them."""
    whole = kernel.ON_DEMAND
    kernel.ON_DEMAND = [name for name in whole if flows or "flow" not in name]
    try:
        yield
    finally:
        kernel.ON_DEMAND = whole


def once(guest, name: str, port: int, what: str, amount: int) -> int:
    world, address = ENDS[name]
    done = guest.run(f"PATH=$PATH:{BIN}; wire in {world} stream {what} {address} {port} {amount}", 300)
    if done.status != 0:
        raise huskvm.HarnessError(f"{name}, {what}: {done.stderr.decode()}")
    return int(done.text)


def in_guest(folder: Path, version: str, flows: bool, rounds: int) -> dict:
    units = folder / "flow-units"
    units.mkdir(exist_ok=True)
    for name, network in UNITS.items():
        (units / f"{name}.container").write_text(UNIT + network)
    (units / "lan.network").write_text("[Network]\n")
    device = build.device()
    files = [(device / "stream", f"{BIN}/stream"), (device / "probes/wire", f"{BIN}/wire")]
    took = {(what, server): {name: [] for name in ENDS} for what in PLAN for server in SERVERS}
    with modules(flows), huskvm.boot(kernel=version, units=units, files=files, state=False, icount=True, timeout=1200) as guest:
        pids = {name: json.loads(guest.run(f"husk why --json {name}", 60).stdout)["units"][0]["main_pid"] for name in UNITS}
        done = guest.run(f"PATH=$PATH:{BIN}\n" + SET_UP.format(port=PORT, bare=PORT + 1, **pids), 300)
        if done.status != 0:
            raise huskvm.HarnessError(f"the guest's links: {done.stderr.decode()}{guest.run('husk why husk plain').text}")
        for _ in range(rounds):
            for (what, server), values in took.items():
                for name in ENDS:
                    values[name].append(once(guest, name, SERVERS[server], what, PLAN[what]))
        # While one is there: what ends leaves the flowtable.
        by_flow = "[OFFLOAD]" in guest.run(f"PATH=$PATH:{BIN}; wire in world stream turns 192.0.2.1 {PORT} 5000 >/dev/null & "
                                           "usleep 30000; cat /proc/net/nf_conntrack; wait", 300).text
    if by_flow != flows:
        raise huskvm.HarnessError(f"kernel {version}: connections go {'' if by_flow else 'not '}by a flowtable")
    result = {}
    for (what, server), values in took.items():
        ratios = [plain / husk for plain, husk in zip(values["plain"], values["husk"])]
        result.setdefault(what, {})[server] = {name: round(statistics.median(one)) for name, one in values.items()} | {
            "ratio": round(statistics.median(ratios), 3), "least": round(min(ratios), 3), "most": round(max(ratios), 3)}
    return result


def many(folder: Path, count: int = 200, batch: int = 20) -> list[float]:
    """`husk start` of units of one bridge, one after the other: milliseconds of the guest for one, by batches. Before the
    first, one unit has had the kernel's modules loaded and the bridge made."""
    units = folder / "many-units"
    units.mkdir()
    for i in range(count + 1):
        (units / f"n{i:03}.container").write_text(UNIT + "Network=lan.network\n[Install]\nEnabled=no\n")
    (units / "lan.network").write_text("[Network]\n")
    files = [(build.device() / "stream", f"{BIN}/stream")]
    took = []
    with huskvm.boot(units=units, files=files, state=False, icount=True, memory="1G", timeout=1200) as guest:
        for begin in [-1, *range(0, count, batch)]:
            names = " ".join(f"n{i:03}" for i in (range(begin, begin + batch) if begin >= 0 else [count]))
            done = guest.run(f"cut -d' ' -f1 /proc/uptime; for name in {names}; do husk start $name >/dev/null || exit; done; "
                             "cut -d' ' -f1 /proc/uptime", 600)
            if done.status != 0:
                raise huskvm.HarnessError(f"starts: {done.stderr.decode()}")
            before, after = map(float, done.text.split())
            took.append((after - before) * 1000 / batch)
    return took[1:]


def measure(folder: Path, rounds: int) -> dict:
    pairs = {version: {"flows" if flows else "no flows": in_guest(folder, version, flows, rounds) for flows in (True, False)}
             for version in kernel.DEBIAN}
    return {"many": many(folder)} | pairs


def show(result: dict) -> None:
    took = result.pop("many")
    print(f"'husk start' of a unit on one bridge in a guest with flows, of the first twenty of 200 and of the last: {took[0]:.1f} and "
          f"{took[-1]:.1f} ms of its time; growth {took[-1] / took[0]:.2f}")
    print("through a published port in a guest, client, device and server on one processor, instructions:")
    for version, kinds in result.items():
        for kind, figures in kinds.items():
            print(f"  kernel {version} with {kind}:")
            for what, name in ("turns", "a byte there and back"), ("bulk", "a megabyte"):
                for server, one in figures[what].items():
                    print(f"    {name}, {server} answers: plain {one['plain']}, husk {one['husk']}; of the plain pair's rate "
                          f"{one['ratio']} ({one['least']} to {one['most']})")
