"""The power goes at random moments of a device's life, again and again on the same disk: QEMU is killed, or its reset
button pressed. Each time the disk is judged as it is, and then by the boot that follows."""

import hashlib
import json
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import huskvm
import life
import versions
from boot_conftest import TIMEOUT
from figures import report
from judge import HALF, UNBOOTABLE, History, Tally, look, look_at_images, look_at_status, scratch


@dataclass
class Moment:
    """A kind of moment: what goes on, and for how long the power may still be there then, in seconds."""

    begin: callable  # given a guest that has settled; None: the boot itself
    most: float
    often: int  # as to the others


def shut_down(guest) -> None:
    life.mark_shutdown(guest)
    life.run(guest, "husk poweroff")


MOMENTS = {
    "boot": Moment(None, 0, 3),  # how long that takes is seen
    "run": Moment(lambda guest: None, 4, 2),
    "apply": Moment(lambda guest: life.drive(guest, "changes"), 8, 4),
    "shutdown": Moment(shut_down, 3, 2),
    "image switch": Moment(lambda guest: life.drive(guest, "images"), 5, 3),
}
# One after the other, so that few cuts have all of them.
ORDER = [name for turn in range(10) for name, moment in MOMENTS.items() if turn < moment.often]


@dataclass
class Cut:
    number: int
    moment: str
    part: float  # of the time that it may come in
    reset: bool  # the button; otherwise QEMU is killed

    @classmethod
    def of(cls, seed: str, number: int) -> "Cut":
        rng = random.Random(f"{seed} {number}")
        return cls(number, ORDER[number % len(ORDER)], rng.random(), rng.random() < 0.3)

    def __str__(self) -> str:
        return f"cut {self.number} ({'reset' if self.reset else 'kill'} at {self.part:.3f} of {self.moment})"


class Device:
    """One disk and its guest, from cut to cut."""

    def __init__(self, guest, disk: Path, scratch_disk: Path):
        self.guest, self.disk, self._copy = guest, disk, scratch_disk
        self.history, self.tally = History(), Tally()
        self._boot_time = 0.0
        self._on = False

    def come_up(self) -> list[tuple[str, str]]:
        """A boot, and what is wrong with it."""
        marks = life.Marks.of(self.disk)
        began = time.monotonic()
        if not self._on:
            self.guest.start()
        self._on = True
        try:
            self.guest.wait_agent(TIMEOUT)
            self.guest.settle(TIMEOUT)
        except huskvm.HarnessError as error:
            return [(UNBOOTABLE, str(error))]
        self._boot_time = max(self._boot_time, time.monotonic() - began)
        status = self.guest.run("husk status --json", 60).text
        problems = look_at_status(status, marks)
        problems += self._folder_now(marks)
        problems += self._image_now(status, marks)
        life.run(self.guest, f"{life.DRIVER} settled")
        return problems

    def _folder_now(self, marks: life.Marks) -> list[tuple[str, str]]:
        """Its name, and nothing that waits: what is in it is looked at whenever the power goes."""
        name = self.guest.run(f"{life.DRIVER} now; ls -A /var/lib/husk/{life.ACTIVE}", 60).text.split()
        if name[0] not in marks.units_after_boot or ".pending" in name:
            return [(HALF, f"after the boot the folder is {name}, not one of {marks.units_after_boot}")]
        life.run(self.guest, f"{life.DURABLE} mark /dev/vda {life.UNITS} {name[0]}")
        return []

    def _image_now(self, status: str, marks: life.Marks) -> list[tuple[str, str]]:
        """The unit runs from what the image means, and that to its last byte."""
        names = self.guest.run(f"ls -A {life.STORE}", 60).text.split()
        problems = look_at_images(self.guest.run("husk image list --json", 60).text, names, marks)
        meaning = self.guest.run(f"{life.DRIVER} meaning", 60).text.strip()
        life.run(self.guest, f"{life.DRIVER} says {meaning}")
        for pid in [one["main_pid"] for one in json.loads(status)["units"] if one["name"] == versions.NAME]:
            seen = self.guest.run(f"sha256sum </proc/{pid}/root/{versions.ABOUT}", 60).text.split()
            if seen[:1] != [hashlib.sha256(versions.about(meaning)).hexdigest()]:
                problems.append((HALF, f"image '{versions.NAME}' is {meaning}, and its unit has another: {seen}"))
        return problems

    def cut(self, cut: Cut) -> list[tuple[str, str]]:
        """The power goes at that moment; what is wrong with the disk then."""
        moment = MOMENTS[cut.moment]
        problems = []
        if moment.begin:
            moment.begin(self.guest)
            time.sleep(cut.part * moment.most)  # a moment is what is wanted
        else:
            life.run(self.guest, f"{life.DRIVER} on_trial")  # there is something to take back
            problems += self._power_goes(reset=False)
            self.guest.start()
            time.sleep(cut.part * self._boot_time)
        return problems + self._power_goes(cut.reset)

    def _power_goes(self, reset: bool) -> list[tuple[str, str]]:
        self._on = reset and self._pause()
        if not self._on:
            self.guest.power_off()
        life.copy(self.disk, self._copy)
        trouble = life.Marks.of(self._copy).words[life.TROUBLE]
        assert not trouble, f"the driver could not '{' '.join(trouble)}'"
        problems = look(self._copy, self.history)
        life.put_mark(self.disk, life.BOOT)  # no boot has settled that knows the disk as it is now
        if self._on:
            self.guest.reset()
            self.guest.qmp("cont")
        return problems

    def _pause(self) -> bool:
        """Whether there is still something to reset. What was under way comes to its end, as in a device's disk."""
        self.guest.qmp("stop")
        try:
            self.guest.check_alive()
        except huskvm.GuestTrouble:
            return False
        return True


def test_no_cut_of_power_costs_the_device_or_what_it_had_promised(request, seed, tmp_path):
    only, count = request.config.getoption("cut"), request.config.getoption("cuts")
    cuts = [Cut.of(seed, number) for number in ([only] if only is not None else range(count))]
    (tmp_path / "none").mkdir()
    with tempfile.TemporaryDirectory(prefix="husk-cuts-", dir=scratch()) as folder:
        disk = Path(folder) / "disk"
        life.new_disk(disk)
        options = huskvm.Options(units=tmp_path / "none", disk=disk, append="loglevel=7", timeout=TIMEOUT * 10,
                                 on_reboot="reset", modules=life.MODULES, files=life.guest_files(tmp_path))
        with huskvm.launch.machine(options) as guest:
            device = Device(guest, disk, Path(folder) / "copy")
            tally = device.tally
            assert device.come_up() == []
            life.run(guest, f"{life.DRIVER} first_image")
            life.run(guest, f"{life.DRIVER} changes once")  # there is something to lose
            for cut in cuts:
                problems = device.cut(cut)
                problems += device.come_up()
                tally.add(str(cut), problems)
                if any(kind == UNBOOTABLE for kind, _ in problems):
                    break
            records = life.Marks.of(disk).records
    moments = ", ".join(f"{sum(cut.moment == name for cut in cuts)} in {name}" for name in MOMENTS)
    report(f"{tally.looked} cuts of power (seed '{seed}': {moments}): {tally}; {records} records on disk")
    again = f"once more: pytest tests/ordeal/test_power_cuts.py --seed '{seed}' --cut NUMBER"
    shown = "\n".join([*tally.texts[:20], again])
    assert tally.looked == len(cuts) and not tally.texts, shown
    assert records > 10 * len(cuts), "the writer did hardly anything"
