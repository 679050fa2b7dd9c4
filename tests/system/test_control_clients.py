"""Who asks, to a real daemon: origins, leases, and requests that have their effect once."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import msgpack
import numpy as np
import pytest
import zmq

from harness import DaemonProcess, read_truth, wait_for
from spikedaq.bus import EVENTS, STATUS, topic_for
from spikedaq.inlet import ControlClient, Subscriber
from spikedaq.inlet.control import CHANGING
from spikedaq.model import CommandRejected
from spikedaq.store import find_files, open_recording


@contextlib.contextmanager
def bench(tmp_path: Path, **devices: str) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path / "data", {"alpha": "sim:alpha", **devices}) as daemon:
        wait_for("the devices to run", lambda: {e["state"] for e in daemon.call("list")} == {"running"})
        yield daemon


def events_until(subscriber: Subscriber, *kinds: str) -> list[dict[str, Any]]:
    """Return the events of some kinds until each has come."""
    found: list[dict[str, Any]] = []
    while {header["kind"] for header in found} < set(kinds):
        message = subscriber.recv(10.0)
        assert message is not None, found
        if message.header["kind"] in kinds:
            found.append(message.header)
    return found


def test_a_change_is_told_with_who_made_it(tmp_path: Path) -> None:
    """`set` on the bus at once, the board's own `parameter` with name and origin; a knob's change is the board's."""
    with bench(tmp_path) as daemon, ControlClient(daemon.url, name="anna") as anna:
        hello = anna.call("hello")
        with Subscriber(hello["publish"], [topic_for("bench", "alpha", stream) for stream in (EVENTS, STATUS)]) as bus:
            assert bus.recv(5.0) is not None
            anna.call("set", device="alpha", values={"i_clamp": 12.5})
            found = {event["kind"]: event for event in events_until(bus, "set", "parameter")}
            assert found["set"]["origin"] == "anna@127.0.0.1"
            assert found["set"]["values"] == {"i_clamp": 12.5}
            assert (found["parameter"]["name"], found["parameter"]["origin"]) == ("i_clamp", "anna@127.0.0.1")
            anna.call("note", text="here it begins")
            (note,) = events_until(bus, "note")
            assert (note["text"], note["origin"]) == ("here it begins", "anna@127.0.0.1")


def test_a_recorded_change_says_whose_it_is(tmp_path: Path) -> None:
    """What a client set has its name in the file, what the board brought with it is the board's: as on the bus."""
    with bench(tmp_path) as daemon, ControlClient(daemon.url, name="anna") as anna:
        folder = Path(anna.call("record_start", session="s", timeout_s=30.0)["folder"])
        anna.call("set", device="alpha", values={"i_clamp": 12.5})
        anna.call("set", device="alpha", values={"preset": 3})
        anna.call("get", device="alpha", name="preset")
        anna.call("record_stop", timeout_s=30.0)
        (path,) = find_files(folder, "alpha")
        with open_recording(path) as file:
            rows = [row for row in file.parameters if row.origin != "initial"]
    told = {row.name: row for row in rows if not row.is_request}
    assert (told["i_clamp"].value, told["i_clamp"].origin) == (12.5, "anna@127.0.0.1")
    assert (told["preset"].value, told["preset"].origin) == (3.0, "anna@127.0.0.1")
    assert {row.origin for name, row in told.items() if name not in ("i_clamp", "preset")} == {"board"}
    assert [row.name for row in rows if row.is_request] == ["i_clamp", "preset"]
    assert all(row.time_s > 0 and row.step is not None for row in told.values())


def test_one_writer_all_watchers(tmp_path: Path) -> None:
    with (
        bench(tmp_path, beta="sim:beta") as daemon,
        ControlClient(daemon.url, name="anna") as anna,
        ControlClient(daemon.url, name="ben") as ben,
        ControlClient(daemon.url, name="ben") as bens_other,
    ):
        ben.call("set", device="alpha", values={"i_clamp": 1.0})
        hello = anna.call("hello")
        with Subscriber(hello["publish"], [topic_for("bench", "alpha", stream) for stream in (EVENTS, STATUS)]) as bus:
            assert bus.recv(5.0) is not None
            lease = anna.call("lease_take", device="alpha", ttl_s=30.0)
            assert (lease["holder"], lease["ttl_s"]) == ("anna@127.0.0.1", 30.0)
            (event,) = events_until(bus, "lease")
            assert (event["what"], event["holder"], event["device"]) == ("taken", "anna@127.0.0.1", "alpha")
        for op, args in (
            ("set", {"values": {"i_clamp": 9.0}}),
            ("stop", {}),
            ("reset", {}),
            ("stimulus", {"rows": [1]}),
            ("note", {"text": "x"}),
        ):
            with pytest.raises(CommandRejected, match=r"alpha is leased by anna@127\.0\.0\.1 for") as caught:
                ben.call(op, device="alpha", **args)
            assert caught.value.code == "leased"
        assert ben.call("get", device="alpha", name="i_clamp")["value"] == 1.0
        ben.call("set", device="beta", values={"i_clamp": 2.0})
        anna.call("set", device="alpha", values={"i_clamp": 3.0})
        status = ben.call("status")
        assert [entry["holder"] for entry in status["leases"]] == ["anna@127.0.0.1"]
        held = {entry["name"]: entry["lease"] for entry in status["devices"]}
        assert (held["alpha"]["holder"], held["beta"]) == ("anna@127.0.0.1", None)
        # The bench: recordings and all devices.
        with pytest.raises(CommandRejected, match="leased by anna"):
            ben.call("lease_take")
        ben.call("lease_take", force=True)
        with pytest.raises(CommandRejected, match="the bench is leased by ben"):
            anna.call("record_start", session="s")
        # A lease is its holder's, whichever of his programs he uses.
        bens_other.call("lease_release")
        anna.call("lease_take", device="alpha", ttl_s=1.0)
        wait_for("it to run out", lambda: anna.call("lease_list") == [])
        ben.call("set", device="alpha", values={"i_clamp": 4.0})


class Wire:
    """A raw client with ids of its choice."""

    def __init__(self, url: str) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.connect(url)

    def ask(self, request_id: str, op: str, client: str = "", **args: object) -> Any:
        self.socket.send(msgpack.packb({"v": 1, "id": request_id, "op": op, "args": args, "client": client}))
        assert self.socket.poll(20_000)
        reply = msgpack.unpackb(self.socket.recv())
        assert reply["id"] == request_id
        return reply

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.destroy(linger=0)


def test_a_request_has_its_effect_once_also_over_another_connection(tmp_path: Path) -> None:
    with bench(tmp_path) as daemon, Wire(daemon.url) as first, Wire(daemon.url) as second, Wire(daemon.url) as nameless:
        notes: list[str] = []
        with Subscriber(daemon.call("hello")["publish"], ["bench/alpha/"]) as bus:
            assert bus.recv(5.0) is not None
            replies = [
                wire.ask("1", "note", client="script", device="alpha", text="once")
                for wire in (first, first, second, second)
            ]
            assert all(reply == replies[0] and reply["ok"] for reply in replies)
            # Ids are unique per client: a connection without a name, and another name, are others.
            assert nameless.ask("1", "note", device="alpha", text="nameless")["ok"]
            assert second.ask("1", "note", device="alpha", text="nameless 2")["ok"]
            assert second.ask("1", "note", client="other", device="alpha", text="other")["ok"]
            reused = second.ask("1", "note", client="script", device="alpha", text="twice")
            assert reused["error"]["code"] == "id_reused"
            assert second.ask("2", "note", client="script", device="alpha", text="last")["ok"]
            while "last" not in notes:
                message = bus.recv(10.0)
                assert message is not None
                if message.header.get("kind") == "note":
                    notes.append(message.header["text"])
        assert notes == ["once", "nameless", "nameless 2", "other", "last"]


def test_a_recording_is_started_once_although_it_was_asked_for_twice_meanwhile(tmp_path: Path) -> None:
    """The second asker waits for the same answer: the first block is on disk."""
    with bench(tmp_path) as daemon, Wire(daemon.url) as first, Wire(daemon.url) as second:
        for wire in (first, second):
            fields = {"v": 1, "id": "r", "op": "record_start", "args": {"session": "s"}, "client": "script"}
            wire.socket.send(msgpack.packb(fields))
        replies = []
        for wire in (first, second):
            assert wire.socket.poll(30_000)
            replies.append(msgpack.unpackb(wire.socket.recv()))
        assert replies[0] == replies[1]
        assert replies[0]["ok"], replies[0]
        assert replies[0]["value"]["devices"]["alpha"]["rows_on_disk"] > 0
        assert daemon.call("record_stop")["state"] == "complete"


def test_a_recording_is_told_as_begun_once_another_program_reads_it(tmp_path: Path) -> None:
    """When the reply comes, the file that it names opens and holds what the board made, a block or more of it."""
    truth = tmp_path / "truth"
    with DaemonProcess(tmp_path / "data", {"alpha": f"sim:alpha?param.i_clamp=15&truth={truth}"}) as daemon:
        wait_for("the device to run", lambda: daemon.call("list")[0]["state"] == "running")
        begun = daemon.call("record_start", session="s")["devices"]["alpha"]
        with h5py.File(begun["file"], "r", swmr=True) as file:  # at once: nothing is waited for
            microvolts = file["acquisition/vm/data"][:]
        with open_recording(Path(begun["file"])) as recording:
            n, n_blocks = recording.n_samples, len(recording.blocks)
            steps, samples = np.asarray(recording.steps(0, n)), recording.samples(0, n)
        assert n_blocks >= 1
        assert len(samples) >= begun["rows_on_disk"] > 0
        assert len(microvolts) >= begun["rows_on_disk"]
        assert daemon.stop() == 0
    produced = read_truth(truth)
    first = int(steps[0] - produced["step"][0])
    np.testing.assert_array_equal(samples, produced["values"][first : first + n])
    # int32 microvolts of hundredths of a millivolt
    np.testing.assert_array_equal(microvolts[:n], 10 * produced["values"][first : first + n, 0].astype(int))


class BreakingProxy:
    """Passes bytes between a client and the daemon, and breaks the connection before an answer gets back."""

    def __init__(self, port: int, breaks: int) -> None:
        self._port = port
        self._breaks = breaks
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            daemon = socket.create_connection(("127.0.0.1", self._port))
            for source, sink, is_answer in ((client, daemon, False), (daemon, client, True)):
                threading.Thread(target=self._pass, args=(source, sink, is_answer), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                # An answer to a note: the daemon has done it, and the client shall not learn it.
                if is_answer and b"\xa2ok\xc3" in data and self._breaks:
                    self._breaks -= 1
                    break
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.close()
        self._thread.join(5)


def test_a_client_whose_answer_was_lost_asks_again_and_nothing_happens_twice(tmp_path: Path) -> None:
    with bench(tmp_path) as daemon:
        proxy = BreakingProxy(daemon.control_port, breaks=2)
        notes: list[str] = []
        with (
            Subscriber(daemon.call("hello")["publish"], [topic_for("bench", "alpha", EVENTS)]) as bus,
            ControlClient(proxy.url, timeout_s=20.0, name="anna") as client,
        ):
            wait_for("the subscription", lambda: daemon.call("note", text="begin") is None and bus.recv(0.2))
            client.call("note", device="alpha", text="once")
            daemon.call("note", text="end")
            while "end" not in notes:
                message = bus.recv(10.0)
                assert message is not None
                if message.header["kind"] == "note":
                    notes.append(message.header["text"])
        proxy.close()
        assert [text for text in notes if text != "begin"] == ["once", "end"]
        assert proxy.connections >= 4, "the probe, the first, and two after breaks"


def test_the_client_knows_what_changes_something(tmp_path: Path) -> None:
    with bench(tmp_path) as daemon:
        assert {each["op"] for each in daemon.call("operations") if each["changes"]} == CHANGING


def test_one_client_cannot_take_all_places(tmp_path: Path) -> None:
    """Someone who asks for much at once is told so; others are served meanwhile."""
    with bench(tmp_path) as daemon, Wire(daemon.url) as greedy:
        for number in range(40):
            greedy.socket.send(
                msgpack.packb({"v": 1, "id": str(number), "op": "ping", "args": {"device": "alpha"}, "client": "g"})
            )
        codes = []
        assert daemon.call("hello", timeout_s=5.0)["bench"] == "bench"
        for _ in range(40):
            assert greedy.socket.poll(20_000)
            reply = msgpack.unpackb(greedy.socket.recv())
            codes.append("ok" if reply["ok"] else reply["error"]["code"])
        assert set(codes) <= {"ok", "busy"}
        assert codes.count("ok") >= 16
