"""Networks on a kernel that lacks a part of what they are made of: the unit says which option, 'husk doctor' too, nothing
half made stays, and who needs no such network runs. The parts are modules that modules.dep does not list."""

import json

import huskvm
import pytest
from conftest import KERNELS, TIMEOUT, Husk, probe_files, unit, write_units
from test_network import IDLE

pytestmark = pytest.mark.each_kernel

LATE = {"service": "Restart=no", "install": "Enabled=no"}
UNITS = {
    "web": unit(IDLE, container="Network=lan.network\nPublishPort=8080:80\n", **LATE),
    "onwire": unit(IDLE, container="Network=macvlan:eth0:ip=192.0.2.9/24\n", **LATE),
    "alone": unit(IDLE),
    "shared": unit(IDLE, container="Network=host\n"),
}
DEP = "/lib/modules/$(uname -r)/modules.dep"


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    folder = write_units(tmp_path_factory.mktemp("units"), UNITS)
    (folder / "lan.network").write_text("[Network]\nIPv6=yes\n")
    with huskvm.boot(kernel=KERNELS[0], units=folder, files=probe_files(), network=True, append="loglevel=7",
                     timeout=TIMEOUT * 2) as machine:
        yield machine


@pytest.fixture(scope="module")
def husk(guest):
    return Husk(guest)


@pytest.fixture(scope="module")
def before(guest, husk):
    return left(guest, husk)


def left(guest, husk) -> dict:
    """What a start that failed could leave, and who must not notice."""
    descriptors = f"ls -l /proc/1/fd /proc/{husk.supervisor()}/fd"
    return {"links": guest.run("ip link | grep -o '^[0-9]*: [^:]*'", 60).text,
            "namespaces": guest.run(f"{descriptors} | grep -c 'net:\\['", 60).text,
            "notes": guest.run("ls /run/husk/network | grep attached", 60).text,
            "running": {name: one["main_pid"] for name, one in husk.units().items() if one["state"] == "running"}}


def take_away(guest, *modules: str) -> None:
    guest.run(f"test -e /dep || cp {DEP} /dep", 60)
    # And what depends on them, as on a kernel without.
    found = "|".join(modules)
    assert guest.run(f"grep -v -E '/({found})\\.ko' /dep > {DEP}", 60).status == 0


def unload(guest, *modules: str) -> None:
    loaded = guest.run("lsmod", 60).text
    for module in modules:
        assert f"\n{module} " not in loaded or guest.run(f"rmmod {module}", 60).status == 0, loaded


def is_refused(guest, husk, name: str, option: str) -> str:
    """That a start fails by this option and leaves nothing: what 'husk why' says."""
    assert guest.run(f"husk start {name}", 60).status != 0
    one, why = husk.unit(name), husk(f"why {name}")
    assert one["state"] == "failed" and option in one["reason"] and option in why, why
    return why


def missing(guest) -> dict[str, list[str]]:
    """What 'husk doctor' misses, and for which units."""
    found = json.loads(guest.run("husk doctor --json", 60).stdout)["findings"]
    return {one["name"]: one["units"] for one in found if one["verdict"] == "missing"}


def test_without_nf_tables(guest, husk, before):
    take_away(guest, "nf_tables")
    is_refused(guest, husk, "web", "CONFIG_NF_TABLES")
    assert left(guest, husk) == before
    assert all(missing(guest)[f"CONFIG_{part}"] == ["web"] for part in ("NF_TABLES", "NFT_NAT", "NFT_FIB_INET"))
    assert "CONFIG_NF_TABLES" in husk("doctor")


@pytest.mark.parametrize("module, option", [("nft_masq", "CONFIG_NFT_MASQ"), ("nft_nat", "CONFIG_NFT_NAT"),
                                            ("nft_fib_inet", "CONFIG_NFT_FIB_INET"), ("nft_ct", "CONFIG_NFT_CT")])
def test_without_a_part_of_nf_tables(guest, husk, before, module, option):
    unload(guest, module)
    take_away(guest, module)
    is_refused(guest, husk, "web", option)
    assert left(guest, husk) == before
    assert missing(guest) == {option: ["web"]}


def test_without_bridge(guest, husk, before):
    unload(guest, "nft_meta_bridge", "bridge")
    take_away(guest, "bridge")
    is_refused(guest, husk, "web", "CONFIG_BRIDGE")
    assert left(guest, husk) == before
    assert missing(guest) == {"CONFIG_BRIDGE": ["web"]}


def new_supervisor(guest, husk) -> None:
    old = husk.supervisor()
    assert guest.run(f"kill -9 {old}", 60).status == 0
    husk.wait("alone", lambda one: one["state"] == "running" and husk.supervisor() != old)


def test_without_veth_the_bridge_goes_again(guest, husk, before):
    unload(guest, "veth")
    take_away(guest, "veth")
    new_supervisor(guest, husk)  # which loads what there is
    is_refused(guest, husk, "web", "CONFIG_VETH")
    assert left(guest, husk) == before
    assert missing(guest) == {"CONFIG_VETH": ["web"]}


def test_without_macvlan(guest, husk, before):
    take_away(guest, "macvlan")
    is_refused(guest, husk, "onwire", "CONFIG_MACVLAN")
    assert left(guest, husk) == before
    assert missing(guest) == {"CONFIG_MACVLAN": ["onwire"]}


def test_with_all_of_it_both_start_and_leave_nothing_either(guest, husk, before):
    take_away(guest, "nothing")
    new_supervisor(guest, husk)
    assert guest.run("husk start web onwire", 60).status == 0, husk("why web onwire")
    assert missing(guest) == {} and left(guest, husk) != before
    assert guest.run("husk stop web onwire", 60).status == 0
    husk.wait("web", lambda _: left(guest, husk) == before)
