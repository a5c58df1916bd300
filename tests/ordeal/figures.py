"""How long the ordeal is, and what it prints at its end."""

import os

LONG = "HUSK_LONG" in os.environ

lines: list[str] = []


def report(line: str) -> None:
    lines.append(line)
