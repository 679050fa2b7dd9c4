"""What the history tells again has what the bus told: the same keys, and the same values where journals have them."""

from __future__ import annotations

import asyncio
import math
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from fake_stream import T0_NS, FakeDevice

from spikedaq.bus import decode
from spikedaq.daemon.publish import DeviceOutlet
from spikedaq.history.requests import Requests
from spikedaq.journal import JournalWriter, RequestRecord, TriggerRecord
from spikedaq.model import Event, EventKind
from spikedaq.wire import Set, encode_message

PARAMETER = int(EventKind.PARAMETER)
SECOND_NS = 1_000_000_000


class Published:
    """A bus that keeps the headers."""

    def __init__(self) -> None:
        self.headers: list[dict[str, Any]] = []

    def publish(self, topic: str, message: bytes) -> bool:
        self.headers.append(decode(message).header)
        return True


@pytest.fixture
def writer(tmp_path: Path) -> JournalWriter:
    return JournalWriter(
        tmp_path / "alpha", device="alpha", unique_id="01", host_boot_id="b", boottime_ns=lambda: T0_NS
    )


def live() -> tuple[DeviceOutlet, list[dict[str, Any]]]:
    bus = Published()
    return DeviceOutlet(bus, "bench", "alpha", "e", lambda: T0_NS), bus.headers


def retold(folder: Path, kind: str, **args: Any) -> list[dict[str, Any]]:
    """What a history that was started just now tells of some kind."""
    requests = Requests(folder, "bench")
    reply = asyncio.run(requests.handle("read", {"device": "alpha", **args}, "tests"))
    assert reply["done"]
    headers = [decode(m).header for m in reply["messages"]]
    return [h for h in headers if h.get("kind") == kind]


def own_keys(header: dict[str, Any]) -> set[str]:
    return set(header) - {"samples"}  # the number on the bus, of the other topic


def set_parameter(t_ns: int, origin: str, request_id: int = 1) -> RequestRecord:
    return RequestRecord(t_ns, encode_message(Set(request_id, (0, 5.0))), origin)


def test_a_parameter_has_its_name_and_who_asked(tmp_path: Path, writer: JournalWriter) -> None:
    """The keys of the bus; one that was asked for has its asker once, one that was not is the board's."""
    device = FakeDevice()
    device.introduce(writer)
    writer.append(set_parameter(device.t_host_ns, "anna@here"))
    writer.append(set_parameter(device.t_host_ns, "anna@here"))  # no reply came
    for value in (5.0, 6.0):
        writer.append_frames(device.t_host_ns, [device.event(PARAMETER, value=value)])
    writer.append(set_parameter(device.t_host_ns, "bert@here", request_id=2))
    late_ns = device.t_host_ns + 3 * SECOND_NS
    writer.append_frames(late_ns, [device.event(PARAMETER, index=0, value=7.0), device.event(PARAMETER, index=9)])
    told = retold(tmp_path, "parameter")
    assert [(h["name"], h["origin"], h["value"]) for h in told] == [
        ("i_clamp", "anna@here", 5.0),
        ("i_clamp", "board", 6.0),
        ("i_clamp", "board", 7.0),
        ("parameter 9", "board", 0.0),
    ]
    outlet, headers = live()
    outlet.event(Event(1, 0, PARAMETER, 0, 0, 0, 5.0), None)
    assert own_keys(headers[0]) == set(told[0])


def test_who_asked_is_known_in_the_middle_of_a_journal(tmp_path: Path, writer: JournalWriter) -> None:
    """Also where the request lies before what is asked for, and where a reading goes on in another process."""
    device = FakeDevice()
    device.introduce(writer)
    for _ in range(300):
        writer.append_frames(device.t_host_ns, [device.block()])
    writer.append(set_parameter(device.t_host_ns, "anna@here"))
    after, offset = [device.boot_id, (device.seq - 1) % 2**32], writer.offset
    writer.append_frames(device.t_host_ns, [device.event(PARAMETER, value=5.0)])
    assert [h["origin"] for h in retold(tmp_path, "parameter", after=after)] == ["anna@here"]
    cursor = {"offset": offset, "begun": True, "mode": None}
    assert [h["origin"] for h in retold(tmp_path, "parameter", cursor=cursor)] == ["anna@here"]


def test_a_fired_trigger_has_the_keys_of_the_bus(tmp_path: Path, writer: JournalWriter) -> None:
    """Its window and its uncertainty too; its number nobody wrote down, and no value is nil as on the bus."""
    device = FakeDevice()
    device.introduce(writer)
    writer.append_frames(device.t_host_ns, [device.block()])
    records = [
        TriggerRecord(T0_NS, "t", "alpha", device.boot_id, 50, 1234, T0_NS, -20.0, 1000, 2000),
        TriggerRecord(T0_NS, "t", "", 0, 0, 0, T0_NS, math.nan, 0, 0),
    ]
    for record in records:
        writer.append(record)
    told = retold(tmp_path, "fired")
    outlet, headers = live()
    outlet.fired(records[0], 3, 50_000)
    outlet.fired(records[1], 4, None)
    for past, published in zip(told, headers, strict=True):
        assert own_keys(published) == set(past)
        not_known = {"n": 0, "epoch": "", "number": None}
        assert past == {key: not_known.get(key, published[key]) for key in past}
