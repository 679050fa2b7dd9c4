"""Notes, logs and fired triggers: which of those that the history tells were told by the bus already."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_REMEMBERED = 256
_APART_NS = {
    # Publishing follows journalling at once, unless the disk keeps the daemon waiting.
    "note": 2_000_000_000,
    # The journal has when it came; it is published once the frames before it were sent again, which takes 5 s at most.
    "log": 10_000_000_000,
    # The instant is in the record, and told as it stands there.
    "fired": 0,
}
"""How far the time that the bus tells may lie from the journal's."""


@dataclass(slots=True)
class _Mark:
    what: tuple[Any, ...]
    t_live_ns: int | None
    t_past_ns: int | None


class Marks:
    """Remembers the newest of them. One that the bus told stands for one of the history, the nearest in time."""

    def __init__(self) -> None:
        self._marks: deque[_Mark] = deque(maxlen=_REMEMBERED)

    @staticmethod
    def has(header: Mapping[str, Any]) -> bool:
        """Whether it is about what such a header tells."""
        return header.get("kind") in _APART_NS

    def live(self, header: Mapping[str, Any]) -> None:
        """Take what the bus tells."""
        self._marks.append(_Mark(_what(header), _t_ns(header), None))

    def is_told(self, header: Mapping[str, Any]) -> bool:
        """Take what the history tells; return whether it was told before, by whichever of them."""
        what, t_ns = _what(header), _t_ns(header)
        alike = [mark for mark in self._marks if mark.what == what]
        if any(mark.t_past_ns == t_ns for mark in alike):
            return True
        live = [
            (abs(mark.t_live_ns - t_ns), mark)
            for mark in alike
            if mark.t_past_ns is None and mark.t_live_ns is not None
        ]
        apart_ns, nearest = min(live, key=lambda pair: pair[0], default=(0, None))
        if nearest is not None and apart_ns <= _APART_NS[header["kind"]]:
            nearest.t_past_ns = t_ns
            return True
        self._marks.append(_Mark(what, None, t_ns))
        return False


def _what(header: Mapping[str, Any]) -> tuple[Any, ...]:
    kind = header.get("kind")
    if kind == "fired":
        return kind, header.get("trigger"), header.get("device"), header.get("boot"), header.get("step")
    return kind, header.get("text"), header.get("origin", "")


def _t_ns(header: Mapping[str, Any]) -> int:
    t_ns = header.get("t_ns")
    return t_ns if type(t_ns) is int else 0
