"""Units that wait for the device's network, and those with a link of their own upon one of the device's."""

import json
import signal
import subprocess

from test_containers import unit
from test_network import IDLE, RAW, host  # noqa: F401  (a fixture)
import pid1_namespace as ns

NEEDS_NETWORK = "After=network-online.target\nRequires=network-online.target\n"


def start(found, name) -> subprocess.Popen:
    """A start that nobody waits for."""
    return subprocess.Popen([ns.binary(), "start", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            env={"HUSK_RUN": f"/proc/{found.host_pid}/root/run/husk"})


def test_a_unit_waits_for_the_network_and_says_so(host):  # noqa: F811
    late = "[Install]\nEnabled=no\n"
    found = host({"needs": unit(IDLE, late, head=NEEDS_NETWORK), "behind": unit(IDLE, late, head="Requires=needs\nAfter=needs\n"),
                  "other": unit(IDLE)}, {})
    clients = [start(found, "behind")]
    try:
        # The cable of this device is no link that it was born with.
        waits = found.wait_for("needs", lambda now: now["reason"] == "waiting for the network: the device has no link")
        assert waits["state"] == "waiting"
        assert "waiting for 'needs' (waiting)" == found.wait_for("behind", lambda now: now["state"] == "waiting")["reason"]
        assert found.unit("other")["state"] == "running"
        for command in "status", "why":
            assert "waiting for the network: the device has no link" in found.husk(command, "needs").stdout
        found.kill_supervisor(signal.SIGKILL)
        found.wait_for("other", lambda now: now["state"] == "running")
        found.wait_for("needs", lambda now: now["reason"] == "waiting for the network: the device has no link")
        assert found.husk("stop", "needs").returncode == 0
        assert found.unit("needs")["state"] == "inactive"
    finally:
        for client in clients:
            client.kill()
            client.wait()


IN_LAN = "Network=macvlan:late0:ip=192.0.2.50/24,gw=192.0.2.2\n"


def cable(found) -> None:
    """A second link of the device, whose other end is in the world, too."""
    found.ip("link", "add", "late0", "type", "veth", "peer", "name", "late0", "netns", str(found.world.pid))
    found.out("ip link set late0 up; ip addr add 192.0.2.60/32 dev late0; ip route add 192.0.2.50/32 dev late0")


def reaches(found, unit_name) -> bool:
    return found.inside(unit_name, "ping -c 1 -W 2 192.0.2.60").returncode == 0


def test_a_unit_waits_for_its_link_and_is_mended_when_that_comes_back(host):  # noqa: F811
    found = host({"web": unit(IDLE, container=IN_LAN + RAW), "behind": unit(IDLE, head="After=web\n"),
                  "needs": unit(IDLE, head="Requires=web\nAfter=web\n"),
                  "other": unit(IDLE, container="Network=macvlan:late0\n")}, {})
    assert found.unit("web")["reason"] == "waiting for link 'late0'"
    assert found.unit("other")["reason"] == "waiting for link 'late0'"
    assert "waiting for link 'late0'" in found.husk("status", "web").stdout
    assert found.unit("behind")["state"] == "running"  # only ordered after it: nobody knows for how long
    assert found.unit("needs")["reason"] == "waiting for 'web' (waiting)"
    assert found.husk("stop", "other").returncode == 0
    found.kill_supervisor(signal.SIGKILL)
    cable(found)
    found.wait_for("web", lambda now: now["state"] == "running")
    found.wait_for("needs", lambda now: now["state"] == "running")
    assert found.unit("other")["state"] == "inactive"
    shown = found.inside("web", "ip addr show eth0; ip route").stdout
    assert "inet 192.0.2.50/24" in shown and "default via 192.0.2.2 dev eth0" in shown, shown
    found.wait_for("web", lambda _: reaches(found, "web"))
    pid = found.unit("web")["main_pid"]
    found.ip("link", "del", "late0")
    found.wait_for("web", lambda _: "link 'late0' is gone" in found.husk("status", "web").stdout)
    assert found.husk("start", "other").returncode != 0  # answered at once: it waits
    assert found.unit("other")["reason"] == "waiting for link 'late0'"
    cable(found)
    found.wait_for("web", lambda _: reaches(found, "web"))
    assert found.unit("web")["main_pid"] == pid
    found.wait_for("other", lambda now: now["state"] == "running")
    assert "hk-" not in found.ip("-o", "link") and "husk" not in found.on("nft list ruleset")
    # The next supervisor takes it over as it is, and a restart keeps the link.
    def link():
        return found.inside("web", "cat /sys/class/net/eth0/ifindex").stdout

    index = link()
    found.kill_supervisor(signal.SIGKILL)
    found.wait_for("web", lambda now: now["state"] == "running")
    assert found.unit("web")["main_pid"] == pid
    assert found.husk("restart", "web").returncode == 0
    assert link() == index and reaches(found, "web")
    # What went through it is counted there, by the new supervisor as by the old one.
    def sent():
        return json.loads(found.husk("status", "web", "--json").stdout)["units"][0]["networks"][0]["sent_packets"]

    before = sent()
    assert before > 0 and reaches(found, "web") and before < sent() < before + 100
    found.kill_supervisor(signal.SIGKILL)
    found.wait_for("web", lambda now: now["state"] == "running")
    assert sent() > before


def test_networks_upon_a_link_say_what_is_wrong(host):  # noqa: F811
    late = "[Install]\nEnabled=no\n"
    found = host({"same": unit(IDLE, container="Network=macvlan:wan:ip=192.0.2.1/24\n", service=late + "\n"),
                  "twice": unit(IDLE, container="Network=macvlan:wan:ip=192.0.2.1/24\n"),
                  "port": unit(IDLE, container="Network=macvlan:wan\nPublishPort=80:80\n"),
                  "bare": unit(IDLE, container="Network=macvlan:wan\nIP=192.0.2.9\n"),
                  "mac": unit(IDLE, container="Network=ipvlan:wan:mac=02:00:00:00:00:01\n"),
                  "stable": unit(IDLE, container="Network=lan.network\n", service=late),
                  "ip": unit(IDLE, container="Network=ipvlan:wan\n", service="Restart=no\n" + late),
                  "lost": unit(IDLE, container="Network=lost.network\n")},
                 {"lan": "[Network]\nDriver=macvlan\nOptions=parent=wan\nSubnet=192.0.2.0/24\n"
                         "Gateway=192.0.2.2\nIPRange=192.0.2.128/25\n",
                  "lost": "[Network]\nDriver=macvlan\n"})
    for name, words in {"twice": "'192.0.2.1' is taken by unit 'same'",
                        "port": "all its ports are open there",
                        "bare": "write Network=macvlan:wan:ip=ADDRESS/LENGTH",
                        "mac": "mac= with ipvlan",
                        "lost": "network 'lost' is refused"}.items():
        assert words in found.husk("why", name).stdout, found.husk("why", name).stdout
    assert found.husk("start", "same").returncode != 0
    assert "address '192.0.2.1' is the device's own; choose another" in found.husk("why", "same").stdout
    # Not every kernel of a developer's machine has it; one that lacks it is told.
    if found.husk("start", "ip").returncode != 0:
        assert "(the kernel needs CONFIG_IPVLAN)" in found.husk("why", "ip").stdout, found.husk("why", "ip").stdout
    assert found.husk("start", "stable").returncode == 0, found.husk("why", "stable").stdout
    address = found.address("stable")
    assert 128 <= int(address.split(".")[3]) <= 254
    found.wait_for("stable", lambda _: found.out(f"busybox ping -c 1 -W 2 {address} && echo yes",
                                                 check=False).endswith("yes\n"))
    assert found.husk("network", "lan").stdout.startswith("lan: up, macvlan upon link wan\n")
    assert found.husk("network", "macvlan:wan").stdout.startswith("macvlan:wan: down, macvlan upon link wan\n")
