"""What a saved recording says of itself, in JSON and in SpikeInterface's properties; and how it is one again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from spikedaq.model import ConfigError, StoreError
from spikedaq.recording.dumping import plain_annotations
from spikedaq.recording.properties import Properties, check_probe
from spikedaq.recording.recording import Recording
from spikedaq.recording.segments import Channel, Segment
from spikedaq.recording.sources.arrays import check_ids
from spikedaq.recording.sources.source import ArraySource

if TYPE_CHECKING:
    from spikedaq.recording.sources.source import Source

FORMAT, FORMAT_VERSION = "spikedaq saved", 1

MICROVOLTS = {"V": 1e6, "mV": 1e3, "uV": 1.0, "\u00b5V": 1.0, "nV": 1e-3}
"""Microvolts per unit; of another one there is no gain to microvolts."""
_KINDS: dict[str, Any] = {
    "name": str,
    "session": str | None,
    "bench": str | None,
    "device": str | None,
    "channels": list,
    "flags": list,
    "annotations": dict,
}
"""What a description has to say, and as what."""
_MOST = 1 << 63
_NONSENSE = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, OSError, RuntimeError, ConfigError,
)  # fmt: skip
"""What values of the wrong kind make the code raise that takes them."""

DERIVED = ("gain_to_uV", "offset_to_uV", "gain_to_physical_unit", "offset_to_physical_unit", "physical_unit")
"""Properties in which SpikeInterface keeps what our channels say."""
ADDED = ("is_filtered", "name")
"""Annotations that SpikeInterface wants."""


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """What was found where a recording was saved, by us or by SpikeInterface.

    Attributes
    ----------
    path : Path or str
    opened : dict
        How to open it again; see `Source.opened`.
    segments : tuple of Segment
    channel_ids : tuple of int or str
    fs_hz : float
    dtype : numpy dtype
    properties : dict of str to array, shape (n_channels, ...)
    annotations : dict
    probe : dict or None
        The dict form of a probeinterface ProbeGroup.
    ours : dict
        What `described` made, empty where spikedaq did not write it.
    flags : tuple of str
    """

    path: Path | str
    opened: dict[str, Any]
    segments: tuple[Segment, ...]
    channel_ids: tuple[int | str, ...]
    fs_hz: float
    dtype: np.dtype[Any]
    properties: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    annotations: dict[str, Any] = field(default_factory=dict)
    probe: dict[str, Any] | None = None
    ours: dict[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    def recording(self) -> Recording:
        """Return it as a recording.

        Raises
        ------
        StoreError
            What it says cannot be.
        """
        with refusing(self.path):
            return self._recording()

    def _recording(self) -> Recording:
        if not (np.isfinite(self.fs_hz) and self.fs_hz > 0):
            refuse(self.path, f"its sampling frequency cannot be {self.fs_hz} Hz")
        starts = [segment.t_start_s for segment in self.segments]
        if not self.segments or not np.isfinite(starts).all():
            refuse(self.path, f"its segments cannot begin at {starts} s")
        flags = list(self.flags)
        probe = None
        if self.probe is not None:
            try:
                probe = check_probe(self.probe, len(self.channel_ids))
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a probe, the samples can be read
                flags.append(f"its probe is left out: {error}")
        # What we wrote for SpikeInterface only is in our own description.
        derived = {*DERIVED, "channel_name"} if self.ours else set()
        added = ADDED if self.ours else ()
        properties = {key: values for key, values in self.properties.items() if key not in derived}
        annotations = {key: value for key, value in self.annotations.items() if key not in added}
        source = self._source(flags)
        return Recording(
            source,
            properties=Properties(source.channel_ids, properties),
            annotations={**annotations, **self.ours.get("annotations", {})},
            probe=probe,
        )

    def _source(self, flags: Sequence[str]) -> Source:
        known = dict(self.ours)
        for segment, row in zip(self.segments, known.get("segments", [{}] * len(self.segments)), strict=True):
            segment.boot_id, segment.first_step = row.get("boot_id"), row.get("first_step")
        if "channels" in known:
            channels = [
                Channel(str(row["name"]), str(row["unit"]), float(row["scale"]), float(row["offset"]))
                for row in known["channels"]
            ]
        else:
            channels = _channels(self.channel_ids, self.properties)
        source = ArraySource(
            self.segments,
            channels,
            fs_hz=self.fs_hz,
            dtype=self.dtype,
            channel_ids=check_ids(self.channel_ids, len(channels)),
            name=str(known.get("name") or str(self.path).rstrip("/").rpartition("/")[2]),
            opened=self.opened,
            reference_utc_ns=known.get("reference_utc_ns"),
            flags=[*map(str, known.get("flags", ())), *flags],
        )
        source.session, source.bench, source.device = (known.get(key) for key in ("session", "bench", "device"))
        source.paths = [self.path]
        return source


def described(recording: Recording) -> dict[str, Any]:
    """Return what the JSON of a saved recording says; plain values."""
    from spikedaq import __version__  # noqa: PLC0415 - the package imports this room

    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "written_by": f"spikedaq {__version__}",
        "name": recording.name,
        "session": recording.session,
        "bench": recording.bench,
        "device": recording.device,
        "reference_utc_ns": recording.reference_utc_ns,
        "channels": [
            {"name": c.name, "unit": c.unit, "scale": float(c.scale), "offset": float(c.offset)}
            for c in recording.channels
        ],
        "segments": [
            {"n_frames": s.n_frames, "boot_id": s.boot_id, "first_step": s.first_step} for s in recording.segments
        ],
        "made_from": [Path(str(path)).name for path in recording.paths],
        "flags": list(recording.flags),
        # Those that are called as SpikeInterface's own, which stand in its places.
        "annotations": {key: value for key, value in plain_annotations(recording).items() if key in ADDED},
    }


def all_annotations(recording: Recording) -> dict[str, Any]:
    """Return the annotations as SpikeInterface wants them."""
    return {"is_filtered": False, "name": recording.name, **plain_annotations(recording)}


def check_described(path: Path | str, found: dict[str, Any], n_frames: Sequence[int]) -> dict[str, Any]:
    """Return what `described` made, after a look whether it is of these segments.

    Raises
    ------
    StoreError
        Another format, a later version, or other segments: something was cut off or mixed up.
    """
    if not found:
        return found
    if found.get("format") != FORMAT:
        refuse(path, f"its format is {found.get('format')!r}, and should be {FORMAT!r}")
    version = found.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise StoreError(f"{path} is of a later version of spikedaq ({version}); update spikedaq")
    rows = found.get("segments")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        refuse(path, "it says nothing of its segments")
    for key, kind in _KINDS.items():
        if not isinstance(found.get(key), kind):
            refuse(path, f"its {key} cannot be {str(found.get(key))[:40]!r}")
    for row in rows:
        for key in ("boot_id", "first_step"):
            if not _is_count(row.get(key)):
                refuse(path, f"the {key} of a segment cannot be {str(row.get(key))[:40]!r}")
    if not _is_count(found.get("reference_utc_ns")):
        refuse(path, f"its reference_utc_ns cannot be {str(found['reference_utc_ns'])[:40]!r}")
    for k, (n, row) in enumerate(zip(n_frames, rows, strict=False)):
        if row.get("n_frames") != n:
            refuse(path, f"segment {k} has {n} frames and should have {row.get('n_frames')}: it was cut off")
    if len(rows) != len(n_frames):
        refuse(path, f"it has {len(n_frames)} segments and should have {len(rows)}")
    return found


def _is_count(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST)


@contextmanager
def refusing(path: Path | str) -> Iterator[None]:
    """Turn what nonsense in a description leads to into a StoreError that names the place."""
    try:
        yield
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        OSError,
        RuntimeError,
        ConfigError,
    ) as error:
        refuse(path, f"what it says of itself cannot be ({type(error).__name__}: {error})", error)


def derived_properties(recording: Recording) -> dict[str, npt.NDArray[Any]]:
    """Return the properties by which SpikeInterface knows gains, offsets and units; and those that were set.

    Gains to microvolts are NaN of a channel that is no voltage, and not there where none is.
    """
    channels = recording.channels
    scales, offsets = np.array([c.scale for c in channels]), np.array([c.offset for c in channels])
    factors = np.array([MICROVOLTS.get(c.unit, np.nan) for c in channels])
    in_uv = {} if np.isnan(factors).all() else {"gain_to_uV": scales * factors, "offset_to_uV": offsets * factors}
    derived = {
        **in_uv,
        "gain_to_physical_unit": scales,
        "offset_to_physical_unit": offsets,
        "physical_unit": np.array([c.unit for c in channels]),
        "channel_name": np.array([c.name for c in channels]),
    }
    return {**derived, **{key: values for key, values in recording.properties.items() if key not in DERIVED}}


def refuse(path: Path | str, what: str, error: Exception | None = None) -> NoReturn:
    """Raise StoreError: the copy is no good."""
    raise StoreError(f"{path}: {what}; copy it again, or save it again") from error


def _channels(ids: Sequence[int | str], properties: dict[str, npt.NDArray[Any]]) -> list[Channel]:
    """Return what SpikeInterface's properties say of channels."""
    names = [str(one) for one in properties.get("channel_name", ids)]
    n = len(ids)
    units: Sequence[Any] = [""] * n
    gains, offsets = np.ones(n), np.zeros(n)
    if "physical_unit" in properties and "gain_to_physical_unit" in properties:
        units, gains = properties["physical_unit"].tolist(), properties["gain_to_physical_unit"]
        offsets = properties.get("offset_to_physical_unit", offsets)
    elif "gain_to_uV" in properties:
        is_known = np.isfinite(properties["gain_to_uV"])
        units = np.where(is_known, "uV", "").tolist()
        gains = np.where(is_known, properties["gain_to_uV"], 1.0)
        offsets = np.where(is_known, properties.get("offset_to_uV", offsets), 0.0)
    return [
        Channel(name, str(unit), float(gain), float(offset))
        for name, unit, gain, offset in zip(names, units, gains, offsets, strict=True)
    ]
