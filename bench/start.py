"""Start of a container: from the decision to the first instruction of its program."""

import contextlib
import subprocess
from pathlib import Path

import figures
import programs

UNIT = ("[Container]\nVolume=/run/test/stamp:/stamp:ro\nNetwork=none\nExec=/stamp once\n"
        "[Service]\nType=oneshot\n[Install]\nEnabled=no\n")
COMMANDS = {
    "crun run": ["crun", "run", "-b", "{bundle}", "peer"],
    "crun run, no cgroup": ["crun", "--cgroup-manager=disabled", "run", "-b", "{bundle}", "peer"],
    "runc run": ["runc", "run", "-b", "{bundle}", "peer"],
    "bwrap": ["bwrap", "--unshare-all", "--ro-bind", "{bundle}/root", "/", "--proc", "/proc", "--dev", "/dev",
              "--tmpfs", "/tmp", "--cap-drop", "ALL", "--new-session", "/stamp", "once"],
    "systemd-nspawn": ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--pipe", "--private-network", "-D",
                       "{bundle}/root", "/stamp", "once"],
    # Its own limits on resources are above what a machine may allow; with a cgroup it wants to raise one.
    "podman run, no cgroup": ["podman", "run", "--rm", "--network", "none", "--cgroups=disabled", "--read-only",
                              "--cap-drop=all", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000",
                              "--rootfs", "{bundle}/root", "/stamp", "once"]}


class InProcess:
    """bench/host/start.cc, which starts when it is told to."""

    def __init__(self, stack: contextlib.ExitStack, out: Path, folder: Path):
        # A cgroup may be below, and folders that the containers' root can look into.
        (folder / "in-process").mkdir()
        self._process = stack.enter_context(subprocess.Popen(
            [out / "start", folder / "stamp", "/sys/fs/cgroup", folder / "in-process"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True))
        stack.callback(self._process.stdin.close)

    def start(self, kind: str) -> float:
        self._process.stdin.write(kind + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise programs.Failed(f"bench/host/start.cc, asked for '{kind}', ended with status {self._process.wait()}")
        return int(line) / 1e6


def by_client(host) -> float:
    begun, _ = programs.client(host, "start", "stamp")
    return programs.first_after(host, "stamp", begun)


def measure(folder: Path, out: Path, rounds: int) -> list[dict]:
    stamp = folder / "stamp"
    peer = programs.bundle(folder / "bundle", stamp, "once")
    with contextlib.ExitStack() as stack:
        own = InProcess(stack, out, folder)
        subprocess.run([out / "start", "--device-tree", folder / "limit"], check=True)
        subprocess.run([out / "start", "--filter", folder / "filter"], check=True)
        host = stack.enter_context(programs.device(folder / "device", {"stamp": UNIT}, [stamp]))
        inside = {name: lambda kind=kind: own.start(kind) for name, kind in (
            ("bare", "bare"), ("husk", "husk"), ("husk, no user namespace, no filter", "husk-plain"))}
        limit = [out / "limit", "once", stamp, "/sys/fs/cgroup", folder / "limit", folder / "filter"]
        commands = {"bare, as a command": lambda: programs.once(limit), "husk start": lambda: by_client(host)}
        absent = {}
        for name, words in COMMANDS.items():
            if why := programs.missing(words[0]):
                absent[name] = why
                continue
            words = [word.format(bundle=peer) for word in words]
            try:
                programs.once(words)
            except programs.Failed as error:
                absent[name] = f"it does not work here: {error}"
                continue
            commands[name] = lambda words=words: programs.once(words)
        took = figures.take_turns(inside, 5 * rounds, warm_up=10)
        by_command = figures.take_turns(commands | {"husk": inside["husk"]}, rounds)
    more = [husk - plain for husk, plain in zip(took["husk"], took["husk, no user namespace, no filter"])]
    cost = figures.spread(more)["median"]
    note = f"A user namespace and the full default filter cost husk {cost} ms (median of the turns)."
    return [figures.table("Start in a process that runs", "ms", took, "bare", notes=[note]),
            figures.table("Start by a command", "ms", by_command,
                          "crun run" if "crun run" in commands else "bare, as a command", absent, [
                "'husk' is the engine in its process, as above, between commands that leave it cold caches; 'husk start' "
                "is a client, the supervisor's decisions and its record, the engine, and the log."])]
