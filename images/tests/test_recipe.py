"""Recipes and the assembly of a root from them, without any package."""

import os
import subprocess
from pathlib import Path

import pytest
from huskvm import recipe, rootfs
from huskvm.paths import DEMO, HarnessError


def load(tmp_path, text):
    path = tmp_path / "app.toml"
    path.write_text(text)
    return recipe.load(path)


def test_the_demos_recipes_are_good():
    names = [recipe.load(path).name for path in sorted((DEMO / "images").glob("*.toml"))]
    assert names == ["dhcpcd", "mosquitto", "mqtt-clients", "nginx", "redis"]


@pytest.mark.parametrize("text, says", [
    ("package = ['x']", "unknown key 'package'; known are"),
    ("packages = 'x'", "'packages' must be a list"),
    ("packages = [1]", "list of strings"),
    ("[files]\n'etc/x' = 'app.toml'", "'etc/x' must be an absolute path"),
    ("[files]\n'/a/../b' = 'app.toml'", "without '..'"),
    ("[files]\n'/etc/x' = 'none'", "there is no"),
    ("programs = ['nginx']", "'nginx' must be an absolute path"),
    ("[folders]\n'/x' = { mode = '0999' }", "mode must be octal"),
    ("[folders]\n'/x' = { owner = 'me' }", "no user 'me'"),
    ("[[users]]\nname = 'x'", "name and id are needed"),
    ("x = ", "app.toml"),
])
def test_a_slip_is_refused_by_name(tmp_path, text, says):
    with pytest.raises(HarnessError, match=says.replace("[", r"\[")):
        load(tmp_path, text)


def test_a_change_of_a_named_file_changes_the_identity(tmp_path):
    (tmp_path / "conf").write_text("1")
    text = "[files]\n'/etc/conf' = 'conf'"
    before = load(tmp_path, text).identity()
    assert load(tmp_path, text).identity() == before
    (tmp_path / "conf").write_text("2")
    assert load(tmp_path, text).identity() != before


def assemble(tmp_path, text):
    root = tmp_path / "root"
    root.mkdir()
    rootfs.assemble(load(tmp_path, text), tmp_path, root)
    return root


def test_users_are_written_for_programs_that_look_them_up(tmp_path):
    root = assemble(tmp_path, "[[users]]\nname = 'app'\nid = 7\nhome = '/data'")
    assert "app:x:7:7::/data:/usr/sbin/nologin\n" in (root / "etc/passwd").read_text()
    assert "app:x:7:\n" in (root / "etc/group").read_text()
    assert (root / "etc/passwd").read_text().startswith("root:x:0:0:")


def test_mount_points_of_a_container_are_there(tmp_path):
    root = assemble(tmp_path, "")
    assert all((root / name).is_dir() for name in ("proc", "sys", "dev", "run", "tmp", "etc"))
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777


def test_programs_bring_their_libraries_and_nothing_else(tmp_path):
    for path in ("/usr/bin/env", "/etc/hostname"):
        Path(tmp_path / os.path.basename(path)).write_bytes(Path(path).read_bytes())
    (tmp_path / "env").chmod(0o755)
    libraries = tmp_path / "libs"
    libraries.mkdir()
    for name in ("libc.so.6", "ld-linux-x86-64.so.2", "libm.so.6"):
        (libraries / name).write_bytes(Path("/lib/x86_64-linux-gnu", name).read_bytes())
    root = tmp_path / "root"
    (root / "lib64").mkdir(parents=True)
    (root / "lib/x86_64-linux-gnu").mkdir(parents=True)
    (root / "opt").mkdir()
    (root / "opt/left-out").touch()
    for path in libraries.iterdir():
        (root / "lib/x86_64-linux-gnu" / path.name).write_bytes(path.read_bytes())
    (root / "lib64/ld-linux-x86-64.so.2").symlink_to("/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    rootfs.assemble(load(tmp_path, "programs = ['/bin/env']\n[files]\n'/bin/env' = 'env'"), tmp_path, root)
    files = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    assert files == {"bin/env", "lib/x86_64-linux-gnu/libc.so.6", "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
                     "lib64/ld-linux-x86-64.so.2", "etc/passwd", "etc/group"}
    assert not (root / "opt").exists()


def test_a_missing_library_is_named(tmp_path):
    (tmp_path / "env").write_bytes(Path("/usr/bin/env").read_bytes())
    with pytest.raises(HarnessError, match="needs the library 'libc.so.6'"):
        assemble(tmp_path, "programs = ['/bin/env']\n[files]\n'/bin/env' = 'env'\n"
                           "[links]\n'/lib64/ld-linux-x86-64.so.2' = 'x'")


def test_same_root_gives_the_same_image(tmp_path):
    root = assemble(tmp_path, "[[users]]\nname = 'app'\nid = 7")
    for name in ("1", "2"):
        rootfs.make_erofs(root, tmp_path / name)
        os.utime(root / "etc/passwd", (1, 1))
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert subprocess.run(["fsck.erofs", str(tmp_path / "1")], capture_output=True).returncode == 0
