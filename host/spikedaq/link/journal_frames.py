"""The device's messages of a journal, and what they say of each boot.

A journal is made of the very frames that a link carries (docs/reference/journal.md), so that nothing but the wire is
needed to read it: its records of types 64 and up come out of the decoder as unknown messages, and only the snapshot
matters here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from spikedaq.model import ConfigError, RemoteProtocolError, Trait
from spikedaq.wire import (
    BlockMessage,
    Description,
    DescriptionKind,
    Frame,
    FrameDecoder,
    Hello,
    Pong,
    Status,
    UnknownMessage,
    decode_message,
)

_RECORD_FRAME_BYTES: Final = 256 * 1024 + 4
_READ_BYTES: Final = 256 * 1024
_SNAPSHOT: Final = 74
_FACTS_BYTES: Final = 64 * 2**20
"""How far behind its hello a boot's descriptions are looked for; they are asked for at once, so far behind are none."""
_U32: Final = 2**32

Place = tuple[int, int]
"""Index of the segment, and position in it."""


class JournalFrames:
    """The device's messages of a journal folder, in order, from any place on.

    Parameters
    ----------
    first, last : int
        Journal offsets between which it is read. What lies before, in the same segment, counts as a snapshot: it says
        what the board is and how it is set.

    Raises
    ------
    ConfigError
        The folder holds no journal, or nothing between the offsets.
    """

    def __init__(self, folder: Path, *, first: int = 0, last: int | None = None) -> None:
        self.folder = folder
        self._first = first
        self._last = last
        self._segments = sorted(path for path in folder.glob("*.spj") if path.stem.isdecimal())
        if not self._segments:
            raise ConfigError(f"{folder} holds no journal; give a folder with .spj files, such as DATA/journal/alpha")
        bases = [int(path.stem) for path in self._segments]
        used = [
            path
            for path, base, end in zip(self._segments, bases, [*bases[1:], None], strict=True)
            if (end is None or end > first) and (last is None or base < last)
        ]
        if not used:
            raise ConfigError(f"{folder} holds nothing between the offsets {first} and {last}: it was deleted since")
        self._segments = used

    def messages(self, place: Place = (0, 0)) -> Iterator[tuple[Place, bytes, bool]]:
        """Yield (place, message, whether it is a snapshot or lies before the first offset). Damage is passed over."""
        first, position = place
        for index in range(first, len(self._segments)):
            decoder = FrameDecoder(_RECORD_FRAME_BYTES)
            try:
                file = self._segments[index].open("rb")
            except FileNotFoundError:  # the writer has deleted it meanwhile
                position = 0
                continue
            with file:
                file.seek(position)
                while data := file.read(_READ_BYTES):
                    for frame in decoder.feed(data):
                        if isinstance(frame, Frame):
                            at = (index, position + frame.offset)
                            offset = int(self._segments[index].stem) + at[1]
                            if self._last is not None and offset >= self._last:
                                return
                            inner = _snapshot(frame.message)
                            is_before = inner is not None or offset < self._first
                            yield at, frame.message if inner is None else inner, is_before
            position = 0


def _snapshot(message: bytes) -> bytes | None:
    """Return what a snapshot repeats; None for all else."""
    if len(message) < 2 or message[1] != _SNAPSHOT:
        return None
    found = decoded(message)
    if isinstance(found, UnknownMessage) and len(found.fields) > 1 and isinstance(found.fields[1], bytes):
        return found.fields[1]
    return None


def decoded(message: bytes) -> object:
    """Decode a message; None for one that breaks the protocol."""
    try:
        return decode_message(message)
    except RemoteProtocolError:
        return None


@dataclass(slots=True)
class BootFacts:
    """What a journal says of one boot of its board, wherever in the boot it says so."""

    hello: Hello
    descriptions: dict[tuple[int, int], Description] = field(default_factory=dict)
    first_tick: int | None = None
    first_step: int = 0
    near_tick: int | None = None

    def missing(self) -> list[str]:
        """Descriptions that the hello promises and that are not there."""
        hello = self.hello
        counts = {
            DescriptionKind.CHANNEL: hello.n_channels,
            DescriptionKind.PARAMETER: hello.n_parameters,
            DescriptionKind.PRESET: hello.n_presets,
        }
        if hello.traits & Trait.VOLTAGE_CLAMP:
            counts[DescriptionKind.CLAMP_CHANNEL] = hello.n_channels
        return [
            f"{kind.name.lower()} {index}"
            for kind, count in counts.items()
            for index in range(count)
            if (kind, index) not in self.descriptions
        ]


def learn_boot(frames: JournalFrames, place: Place, hello: Hello) -> BootFacts:
    """Read on from a boot's hello until all is known that a board must know of itself."""
    facts = BootFacts(hello)
    n_bytes = 0
    for _, message, is_before in frames.messages(place):
        n_bytes += len(message)
        found = decoded(message)
        if isinstance(found, Hello) and found.boot_id != hello.boot_id:
            break
        if isinstance(found, Description):
            facts.descriptions.setdefault((found.kind, found.index), found)
        elif isinstance(found, Pong | Status) and facts.near_tick is None:
            facts.near_tick = found.tick
        elif isinstance(found, BlockMessage) and facts.first_tick is None and not is_before:
            facts.first_tick, facts.first_step = found.first_tick, found.first_step
        complete = facts.first_tick is not None and facts.near_tick is not None and not facts.missing()
        if complete or n_bytes > _FACTS_BYTES:
            break
    if facts.first_tick is not None and facts.near_tick is not None:
        facts.first_tick = widened(facts.first_tick, facts.near_tick)
    return facts


def widened(tick_u32: int, near: int) -> int:
    """Widen a tick with one that is near (protocol/README.md, section 6)."""
    wide = near + ((tick_u32 - near + _U32 // 2) % _U32) - _U32 // 2
    return wide if wide >= 0 else wide + _U32
