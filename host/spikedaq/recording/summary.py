"""What a recording prints of itself."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from spikedaq.model import duration_text

if TYPE_CHECKING:
    from spikedaq.recording.recording import Recording

MOST_SEGMENTS = 8
"""Segments that are listed one by one."""


def summary_lines(recording: Recording) -> list[str]:
    """Return what ``str(recording)`` prints, line by line."""
    n, fs_hz = recording.num_frames, recording.sampling_frequency
    lines = [f"{recording.name}: {n} samples of {recording.num_channels} channels at {fs_hz:g} Hz, {_long(n / fs_hz)}"]
    if recording.reference_utc_ns is not None:
        when = datetime.fromtimestamp(recording.reference_utc_ns // 10**9, UTC).isoformat()
        lines.append(f"times count from {when}")
    named = ", ".join(f"{c.name} ({c.unit})" if c.unit else c.name for c in recording.channels)
    lines.append(f"channels: {named}; {recording.dtype}")
    segments = recording.segments
    lines.append(f"segments: {len(segments)}")
    for k, segment in enumerate(segments[:MOST_SEGMENTS]):
        boot = "" if segment.boot_id is None else f", boot {segment.boot_id:08x}"
        lines.append(f"  {k}: from {segment.t_start_s:.6f} s, {segment.n_frames} samples{boot}")
    if len(segments) > MOST_SEGMENTS:
        lines.append(f"  and {len(segments) - MOST_SEGMENTS} more")
    causes = Counter(str(stored.gap.cause) for stored in recording.gaps)
    if causes:
        lines.append("gaps: " + ", ".join(f"{n} {cause}" for cause, n in causes.most_common()))
    if recording.probe is not None:
        lines.append(f"probe: {sum(len(one['contact_positions']) for one in recording.probe['probes'])} contacts")
    if recording.properties:
        lines.append(f"properties: {', '.join(recording.properties)}")
    if recording.annotations:
        lines.append("annotations: " + ", ".join(f"{key}={value}" for key, value in recording.annotations.items()))
    paths = recording.paths
    if paths:
        lines.append(f"files: {len(paths)}, the first is {paths[0]}" if len(paths) > 1 else f"file: {paths[0]}")
    lines += [f"note: {flag}" for flag in recording.flags]
    return lines


def _long(seconds: float) -> str:
    return duration_text(seconds) if seconds >= 1 else f"{seconds * 1000:g} ms"
