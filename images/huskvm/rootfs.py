"""Container images: Debian packages unpacked, pruned, given users and files, and made into one erofs file.

No package is installed and no maintainer script runs, neither on the host nor in the image.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from . import elf, packages, recipe as recipes
from .paths import HarnessError, image_lock, images_dir, progress

# In the closure of nearly everything, needed by maintainer scripts only.
NOT_NEEDED = ["perl-base", "debconf", "dpkg", "tar", "init-system-helpers", "gcc-12-base", "lsb-base", "adduser",
              "passwd", "sysvinit-utils", "cdebconf", "libdebconfclient0"]
PRUNED = ["/usr/share/doc", "/usr/share/man", "/usr/share/info", "/usr/share/locale", "/usr/share/lintian",
          "/usr/share/bug", "/usr/share/bash-completion", "/usr/share/menu", "/usr/share/doc-base", "/usr/lib/systemd",
          "/lib/systemd", "/etc/init.d", "/etc/rc?.d", "/etc/systemd", "/etc/cron*", "/etc/logrotate.d", "/etc/ufw",
          "/etc/default", "/etc/insserv*", "/var/lib/dpkg", "/usr/lib/x86_64-linux-gnu/gconv"]
# What husk mounts onto must exist: the image is read-only.
FOLDERS = {"/proc": 0o555, "/sys": 0o555, "/dev": 0o755, "/run": 0o755, "/tmp": 0o1777, "/etc": 0o755, "/var": 0o755}
LIBRARY_FOLDERS = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib", "usr/lib", "lib64"]
TIMESTAMP = "1700000000"
UUID_SPACE = b"husk image "


def builder_identity() -> str:
    """Images are built anew when the builder changes."""
    sources = [Path(__file__), Path(recipes.__file__), Path(elf.__file__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def image(recipe_path: Path) -> Path:
    """The erofs file of a recipe, built if it is not there or out of date. Remove build/images/rootfs to fetch newer
    packages."""
    recipe = recipes.load(recipe_path)
    key = hashlib.sha256((recipe.identity() + builder_identity()).encode()).hexdigest()[:12]
    target = images_dir() / "rootfs" / f"{recipe.name}-{key}.erofs"
    if not target.exists():
        with image_lock():
            if not target.exists():
                target.parent.mkdir(exist_ok=True)
                for old in target.parent.glob(f"{recipe.name}-????????????.erofs"):
                    old.unlink()
                build(recipe, target)
    return target


def build(recipe: recipes.Recipe, target: Path) -> None:
    progress(f"building the image '{recipe.name}' (first time) …")
    work = images_dir() / "work" / f"{recipe.name}.{os.getpid()}"
    shutil.rmtree(work, ignore_errors=True)
    root = work / "root"
    root.mkdir(parents=True)
    try:
        assemble(recipe, work, root)
        fresh = target.with_name(f"{target.name}.{os.getpid()}")
        make_erofs(root, fresh)
        fresh.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def assemble(recipe: recipes.Recipe, work: Path, root: Path) -> None:
    """The image's content as a folder."""
    if recipe.packages:
        debs = packages.fetch(work / "debs", recipe.packages, recipe.suite, closure=True)
        left_out = set(NOT_NEEDED) - set(recipe.packages) | set(recipe.without)
        packages.unpack([deb for deb in debs if packages.name_of(deb) not in left_out], root)
    for source_path, source in recipe.files.items():
        _copy(source, root / source_path.lstrip("/"))
    for path, link_target in recipe.links.items():
        link = root / path.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(link_target)
    prune(root, [*PRUNED, *recipe.exclude])
    if recipe.programs:
        keep_only(root, needed_files(root, recipe))
    for path, mode in FOLDERS.items():
        folder = root / path.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
    write_users(root, recipe.users)
    ids = {user.name: user.id for user in recipe.users} | {"root": 0}
    for path, options in recipe.folders.items():
        folder = root / path.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(options.mode)
        if options.owner != "root":
            _give(folder, ids[options.owner])


def prune(root: Path, patterns: list[str]) -> None:
    for pattern in patterns:
        for path in sorted(root.glob(pattern.lstrip("/"))):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def needed_files(root: Path, recipe: recipes.Recipe) -> set[Path]:
    """The programs, what they link to, and the kept patterns; links are followed inside the root."""
    wanted: set[Path] = set()
    todo: list[Path] = []
    for name in recipe.programs:
        if not os.path.lexists(root / name.lstrip("/")):
            raise HarnessError(f"recipe '{recipe.path}': no package brings '{name}'")
        todo.append(root / name.lstrip("/"))
    for pattern in [*recipe.keep, *recipe.files, *recipe.links]:
        found = [path for path in root.glob(pattern.lstrip("/"))] or (
            [root / pattern.lstrip("/")] if os.path.lexists(root / pattern.lstrip("/")) else [])
        if not found:
            raise HarnessError(f"recipe '{recipe.path}': nothing matches '{pattern}'")
        for path in found:
            todo += [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    while todo:
        path = todo.pop()
        if path in wanted:
            continue
        wanted.add(path)
        if path.is_symlink():
            step = inside(root, path)
            if os.path.lexists(step):
                todo.append(step)
        elif path.is_file():
            todo += linked_files(root, path)
    return wanted


def inside(root: Path, link: Path) -> Path:
    """Where a link points, an absolute target being meant from the image's root."""
    target = os.readlink(link)
    base = root if target.startswith("/") else link.parent
    return Path(os.path.normpath(base / target.lstrip("/")))


def linked_files(root: Path, path: Path) -> list[Path]:
    with open(path, "rb") as handle:
        if not elf.is_elf(handle.read(4)):
            return []
    links = elf.parse(path.read_bytes())
    found = [root / links.interpreter.lstrip("/")] if links.interpreter else []
    for name in links.needed:
        own = [folder.replace("$ORIGIN", "/" + str(path.parent.relative_to(root))).lstrip("/")
               for folder in links.runpath]
        library = next((root / folder / name for folder in [*own, *LIBRARY_FOLDERS]
                        if os.path.lexists(root / folder / name)), None)
        if library is None:
            raise HarnessError(f"'{path.relative_to(root)}' needs the library '{name}', which no package brings; "
                               "is its package in 'without'?")
        found.append(library)
    return found


def keep_only(root: Path, wanted: set[Path]) -> None:
    for folder, names, files in os.walk(root, topdown=False):
        for name in [*names, *files]:
            path = Path(folder) / name
            if path.is_dir() and not path.is_symlink():
                if path not in wanted and not any(path.iterdir()):
                    path.rmdir()
            elif path not in wanted:
                path.unlink()


def write_users(root: Path, users: list[recipes.User]) -> None:
    """passwd and group are written whole: the scripts that would have made the users did not run."""
    everyone = [recipes.User("root", 0, "/"), *users, recipes.User("nobody", 65534, "/")]
    shell = "/bin/sh" if os.path.lexists(root / "bin/sh") else "/usr/sbin/nologin"
    passwd = [f"{user.name}:x:{user.id}:{user.id}::{user.home}:{shell if user.id == 0 else user.shell}"
              for user in everyone]
    group = [f"{'nogroup' if user.name == 'nobody' else user.name}:x:{user.id}:" for user in everyone]
    (root / "etc/passwd").write_text("\n".join(passwd) + "\n")
    (root / "etc/group").write_text("\n".join(group) + "\n")


def make_erofs(root: Path, target: Path) -> None:
    """Same content, same bytes: fixed times, and a UUID made from the content's listing."""
    listing = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    sum_ = hashlib.sha256(UUID_SPACE + listing.encode()).hexdigest()
    uuid = f"{sum_[:8]}-{sum_[8:12]}-{sum_[12:16]}-{sum_[16:20]}-{sum_[20:32]}"
    options = ["-zlz4hc", f"-T{TIMESTAMP}", f"-U{uuid}"] + ([] if os.geteuid() == 0 else ["--all-root"])
    try:
        done = subprocess.run(["mkfs.erofs", *options, str(target), str(root)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        raise HarnessError("there is no mkfs.erofs: run toolchain/bootstrap (or apt-get install erofs-utils)") from None
    if done.returncode != 0:
        target.unlink(missing_ok=True)
        raise HarnessError(f"mkfs.erofs failed for '{target}':\n{done.stdout.strip()}")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
    if os.geteuid() == 0:
        for path in [target, *target.rglob("*")] if target.is_dir() else [target]:
            os.lchown(path, 0, 0)


def _give(folder: Path, owner: int) -> None:
    try:
        os.chown(folder, owner, owner)
    except PermissionError:
        raise HarnessError(f"a folder of user {owner} needs root to build: run as root or under fakeroot") from None
