"""Roots: what an image, a volume or a neighbour may put in the way of a container's mounts."""

import huskvm
import pytest
from conftest import TIMEOUT, probe_files, unit, write_units

pytestmark = pytest.mark.each_kernel

# Three units share a volume; the first puts links into it where the others want to mount.
LINKS = ("/bin/busybox sh -c 'cd /srv && ln -s /proc proc-link; ln -s /tmp tmp-link; mkdir -p real; : >file; "
         "echo keep >kept; echo made'")

UNITS = {
    "links": unit(LINKS, container="Volume=shared.volume:/srv", service="Type=oneshot\nRemainAfterExit=yes"),
    "on-link": unit("/workload sleep", container="Volume=shared.volume:/srv\nTmpfs=/srv/tmp-link",
                    unit_="Requires=links\nAfter=links", service="Restart=no"),
    "through-link": unit("/workload sleep", container="Volume=shared.volume:/srv\nTmpfs=/srv/proc-link/sub",
                         unit_="Requires=links\nAfter=links", service="Restart=no"),
    "masks-link": unit("/workload sleep", container="Volume=shared.volume:/srv\nMask=/srv/tmp-link",
                       unit_="Requires=links\nAfter=links", service="Restart=no"),
    "null-taken": unit("/workload sleep", container="Volume=shared.volume:/srv\nVolume=/dev/zero:/dev/null:dev,noidmap",
                       unit_="Requires=links\nAfter=links", service="Restart=no"),
    "on-file": unit("/bin/busybox sh -c 'cat /srv/kept; sleep 1000'",
                    container="Volume=shared.volume:/srv\nVolume=/etc/husk/system.conf:/srv/kept:ro",
                    unit_="Requires=links\nAfter=links"),
}


@pytest.fixture(scope="module")
def guest(tmp_path_factory, kernel):
    units = write_units(tmp_path_factory.mktemp("units"), UNITS)
    with huskvm.boot(units=units, files=probe_files(), kernel=kernel, append="loglevel=7", timeout=TIMEOUT * 2) as machine:
        yield machine


@pytest.mark.parametrize("name, words", [
    ("on-link", "mount 'tmpfs' on '/srv/tmp-link': a symbolic link is in the way"),
    ("through-link", "make directory '/srv/proc-link/sub': a symbolic link is in the way"),
    ("masks-link", "mask '/srv/tmp-link': a symbolic link is in the way"),
    ("null-taken", "the container's '/dev/null' is not the null device")])
def test_a_link_never_leads_a_mount_elsewhere(husk, name, words):
    husk.wait(name, lambda one: one["state"] == "failed")
    assert words in husk(f"why {name}")


def test_a_file_on_a_volume_keeps_its_content_as_a_mount_point(husk, guest):
    husk.wait("on-file", lambda one: one["state"] == "running")
    assert guest.run("cat /var/lib/husk/volumes/shared/kept", 20).text.strip() == "keep"
    assert "keep" not in husk.log("on-file")
