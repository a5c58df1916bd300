"""What a container sends to husk, what husk sends into it, and what it was given to keep: the notify socket, processes
that enter, the log, listening sockets. The neighbours lose no beat, husk answers meanwhile and does not grow.

Who may speak to the control socket is in test_sockets.py, one message after the other in tests/host/test_notify.py."""

import time

import attacks
import pytest
from attacks import ATTACKS, HEARTS, Watch, refused, unit

DEMAND = "Enabled=no"
QUIET = "CPUQuota=30%"  # there is only one real core under the guest
NOTIFY = f"Type=notify\nTimeoutStartSec=1h\nTimeoutStopSec=2\n{QUIET}"
MOST_STORED = 512  # of a unit
TOOLS = "/var/lib/husk/volumes/tools"
FLOODS = ["flood", "endless-flood", "steering-flood"]
PORTS = {"shut": 7001, "connect": 7002, "options": 7003, "kept": 7004}


def speaker(words: str, *, container: str = "", service: str = "") -> str:
    """Type=notify, so not up before it has said so."""
    return unit("notify", words, container=container, service=f"{NOTIFY}\n{service}", install=DEMAND, stays=True)


def in_the_devices_mounts(words: str) -> str:
    return (f"[Container]\nPrivateMounts=no\nUserNS=host\nPrivatePIDs=no\nExec={ATTACKS}/notify {words}\n"
            f"[Service]\nRestart=no\n{NOTIFY}\nNotifyAccess=all\n[Install]\n{DEMAND}\n")


def flooder(word: str, service: str = "") -> str:
    return unit("exhaust", word, service=f"{QUIET}\n{service}", install=DEMAND, stays=True)


def listening(word: str, kind: str = "Stream") -> str:
    return (unit("listener", word, container="Network=host", install=DEMAND, stays=True) +
            f"\n[Socket]\nListen{kind}=127.0.0.1:{PORTS[word]}\n")


ENTERED = "Volume=/bin/busybox:/bin/busybox:ro\nVolume=tools.volume:/tools"
LIMITED = "LogRateLimitIntervalSec=1s\nLogRateLimitBurst=20"
UNITS = HEARTS | {
    "say": speaker("say"),
    "say-all": speaker("say", service="NotifyAccess=all"),
    "store": speaker("store"),
    "barriers": speaker("barriers"),
    "notify-flood": speaker("flood", service="NotifyAccess=all"),
    # Its socket in the hands of others: with the device's users and paths, where nothing else tells them apart.
    "victim": in_the_devices_mounts("none"),
    "thief": in_the_devices_mounts("to /run/husk/notify-shared/victim"),
    "thief-bound": speaker("to /sock", container="Volume=/run/husk/notify-shared/victim:/sock:noidmap"),
    **{f"log-{word}": flooder(word) for word in FLOODS},
    **{f"limited-{word}": flooder(word, LIMITED) for word in FLOODS},
    "entered": unit("entered", "20", container=ENTERED, service=QUIET, install=DEMAND, stays=True),
    "entered-host": unit("entered", "20", container=f"{ENTERED}\nUserNS=host", service=QUIET, install=DEMAND, stays=True),
    "entered-tracer": unit("entered", "20", container=f"{ENTERED}\nAddCapability=CAP_SYS_PTRACE\nSystemCallFilter=@system-service @debug",
                           service=QUIET, install=DEMAND, stays=True),
    "holder": unit("entered", "hold", container=f"{ENTERED}\nSystemCallFilter=@system-service @debug", service=QUIET,
                   install=DEMAND, stays=True),
    "killer": unit("entered", "kill", container=f"{ENTERED}\nUserNS=host\nAddCapability=CAP_KILL\nHealthCmd=CMD /bin/busybox true\n"
                   "HealthInterval=1s\nHealthRetries=3", service=QUIET, install=DEMAND, stays=True),
    "swapped": unit("heart", container=ENTERED, service="ExecReload=/tools/tool version", install=DEMAND, stays=True),
    "shut": listening("shut"),
    "options": listening("options"),
    "kept": listening("kept"),
    "connect": listening("connect", "Datagram"),
}


@pytest.fixture
def watch(guest, husk):
    found = Watch(guest, husk)
    yield found
    running = [name for name, one in husk.units().items()
               if name not in HEARTS and (one["state"] not in ("inactive", "failed") or name in PORTS)]
    if running:
        husk("stop " + " ".join(running), 100)


def descriptors(guest, pid: int) -> int:
    return int(guest.run(f"ls /proc/{pid}/fd | wc -l", 60).text)


def begin(husk, *names: str) -> None:
    """Without waiting until they are up: some never are."""
    husk("start --no-wait " + " ".join(names), 60)
    for name in names:
        husk.wait(name, lambda one: one["state"] in ("starting", "running"))


# The notify socket


@pytest.mark.parametrize("name", ["say", "say-all"])
def test_what_is_no_notification_changes_nothing(attacker, husk, watch, name):
    begin(husk, name)
    pid = husk.unit(name)["main_pid"]
    tried = attacker.inside(name, 120)
    assert tried["ready in 1 MiB"] == "EMSGSIZE"
    refused(tried, "EPERM", "ESRCH", but=("ready behind 4 KiB", "ready in 100 KiB", "ready in 1 MiB", "all of it is heard"))
    assert tried["all of it is heard"] == "ok"
    one = husk.unit(name)
    assert one["state"] == "starting" and one["main_pid"] == pid, one
    assert "\x1b" not in one["status_text"] and "taken" not in one["status_text"]
    said = [line["text"] for line in one["history"]]
    assert sum("MAINPID=" in line for line in said) == 1 and len(said) < 10, said
    watch.nothing_happened()


def test_thousands_of_descriptors_are_not_kept(attacker, guest, husk, watch):
    before = {pid: descriptors(guest, pid) for pid in watch.memory}
    begin(husk, "store")
    tried = attacker.inside("store", 120)
    assert int(tried["sent"]) > MOST_STORED * 10 and tried["all of it is heard"] == "ok"
    for pid, count in before.items():
        assert descriptors(guest, pid) <= count + MOST_STORED + 8, pid
    watch.nothing_happened()
    assert guest.run("husk stop store", 60).status == 0
    for pid, count in before.items():
        assert descriptors(guest, pid) <= count + 8, pid


def test_barriers_that_are_kept_open_cost_nothing(attacker, guest, husk, watch):
    before = descriptors(guest, watch.supervisor)
    begin(husk, "barriers")
    tried = attacker.inside("barriers", 120)
    assert int(tried["sent"]) > 400 and tried["one more comes back"] == "ok"
    assert descriptors(guest, watch.supervisor) <= before + 8
    watch.nothing_happened()


def test_a_socket_that_others_have_obeys_its_own_unit(attacker, husk, watch):
    begin(husk, "victim")
    begin(husk, "thief", "thief-bound")
    for name in ("thief", "thief-bound"):
        assert attacker.inside(name)["end"] == "ok"
    one = husk.unit("victim")
    assert one["state"] == "starting" and one["status_text"] == "", one
    assert any("a notification is refused" in line["text"] for line in one["history"]), one["history"]
    watch.nothing_happened()


def test_a_flood_of_notifications_holds_up_nobody(husk, watch):
    begin(husk, "notify-flood")
    for _ in range(4):
        time.sleep(2)  # it is at it
        watch.nothing_happened()
    assert len(husk.unit("notify-flood")["history"]) < 100


# The log


@pytest.mark.parametrize("kind", ["log", "limited"])
def test_floods_of_the_log_hold_up_nobody(guest, husk, watch, kind):
    names = [f"{kind}-{word}" for word in FLOODS]
    begin(husk, *names)
    for _ in range(3):
        time.sleep(2)  # they are at it
        watch.nothing_happened()
    for name in names:
        one = husk.unit(name)
        assert one["state"] == "running" and one["restarts"] == 0
        size = int(guest.run(f"husk logs -o cat -n all {name} | wc -c", 60).text)
        # The window, what waits for the next punch, one drain that came before it, lines on what was missed.
        assert size <= (256 << 10) + (64 << 10) + (64 << 10) + (4 << 10), (name, size)
        if kind == "limited":
            assert one["log"]["lines_dropped"] > 0
        # A line without an end is shown in pieces.
        assert len(guest.run(f"husk logs -n 3 {name}", 60).stdout) < 200_000
    for command in "logs -n 20", "status", "why":
        shown = guest.run(f"{ATTACKS}/on_terminal husk {command} {kind}-steering-flood", 60).stdout.decode()
        assert "red" in shown or command == "why"
        assert not [char for char in shown if ord(char) < 0x20 and char not in "\n\t\r" or 0x7f <= ord(char) < 0xa0], shown
        assert "\u202e" not in shown and "\r" not in shown.replace("\r\n", "")


# Processes that enter


@pytest.mark.parametrize("name", ["entered", "entered-host", "entered-tracer"])
def test_what_enters_cannot_be_looked_into(attacker, guest, husk, watch, name):
    begin(husk, name)
    guest.run(f"for i in $(seq 30); do husk exec {name} /bin/busybox true; done", 200)
    tried = attacker.inside(name, 100)
    assert int(tried["seen"]) > 0, "it saw none"
    refused(tried, "EPERM", "EACCES", "ESRCH", "ENOSYS", but=("begun", "seen"))
    watch.nothing_happened()


def test_the_devices_root_can_look_into_it(attacker, guest, husk, watch):
    """Or nobody knows that it looks at all."""
    husk("start swapped")
    guest.run("(for i in $(seq 30); do husk exec swapped /bin/busybox true; done) </dev/null >/dev/null 2>&1 &", 20)
    done = guest.run(f"timeout 14 {ATTACKS}/entered 8 </dev/null", 60)
    tried = attacks.Tried(done.text)
    assert int(tried["seen"]) > 0 and tried["memory"] == tried["name of a descriptor"] == "ok", tried


def test_what_is_killed_as_it_enters_holds_up_nobody(guest, husk, watch):
    begin(husk, "killer")
    for _ in range(20):
        done = guest.run("timeout 20 husk exec killer /bin/busybox sleep 1", 60)
        assert done.status not in (0, 124, 143), done
    husk.wait("killer", lambda one: one["health"]["state"] == "unhealthy")
    watch.nothing_happened()


def test_an_end_that_a_tracer_keeps_is_had_from_it(guest, husk, watch):
    """A traced process that has ended can be waited for by its tracer only, and its pidfd is readable meanwhile."""
    begin(husk, "holder")
    used = ticks(guest, watch.supervisor)
    done = guest.run("timeout 30 husk exec holder /bin/busybox sleep 3", 60)
    assert done.status not in (124, 143), done
    one = husk.wait("holder", lambda one: one["state"] == "failed")
    assert one["last_exit"]["signal"] == "SIGKILL", one  # the tracer was the main process
    assert "does not wait for it" in guest.run("dmesg", 60).text
    assert ticks(guest, watch.supervisor) - used < 300
    watch.nothing_happened()


SWAPS = {
    "fifo": "mkfifo tool",
    "script-of-fifo": "mkfifo pipe; printf '#!/tools/pipe\\n' >tool; chmod 755 tool",
    "husk": "ln -s /proc/self/exe tool",
    "descriptor": "ln -s /proc/self/fd/3 tool",
    "root": "ln -s /proc/1/root/bin/busybox tool",
    "loop": "ln -s tool tool",
    "nowhere": "ln -s /nowhere tool",
    "folder": "mkdir tool",
    "endless": "ln -s /dev/zero tool",
    "empty": ": >tool; chmod 755 tool",
}


def test_a_program_that_is_none_is_not_executed(guest, husk, watch):
    husk("start swapped")
    for what, how in SWAPS.items():
        assert guest.run(f"cd {TOOLS} && rm -rf tool pipe && {how}", 20).status == 0
        done = guest.run("timeout 20 husk exec swapped /tools/tool version </dev/null", 60)
        assert done.status in (125, 126, 127), (what, done)
        assert b"husk 0." not in done.stdout + done.stderr, f"{what}: husk's own binary ran"
        done = guest.run("timeout 20 husk reload swapped", 60)
        assert done.status not in (124, 143), (what, done)
    assert husk.unit("swapped")["state"] == "running"
    assert "husk 0." not in husk.log("swapped")
    watch.nothing_happened()


# Listening sockets


def knock(guest, name: str) -> None:
    if name == "connect":
        guest.run(f"{ATTACKS}/listener send {PORTS[name]}", 30)
    else:
        guest.run(f"echo x | timeout 2 nc 127.0.0.1 {PORTS[name]}", 30)


def starts(husk, name: str) -> int:
    return husk.log(name).count("begun\t")


def ticks(guest, pid: int) -> int:
    fields = guest.run(f"cat /proc/{pid}/stat", 60).text.rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.parametrize("name", ["shut", "connect"])
def test_a_socket_that_the_program_made_useless_is_opened_anew(attacker, guest, husk, watch, name):
    husk(f"start {name}")
    husk.wait(name, lambda one: one["state"] == "inactive")
    assert husk.log(name).count("\tok\n") >= 2
    began, used = starts(husk, name), ticks(guest, watch.supervisor)
    time.sleep(3)  # for a storm of starts, which must not come
    assert starts(husk, name) == began and ticks(guest, watch.supervisor) - used < 100
    assert any("it is opened anew" in line["text"] for line in husk.unit(name)["history"])
    for more in 1, 2:
        knock(guest, name)
        husk.wait(name, lambda one: one["state"] == "inactive" and starts(husk, name) > began)
        assert starts(husk, name) == began + 1, husk.log(name)
        began += 1
    watch.nothing_happened()


def test_flags_of_a_socket_are_not_the_next_runs(attacker, guest, husk, watch):
    husk("start options")
    husk.wait("options", lambda one: one["state"] == "inactive")
    tried = attacker.inside("options")
    assert tried["given"] == "blocking" and tried["nonblocking"] == "ok"
    assert {tried["a mark"], tried["more than its share"]} == {"EPERM"}
    knock(guest, "options")
    husk.wait("options", lambda one: one["state"] == "inactive" and starts(husk, "options") > 1)
    log = husk.log("options")
    assert log.count("given\tblocking") == log.count("given\t"), log
    watch.nothing_happened()


def test_a_unit_that_never_accepts_is_started_once(guest, husk, watch):
    husk("start kept")
    began, used = starts(husk, "kept"), ticks(guest, watch.supervisor)
    guest.run(f"for i in $(seq 50); do (sleep 5 | nc 127.0.0.1 {PORTS['kept']}) >/dev/null 2>&1 & done", 30)
    time.sleep(3)
    assert husk.unit("kept")["state"] == "running" and starts(husk, "kept") == began
    assert ticks(guest, watch.supervisor) - used < 100
    watch.nothing_happened()
