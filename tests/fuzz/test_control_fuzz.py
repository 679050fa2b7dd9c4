"""Malformed requests against a real daemon: each is refused, nothing changes, nothing grows.

FUZZ_REQUESTS says how many (a million by hand, a few thousand otherwise), FUZZ_SEED which.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import zmq

from harness import DaemonProcess, wait_for
from spikedaq.bus import EVENTS, topic_for
from spikedaq.inlet import Subscriber

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "6000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
CONNECTIONS, WINDOW = 4, 8
HARMLESS = "hhhhhhhh"
_DEEP: Any = []
for _ in range(400):
    _DEEP = [_DEEP]
# None of these is right for any argument of any operation.
WRONG = [b"\xff", [[]], {"\0": [None]}, [b""], {"": {}}, {"a": float("nan")}, [{"a": _DEEP}], [2**63], {"x" * 3000: []}]
RIGHT = {
    "device": "alpha", "name": "i_clamp", "values": {"i_clamp": 77.0}, "scope": "neuron", "rows": [1], "loop": True,
    "stop": False, "session": "s", "text": "t", "ttl_s": 5.0, "force": False,
}  # fmt: skip


class Malformed:
    """Requests that no client of ours would send, as parts of a message."""

    def __init__(self, operations: list[dict[str, Any]], seed: int) -> None:
        self._random = random.Random(seed)
        self._operations = operations
        self._kinds = [
            self._noise, self._cut, self._trailing, self._flipped, self._envelope, self._unknown_op, self._unknown_arg,
            self._missing_arg, self._wrong_arg, self._wrong_arg, self._nested, self._lengths, self._large, self._parts,
        ]  # fmt: skip
        self._n = 0

    def __iter__(self) -> Iterator[list[bytes]]:
        while True:
            made = self._random.choice(self._kinds)()
            yield made if isinstance(made, list) else [made]

    def _id(self) -> str:
        self._n += 1
        return f"f{self._n}"

    def _pack(self, op: object, args: object, **more: object) -> bytes:
        return msgpack.packb({"v": 1, "id": self._id(), "op": op, "args": args, **more})

    def _some(self) -> dict[str, Any]:
        return self._random.choice(self._operations)

    def _right(self, operation: dict[str, Any]) -> dict[str, Any]:
        return {name: RIGHT.get(name, self._random.choice(WRONG)) for name in operation["needs"]}

    def _valid(self) -> bytes:
        operation = self._some()
        return self._pack(operation["op"], self._right(operation))

    def _noise(self) -> bytes:
        return self._random.randbytes(self._random.randrange(200))

    def _cut(self) -> bytes:
        data = self._valid()
        return data[: self._random.randrange(len(data))]

    def _trailing(self) -> bytes:
        return self._valid() + self._random.randbytes(1 + self._random.randrange(30))

    def _flipped(self) -> bytes:
        """Flip bits of a request that is harmless whatever the flips make of it; its id says so, flips or not."""
        operation = self._some()
        args = self._right(operation)
        if operation["changes"]:
            if "device" not in operation["needs"]:
                return self._unknown_arg()
            args["device"] = "there is no such device"
        data = bytearray(msgpack.packb({"v": 1, "id": HARMLESS + self._id(), "op": operation["op"], "args": args}))
        for _ in range(self._random.randint(1, 4)):
            data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)
        if data.count(b"shutdown") or data.count(b"record_stop"):
            return self._noise()
        return bytes(data)

    def _envelope(self) -> bytes:
        fields: dict[Any, Any] = {
            "v": 1,
            "id": self._id(),
            "op": "set",
            "args": {"device": "alpha", "values": {"i_clamp": 9}},
        }
        key = self._random.choice(["v", "id", "op", "args", "client"])
        fields[key] = self._random.choice([*WRONG, 2, -1, 1.5, True, "\0" * 80, "x" * 100_000])
        if key in ("v", "id") and fields[key] == 1:
            fields[key] = 9
        return msgpack.packb(fields)

    def _unknown_op(self) -> bytes:
        name = self._random.choice(
            ["", "sett", "SET", "set\0", "__class__", "_set", "x" * 50_000, "\u202e", "..", "run"]
        )
        return self._pack(name, {"device": "alpha", "values": {"i_clamp": 9}})

    def _unknown_arg(self) -> bytes:
        operation = self._some()
        name = self._random.choice(["", "x", "self", "who", "peer", "_", "devic", "x" * 9000, "\ud7ff"])
        return self._pack(operation["op"], {**self._right(operation), name: self._random.choice([None, 1, *WRONG])})

    def _missing_arg(self) -> bytes:
        operation = self._some()
        if not operation["needs"]:
            return self._unknown_arg()
        args = self._right(operation)
        left_out = self._random.choice(operation["needs"])
        args.pop(left_out)
        if self._random.random() < 0.3:
            args[left_out] = None
        return self._pack(operation["op"], args)

    def _wrong_arg(self) -> bytes:
        operation = self._some()
        names = [*operation["needs"], *operation["takes"]]
        if not names:
            return self._unknown_arg()
        return self._pack(
            operation["op"], {**self._right(operation), self._random.choice(names): self._random.choice(WRONG)}
        )

    def _nested(self) -> bytes:
        depth = self._random.choice([40, 500, 900, 1500, 100_000])
        inside = b"\x91" * depth + b"\x90" if self._random.random() < 0.5 else b"\x81\xa1a" * depth + b"\x80"
        head = msgpack.packb({"v": 1, "id": self._id(), "op": "set"})
        return b"\x84" + head[1:] + b"\xa4args\x82\xa6device\xa5alpha\xa6values" + inside

    def _lengths(self) -> bytes:
        huge = self._random.choice([b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9"]) + self._random.randbytes(4)
        head = msgpack.packb({"v": 1, "id": self._id(), "op": "set"})
        return huge if self._random.random() < 0.3 else b"\x84" + head[1:] + b"\xa4args" + huge

    def _large(self) -> bytes:
        if self._random.random() < 0.9:
            return self._wrong_arg()
        large = self._random.choice(
            [["x"] * 60_000, "y" * 300_000, b"z" * 300_000, dict.fromkeys(map(str, range(9000)), 1)]
        )
        op, name = self._random.choice([("stimulus", "rows"), ("set", "values"), ("get", "name"), ("note", "text")])
        return self._pack(op, {"device": "alpha", name: large})

    def _parts(self) -> list[bytes]:
        return [self._random.randbytes(3) for _ in range(self._random.randint(1, 4))] + [self._valid()]


def state(daemon: DaemonProcess) -> dict[str, Any]:
    """Everything that a request could have changed."""
    described = daemon.call("describe", device="alpha")
    status = daemon.call("status")
    return {
        "parameters": [(p["name"], p["value"], p["holder"]) for p in described["parameters"]],
        "devices": [(entry["name"], entry["state"]) for entry in status["devices"]],
        "recording": status["recording"],
        "leases": status["leases"],
        "files": sorted(str(path) for path in (daemon.data / "recordings").rglob("*")),
        "triggers": daemon.call("trigger_list")
        if any(o["op"] == "trigger_list" for o in daemon.call("operations"))
        else [],
    }


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_malformed_requests_are_refused_and_change_nothing(tmp_path: Path) -> None:
    """Every one is answered once, none ok but harmless questions, none as a defect; state and memory stay."""
    with DaemonProcess(tmp_path / "data", {"alpha": "sim:alpha"}) as daemon:
        assert daemon.process is not None
        wait_for("the device to run", lambda: daemon.call("list")[0]["state"] == "running")
        operations = daemon.call("operations")
        before = state(daemon)
        hello = daemon.call("hello")
        context = zmq.Context()
        poller = zmq.Poller()
        sockets = [context.socket(zmq.DEALER) for _ in range(CONNECTIONS)]
        waiting = dict.fromkeys(sockets, 0)
        for each in sockets:
            each.connect(daemon.url)
            poller.register(each, zmq.POLLIN)
        codes: Counter[str] = Counter()
        resident: list[int] = []
        requests = iter(Malformed(operations, SEED))
        sent = 0
        begun_s = time.monotonic()
        with Subscriber(hello["publish"], [topic_for("bench", "alpha", EVENTS)]) as events:
            while sent < REQUESTS or any(waiting.values()):
                for each in sockets:
                    while waiting[each] < WINDOW and sent < REQUESTS:
                        each.send_multipart(next(requests))
                        waiting[each] += 1
                        sent += 1
                ready = dict(poller.poll(10_000))
                assert ready, (
                    f"no answer to {sum(waiting.values())} requests",
                    daemon.process.poll(),
                    daemon.log()[-2000:],
                )
                for each in ready:
                    parts = each.recv_multipart()
                    reply = msgpack.unpackb(parts[-1])
                    waiting[each] -= 1
                    code = "ok" if reply["ok"] else reply["error"]["code"]
                    codes[code] += 1
                    assert code != "ok" or reply["id"][: len(HARMLESS)].count("h") > 3, reply
                    assert code != "internal", reply["error"]["text"]
                    assert code == "ok" or len(reply["error"]["text"]) <= 2000
                    if sum(codes.values()) % max(1, REQUESTS // 20) == 0:
                        resident.append(resident_bytes(daemon.process.pid))
            rate = REQUESTS / (time.monotonic() - begun_s)
            heard = [message.header["kind"] for message in iter(lambda: events.recv(0.0), None)]
        context.destroy(linger=0)
        assert daemon.process.poll() is None, daemon.log()[-2000:]
        assert state(daemon) == before
        assert not set(heard) & {"set", "parameter", "note", "lease", "link", "mode"}, Counter(heard)
        assert sum(codes.values()) == REQUESTS
        assert "unexpectedly" not in daemon.log()
        daemon.call("set", device="alpha", values={"i_clamp": 5.0})
        assert daemon.call("get", device="alpha", name="i_clamp")["value"] == 5.0
    grown = max(resident[4:]) - resident[3]
    memory = f"memory grown by {grown / 1e6:.1f} MB to {resident[-1] / 1e6:.0f} MB"
    print(f"\n{REQUESTS} malformed requests, seed {SEED}: {memory}; {rate:.0f} a second; {dict(codes)}")
    # The rest is the allocator's: what one request can take is bounded by its mebibyte.
    assert grown < 48e6, resident
