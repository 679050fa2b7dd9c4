"""A copy of a journal that is written elsewhere: the same frames in the same order, made piece by piece."""

from __future__ import annotations

import errno
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from spikedaq.durable import make_folder, replaced, sync_folder
from spikedaq.journal.piece import segment_start
from spikedaq.journal.records import JournalGap, Record, encode_record
from spikedaq.journal.segments import (
    good_end,
    intact_end,
    list_segments,
    read_host_boot_id,
    segment_path,
)
from spikedaq.model import StoreError
from spikedaq.wire import encode_frame

ORIGIN_FILE = "origin.json"
_STRIDE_BYTES = 2**40
"""Between copies of one journal and of another in its place: more than a device sends in eighty days at 10 kHz."""
_KEEP_BYTES = 2**20
"""Kept below what the recorder has in closed files, to know what came before: as a journal keeps it."""


class OtherJournalError(StoreError):
    """What comes is of another journal than what was copied so far."""


class CopiedPiece(NamedTuple):
    """Whole frames of the journal that is copied; see `spikedaq.journal.Piece`."""

    offset: int
    data: bytes
    segment: int
    stamp: int
    first: int
    end: int


class JournalCopy:
    """Writes the copy, in a folder that a `JournalReader` reads like any other.

    Offsets differ from those of the original by a constant, so that what is on the disk tells what to ask for next:
    whoever is killed goes on where the last whole frame ends, and after a power cut before the first damaged one.

    Parameters
    ----------
    folder : Path
        Made where absent; a copy that is there already is gone on with.

    Attributes
    ----------
    next_offset : int or None
        Offset in the original from which on is to be asked; None before `begin`.
    offset : int
        Journal offset at which the copy ends.
    lost_bytes : int
        Of the original, that were gone before they could be copied, since this object was made.

    Raises
    ------
    StoreError
        From here, `begin`, `take`, `append` and `sync`: the disk refuses. What was asked is then not done.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.offset = 0
        self.lost_bytes = 0
        self._shift: int | None = None
        self._fd = -1
        self._segment = self._stamp = 0
        self._synced = 0
        try:
            make_folder(folder)
            self._resume()
        except OSError as error:
            raise self._refused(error) from error

    @property
    def next_offset(self) -> int | None:
        """Offset in the original from which on is to be asked; None before `begin`."""
        return None if self._shift is None else self.offset - self._shift

    def begin(self, offset: int, head: bytes, t_host_ns: int) -> None:
        """Begin at ``offset`` of an original, with a segment's ``head`` that says what is known there.

        After what was copied of another original, or of the same at another place: what lies between is missing.
        """
        try:
            if self._fd >= 0:
                self._write(_framed(JournalGap(t_host_ns, 0)))
            begin = (self.offset // _STRIDE_BYTES + 1) * _STRIDE_BYTES
            self._shift = None
            self._new_segment(begin - len(head), head)
            self._save(begin - offset, self.offset)
        except OSError as error:
            raise self._refused(error) from error

    def lost_before(self, piece: CopiedPiece) -> int:
        """Return how many bytes of the original are missing before a piece.

        Raises
        ------
        OtherJournalError
            It does not go on what is here: the data folder there is another one. `begin` anew.
        """
        wanted = self.next_offset
        if self._shift is None or wanted is None:
            raise StoreError(f"the copy in {self.folder} was not begun")
        same_segment = piece.segment == self._segment
        if piece.segment < self._segment or (same_segment and self._stamp and piece.stamp not in (0, self._stamp)):
            raise OtherJournalError(f"the journal that was copied to {self.folder} is no longer there")
        if piece.offset < wanted:
            raise OtherJournalError(f"the journal that was copied to {self.folder} ends before what was copied")
        # A hole without a segment in it is one that a restart of that computer left: nothing is missing.
        is_hole = bool(piece.data) and not same_segment and piece.first > self._segment
        return piece.offset - wanted if is_hole else 0

    def take(self, piece: CopiedPiece, t_host_ns: int) -> int:
        """Append a piece; return how many bytes of the original are missing before it.

        Raises
        ------
        OtherJournalError
            As for `lost_before`.
        """
        lost = self.lost_before(piece)
        if not piece.data or self._shift is None:
            return 0
        try:
            if piece.segment != self._segment:
                if lost:
                    self._mark_lost(lost, t_host_ns)
                self._new_segment(piece.offset + self._shift, piece.data)
                self._segment, self._stamp = piece.segment, piece.stamp
            else:
                self._write(piece.data)
        except OSError as error:
            raise self._refused(error) from error
        return lost

    def append(self, record: Record) -> int:
        """Append a record of our own at the end, after which nothing is copied any more; return the offset after it."""
        try:
            self._write(_framed(record))
        except OSError as error:
            raise self._refused(error) from error
        return self.offset

    def sync(self) -> None:
        """Bring what is written to the disk itself (fdatasync), where anything is new."""
        try:
            self._sync()
        except OSError as error:
            raise self._refused(error) from error

    def trim(self, needed_from: int) -> None:
        """Delete segments whose samples are all in closed files."""
        segments = list_segments(self.folder)
        for segment, following in pairwise(segments):
            if following.base_offset <= needed_from - _KEEP_BYTES:
                segment.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _resume(self) -> None:
        for stale in self.folder.glob("*.tmp"):
            stale.unlink()
        segments = list_segments(self.folder)
        if not segments:
            return
        origin, boot_id = self._origin(), read_host_boot_id()
        went_on = bool(boot_id) and origin.get("host_boot") == boot_id
        last = segments[-1]
        data = last.path.read_bytes()
        # A power cut may take what lies before a frame that came to the disk. Segments before the last one are synced.
        end = good_end(data) if went_on else intact_end(data)
        if end < len(data):
            os.truncate(last.path, end)
        start = segment_start(data[:end])
        if start is not None:
            self._segment, self._stamp = start.base_offset, start.utc_ns
        self.offset = last.base_offset + end
        self._fd = os.open(last.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        # Killed between a new beginning and its note: it is begun again, behind this one.
        if origin and origin["begin"] // _STRIDE_BYTES == self.offset // _STRIDE_BYTES:
            self._shift = origin["shift"]
            if not went_on:
                self._sync()
                self._save(origin["shift"], origin["begin"])

    def _origin(self) -> dict[str, Any]:
        """Return what `_save` wrote; nothing where it cannot be read."""
        try:
            origin = json.loads((self.folder / ORIGIN_FILE).read_text())
            return {**origin, "shift": int(origin["shift"]), "begin": int(origin["begin"])}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _save(self, shift: int, begin: int) -> None:
        with replaced(self.folder / ORIGIN_FILE) as file:
            json.dump({"shift": shift, "begin": begin, "host_boot": read_host_boot_id()}, file)
        self._shift = shift

    def _sync(self) -> None:
        if self._fd >= 0 and self._synced != self.offset:
            os.fdatasync(self._fd)
            self._synced = self.offset

    def _new_segment(self, base_offset: int, head: bytes) -> None:
        self._sync()
        path = segment_path(self.folder, base_offset)
        temporary = path.with_suffix(".tmp")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            _write_all(fd, head)
            os.fdatasync(fd)
            temporary.rename(path)
            sync_folder(self.folder)
        except OSError:
            os.close(fd)
            temporary.unlink(missing_ok=True)
            raise
        self.close()
        self._fd, self.offset = fd, base_offset + len(head)
        self._synced = self.offset
        start = segment_start(head)
        if start is not None:
            self._segment, self._stamp = start.base_offset, start.utc_ns

    def _mark_lost(self, n_bytes: int, t_host_ns: int) -> None:
        """Note that frames are missing here, where there is room for the note: no block is as short as it."""
        note = _framed(JournalGap(t_host_ns, 0))
        if n_bytes >= len(note):
            self._write(note)
        self.lost_bytes += n_bytes

    def _write(self, data: bytes) -> None:
        """Append all of it, or nothing."""
        n_bytes = os.write(self._fd, data)
        if n_bytes != len(data):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - n_bytes)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.offset += n_bytes

    def _refused(self, error: OSError) -> StoreError:
        return StoreError(f"the journal copy in {self.folder} cannot be written: {error.strerror}; check its space")


def _write_all(fd: int, data: bytes) -> None:
    if os.write(fd, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _framed(record: Record) -> bytes:
    return encode_frame(encode_record(record))
