"""The programs that go into an image: husk, the agent and the demo's own, built when they are missing or old."""

import os
import subprocess
from pathlib import Path

from .paths import DEMO, REPO, HarnessError, build_dir, image_lock, images_dir, program_lock, progress

SOURCES = {
    "husk": ["CMakeLists.txt", "CMakePresets.json", "cmake", "base", "rootfs", "config", "container", "network",
             "supervisor", "init", "cli"],
    "husk-agent": ["images/agent"],
}

_done: set[str] = set()


def _run(words: list[str], what: str) -> None:
    done = subprocess.run(words, cwd=REPO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-40:])
        raise HarnessError(f"{what} failed ({' '.join(words)}):\n{tail}")


def toolchain() -> None:
    if "toolchain" in _done:
        return
    # Its own progress goes to stderr: the first call takes minutes.
    done = subprocess.run([str(REPO / "toolchain/bootstrap")], stdin=subprocess.DEVNULL, stdout=2)
    if done.returncode != 0:
        raise HarnessError(f"toolchain/bootstrap failed with status {done.returncode}")
    _done.add("toolchain")


def device() -> Path:
    """The folder with the device's programs, up to date. Quick when nothing changed."""
    folder = build_dir() / "device"
    if "device" in _done:
        return folder
    toolchain()
    if not _current(folder):
        with program_lock():
            _build(folder)
    _done.add("device")
    return folder


def _build(folder: Path) -> None:
    if not (folder / "husk").exists():
        progress("building husk (first time) …")
    if not (folder / "build.ninja").exists():
        _run(["cmake", "--preset", "device", "-B", str(folder)], "configuring husk")
    try:
        _run(["cmake", "--build", str(folder)], "building husk")
    except HarnessError:
        # A build by hand in the same folder may have been at work: once more, and that counts.
        _run(["cmake", "--build", str(folder)], "building husk")


def _current(folder: Path) -> bool:
    """Whether both programs are newer than all that they are built from, so that nobody's long build of another
    preset need be waited for. A folder's time tells of files that came or went. In doubt no: ninja knows."""
    try:
        for program, sources in SOURCES.items():
            built = (folder / program).stat().st_mtime
            for source in [REPO / name for name in sources]:
                for path in [source, *source.iterdir()] if source.is_dir() else [source]:
                    if path.stat().st_mtime >= built:
                        return False
    except OSError:
        return False
    return True


def husk() -> Path:
    return device() / "husk"


def agent() -> Path:
    return device() / "husk-agent"


def heartbeat() -> Path:
    """The demo's small static program, by the device's compiler."""
    source, target = DEMO / "heartbeat.cc", images_dir() / "heartbeat"
    toolchain()
    with image_lock():
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            compiler = build_dir() / "toolchain" / os.environ.get("ARCH", "x86_64") / "bin/husk-c++"
            fresh = target.with_suffix(".new")
            _run([str(compiler), "-std=c++23", "-Os", "-fPIE", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra",
                  "-s", "-o", str(fresh), str(source)], "building the demo's heartbeat")
            fresh.rename(target)
    return target
