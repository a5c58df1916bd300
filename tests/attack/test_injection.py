"""Names, values and output that are made to be run, followed or shown: none reaches a shell, a path outside, the terminal
of a person, or JSON's syntax. One guest."""

import json
import re

import attacks
import huskvm
import pytest
from attacks import ATTACKS, Attacker, attack_files

# Moves the cursor, sets the title, answers for the person; C1 control bytes raw and as UTF-8; text that runs backwards.
HOSTILE_TEXT = (b"\x1b]0;owned\x07\x1b[2J\x1b[1;31m\x1b[6n\x1b[5i\x1bP$q\x1b\\ back\x08\x08\x08\x08over \rline \x9b31m \xc2\x9b31m "
                b"\xe2\x80\xaetxt.exe\xe2\x80\xac \xff\xfe\xc0\xaf \x00nul \x7f \"},{\"text\":\"x\"} \\u0000 $(touch /owned) `touch /owned`\n"
                b"<script>&amp;\n" + "\u202e\u2066\u200f".encode() + b"\n\x0b\x0c\x85\n")
TOUCH = "$(touch /owned);`touch /owned`|touch /owned&touch /owned"


def unit(exec_: str = "/bin/busybox sleep 100000", container: str = "", section: str = "") -> str:
    return (f"[Unit]\n{section}\n[Container]\nVolume=/bin/busybox:/bin/busybox:ro\nVolume=/evil:/evil:ro\n"
            f"Exec={exec_}\n{container}\n[Service]\nRestart=no\n")


# Values that are taken: they are shown, and change nothing else.
TAKEN = {
    "description": unit(section="Description=\u202etxt.exe \u009b31m \\x1b[31m \\n %n %% \"},{\"a\":\"b\" <b> " + TOUCH),
    "shell": unit(f"/bin/busybox echo {TOUCH} ; touch /owned && touch /owned > /owned"),
    "environment": unit("/bin/busybox env", "Environment=\"A=$(touch /owned)\\nB=b\" C=`touch /owned` D=%%n \"E=\\x1b[31m\" F=${A}"),
    "words": unit("/bin/busybox echo ${A} $A $$(touch /owned)", "Environment=\"A=; touch /owned #\""),
    "flood": unit("/bin/busybox cat /evil"),
    "labels": unit(container="Label=\"x=\\\"}{\" \"y=$(touch /owned)\""),
    "@": unit(),  # names that are strange and fine
    "a..b": unit(),
    "a:b@c": unit(),
}
# Refused, each with a place. Name -> content.
REFUSED = {
    "esc": unit(section="Description=\x1b[31mred"),
    "carriage": unit(section="Description=good\rbad"),
    "host-newline": unit(container="HostName=a\\nb"),
    "host-path": unit(container="HostName=../../etc"),
    "host-dash": unit(container="HostName=-rf"),
    "host-long": unit(container="HostName=" + "a" * 300),
    "host-specifier": unit(container="HostName=%z"),
    "image-up": unit(container="Image=../../etc/shadow"),
    "image-path-up": unit(container="Image=/var/lib/husk/images/../../../../etc/shadow"),
    "image-dash": unit(container="Image=-o"),
    "image-shell": unit(container=f"Image={TOUCH}"),
    "image-control": unit(container="Image=a\u009bb"),
    "image-empty-part": unit(container="Image=a//b"),
    "image-dots": unit(container="Image=.."),
    "image-specifier": unit(container="Image=%z"),
    "rootfs-up": unit(container="Rootfs=/a/../.."),
    "rootfs-slash": unit(container="Rootfs=/"),
    "rootfs-relative": unit(container="Rootfs=roots/a"),
    "volume-up": unit(container="Volume=../x.volume:/data"),
    "volume-dots": unit(container="Volume=...volume:/data"),
    "volume-nameless": unit(container="Volume=.volume:/data"),
    "volume-path": unit(container="Volume=a/b.volume:/data"),
    "volume-shell": unit(container=f"Volume={TOUCH}.volume:/data"),
    "volume-long": unit(container=f"Volume={'a' * 300}.volume:/data"),
    "volume-target-up": unit(container="Volume=a.volume:/data/../../etc"),
    "volume-target-slash": unit(container="Volume=a.volume:/"),
    "volume-option": unit(container="Volume=a.volume:/data:rw,lowerdir=/"),
    "tmpfs-option": unit(container="Tmpfs=/x:size=1M,mode=1777,uid=0"),
    "tmpfs-target": unit(container="Tmpfs=/x/../../y"),
    "user-line": unit(container="User=web:x:0:0\\n"),
    "user-shell": unit(container=f"User={TOUCH}"),
    "environment-name": unit(container="Environment=A-B=x"),
    "after-path": unit(section="After=../../x"),
    "requires-control": unit(section="Requires=a\u009bb"),
    "network-path": unit(container="Network=../../x.container"),
    "specifier": unit(container="WorkingDir=/%Q"),
}
# Names that are no names: said, never loaded.
NAMES = ["a\nb", "\x1b[31mred", "...", "..", ".hidden", "-rf", " blank ", "a b", "ünï", "\u202etxt", TOUCH.replace("/", ":"), "%n",
         '"quote', "'", "\\", "a" * 200, "\x9b31m", "*", "~", "#x", "a,b", "a=b", "{}", "$HOME", "\u009b"]


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    work = tmp_path_factory.mktemp("injection")
    folder = work / "units"
    folder.mkdir()
    for name, text in (TAKEN | REFUSED).items():
        (folder / f"{name}.container").write_bytes(text.encode())
    for name in NAMES:
        raw = name.encode("latin-1" if name == "\x9b31m" else "utf-8")
        with open(folder.as_posix().encode() + b"/" + raw + b".container", "w") as file:
            file.write(unit())
    (folder / "invalid.container").write_bytes(unit(section="Description=XX").encode().replace(b"XX", b"\xff\xfe\xc0\xaf"))
    (folder / "web@.container").write_text(unit(section="Description=%i", container="HostName=%i"))
    (work / "evil").write_bytes(HOSTILE_TEXT)
    with huskvm.boot(units=folder, files=[*attack_files(), (work / "evil", "/evil")], append="loglevel=7",
                     timeout=attacks.TIMEOUT * 2) as machine:
        yield machine


@pytest.fixture(scope="module")
def husk(guest):
    return Attacker(guest).husk


@pytest.fixture(scope="module")
def units(husk):
    return husk.units()


COMMANDS = ["status", "list", "graph", "graph --dot", "check", "plan /etc/husk/units",
            *(f"{verb} {name}" for verb in ("why", "status", "show", "cat") for name in ("description", "invalid", "esc", "image-control")),
            "logs -n all flood", "logs -n all words", "status flood", "why flood", "logs -n all shell"]
JSON = ["status --json", "graph --json", "check --json", "plan --json /etc/husk/units",
        *(f"{verb} --json {name}" for verb in ("why", "show", "cat") for name in ("description", "invalid", "esc", "image-control"))]


def test_nothing_was_run(guest, units):
    assert guest.run("ls /owned", 20).status != 0
    assert {"description", "shell", "words", "flood"} <= set(units)


def test_values_are_taken_as_they_are(husk):
    assert husk.log("shell").splitlines()[0].split() == ["$(touch", "/owned);`touch", "/owned`|touch", "/owned&touch", "/owned", ";",
                                             "touch", "/owned", "&&", "touch", "/owned", ">", "/owned"]
    assert husk.log("words").splitlines()[0] == "; touch /owned # ; touch /owned # $(touch /owned)"


@pytest.mark.parametrize("name", REFUSED)
def test_a_value_that_injects_is_refused_at_its_line(husk, units, name):
    assert units[name]["state"] == "refused", units[name]
    assert re.search(rf"{name}\.container:\d+: ", husk(f"why {name}")), units[name]


def test_names_that_are_none_make_no_unit(guest, husk, units):
    strange = [name for name in units if not re.fullmatch(r"[A-Za-z0-9._@:-]{1,100}", name)]
    assert not strange
    assert not {"..", ".", "..."} & set(units)
    said = husk("check")
    for name in ("a b", "$(touch", "%n"):
        assert f"'{name}" in said, said
    # What it makes is named after units, and nothing lies anywhere else.
    known = {f"{name}.json" for name in units}
    assert set(guest.run("ls -A /run/husk/records", 20).text.split("\n")) - {""} <= known
    leaves = guest.run("cd /sys/fs/cgroup/units && ls -d */", 20).text.replace("/", "").split()
    assert set(leaves) <= set(units)
    assert guest.run("ls -A /var/lib/husk/volumes /run/husk/root", 20).text.split() == ["/run/husk/root:", "/var/lib/husk/volumes:"]


def harmless(text: bytes) -> None:
    decoded = text.decode()  # all of it is UTF-8
    steering = [char for char in decoded if ord(char) < 0x20 and char not in "\n\t\r" or 0x7f <= ord(char) < 0xa0
                or char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"]
    assert not steering, (steering, decoded)
    assert not re.search(r"\r(?!\n)", decoded), decoded


@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminal_is_not_steered_by_what_is_shown(guest, command):
    done = guest.run(f"{ATTACKS}/on_terminal husk {command}", 60)
    assert len(done.stdout) > 10, done
    harmless(done.stdout)


@pytest.mark.parametrize("command", JSON)
def test_json_stays_json(guest, command):
    done = guest.run(f"husk {command}", 60)
    answer = json.loads(done.stdout.decode())
    assert isinstance(answer, dict) and answer, command
    if command == "status --json":
        text, = (one["description"] for one in answer["units"] if one["name"] == "description")
        assert '"},{"a":"b" <b> $(touch /owned);' in text


def test_json_of_logs_is_json_line_by_line(guest):
    entries = [json.loads(line) for line in guest.run("husk logs --json -n all flood", 60).stdout.decode().split("\n")[:-1]]
    assert all(isinstance(entry, dict) for entry in entries)
    text = [entry["text"] for entry in entries if entry["kind"] == "text"]
    assert any("\x1b]0;owned" in line for line in text), "what was written is not lost"
    assert len(text) == HOSTILE_TEXT.count(b"\n")
    # Through to a program as it was written.
    assert guest.run("husk logs -o cat -n all flood", 60).stdout == HOSTILE_TEXT


def test_dot_is_one_graph(guest):
    text = guest.run("husk graph --dot", 60).text
    assert text.startswith("digraph") and text.count("{") - text.count("\\{") >= 1
    # Every line is a statement: a name in quotes that does not end early.
    for line in text.splitlines()[2:-1]:
        if line.strip().startswith("//"):
            continue
        assert re.fullmatch(r'\s*(("(\\.|[^"\\])*")|[A-Za-z_ =\->\[\],;:0-9{}#.]|\s)*', line), line


@pytest.mark.parametrize("name", ["web@../../x", "../../etc/passwd", "..", ".", "", "a/b", "/etc/passwd", "web@a/b", "web@\n", "web@\x1b[31m", "web@",
                                  "%n", "*", "'; touch /owned; '", "web@" + "a" * 200])
@pytest.mark.parametrize("verb", ["start", "cat", "show", "logs", "kill", "status", "why"])
def test_a_name_of_the_command_line_leads_nowhere(guest, verb, name):
    if name == "*" and verb not in ("show", "kill"):
        name = "x*["  # a pattern of units, which no unit has
    quoted = "'" + name.replace("'", "'\\''") + "'"
    done = guest.run(f"{ATTACKS}/on_terminal husk {verb} -- {quoted}; echo status $?", 60)
    assert b"status 0" not in done.stdout, done
    assert b"root:x:0" not in done.stdout
    harmless(done.stdout)
    assert guest.run("ls /owned", 20).status != 0


def test_an_instance_is_named_by_its_argument_alone(guest, husk):
    assert guest.run("husk start web@a.b-c", 30).status == 0
    assert husk.unit("web@a.b-c")["state"] == "running"
    assert guest.run("ls /run/husk/records/web@a.b-c.json", 20).status == 0
    husk("stop web@a.b-c")


LOOPS = """set -e; rm -rf /tmp/evil; mkdir /tmp/evil; cd /tmp/evil
mkfifo pipe.container; mknod null-like.container c 1 5; mknod terminal.container c 4 64; mknod disk.container b 254 0
mkdir folder.container; ln -s loop.container loop.container; ln -s /proc/kmsg kmsg.container; ln -s /dev/zero endless.container
ln -s /proc/self/fd/0 stdin.container; ln -s /etc/passwd passwd.container; ln -s . good.container.d; ln -s loop.d loop.container.d
ln -s /tmp/evil folder; ln -s / root.container.d; ln -s /proc/1/environ environ.container
dd if=/dev/zero of=huge.container bs=1M count=20 2>/dev/null; truncate -s 1073741824 sparse.container || true
cp /etc/husk/units/a..b.container good.container; chmod 0 good.container"""
PLACES = ["pipe", "null-like", "terminal", "disk", "folder", "loop", "kmsg", "endless", "passwd", "huge", "sparse", "environ"]


def test_a_folder_full_of_traps_is_read_to_its_end(guest, husk):
    assert guest.run(LOOPS, 60).status == 0
    done = guest.run("timeout 30 husk check /tmp/evil </dev/null; echo status $?", 60)
    assert b"status 1" in done.stdout, done
    for name in PLACES:
        assert f"{name}.container" in done.text, (name, done.text)


def test_the_supervisor_takes_a_folder_full_of_traps_and_goes_on(guest, husk):
    supervisor, before = husk.supervisor(), husk.units()
    assert guest.run("mv /etc/husk/units /etc/husk/kept && cp -a /etc/husk/kept /etc/husk/units && "
                     "truncate -s 100000 /tmp/evil/sparse.container && cp -a /tmp/evil/. /etc/husk/units/", 90).status == 0
    done = guest.run("timeout 60 husk reload --partial", 90)
    after = husk.units()
    assert husk.supervisor() == supervisor, done
    for name in ("a..b", "a:b@c", "description"):
        assert after[name]["main_pid"] == before[name]["main_pid"] > 0, done
    assert "stdin" not in after, "its standard input is /dev/null, which is a mask"
    for name in PLACES:
        assert after[name]["state"] == "refused", after.get(name)
    said = guest.run(f"{ATTACKS}/on_terminal husk status", 60).stdout
    harmless(said)
    assert guest.run("rm -rf /etc/husk/units && mv /etc/husk/kept /etc/husk/units && husk reload --partial", 60).status in (0, 1)
    assert guest.run("ls /owned", 20).status != 0
