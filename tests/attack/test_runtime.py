"""What a container could take from husk itself while it is being made: its binary, its descriptors, its directory."""

import pytest
from attacks import refused, succeeded, unit

LINKS = "/var/lib/husk/volumes/links"
ON_DEMAND = {"install": "Enabled=no"}


def program(exec_: str, container: str = "") -> str:
    return f"[Container]\nExec={exec_}\nVolume=links.volume:/links\n{container}\n[Service]\nType=oneshot\nRestart=no\n[Install]\nEnabled=no\n"


UNITS = {
    "exe-self": program("/proc/self/exe version"),
    "exe-first": program("/proc/1/exe version"),
    "exe-thread": program("/proc/thread-self/exe version"),
    "exe-link": program("/links/program version"),
    "exe-path": program("program version", "Environment=PATH=/links"),
    "exe-host": program("/links/program version", "UserNS=host"),
    "exe-script": program("/links/caught", "UserNS=host\nPrivatePIDs=no"),
    "hunter": unit("runtime", "hunt caught", container="UserNS=host\nPrivatePIDs=no", install="Enabled=no", stays=True),
    "tracer": unit("runtime", "trace husk", container="UserNS=host\nPrivatePIDs=no", install="Enabled=no", stays=True),
    "traced": unit("descriptors", container="UserNS=host", install="Enabled=no"),
    "directory": unit("descriptors", container="WorkingDir=/links/directory\nVolume=links.volume:/links:ro", **ON_DEMAND),
    "directory-host": unit("descriptors", container="WorkingDir=/links/directory\nVolume=links.volume:/links:ro\nUserNS=host",
                           **ON_DEMAND),
    "directory@": unit("descriptors", container="WorkingDir=/proc/self/fd/%i", **ON_DEMAND),
    "descriptors": unit("descriptors"),
}
IS_A_LINK = "it is a link into /proc"


@pytest.fixture(scope="module", autouse=True)
def links(guest):
    """What the image's author wrote."""
    assert guest.run(f"mkdir -p {LINKS} && ln -s /proc/self/exe {LINKS}/program &&"
                     f"printf '#!/proc/self/exe version\\n' >{LINKS}/caught && chmod 755 {LINKS}/caught", 20).status == 0


@pytest.fixture(autouse=True)
def binary_stays(guest):
    def now():
        return guest.run("sha256sum /usr/bin/husk; stat -c '%a %u %g' /usr/bin/husk", 20).text

    before = now()
    yield
    assert now() == before, "the device's binary was changed"


@pytest.mark.parametrize("name", ["exe-self", "exe-first", "exe-thread", "exe-link", "exe-path", "exe-host"])
def test_husks_own_binary_is_not_what_a_container_executes(husk, name):
    husk(f"start {name}")
    assert IS_A_LINK in husk(f"why {name}")
    assert "husk 0." not in husk.log(name), "it ran"


def test_a_script_can_name_it_but_it_is_on_a_read_only_mount(attacker, guest, husk):
    # As the device's root in the device's processes, where nothing else is between the two.
    husk("start hunter")
    for _ in range(100):
        husk("start exe-script")
        if "\t" in husk.log("hunter"):
            break
    tried = attacker.inside("hunter")
    succeeded(tried, "look at it")
    refused(tried, "EROFS", "ETXTBSY", but=("look at it",))
    assert tried["change its mode"] == "EROFS"


def test_the_devices_root_can_change_a_binary_that_is_not(attacker, guest):
    """What the mount is for."""
    guest.run("cp /bin/busybox /tmp/copy", 20)
    succeeded(attacker.outside("runtime", "/tmp/copy"))
    # PID 1's own is the device's, and held by its running only.
    tried = attacker.outside("runtime", "/proc/1/exe")
    assert tried["write to it"] == "ETXTBSY"


def test_a_container_to_be_cannot_be_traced_by_its_like(attacker, guest, husk):
    husk("start tracer")
    guest.run("for i in $(seq 60); do husk restart traced; done", 200)
    tried = attacker.inside("tracer", 100)
    assert int(tried["caught"]) > 20 and tried["opened"] == "0"


def test_nothing_of_husk_is_open_in_a_container(attacker):
    tried = attacker.inside("descriptors")
    assert tried["descriptors"] == "0"
    assert tried["the device by the working directory"] == "ENOENT"


def test_from_a_directory_of_the_device_its_files_are_open(attacker, guest):
    done = guest.run("cd /etc/husk/units && exec /usr/lib/husk-test/attack/descriptors 5</sys/fs/cgroup/units", 20)
    assert "working directory\tok" in done.text and "a descriptor\tok" in done.text


@pytest.mark.parametrize("name", ["directory", "directory-host"])
def test_a_working_directory_does_not_lead_to_what_husk_has_open(guest, husk, name):
    # One start after the other, so that husk's descriptors have the same numbers each time. Those that it has open for
    # a start only come after those that stay.
    husk(f"start {name}")
    stay = len(guest.run(f"ls /proc/{husk.supervisor()}/fd", 20).text.split())
    first = 3 if name == "directory-host" else stay - 3
    guest.run(f"cd {LINKS}; for n in $(seq {first} {stay + 16}); do ln -sfn /proc/self/fd/$n directory;"
              f"husk restart {name}; done >/dev/null 2>&1; rm -f directory", 200)
    log = husk.log(name)
    assert "(unreachable)" not in log and "\tok" not in log, log
    # And a link that is none of /proc's is followed.
    guest.run(f"ln -sfn /tmp {LINKS}/directory; husk restart {name}; rm {LINKS}/directory", 60)
    assert "directory\t/tmp" in husk.log(name)


@pytest.mark.parametrize("number", [3, 4])
def test_a_working_directory_in_proc_is_refused(husk, number):
    husk(f"start directory@{number}")
    assert "change to the working directory" in husk(f"why directory@{number}")
    assert "descriptors\t" not in husk.log(f"directory@{number}"), "it ran"


@pytest.mark.parametrize("target", ["/proc/self/root", "/proc/self/cwd", "/proc/1/root", "/proc/1/cwd", "/proc/self/ns"])
def test_a_working_directory_by_another_link_of_proc_stays_inside(guest, husk, target):
    guest.run(f"ln -sfn {target} {LINKS}/directory; husk restart directory; rm {LINKS}/directory", 60)
    log = husk.log("directory")
    assert "(unreachable)" not in log and "working directory\tok" not in log
