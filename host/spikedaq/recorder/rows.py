"""What is no sample: from an item of the journal to the rows of a file."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

from spikedaq.journal import (
    ClockFitRecord,
    ClockMapRecord,
    Item,
    JournalGap,
    LinkRecord,
    NoteRecord,
    RequestRecord,
    TriggerRecord,
    UnknownRecord,
    decode_record,
    encode_record,
)
from spikedaq.model import ClockMap, Event, Gap, GapCause, LocalProtocolError, RemoteProtocolError
from spikedaq.recorder.mode import Continuous, Mode, Triggered
from spikedaq.store import Epoch, RecordingWriter
from spikedaq.wire import Describe, Get, HelloRequest, Set, StimulusData, decode_message

ROWS = (Event, NoteRecord, RequestRecord, LinkRecord, JournalGap, ClockMapRecord, ClockFitRecord, TriggerRecord)
"""Items that make rows."""
_KEPT = (NoteRecord, RequestRecord, LinkRecord, JournalGap, TriggerRecord)

ClockOf = Callable[[int], ClockMap | None]


def boot_of(item: Item, device: str) -> int | None:
    """Boot of the device that a row belongs to, None where it belongs to none."""
    content = item.content
    if isinstance(content, ClockMapRecord):
        return content.map.boot_id
    if isinstance(content, TriggerRecord):
        return content.boot_id if content.device == device else None
    return getattr(content, "boot_id", None)


def write_row(
    writer: RecordingWriter, item: Item, device: str, clock_of: ClockOf, window_us: tuple[int, int] = (0, 0)
) -> None:
    """Put an item into a file; what is of a boot that the file is not of is left out.

    Parameters
    ----------
    clock_of : callable
        Clock map of a boot at this place in the journal.
    window_us : tuple of int
        Of a trigger: what is recorded before and after it.
    """
    content, offset = item.content, item.end_offset
    boot_id = boot_of(item, device)
    if boot_id is not None and boot_id != writer.meta.info.boot_id:
        return
    if isinstance(content, Event):
        clock = clock_of(content.boot_id)
        if clock is not None:
            writer.rows.append_event(content, clock, offset, origin=item.origin)
    elif isinstance(content, ClockMapRecord):
        writer.rows.append_clock_map(content.map, content.t_host_ns, offset)
    elif isinstance(content, ClockFitRecord):
        writer.rows.append_clock_fit(astuple(content), offset)
    elif isinstance(content, NoteRecord):
        writer.rows.append_note(content.t_host_ns, content.text, content.origin, offset)
    elif isinstance(content, LinkRecord):
        text = f"link {content.state}: {content.url}" + (f" ({content.detail})" if content.detail else "")
        writer.rows.append_note(content.t_host_ns, text, "link", offset)
    elif isinstance(content, JournalGap):
        writer.rows.append_note(content.t_host_ns, gap_text(content), "journal", offset)
    elif isinstance(content, RequestRecord):
        _write_request(writer, content, offset)
    elif isinstance(content, TriggerRecord):
        writer.rows.append_epoch(_epoch(content, device, clock_of, window_us, writer.meta.step_us), offset)


def window_of(record: TriggerRecord, mode: Mode) -> tuple[int, int]:
    """Microseconds before and after a trigger that its epoch spans; both 0 where it is only marked."""
    if isinstance(mode, Triggered):
        return mode.window(record)
    return (max(record.pre_us, 0), max(record.post_us, 0)) if isinstance(mode, Continuous) else (0, 0)


def _epoch(record: TriggerRecord, device: str, clock_of: ClockOf, window_us: tuple[int, int], step_us: int) -> Epoch:
    clock = clock_of(record.boot_id) if record.device == device else None
    pre_us, post_us = window_us
    if not pre_us and not post_us:
        post_us = step_us  # a mark: as long as the sample
    if clock is None:
        t_ns = record.t_trigger_ns
        start_ns, stop_ns = t_ns - pre_us * 1000, t_ns + post_us * 1000
    else:
        t_ns = clock.host_ns(record.tick)
        start_ns = clock.host_ns(record.tick - pre_us // step_us * step_us)
        stop_ns = clock.host_ns(record.tick - -post_us // step_us * step_us)
    where = (record.boot_id, record.step, record.tick)
    return Epoch(record.trigger, record.device, start_ns, stop_ns, t_ns, record.value, *where)


def as_dropped(gap: Gap) -> Gap:
    """Return a gap as one that this computer has made."""
    return Gap(gap.boot_id, gap.stream, gap.first_step, gap.n_steps, gap.first_tick, GapCause.DROPPED)


def _write_request(writer: RecordingWriter, record: RequestRecord, offset: int) -> None:
    """Put a request to the device into the file: parameters into their table, all else as a note."""
    try:
        message = decode_message(record.message)
    except (RemoteProtocolError, LocalProtocolError):
        return
    if isinstance(message, Set):
        infos = writer.meta.info.parameters
        for index, value in zip(message.pairs[::2], message.pairs[1::2], strict=False):
            name = infos[int(index or 0)].name if int(index or 0) < len(infos) else f"parameter {index}"
            writer.rows.append_parameter(record.t_host_ns, name, value, record.origin, offset)
        return
    if isinstance(message, Describe | Get | HelloRequest):
        return  # they ask and change nothing
    fields = {name: getattr(message, name) for name in type(message).__slots__ if name != "request_id"}
    if isinstance(message, StimulusData):
        fields["rows"] = message.rows.hex()
    words = "".join(c if c.islower() else f"_{c.lower()}" for c in type(message).__name__).lstrip("_")
    writer.rows.append_note(
        record.t_host_ns, json.dumps({"request": words, **fields}, default=str), record.origin, offset
    )


def gap_text(record: JournalGap) -> str:
    """Say what is missing in the journal; a copy of a journal does not know how many frames that are."""
    if record.n_frames:
        return f"{record.n_frames} frames of the device could not be journalled (disk full)"
    return "frames of the device are missing in the copy of its journal"


def is_kept(item: Item) -> bool:
    """Whether an item waits for a file however long that takes: what people did, and what is missing."""
    return isinstance(item.content, _KEPT)


def to_json(item: Item) -> list[Any]:
    """Return a kept item as JSON values."""
    if not isinstance(item.content, _KEPT):
        raise TypeError(f"a {type(item.content).__name__} is not kept")
    text = base64.b64encode(encode_record(item.content)).decode()
    return [item.offset, item.end_offset, item.t_received_ns, text]


def from_json(values: list[Any]) -> Item | None:
    """Read what `to_json` made; None where it is not that."""
    offset, end_offset, t_received_ns, text = values
    record = decode_record(base64.b64decode(text))
    return (
        None if record is None or isinstance(record, UnknownRecord) else Item(record, end_offset, t_received_ns, offset)
    )
