"""What a person writes on the kernel's command line to get a device up again."""

import subprocess

from conftest import Husk, probe_files, unit, write_units

HEART = "/bin/busybox sleep 100000"


def test_a_masked_unit_does_not_exist_for_this_boot(boot, tmp_path):
    units = write_units(tmp_path, {
        "bomb": unit("/bin/busybox false", unit_="FailureAction=reboot"),
        "needs": unit(HEART, unit_="Wants=bomb.container\nAfter=bomb.container"),
        "worker@": unit(HEART),
        "calm": unit(HEART),
    })
    with boot(units=units, files=probe_files(), append="loglevel=7 husk.mask=bomb,nobody husk.mask=worker@") as guest:
        husk = Husk(guest)
        assert {name: one["state"] for name, one in husk.units().items()} == {"calm": "running", "needs": "running"}
        for name in "bomb", "worker@a":
            done = guest.run(f"husk start {name}", 30)
            assert done.status == 4
            assert f"unit '{name}' is masked by husk.mask= on the kernel's command line; boot without it" in done.stderr.decode()
        log = guest.run("dmesg", 30).text
        assert "unit 'bomb' is masked for this boot (husk.mask=)" in log
        assert "husk.mask=nobody: there is no such unit" in log
        # Nor does it come with a reload.
        husk("reload", 30)
        assert "bomb" not in husk.units()


def test_rescue_starts_no_unit_and_asks_for_its_password(boot, tmp_path):
    units = write_units(tmp_path / "units", {"one": unit("/bin/busybox sleep 10000")})
    hashed = subprocess.run(["openssl", "passwd", "-6", "-salt", "husk", "open sesame"], stdout=subprocess.PIPE, text=True,
                            check=True).stdout.strip()
    start = {"units": units, "files": probe_files(), "append": "loglevel=7 husk.rescue"}
    # Off: the switch on the command line is worth nothing.
    with boot(**start) as guest:
        assert Husk(guest).unit("one")["state"] == "running"
        assert "husk.rescue is off" in guest.run("dmesg", 30).text
    with boot(**start, system={"System": {"RescuePassword": hashed}}, wait="started") as guest:
        guest.wait_console("Rescue password: ", 120)
        guest.send_console("wrong\n")
        guest.wait_console("that is not the rescue password", 30)
        guest.wait_console("Rescue password: ", 30, start=guest.console_text().index("that is not"))
        guest.send_console("open sesame\n")
        guest.wait_console("[#$] ", 30, start=guest.console_text().rindex("Rescue password"))
        assert "open sesame" not in guest.console_text()
        guest.send_console("husk list --state running; husk status | tail -n 1; echo all-said\n")
        guest.wait_console("^all-said", 60)
        said = guest.console_text()
        assert "unit 'one': started" not in said
        assert "1 unit;" in said
