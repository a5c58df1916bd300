"""What a running device costs, read in a guest whose instructions are counted: memory, wakeups, processes, a restart."""

import json
import re

import guest
from huskvm import HarnessError

# A line for each process with a command line: its number, and that.
PROCESSES = "cd /proc; for p in [0-9]*; do c=$(tr '\\0' ' ' < $p/cmdline) && [ \"$c\" ] && echo $p $c; done 2>/dev/null; true"


def memory_info(machine) -> dict[str, int]:
    """KB by the names of /proc/meminfo, without what is only cached."""
    text = machine.run("sync; echo 3 > /proc/sys/vm/drop_caches; sleep 2; cat /proc/meminfo").text
    return {name: int(size) for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.M)}


class Device:
    """husk as PID 1 of a guest with an agent."""

    def __init__(self, machine, running: guest.Counted | None = None):
        """`running` where instructions are counted."""
        self._machine, self._running = machine, running
        self.pids = {"PID 1": 1, "supervisor": next(pid for pid, words in self.processes() if words.startswith("husk supervise"))}

    def run(self, command: str) -> str:
        done = self._machine.run(command)
        if done.status != 0:
            raise self._machine.trouble(f"'{command}' in the guest ended with status {done.status}: {done.stderr.decode()}")
        return done.text

    def processes(self) -> list[tuple[int, str]]:
        """Of programs, and not of the measurement."""
        found = [line.split(maxsplit=1) for line in self._machine.run(PROCESSES).text.splitlines()]
        return [(int(pid), words) for pid, words in found if not re.match(r"sh -c |/usr/lib/husk/agent", words)]

    def memory(self, pid: int) -> dict[str, int]:
        """KB by the names of /proc/PID/smaps_rollup."""
        text = self.run(f"cat /proc/{pid}/smaps_rollup")
        return {name: int(size) for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.M)}

    def wakeups(self, seconds: int) -> int:
        """How often PID 1 and the supervisor got the CPU while nothing happens."""
        pids = " ".join(str(pid) for pid in self.pids.values())
        look = lambda: sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)",
                                               self.run(f"for p in {pids}; do cat /proc/$p/status; done"))))
        self.run("sleep 3")  # what follows from the last command is over
        before = look()
        self.run(f"sleep {seconds}")
        return look() - before

    def unit(self, name: str) -> dict:
        # Its exit status says whether the unit is well.
        return json.loads(self._machine.run(f"husk status {name} --json").text)["units"][0]

    def deed(self, *words, marks: int) -> list[guest.Mark]:
        """The marks that bench/deed.c and what follows from its deed give."""
        seen = len(self._running.marks())
        # In one command: the next one would come in the middle of it, since the guest's seconds pass in no time.
        self.run(f"/bench/deed {' '.join(map(str, words))}; sleep 10")
        found = self._running.marks()[seen:]
        if len(found) != marks:
            raise HarnessError(f"{len(found)} marks in the place of {marks} after 'deed {' '.join(map(str, words))}': {found}")
        return found

    def restart(self, name: str) -> guest.Span:
        """From SIGKILL of a unit's main process to the next one's first instruction."""
        return guest.between(*self.deed("kill", self.unit(name)["main_pid"], marks=2))

    def runs_with(self, memory_max: str, unit: str) -> bool:
        """Whether such a unit runs, and stays, with so much memory."""
        name = f"small{memory_max.lower()}"
        self._machine.put(f"/etc/husk/units/{name}.container", f"{unit}MemoryMax={memory_max}\n".encode())
        self.run("husk reload >/dev/null; true")
        self._machine.run(f"timeout 20 husk start {name}; sleep 2")
        state = self.unit(name)
        self._machine.run(f"husk stop {name}; rm /etc/husk/units/{name}.container; husk reload")
        return state["state"] == "running" and state["restarts"] == 0
