"""The alarms of a bench, as its `alarms` stream tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spikedaq.bus.message import BUS_VERSION

MAX_ALARMS = 64
"""In one message; with texts of `MAX_TEXT_CHARS` they fill half of what a header may have."""
MAX_TEXT_CHARS = 400

AlarmMap = Mapping[str, Any]


def alarms_header(
    standing: Sequence[AlarmMap],
    *,
    n: int,
    epoch: str,
    t_ns: int,
    raised: AlarmMap | None = None,
    ended: AlarmMap | None = None,
) -> dict[str, Any]:
    """Header of a message on the `alarms` topic.

    Parameters
    ----------
    standing : sequence of maps
        Every alarm that stands now: kind, subject, text, since_ns. Those beyond `MAX_ALARMS` are only counted.
    raised, ended : map, optional
        The one that this message is about; neither where it only repeats what stands.
    """
    return {
        "v": BUS_VERSION,
        "n": n,
        "epoch": epoch,
        "t_ns": t_ns,
        "alarms": [_short(alarm) for alarm in standing[:MAX_ALARMS]],
        "more": max(0, len(standing) - MAX_ALARMS),
        "raised": _short(raised),
        "ended": _short(ended),
    }


def _short(alarm: AlarmMap | None) -> dict[str, Any] | None:
    if alarm is None:
        return None
    text = str(alarm["text"])
    return {**alarm, "text": text if len(text) <= MAX_TEXT_CHARS else text[: MAX_TEXT_CHARS - 3] + "..."}
