"""husk boots from a disk in namespaces of the host: PID 1, supervisor and units as on a device, at the machine's own speed.
The disk is a loop device, which they find as /dev/vda, and husk mounts it by itself."""

import shutil
from pathlib import Path

import huskvm.build
import life
from test_containers import Device

_SUPERVISOR = f"""#!/bin/sh
[ -e /dev/vda ] || mknod /dev/vda b {{major}} {{minor}}
mountpoint -q /mnt || {{{{ mount -t tmpfs tmpfs /mnt && cp /run/test/durable {life.DURABLE}; }}}}
exec /run/test/husk "$@" --units=/run/test/state/{life.ACTIVE} --config=/run/test/system.conf --state-dir=/run/test/state
"""
_SYSTEM_CONF = "[System]\nStateDevice=/dev/vda\nStateFilesystem=ext4\n[Manager]\nDefaultTasksMax=infinity\n"


class HostBoot(Device):
    MORE_NAMESPACES = ["--net"]

    def __init__(self, directory: Path, device: Path):
        super().__init__(directory, {})
        number = device.stat().st_rdev
        self.START_SUPERVISOR = _SUPERVISOR.format(major=number >> 8, minor=number & 0xff)
        (directory / "system.conf").write_text(_SYSTEM_CONF)
        shutil.copy(huskvm.build.device() / "probes/durable", directory / "durable")

    @property
    def state(self) -> Path:
        return self.inside("/run/test/state")
