"""From options to QEMU's command line and the guest's configuration, without running anything."""

from pathlib import Path

import pytest
from huskvm import cli, disk, initramfs, kernel, launch, qemu
from huskvm.paths import HarnessError


def options(*words):
    return cli.options_of(cli.parser().parse_args(words))


def test_commands_get_an_agent_and_a_person_gets_the_console():
    assert options("--command", "true").agent
    assert not options().agent


def test_files_and_images_are_pairs():
    found = options("--file", "a:b:/c", "--image", "x=y=z")
    assert found.files == [(Path("a:b"), "/c")] and found.images == {"x": Path("y=z")}


@pytest.mark.parametrize("words", [("--file", "a"), ("--file", "a:b"), ("--image", "x"), ("--image", "=f"),
                                   ("--cpus", "0")])
def test_a_slip_says_how_to_write_it(words):
    with pytest.raises(HarnessError, match="write it as|at least 1"):
        options(*words)


def test_trouble_of_the_harness_is_125(capsys):
    assert cli.main(["--units", "/nonexistent", "--command", "true"]) == 125
    out, err = capsys.readouterr()
    assert out == "" and "there is no such folder" in err


def test_images_are_those_that_units_name(tmp_path):
    (tmp_path / "a.container").write_text("[Container]\nImage=nginx\n")
    (tmp_path / "b.container.d").mkdir()
    (tmp_path / "b.container.d/x.conf").write_text("[Container]\n Image = /abs/x.erofs\n")
    (tmp_path / "c.container").write_bytes(b"\xff\0[Container")
    assert launch.named_images(tmp_path) == {"nginx", "/abs/x.erofs"}


def guest(**values):
    return initramfs.Guest(kernel=kernel.Kernel("6.12", Path("k"), None), husk=Path("h"), **values)


def test_system_conf_names_modules_and_the_state_disk():
    text = initramfs.system_conf(guest(system={"Manager": {"CrashAction": "poweroff"}}), ["erofs", "loop"])
    assert "KernelModules=erofs loop\n" in text and "StateDevice=/dev/vda\n" in text
    assert text.endswith("[Manager]\nCrashAction=poweroff\n")


def test_a_kernel_with_everything_built_in_gets_no_modules_line():
    assert "KernelModules" not in initramfs.system_conf(guest(state=False), [])


def words(**values):
    return qemu.command_line(qemu.Config(Path("k"), Path("i"), **values), Path("/f"))


def test_counting_instructions_means_one_emulated_processor():
    line = words(icount=True, accel="kvm", cpus=4)
    assert line[line.index("-smp") + 1] == "1" and "shift=0,sleep=off" in line
    assert line[line.index("-accel") + 1].startswith("tcg")


def test_only_emulated_guests_lose_address_space_randomization():
    line = words(append="a=b")
    assert line[line.index("-append") + 1] == "a=b norandmaps"
    line = words(append="a=b", accel="kvm")
    assert line[line.index("-append") + 1] == "a=b"


def test_a_disk_that_stays_is_written_through_and_others_are_not():
    assert "cache=writeback" in " ".join(words(disk=Path("d"), disk_cache="writeback"))
    assert "cache=unsafe" in " ".join(words(disk=Path("d")))


def test_writes_and_flushes_of_a_disk_go_through_the_log_that_is_asked_for():
    line = words(disk=Path("d"), write_log=Path("l"))
    log = next(word for word in line if "blklogwrites" in word)
    named = {word.split("node-name=")[1].split(",")[0]: word for word in line if "node-name=" in word}
    assert "file=state-file,log=state-log,log-sector-size=512" in log and "no-flush" not in log
    assert "filename=d," in named["state-file"] and "filename=l," in named["state-log"]
    assert "virtio-blk-pci,drive=state" in line and not any("cache=" in word for word in line if "if=none" in word)


def test_a_person_gets_the_monitor_keys_and_no_agent():
    line = " ".join(words(interactive=True))
    assert "stdio,mux=on" in line and "agent" not in line


def test_images_keep_their_type_on_the_disk(tmp_path):
    (tmp_path / "s").write_bytes(b"hsqs" + bytes(100))
    (tmp_path / "e").write_bytes(bytes(100))
    assert disk._file_name("a", tmp_path / "s") == "a.squashfs"
    assert disk._file_name("a", tmp_path / "e") == "a.erofs"
    assert disk._file_name("a.erofs", tmp_path / "s") == "a.erofs"


def test_a_disk_that_stays_gets_new_images_and_keeps_the_rest(tmp_path, monkeypatch):
    monkeypatch.setenv("HUSK_BUILD", str(tmp_path / "build"))
    image, state = tmp_path / "app", tmp_path / "state.ext4"
    image.write_bytes(b"one" * 1000)
    disk.refresh({"app": image}, state)
    before = state.stat().st_mtime_ns
    disk.refresh({"app": image}, state)
    image.write_bytes(b"two" * 2000)
    disk.refresh({"app": image}, state)
    assert read_from(state, "/images/app.erofs", tmp_path) == image.read_bytes()
    assert before <= state.stat().st_mtime_ns


def read_from(state, path, tmp_path):
    import subprocess
    subprocess.run(["debugfs", "-R", f"dump {path} {tmp_path / 'out'}", str(state)], check=True, capture_output=True)
    return (tmp_path / "out").read_bytes()


def test_a_file_that_is_no_disk_is_refused_with_the_cure(tmp_path, monkeypatch):
    monkeypatch.setenv("HUSK_BUILD", str(tmp_path / "build"))
    (tmp_path / "x").write_text("no disk")
    with pytest.raises(HarnessError, match="e2fsck -f"):
        disk.refresh({}, tmp_path / "x")
