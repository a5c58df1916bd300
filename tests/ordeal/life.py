"""The life of a device whose power is cut: its disk, its units, what it does, and what it has promised by when.

A promise is a mark (tests/probes/durable.cc): a sector at the disk's end, behind the file system, which a program in the
guest writes when what it tells of is on disk. Marks are part of the disk's one order of writes, so at any moment at which
the power goes it is clear what had been promised."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import huskvm.build
import huskvm.disk
import versions

SECTOR = 512
MARK_ROOM = 1 << 20
PREFIX = "husk mark "
# Which mark tells what; `durable` in the guest has them by number.
UNITS, BOOT, DOWN, TROUBLE, RECORDS, TICK, IMAGE = CHANNELS = range(7)

DURABLE = "/mnt/durable"  # in the guest, and in namespaces of the host
DRIVER = "/mnt/driver"
GIVEN = "/mnt/given"
IMAGES = "/mnt/images"  # where images can be mounted, which is in guests
MODULES = ["dm_verity"]
ACTIVE = "units"  # on the state disk
STORE = "/var/lib/husk/images"


def _unit(command: str, *, program: str = "/durable", unit: str = "", container: str = "", service: str = "",
          more: str = "") -> str:
    return (f"[Unit]\n{unit}[Container]\nVolume={DURABLE}:/durable:ro\nExec={program} {command}\n{container}"
            f"[Service]\nTimeoutStopSec=5\n{service}{more}")


def _on_disk(command: str, **sections: str) -> str:
    """A unit that writes marks, which is the business of the device's root."""
    container = "AddDevice=/dev/vda\nUserNS=host\n" + sections.pop("container", "")
    return _unit(command, container=container, **sections)


COMMON = {
    "writer.container": _on_disk(f"records /var/lib/writer/records /dev/vda {RECORDS} 20000",
                                 service="StateDirectory=writer\n"),
    "tick.container": _on_disk(f"tick /dev/vda {TICK}", service="Type=oneshot\nRestart=no\n",
                               more="[Timer]\nOnCalendar=*:*:*\nPersistent=yes\n"),
    f"{versions.NAME}.container": _unit("sleep", program="/start", unit=f"ConditionPathExists={IMAGES}\n",
                                        container=f"Image={versions.NAME}\n"),
    "lan.network": "[Network]\n",
}


def _set(name: str) -> dict[str, str]:
    """All units of one folder; no two folders share what tells them apart."""
    return COMMON | {
        "web.container": _unit("sleep", unit=f"Description={name}\n", container="Network=lan.network\n"),
        f"web.container.d/{name}.conf": f"[Service]\nRestartSec={ord(name)}ms\n",
        f"only-{name}.container": _unit("sleep", unit=f"Description={name}\n",
                                        container=f"Network=lan.network\nVolume=of-{name}.volume:/data\n"),
        f"of-{name}.volume": "[Volume]\nUser=1000\nGroup=1001\nMode=0750\n",
    }


SETS = {"none": {}, "a": _set("a"), "b": _set("b")}
UPDATE = "web.container.d/update.conf"

# What the folder of units may be on disk is written before each step and behind it: "a", "b"; "b/a" is b that goes back to
# a unless it is confirmed, "a+" is a with what 'husk update --persist' wrote. The same of the image: see versions.py.
_DRIVER = f"""#!/bin/sh
units=/var/lib/husk/{ACTIVE}
versions={STORE}/{versions.NAME}
mark() {{ {DURABLE} mark /dev/vda "$@"; }}
fail() {{ echo "failed: $*" >&2; mark {TROUBLE} "$*"; exit 1; }}
now() {{
    name=$(sed -n s/^Description=//p $units/web.container 2>/dev/null)
    [ -e $units/{UPDATE} ] && name=$name+
    echo ${{name:-none}}
}}
step() {{
    before=$1 after=$2
    shift 2
    mark {UNITS} $before $after
    said=$("$@" 2>&1) || {{ echo "$said" >&2; fail "$*"; }}
    mark {UNITS} $after
}}
settled() {{
    mark {BOOT} $(cat /proc/sys/kernel/random/boot_id) $(sed -n 's/^btime //p' /proc/stat)
}}
changes() {{
    at=$(now)
    while :; do
        step $at a husk apply {GIVEN}/a
        step a b husk apply {GIVEN}/b
        step b a/b husk apply --confirm=1h {GIVEN}/a
        step a/b a husk confirm
        mark {UNITS} a b/a
        husk apply --confirm=1s {GIVEN}/b >/dev/null 2>&1 || fail husk apply --confirm=1s
        mark {UNITS} b/a a
        until [ -e $units.reverted/.reverted ]; do usleep 100000; done
        mark {UNITS} a
        step a a+ husk update --persist web RestartSec=7s
        at=a+
        [ "$1" = once ] && return
    done
}}
meaning() {{ readlink $versions/current || echo {versions.BUILT_IN}; }}
other() {{ [ $(meaning) = one ] && echo two || echo one; }}
# says MEANINGS [VERSION]: the version comes or goes
says() {{
    there=
    for one in {" ".join(versions.VERSIONS)}; do
        [ $one != "$2" ] && [ -e $versions/$one ] && there="$there =$one"
    done
    mark {IMAGE} $1 $there ${{2:++$2}}
}}
add() {{
    says $(meaning) $1
    husk image add {IMAGES}/$1.erofs {versions.NAME}:$1 >/dev/null 2>&1 || fail husk image add $1
    says $(meaning)
}}
remove() {{
    says $(meaning) $1
    husk image remove {versions.NAME} $1 >/dev/null 2>&1 || fail husk image remove $1
    says $(meaning)
}}
switch() {{
    at=$(meaning)
    says "$at $1/$at $1"
    husk image switch --settle=1 {versions.NAME} $1 >/dev/null 2>&1 || fail husk image switch $1
    says $1
}}
refused() {{
    at=$(meaning)
    says "$at $1/$at"
    husk image switch --settle=1 {versions.NAME} $1 >/dev/null 2>&1 && fail husk image switch $1
    says $at
}}
first_image() {{
    add one
    switch one
}}
on_trial() {{
    at=$(meaning) new=$(other)
    add $new
    says "$at $new/$at"
    setsid husk image switch --settle=1h {versions.NAME} $new </dev/null >/dev/null 2>&1 &
    until [ $(meaning) = $new ]; do usleep 50000; done
}}
images() {{
    while :; do
        old=$(meaning) new=$(other)
        add $new
        switch $new
        remove $old
        add {versions.SICK}
        refused {versions.SICK}
        remove {versions.SICK}
        [ "$1" = once ] && return
    done
}}
unconfirmed() {{
    at=$(now)
    step $at b/$at husk apply --confirm=1h {GIVEN}/b
    mark {BOOT} # a reset is next, and no boot has settled then
}}
"$@"
"""


def settled_set(token: str) -> str:
    """What a boot makes of it: what was not confirmed goes back."""
    return token.partition("/")[2] or token


def unit_names(token: str) -> set[str]:
    return {path.removesuffix(".container") for path in SETS[token.rstrip("+")] if path.endswith(".container")}


def write_set(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def guest_files(folder: Path) -> list[tuple[Path, str]]:
    """For huskvm.Options.files: the folder of units is on the state disk, which is empty at first."""
    (folder / "etc").mkdir()
    (folder / "etc/units").symlink_to(f"/var/lib/husk/{ACTIVE}")
    for name in ("a", "b"):
        write_set(folder / "given" / name, SETS[name])
    versions.write_given(folder / "images")
    driver = folder / "driver"
    driver.write_text(_DRIVER)
    driver.chmod(0o755)
    return [(huskvm.build.device() / "probes/durable", DURABLE), (driver, DRIVER), (folder / "etc", "/etc/husk"),
            (folder / "given", GIVEN), (folder / "images", IMAGES)]


def new_disk(path: Path) -> None:
    """An empty state disk with marks that say nothing yet."""
    huskvm.disk.prepare({}, path)
    with open(path, "r+b") as disk:
        end = disk.seek(0, 2) + MARK_ROOM
        disk.truncate(end)
    for channel in CHANNELS:
        put_mark(path, channel)


@dataclass
class Marks:
    """What had been promised when the power went."""

    words: dict[int, list[str]]

    @classmethod
    def of(cls, disk: Path) -> "Marks":
        with open(disk, "rb") as file:
            end = file.seek(0, 2)
            marks = cls({})
            for channel in CHANNELS:
                file.seek(end - SECTOR * (channel + 1))
                marks.note(file.read(SECTOR))
        return marks

    def note(self, sector: bytes) -> None:
        text = sector.rstrip(b"\0").decode()
        assert text.startswith(PREFIX), f"no mark: {text!r}"
        channel, *words = text.removeprefix(PREFIX).split()
        self.words[int(channel)] = words

    @property
    def units(self) -> list[str]:
        """What the folder of units may be; a boot that has begun may have gone back already."""
        tokens = self.words[UNITS] or ["none"]
        return tokens if self.running else [*tokens, *(settled_set(token) for token in tokens if "/" in token)]

    @property
    def units_after_boot(self) -> list[str]:
        return sorted({settled_set(token) for token in self.units})

    @property
    def image(self) -> versions.Promise:
        return versions.Promise.of(self.words[IMAGE])

    @property
    def boot(self) -> str:
        """The boot that had settled, "" for none."""
        return self.words[BOOT][0] if self.words[BOOT] else ""

    @property
    def boot_began(self) -> int:
        """The same boot: seconds since 1970."""
        return int(self.words[BOOT][1])

    @property
    def running(self) -> bool:
        """A boot had settled, and neither its end nor another had begun."""
        return bool(self.boot) and self.words[DOWN] != [self.boot]

    @property
    def records(self) -> int:
        return int(self.words[RECORDS][0]) if self.words[RECORDS] else 0

    @property
    def ticks(self) -> list[int]:
        """When the timer's unit ran in its last boot, newest first, nanoseconds since 1970; 0: not so often."""
        return [int(word) for word in self.words[TICK][1:]] or [0, 0, 0]


def leased(marks: Marks) -> set[str]:
    """Units whose addresses were on disk for sure: those of a folder that was the only one that it could be."""
    tokens = marks.words[UNITS]
    name = tokens[0].partition("/")[0].rstrip("+") if len(tokens) == 1 else "none"
    return {"web", f"only-{name}"} if name != "none" else set()


def record(number: int) -> bytes:
    """As durable.cc writes it."""
    text = f"record {number:012d} "
    return (text + "".join(chr(ord("a") + (number + at) % 26) for at in range(len(text), 127)) + "\n").encode()


def put_mark(disk: Path, channel: int, words: str = "") -> None:
    """What a host knows that takes the power away."""
    with open(disk, "r+b") as file:
        file.seek(-SECTOR * (channel + 1), 2)
        file.write(f"{PREFIX}{channel} {words}".encode().ljust(SECTOR, b"\0"))


def mark_shutdown(guest) -> None:
    run(guest, f"{DURABLE} mark /dev/vda {DOWN} $(cat /proc/sys/kernel/random/boot_id)")


def run(guest, command: str) -> None:
    done = guest.run(command)
    assert done.status == 0, f"'{command}': {done.text}{done.stderr.decode(errors='replace')}"


def drive(guest, words: str) -> None:
    """Has the driver at work in the guest and comes back."""
    guest.run(f"setsid {DRIVER} {words} </dev/null >/dev/null 2>&1 &", 60)


def copy(source: Path, target: Path) -> None:
    """A file of its own: what was there may be a disk yet that a namespace unmounts on its way out."""
    subprocess.run(["cp", "--sparse=always", "--remove-destination", str(source), str(target)], check=True)
