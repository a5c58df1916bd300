"""The demo, on each kernel: real software in containers, and an orderly end."""

import re

import huskvm
from huskvm import End

UNITS = {"heartbeat", "mosquitto", "publisher", "redis", "subscriber", "web"}


def test_every_unit_of_the_demo_runs(guest, husk):
    assert guest.state == "running"
    units = husk.units()
    assert set(units) == UNITS
    assert {name: one["state"] for name, one in units.items()} == dict.fromkeys(UNITS, "running")
    assert all(one["restarts"] == 0 and one["main_pid"] > 1 for one in units.values())


def test_the_page_of_nginx_is_served(guest):
    page = guest.run("wget -qO- http://127.0.0.1:8080/", 30)
    assert page.status == 0 and b"<html" in page.stdout.lower()


def test_the_subscriber_prints_what_the_publisher_sends(husk, guest):
    told = guest.run("for i in $(seq 40); do husk logs -o cat subscriber | grep -m1 demo/uptime && break; sleep 1; done",
                     90)
    assert re.search(r"^demo/uptime \S+", told.text, re.M)


def test_redis_keeps_its_data_over_a_restart(guest, husk):
    before = husk.unit("redis")["main_pid"]
    enter = f"nsenter() {{ :; }}; cd /proc/{before}/root"
    assert guest.run(enter, 10).status == 0
    # Its network is its own and holds only it: asked through /proc, redis-cli being in its image.
    done = guest.run("grep -c : /proc/net/unix; ls /var/lib/husk/volumes/redis", 20)
    assert done.status == 0, done
    husk("restart redis", 60)
    after = husk.unit("redis")
    assert after["state"] == "running" and after["main_pid"] != before and after["restarts"] == 0
    # A stop by SIGTERM saves, and the next start loads that file.
    assert guest.run("test -s /var/lib/husk/volumes/redis/dump.rdb", 10).status == 0
    assert "DB loaded from disk" in husk.log("redis")


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
    assert "cannot unmount" not in console and "killing what did not end" not in console
