"""The kernel's own interfaces: devices, /proc and /sys, control groups, calls that are for the device's root only.

Where two locks bar a way, a unit opens one and shows that the other holds."""

import pytest
from attacks import NO_SUCH_CALL, refused, succeeded, unit

DEMAND = {"install": "Enabled=no"}
ADMIN = "AddCapability=CAP_SYS_ADMIN"
UNITS = {
    "disk": unit("disk"),
    "disk-mknod": unit("disk", container="AddCapability=CAP_MKNOD"),
    "disk-mknod-host": unit("disk", container="AddCapability=CAP_MKNOD\nUserNS=host"),
    "disk-mknod-allowed": unit("disk", container="AddCapability=CAP_MKNOD\nUserNS=host",
                               service="DeviceAllow=block-virtblk m\nDeviceAllow=char-mem m"),
    "disk-volume": unit("disk", "/tmp /nodes/sectors", container="Volume=/dev/attack:/nodes:noidmap", **DEMAND),
    "disk-volume-host": unit("disk", "/tmp /nodes/sectors", container="Volume=/dev/attack:/nodes:noidmap\nUserNS=host", **DEMAND),
    "disk-volume-dev": unit("disk", "/tmp /nodes/sectors", container="Volume=/dev/attack:/nodes:noidmap,dev", **DEMAND),
    "disk-volume-dev-host": unit("disk", "/tmp /nodes/sectors", container="Volume=/dev/attack:/nodes:noidmap,dev\nUserNS=host", **DEMAND),
    "disk-root": unit("disk", "/tmp /sectors", container="Rootfs=/dev/attack\nUserNS=host", **DEMAND),
    "handles": unit("handles", "/data", container="Volume=handles.volume:/data", **DEMAND),
    "handles-capable": unit("handles", "/data", container="Volume=handles.volume:/data\nAddCapability=CAP_DAC_READ_SEARCH",
                            **DEMAND),
    "handles-host": unit("handles", "/data", container="Volume=handles.volume:/data\nUserNS=host", **DEMAND),
    "writes": unit("writes"),
    "writes-unmasked": unit("writes", container="Unmask=ALL"),
    "writes-host": unit("writes", container="UserNS=host"),
    "memory": unit("kernel_memory"),
    "memory-unmasked": unit("kernel_memory", container="Unmask=ALL"),
    "memory-host": unit("kernel_memory", container="UserNS=host"),
    "modules": unit("modules"),
    "modules-capable": unit("modules", container="AddCapability=CAP_SYS_MODULE CAP_SYS_BOOT CAP_SYS_ADMIN CAP_SYS_PACCT"),
    "modules-host": unit("modules", container="UserNS=host"),
    "calls": unit("kernel_calls"),
    "calls-capable": unit("kernel_calls", container="AddCapability=CAP_BPF CAP_PERFMON CAP_SYS_ADMIN CAP_SYS_PTRACE"),
    "calls-host": unit("kernel_calls", container="UserNS=host"),
    "foreign": unit("foreign_calls"),
    "foreign-host": unit("foreign_calls", container=f"UserNS=host\n{ADMIN}\nNoNewPrivileges=no"),
    "cgroup": unit("cgroup"),
    "cgroup-host": unit("cgroup", container="UserNS=host"),
    "cgroup-admin": unit("cgroup", container=ADMIN),
    "cgroup-admin-host": unit("cgroup", container=f"{ADMIN}\nUserNS=host"),
}


# The disk


def test_the_disk_cannot_be_reached_by_a_node(attacker):
    succeeded(attacker.outside("disk", "/dev"))
    refused(attacker.inside("disk"), "EPERM", "ENOENT")


def test_with_the_capability_the_user_namespace_still_refuses_nodes(attacker):
    refused(attacker.inside("disk-mknod"), "EPERM", "ENOENT")


def test_without_both_the_device_filter_refuses_nodes(attacker):
    refused(attacker.inside("disk-mknod-host"), "EPERM", "ENOENT")


def test_without_all_three_a_node_can_be_made_but_not_opened(attacker):
    tried = attacker.inside("disk-mknod-allowed")
    succeeded(tried, "make a node of the disk")
    refused(tried, "EACCES", "EPERM", "ENOENT", but=("make a node of the disk", "make a node of memory"))


@pytest.fixture(scope="module")
def nodes(guest):
    """A volume, or a root, with nodes that the device's root made; on the one file system of the device where they work."""
    done = guest.run("mkdir -p /dev/attack && cd /dev/attack &&"
                     "mkdir -p proc sys dev tmp run etc var/tmp &&"
                     "mknod -m 666 sectors b $(tr : ' ' </sys/class/block/vda/dev)", 20)
    assert done.status == 0, done


@pytest.mark.parametrize("name", ["disk-volume", "disk-volume-host", "disk-root"])
def test_a_node_on_a_volume_or_in_a_root_is_none(attacker, nodes, name):
    assert attacker.outside("disk", "/dev /dev/attack/sectors")["read a node that is there"] == "ok"
    assert attacker.start(name)["read a node that is there"] == "EACCES"


@pytest.mark.parametrize("name", ["disk-volume-dev", "disk-volume-dev-host"])
def test_where_nodes_work_the_device_filter_refuses_them(attacker, nodes, name):
    assert attacker.start(name)["read a node that is there"] == "EPERM"


def test_no_file_is_opened_by_its_handle(attacker, guest):
    guest.run("mkdir -p /var/lib/husk/volumes/neighbour /var/lib/husk/volumes/handles", 20)
    succeeded(attacker.outside("handles", "/var/lib/husk/volumes/handles"))
    for name in ("handles", "handles-capable", "handles-host"):
        tried = attacker.start(name)
        assert tried["the root by its handle"] == "EPERM" and tried["the folder"] == "ok"
        assert tried["a neighbour's files"] != "ok"


# /proc and /sys


def test_settings_of_the_kernel_are_read_only(attacker):
    succeeded(attacker.outside("writes"))
    refused(attacker.inside("writes"), "EROFS", "EACCES")


def test_where_they_are_not_they_belong_to_somebody_else(attacker):
    # Those of the container's own network are its own.
    refused(attacker.inside("writes-unmasked"), "EACCES", "EPERM", "EROFS", but=("/proc/sys/net/ipv4/ip_forward",))


def test_for_the_devices_root_they_are_read_only_too(attacker):
    refused(attacker.inside("writes-host"), "EROFS", "EACCES")


def test_what_the_kernel_holds_is_hidden(attacker):
    succeeded(attacker.outside("kernel_memory"))
    refused(attacker.inside("memory"), "EACCES", "EPERM", "ENOENT", "ENODATA")


def test_without_masks_it_belongs_to_somebody_else(attacker):
    tried = attacker.inside("memory-unmasked")
    # Readable for all on any system; husk's masks are what hides them.
    refused(tried, "EACCES", "EPERM", "ENOENT", "ENODATA", but=("/proc/interrupts", "/proc/keys"))


def test_for_the_devices_root_it_is_hidden_too(attacker):
    # Counts of the kernel's memory, which any system's root can read.
    refused(attacker.inside("memory-host"), "EACCES", "EPERM", "ENOENT", "ENODATA",
            but=("/proc/vmallocinfo", "/proc/slabinfo", "/proc/kpageflags", "/proc/kpagecount"))


# Calls


def test_no_code_gets_into_the_kernel(attacker):
    outside = attacker.outside("modules")
    assert not [answer for what, answer in outside.items() if answer in NO_SUCH_CALL], outside
    refused(attacker.inside("modules"), *NO_SUCH_CALL)


def test_with_the_calls_allowed_the_user_namespace_has_no_right_to_them(attacker):
    tried = attacker.inside("modules-capable")
    refused(tried, *NO_SUCH_CALL, but=("reboot",))
    assert tried["reboot"] == "EINVAL"  # it would be about the container's own processes


def test_the_devices_root_has_no_capability_for_them(attacker):
    refused(attacker.inside("modules-host"), *NO_SUCH_CALL)


def test_calls_with_a_history_are_refused(attacker):
    succeeded(attacker.outside("kernel_calls"))
    refused(attacker.inside("calls"), *NO_SUCH_CALL)
    refused(attacker.inside("calls-host"), *NO_SUCH_CALL)


def test_with_capabilities_they_are_for_the_devices_namespace_only(attacker):
    refused(attacker.inside("calls-capable"), "EPERM", "ENOSYS", "EACCES")


@pytest.mark.parametrize("name", ["foreign", "foreign-host"])
def test_other_tables_of_calls_end_the_process(attacker, name):
    assert attacker.outside("foreign_calls")["i386"] == "ok"
    tried = attacker.inside(name)
    assert tried["i386"] == tried["x32"] == tried["mount of i386"] == "signal 31"
    assert tried["a number that no call has"] in NO_SUCH_CALL


# Control groups


def test_a_container_cannot_change_its_limits(attacker, guest):
    guest.run("mkdir -p /sys/fs/cgroup/units/attacked", 20)
    tried = attacker.outside("cgroup", "/sys/fs/cgroup/units/attacked")
    succeeded(tried, *(set(tried) - {"release agent in a new user namespace"}))
    guest.run("rmdir /sys/fs/cgroup/units/attacked", 20)
    refused(attacker.inside("cgroup"), "EROFS", "EPERM", "EACCES")


def test_as_the_devices_root_it_has_them_read_only(attacker):
    refused(attacker.inside("cgroup-host"), "EROFS", "EPERM")


def test_mounted_anew_they_belong_to_somebody_else(attacker):
    refused(attacker.inside("cgroup-admin"), "EROFS", "EACCES", "EPERM")


def test_a_release_agent_is_for_the_devices_namespace_only(attacker):
    tried = attacker.inside("cgroup-admin-host")
    assert tried["release agent"] in ("EPERM", "EACCES")
    assert tried["release agent in a new user namespace"] in ("EPERM", "EACCES")
