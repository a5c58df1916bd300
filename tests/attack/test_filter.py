"""With every system call open, SystemCallFilter=@known, the other locks hold: capabilities, user namespaces, keyrings and
the kernel's own settings."""

from attacks import NO_SUCH_CALL, refused, succeeded, unit

OPEN = "SystemCallFilter=@known"
DEMAND = {"install": "Enabled=no"}
UNITS = {
    "modules": unit("modules", container=OPEN),
    "calls": unit("kernel_calls", container=OPEN),
    "foreign": unit("foreign_calls", container=OPEN),
    "cgroup": unit("cgroup", container=OPEN),
    "namespaces": unit("namespaces", container=OPEN),
    "chroot": unit("chroot", container=OPEN),
    "disk": unit("disk", container=OPEN),
    "terminal-own": unit("terminal", "own", container=OPEN),
    "propagate": unit("propagate", "/shared", container=f"{OPEN}\nVolume=shared.volume:/shared", stays=True),
    "handles": unit("handles", "/shared", container=f"{OPEN}\nVolume=shared.volume:/shared"),
    "memory": unit("kernel_memory", container=OPEN),
    "others": unit("processes", container=f"{OPEN}\nPrivatePIDs=no\nUserNS=host\nUser=1000"),
    "keys": unit("keyring", container=OPEN, **DEMAND),
    "keys-host": unit("keyring", container=f"{OPEN}\nUserNS=host", **DEMAND),
    "keys-host-user": unit("keyring", container=f"{OPEN}\nUserNS=host\nUser=1000", **DEMAND),
}


def test_the_calls_come_through(attacker):
    """Or the rest would be about the filter."""
    tried = attacker.inside("calls")
    assert tried["io_uring"] == "ok"


def test_there_is_no_capability_for_them(attacker):
    refused(attacker.inside("modules"), "EPERM")
    refused(attacker.inside("chroot"), "EPERM", "ENOENT")
    refused(attacker.inside("disk"), "EPERM", "ENOENT")
    refused(attacker.inside("handles"), "EPERM", "EBADF", but=("the folder",))
    refused(attacker.inside("propagate"), "EPERM", but=("write there",))
    refused(attacker.inside("cgroup"), "EPERM", "EROFS", "EACCES")
    refused(attacker.inside("memory"), "EPERM", "ENOENT", "ENODATA", "EACCES")
    refused(attacker.inside("others"), "EPERM", "EACCES", but=("others",))


def test_the_kernel_keeps_bpf_and_counters_to_the_devices_root(attacker):
    tried = attacker.inside("calls")
    for what in ("bpf program", "bpf map", "perf of a processor", "userfaultfd"):
        assert tried[what] in ("EPERM", "EACCES"), what


def test_namespaces_other_tables_and_typing_stay_shut(attacker):
    refused(attacker.inside("namespaces"), *NO_SUCH_CALL)
    tried = attacker.inside("foreign")
    assert tried["i386"] == tried["x32"] == tried["mount of i386"] == "signal 31"
    assert attacker.inside("terminal-own")["TIOCSTI on a terminal of its own"] == "EPERM"


def test_the_devices_keys_are_in_another_keyring(attacker, guest):
    succeeded(attacker.outside("keyring", "plant"))
    succeeded(attacker.outside("keyring"), "user")
    for name in ("keys", "keys-host-user"):
        refused(attacker.start(name), "ENOKEY", "ENODATA", "EACCES", "EPERM")
    # A user's keyring goes by its id: with the device's ids the device's root has the one that it has outside. What
    # only a session knows it has not.
    assert attacker.start("keys-host")["session"] == "ENOKEY"
