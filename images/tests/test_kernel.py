"""Resolving modules, and what a kernel image says about itself."""

import struct

import pytest
from huskvm import elf, kernel
from huskvm.paths import HarnessError


def resolve(wanted, modules, builtin=()):
    return kernel.resolve(wanted, lambda name: modules.get(name), set(builtin))


def depends(*names):
    return {"depends": [",".join(names)]}


def test_the_last_of_a_line_is_loaded_first():
    modules = {"top": depends("middle"), "middle": depends("bottom"), "bottom": depends()}
    assert resolve(["top"], modules)["top"] == ["middle", "bottom"]


def test_what_is_needed_has_a_line_of_its_own():
    modules = {"top": depends("bottom"), "bottom": depends()}
    assert set(resolve(["top"], modules)) == {"top", "bottom"}


def test_a_module_needed_twice_is_listed_once_and_before_both():
    modules = {"a": depends("b", "c"), "b": depends("d"), "c": depends("d"), "d": depends()}
    order = resolve(["a"], modules)["a"][::-1]
    assert sorted(order) == ["b", "c", "d"] and order[0] == "d"


def test_built_in_modules_are_left_out():
    assert resolve(["ext4", "a"], {"a": depends("ext4")}, {"ext4"}) == {"a": []}


def test_soft_dependencies_count_when_they_are_there():
    modules = {"erofs": {"depends": [""], "softdep": ["pre: crc32c missing post: other"]}, "crc32c": depends()}
    assert resolve(["erofs"], modules)["erofs"] == ["crc32c"]


def test_a_missing_module_is_an_error_that_names_who_needs_it():
    with pytest.raises(HarnessError, match="module 'a' needs 'b'"):
        resolve(["a"], {"a": depends("b")})


def test_a_circle_is_an_error_that_names_its_members():
    with pytest.raises(HarnessError, match="a -> b -> a"):
        resolve(["a"], {"a": depends("b"), "b": depends("a")})


@pytest.mark.parametrize("path", ["kernel/fs/dm-verity.ko", "dm-verity.ko.xz", "kernel/x/dm_verity.ko.zst"])
def test_module_names_use_underscores(path):
    assert kernel.module_name(path) == "dm_verity"


def test_the_version_is_read_from_the_image(tmp_path):
    image = tmp_path / "vmlinuz"
    head = bytearray(0x1000)
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x20E, 0x300)
    head[0x500:0x520] = b"6.12.1-test (x@y) #1 SMP\0".ljust(0x20, b"\0")
    image.write_bytes(head)
    assert kernel.image_version(image) == "6.12.1-test"


def test_a_kernel_of_ones_own_finds_its_modules_beside_it(tmp_path):
    test_the_version_is_read_from_the_image(tmp_path)
    (tmp_path / "lib/modules/6.12.1-test/kernel/fs").mkdir(parents=True)
    (tmp_path / "lib/modules/6.12.1-test/kernel/fs/erofs.ko").touch()
    found = kernel.get(str(tmp_path / "vmlinuz"))
    assert found.present(["erofs"]) == ["erofs"]
    with pytest.raises(HarnessError, match="no module 'overlay'"):
        found.present(["overlay"])


def test_a_kernel_without_modules_has_everything_built_in(tmp_path):
    test_the_version_is_read_from_the_image(tmp_path)
    assert kernel.get(str(tmp_path / "vmlinuz")).present(kernel.MODULES) == []


def test_what_is_no_kernel_is_said_so(tmp_path):
    (tmp_path / "x").write_text("hello")
    with pytest.raises(HarnessError, match="not an x86 kernel image"):
        kernel.get(str(tmp_path / "x"))
    with pytest.raises(HarnessError, match="no kernel '7.0': say 6.1, 6.12 or"):
        kernel.get("7.0")


def test_elf_of_a_program_names_interpreter_and_libraries():
    with open("/usr/bin/env", "rb") as handle:
        parsed = elf.parse(handle.read())
    assert parsed.interpreter.endswith("ld-linux-x86-64.so.2") and "libc.so.6" in parsed.needed


def test_what_is_no_elf_is_refused():
    with pytest.raises(ValueError):
        elf.parse(b"#!/bin/sh\n")
