"""Spike trains of Neo, from its objects and its files, and to them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.errors import ContentError, UnwrittenWarning
from spikedaq.interchange.pickles import imported_names, refuse_untrusted
from spikedaq.interchange.places import PathOrUrl, absolute, read_from, write_to
from spikedaq.interchange.plain import fits, is_name
from spikedaq.interchange.spikelab import as_trains
from spikedaq.interchange.window import cut_at
from spikedaq.model import ArgumentError, ArgumentTypeError, require

_MATLAB_NAME = 31  # letters of a field that MATLAB 5 files hold
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

    Attributes of units and metadata are annotations, as far as Neo takes them; a warning names the others.

    Raises
    ------
    MissingExtraError
        Neo is not installed.
    """
    return _block_of(as_trains(sd), is_name)


def _block_of(trains: SpikeTrains, takes: Callable[[str], bool]) -> Any:
    neo = require("neo", "neo")
    start_s, stop_s = trains.start_time / 1000.0, trains.end_time / 1000.0
    segment = neo.Segment(name="spikes")
    lost: dict[str, None] = {}
    for number, train in enumerate(trains.trains):
        attributes = dict((trains.neuron_attributes or [{}] * trains.N)[number])
        name = str(attributes.pop("name", attributes.get("unit_id", number)))
        # In s: readers of NIX take whatever unit times are in for seconds.
        times_s = train / 1000.0
        segment.spiketrains.append(
            neo.SpikeTrain(
                times_s,
                units="s",
                t_start=min([start_s, *times_s[:1].tolist()]),
                t_stop=max([stop_s, *times_s[-1:].tolist()]),
                name=name,
                **_annotations(attributes, takes, lost),
            )
        )
    block = neo.Block(name="spike trains", description="Spike trains, written by spikedaq")
    block.annotate(**_annotations(trains.metadata, takes, lost))
    block.segments.append(segment)
    if lost:
        message = f"Neo has no place for {', '.join(map(repr, lost))} of units or metadata"
        warnings.warn(message, UnwrittenWarning, stacklevel=4)
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
    block = _block_of(as_trains(sd), _is_matlab_name if suffix == ".mat" else is_name)
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


def _is_matlab_name(name: str) -> bool:
    return name.isascii() and name.isidentifier() and not name.startswith("_") and len(name) <= _MATLAB_NAME


def _annotations(values: Mapping[Any, Any], takes: Callable[[str], bool], lost: dict[str, None]) -> dict[str, Any]:
    """Return what can be annotated; the names of the rest go to ``lost``."""
    found = {}
    for key, value in values.items():
        plain = _annotation(value)
        if plain is None or not takes(str(key)):
            lost[str(key)] = None
        else:
            found[str(key)] = plain
    return found


def _annotation(value: Any) -> Any:
    """Return a value as Neo and its files take it for an annotation; None where they take none."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float | str):
        return value if fits(value) else None
    if isinstance(value, np.ndarray | list | tuple):
        try:
            array = np.asarray(value)
        except ValueError:  # rows of different lengths
            return None
        return array.tolist() if array.dtype.kind in "biufU" and array.ndim == 1 and array.size else None
    return None
