"""The devices' journals: opened by the identity of the board that answers, synced and trimmed in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog
from msgspec.structs import replace

from spikedaq.clock import Estimate
from spikedaq.daemon.config import JournalConfig
from spikedaq.journal import (
    BadFrameNote,
    ClockFitRecord,
    ClockMapRecord,
    JournalWriter,
    LinkRecord,
    NoteRecord,
    PingRecord,
    RequestRecord,
    TriggerRecord,
    kept_bytes,
)
from spikedaq.model import ClockMap, ConfigError
from spikedaq.wire import Frame

log = structlog.get_logger(__name__)


class Journal:
    """One device's journal, as the device sees it. It is called in the read callback: nothing waits or raises."""

    def __init__(self, device: str, unique_id: str, folder: Path, config: JournalConfig) -> None:
        self.device = device
        self.unique_id = unique_id
        self.writer = JournalWriter(
            folder,
            device=device,
            unique_id=unique_id,
            segment_bytes=config.segment_bytes,
            ring_bytes=config.ring_bytes,
            on_error=self._write_failed,
        )
        self._count()
        self.on_request: Callable[[bytes, str], None] = lambda _message, _origin: None
        self._append = self.writer.append
        self._append_frames = self.writer.append_frames

    def frames(self, t_host_ns: int, frames: list[Frame]) -> None:
        """Keep good frames."""
        self._append_frames(t_host_ns, [frame.raw for frame in frames])

    def bad_frame(self, t_host_ns: int, reason: str, n_bytes: int) -> None:
        """Keep that a bad frame came."""
        self._append(BadFrameNote(t_host_ns, reason, n_bytes))

    def link(self, t_host_ns: int, state: str, url: str, detail: str) -> None:
        """Keep what became of the link."""
        self._append(LinkRecord(t_host_ns, state, url, detail))

    def request(self, t_host_ns: int, message: bytes, origin: str) -> None:
        """Keep what was sent, and tell who wants to know."""
        self._append(RequestRecord(t_host_ns, message, origin))
        self.on_request(message, origin)

    def ping(self, t_send_ns: int, token: int) -> None:
        """Keep that a ping was sent."""
        self._append(PingRecord(t_send_ns, token))

    def clock_map(self, t_host_ns: int, clock_map: ClockMap) -> None:
        """Keep a piece of the clock map."""
        self._append(ClockMapRecord(clock_map, t_host_ns))

    def clock_fit(self, t_host_ns: int, boot_id: int, measured: Estimate) -> None:
        """Keep what was measured of the clock."""
        m = measured
        fit = (m.tick, m.t_host_ns, m.ns_per_tick, m.uncertainty_ns, m.n_pings, m.best_round_trip_ns)
        self._append(ClockFitRecord(t_host_ns, boot_id, *fit))

    def resume(self, boot_id: int) -> int | None:
        """Return the number of the first frame of a boot that no earlier daemon journalled, if one knew the boot."""
        found = self.writer.resumed
        return found[1] if found is not None and found[0] == boot_id else None

    def timed(self, boot_id: int) -> tuple[ClockMap, int] | None:
        """Return the newest clock map of a boot, and a tick that no sample timed by it lies beyond."""
        clock_map, tick = self.writer.timed()
        return (clock_map, tick) if clock_map is not None and clock_map.boot_id == boot_id else None

    def note(self, t_host_ns: int, text: str, origin: str) -> None:
        """Keep a user's remark."""
        self._append(NoteRecord(t_host_ns, text, origin))

    def trigger(self, record: TriggerRecord) -> None:
        """Keep that a trigger fired."""
        self._append(record)

    def kept_bytes(self) -> int:
        """Bytes of this journal that are kept."""
        n_bytes, offset = self._counted
        return n_bytes + self.writer.offset - offset

    def sync(self) -> None:
        """Bring it to the disk itself, and have space for more; for a thread."""
        self.writer.sync()
        self.writer.prepare()

    def trim(self, needed_from: int, ring_bytes: int | None = None) -> None:
        """Delete what nobody needs; for a thread."""
        self.writer.retain(needed_from, ring_bytes)
        self._count()

    def _count(self) -> None:
        """Look how much there is; what is written from here on is added to it."""
        offset = self.writer.offset
        self._counted = (kept_bytes(self.writer.folder), offset)

    def _write_failed(self, error: OSError) -> None:
        log.error(
            "the journal cannot be written, samples are being lost; make room on the disk",
            device=self.device,
            folder=str(self.writer.folder),
            reason=error.strerror,
        )


class Journals:
    """The journals of a bench, each held open from the first answer of its board to the daemon's end.

    Attributes
    ----------
    pinned : dict
        Unique id by device name while a session records it: another board may not answer in its place.
    """

    def __init__(self, folder: Path, config: JournalConfig) -> None:
        self.pinned: dict[str, str] = {}
        self._folder = folder
        self._config = config
        self._open: dict[str, Journal] = {}
        self._opening = asyncio.Lock()

    def folder(self, device: str) -> Path:
        """Where a device's journal is."""
        return self._folder / device

    def all(self) -> dict[str, Journal]:
        """Return the open journals by device."""
        return dict(self._open)

    def get(self, device: str) -> Journal | None:
        """Return a device's journal if it is open."""
        return self._open.get(device)

    async def open(self, device: str, unique_id: str) -> Journal:
        """Return the journal of a device that is this board.

        Raises
        ------
        ConfigError
            Another board is being recorded under this name.
        StoreError
            The journal cannot be opened.
        """
        pinned = self.pinned.get(device)
        if pinned is not None and pinned != unique_id:
            raise ConfigError(
                f"board {unique_id} answers as {device!r}, whose recording is of board {pinned}; plug that one in "
                "again, or stop the recording first"
            )
        async with self._opening:
            journal = self._open.get(device)
            if journal is not None and journal.unique_id == unique_id:
                return journal
            if journal is not None:
                del self._open[device]
                await asyncio.to_thread(journal.writer.close)
            # In a thread: finding the end of what an earlier daemon left reads up to a whole segment.
            journal = await asyncio.to_thread(Journal, device, unique_id, self.folder(device), self._config)
            self._open[device] = journal
            return journal

    async def release(self, device: str) -> None:
        """Close the journal of a device that is no longer served; its files stay."""
        async with self._opening:
            journal = self._open.pop(device, None)
            if journal is not None:
                await asyncio.to_thread(journal.writer.close)

    def set_ring(self, ring_bytes: int) -> None:
        """Keep so much of each journal from now on."""
        self._config = replace(self._config, ring_bytes=ring_bytes)
        for journal in self._open.values():
            journal.writer.ring_bytes = ring_bytes

    async def sync(self) -> None:
        """Bring every journal to the disk itself."""
        async with self._opening:
            await asyncio.gather(*(asyncio.to_thread(journal.sync) for journal in self._open.values()))

    async def trim(self, needed_from: Callable[[], dict[str, int]], ring_bytes: int | None = None) -> None:
        """Delete what nobody needs.

        Parameters
        ----------
        needed_from : callable
            Called in a thread; journal offset by device from which on samples are not in closed files yet, the end
            where a device is not named.
        ring_bytes : int, optional
            How much of what nobody needs is kept, instead of what the configuration says.
        """
        # Before it is asked: what begins to be needed meanwhile lies beyond. And without the lock: the recordings are
        # asked, and their disk may be one that hangs.
        ends = {journal: journal.writer.offset for journal in self._open.values()}
        offsets = await asyncio.to_thread(needed_from)
        async with self._opening:
            for journal, end in ends.items():
                if self._open.get(journal.device) is not journal:
                    continue
                try:
                    await asyncio.to_thread(journal.trim, offsets.get(journal.device, end), ring_bytes)
                except OSError as error:
                    log.warning("journal not trimmed", device=journal.device, reason=str(error))

    async def close(self) -> None:
        """Close them all; nothing may use them any more."""
        async with self._opening:
            for journal in self._open.values():
                await asyncio.to_thread(journal.writer.close)
            self._open.clear()
