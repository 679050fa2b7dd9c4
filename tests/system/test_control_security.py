"""Keys, with a real daemon on an address that other computers could reach: refused without, told what is missing."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest
import zmq

from harness import DaemonProcess, free_ports, wait_for
from spikedaq.cli.daemon import main as spikedaqd
from spikedaq.cli.main import main
from spikedaq.inlet import ControlClient, connect, new_key_pair
from spikedaq.keys import ClientKey, KeyRing, Role
from spikedaq.model import CommandRejected, ConfigError
from spikedaq.outlet.subscriptions import MAX_PER_CONNECTION

ATTEMPTS = int(os.environ.get("SECURITY_ATTEMPTS", "40"))

STRANGERS = (
    "nothing",
    "a known stranger's key",
    "nothing",
    "a new key",
    "nothing",
    "another daemon",
    "nothing",
    "a password",
)
"""What they come with, in turn; most of those who try have nothing."""


def outside_address() -> str:
    """Return an address of this computer that is no loopback; what is sent to it stays here all the same.

    Where there is none, loopback has to do (keys are demanded there as well, whatever the address), and
    `test_it_is_an_address_that_others_could_reach` says so.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing; the system chooses the address it would send from
        return str(probe.getsockname()[0])
    return "127.0.0.1"


ADDRESS = outside_address()


class Bench(DaemonProcess):
    """A daemon that demands keys, with anna who may watch and ben who may control."""

    def __init__(self, tmp_path: Path) -> None:
        super().__init__(tmp_path / "data", {"alpha": "sim:alpha"})
        self.ring = KeyRing(tmp_path / "keys")
        public, secret = new_key_pair()
        self.ring.write_daemon_key(public, secret)
        self.daemon_public = public
        self.keys = {"anna": self.new_key("anna"), "ben": self.new_key("ben"), "eve": self.new_key("eve")}
        self.ring.allow("anna", self.keys["anna"].public, Role.OBSERVER)
        self.ring.allow("ben", self.keys["ben"].public, Role.CONTROLLER)

    def new_key(self, name: str) -> ClientKey:
        public, secret = new_key_pair()
        return ClientKey(name, public, secret, self.daemon_public)

    @property
    def url(self) -> str:
        return f"tcp://{ADDRESS}:{self.control_port}"

    @property
    def publish(self) -> str:
        return f"tcp://{ADDRESS}:{self.publish_port}"

    def command(self, *more: str) -> list[str]:
        words = [sys.executable, "-m", "spikedaq.cli.daemon", "--data", str(self.data), "--control", self.url]
        return [*words, "--publish", self.publish, "--device", "alpha=sim:alpha", *more]

    def start(self, *, wait: bool = True) -> None:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(self.command("--keys", str(self.ring.folder)), stdout=log, stderr=log)
        if wait:
            wait_for("the device to run", lambda: self.call("list")[0]["state"] == "running")

    def call(self, op: str, timeout_s: float = 10.0, who: str = "ben", **args: object) -> object:
        with ControlClient(self.url, timeout_s=timeout_s, key=self.keys[who], name="") as client:
            return client.call(op, **args)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("secured")) as running:
        yield running


@pytest.fixture(autouse=True)
def no_key_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SPIKEDAQ_KEY", raising=False)


def test_it_is_an_address_that_others_could_reach() -> None:
    """What this file promises of such an address is tried on one."""
    if ipaddress.ip_address(ADDRESS).is_loopback:
        pytest.skip(f"this computer has no address but loopback: the tests of this file run on {ADDRESS}")


def test_without_keys_nothing_that_others_could_reach_is_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither at start nor in `--check`, on none of the endpoints; the text says both ways out."""
    here = [f"tcp://127.0.0.1:{port}" for port in free_ports(2)]
    for wild in ("192.0.2.7", "0.0.0.0", "*", "[::]", "[2001:db8::1]", "example.org"):
        for wanted in (("--control", "--publish"), ("--publish", "--control")):
            words = ["--data", str(tmp_path), wanted[0], f"tcp://{wild}:5999", wanted[1], here[0], "--check"]
            assert spikedaqd(words) != 0, words
            assert "could be reached from other computers" in capsys.readouterr().err
    command = [sys.executable, "-m", "spikedaq.cli.daemon", "--data", str(tmp_path / "data"), "--publish", here[0]]
    command += ["--control", "tcp://0.0.0.0:5999"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    for words in ("could be reached from other computers", "spikedaq keys new --daemon", "ssh -L"):
        assert words in done.stderr


@pytest.mark.parametrize("spoil", ["absent", "loose", "allowed"])
def test_keys_that_cannot_be_used_refuse_the_start(
    tmp_path: Path, spoil: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Bench(tmp_path)
    if spoil == "absent":
        made.ring.daemon_path.unlink()
    else:
        (made.ring.daemon_path if spoil == "loose" else made.ring.allowed_path).chmod(0o644)
    done = subprocess.run(made.command("--keys", str(made.ring.folder)), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert spikedaqd([*made.command("--keys", str(made.ring.folder))[3:], "--check"]) != 0
    for said in (done.stderr, capsys.readouterr().err):
        assert ("spikedaq keys new --daemon" if spoil == "absent" else "chmod 600") in said


def test_strangers_are_refused_every_time(bench: Bench) -> None:
    """No key, an unknown key, the wrong daemon, a password: no answer and no sample ever, and nobody else notices."""
    context = zmq.Context()
    requests_before = bench.call("status")["uptime_s"]
    sockets = []
    counted: Counter[str] = Counter()
    stranger_public, stranger_secret = new_key_pair()
    for number in range(ATTEMPTS):
        for kind, endpoint in ((zmq.DEALER, bench.url), (zmq.SUB, bench.publish)):
            each = context.socket(kind)
            each.setsockopt(zmq.LINGER, 0)
            who = STRANGERS[number % len(STRANGERS)]
            if "key" in who:
                pair = (stranger_public, stranger_secret) if who == "a known stranger's key" else new_key_pair()
                each.curve_publickey, each.curve_secretkey = pair
                each.curve_serverkey = bench.daemon_public
            elif who == "another daemon":
                each.curve_publickey, each.curve_secretkey = (bench.keys["ben"].public, bench.keys["ben"].secret)
                each.curve_serverkey = stranger_public
            elif who == "a password":
                each.plain_username, each.plain_password = b"ben", b"ben"
            counted[who] += 1
            each.connect(endpoint)
            if kind == zmq.SUB:
                each.subscribe(b"")
            else:
                fields = {"v": 1, "id": "1", "op": "set", "args": {"device": "alpha", "values": {"i_clamp": 66.0}}}
                each.send(msgpack.packb(fields))
            sockets.append(each)
    with connect(bench.url, key=bench.keys["anna"]) as good, good.subscribe("status", "samples") as subscriber:
        seen = [subscriber.recv(10.0) for _ in range(200)]
        assert all(seen)
    poller = zmq.Poller()
    for each in sockets:
        poller.register(each, zmq.POLLIN)
    answered = poller.poll(500)
    context.destroy(linger=0)
    assert not answered, f"{len(answered)} of {len(sockets)} were let in"
    assert bench.call("status")["uptime_s"] > requests_before
    assert bench.call("get", device="alpha", name="i_clamp")["value"] != 66.0
    kinds = ", ".join(f"{n} with {who}" for who, n in counted.items())
    print(f"\n{len(sockets)} strangers at {ADDRESS} ({kinds}): all refused")


def test_an_observer_watches_and_asks_and_changes_nothing(bench: Bench) -> None:
    """Every operation that changes something is refused to it, by name, and the change does not happen."""
    operations = bench.call("operations", who="anna")
    before = bench.call("describe", device="alpha", who="anna")["parameters"]
    changing = [operation for operation in operations if operation["changes"]]
    assert {"set", "record_start", "record_stop", "note", "shutdown", "lease_take"} <= {o["op"] for o in changing}
    right = {"device": "alpha", "values": {"i_clamp": 3.0}, "text": "x", "session": "s", "name": "x"}
    for operation in changing:
        args = {name: right.get(name, "x") for name in operation["needs"]}
        with pytest.raises(CommandRejected, match="is for watching") as caught:
            bench.call(operation["op"], who="anna", **args)
        assert caught.value.code == "not_allowed"
    after = bench.call("describe", device="alpha", who="anna")["parameters"]
    assert [p["value"] for p in after] == [p["value"] for p in before]
    assert bench.call("status", who="anna")["recording"] is None
    assert bench.call("set", device="alpha", values={"i_clamp": 2.0})["i_clamp"]["value"] == 2.0


def test_an_observer_fetches_recordings_and_verifies_none(bench: Bench) -> None:
    """The library demands the daemon's keys: who may watch may list and read, a stranger gets nothing."""
    wait_for("the history", lambda: bench.call("hello")["history"])
    session = bench.data / "recordings" / "kept"
    session.mkdir(parents=True)
    plan = {"started_utc_ns": 1, "state": "complete", "devices": []}
    (session / "session.json").write_text(json.dumps(plan), "utf-8")
    with connect(bench.url, key=bench.keys["anna"]) as watching, watching.library() as library:
        wait_for("the list", lambda: [s["session"] for s in library.recordings()] == ["kept"])
        assert json.loads(b"".join(library.pieces("kept", None, "session.json"))) == plan
        with pytest.raises(CommandRejected) as caught:
            library.verify("kept")
        assert caught.value.code == "not_allowed"
        endpoint = library.client.url
    with connect(bench.url, key=bench.keys["ben"]) as controlling, controlling.library() as library:
        assert library.verify("kept")["verification"]["state"] != "never"
    with (
        contextlib.closing(ControlClient(endpoint, timeout_s=20, key=bench.keys["eve"])) as stranger,
        pytest.raises(CommandRejected, match="does not allow this key"),
    ):
        stranger.call("recordings")


def test_who_has_a_key_is_named_by_it_and_not_by_what_he_says(bench: Bench) -> None:
    with ControlClient(bench.url, key=bench.keys["ben"], name="anna") as client:
        lease = client.call("lease_take", device="alpha")
        assert lease["holder"] == f"ben@{ADDRESS} (anna)"
    # The lease is the key's: another name is the same holder, from wherever.
    bench.call("lease_release", device="alpha")


def test_a_revoked_key_ends_at_its_next_request_and_its_subscriptions_within_seconds(tmp_path: Path) -> None:
    """Also over connections that stand; a connection of somebody else from the same address is left alone."""
    with Bench(tmp_path) as bench:
        other = bench.new_key("other")
        bench.ring.allow("other", other.public, Role.OBSERVER)
        with (
            connect(bench.url, key=bench.keys["anna"]) as anna,
            anna.subscribe("samples") as revoked,
            connect(bench.url, key=other) as kept,
            kept.subscribe("samples") as untouched,
        ):
            assert revoked.recv(10.0)
            assert untouched.recv(10.0)
            bench.ring.revoke("anna")
            with pytest.raises(CommandRejected, match="not allowed any more") as caught:
                anna.client.call("status")
            assert caught.value.code == "not_allowed"

            def silent() -> bool:
                while revoked.recv(0.0):
                    pass
                return revoked.recv(0.5) is None

            wait_for("the subscription to end", silent)
            first = untouched.recv(10.0)
            assert first is not None
            # It took part all the time: nothing was missed, no reconnection.
            for message in iter(lambda: untouched.recv(0.0), None):
                assert message
            assert all(counter.missed == 0 for counter in untouched.counters.values())
            with pytest.raises(CommandRejected, match="does not allow this key"):
                bench.call("status", who="anna")
            bench.ring.allow("anna", bench.keys["anna"].public, Role.CONTROLLER)
            assert anna.client.call("set", device="alpha", values={"i_clamp": 2.0})
        assert bench.stop() == 0


def test_what_is_missing_is_said_at_once(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No key, no daemon's key, a key that is not allowed, the key of another daemon, a file that others may read."""
    with pytest.raises(ConfigError, match="demands a key, and there is none at"):
        ControlClient(bench.url).call("hello")
    nobody = ClientKey("n", *new_key_pair())
    with pytest.raises(ConfigError, match="does not say which daemon it is for"):
        ControlClient(bench.url, key=nobody).call("hello")
    eve = bench.keys["eve"]
    with ControlClient(bench.url, key=eve) as client:
        with pytest.raises(CommandRejected, match=f"spikedaq keys allow eve {eve.public.hex()}"):
            client.call("hello")
        with pytest.raises(CommandRejected, match="does not allow this key"):
            client.call("hello")
    wrong = ClientKey("ben", bench.keys["ben"].public, bench.keys["ben"].secret, new_key_pair()[0], "ben.key")
    with pytest.raises(ConfigError, match=r"has another key than ben\.key says"):
        ControlClient(bench.url, key=wrong).call("hello")
    assert main(["status", "--url", bench.url, "--key", str(bench.ring.daemon_path)]) == 1
    assert "does not say which daemon it is for" in capsys.readouterr().err


def test_the_whole_way_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As docs/how-to/watch-from-another-computer.md tells it: keys made, handed over, listed, revoked."""
    folder, own = str(tmp_path / "keys"), tmp_path / "anna.key"
    assert main(["keys", "new", "--daemon", "--folder", folder]) == 0
    assert main(["keys", "allow", "anna", "--new", str(own), "--folder", folder]) == 0
    assert main(["keys", "new", "carl", "--out", str(tmp_path / "carl.key")]) == 0
    said = capsys.readouterr().out
    public = next(word for word in said.split() if len(word) == 64 and word in (tmp_path / "carl.key").read_text())
    assert main(["keys", "allow", "carl", public, "--role", "controller", "--folder", folder]) == 0
    assert main(["keys", "list", "--json", "--folder", folder]) == 0
    listed = capsys.readouterr().out
    assert public in listed
    assert (tmp_path / "carl.key").stat().st_mode & 0o777 == 0o600
    assert main(["keys", "revoke", "anna", "--folder", folder]) == 0
    assert main(["keys", "revoke", "anna", "--folder", folder]) == 1
    assert main(["keys", "new", "--out", str(own)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_a_socket_in_the_file_system_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "control"
    command = [sys.executable, "-m", "spikedaq.cli.daemon", "--data", str(tmp_path / "d"), "--control", f"ipc://{path}"]
    before = os.umask(0)
    try:
        with subprocess.Popen([*command, "--publish", f"ipc://{tmp_path}/bus"], stderr=subprocess.DEVNULL) as process:
            try:
                client = ControlClient(f"ipc://{path}")
                wait_for("the daemon to answer", lambda: client.call("hello"))
                assert path.stat().st_mode & 0o777 == 0o600
                assert (tmp_path / "bus").stat().st_mode & 0o777 == 0o600
                client.close()
            finally:
                process.terminate()
    finally:
        os.umask(before)


def test_a_subscriber_with_too_many_subscriptions_is_cut_and_memory_stays(bench: Bench) -> None:
    context = zmq.Context()
    flood = context.socket(zmq.XSUB)
    key = bench.keys["anna"]
    flood.curve_publickey, flood.curve_secretkey, flood.curve_serverkey = key.public, key.secret, bench.daemon_public
    flood.setsockopt(zmq.SNDHWM, 0)
    flood.setsockopt(zmq.LINGER, 0)
    monitor = flood.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    flood.connect(bench.publish)
    try:
        for number in range(MAX_PER_CONNECTION * 3):
            flood.send(b"\x01" + b"x%d/" % number + b"y" * 300)
        assert monitor.poll(20_000), "it was not cut"
        # Messages that are no subscriptions, and ones longer than any topic.
        flood.send(b"\x07" * 400)
        flood.send(b"\x01" + b"z" * 5000)
        with connect(bench.url, key=key) as good, good.subscribe("samples") as subscriber:
            assert all(subscriber.recv(10.0) for _ in range(20))
    finally:
        flood.disable_monitor()
        context.destroy(linger=0)
