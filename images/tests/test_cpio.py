"""The archive writer: read back by the kernel's rules, byte by byte."""

import pytest
from huskvm.cpio import Archive, Tree


def entries(data):
    """name -> (mode, content) of a newc archive, as the kernel reads it."""
    found, at = {}, 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        size, name_size = fields[6], fields[11]
        name = data[at + 110 : at + 110 + name_size - 1].decode()
        assert data[at + 110 + name_size - 1] == 0
        start = (at + 110 + name_size + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = (fields[1], data[start : start + size], fields)
        at = (start + size + 3) & ~3


def test_parents_come_before_what_is_in_them():
    archive = Archive()
    archive.file("/etc/husk/units/a.container", b"x")
    assert list(entries(archive.data())) == ["etc", "etc/husk", "etc/husk/units", "etc/husk/units/a.container"]


def test_content_of_any_length_comes_back():
    archive = Archive()
    for size in range(9):
        archive.file(f"/f{size}", b"x" * size)
    found = entries(archive.data())
    assert {name: len(entry[1]) for name, entry in found.items()} == {f"f{size}": size for size in range(9)}


def test_owner_is_root_and_time_is_zero():
    archive = Archive()
    archive.file("/a", b"x", 0o4755)
    mode, _, fields = entries(archive.data())["a"]
    assert (mode, fields[2], fields[3], fields[5]) == (0o104755, 0, 0, 0)


def test_same_input_gives_same_bytes(tmp_path):
    (tmp_path / "b").write_text("2")
    (tmp_path / "a").write_text("1")

    def make():
        archive = Archive()
        archive.tree(tmp_path, "/x")
        return archive.data()

    assert make() == make()
    assert list(entries(make())) == ["x", "x/a", "x/b"]


def test_links_devices_and_executables_keep_what_they_are(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "link").symlink_to("program")
    archive = Archive()
    archive.tree(tmp_path, "/bin")
    archive.device("/dev/console", "c", 5, 1)
    found = entries(archive.data())
    assert found["bin/program"][0] == 0o100755
    assert found["bin/link"][:2] == (0o120777, b"program")
    assert found["dev/console"][0] == 0o020600 and found["dev/console"][2][9:11] == [5, 1]


def test_an_overlay_leaves_folders_of_the_archive_before_alone():
    first = Archive()
    first.folder("/tmp", 0o1777)
    second = Archive(first.folders)
    second.file("/tmp/x", b"")
    assert list(entries(second.data())) == ["tmp/x"]


def test_archives_can_be_concatenated():
    archive = Archive()
    archive.file("/a", b"1")
    assert len(archive.data()) % 4 == 0


def test_a_path_that_climbs_is_refused():
    with pytest.raises(ValueError, match="'..'"):
        Archive().file("/etc/../../x", b"")


def test_a_tree_is_the_same_as_files_of_a_folder(tmp_path):
    tree = Tree(tmp_path / "root")
    tree.folder("/tmp", 0o1777)
    tree.link("/etc/settings", "elsewhere")
    tree.file("/etc/settings", b"later wins", 0o600)
    tree.device("/dev/console", "c", 5, 1)
    root = tmp_path / "root"
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777
    settings = root / "etc/settings"
    assert settings.read_bytes() == b"later wins" and settings.stat().st_mode & 0o777 == 0o600
    assert list((root / "dev").iterdir()) == []
