"""Where things are: the repository, the build folder, and a lock around everything that builds."""

import contextlib
import fcntl
import os
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
IMAGES = REPO / "images"
DEMO = IMAGES / "demo"

# mke2fs, debugfs and e2fsck live where a plain user's PATH does not look.
os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


class HarnessError(Exception):
    """Trouble of the harness itself, with a message that says what to do."""


def build_dir() -> Path:
    return Path(os.environ.get("HUSK_BUILD") or REPO / "build").resolve()


def images_dir() -> Path:
    """The part of the build folder that belongs to images/."""
    path = build_dir() / "images"
    path.mkdir(parents=True, exist_ok=True)
    return path


def progress(message: str) -> None:
    """Progress goes to stderr only: stdout belongs to the guest's commands."""
    print(f"images: {message}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _locked(path: Path):
    with open(path, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def program_lock():
    """Around calls of cmake: everything that builds programs in this tree takes this one, tests/run too."""
    build_dir().mkdir(parents=True, exist_ok=True)
    return _locked(build_dir() / ".lock")


def image_lock():
    """Two runs at once must not make the same image; the second waits and finds it made. Not held while programs are
    built, which can take minutes."""
    return _locked(images_dir() / ".lock")
