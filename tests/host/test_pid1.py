"""The real static binary as PID 1 of a PID namespace."""

import ctypes
import errno
import os
import re
import select
import signal
import socket
import time

import pytest

import pid1_namespace as ns
from pid1_namespace import Packet, Pid1

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces and mounts"),
    pytest.mark.skipif(not ns.binary().exists(), reason=f"{ns.binary()} is not built"),
]

CAP_SYS_RESOURCE = 24  # capabilities(7)


@pytest.fixture
def pid1(tmp_path):
    with Pid1(tmp_path) as started:
        yield started


def test_it_starts_the_supervisor_and_answers_its_greeting(pid1):
    supervisor = pid1.supervisor()
    assert re.fullmatch(r"supervise --init-socket=\d+", supervisor.arguments)
    reply = supervisor.hello()
    assert (reply.type, reply.number, reply.value, reply.pid) == (ns.HELLO, 0, 0, 1)


def test_the_supervisor_gets_a_session_default_signals_and_no_strange_descriptors(pid1):
    supervisor = pid1.supervisor()
    status = dict(line.split(":\t", 1)
                  for line in open(f"/proc/{supervisor.pid}/status").read().splitlines())
    assert int(status["SigBlk"], 16) == 0
    assert status["NSsid"].split()[-1] == status["NSpid"].split()[-1]
    # 0 to 2, the socket to PID 1, and its own to the test.
    assert len(os.listdir(f"/proc/{supervisor.pid}/fd")) == 5
    if int(status["CapEff"], 16) >> CAP_SYS_RESOURCE & 1:  # some build machines go without
        assert open(f"/proc/{supervisor.pid}/oom_score_adj").read() == "-1000\n"


def test_a_descriptor_outlives_the_supervisor(pid1):
    first = pid1.supervisor()
    read_end, write_end = os.pipe()
    assert first.ask(ns.STORE, [write_end], slot=7).number == 0
    os.close(write_end)
    first.kill()
    second = pid1.supervisor()
    assert second.hello().pid == 2
    fetched = second.fetch(7)
    os.write(fetched, b"the same pipe")
    os.close(fetched)
    assert os.read(read_end, 64) == b"the same pipe"
    assert second.ask(ns.DROP, slot=7).number == 0
    assert os.read(read_end, 64) == b""  # the last copy is closed
    os.close(read_end)


def test_a_descriptor_that_was_sent_just_before_death_is_kept(pid1):
    first = pid1.supervisor()
    read_end, write_end = os.pipe()
    pid1.signal(signal.SIGSTOP)  # reaches PID 1 from outside of its namespace: it reads nothing now
    for slot in range(20):
        first.send(Packet(ns.STORE, slot=slot).pack(), [write_end])
    first.kill()
    pid1.signal(signal.SIGCONT)
    second = pid1.supervisor()
    for slot in range(20):
        os.close(second.fetch(slot))
    os.close(read_end)
    os.close(write_end)


def test_requests_that_make_no_sense_are_refused_and_leak_nothing(pid1):
    supervisor = pid1.supervisor()
    supervisor.hello()
    before = pid1.descriptors()
    ends = os.pipe()
    good = Packet(ns.STORE, slot=1).pack()

    def answer(data, descriptors=()):
        supervisor.send(data, descriptors)
        return supervisor.receive_reply()[0].number

    for data in b"", b"x", good[:-1], good + b"x", good * 100, bytes(40), b"\xff" * 40:
        assert answer(data) == errno.EPROTO, data
        assert answer(data, ends[:1]) == errno.EPROTO, data
    assert answer(Packet(ns.STORE, slot=1, version=2).pack(), ends[:1]) == errno.EPROTO
    assert supervisor.ask(ns.HELLO, number=2).number == errno.EPROTO
    assert answer(good) == errno.EINVAL  # without a descriptor
    assert answer(good, ends) == errno.EINVAL  # with two
    assert answer(good, ends * 100) == errno.EINVAL
    assert supervisor.ask(ns.STORE, ends[:1], slot=65536).number == errno.EINVAL
    assert supervisor.ask(ns.FETCH, slot=2**32 - 1).number == errno.EINVAL
    assert supervisor.ask(ns.FETCH, slot=5).number == errno.ENOENT
    assert supervisor.ask(ns.DROP, slot=5).number == errno.ENOENT
    assert supervisor.ask(ns.SHUTDOWN, value=9).number == errno.EINVAL
    for kind in 0, 31, ns.EXITS_PENDING, ns.SHUTDOWN_WANTED, 2**32 - 1:
        supervisor.send(Packet(kind).pack(), ends[:1])
        reply, _ = supervisor.receive()
        assert (reply.type, reply.number) == (kind, errno.EINVAL)
    assert pid1.descriptors() == before
    assert supervisor.ask(ns.STORE, ends[:1], slot=65535).number == 0
    assert supervisor.ask(ns.STORE, ends[:1], slot=65535).number == errno.EBUSY
    assert pid1.descriptors() == before + 1


def test_a_supervisor_that_reads_no_answer_does_not_stop_pid_1(pid1):
    supervisor = pid1.supervisor()
    supervisor.init.setblocking(False)
    sent = 0
    with pytest.raises(BlockingIOError):
        for sent in range(100_000):
            supervisor.send(Packet(ns.HELLO, number=1).pack())
            # Full only if PID 1 cannot answer and stops reading; it drops answers, so it goes on.
            if sent == 20_000:
                raise BlockingIOError
    supervisor.kill()
    assert pid1.supervisor().hello().pid == 2


def test_exits_of_orphans_are_told_and_remembered(pid1):
    first = pid1.supervisor()
    orphan = int(first.tell("orphan 7"))
    exit = first.wait_for_exit(orphan)
    assert os.waitstatus_to_exitcode(exit.status) == 7
    assert exit.time > 0
    child = int(first.tell("child 9"))
    first.kill()  # the child goes on with PID 1 as its parent, and ends
    second = pid1.supervisor()
    assert second.wait_for_exit(orphan).value == exit.value
    assert os.waitstatus_to_exitcode(second.wait_for_exit(child).status) == 9


def test_more_exits_than_are_remembered_lose_the_oldest(pid1):
    supervisor = pid1.supervisor()
    pids = [int(supervisor.tell("orphan 0")) for _ in range(1100)]
    supervisor.wait_for_exit(pids[-1])
    exits = supervisor.exits()
    assert len(exits) == 1024
    assert exits[0].value == exits[-1].value - 1023


def test_many_kills_of_the_supervisor(pid1):
    kills = 100 if "HUSK_LONG" in os.environ else 30
    read_end, write_end = os.pipe()
    for life in range(1, kills + 1):
        supervisor = pid1.supervisor()
        assert supervisor.hello().pid == life
        assert supervisor.ask(ns.STORE, [write_end], slot=life).number == 0
        if life > 1:
            os.close(supervisor.fetch(life - 1))
        # No wait: most of these count as early deaths, so that this takes a second each.
        supervisor.kill(signal.SIGSEGV if life % 2 else signal.SIGKILL)
    supervisor = pid1.supervisor()
    for slot in range(1, kills + 1):
        os.close(supervisor.fetch(slot))
    assert "was killed by signal 11 (SEGV)" in pid1.wait_for_console(f"start number {kills + 1}")
    os.close(read_end)
    os.close(write_end)


def test_a_supervisor_without_its_socket_is_replaced(pid1):
    first = pid1.supervisor()
    first.init.close()
    assert first.tell("close") == "closed"
    assert pid1.supervisor().hello().pid == 2
    assert "lives on without its socket" in pid1.wait_for_console("killed by signal 9")


@pytest.mark.parametrize("action, ended_by", [
    (ns.POWEROFF, signal.SIGINT), (ns.HALT, signal.SIGINT), (ns.REBOOT, signal.SIGHUP)])
def test_it_goes_down_when_the_supervisor_says_so(pid1, action, ended_by):
    first = pid1.supervisor()
    assert first.ask(ns.SHUTDOWN, value=action).number == 0
    first.kill()
    second = pid1.supervisor()  # a shutdown that has begun is the new one's business too
    assert second.hello().value == action
    second.send(Packet(ns.SHUTDOWN_NOW, value=action).pack())
    assert pid1.wait() == ended_by


def test_processes_that_ignore_sigterm_are_killed(pid1):
    supervisor = pid1.supervisor()
    assert supervisor.tell("stubborn") == "ignoring"
    supervisor.send(Packet(ns.SHUTDOWN_NOW, value=ns.POWEROFF).pack())
    assert pid1.wait() == signal.SIGINT
    assert "killing what did not end" in pid1.wait_for_console("powering down")


@pytest.mark.parametrize("number, action", [
    (signal.SIGTERM, ns.POWEROFF), (signal.SIGINT, ns.REBOOT), (signal.SIGUSR1, ns.HALT),
    (signal.SIGUSR2, ns.POWEROFF), (signal.SIGPWR, ns.POWEROFF), (34 + 3, ns.HALT),
    (34 + 4, ns.POWEROFF), (34 + 5, ns.REBOOT)])
def test_signals_ask_the_supervisor_to_end_the_system(pid1, number, action):
    supervisor = pid1.supervisor()
    pid1.signal(number)
    assert supervisor.notice(ns.SHUTDOWN_WANTED).value == action


def test_a_wish_waits_for_the_next_supervisor(pid1):
    first = pid1.supervisor()
    os.kill(first.pid, signal.SIGSTOP)
    pid1.signal(signal.SIGTERM)
    pid1.wait_for_console("asked to power off")
    first.kill()
    second = pid1.supervisor()
    assert second.hello().value == 0
    assert second.notice(ns.SHUTDOWN_WANTED).value == ns.POWEROFF


def test_other_signals_and_a_typed_segv_do_nothing(pid1):
    supervisor = pid1.supervisor()
    for number in signal.SIGSEGV, signal.SIGABRT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, 60:
        pid1.signal(number)
    assert supervisor.hello().pid == 1


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="knows the registers of x86_64 only")
def test_a_crash_of_pid_1_is_a_reboot_with_a_reason(pid1):
    pid1.supervisor()
    pid1.wait_for_console("start number 1")
    libc = ctypes.CDLL(None, use_errno=True)

    def ptrace(request, address=0, data=0):
        arguments = map(ctypes.c_void_p, (address, data))
        assert libc.ptrace(request, pid1.host_pid, *arguments) == 0, os.strerror(ctypes.get_errno())

    ptrace(16)  # PTRACE_ATTACH
    os.waitpid(pid1.host_pid, 0x40000000)  # __WALL
    ptrace(6, address=16 * 8, data=0x666)  # PTRACE_POKEUSER: the next instruction is nowhere
    ptrace(17)  # PTRACE_DETACH
    assert pid1.wait() == signal.SIGHUP
    assert "PID 1 crashed: signal 11 at address" in pid1.wait_for_console("; rebooting")


def mounts(pid1):
    lines = open(f"/proc/{pid1.host_pid}/mountinfo").read().splitlines()
    return {line.split()[4]: line for line in lines}


def test_it_mounts_what_is_missing_and_leaves_what_is_there(pid1):
    pid1.supervisor()
    found = mounts(pid1)
    assert "size=16384k" in found["/run/husk"]
    assert " - devpts " in found["/dev/pts"]
    assert " - tmpfs " in found["/dev/shm"]
    assert found["/run"].endswith(" - tmpfs run rw,mode=755")  # the test's own
    assert found["/dev"].endswith(" - tmpfs dev rw,mode=755")


def test_it_mounts_a_proc_that_shows_its_own_namespace(tmp_path):
    # The host's /proc is in place, and shows other processes.
    with Pid1(tmp_path, command_line="") as pid1:
        supervisor = pid1.supervisor()
        assert " - proc proc " in mounts(pid1)["/proc"]
        assert pid1.inside("/proc/1/comm").read_text() == "husk\n"
        assert pid1.inside("/proc/1/cmdline").read_text().startswith("init\0")
        supervisor.send(Packet(ns.SHUTDOWN_NOW, value=ns.POWEROFF).pack())
        assert pid1.wait() == signal.SIGINT  # at once, with a shell on the console


def test_everybody_gets_a_cgroup_of_its_own(pid1):
    if not pid1.cgroup:
        pytest.skip("no cgroup2 to write on this host")
    supervisor = pid1.supervisor()

    def cgroup(pid):
        lines = open(f"/proc/{pid}/cgroup").read().splitlines()
        return next(line for line in lines if line.startswith("0::")).rsplit("/", 1)[-1]

    assert cgroup(pid1.host_pid) == "init"
    assert cgroup(supervisor.pid) == "supervisor"
    assert os.path.isdir(pid1.cgroup + "/units")


def test_memory_stays_small(pid1):
    supervisor = pid1.supervisor()
    ends = os.pipe()
    for slot in range(200):
        assert supervisor.ask(ns.STORE, ends[:1], slot=slot).number == 0
    for _ in range(50):
        supervisor.tell("orphan 0")
    assert int(pid1.status()["VmRSS"].split()[0]) < 290  # the goal is 200 (issue 8)
    # More than half are pages with relocated addresses: the tables of keys and commands, which PID 1 does not read.
    assert int(pid1.status()["RssAnon"].split()[0]) < 120


def test_the_console_program_owns_the_terminal_and_comes_back(tmp_path):
    program = tmp_path / "console"
    program.write_text("#!/bin/sh\n"
                       "trap 'echo interrupted; exit' INT\n"
                       "echo console $(cat /proc/self/oom_score_adj) $(ulimit -n) $HOME\n"
                       "read line </dev/tty && echo got $line\n")
    program.chmod(0o755)
    with Pid1(tmp_path, command_line="quiet husk.console=/run/test/console") as pid1:
        shown = pid1.wait_for_console("console 0 ")
        assert re.search(r"console 0 \d+ /", shown)
        os.write(pid1.terminal, b"hello\n")
        pid1.wait_for_console("got hello")
        pid1.wait_for_console("console 0 ", times=2)
        # One that comes just before the shell reads waits for the end of the line.
        for _ in range(50):
            os.write(pid1.terminal, b"\x03")
            if pid1.shows("interrupted", 0.5):
                break
        pid1.wait_for_console("interrupted")
        pid1.supervisor().send(Packet(ns.SHUTDOWN_NOW, value=ns.POWEROFF).pack())
        assert pid1.wait() == signal.SIGINT


def test_the_console_is_where_the_supervisor_says(tmp_path):
    program = tmp_path / "console"
    program.write_text("#!/bin/sh\necho here $(stty size)\nread line </dev/tty\n")
    program.chmod(0o755)

    def shows(terminal: int, text: bytes) -> None:
        until, shown = time.monotonic() + 10, b""
        while text not in shown:
            assert select.select([terminal], [], [], max(until - time.monotonic(), 0))[0], shown
            shown += os.read(terminal, 4096)

    with Pid1(tmp_path, command_line="quiet husk.console=/run/test/console") as pid1:
        supervisor = pid1.supervisor()
        first, second = os.openpty(), os.openpty()
        assert supervisor.ask(ns.STORE, [first[1]], slot=ns.CONSOLE_SLOT).number == 0
        assert supervisor.ask(ns.ACTIONS).number == 0
        shows(first[0], b"here 0 0")  # it is its terminal
        # Elsewhere: what runs is hung up.
        assert supervisor.ask(ns.DROP, slot=ns.CONSOLE_SLOT).number == 0
        assert supervisor.ask(ns.STORE, [second[1]], slot=ns.CONSOLE_SLOT).number == 0
        shows(second[0], b"here")
        assert not pid1.shows("here", 0.1)
        # A terminal that goes: the kernel's own one.
        for terminal in *first, *second:
            os.close(terminal)
        assert "the terminal of Console= is gone: I/O error" in pid1.wait_for_console("here")


def test_it_refuses_to_run_as_anything_but_pid_1():
    import subprocess
    result = subprocess.run(["init"], executable=ns.binary(), capture_output=True, text=True)
    assert result.returncode == 2
    assert "PID 1" in result.stderr
