"""What bash completes, with a husk that names two units."""

import os
import pathlib
import re
import subprocess

import pytest

import pid1_namespace as ns

COMPLETION = ns.REPO / "docs/completion/husk.bash"
pytestmark = pytest.mark.skipif(not ns.binary().exists(), reason=f"{ns.binary()} is not built")


@pytest.fixture
def complete(tmp_path):
    fake = tmp_path / "husk"
    fake.write_text(f'#!/bin/sh\n[ "$1" = list ] && exec echo "db\nweb"\n'
                    '[ "$1 $2" = "image list" ] && exec echo "NAME  VERSION\nweb  1.2  current\nweb  built-in  -"\n'
                    f'exec {ns.binary()} "$@"\n')
    fake.chmod(0o755)

    def run(*words: str) -> set[str]:
        script = (f'source "{COMPLETION}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _husk; printf "%s\\n" "${{COMPREPLY[@]}}"')
        environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True, env=environment)
        assert done.stderr == ""
        return set(done.stdout.split())

    return run


def commands() -> list[str]:
    page = subprocess.run([ns.binary(), "help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  ([a-z-]+) ", page, re.M)


def options_of(command: str) -> set[str]:
    page = subprocess.run([ns.binary(), command, "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^ .*?(--[a-z-]+)", page.split("Options:")[1], re.M))


def test_every_command_is_completed_with_every_option(complete):
    assert len(commands()) > 30
    assert complete("husk", "") >= {*commands(), "help", "--help", "--version"}
    for command in commands():
        if command in ("check", "graph", "log-files", "prepare-root", "rescue", "supervise"):  # their pages are their own
            continue
        assert complete("husk", command, "--") == options_of(command), command


@pytest.mark.parametrize("words, offered", [
    (("top", "-s", ""), {"c", "m", "t", "i", "p", "n"}),
    (("top", "--sort", ""), {"c", "m", "t", "i", "p", "n"}),
    (("kill", "-s", "SIGH"), {"SIGHUP"}),
    (("kill", "--whom", ""), {"main", "all"}),
    (("status", "--state", "fai"), {"failed"}),
    (("status", ""), {"db", "web"}),
    (("exec", "w"), {"web"}),
    (("timers", ""), set()),
    (("image", ""), {"list", "add", "switch", "remove"}),
    (("image", "switch", ""), {"web"}),
    (("image", "switch", "--settle", "1", "web", ""), set()),
    (("image", "switch", "--no-rollback", "web", "1"), {"1.2"}),
    (("image", "remove", "web", "1.2", ""), {"1.2", "built-in"}),
    (("top", "--delay", ""), set()),
    (("metrics", "--listen", ""), set()),
])
def test_words_are_completed(complete, words, offered):
    assert complete("husk", *words) == offered
