"""Rows of a file's small tables: made of what happened, and kept until they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from spikedaq.model import ClockMap, Event, EventKind, Gap, GapCause
from spikedaq.store.ends import STANDING, Ends, LastTrigger
from spikedaq.store.hdf5 import fit_text
from spikedaq.store.layout import (
    CLOCK_FITS,
    CLOCK_MAPS,
    EPOCHS,
    GAPS,
    LOOPS,
    NAME_BYTES,
    NOTE_BYTES,
    NOTES,
    OTHERS,
    PARAMETERS,
    SECONDS_GRID,
    SMALL_TABLES,
    SPIKES,
    TRIGGERS,
    Table,
)
from spikedaq.store.meta import Epoch, FileMeta
from spikedaq.store.times import seconds

_BOARD = "board"
"""Origin of a change that nobody asked for: a knob, a button, a preset that brings others with it."""
_EVENT_LABELS = {int(EventKind.OVERRUN): "overrun", int(EventKind.STIMULUS_END): "stimulus_end"}


class Rows:
    """What is appended to the tables of one file.

    Parameters
    ----------
    meta : FileMeta
    ends : Ends
        Kept going.
    start_offset : int
        Journal offset where the file begins.
    check : callable
        Called before anything is taken; raises where the file takes nothing any more.

    Attributes
    ----------
    waiting : dict of str to list of rows
        By path of the table; the writer empties them.
    n_waiting : int
    last_offset : int
        Largest journal offset of a row.
    """

    def __init__(self, meta: FileMeta, ends: Ends, start_offset: int, check: Callable[[], None]) -> None:
        self._meta = meta
        self._ends = ends
        self._start_offset = start_offset
        self._check = check
        self.waiting: dict[str, list[tuple[Any, ...]]] = {table.path: [] for table in SMALL_TABLES}
        self.n_waiting = 0
        self.last_offset = start_offset

    def append_gap(self, gap: Gap, clock: ClockMap, journal_offset: int) -> None:
        """Take a gap, before the block after it and with that block's journal offset."""
        ends = self._ends
        step_us = ends.last_row[5] if ends.last_row else self._meta.step_us
        # NWB asks for intervals in order and longer than nothing.
        start_s = max(self._seconds(clock.host_ns(gap.first_tick)), ends.last_gap_s)
        stop_s = self._seconds(clock.host_ns(gap.first_tick + gap.n_steps * step_us))
        stop_s = max(stop_s, start_s + 1 / SECONDS_GRID)
        cause = gap.cause.value
        where = (gap.boot_id, gap.stream, gap.first_step, gap.n_steps, gap.first_tick)
        self._row(GAPS, (start_s, stop_s, cause.encode(), *where, journal_offset))
        ends.last_gap_s = start_s
        ends.gap_samples[cause] += gap.n_steps
        ends.gap_counts[cause] += 1
        ends.gap_end = gap.first_step + gap.n_steps
        if gap.cause is GapCause.OUTSIDE:
            ends.n_inner += int(ends.first_step is not None)
            ends.run_step = gap.first_step + gap.n_steps

    def append_event(
        self, event: Event, clock: ClockMap, journal_offset: int, label: str = "", origin: str = ""
    ) -> None:
        """Take an event of the device.

        Parameters
        ----------
        label : str
            Names the parameter of a parameter event, or an unknown kind.
        origin : str
            Of a parameter event: who asked for the change, ``board`` (the default) where nobody did.
        """
        time_s = self._seconds(clock.host_ns(event.tick))
        when, whence = (time_s, event.step, event.tick), (event.boot_id, event.seq, journal_offset)
        if event.kind == EventKind.SPIKE:
            self._row(SPIKES, (*when, event.value, *whence))
        elif event.kind == EventKind.TRIGGER:
            self._row(TRIGGERS, (*when, event.index, int(event.value != 0), *whence))
            self._end_loop(event, time_s, journal_offset)
        elif event.kind == EventKind.PARAMETER:
            infos = self._meta.info.parameters
            name = label or (infos[event.index].name if event.index < len(infos) else f"parameter {event.index}")
            self._parameter(time_s, (name, event.value, origin or _BOARD), journal_offset, event)
        else:
            name = label or _EVENT_LABELS.get(int(event.kind), "unknown")
            kind = (event.kind & 0xFF, fit_text(name, NAME_BYTES))
            self._row(OTHERS, (time_s, *kind, event.step, event.tick, event.index, event.value, *whence))

    def append_parameter(
        self, t_host_ns: int, name: str, value: float | None, origin: str, journal_offset: int
    ) -> None:
        """Take a request to set a parameter; ``None`` hands it back to its knob. What came of it the device reports."""
        self._parameter(self._seconds(t_host_ns), (name, value, origin or "unknown"), journal_offset)

    def append_note(self, t_host_ns: int, text: str, origin: str, journal_offset: int) -> None:
        """Take a note; a long one takes several rows."""
        time_s, who = self._seconds(t_host_ns), fit_text(origin, NAME_BYTES)
        rest = text
        while True:
            piece = fit_text(rest, NOTE_BYTES)
            self._row(NOTES, (time_s, piece, who, t_host_ns, journal_offset))
            rest = rest[len(piece.decode()) :]
            if not rest:
                return

    def append_epoch(self, epoch: Epoch, journal_offset: int) -> None:
        """Take a trigger and its window."""
        start_s, stop_s, time_s = (self._seconds(t_ns) for t_ns in (epoch.start_ns, epoch.stop_ns, epoch.t_trigger_ns))
        # The session begins at 0, and nothing was recorded before. NWB calls it an error if all epochs start alike.
        start_s = max(start_s, 0.0)
        if start_s == self._ends.last_epoch_s:
            start_s += 1 / SECONDS_GRID
        stop_s = max(stop_s, start_s + 1 / SECONDS_GRID)
        names = (fit_text(epoch.trigger, NAME_BYTES), fit_text(epoch.device, NAME_BYTES))
        where = (epoch.boot_id, epoch.step, epoch.tick, epoch.t_trigger_ns)
        self._row(EPOCHS, (start_s, stop_s, time_s, *names, epoch.value, *where, journal_offset))
        self._ends.last_epoch_s = start_s

    def append_clock_map(self, clock: ClockMap, t_host_ns: int, journal_offset: int) -> None:
        """Take a piece of the clock map as it comes into force."""
        piece = (clock.boot_id, clock.tick0, clock.t_host0_ns, clock.ns_per_tick, clock.uncertainty_ns)
        self._standing_row(CLOCK_MAPS, (t_host_ns, *piece, journal_offset))

    def append_clock_fit(self, fit: Sequence[float], journal_offset: int) -> None:
        """Take a device clock as measured: the values of CLOCK_FITS' columns but for the last."""
        self._standing_row(CLOCK_FITS, (*fit, journal_offset))

    def _standing_row(self, table: Table, row: tuple[Any, ...]) -> None:
        self._row(table, row)
        self._ends.only_rows[table.path] = None if table.path in self._ends.only_rows else row

    def _parameter(
        self, time_s: float, what: tuple[str, float | None, str], journal_offset: int, event: Event | None = None
    ) -> None:
        name, value, origin = what
        step, tick, boot_id = (event.step, event.tick, event.boot_id) if event else (-1, -1, self._meta.info.boot_id)
        number = float("nan") if value is None else float(value)
        names = (fit_text(name, NAME_BYTES), number, fit_text(origin, NAME_BYTES))
        self._row(PARAMETERS, (time_s, *names, step, tick, boot_id, journal_offset))

    def put_initial(self, time_s: float) -> None:
        """Put the values that the file starts with before every change."""
        if self._ends.has_initial_parameters:
            return
        changes, self.waiting[PARAMETERS.path] = self.waiting[PARAMETERS.path], []
        for parameter in self._meta.info.parameters:
            self._parameter(time_s, (parameter.name, parameter.value, "initial"), self._start_offset)
        self.waiting[PARAMETERS.path] += changes
        self._ends.has_initial_parameters = True

    def _end_loop(self, event: Event, time_s: float, journal_offset: int) -> None:
        """End the loop before this trigger, if no trigger between the two is missing."""
        before, self._ends.last_trigger = (
            self._ends.last_trigger,
            LastTrigger(event.boot_id, event.index, time_s, event.step),
        )
        if before is None or before.boot_id != event.boot_id or before.loop + 1 != event.index:
            return
        if before.time_s < time_s:
            steps = (before.loop, before.step, event.step, event.boot_id)
            self._row(LOOPS, (before.time_s, time_s, *steps, journal_offset))

    def repeat_standing(self, cursor: int) -> None:
        """Put the only row of a table of what holds once more, at the end of the file.

        NWB calls a table of one row bad practice; that it still held at the end is worth one.
        """
        for table in STANDING:
            only = self._ends.only_rows.get(table.path)
            if only is not None:
                self._standing_row(table, (*only[:-1], max(cursor, only[-1])))

    def _row(self, table: Table, row: tuple[Any, ...]) -> None:
        self._check()
        self.waiting[table.path].append(row)
        self.last_offset = max(self.last_offset, row[-1])  # of every small table the journal offset is last
        self.n_waiting += 1

    def _seconds(self, t_host_ns: int) -> float:
        return seconds(t_host_ns, self._meta.reference_host_ns)
