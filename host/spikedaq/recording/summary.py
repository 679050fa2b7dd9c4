"""What a recording says of itself: printed, and as plain values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikedaq.recording.recording import Recording

MOST_SEGMENTS = 8
"""Segments that are listed one by one."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def summary(recording: Recording) -> dict[str, Any]:
    """Return what ``spikedaq info --json`` has of a recording; of its segments the first few."""
    segments = recording.segments
    gaps: dict[str, dict[str, int]] = {}
    for stored in recording.gaps:
        of_cause = gaps.setdefault(str(stored.gap.cause), {"n_gaps": 0, "n_samples": 0})
        of_cause["n_gaps"] += 1
        of_cause["n_samples"] += stored.gap.n_steps
    return {
        "name": recording.name,
        "session": recording.session,
        "bench": recording.bench,
        "device": recording.device,
        "is_live": recording.is_live,
        "reference_utc": None if recording.reference_utc_ns is None else utc_text(recording.reference_utc_ns),
        "n_samples": recording.num_frames,
        "duration_s": recording.duration_s,
        "sampling_frequency_hz": recording.sampling_frequency,
        "dtype": str(recording.dtype),
        "channels": [
            {"id": one, "name": c.name, "unit": c.unit, "scale": c.scale, "offset": c.offset}
            for one, c in zip(recording.channel_ids, recording.channels, strict=True)
        ],
        "n_segments": len(segments),
        "segments": [
            {"start_s": segment.t_start_s, "n_samples": segment.n_frames, "boot_id": segment.boot_id}
            for segment in segments[:MOST_SEGMENTS]
        ],
        "gaps": gaps,
        "n_notes": len(recording.notes),
        "files": [str(path) for path in recording.paths],
        "flags": list(recording.flags),
    }


def summary_lines(recording: Recording) -> list[str]:
    """Return what ``str(recording)`` prints, line by line."""
    of = summary(recording)
    n, n_channels, fs_hz = of["n_samples"], recording.num_channels, of["sampling_frequency_hz"]
    counts = f"{n:,} samples of {n_channels} channel{_s(n_channels)}".replace(",", " ")
    lines = [f"{of['name']}: {counts} at {fs_hz:g} Hz, {clock_text(of['duration_s'])}"]
    if of["reference_utc"]:
        lines.append(f"times count from {of['reference_utc']}")
    named = ", ".join(f"{c['name']} ({c['unit']})" if c["unit"] not in ("", "1") else c["name"] for c in of["channels"])
    lines.append(f"channels: {named}; {of['dtype']}")
    lines.append(f"segments: {of['n_segments']}")
    for k, segment in enumerate(of["segments"]):
        boot = "" if segment["boot_id"] is None else f", boot {segment['boot_id']:08x}"
        lines.append(f"  {k}: from {segment['start_s']:.6f} s, {clock_text(segment['n_samples'] / fs_hz)}{boot}")
    if of["n_segments"] > MOST_SEGMENTS:
        lines.append(f"  and {of['n_segments'] - MOST_SEGMENTS} more")
    if of["gaps"]:
        told = [f"{g['n_gaps']} {cause} ({g['n_samples']} samples)" for cause, g in of["gaps"].items()]
        lines.append(f"gaps: {', '.join(told)}")
    if of["n_notes"]:
        lines.append(f"notes: {of['n_notes']}")
    if recording.probe is not None:
        lines.append(f"probe: {sum(len(one['contact_positions']) for one in recording.probe['probes'])} contacts")
    if recording.properties:
        lines.append(f"properties: {', '.join(recording.properties)}")
    if recording.annotations:
        lines.append("annotations: " + ", ".join(f"{key}={value}" for key, value in recording.annotations.items()))
    if files := of["files"]:
        lines.append(f"files: {len(files)}, the first is {files[0]}" if len(files) > 1 else f"file: {files[0]}")
    if of["is_live"]:
        lines.append("it is being written, or its writer was killed")
    return lines + [f"warning: {flag}" for flag in of["flags"]]


def clock_text(seconds: float) -> str:
    """Return a length of time as ``1:02:03.500``, or as milliseconds below a second."""
    if seconds < 1:
        return f"{seconds * 1000:g} ms"
    whole_ms = round(seconds * 1000)
    minutes, ms = divmod(whole_ms, 60_000)
    return f"{minutes // 60}:{minutes % 60:02d}:{ms / 1000:06.3f}"


def utc_text(utc_ns: int) -> str:
    """Return nanoseconds since 1970 as a time in UTC."""
    return (_EPOCH + timedelta(microseconds=utc_ns // 1000)).isoformat()


def _s(n: int) -> str:
    return "" if n == 1 else "s"
