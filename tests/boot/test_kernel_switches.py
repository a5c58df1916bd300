"""What a person writes on the kernel's command line to get a device up again."""

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
