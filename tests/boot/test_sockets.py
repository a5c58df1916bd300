"""Socket activation and terminals in a guest, with the real PID 1. More of both is in tests/host."""

import huskvm
import huskvm.build
import pytest
from conftest import KERNELS, PROBES, TIMEOUT, unit, write_units

ROUNDS, CONNECTIONS = 50, 200

SERVER = f"""[Container]
Volume={PROBES}/listen:/listen:ro
Exec=/listen
[Socket]
ListenStream=/run/web.sock
"""

PID = """husk version --json | sed 's/.*"pid":\\([0-9]*\\).*/\\1/'"""
ROUND_LOOP = f"""
n=0
while [ $n -lt {ROUNDS} ]; do
  n=$((n+1))
  {PROBES}/connect /run/web.sock {CONNECTIONS} & client=$!
  husk restart web >/dev/null || exit 3
  if [ $((n % 10)) -eq 0 ]; then
    old=$({PID}); kill -9 $old || exit 4
    while [ "$({PID})" = "$old" ]; do usleep 20000; done
  fi
  wait $client || exit 5
done
"""


@pytest.fixture
def machine(tmp_path):
    def start(units: dict[str, str], **options):
        probes = huskvm.build.device() / "probes"
        files = [(probes / name, f"{PROBES}/{name}") for name in ("listen", "connect", "probe", "workload")]
        return huskvm.boot(kernel=KERNELS[0], units=write_units(tmp_path, units), files=files, timeout=TIMEOUT, **options)

    return start


def test_no_connection_is_lost_over_restarts(machine):
    """Each round, some connect while the unit restarts; each tenth, the supervisor dies as well."""
    with machine({"web": SERVER}) as guest:
        done = guest.run(ROUND_LOOP, TIMEOUT)
        assert done.status == 0, (done.stdout + done.stderr)[-2000:]
        assert done.text.split() == [str(CONNECTIONS)] * ROUNDS


def test_a_terminal_of_exec_is_the_containers_own(machine):
    with machine({"shell": unit("/bin/busybox sleep 10000")}, append="husk.console=/bin/sh", wait="started") as guest:
        guest.wait_console("# ", 60)
        guest.send_console("husk exec -t shell /bin/busybox sh\n")
        guest.wait_console("built-in shell", 60, guest.wait_console("husk exec").end())  # what is typed sooner is lost
        guest.send_console("/bin/busybox tty; /bin/busybox stty size; echo $((6 * 7)) things; /bin/busybox sleep 1000\n")
        guest.wait_console("^/dev/pts/0", 60)
        guest.wait_console("^24 80\n42 things", 60)
        guest.send_console("\x03")
        guest.send_console("echo code $?\n")
        guest.wait_console("^code 130", 60)
        guest.send_console("exit 7\n")
        guest.wait_console(r"exit 7\s+~ # ", 60)
        guest.send_console("echo code $?\n")
        guest.wait_console("^code 7", 60)
