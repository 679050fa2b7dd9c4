"""What the daemon publishes and answers, as bytes. Pure; described for any language in docs/reference/bus.md."""

from spikedaq.bus.alarms import MAX_ALARMS, alarms_header
from spikedaq.bus.control import (
    MAX_CLIENT_CHARS,
    MAX_CONTROL_BYTES,
    BadRequest,
    Reply,
    Request,
    decode_reply,
    decode_request,
    encode_error,
    encode_reply,
    encode_request,
)
from spikedaq.bus.derived import DerivedInfo, DerivedPlace, decode_derived, derived_header, derived_payload
from spikedaq.bus.message import BUS_VERSION, MAX_HEADER_BYTES, MAX_TOPIC_BYTES, Message, decode, encode
from spikedaq.bus.misses import MissCounter
from spikedaq.bus.order import DeviceOrder, Position, Unavailable, Wanted
from spikedaq.bus.samples import (
    decode_mode,
    decode_samples,
    encode_samples,
    event_header,
    gap_header,
    mode_header,
    payload_of,
    samples_header,
)
from spikedaq.bus.status import DeviceStatus, FileStatus, RecordingStatus, status_header
from spikedaq.bus.topics import ALARMS, BENCH, EVENTS, SAMPLES, STATUS, Topic, split_topic, topic_for

__all__ = [
    "ALARMS",
    "BENCH",
    "BUS_VERSION",
    "EVENTS",
    "MAX_ALARMS",
    "MAX_CLIENT_CHARS",
    "MAX_CONTROL_BYTES",
    "MAX_HEADER_BYTES",
    "MAX_TOPIC_BYTES",
    "SAMPLES",
    "STATUS",
    "BadRequest",
    "DerivedInfo",
    "DerivedPlace",
    "DeviceOrder",
    "DeviceStatus",
    "FileStatus",
    "Message",
    "MissCounter",
    "Position",
    "RecordingStatus",
    "Reply",
    "Request",
    "Topic",
    "Unavailable",
    "Wanted",
    "alarms_header",
    "decode",
    "decode_derived",
    "decode_mode",
    "decode_reply",
    "decode_request",
    "decode_samples",
    "derived_header",
    "derived_payload",
    "encode",
    "encode_error",
    "encode_reply",
    "encode_request",
    "encode_samples",
    "event_header",
    "gap_header",
    "mode_header",
    "payload_of",
    "samples_header",
    "split_topic",
    "status_header",
    "topic_for",
]
