"""Topics: `<bench>/<device>/<stream>/`."""

from __future__ import annotations

from typing import NamedTuple

from spikedaq.model import RemoteProtocolError, check_session_name

SAMPLES = "samples"
EVENTS = "events"
STATUS = "status"
ALARMS = "alarms"
"""Of the whole bench; in its topic the bench's part is `BENCH`."""
BENCH = "bench"


class Topic(NamedTuple):
    """The parts of a topic."""

    bench: str
    device: str
    stream: str


def topic_for(bench: str, device: str, stream: str) -> str:
    """Topic of one stream of one device.

    It ends with a slash because subscriptions match by prefix: without it ``dev1`` would also get ``dev10``.

    Raises
    ------
    ConfigError
        A part that cannot stand in a topic.
    """
    check_session_name(bench, "bench name")
    check_session_name(device, "device name")
    check_session_name(stream, "stream name")
    return f"{bench}/{device}/{stream}/"


def split_topic(topic: str) -> Topic:
    """Return the parts of a topic.

    Raises
    ------
    RemoteProtocolError
        Not of the form ``<bench>/<device>/<stream>/``.
    """
    parts = topic.split("/")
    if len(parts) != 4 or parts[3] or not all(parts[:3]):
        raise RemoteProtocolError(f"the bus topic {topic!r} is not of the form <bench>/<device>/<stream>/")
    return Topic(*parts[:3])
