"""Memory in a guest: PID 1, the supervisor, the kernel's for each container, and the least that a container runs with."""

import contextlib
import tempfile
from pathlib import Path

import boot_guest
import device_guest
import figures
import guest
from huskvm import boot

SIZES = (0, 10, 100, 1000)
KERNELS = 100  # containers that the kernel's memory is divided by
# Of /proc/meminfo, what the kernel takes; all that is gone, programs' memory too, is the change of MemAvailable.
KERNEL_PARTS = ("Slab", "Percpu", "KernelStack", "PageTables")
TRIED = (256, 192, 160, 128, 112, 96, 80, 64)  # KB


@contextlib.contextmanager
def husk(count: int):
    with tempfile.TemporaryDirectory(prefix="husk-bench-") as folder:
        given = boot_guest.husk(Path(folder), boot_guest.CONTAINER, count)
        with boot(units=given["units"], files=given["files"], kernel=guest.bare_kernel(), state=False, cpus=1,
                  memory="3G", timeout=1800) as machine:
            if machine.state != "running":
                raise machine.trouble(f"the guest is {machine.state}: {machine.run('husk status').text}")
            yield device_guest.Device(machine), machine


def bare(count: int) -> dict[str, int]:
    with tempfile.TemporaryDirectory(prefix="husk-bench-") as folder:
        given = boot_guest.bare(Path(folder), "")
        with guest.counted(Path(folder), count=count, agent=True, memory="3G", **given) as running:
            running.wait(guest.PROGRAM, count, 300)
            running.machine.wait_agent()
            return device_guest.memory_info(running.machine)


def per_container(without: dict[str, int], having: dict[str, int]) -> list[str]:
    """KB of each container: all, and the kernel's parts."""
    each = lambda name: (having[name] - without[name]) / KERNELS
    return [f"{-each('MemAvailable'):.0f}", *(f"{each(name):.0f}" for name in KERNEL_PARTS)]


def least() -> int:
    """KB of the smallest MemoryMax= that was tried and works; 0 where none does."""
    with husk(0) as (device, _):
        working = 0
        for size in TRIED:
            if not device.runs_with(f"{size}K", boot_guest.SMALL):
                break
            working = size
    return working


def measure(sizes: list[int] | None) -> list[dict]:
    rows, kernel = {}, {}
    for count in sizes or SIZES:
        with husk(count) as (device, machine):
            shown = [f"{memory[name]}" for memory in map(device.memory, device.pids.values()) for name in ("Rss", "Pss", "Anonymous")]
            kernel[count] = device_guest.memory_info(machine)
        rows[f"{count} containers"] = shown
    columns = [f"{who}: {what}, KB" for who in ("PID 1", "supervisor") for what in ("RSS", "PSS", "anonymous")]
    tables = [figures.texts("PID 1 and the supervisor", columns, rows, 1, notes=[
        "The binary's own pages are in both figures but the last: it lies in the initramfs, which is memory anyway. "
        f"Smallest MemoryMax= of those tried in which a static program runs: {least()}K."])]
    if 0 in kernel and KERNELS in kernel:
        tables.append(figures.texts("The kernel's memory for a container that idles", ["all that is gone, KB", *(
            f"{name}, KB" for name in KERNEL_PARTS)], {
                "bare": per_container(bare(0), bare(KERNELS)), "husk": per_container(kernel[0], kernel[KERNELS])}, 1,
            notes=[f"By /proc/meminfo with {KERNELS} containers and with none, caches dropped; the first is the change of "
                   "MemAvailable, with the program's own pages and, of husk, the supervisor's."]))
    return tables
