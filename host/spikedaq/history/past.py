"""What a journal holds, told again as it was told on the bus."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spikedaq.bus import BUS_VERSION, EVENTS, SAMPLES, encode, encode_samples, event_header, gap_header, mode_header
from spikedaq.journal import WARM_UP_BYTES, Item, JournalGap, JournalSource, NoteRecord, TriggerRecord
from spikedaq.model import Block, ClampMode, Event, EventKind, Gap, GapCause, RemoteProtocolError
from spikedaq.wire import Description, DescriptionKind, Log, decode_message

MAX_ITEMS = 4000
"""Looked at per request, so that nobody who asks for the events of a week keeps the others waiting for long."""

MAX_PENDING = 1000
_LOOK_BACK_BYTES = 128 * 1024
"""Read over before the offset, for what is missing there; what is read before that, for the requests that changes of
parameters behind it answer."""
_POLL_BYTES = 32 * 1024
"""What was decoded and not told yet is kept, four times as large, for each of eight readers: 13 MB that came and went
with half a mebibyte. Reading takes no longer for it."""
_OTHERS = Gap | NoteRecord | Log | TriggerRecord


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which part of a device's past is wanted; what is None bounds nothing.

    Attributes
    ----------
    after : (boot_id, seq) or None
        Everything behind this frame.
    step : (boot_id, step) or None
        From the block with this step on.
    t_ns : int or None
        From this CLOCK_BOOTTIME on.
    until_seq, until_step, until_t_ns
        Up to this frame, the block that begins at or behind this step, or this time. A gap or change of mode that the
        frame ``until_seq`` reveals is told before the end.
    """

    after: tuple[int, int] | None = None
    step: tuple[int, int] | None = None
    t_ns: int | None = None
    until_seq: tuple[int, int] | None = None
    until_step: tuple[int, int] | None = None
    until_t_ns: int | None = None


class Past:
    """Reads a journal on from some offset; asked again and again, it goes on where it was.

    Parameters
    ----------
    folder : Path
    offset : int
    bounds : Bounds
    topics : dict of str to str
        By stream, `samples` or `events`: only these are told.
    mode : ClampMode, optional
        That of the block before; a block in another mode is announced.
    begun : bool
        What is wanted has begun before ``offset``.

    Attributes
    ----------
    offset : int
        Journal offset after the last frame that was told or passed over.
    begun, done : bool
        ``done`` says that the bounds, or the live edge, are reached.
    at_end : bool
        The live edge was reached.
    """

    def __init__(
        self,
        folder: Path,
        offset: int,
        bounds: Bounds,
        topics: dict[str, str],
        *,
        mode: ClampMode | None = None,
        begun: bool = False,
    ) -> None:
        self.offset = offset
        self.begun = begun
        self.mode = mode
        self.done = self.at_end = False
        self._bounds = bounds
        self._topics = topics
        self._device = folder.name
        self._begin = offset
        start = max(0, offset - _LOOK_BACK_BYTES)
        self._source = JournalSource(folder, start, poll_bytes=_POLL_BYTES, warm_up_bytes=WARM_UP_BYTES)
        self._journal_gap = False
        self._pending: deque[Item] = deque(maxlen=MAX_PENDING)

    def read(self, max_bytes: int) -> list[bytes]:
        """Return the next bus messages, of ``max_bytes`` together or one frame's more; none where all is told."""
        self.done = self.at_end = False
        told: list[bytes] = []
        n_bytes = n_items = 0
        while not self.done:
            item = self._source.peek()
            if item is None:
                self.done = self.at_end = True
                self.offset = max(self.offset, self._source.offset)
                break
            if item.end_offset <= self._begin:
                self._see(item)
                self._source.pop()
                self._journal_gap = self._journal_gap and not isinstance(item.content, Block)
                continue
            # Items of one frame are told together: between them there is no offset to go on from.
            if item.end_offset != self.offset and (n_bytes >= max_bytes or n_items >= MAX_ITEMS):
                break
            before = len(told)
            if self._is_end(item):
                self._tell_pending(told)
                if isinstance(item.content, Block):
                    self._announce_mode(item.content, told)
                self.done = True
                break
            self._source.pop()
            self._see(item)
            n_items += 1
            self.offset = item.end_offset
            self._take(item, told)
            n_bytes += sum(map(len, told[before:]))
        return told

    def close(self) -> None:
        """Close the journal."""
        self._source.close()

    def _see(self, item: Item) -> None:
        """Learn from an item what later ones are to say."""
        self._journal_gap = self._journal_gap or isinstance(item.content, JournalGap)

    def _take(self, item: Item, told: list[bytes]) -> None:
        if not self.begun:
            content = item.content
            if not isinstance(content, Block | Event):
                # It shares the fate of what follows it, as a gap does that of the block that reveals it.
                if isinstance(content, _OTHERS):
                    self._pending.append(item)
                return
            if not self._has_begun(content, item.t_received_ns):
                self._pending.clear()
                if isinstance(content, Block):
                    self.mode = content.mode
                return
            self.begun = True
        self._tell_pending(told)
        self._tell(item, told)

    def _tell_pending(self, told: list[bytes]) -> None:
        while self._pending:
            self._tell(self._pending.popleft(), told)

    def _has_begun(self, content: Block | Event, t_received_ns: int) -> bool:
        bounds = self._bounds
        if bounds.after is not None:
            boot_id, seq = bounds.after
            return content.boot_id != boot_id or 0 < (content.seq - seq) % 2**32 < 2**31
        if bounds.step is not None:
            boot_id, step = bounds.step
            newest = content.next_step - 1 if isinstance(content, Block) else content.step
            return content.boot_id != boot_id or newest >= step
        if bounds.t_ns is not None:
            return self._t_ns(content, t_received_ns) >= bounds.t_ns
        return True

    def _is_end(self, item: Item) -> bool:
        content, bounds = item.content, self._bounds
        if not isinstance(content, Block | Event):
            return False
        if bounds.until_seq is not None:
            boot_id, seq = bounds.until_seq
            if content.boot_id == boot_id and (content.seq - seq) % 2**32 < 2**31:
                return True
        if bounds.until_step is not None:
            boot_id, step = bounds.until_step
            first = content.first_step if isinstance(content, Block) else content.step
            if content.boot_id == boot_id and first >= step:
                return True
        return bounds.until_t_ns is not None and self._t_ns(content, item.t_received_ns) >= bounds.until_t_ns

    def _t_ns(self, content: Block | Event, t_received_ns: int) -> int:
        """Time of a block or event, that of its arrival where its clock is not fitted."""
        t_ns = self._time_of(content)[0]
        return t_received_ns if t_ns is None else t_ns

    def _time_of(self, content: Block | Event | Gap) -> tuple[int | None, int | None]:
        clock = self._source.state.clock_map
        if clock is None or clock.boot_id != content.boot_id:
            return None, None
        tick = content.tick if isinstance(content, Event) else content.first_tick
        return clock.host_ns(tick), clock.uncertainty_ns

    def _tell(self, item: Item, told: list[bytes]) -> None:
        content = item.content
        if isinstance(content, Block):
            self._journal_gap = False
            self._tell_block(content, told)
        elif isinstance(content, Event):
            t_ns, u_ns = self._time_of(content)
            header = event_header(content, n=0, epoch="", t_ns=t_ns, u_ns=u_ns)
            if content.kind == EventKind.PARAMETER:
                header["name"] = _parameter_name(self._source.state.descriptions, content.index)
                header["origin"] = item.origin
            self._event(header, told)
        elif isinstance(content, Gap):
            t_ns, u_ns = self._time_of(content)
            if self._journal_gap and content.cause is GapCause.LOST:
                content = replace(content, cause=GapCause.DROPPED)
            self._event(gap_header(content, n=0, epoch="", t_ns=t_ns, u_ns=u_ns), told)
        elif isinstance(content, NoteRecord):
            self._own("note", content.t_host_ns, told, text=content.text, origin=content.origin)
        elif isinstance(content, Log):
            self._own("log", item.t_received_ns, told, level=content.level, text=content.text)
        elif isinstance(content, TriggerRecord):
            self._own("fired", content.t_trigger_ns, told, **self._fired(content))

    def _fired(self, record: TriggerRecord) -> dict[str, Any]:
        fields = {name: getattr(record, name) for name in ("trigger", "device", "step", "tick", "pre_us", "post_us")}
        clock = self._source.state.clock_map
        is_own = clock is not None and record.device == self._device and record.boot_id == clock.boot_id
        return {
            **fields,
            "number": None,  # only the daemon that fired it counted
            "boot": record.boot_id,
            "value": None if math.isnan(record.value) else record.value,
            "u_ns": clock.uncertainty_ns if clock is not None and is_own else None,
        }

    def _tell_block(self, block: Block, told: list[bytes]) -> None:
        self._announce_mode(block, told)
        self.mode = block.mode
        topic = self._topics.get(SAMPLES)
        if topic is not None:
            t_ns, u_ns = self._time_of(block)
            told.append(encode_samples(topic, block, n=0, epoch="", t_ns=t_ns, u_ns=u_ns))

    def _announce_mode(self, block: Block, told: list[bytes]) -> None:
        if self.mode is not None and block.mode is not self.mode:
            t_ns, u_ns = self._time_of(block)
            self._event(mode_header(block, n=0, epoch="", t_ns=t_ns, u_ns=u_ns), told)

    def _own(self, kind: str, t_ns: int, told: list[bytes], **values: Any) -> None:
        self._event({"v": BUS_VERSION, "n": 0, "epoch": "", "kind": kind, "t_ns": t_ns, **values}, told)

    def _event(self, header: dict[str, Any], told: list[bytes]) -> None:
        topic = self._topics.get(EVENTS)
        if topic is not None:
            told.append(encode(topic, header))


def _parameter_name(descriptions: Mapping[tuple[int, int], bytes], index: int) -> str:
    """Return a parameter's name by the descriptions of a `JournalState`, ``parameter <index>`` where it has none."""
    message = descriptions.get((int(DescriptionKind.PARAMETER), index))
    try:
        description = decode_message(message) if message is not None else None
    except RemoteProtocolError:
        description = None
    name = description.body[0] if isinstance(description, Description) and description.body else None
    return name if isinstance(name, str) else f"parameter {index}"
