"""One life of a device with each write of its disk noted: a first boot, changes of all kinds, an image that is switched,
an orderly end, a boot, a change that waits to be confirmed and an image on trial, a reset, and the boot that goes back."""

from dataclasses import dataclass
from pathlib import Path

import huskvm
import life
from boot_conftest import TIMEOUT
from write_log import SECTOR, WriteLog


@dataclass
class Recording:
    """`base` is the disk before the first write of `log`."""

    base: Path
    log: WriteLog

    @classmethod
    def at(cls, folder: Path) -> "Recording":
        return cls(folder / "base", WriteLog(folder / "log"))

    @property
    def marks_from(self) -> int:
        return (self.base.stat().st_size - life.MARK_ROOM) // SECTOR


def record(folder: Path, parts: Path) -> Recording:
    """Leaves `base` and `log` in `folder`; `parts` is for what the guest is made of."""
    life.new_disk(folder / "base")
    life.copy(folder / "base", folder / "disk")
    (parts / "none").mkdir()
    with huskvm.boot(units=parts / "none", disk=folder / "disk", write_log=folder / "log", on_reboot="reset",
                     files=life.guest_files(parts), modules=life.MODULES, append="loglevel=7",
                     timeout=TIMEOUT * 2) as guest:
        life.run(guest, f"{life.DRIVER} settled")
        life.run(guest, f"{life.DRIVER} first_image")
        life.run(guest, f"{life.DRIVER} changes once")
        life.run(guest, f"{life.DRIVER} images once")
        life.run(guest, "sleep 4")  # the timer at its work
        life.mark_shutdown(guest)
        guest.run("husk reboot", 60)
        guest.wait_reset()
        guest.wait_agent()
        guest.settle()
        life.run(guest, f"{life.DRIVER} settled")
        life.run(guest, f"{life.DRIVER} on_trial")
        life.run(guest, f"{life.DRIVER} unconfirmed")
        guest.reset()
        guest.wait_agent()
        guest.settle()
        life.run(guest, f"[ $({life.DRIVER} now) = a+ ] && {life.DURABLE} mark /dev/vda {life.UNITS} a+")
        life.run(guest, f"{life.DRIVER} says $({life.DRIVER} meaning)")
        life.run(guest, f"{life.DRIVER} settled")
        life.run(guest, "sleep 3")
        guest.qmp("stop")  # and all that is under way is in the log
    (folder / "disk").unlink()
    return Recording.at(folder)
