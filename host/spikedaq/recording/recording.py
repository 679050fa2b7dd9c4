"""One device's recording, or a file of another kind: read lazily, cut without copying, given to other tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from spikedaq.analysis import SpikeTrains
from spikedaq.model import ConfigError
from spikedaq.recording.conversions import conversion
from spikedaq.recording.cutting import by_frames, by_times, frame_bounds
from spikedaq.recording.properties import Probe, Properties, check_probe, rewired
from spikedaq.recording.recorded import Recorded
from spikedaq.recording.segments import Channel, FloatArray, Segment
from spikedaq.recording.sources.arrays import array_source
from spikedaq.recording.sources.source import Source
from spikedaq.recording.summary import summary_lines


class Recording(Recorded):
    """Channels of one rate, over segments that end at every gap, reboot and file of another boot.

    Made by `spikedaq.open` or `Recording.from_numpy`, and by cutting another. A cut copies no sample. Nothing is read
    before it is asked for; `close` (or ``with``) closes the files, which open again when something is asked.

    Attributes
    ----------
    annotations : dict
        Of the recording, by key; see `annotate`.
    made_by : tuple of dict
        How it was cut from what was opened: plain values with the key ``do``; see `redo`.
    """

    def __init__(
        self,
        source: Source,
        *,
        segments: Sequence[Segment] | None = None,
        columns: Sequence[int] | None = None,
        made_by: Sequence[dict[str, Any]] = (),
        properties: Properties | None = None,
        annotations: Mapping[str, Any] | None = None,
        probe: Probe | None = None,
        ordered: bool = True,
    ) -> None:
        chosen = range(len(source.channels)) if columns is None else columns
        super().__init__(source, segments, chosen, made_by=made_by, ordered=ordered)
        self.annotations: dict[str, Any] = dict(annotations or {})
        self._properties = properties or Properties(self.channel_ids)
        self._probe = probe

    @classmethod
    def from_numpy(
        cls,
        traces_list: Sequence[npt.NDArray[Any]] | npt.NDArray[Any],
        sampling_frequency: float,
        channel_ids: Sequence[int | str] | None = None,
        *,
        channels: Sequence[Channel] | None = None,
        t_starts_s: Sequence[float] | None = None,
        times_s: Sequence[FloatArray] | None = None,
        name: str = "numpy",
        reference_utc_ns: int | None = None,
    ) -> Self:
        """Make a recording of arrays in memory, which are not copied.

        Parameters
        ----------
        traces_list : sequence of arrays, shape (n_frames, n_channels)
            One for each segment, all of one type; one array is one segment.
        sampling_frequency : float
            Hz.
        channel_ids : sequence of int or str, optional
            Default: the names of ``channels``, or 0, 1, ...
        channels : sequence of Channel, optional
            Names, units and scales. Default: named as their ids, without a unit, values as they are.
        t_starts_s : sequence of float, optional
            Time of each segment's first sample, in seconds; default 0.
        times_s : sequence of float64 arrays, shape (n_frames,), optional
            Times of all samples, in the place of ``t_starts_s``.
        name : str
        reference_utc_ns : int, optional
            The instant that times count from.

        Raises
        ------
        ConfigError
            Shapes, types, numbers or ids that do not fit together.
        """
        source = array_source(
            traces_list,
            sampling_frequency,
            channel_ids=channel_ids,
            channels=channels,
            t_starts_s=t_starts_s,
            times_s=times_s,
            name=name,
            reference_utc_ns=reference_utc_ns,
        )
        return cls(source)

    # -- parts

    def channel_slice(self, channel_ids: Sequence[int | str]) -> Self:
        """Return the recording with some channels, in that order."""
        places = self._positions(channel_ids)
        if not places or len(set(places)) != len(places):
            raise ConfigError(f"{self.name}: name at least one channel, and each once")
        ids = [self.channel_ids[k] for k in places]
        return self._part({"do": "channel_slice", "channel_ids": ids}, places=places)

    def frame_slice(self, start_frame: int | None = None, end_frame: int | None = None) -> Self:
        """Return frames as in ``array[start_frame:end_frame]``, counted through all segments.

        Segments that none of it is in are left out.
        """
        start, stop = frame_bounds(start_frame, end_frame, self.num_frames)
        done = {"do": "frame_slice", "start_frame": start, "end_frame": stop}
        return self._part(done, segments=by_frames(self.segments, start, stop))

    def time_slice(self, start_s: float | None = None, stop_s: float | None = None) -> Self:
        """Return the samples with ``start_s <= t < stop_s``; segments that none of it is in are left out."""
        done = {"do": "time_slice", "start_s": start_s, "stop_s": stop_s}
        return self._part(done, segments=by_times(self.segments, start_s, stop_s, ordered=self._ordered))

    def select_segments(self, segment_indices: int | Sequence[int]) -> Self:
        """Return some segments, in that order."""
        indices = [segment_indices] if isinstance(segment_indices, int) else [int(k) for k in segment_indices]
        if not indices or len(set(indices)) != len(indices):
            raise ConfigError(f"{self.name}: name at least one segment, and each once")
        done = {"do": "select_segments", "segment_indices": indices}
        return self._part(done, segments=[self._segment(k) for k in indices], ordered=indices == sorted(indices))

    def split_by(self, property: str = "group") -> dict[Any, Self]:  # noqa: A002 - as SpikeInterface calls it
        """Return a recording for each value of a property (also ``unit`` and ``name``), by value, in order of channels.

        Raises
        ------
        ConfigError
            There is no such property.
        """
        values = self.get_property(property).tolist()
        parts = {}
        for value in dict.fromkeys(values):
            ids = [one for one, v in zip(self.channel_ids, values, strict=True) if v == value]
            parts[value] = self.channel_slice(ids)
        return parts

    def redo(self, made_by: Sequence[Mapping[str, Any]]) -> Self:
        """Return what cuts like those of another recording's `made_by` make of this one."""
        recording = self
        for step in made_by:
            arguments = {key: value for key, value in step.items() if key != "do"}
            if step.get("do") not in ("channel_slice", "frame_slice", "time_slice", "select_segments"):
                raise ConfigError(f"a recording cannot {step.get('do')!r}; its description is not one of ours")
            recording = getattr(recording, step["do"])(**arguments)
        return recording

    def _part(
        self,
        done: dict[str, Any],
        *,
        segments: list[Segment] | None = None,
        places: list[int] | None = None,
        ordered: bool = True,
    ) -> Self:
        chosen = list(range(self.num_channels)) if places is None else places
        return type(self)(
            self._source,
            segments=self._fixed if segments is None else segments,
            columns=[self._columns[k] for k in chosen],
            made_by=(*self.made_by, done),
            properties=self._properties.of(chosen),
            annotations=self.annotations,
            probe=None if self._probe is None else rewired(self._probe, chosen),
            ordered=self._in_order and ordered,
        )

    # -- what users attach

    def set_property(
        self, key: str, values: Sequence[Any] | npt.NDArray[Any], ids: Sequence[int | str] | None = None
    ) -> None:
        """Attach a value to each channel; to some, by their ids, where the property is known already."""
        if ids is not None:
            self._positions(ids)
        self._properties.set(key, values, ids)

    def get_property(self, key: str) -> npt.NDArray[Any]:
        """Return the values of a property, one for each channel: a copy."""
        if key in ("unit", "name") and key not in self._properties.values:
            return np.array([getattr(channel, key) for channel in self.channels])
        return self._properties.get(key)

    @property
    def properties(self) -> Mapping[str, npt.NDArray[Any]]:
        """Properties that were set, by key."""
        return MappingProxyType(self._properties.values)

    def annotate(self, **annotations: Any) -> None:
        """Add annotations of the recording."""
        self.annotations.update(annotations)

    @property
    def probe(self) -> Probe | None:
        """The probe in the form of probeinterface's dictionaries, None where none was set."""
        return self._probe

    def set_probe(self, probe: Any) -> None:
        """Attach a probe: an object of probeinterface, or its dictionary; it must be wired to channels.

        Raises
        ------
        ConfigError
            It is no probe, or its wiring does not fit the channels.
        """
        self._probe = check_probe(probe, self.num_channels)

    # -- other forms

    def to_dict(self) -> dict[str, Any]:
        """Return how to open and cut it again, with properties, annotations and probe, as plain values."""
        described: dict[str, Any] = conversion("to_dict")(self)
        return described

    def dump(self, path: Path | str, **options: Any) -> None:
        """Write `to_dict` to a ``.json`` or ``.pkl`` file; no samples."""
        conversion("dump")(self, path, **options)

    @classmethod
    def load(cls, path: Path | str, trust: bool = False, **options: Any) -> Recording:
        """Open what `dump` described; a pickle only with ``trust``, since it can run any code."""
        recording: Recording = conversion("load")(path, trust=trust, **options)
        return recording

    def save(self, path: Path | str, *, format: str = "binary", **options: Any) -> Recording:  # noqa: A002
        """Write the samples as ``binary``, ``nwb`` or ``zarr``, and return what was written, opened.

        Options: ``n_jobs``, ``progress``, ``overwrite``; see `spikedaq.recording.saving.save`.
        """
        saved: Recording = conversion("save")(self, path, format=format, **options)
        return saved

    def to_dataframe(self, **options: Any) -> Any:
        """Return a pandas DataFrame; see `spikedaq.recording.tables.to_dataframe`."""
        return conversion("to_dataframe")(self, **options)

    def to_xarray(self, **options: Any) -> Any:
        """Return an xarray Dataset; see `spikedaq.recording.tables.to_xarray`."""
        return conversion("to_xarray")(self, **options)

    def to_neo(self, **options: Any) -> Any:
        """Return a Neo Block with a Segment for each segment."""
        return conversion("to_neo")(self, **options)

    def to_spikeinterface(self, **options: Any) -> Any:
        """Return a SpikeInterface recording."""
        return conversion("to_spikeinterface")(self, **options)

    def spike_trains(self, channel_ids: Sequence[int | str] | None = None, **options: Any) -> SpikeTrains:
        """Return the spikes of some channels; see `spikedaq.recording.detection.spike_trains`."""
        found: SpikeTrains = conversion("spike_trains")(self, channel_ids, **options)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        counts = f"{self.num_channels} channels, {self.num_segments} segments, {self.num_frames} frames"
        return f"<Recording {self.name!r}: {counts}>"

    def __str__(self) -> str:
        return "\n".join(summary_lines(self))
