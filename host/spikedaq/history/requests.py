"""What the history is asked for: arguments checked, journals read, replies of bounded size."""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from spikedaq.bus import topic_for
from spikedaq.history.arguments import Wanted, integer, moment, offsets_by_device, parse_wanted
from spikedaq.history.index import JournalIndex, Mark
from spikedaq.history.past import Bounds, Past
from spikedaq.journal import MIN_PIECE_BYTES, head_at, kept_range, offset_after, read_piece
from spikedaq.library import LIBRARY_OPERATIONS, Asker, Library, LibraryConfig
from spikedaq.link import host_now_ns
from spikedaq.model import CommandRejected, SpikedaqError, check_session_name
from spikedaq.outlet import check_arguments

MAX_REPLY_BYTES = 3 * 2**18
"""Of payload in one reply; a control message has at most a mebibyte."""
MAX_WAIT_S = 10.0
_POLL_S = 0.05
_MAX_OPEN = 8
"""Readers kept where a request ended, for the one that goes on there. Each holds a file and a MiB of it, decoded."""


class Requests:
    """Handles what the history's control server receives. What is here changes nothing; of the library some does.

    Parameters
    ----------
    folder : Path
        That of the journals, one folder per device in it.
    bench : str
        First part of the topics.
    library : LibraryConfig, optional
        Where recordings are; without it nothing is told of them.
    """

    def __init__(self, folder: Path, bench: str, library: LibraryConfig | None = None) -> None:
        self._folder = folder
        self._bench = bench
        self._library = None if library is None else Library(library)
        self._indexes: dict[str, JournalIndex] = {}
        self._open: OrderedDict[tuple[str, int, Bounds, tuple[str, ...]], Past] = OrderedDict()
        self._operations: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
            "hello": self._hello,
            "extent": self._extent,
            "head": self._head,
            "journal": self._journal,
            "read": self._read,
        }

    async def handle(self, op: str, args: dict[str, Any], who: Asker) -> Any:
        """Do one operation; return its value.

        Raises
        ------
        CommandRejected
            Codes ``unknown_op``, ``bad_arguments`` and ``unknown_device``.
        """
        if self._library is not None and op in LIBRARY_OPERATIONS:
            return await self._library.handle(op, args, who)
        operation = self._operations.get(op)
        if operation is None:
            known = ", ".join((*self._operations, *(LIBRARY_OPERATIONS if self._library is not None else ())))
            raise CommandRejected(f"the history has no operation {op!r}; it has {known}", code="unknown_op")
        check_arguments(op, operation, args)
        return await operation(**args)

    async def close(self) -> None:
        """End what is under way."""
        if self._library is not None:
            await self._library.close()

    async def _hello(self) -> dict[str, Any]:
        with os.scandir(self._folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
        return {"bench": self._bench, "t_ns": host_now_ns(), "utc_ns": time.time_ns(), "devices": names}

    async def _extent(self, *, device: str) -> dict[str, Any]:
        folder = self._journal_folder(device)
        piece = read_piece(folder, 2**62, MIN_PIECE_BYTES)
        index = self._index(device)
        first, newest = index.first(), index.newest()
        return {
            "first_offset": piece.first if piece else 0,
            "end_offset": piece.end if piece else 0,
            "first": _mark_map(first),
            "newest": _mark_map(newest),
        }

    async def _head(self, *, device: str, offset: int | None = None, after: list[Any] | None = None) -> dict[str, Any]:
        folder = self._journal_folder(device)
        since_utc_ns: int | None = None
        if after is not None:
            offset, since_utc_ns = offset_after(folder, moment(after))
        elif offset is None:
            piece = read_piece(folder, 2**62, MIN_PIECE_BYTES)
            offset = piece.end if piece else 0
        begin, head = head_at(folder, integer(offset, "offset"), host_now_ns())
        clocks = {"t_ns": host_now_ns(), "utc_ns": time.time_ns()}
        return {"offset": begin, "head": head, **clocks, "since_utc_ns": since_utc_ns}

    async def _journal(
        self, *, offsets: dict[str, int], max_bytes: int = MAX_REPLY_BYTES, wait_s: float = 0.0
    ) -> dict[str, Any]:
        wanted = offsets_by_device(offsets)
        max_bytes = min(max(integer(max_bytes, "max_bytes"), MIN_PIECE_BYTES), MAX_REPLY_BYTES)
        folders, absent = self._journal_folders(wanted)
        if not isinstance(wait_s, int | float) or not 0 <= wait_s <= MAX_WAIT_S:
            raise CommandRejected(f"'wait_s' must be 0 to {MAX_WAIT_S:g}", code="bad_arguments")
        end_s = time.monotonic() + wait_s
        while True:
            pieces, more = self._pieces(folders, wanted, max_bytes)
            if any(piece["data"] or piece["offset"] != wanted[piece["device"]] for piece in pieces):
                break
            if time.monotonic() >= end_s:
                break
            await asyncio.sleep(_POLL_S)
        clocks = {"t_ns": host_now_ns(), "utc_ns": time.time_ns()}
        return {"pieces": pieces, "more": more, "absent": absent, **clocks}

    def _pieces(
        self, folders: dict[str, Path], offsets: dict[str, int], max_bytes: int
    ) -> tuple[list[dict[str, Any]], bool]:
        pieces, left, n_asked = [], max_bytes, 0
        for device, folder in folders.items():
            n_asked += 1
            # A longer frame may not fit in what is left; it comes first when this device is asked for first.
            piece = read_piece(folder, offsets[device], left)
            if piece is None:
                continue
            left -= len(piece.data)
            fields = {name: getattr(piece, name) for name in type(piece).__slots__}
            pieces.append({"device": device, **fields})
            if left < MIN_PIECE_BYTES // 8:
                break
        more = n_asked < len(folders) or any(p["offset"] + len(p["data"]) < p["end"] for p in pieces)
        return pieces, more

    async def _read(self, *, device: str, **args: Any) -> dict[str, Any]:
        folder = self._journal_folder(device)
        wanted = parse_wanted(args)
        past, begin = self._past(device, folder, wanted)
        try:
            messages = past.read(min(wanted.max_bytes, MAX_REPLY_BYTES))
        except BaseException:
            past.close()
            raise
        # Looked at behind the reading: journals are trimmed at any moment, by another process.
        complete = begin is not None and not _is_trimmed(folder, begin)
        value: dict[str, Any] = {
            "messages": messages,
            "done": past.done,
            "at_end": past.at_end,
            "complete": complete,
            "cursor": {"offset": past.offset, "begun": past.begun, "mode": str(past.mode) if past.mode else None},
        }
        if not complete:
            value["first"] = _mark_map(self._index(device).first())
        if past.done:
            past.close()
        else:
            self._keep((device, past.offset, wanted.bounds, wanted.streams), past)
        return value

    def _past(self, device: str, folder: Path, wanted: Wanted) -> tuple[Past, int | None]:
        """Return a reader, and the offset it has to begin at for all that is wanted; None where that is gone."""
        topics = {stream: topic_for(self._bench, device, stream) for stream in wanted.streams}
        cursor = wanted.cursor
        if cursor is not None:
            kept = self._open.pop((device, cursor.offset, wanted.bounds, wanted.streams), None)
            if kept is not None and _is_trimmed(folder, cursor.offset):
                # It holds what has no name any more, and would go on behind the hole without a word.
                kept.close()
                kept = None
            past = kept or Past(folder, cursor.offset, wanted.bounds, topics, mode=cursor.mode, begun=cursor.begun)
            return past, cursor.offset
        offset = self._find(device, wanted.bounds)
        # Where it is not found what is kept follows it, so all of that is wanted.
        begun = offset is None or not wanted.is_from_somewhere
        return Past(folder, offset or 0, wanted.bounds, topics, mode=wanted.mode, begun=begun), offset

    def _find(self, device: str, bounds: Bounds) -> int | None:
        index = self._index(device)
        if bounds.after is not None:
            boot_id, seq = bounds.after
            return index.find_seq(boot_id, (seq + 1) % 2**32)
        if bounds.step is not None:
            return index.find_step(*bounds.step)
        if bounds.t_ns is not None:
            return index.find_time(bounds.t_ns)
        held = kept_range(self._journal_folder(device))
        return held[0] if held is not None else 0

    def _keep(self, key: tuple[str, int, Bounds, tuple[str, ...]], past: Past) -> None:
        # Two that ask for the same in step end at the same place: one reader is enough for the first who goes on.
        if (other := self._open.pop(key, None)) is not None:
            other.close()
        self._open[key] = past
        while len(self._open) > _MAX_OPEN:
            self._open.popitem(last=False)[1].close()

    def _index(self, device: str) -> JournalIndex:
        index = self._indexes.get(device)
        if index is None:
            index = self._indexes[device] = JournalIndex(self._journal_folder(device))
        return index

    def _journal_folders(self, devices: Iterable[str]) -> tuple[dict[str, Path], list[str]]:
        """Return the journals' folders in the order given, and the devices that have none."""
        folders, absent = {}, []
        for device in devices:
            try:
                folders[device] = self._journal_folder(device)
            except CommandRejected:
                absent.append(device)
        return folders, absent

    def _journal_folder(self, device: Any) -> Path:
        try:
            folder = self._folder / check_session_name(device, "device name")
        except (SpikedaqError, TypeError) as error:
            raise CommandRejected(f"{device!r} is no name of a device", code="unknown_device") from error
        if not folder.is_dir():
            text = f"there is no journal of a device {device!r}; it has been silent since this data folder was made"
            raise CommandRejected(text, code="unknown_device")
        return folder


def _is_trimmed(folder: Path, offset: int) -> bool:
    """Whether what a journal had at an offset is no longer there."""
    held = kept_range(folder)
    return held is not None and offset < held[0]


def _mark_map(mark: Mark | None) -> dict[str, int] | None:
    if mark is None:
        return None
    return {"boot": mark.boot_id, "seq": mark.seq, "step": mark.step, "t_received_ns": mark.t_received_ns}
