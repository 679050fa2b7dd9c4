"""Spike trains of Neo, from its objects and its files, and to them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.errors import ContentError
from spikedaq.interchange.pickles import imported_names, refuse_untrusted
from spikedaq.interchange.places import PathOrUrl, absolute, read_from, write_to
from spikedaq.interchange.spikelab import as_trains
from spikedaq.interchange.window import cut_at
from spikedaq.model import ArgumentError, ArgumentTypeError, require

_WRITERS = {".nix": "NixIO", ".h5": "NixIO", ".mat": "NeoMatlabIO"}


def load_spikedata_from_neo(
    source: Any, *, segment_index: int = 0, length_ms: float | None = None, trust: bool = False
) -> SpikeTrains:
    """Read the spike trains of one segment.

    Parameters
    ----------
    source : path, URL, neo.Block, neo.Segment, or a list of neo.SpikeTrain
        A file is read by the IO that Neo chooses for it.
    segment_index : int
        Of a block, or of the first block of a file.
    length_ms : float, optional
        Later spikes are left out and counted. Default: to the last ``t_stop``.
    trust : bool
        Say that you know who made a file that is a pickle; reading it can run code.

    Returns
    -------
    SpikeTrains
        Name and annotations of each train are attributes of its unit.

    Raises
    ------
    MissingExtraError
        A file is to be read, and Neo is not installed.
    UntrustedError
        A pickle without ``trust``.
    ContentError
        Neo cannot read it, or there is no such segment.
    ArgumentTypeError
        Something else.
    """
    metadata: dict[str, Any] = {"source_format": "Neo"}
    if isinstance(source, str | os.PathLike):
        with read_from(source) as path:
            source_name = absolute(source)
            segment = _segment_of(_read(path, trust=trust), segment_index, source_name)
        metadata["source_file"] = source_name
    else:
        segment = _segment_of(source, segment_index, type(source).__name__)
    trains = segment.spiketrains if hasattr(segment, "spiketrains") else segment
    if not isinstance(trains, Iterable):
        raise ArgumentTypeError(
            f"{type(source).__name__} has no spike trains; give a Block, a Segment or a list of them"
        )
    found = SpikeTrains.from_neo_spiketrains(trains, metadata=metadata)
    return cut_at(found, length_ms)


def to_neo_block(sd: SpikeTrains | Any) -> Any:
    """Return a neo.Block with one segment that has a spike train for each unit, in seconds.

    Raises
    ------
    MissingExtraError
        Neo is not installed.
    """
    trains = as_trains(sd)
    neo = require("neo", "neo")
    start_s, stop_s = trains.start_time / 1000.0, trains.end_time / 1000.0
    segment = neo.Segment(name="spikes")
    for number, train in enumerate(trains.trains):
        attributes = (trains.neuron_attributes or [{}] * trains.N)[number]
        # In s: readers of NIX take whatever unit times are in for seconds.
        times_s = train / 1000.0
        segment.spiketrains.append(
            neo.SpikeTrain(
                times_s,
                units="s",
                t_start=min([start_s, *times_s[:1].tolist()]),
                t_stop=max([stop_s, *times_s[-1:].tolist()]),
                name=str(attributes.get("name", attributes.get("unit_id", number))),
                **{
                    str(k): plain
                    for k, v in attributes.items()
                    if k != "name" and (plain := _annotation(v)) is not None
                },
            )
        )
    block = neo.Block(name="spike trains", description="Spike trains, written by spikedaq")
    block.annotate(**{str(k): plain for k, v in trains.metadata.items() if (plain := _annotation(v)) is not None})
    block.segments.append(segment)
    return block


def export_spikedata_to_neo(sd: SpikeTrains | Any, filepath: PathOrUrl, *, overwrite: bool = False) -> None:
    """Write spike trains by Neo: NIX for ``.nix`` and ``.h5``, MATLAB for ``.mat``.

    Raises
    ------
    ArgumentError
        Another extension.
    MissingExtraError
        Neo is not installed.
    StoreError
        The file exists, or cannot be written.
    """
    suffix = Path(str(filepath)).suffix.lower()
    if suffix not in _WRITERS:
        raise ArgumentError(f"{filepath}: Neo's spike trains are written as {', '.join(_WRITERS)}; choose one of them")
    block = to_neo_block(sd)
    io = require("neo.io", "neo")
    with write_to(filepath, overwrite=overwrite) as path:
        # NIX asks for its own extension.
        named = path.with_name(path.name + suffix)
        try:
            writer = io.NixIO(str(named), "ow") if _WRITERS[suffix] == "NixIO" else io.NeoMatlabIO(str(named))
            try:
                writer.write_block(block)
            finally:
                if hasattr(writer, "close"):
                    writer.close()
            named.replace(path)
        finally:
            named.unlink(missing_ok=True)


def _read(path: Path, *, trust: bool) -> Any:
    io = require("neo.io", "neo")
    if path.suffix.lower() in (".pkl", ".pickle") and not trust:
        raise refuse_untrusted(str(path), imported_names(path.read_bytes()))
    try:
        reader = io.get_io(str(path))
        return reader.read_block()
    # Each of Neo's 54 readers raises what the libraries below it raise.
    except Exception as error:
        raise ContentError(f"Neo cannot read {path}: {type(error).__name__}: {error}") from error


def _segment_of(source: Any, index: int, place: str) -> Any:
    segments = getattr(source, "segments", None)
    if segments is None:
        return source
    if not 0 <= index < len(segments):
        raise ContentError(f"{place} has {len(segments)} segments; segment_index {index} is none of them")
    return segments[index]


def _annotation(value: Any) -> Any:
    """Return a value as Neo takes it for an annotation; None where it takes none."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray | list | tuple):
        array = np.asarray(value)
        return array.tolist() if array.dtype.kind in "biufU" and array.size else None
    return None
