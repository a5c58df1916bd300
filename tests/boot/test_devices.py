"""Which devices a container may open: the usual ones, those that its unit allows, and no others, whatever nodes it
makes. One guest for all of it."""

import huskvm
import pytest
from conftest import TIMEOUT, probe_files, unit, write_units

# Each path in $PATHS: what a read of it answers; then the nodes that the container makes by itself.
SCRIPT = """\
b=/bin/busybox
for path in $PATHS; do
    said=$($b dd if=$path of=/tmp/out bs=16 count=1 2>&1) && echo "$path ok" || echo "$path ${said##*: }"
done
for node in $NODES; do
    $b mknod /made/node c ${node%%:*} ${node##*:} && echo "made $node" || echo "mknod $node refused"
    said=$($b dd if=/made/node of=/tmp/out bs=8192 count=1 2>&1) && echo "/made/node ok" || echo "/made/node ${said##*: }"
done
$b ls -ln $LIST
echo end
exec /workload sleep
"""


def prober(paths: str = "", nodes: str = "", listed: str = "/dev/null", container: str = "", service: str = "") -> str:
    more = f"Environment=\"PATHS={paths}\" \"NODES={nodes}\" \"LIST={listed}\"\nVolume=/usr/lib/husk-test/ask:/ask:ro\n"
    return unit("/bin/busybox sh /ask", container=more + container, service=service)


MAKER = "UserNS=host\nAddCapability=CAP_MKNOD CAP_DAC_OVERRIDE CAP_SYSLOG\nVolume=/nodes/NAME:/made:dev,noidmap"
UNITS = {
    "plain": prober("/dev/null /dev/zero /dev/urandom /disk /kmsg", container="Volume=/dev/vda:/disk:dev,noidmap\nVolume=/dev/kmsg:/kmsg:dev,noidmap"),
    "maker": prober(nodes="1:11", container=MAKER.replace("NAME", "one")),
    "opener": prober(nodes="1:11", container=MAKER.replace("NAME", "two"), service="DeviceAllow=/dev/kmsg m"),
    "allowed": prober(nodes="1:11", container=MAKER.replace("NAME", "three"), service="DeviceAllow=/dev/kmsg rm"),
    "reader": prober("/disk /dev/zero", container="Volume=/dev/vda:/disk:dev,noidmap", service="DeviceAllow=block-virtblk r"),
    "root-reader": prober("/disk", container="UserNS=host\nVolume=/dev/vda:/disk:dev,noidmap", service="DeviceAllow=/dev/vda r"),
    "strict": prober("/dev/zero /dev/urandom", service="DevicePolicy=strict\nDeviceAllow=/dev/urandom r"),
    "user": prober("/dev/store /dev/vda /dev/zero", listed="/dev/store /dev/pts/ptmx",
                   container="User=1234\nGroup=2345\nAddDevice=/dev/vda:/dev/store:r\nAddDevice=-/dev/nothing"),
    "folder": prober(listed="/dev/in", container="AddDevice=/dev/input:/dev/in:r"),
    "missing": prober(container="AddDevice=/dev/nothing", service="Restart=no"),
    "no-class": prober(service="DeviceAllow=char-nothing\nRestart=no"),
}


@pytest.fixture(scope="module")
def guest(tmp_path_factory, kernel):
    folder = tmp_path_factory.mktemp("guest")
    (folder / "ask").write_text(SCRIPT)
    for name in ("one", "two", "three"):  # on the root, since the state disk is mounted nodev
        (folder / "nodes" / name).mkdir(parents=True)
        (folder / "nodes" / name / "empty").touch()
    with huskvm.boot(units=write_units(folder / "units", UNITS), kernel=kernel, append="loglevel=7", timeout=TIMEOUT * 2,
                     files=[*probe_files(), (folder / "ask", "/usr/lib/husk-test/ask"), (folder / "nodes", "/nodes")]) as machine:
        yield machine


def answers(husk, name: str) -> dict[str, str]:
    text = husk.guest.run(f"for i in $(seq 60); do husk logs -o cat -n all {name} | grep -q '^end' && break; sleep 0.5;"
                          f"done; husk logs -o cat -n all {name}", 90).text
    assert "end" in text.split(), husk(f"why {name}") + text
    return dict(line.partition(" ")[::2] for line in text.splitlines()) | {"text": text}


def test_the_usual_devices_open_and_no_others(husk):
    said = answers(husk, "plain")
    for path in ("/dev/null", "/dev/zero", "/dev/urandom"):
        assert said[path] == "ok", said["text"]
    for path in ("/disk", "/kmsg"):
        assert said[path] in ("Operation not permitted", "Permission denied"), said["text"]


def test_no_node_of_its_own_is_made(husk):
    assert "mknod 1:11 refused" in answers(husk, "maker")["text"]


def test_a_node_of_its_own_does_not_open(husk):
    said = answers(husk, "opener")
    assert said["made"] == "1:11" and said["/made/node"] == "Operation not permitted", said["text"]
    assert answers(husk, "allowed")["/made/node"] == "ok", "so it is the filter that refused it"


def test_the_filter_refuses_what_the_mode_would_give(husk):
    """Root of the device's own ids reads the node's mode as the device's root does: only the filter is left."""
    assert answers(husk, "root-reader")["/disk"] == "ok"
    husk("update root-reader DeviceAllow=")
    done = husk.guest.run("husk restart root-reader", 60)
    assert done.status == 0
    husk.wait("root-reader", lambda one: "Operation not permitted" in husk.log("root-reader"))


def test_a_class_is_allowed(husk):
    said = answers(husk, "reader")
    assert said["/dev/zero"] == "ok"
    assert said["/disk"] == "Permission denied", "allowed by the filter, and not by the node's owner"


def test_strict_is_only_what_is_listed(husk):
    said = answers(husk, "strict")
    assert said["/dev/urandom"] == "ok" and said["/dev/zero"] == "Operation not permitted", said["text"]


def test_a_device_that_is_given_belongs_to_the_units_user(husk):
    said = answers(husk, "user")
    assert said["/dev/store"] == "ok" and said["/dev/zero"] == "ok", said["text"]
    assert said["/dev/vda"] == "No such file or directory"
    line = next(line for line in said["text"].splitlines() if line.endswith("/dev/store"))
    assert line.split()[0] == "br--r-----" and line.split()[2:4] == ["1234", "2345"]
    assert "/dev/pts/ptmx" in said["text"]


def test_a_folder_gives_all_its_nodes(husk):
    nodes = [line for line in answers(husk, "folder")["text"].splitlines() if line.startswith("c")]
    assert nodes and all(line.startswith("cr--r-----") for line in nodes)


def test_what_is_missing_says_what_to_do(husk):
    reason = husk.wait("missing", lambda one: one["state"] == "failed")["reason"]
    assert "AddDevice=/dev/nothing: plug it in, or write AddDevice=-" in reason
    reason = husk.wait("no-class", lambda one: one["state"] == "failed")["reason"]
    assert "no class 'nothing' of character devices" in reason
