"""What a program finds when it starts: variables, folders and secrets, in real containers."""

import pathlib
import signal
import subprocess

from test_containers import BUSYBOX, Device

ETC = "/run/test/etc"  # on the device; `directory`/etc outside


def unit(command: str, container: str = "", service: str = "Restart=no\n", head: str = "") -> str:
    """A unit whose shell has the programs of busybox, by `busybox NAME`; husk replaces nothing in the command."""
    command = command.replace("$", "$$").replace("%", "%%")
    return (f"[Unit]\n{head}[Container]\nVolume={BUSYBOX}:/bin/sh:ro\nVolume={BUSYBOX}:/bin/busybox:ro\n{container}"
            f"Exec=/bin/sh -c \"{command}\"\n[Service]\n{service}")


def device(tmp_path: pathlib.Path, units: dict[str, str], files: dict[str, str] = {}) -> Device:
    made = Device(tmp_path, units)
    (tmp_path / "etc").mkdir()
    for name, text in files.items():
        (tmp_path / "etc" / name).write_text(text)
    return made


def ended(found: dict) -> bool:
    return found["state"] in ("failed", "inactive") and "exited" in found["reason"]


def failed(found: dict) -> bool:
    return found["state"] == "failed"


def test_environment_files_are_read_at_each_start(tmp_path):
    text = unit("echo $A,$B,@C; exec busybox sleep 1000", f"Environment=A=unit B=unit\nEnvironmentFile={ETC}/one\nEnvironmentFile=-{ETC}/two\n")
    text = text.replace("@C", "${C}")  # that one is husk's to replace
    with device(tmp_path, {"web": text}, {"one": "# first\nB='of one'\nC=1\n"}) as husk:
        husk.wait_for("web", lambda found: husk.log("web") == ["unit,of one,1"])
        (tmp_path / "etc/two").write_text("C=2\n")
        assert husk.husk("restart", "web").returncode == 0
        husk.wait_for("web", lambda found: husk.log("web")[1:] == ["unit,of one,2"])


def test_an_environment_file_that_is_missing_or_wrong_fails_the_start(tmp_path):
    units = {"lacks": unit("true", f"EnvironmentFile={ETC}/none\n"),
             "wrong": unit("true", f"EnvironmentFile={ETC}/wrong\n")}
    with device(tmp_path, units, {"wrong": "A=1\nexport B=2\n"}) as husk:
        assert (f"EnvironmentFile={ETC}/none is not there; make it, or write -{ETC}/none if it may be missing"
                in husk.wait_for("lacks", failed)["reason"])
        assert (f"EnvironmentFile={ETC}/wrong: line 2: 'export B' cannot name a variable"
                in husk.wait_for("wrong", failed)["reason"])


def run_folder(husk: Device) -> pathlib.Path:
    return pathlib.Path(f"/proc/{husk.host_pid}/root/run/husk")


def runs(husk: Device, name: str, lines: list[str]) -> dict:
    """Until the unit has said these lines and ended."""
    found = husk.wait_for(name, lambda found: ended(found) or failed(found))
    assert husk.log(name) == lines, found["reason"] + husk.console.decode()
    return found


def test_folders_are_the_users_and_last(tmp_path):
    command = ("busybox stat -c '%a %u:%g' /var/lib/web/data /var/cache/web /var/log/web /run/web; "
               "echo $STATE_DIRECTORY $RUNTIME_DIRECTORY; echo x >>$STATE_DIRECTORY/kept; busybox ls -A /run/web; "
               "echo x >/run/web/gone; busybox wc -l <$STATE_DIRECTORY/kept")
    service = ("Restart=no\nStateDirectory=web/data\nStateDirectoryMode=0750\nCacheDirectory=web\n"
               "LogsDirectory=web\nRuntimeDirectory=web\nRuntimeDirectoryMode=0700\n")
    once = ["750 70:71", "755 70:71", "755 70:71", "700 70:71", "/var/lib/web/data /run/web"]
    with device(tmp_path, {"web": unit(command, "User=70\nGroup=71\n", service)}) as husk:
        runs(husk, "web", [*once, "1"])
        kept = tmp_path / "state/state/web/data/kept"
        assert (kept.stat().st_uid, kept.stat().st_gid) == (70, 71), "as the container counts, on the disk"
        assert (tmp_path / "state/state").stat().st_mode & 0o777 == 0o700
        assert not (run_folder(husk) / "runtime/web").exists(), "its tmpfs went with it"
        assert husk.husk("start", "web").returncode == 0
        husk.wait_for("web", lambda found: husk.log("web") == [*once, "1", *once, "2"])


def test_a_folder_of_another_user_is_given_over_and_shared(tmp_path):
    service = "Restart=no\nStateDirectory=both\n"
    show = "cd /var/lib/both && busybox stat -c '%n %u' . a a/f"
    units = {"one": unit(f"busybox mkdir -p /var/lib/both/a; echo 1 >/var/lib/both/a/f; {show}",
                         "User=70\n", service + "Type=oneshot\n"),
             "two": unit(show, "User=80\n", service, "After=one\n")}
    with device(tmp_path, units) as husk:
        runs(husk, "one", [". 70", "a 70", "a/f 70"])
        runs(husk, "two", [". 80", "a 80", "a/f 80"])


def test_credentials_are_the_units_alone(tmp_path):
    command = ("cd $CREDENTIALS_DIRECTORY; echo $CREDENTIALS_DIRECTORY; busybox stat -c '%a %u %n' . *; "
               "busybox cat *; (echo x >new) 2>/dev/null || echo cannot be written; busybox env | busybox grep -c hidden")
    service = (f"Restart=no\nLoadCredential=loaded:{ETC}/key\nLoadCredential=either:{ETC}/none\n"
               "SetCredential=either:default\\n\nSetCredential=set:50%\\x41\\n\n")
    with device(tmp_path, {"web": unit(command, "User=70\n", service)}, {"key": "hidden\n"}) as husk:
        runs(husk, "web", ["/run/credentials/web", "500 70 .", "400 70 either", "400 70 loaded", "400 70 set",
                           "default", "hidden", "50%A", "cannot be written", "0"])
        assert not (run_folder(husk) / "secrets/web").exists(), "they went with it"
        assert "hidden" not in (run_folder(husk) / "records/web.json").read_text()
        # But for the last words of the program, which are its own.
        assert not [line for line in husk.console.decode().splitlines() if "hidden" in line and "last words" not in line]


def test_a_credential_that_is_missing_fails_the_start(tmp_path):
    units = {"path": unit("true", "", f"Restart=no\nLoadCredential=key:{ETC}/none\n"),
             "name": unit("true", "", "Restart=no\nLoadCredential=key\n")}
    with device(tmp_path, units) as husk:
        assert (f"credential 'key': '{ETC}/none' is not there; make it"
                in husk.wait_for("path", failed)["reason"])
        assert ("there is no '/etc/husk/credentials/key' and no '/run/husk/credentials/key'"
                in husk.wait_for("name", failed)["reason"])


def test_what_a_run_has_stays_while_the_supervisor_is_killed_and_goes_with_the_run(tmp_path):
    command = ("busybox cat $CREDENTIALS_DIRECTORY/a; busybox ls /run/web; echo kept >/run/web/file; "
               "exec busybox sleep 1000")
    text = unit(command, "", "SetCredential=a:one\\n\nRuntimeDirectory=web\n")
    with device(tmp_path, {"web": text}) as husk:
        before = husk.wait_for("web", lambda found: (run_folder(husk) / "runtime/web/web/file").exists())
        husk.kill_supervisor(signal.SIGKILL)
        after = husk.wait_for("web", lambda found: found["state"] == "running")
        assert after["main_pid"] == before["main_pid"]
        assert (run_folder(husk) / "runtime/web/web/file").read_text() == "kept\n"
        assert husk.husk("restart", "web").returncode == 0
        husk.wait_for("web", lambda found: husk.log("web") == ["one", "one"])
        assert husk.husk("stop", "web").returncode == 0
        husk.wait_for("web", lambda found: found["state"] == "inactive")
        assert not (run_folder(husk) / "runtime/web").exists()
        assert not (run_folder(husk) / "secrets/web").exists()


def give_secrets(husk: Device, files: dict[str, tuple[str, str]]) -> None:
    """An /etc of the namespace's own, with these secrets: NAME -> (mode, text)."""
    script = "mount -t tmpfs etc /etc && mkdir -p /etc/husk/secrets"
    for name, (mode, text) in files.items():
        script += f" && printf %s '{text}' >/etc/husk/secrets/{name} && chmod {mode} /etc/husk/secrets/{name}"
    subprocess.run(["nsenter", "-t", str(husk.host_pid), "-m", "sh", "-c", script], check=True)


def test_secrets_are_files_or_variables(tmp_path):
    command = ("cd /run/secrets; busybox stat -c '%a %u:%g %n' * /key; busybox cat * /key; echo; echo $TOKEN; "
               "(echo x >new) 2>/dev/null || echo cannot be written")
    container = ("User=70\nGroup=71\nSecret=test\nSecret=test,target=other,uid=0,mode=0444\n"
                 "Secret=test,target=/key\nSecret=token,type=env,target=TOKEN\n")
    with device(tmp_path, {"web": unit(command, container), "open": unit("true", "Secret=open\n")}) as husk:
        assert ("secret 'token': '/etc/husk/secrets/token' is not there; make it, with mode 0600"
                in husk.wait_for("web", failed)["reason"])
        give_secrets(husk, {"test": ("600", "hidden"), "token": ("400", "abc"), "open": ("640", "x")})
        assert husk.husk("start", "web").returncode == 0
        husk.wait_for("web", ended)
        assert husk.log("web") == ["444 0:71 other", "400 70:71 test", "400 70:71 /key", "hiddenhiddenhidden", "abc",
                                   "cannot be written"]
        assert not (run_folder(husk) / "secrets/web").exists(), "they went with it"
        record = (run_folder(husk) / "records/web.json").read_text()
        assert "hidden" not in record and "abc" not in record
        husk.husk("start", "open")
        assert ("others than root can read '/etc/husk/secrets/open'; 'chown root /etc/husk/secrets/open' and "
                "'chmod 600 /etc/husk/secrets/open'" in husk.wait_for("open", failed)["reason"])


def test_a_time_zone_is_the_devices_file(tmp_path):
    units = {"berlin": unit("busybox date -d @1750000000 +%z", "Timezone=Europe/Berlin\n"),
             "none": unit("true", "Timezone=Europe/Atlantis\n")}
    with device(tmp_path, units) as husk:
        found = husk.wait_for("none", failed)
        assert "Timezone=Europe/Atlantis: the device has no '/usr/share/zoneinfo/Europe/Atlantis'" in found["reason"]
        runs(husk, "berlin", ["+0200"])


def test_labels_change_without_a_restart(tmp_path):
    text = unit("exec busybox sleep 1000", "ContainerName=shop\nLabel=a=1\nAnnotation=b=2\n", "")
    with device(tmp_path, {"web": text}) as husk:
        before = husk.wait_for("web", lambda found: found["state"] == "running")
        (tmp_path / "units/web.container").write_text(text.replace("a=1", "a=2"))
        assert husk.husk("reload").returncode == 0
        after = husk.unit("web")
        assert after["main_pid"] == before["main_pid"]
        assert (after["container_name"], after["labels"], after["annotations"]) == ("shop", ["a=2"], ["b=2"])
