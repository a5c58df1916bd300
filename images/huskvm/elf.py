"""The little of ELF that image building needs: what a program links to, what a module declares."""

import struct
from dataclasses import dataclass, field

PT_DYNAMIC, PT_INTERP, PT_LOAD = 2, 3, 1
DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH = 1, 5, 15, 29


@dataclass
class Elf:
    interpreter: str = ""
    needed: list[str] = field(default_factory=list)
    runpath: list[str] = field(default_factory=list)


def is_elf(data: bytes) -> bool:
    return data[:4] == b"\x7fELF"


def _layout(data: bytes):
    """Byte order, and whether the file is a 64-bit one."""
    if not is_elf(data) or len(data) < 52:
        raise ValueError("not an ELF file")
    return ("<" if data[5] == 1 else ">"), data[4] == 2


def _string(data: bytes, offset: int) -> str:
    return data[offset : data.index(b"\0", offset)].decode()


def parse(data: bytes) -> Elf:
    """Interpreter and shared libraries of a program or library. Raises ValueError or struct.error."""
    order, wide = _layout(data)
    phoff = struct.unpack_from(order + ("Q" if wide else "I"), data, 32 if wide else 28)[0]
    phentsize, phnum = struct.unpack_from(order + "HH", data, 54 if wide else 42)
    loads, dynamic, result = [], None, Elf()
    for index in range(phnum):
        at = phoff + index * phentsize
        if wide:
            kind, _, offset, address, _, size = struct.unpack_from(order + "IIQQQQ", data, at)
        else:
            kind, offset, address, _, size = struct.unpack_from(order + "IIIII", data, at)
        if kind == PT_LOAD:
            loads.append((address, offset, size))
        elif kind == PT_DYNAMIC:
            dynamic = (offset, size)
        elif kind == PT_INTERP:
            result.interpreter = _string(data, offset)
    if dynamic:
        _read_dynamic(data, order + ("qQ" if wide else "iI"), dynamic, loads, result)
    return result


def _read_dynamic(data, entry, dynamic, loads, result):
    offset, size = dynamic
    entries = list(struct.iter_unpack(entry, data[offset : offset + size]))
    table = next((value for tag, value in entries if tag == DT_STRTAB), None)
    if table is None:
        return
    base = next((off + table - addr for addr, off, length in loads if addr <= table < addr + length), None)
    if base is None:
        raise ValueError("the string table is in no segment")
    for tag, value in entries:
        if tag == 0:
            break
        if tag == DT_NEEDED:
            result.needed.append(_string(data, base + value))
        elif tag in (DT_RPATH, DT_RUNPATH):
            result.runpath += _string(data, base + value).split(":")


def modinfo(data: bytes) -> dict[str, list[str]]:
    """The .modinfo section of a kernel module: key -> values."""
    order, wide = _layout(data)
    shoff = struct.unpack_from(order + ("Q" if wide else "I"), data, 40 if wide else 32)[0]
    shentsize, shnum, shstrndx = struct.unpack_from(order + "HHH", data, 58 if wide else 46)

    def section(index):
        at = shoff + index * shentsize
        name = struct.unpack_from(order + "I", data, at)[0]
        offset, size = struct.unpack_from(order + ("QQ" if wide else "II"), data, at + (24 if wide else 16))
        return name, offset, size

    names = section(shstrndx)[1]
    found: dict[str, list[str]] = {}
    for index in range(shnum):
        name, offset, size = section(index)
        if _string(data, names + name) != ".modinfo":
            continue
        for item in data[offset : offset + size].split(b"\0"):
            key, equals, value = item.partition(b"=")
            if equals:
                found.setdefault(key.decode(), []).append(value.decode(errors="replace"))
    return found
