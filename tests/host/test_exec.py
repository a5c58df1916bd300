"""`husk exec`: a program in the container of a unit, through pipes and through a terminal."""

import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

import pid1_namespace as ns
from test_containers import BUSYBOX, Device, device, unit  # noqa: F401 (a fixture)

LOOP = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
TOOLS = f"Volume={BUSYBOX}:/bin/busybox:ro\n"
LIMIT = 60


def web(service: str = "", container: str = "") -> dict[str, str]:
    return {"web": unit(LOOP, service, TOOLS + container)}


def command(found: Device, *words: str) -> list[str]:
    """The client where the device's own would run: it goes by pids of the device."""
    return ["nsenter", "-t", str(found.host_pid), "-p", "-m", "/run/test/husk", *words]


ENVIRONMENT = os.environ | {"HUSK_RUN": "/run/husk", "TERM": "vt100"}


def run(found: Device, *words: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(command(found, "exec", *words), capture_output=True, text=True, timeout=LIMIT,
                          env=ENVIRONMENT, **options)


def main_pid(found: Device, name: str = "web") -> int:
    return found.unit(name)["main_pid"]


def of_main(found: Device, path: str) -> pathlib.Path:
    return pathlib.Path(f"/proc/{found.host_pid}/root/proc/{main_pid(found)}/{path}")


def kill_client(client: subprocess.Popen, number: int = signal.SIGKILL) -> None:
    # nsenter -p has forked: the signal is for husk itself.
    child = pathlib.Path(f"/proc/{client.pid}/task/{client.pid}/children").read_text().split()
    os.kill(int(child[0]), number)
    client.wait(LIMIT)


def wait_until(holds, what: str = "") -> None:
    until = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def test_a_program_has_the_namespaces_of_the_main_one(device):
    found = device(web())
    kinds = ["mnt", "pid", "net", "ipc", "uts", "cgroup", "user"]
    inside = [run(found, "web", "busybox", "readlink", f"/proc/self/ns/{kind}").stdout.strip() for kind in kinds]
    assert inside == [os.readlink(of_main(found, f"ns/{kind}")) for kind in kinds]


def test_a_program_has_the_rights_of_the_main_one(device):
    found = device(web("LimitNOFILE=100\n", "AddCapability=NET_ADMIN\nUser=7\nGroup=8\nGroupAdd=9\n"))
    fields = ("Uid:", "Gid:", "Groups:", "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:",
              "Seccomp:", "Seccomp_filters:", "SigBlk:")
    shown = run(found, "web", "busybox", "cat", "/proc/self/status").stdout
    status = {line.split()[0]: line.split()[1:] for line in shown.splitlines()}
    # From inside the container, too: ids are its own there.
    expected = run(found, "web", "busybox", "cat", "/proc/1/status").stdout
    main = {line.split()[0]: line.split()[1:] for line in expected.splitlines()}
    assert main["Uid:"] == ["7"] * 4 and main["Seccomp:"] == ["2"]
    assert {key: status[key] for key in fields} == {key: main[key] for key in fields}
    limits = run(found, "web", "busybox", "cat", "/proc/self/limits").stdout
    assert limits.split("Max open files")[1].split()[:2] == ["100", "100"]
    assert run(found, "web", "busybox", "cat", "/proc/self/oom_score_adj").stdout == "0\n"


def test_a_program_is_in_a_cgroup_of_its_own_below_the_units(device):
    found = device(web())
    assert run(found, "web", "busybox", "cat", "/proc/self/cgroup").stdout.endswith("0::/exec\n")
    leaf = f"/proc/{found.host_pid}/root{found.unit('web')['cgroup']}"
    assert pathlib.Path(leaf).is_dir()


def test_exit_codes_and_signals_are_those_of_the_program(device):
    found = device(web())
    assert run(found, "web", "sh", "-c", "exit 7").returncode == 7
    assert run(found, "web", "sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL
    assert run(found, "web", "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM
    missing = run(found, "web", "nothing-here")
    assert missing.returncode == 127 and "no such program" in missing.stderr
    assert run(found, "web", "/etc").returncode == 126
    assert run(found, "-w", "/nowhere", "web", "sh").returncode == 125
    assert run(found, "wep", "sh").returncode == 125
    told = run(found, "--json", "web", "sh", "-c", "exit 3")
    assert told.returncode == 3 and json.loads(told.stderr)["exit_status"] == 3


def test_environment_folder_and_user(device):
    found = device(web(container="Environment=A=unit B=unit\n"))
    shown = run(found, "-e", "B=mine", "-e", "C=x y", "-w", "/tmp", "-u", "5:6", "web", "sh", "-c",
                "echo $A $B $C; pwd; id -u; id -g; echo -v").stdout
    assert shown == "unit mine x y\n/tmp\n5\n6\n-v\n"
    assert "is not in the unit's map of ids" in run(found, "-u", "99999", "web", "sh").stderr
    assert run(found, "-u", "nobody-there", "web", "sh").returncode == 125


def test_streams_carry_megabytes_both_ways(device):
    found = device(web())
    data = os.urandom(5_000_000)
    done = subprocess.run(command(found, "exec", "-i", "web", "busybox", "cat"), input=data, env=ENVIRONMENT,
                          capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stdout == data and done.stderr == b""
    # Without -i there is nothing to read.
    assert run(found, "web", "busybox", "cat", input="unread").stdout == ""
    # Who opens them anew may, as the container's user.
    assert run(found, "-u", "5", "web", "sh", "-c", "echo out >/dev/stdout; echo err >/dev/stderr").stdout == "out\n"


def test_a_program_that_never_reads_holds_up_nobody(device):
    found = device(web())
    done = subprocess.run(command(found, "exec", "-i", "web", "busybox", "sleep", "1"), input=bytes(5_000_000),
                          env=ENVIRONMENT, capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stderr == b""


def test_it_gets_nothing_of_the_callers(device, tmp_path):
    found = device(web())
    (tmp_path / "secret").write_text("x")
    with open(tmp_path / "secret") as secret:
        done = run(found, "web", "sh", "-c", "for f in /proc/self/fd/*; do busybox readlink $f; done", stdin=secret)
    kinds = {line.split(":")[0] for line in done.stdout.split()}
    assert kinds <= {"pipe", "/proc/self/fd"}, done.stdout


def test_the_client_that_goes_away_hangs_up(device):
    found = device(web())
    client = subprocess.Popen(command(found, "exec", "web", "sh", "-c",
                                      "trap 'echo hung >/tmp/hung; exit' HUP; touch /tmp/up; while :; do sleep 0.1; done"),
                              env=ENVIRONMENT)
    wait_until(lambda: run(found, "web", "busybox", "ls", "/tmp").stdout == "up\n", "it runs")
    kill_client(client)
    wait_until(lambda: "hung" in run(found, "web", "busybox", "ls", "/tmp").stdout, "it is told")


def test_it_ends_with_the_unit_and_holds_up_no_stop(device):
    found = device(web())
    client = subprocess.Popen(command(found, "exec", "web", "sh", "-c", "trap '' TERM HUP; echo up; while :; do sleep 0.1; done"),
                              env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    assert client.stdout.readline() == "up\n"
    began = time.monotonic()
    assert found.husk("stop", "web").returncode == 0
    assert client.wait(LIMIT) == 128 + signal.SIGKILL
    assert time.monotonic() - began < 8, "TimeoutStopSec= is 10 s"
    refused = run(found, "web", "sh")
    assert refused.returncode == 125 and "it does not run" in refused.stderr


def test_a_unit_has_sixteen_at_most(device):
    found = device(web())
    clients = [subprocess.Popen(command(found, "exec", "web", "sh", "-c", "echo up; while :; do sleep 0.1; done"),
                                env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) for _ in range(16)]
    assert [client.stdout.readline() for client in clients] == ["up\n"] * 16
    refused = run(found, "web", "busybox", "true")
    assert refused.returncode == 125 and "16 programs of 'husk exec' already" in refused.stderr
    for client in clients:
        kill_client(client)
    wait_until(lambda: run(found, "web", "busybox", "true").returncode == 0, "they are gone")


def test_a_supervisor_that_is_started_anew_enters_by_the_units_files(device):
    found = device(web(container="AddCapability=NET_ADMIN\n"))
    before = main_pid(found)
    found.kill_supervisor(signal.SIGKILL)
    wait_until(lambda: found.husk("status", "web").returncode == 0)
    assert main_pid(found) == before
    shown = run(found, "web", "busybox", "grep", "CapEff", "/proc/self/status").stdout
    assert shown.split()[1] == "0000000000001000"


def test_what_a_dead_supervisor_ran_is_ended(device):
    found = device(web())
    client = subprocess.Popen(command(found, "exec", "web", "sh", "-c", "trap '' HUP; echo up; while :; do sleep 0.1; done"),
                              env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert client.stdout.readline() == "up\n"
    found.kill_supervisor(signal.SIGKILL)
    assert client.wait(LIMIT) == 125
    wait_until(lambda: found.husk("status", "web").returncode == 0)
    wait_until(lambda: run(found, "web", "busybox", "ps").stdout.count("trap '' HUP") == 0, "it is gone")


class Terminal:
    """A person at a terminal who types `husk exec -t …`."""

    def __init__(self, found: Device, *words: str, size=(24, 80), under=()):
        self.shown = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
            line = [*under, *command(found, "exec", "-t", *words)]
            os.execvpe(line[0], line, ENVIRONMENT)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def expect(self, text: str) -> None:
        until = time.monotonic() + LIMIT
        while text.encode() not in self.shown:
            left = until - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], (text, self.shown)
            try:
                piece = os.read(self.fd, 4096)
            except OSError:
                piece = b""
            assert piece, (text, self.shown)
            self.shown += piece
        self.shown = self.shown.split(text.encode(), 1)[1]

    def wait(self) -> int:
        until = time.monotonic() + LIMIT
        while True:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.shown += os.read(self.fd, 4096)
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < until, self.shown


def test_a_terminal_is_the_containers_own(device):
    found = device(web())
    person = Terminal(found, "web", "sh", "-c", "busybox tty; busybox stty size; echo $TERM; exit 5")
    person.expect("/dev/pts/0")
    person.expect("24 80")
    person.expect("vt100")
    assert person.wait() == 5


def test_the_window_is_followed(device):
    found = device(web())
    person = Terminal(found, "web", "sh", "-c", "trap 'busybox stty size' WINCH; echo up; while :; do sleep 0.1; done",
                      size=(30, 100))
    person.expect("up")
    person.resize(50, 132)
    person.expect("50 132")
    person.type("\x03")
    assert person.wait() == 128 + signal.SIGINT


def test_ctrl_c_goes_to_the_program(device):
    found = device(web())
    person = Terminal(found, "web", "sh", "-c", "trap 'echo got it; exit 9' INT; echo up; while :; do sleep 0.1; done")
    person.expect("up")
    person.type("\x03")
    person.expect("got it")
    assert person.wait() == 9


def test_a_shell_has_job_control(device):
    found = device(web())
    person = Terminal(found, "web", "sh", "-i")
    person.type("busybox sleep 1000\n")
    person.expect("sleep 1000")
    wait_until(lambda: "busybox sleep 1000" in run(found, "web", "busybox", "ps").stdout.replace("busybox ps", ""))
    person.type("\x1a")
    person.expect("Stopped")
    person.type("jobs; kill %1; fg; echo do''ne\n")
    person.expect("done")
    person.type("exit 4\n")
    assert person.wait() == 4


def test_keys_come_raw(device):
    found = device(web())
    person = Terminal(found, "web", "sh", "-c",
                      "busybox stty raw -echo; echo up; busybox dd bs=1 count=4 2>/dev/null | busybox hexdump -C; busybox stty sane")
    person.expect("up")
    person.type("\x1b[A\x03")
    person.expect("1b 5b 41 03")
    assert person.wait() == 0


def test_the_callers_terminal_is_put_back(device):
    found = device(web())
    for end in ("program", "signal"):
        master, slave = pty.openpty()
        before = termios.tcgetattr(slave)
        client = subprocess.Popen(command(found, "exec", "-t", "web", "sh", "-c", "echo up; sleep 1000" if end == "signal" else "true"),
                                  stdin=slave, stdout=slave, stderr=slave, env=ENVIRONMENT, start_new_session=True)
        if end == "signal":
            shown = b""
            while b"up" not in shown:
                shown += os.read(master, 100)
            assert termios.tcgetattr(slave) != before
            kill_client(client, signal.SIGTERM)
        client.wait(LIMIT)
        assert termios.tcgetattr(slave) == before
        os.close(master), os.close(slave)


# The kernel tells the leader of the terminal's session only; what becomes of the others is up to that one.
@pytest.mark.parametrize("under", [(), ("sh", "-c", "trap '' HUP; \"$@\"; exit", "sh")], ids=["told", "untold"])
def test_a_terminal_that_is_hung_up_ends_the_program(device, under):
    found = device(web())
    person = Terminal(found, "web", "sh", "-c", "echo up; while :; do sleep 0.1; done", under=under)
    person.expect("up")
    os.close(person.fd)
    wait_until(lambda: "echo up" not in run(found, "web", "busybox", "ps").stdout, "it is gone")


def test_a_terminal_is_over_with_its_program_whoever_keeps_it(device):
    found = device(web())
    # Deaf from its birth: the end of the program signals all that are in its group.
    keeper = ("exec 3<&0; trap '' HUP; (while ! test -e /tmp/go; do sleep 0.1; done; "
              "busybox cat <&3 >/tmp/typed; echo $? >/tmp/over; echo more >&3; echo $? >/tmp/written) & trap - HUP; ")
    for number in 0, 1:
        person = Terminal(found, "web", "sh", "-c", keeper + "echo up; read line; exit 3")
        person.expect("up")
        person.type("\n")
        assert person.wait() == 3
    # What the next one types is not the first one's to read.
    person = Terminal(found, "web", "sh", "-c", "echo up; read line; echo got $line")
    person.expect("up")
    run(found, "web", "busybox", "touch", "/tmp/go")
    wait_until(lambda: run(found, "web", "busybox", "cat", "/tmp/written").stdout.strip() not in ("", "0"), "it is hung up")
    person.type("secret\n")
    person.expect("got secret")
    assert person.wait() == 0
    assert run(found, "web", "busybox", "cat", "/tmp/typed").stdout == ""


def test_without_a_terminal_t_is_refused(device):
    found = device(web())
    refused = run(found, "-t", "web", "sh", stdin=subprocess.DEVNULL)
    assert refused.returncode == 125 and "-t wants a terminal" in refused.stderr


def test_a_container_that_could_trace_what_enters_it_is_not_entered(device):
    found = device(web(container="UserNS=host\nAddCapability=SYS_PTRACE\n"))
    refused = run(found, "web", "/bin/sh", "-c", "id")
    assert refused.returncode == 125 and "could trace what enters it" in refused.stderr
