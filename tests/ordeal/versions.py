"""The image that a device of the ordeal switches: its versions, and what may be on disk of them when the power goes.

What the image means and which versions there are is promised in one mark (life.IMAGE). Its words: "one" is what it may
mean, "two/one" two on trial, which goes back to one; "=one" is a version that is there, "+two" one that comes or goes."""

import functools
import json
import random
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from huskvm import verity

NAME = "app"
BUILT_IN = "built-in"  # what it means before the first switch
SICK = "sick"  # lacks the program, so its unit fails at once
VERSIONS = ["one", "two", SICK]
ABOUT = "about"  # a file in each: which one it is, and enough to read
# Else the same content would be other bytes the next day.
_SAME = ["--quiet", "-T0", "-U", "68757368-0000-4000-8000-6f726465616c"]


@functools.cache
def about(version: str) -> bytes:
    return f"{version}\n".encode() + random.Random(version).randbytes(1 << 20)


@functools.cache
def files(version: str) -> dict[str, bytes]:
    """All that the folder of a version has."""
    with tempfile.TemporaryDirectory(prefix="husk-image-") as name:
        folder = Path(name)
        (folder / "root").mkdir()
        (folder / "root" / ABOUT).write_bytes(about(version))
        (folder / "root/durable").touch()  # the program is the device's, and its name the image's
        if version != SICK:
            (folder / "root/start").symlink_to("durable")
        image = folder / "image.erofs"
        subprocess.run(["mkfs.erofs", *_SAME, str(image), str(folder / "root")], check=True, stdout=subprocess.DEVNULL)
        root_hash = verity.append(image)
        return {"image.erofs": image.read_bytes(), "image.roothash": f"{root_hash}\n".encode()}


def write_given(folder: Path) -> None:
    """As files that can be added."""
    folder.mkdir()
    for version in VERSIONS:
        for name, data in files(version).items():
            (folder / name.replace("image", version)).write_bytes(data)


@dataclass
class Promise:
    """What the image may mean, its versions that are there for sure, and those that may be."""

    meanings: list[str]
    there: set[str]
    maybe: set[str]

    @classmethod
    def of(cls, words: list[str]) -> "Promise":
        return cls([word for word in words if word[0] not in "=+"] or [BUILT_IN],
                   {word[1:] for word in words if word[0] == "="}, {word[1:] for word in words if word[0] == "+"})

    @property
    def after_boot(self) -> set[str]:
        return {word.partition("/")[2] or word for word in self.meanings}

    def versions_are_wrong(self, found: set[str]) -> str:
        """"": they are not."""
        if self.there <= found <= self.there | self.maybe:
            return ""
        return f"of image '{NAME}' there are {sorted(found)}, not {sorted(self.there)} and perhaps {sorted(self.maybe)}"


@dataclass
class Store:
    """The image's folder on a disk."""

    folder: Path

    @property
    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()} if self.folder.exists() else set()

    @property
    def versions(self) -> set[str]:
        return self.names - {"current", "state", ".current", "state.new"}

    def is_whole(self, version: str) -> bool:
        found = {path.name: path.read_bytes() for path in (self.folder / version).iterdir()}
        return version in VERSIONS and found == files(version)

    @property
    def meaning(self) -> str:
        """As in a mark."""
        link = self.folder / "current"
        current = str(link.readlink()) if link.is_symlink() else BUILT_IN
        back = self.way_back
        return current if back in ("", current) else f"{current}/{back}"

    @property
    def way_back(self) -> str:
        """Of the trial that is noted."""
        path = self.folder / "state"
        lines = path.read_text().splitlines() if path.exists() else []
        return next((line.partition("=")[2] for line in lines if line.startswith("trial.before=")), "")


def look_at_list(answer: str, promise: Promise) -> str:
    """`husk image list --json` of a boot that has settled; "" where all is as it must be."""
    image = next((one for one in json.loads(answer).get("images", []) if one["name"] == NAME), None)
    if not image:
        return promise.versions_are_wrong(set())
    if image["current"] not in promise.after_boot:
        return f"image '{NAME}' is {image['current']}, none of {sorted(promise.after_boot)}"
    running = [one["version"] for one in image["versions"] if NAME in one["units"]]
    if running not in ([], [image["current"]]):
        return f"image '{NAME}' is {image['current']}, and its unit runs from {running}"
    return promise.versions_are_wrong({one["version"] for one in image["versions"]})
