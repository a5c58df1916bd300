"""Image recipes: TOML files that say what a container image holds. images/README.md describes the format."""

import hashlib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from .paths import HarnessError

KEYS = {"description": str, "packages": list, "suite": str, "without": list, "programs": list, "keep": list,
        "exclude": list, "files": dict, "links": dict, "folders": dict, "users": list}
FOLDER_KEYS = {"mode", "owner"}
USER_KEYS = {"name", "id", "home", "shell"}


@dataclass
class User:
    name: str
    id: int
    home: str = "/"
    shell: str = "/usr/sbin/nologin"


@dataclass
class Folder:
    mode: int = 0o755
    owner: str = "root"


@dataclass
class Recipe:
    path: Path
    packages: list[str] = field(default_factory=list)
    suite: str = ""
    without: list[str] = field(default_factory=list)  # packages of the closure to leave out
    programs: list[str] = field(default_factory=list)  # if any: only these, what they link to, and `keep`
    keep: list[str] = field(default_factory=list)  # glob patterns
    exclude: list[str] = field(default_factory=list)  # glob patterns
    files: dict[str, Path] = field(default_factory=dict)  # path in the image -> file or folder of the host
    links: dict[str, str] = field(default_factory=dict)
    folders: dict[str, Folder] = field(default_factory=dict)
    users: list[User] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.stem

    def identity(self) -> str:
        """Changes when the recipe or a file that it names changes."""
        total = hashlib.sha256(self.path.read_bytes())
        for path, source in sorted(self.files.items()):
            for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
                if file.is_file():
                    inner = file.relative_to(source).as_posix()
                    total.update(f"{path}\0{inner}\0{file.stat().st_mode}\0".encode() + file.read_bytes())
        return total.hexdigest()[:16]


def load(path: Path) -> Recipe:
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise HarnessError(f"cannot read the recipe '{path}': {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HarnessError(f"recipe '{path}': {error}") from error
    return parse(values, path)


def parse(values: dict, path: Path) -> Recipe:
    """Checks every key: a recipe with a slip is refused, with the name of the slip."""
    def wrong(text):
        return HarnessError(f"recipe '{path}': {text}")

    for key, value in values.items():
        if key not in KEYS:
            raise wrong(f"unknown key '{key}'; known are {', '.join(KEYS)}")
        if not isinstance(value, KEYS[key]):
            raise wrong(f"'{key}' must be a {KEYS[key].__name__}")
    recipe = Recipe(path.resolve(), suite=values.get("suite", ""))
    for key in ("packages", "without", "programs", "keep", "exclude"):
        items = values.get(key, [])
        if not all(isinstance(item, str) for item in items):
            raise wrong(f"'{key}' must be a list of strings")
        setattr(recipe, key, items)
    for group in ("files", "links", "folders"):
        for name in values.get(group, {}):
            if not name.startswith("/") or ".." in name.split("/"):
                raise wrong(f"{group}: '{name}' must be an absolute path without '..'")
    for name in recipe.programs:
        if not name.startswith("/"):
            raise wrong(f"programs: '{name}' must be an absolute path")
    for name, source in values.get("files", {}).items():
        recipe.files[name] = path.parent / source
        if not recipe.files[name].exists():
            raise wrong(f"files: there is no '{recipe.files[name]}'")
    recipe.links = dict(values.get("links", {}))
    for name, options in values.get("folders", {}).items():
        recipe.folders[name] = _folder(options, lambda text: wrong(f"folders: '{name}': {text}"))
    for options in values.get("users", []):
        recipe.users.append(_user(options, wrong))
    known = {"root", *(user.name for user in recipe.users)}
    for name, folder in recipe.folders.items():
        if folder.owner not in known:
            raise wrong(f"folders: '{name}': no user '{folder.owner}' in this recipe")
    return recipe


def _folder(options, wrong) -> Folder:
    if not isinstance(options, dict) or not set(options) <= FOLDER_KEYS:
        raise wrong(f"takes a table of {', '.join(sorted(FOLDER_KEYS))}")
    try:
        mode = int(str(options.get("mode", "0755")), 8)
    except ValueError:
        raise wrong("mode must be octal, in quotes, such as \"1777\"") from None
    return Folder(mode, options.get("owner", "root"))


def _user(options, wrong) -> User:
    if not isinstance(options, dict) or not {"name", "id"} <= set(options) <= USER_KEYS:
        raise wrong(f"users: each takes {', '.join(sorted(USER_KEYS))}; name and id are needed")
    return User(**options)
