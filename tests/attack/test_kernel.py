"""The kernel's own interfaces: devices, /proc and /sys, calls that are for the device's root only."""

from attacks import refused, succeeded, unit

UNITS = {
    "disk": unit("disk"),
    "disk-mknod": unit("disk", container="AddCapability=CAP_MKNOD"),
    "disk-mknod-host": unit("disk", container="AddCapability=CAP_MKNOD\nUserNS=host"),
}


def test_the_disk_cannot_be_reached_by_a_node(attacker):
    succeeded(attacker.outside("disk", "/dev"))
    refused(attacker.inside("disk"), "EPERM", "ENOENT")


def test_with_the_capability_the_user_namespace_still_refuses_nodes(attacker):
    refused(attacker.inside("disk-mknod"), "EPERM", "ENOENT")


def test_without_both_a_node_can_be_made_but_not_opened(attacker):
    tried = attacker.inside("disk-mknod-host")
    succeeded(tried, "make a node of the disk")
    refused(tried, "EACCES", "EPERM", "ENOENT", but=("make a node of the disk", "make a node of memory"))
