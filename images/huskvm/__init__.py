"""Boot images for husk under QEMU: build them, run them, talk to them. Standard library only."""

from .launch import Options, boot
from .paths import HarnessError
from .qemu import End, GuestTrouble, Machine

__all__ = ["End", "GuestTrouble", "HarnessError", "Machine", "Options", "boot"]
