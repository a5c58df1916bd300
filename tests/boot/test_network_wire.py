"""Two guests on one wire: what each publishes, how their units look from outside, and links of units upon the wire."""

import concurrent.futures
import re

import huskvm
import pytest
from conftest import PROBES, TIMEOUT, Husk, probe_files, unit, write_units
from test_network import IDLE, WEB, fetch

PAGE = "hello from web"
# Who asks is on the log; '-vv' shows that.
SHOWS_CLIENTS = WEB.replace("httpd -f", "httpd -f -vv")
# Answers each line when it comes, for as long as the other end is there.
SCTP = f"{PROBES}/sctp"
ECHO = "/bin/busybox nc -ll -p 7 -e /bin/busybox cat"


def boot(kernel, folder, number: int, units: dict[str, str]):
    """Guest `number` is 192.0.2.NUMBER and 2001:db8::NUMBER."""
    units = write_units(folder / f"units{number}", units)
    (units / "lan.network").write_text(f"[Network]\nIPv6=yes\nSubnet=10.77.{number}.0/24\nSubnet=fd77:{number}::/64\n")
    other = 3 - number
    wire = (f"dgram,id=wire,local.type=unix,local.path={folder}/wire{number},"
            f"remote.type=unix,remote.path={folder}/wire{other}")
    return huskvm.boot(
        kernel=kernel, units=units, files=probe_files(), modules=["virtio_net", "macvlan", "ipvlan", "sctp"], timeout=TIMEOUT * 3,
        append="loglevel=7",
        system={"Network": {"Link": "eth0", "Address": f"192.0.2.{number}/24\nAddress=2001:db8::{number}/64"}},
        qemu_args=["-netdev", wire, "-device", f"virtio-net-pci,netdev=wire,mac=52:54:00:00:00:0{number},romfile="])


SERVER = {
    "web": unit(SHOWS_CLIENTS, container="Network=lan.network\nPublishPort=8080:80\n"),
    "echo": unit(ECHO, container="Network=lan.network\nPublishPort=7:7\n"),
    "sctp": unit("/sctp serve 9", container=f"Volume={SCTP}:/sctp:ro\nNetwork=lan.network\nPublishPort=9:9/sctp\n"
                                            "PublishPort=127.0.0.1:10:9/sctp\n"),
    "onwire": unit(WEB, container="Network=macvlan:eth0:ip=192.0.2.50/24\n"),
}
CLIENT = {
    "client": unit(IDLE, container=f"Volume={SCTP}:/sctp:ro\nNetwork=lan.network\n"),
    "onwire": unit(IDLE, container="Network=ipvlan:eth0:ip=192.0.2.60/24\n"),
}


@pytest.fixture(scope="module")
def guests(kernel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wire")
    with boot(kernel, folder, 1, SERVER) as server, boot(kernel, folder, 2, CLIENT) as client:
        for guest, units in (server, SERVER), (client, CLIENT):
            husk = Husk(guest)
            for name in units:
                shown = husk.wait(name, lambda one: one["state"] in ("running", "failed"))
                assert shown["state"] == "running", husk(f"why {name}")
        yield server, client


def test_a_published_port_is_reached_from_another_device_by_both_families(guests):
    server, client = guests
    # The first frames of IPv6 wait for the addresses to be found free.
    Husk(client).wait("client", lambda _: fetch(client, "2001:db8::1", 8080, "client") == PAGE)
    assert fetch(client, "192.0.2.1", 8080, "client") == PAGE
    assert fetch(client, "192.0.2.1", 8080) == PAGE
    # A unit shows itself by its device's address, and is not reached by its own.
    assert "[::ffff:192.0.2.2]" in Husk(server).log("web") or "192.0.2.2:" in Husk(server).log("web")
    assert "10.77.2." not in Husk(server).log("web")
    assert client.run("ip route add 10.77.1.0/24 via 192.0.2.1", 60).status == 0
    inner = re.search(r"inet (10\.77\.1\.\d+)/", server.run("husk exec web /bin/busybox ip addr show eth0", 60).text)[1]
    assert fetch(client, inner, 80) == ""


def test_a_connection_outlives_the_supervisors_of_both_devices(guests):
    server, client = guests
    talk = "(for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; sleep 0.5; done) | busybox nc 192.0.2.1 7 -w 20"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        said = pool.submit(client.run, f'husk exec client /bin/busybox sh -c "{talk}"'.replace("$i", r"\$i"), 90)
        before = Husk(server).supervisor()
        assert server.run(f"kill -9 {before}", 60).status == 0
        Husk(server).wait("web", lambda _: Husk(server).supervisor() != before)
        assert "line 10" in said.result().text


def test_sctp_is_published_as_tcp_is_by_both_families(guests):
    server, client = guests
    Husk(server).wait("sctp", lambda _: "ready" in Husk(server).log("sctp"))
    ask = lambda guest, address, port=9: guest.run(f"{SCTP} ask {address} {port}", 60).text
    for address in "192.0.2.1", "2001:db8::1":
        assert client.run(f"husk exec client /sctp ask {address} 9", 60).text == "HELLO\n", address
        assert ask(client, address) == "HELLO\n", address
    for address in "127.0.0.1", "192.0.2.1", "::1", "2001:db8::1":
        assert ask(server, address) == "HELLO\n", address
    assert ask(server, "127.0.0.1", 10) == "HELLO\n" and ask(client, "192.0.2.1", 10) == ""


def test_units_with_links_upon_the_wire_meet_there(guests):
    server, client = guests
    assert fetch(client, "192.0.2.50", 80, "onwire") == "hello from onwire"
    # And the device beside them: it has the address as anybody on the wire.
    assert fetch(client, "192.0.2.50", 80) == "hello from onwire"
