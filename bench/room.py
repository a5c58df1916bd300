"""Where husk and its peers are measured side by side: a room of its own on the machine.

A cgroup v2 hierarchy at /sys/fs/cgroup, as every peer wants it, whatever the machine has there; /run, /tmp and
podman's storage empty and in memory; a PID namespace, so that nothing is left when it ends. Where the machine's other
hierarchies have the controllers, nobody's containers have limits on memory or tasks here."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

PACKAGES = ["crun", "runc", "bubblewrap", "systemd-container", "podman", "runit", "s6"]
PROGRAMS = ["crun", "runc", "bwrap", "systemd-nspawn", "podman", "runsv", "s6-supervise"]
# Below a cgroup of its own, which is the root of its namespace. Whoever is in that one itself would forbid it
# controllers: so the shell goes to a leaf before it starts the process that waits for the room's end.
ENTER = """echo 0 > "$0/cgroup.procs" && exec unshare --cgroup sh -c '
mkdir "$0/bench" && echo 0 > "$0/bench/cgroup.procs" && exec unshare --pid --fork --kill-child --mount --mount-proc "$@"
' "$0" "$@" """
FURNISH = """umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup
for folder in /run /tmp /var/lib/containers; do
mkdir -p $folder && mount -t tmpfs -o mode=755 tmpfs $folder || exit; done
exec "$@" """


def install() -> None:
    """Debian's packages of the peers."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    words = ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
    if subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode != 0:
        subprocess.run(["apt-get", "update"], stdout=sys.stderr, check=True)
        subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True)


def versions() -> dict[str, str]:
    words = ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *PACKAGES]
    shown = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return dict(line.split() for line in shown.splitlines() if len(line.split()) == 2)


def run(words: list, first: bool) -> str:
    """What a command prints in a room. `first`: it and all that it starts go before everybody else on the machine
    (SCHED_RR), so that time is work."""
    unified = Path("/sys/fs/cgroup/unified")
    group = (unified if unified.is_dir() else unified.parent) / f"husk-bench-{os.getpid()}"
    before = ["chrt", "--rr", "10"] if first else []
    group.mkdir()
    try:
        done = subprocess.run(["sh", "-c", ENTER, group, "sh", "-c", FURNISH, "sh", *before, *map(str, words)],
                              text=True, stdout=subprocess.PIPE)
    finally:
        remove(group)
    if done.returncode != 0:
        raise subprocess.SubprocessError(f"what is measured in a room ended with status {done.returncode}, see above")
    return done.stdout


def remove(group: Path) -> None:
    until = time.monotonic() + 10
    while group.exists() and time.monotonic() < until:
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):  # it stays for some milliseconds after its last process
                os.rmdir(folder)
        time.sleep(0.01)
