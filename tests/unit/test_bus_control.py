"""Requests, replies and statuses as bytes."""

from __future__ import annotations

import msgpack
import pytest

from spikedaq.bus import (
    MAX_CONTROL_BYTES,
    BadRequest,
    DeviceStatus,
    FileStatus,
    RecordingStatus,
    Reply,
    Request,
    decode_reply,
    decode_request,
    encode_error,
    encode_reply,
    encode_request,
    status_header,
)
from spikedaq.model import LocalProtocolError, RemoteProtocolError


def test_requests_and_replies_come_back_as_they_went() -> None:
    request = Request("1", "set", {"device": "alpha", "values": {"i_clamp": 15.5, "preset": None}})
    assert decode_request(encode_request(request)) == request
    assert decode_reply(encode_reply("1", [1, "x", None])) == Reply("1", ok=True, value=[1, "x", None])
    assert decode_reply(encode_error("1", "busy", "later")) == Reply("1", ok=False, code="busy", text="later")


def test_a_request_is_the_map_that_the_reference_shows() -> None:
    data = encode_request(Request("7", "hello"))
    assert data == b"\x84\xa1v\x01\xa2id\xa17\xa2op\xa5hello\xa4args\x80"


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\x90", msgpack.packb("text"), msgpack.packb({"v": 1}), msgpack.packb({"v": 1, "id": 5}),
     msgpack.packb({"v": 1, "id": ""}), msgpack.packb({"v": 1, "id": "x" * 65}), b"\x81\x01\x01",
     encode_request(Request("1", "hello")) + b"\0", b"\x91" * 5000, b"\xdd\xff\xff\xff\xff"],
)  # fmt: skip
def test_a_request_that_cannot_be_read_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_request(data)
    assert not isinstance(caught.value, BadRequest)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"v": 2, "op": "hello"}, "version 2"),
        ({"op": "hello"}, "no version"),
        ({"v": 1}, "'op'"),
        ({"v": 1, "op": 3}, "'op'"),
        ({"v": 1, "op": "hello", "args": []}, "'args'"),
        ({"v": 1, "op": "hello", "args": None}, "'args'"),
    ],
)
def test_a_request_with_an_id_keeps_it_when_it_is_refused(fields: dict[str, object], says: str) -> None:
    with pytest.raises(BadRequest, match=says) as caught:
        decode_request(msgpack.packb({"id": "q1", **fields}))
    assert caught.value.request_id == "q1"


@pytest.mark.parametrize(
    "fields",
    [{}, {"id": "1"}, {"id": 1, "ok": True}, {"id": "1", "ok": 1}, {"id": "1", "ok": False},
     {"id": "1", "ok": False, "error": "x"}, {"id": "1", "ok": False, "error": {"code": 1, "text": "x"}}],
)  # fmt: skip
def test_a_reply_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_reply(msgpack.packb({"v": 1, **fields}))


def test_too_much_is_refused_before_it_is_sent() -> None:
    with pytest.raises(LocalProtocolError, match=str(MAX_CONTROL_BYTES)):
        encode_request(Request("1", "stimulus", {"rows": b"\0" * MAX_CONTROL_BYTES}))
    with pytest.raises(RemoteProtocolError, match=str(MAX_CONTROL_BYTES)):
        decode_request(b"\xc4" * (MAX_CONTROL_BYTES + 1))


def test_statuses_ignore_keys_of_later_versions_and_miss_none_silently() -> None:
    recording = FileStatus("recording", file="/x.nwb", bytes=10).to_map()
    status = DeviceStatus("alpha", "sim:alpha", "running", recording=recording)
    header = status_header(status, n=1, epoch="e", t_ns=2)
    assert DeviceStatus.from_map({**header, "later": 1}) == status
    assert RecordingStatus.from_map({"session": "s", "state": "recording", "folder": "/f", "new": 1}).devices == {}
    with pytest.raises(RemoteProtocolError, match="url"):
        DeviceStatus.from_map({"device": "alpha", "state": "running"})
