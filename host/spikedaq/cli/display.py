"""How statuses look: a table for terminals, a line for everything else."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from spikedaq.bus import DeviceStatus, FileStatus, RecordingStatus
from spikedaq.cli.common import bytes_text, clock_text, gaps_text, link_text, number_text, printable, rate_text

# The recorder flushes about once a second; a file that is this long without growing needs somebody's eye.
STALLED_S = 5.0
# From this width on there is room for words.
_WIDE = 110
_PADDING = 2
# Columns whose texts change their length from second to second have room for the usual ones, so that nothing jumps.
_LEAST_WIDTHS = {"device": 6, "state": 7, "rate": 8, "gaps": 4, "clock": 7, "file": 4, "size": 9, "free": 7}
_CLAMP = list(_LEAST_WIDTHS).index("rate")
_VOLTAGE = "voltage"
_SHORTEST_NAME = 9
# A rate is measured over one second of host time; a few per cent are the granularity of blocks and wakeups.
_SLOW_SHARE = 0.05

_WAITING = "waiting for samples"
_OVER = ("stopping", "complete", "interrupted")
_GOOD_STATES = ("running", "recording", "stopped")


class Growth:
    """Tells whether files grow, from their sizes as they are reported."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._seen: dict[str, tuple[tuple[str | None, int, int], float]] = {}

    def update(self, status: DeviceStatus) -> None:
        """Take a new status."""
        if status.recording is None:
            self._seen.pop(status.device, None)
            return
        file = FileStatus.from_map(status.recording)
        size = (file.file, file.bytes, file.rows_on_disk)
        old = self._seen.get(status.device)
        if old is None or old[0] != size:
            self._seen[status.device] = (size, self._now_s())

    def stalled_s(self, device: str) -> float | None:
        """Seconds since the file last grew, once that is too long; else None."""
        old = self._seen.get(device)
        if old is None:
            return None
        idle_s = self._now_s() - old[1]
        return idle_s if idle_s >= STALLED_S else None


def alarm_title(alarm: Mapping[str, Any]) -> str:
    """Return what an alarm is, and what it is about."""
    return printable(f"{alarm['kind']} {alarm['subject']}".rstrip())


def alarm_text(alarm: Mapping[str, Any]) -> str:
    """Return an alarm in one line, as `spikedaq status` shows it."""
    return f"{alarm_title(alarm)}: {printable(alarm['text'])}"


def file_text(status: DeviceStatus, growth: Growth) -> tuple[str, str, bool]:
    """Return the file's name, its size with whether it grows, and whether that is as it should be."""
    if status.recording is None:
        return "not recording", "", True
    file = FileStatus.from_map(status.recording)
    name = Path(file.file).name if file.file else "no file yet"
    size = bytes_text(file.bytes) if file.file else ""
    if file.state == "failed":
        return name, f"failed: {file.error or 'no reason given'}", False
    if file.state == "armed":
        return name, armed_text(file), True
    if file.state == "waiting":
        return name, _WAITING, True
    if file.state in ("closed", "closing"):
        return name, f"{size} {file.state}", True
    if file.state == "stalled":
        return name, f"{size} frozen", False
    stalled_s = growth.stalled_s(status.device)
    if stalled_s is not None:
        return name, f"{size} NOT growing for {stalled_s:.0f} s", False
    return name, f"{size} growing", True


def armed_text(file: FileStatus) -> str:
    """Say that a recording waits, and how many windows it has."""
    return f"armed, {file.windows} window{'' if file.windows == 1 else 's'} so far"


def clamp_text(status: DeviceStatus) -> str:
    """Return the holding potential, or that there is none."""
    if status.mode != _VOLTAGE:
        return "current"
    return "? mV" if status.v_hold_mv is None else f"{number_text(status.v_hold_mv)} mV"


def status_line(status: DeviceStatus, growth: Growth) -> str:
    """One line for logs and pipes, without control characters."""
    name, size, _ = file_text(status, growth)
    parts = [
        f"{status.device}: {status.state} {rate_text(status.rate_hz)}",
        f"gaps {gaps_text(status.gaps)}",
        f"clock {clock_text(status.clock_u_ns)}",
        f"file {name} {size}".rstrip() if status.recording is not None else name,
        f"{bytes_text(status.free_bytes)} free",
    ]
    if status.mode == _VOLTAGE:
        parts.insert(1, f"voltage clamp at {clamp_text(status)}")
    if status.saturated_blocks:
        parts.insert(2, f"{status.saturated_blocks} blocks saturated")
    if link := link_text(status.link):
        parts.append(f"link {link}")
    if status.state not in _GOOD_STATES and status.detail:
        parts.append(status.detail)
    return printable(", ".join(parts))


def status_table(
    statuses: Sequence[DeviceStatus],
    growth: Growth,
    *,
    width: int,
    stale: frozenset[str] = frozenset(),
    once: bool = False,
) -> Table:
    """One row per device, one line each wherever ``width`` allows.

    ``stale`` names those from which no status came for a while; ``once`` leaves out the disk, which is
    told elsewhere where a table is printed and left.
    """
    clamped = any(status.mode == _VOLTAGE for status in statuses)
    rows = [_cells(status, growth, stale=status.device in stale, short=width < _WIDE) for status in statuses]
    headings = tuple(_LEAST_WIDTHS)
    if once:
        headings, rows = headings[:-1], [row[:-1] for row in rows]
    if clamped:
        # Only on a bench where it says something.
        headings = (*headings[:_CLAMP], "clamp", *headings[_CLAMP:])
        rows = [
            [*row[:_CLAMP], Text(clamp_text(status)), *row[_CLAMP:]] for row, status in zip(rows, statuses, strict=True)
        ]
    at_file = headings.index("file")
    widths = [max(_LEAST_WIDTHS.get(column[0], 0), *map(len, column)) for column in zip(headings, *rows, strict=True)]
    for_name = max(_SHORTEST_NAME, width - sum(widths) + widths[at_file] - _PADDING * len(headings))
    table = Table(box=None, pad_edge=False, padding=(0, _PADDING, 0, 0), header_style="dim")
    for heading in headings:
        right = heading in ("rate", "clock", "free")
        table.add_column(
            heading,
            justify="right" if right else "left",
            no_wrap=heading not in ("gaps", "size"),
            min_width=_LEAST_WIDTHS.get(heading),
        )
    for row in rows:
        name = row[at_file]
        cut = Text(shorten_left(name.plain, for_name), style=name.style)
        table.add_row(*row[:at_file], cut, *row[at_file + 1 :])
    return table


def _cells(status: DeviceStatus, growth: Growth, *, stale: bool, short: bool) -> list[Text]:
    name, size, fine = file_text(status, growth)
    if short:
        size = "waiting" if size == _WAITING else size.replace(" growing", " ↑")
    state = "no news" if stale else status.state
    state_style = "green" if state == "running" else "yellow" if state in _GOOD_STATES else "bold red"
    slow = status.nominal_hz > 0 and abs(status.rate_hz - status.nominal_hz) > _SLOW_SHARE * status.nominal_hz
    return [
        Text(status.device, style="bold"),
        Text(state, style=state_style),
        Text(rate_text(status.rate_hz), style="yellow" if slow else ""),
        Text(gaps_text(status.gaps), style="red" if any(status.gaps.values()) else ""),
        Text(clock_text(status.clock_u_ns), style="yellow" if status.clock_u_ns is None else ""),
        Text(name if status.recording is not None else "-"),
        Text(size, style="" if fine else "bold red"),
        Text(bytes_text(status.free_bytes)),
    ]


def shorten_left(text: str, width: int) -> str:
    """Cut the beginning, where the names of rolled files are all alike."""
    return text if len(text) <= width else "…" + text[-(width - 1) :]


def recording_caption(recording: RecordingStatus) -> str:
    """One line about a session."""
    parts = [f"session {recording.session}: {recording.state}"]
    if recording.reason:
        parts.append(recording.reason)
    if recording.ends_utc_ns is not None and recording.state not in _OVER:
        parts.append(f"ends by itself at {datetime.fromtimestamp(recording.ends_utc_ns / 1e9):%Y-%m-%d %H:%M:%S}")
    if recording.restarts:
        parts.append(f"recorder started again {recording.restarts} {'time' if recording.restarts == 1 else 'times'}")
    return f"{', '.join(parts)}, in {recording.folder}"
