"""The demo: real software in containers, and an orderly end."""

import json
import re

from huskvm import End

UNITS = {"dhcpcd", "heartbeat", "mosquitto", "publisher", "redis", "subscriber", "web"}


def test_every_unit_of_the_demo_runs(guest, husk):
    assert guest.state == "running"
    for name in UNITS:
        husk.wait(name, lambda one: one["state"] == "running" and one["main_pid"] > 1)
    units = husk.units()
    assert set(units) == UNITS
    # Clients end and come again until the broker listens; the others have no reason to.
    assert all(units[name]["restarts"] == 0 for name in UNITS - {"publisher", "subscriber"})


def test_the_page_of_nginx_is_served(guest):
    # It has been started; when it listens is its own business.
    page = guest.run("for i in $(seq 100); do wget -qO- http://127.0.0.1:8080/ 2>/dev/null && break; usleep 300000; done",
                     90)
    assert b"<h1>Served from a container that husk runs</h1>" in page.stdout


def test_the_network_of_the_demo_says_who_is_in_it(husk):
    shown = json.loads(husk("network demo --json"))["networks"]
    assert [network["name"] for network in shown] == ["demo"]
    members = {member["unit"]: member for member in shown[0]["members"]}
    assert set(members) == {"mosquitto", "publisher", "web"} and all(one["up"] for one in members.values())
    assert members["web"]["ports"] == ["8080 -> 8080/tcp"]


def test_the_subscriber_prints_what_the_publisher_sends(husk, guest):
    told = guest.run("for i in $(seq 40); do husk logs -o cat subscriber | grep -m1 demo/uptime && break; sleep 1; done",
                     90)
    assert re.search(r"^demo/uptime \S+", told.text, re.M)


def ask_redis(husk, words: str, said: str) -> str:
    """Asks in the network of its container, which holds nothing else, until it says so."""
    pid = husk.unit("redis")["main_pid"]
    ask = f"busybox nsenter -t {pid} -n nc -w 5 127.0.0.1 6379"
    return husk.guest.run(f"for i in $(seq 100); do printf '{words}\\r\\nQUIT\\r\\n' | {ask} | grep '{said}' && break; "
                          "usleep 300000; done", 90).text


def test_redis_answers_and_its_volume_keeps_data_over_a_restart(husk):
    assert "OK" in ask_redis(husk, "SET colour blue", "OK")
    before = husk.unit("redis")["main_pid"]
    husk("restart redis", 60)
    after = husk.unit("redis")
    assert after["state"] == "running" and after["main_pid"] != before
    assert after["restarts"] == 0, "one that was asked for does not count"
    assert "blue" in ask_redis(husk, "GET colour", "blue")


def test_heartbeat_has_no_rights(husk):
    assert re.search(r"^heartbeat: pid 1, user 0, host heartbeat, capabilities 0{16}, seccomp 2$",
                     husk.log("heartbeat"), re.M)


def test_poweroff_stops_units_in_order_and_unmounts(guest, husk):
    start = len(guest.console_text())
    assert guest.run("husk poweroff", 30).status == 0
    assert guest.wait_exit(60) is End.POWEROFF
    console = guest.console_text()[start:]
    stopped = re.findall(r"unit '(\w+)': stop", console)
    # Clients go before their broker, the reverse of the start.
    assert stopped.index("publisher") < stopped.index("mosquitto"), console
    assert stopped.index("subscriber") < stopped.index("mosquitto"), console
    assert "all units are stopped" in console
    assert console.index("all units are stopped") < console.index("unmounting file systems")
    assert "all file systems are unmounted" in console and "cannot unmount" not in console
    assert "killing what did not end" not in console
