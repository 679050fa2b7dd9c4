"""What `spikedaq stimulus` and `spikedaq record --stimulus` are given: a file, or a generator and its settings."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikedaq.model import ConfigError, StoreError

if TYPE_CHECKING:
    from spikedaq.stimulus import Waveform

MAX_SPEC_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """A stimulus, and what to call it: the file's name, or the generator's."""

    name: str
    waveform: Waveform


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--set`` and ``--refuse-clipping``."""
    parser.add_argument(
        "--set", action="append", type=setting, metavar="NAME=VALUE", help="a parameter of the generator (repeatable)"
    )
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="the whole so often, one after the other")
    parser.add_argument(
        "--no-clipping", action="store_true", help="refuse rows beyond 100 percent; otherwise they are cut and counted"
    )


def setting(text: str) -> tuple[str, float]:
    """Read ``name=value``; a whole number stays one."""
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE, such as frequency_hz=5")
    try:
        return name, int(value) if value.lstrip("+-").isdecimal() else float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"the value {value!r} of {name} is not a number") from None


def open_source(
    text: str, settings: list[tuple[str, float]] | None, *, repeat: int = 1, no_clipping: bool = False
) -> Source:
    """Return the stimulus that a command names.

    A name of a generator is that generator; to read a file of that name write ``./NAME``. A file ``.json`` is a
    specification, any other file a stimulus CSV.

    Raises
    ------
    ConfigError, StoreError
        Neither, a setting that the generator does not have, or a file that cannot be read or meant.
    """
    # numpy takes 0.2 s to load; the other commands do without.
    from spikedaq.stimulus import GENERATORS, make, repeated  # noqa: PLC0415

    names = [one.name for one in GENERATORS]
    limits: Any = "refuse" if no_clipping else "clip"
    if text in names:
        source = Source(text, make({"generator": text, "values": _settings(settings)}, limits=limits))
    else:
        path = Path(text)
        if not path.exists():
            known = ", ".join(names)
            raise ConfigError(f"{text!r} is neither a file nor a stimulus generator; the generators are {known}")
        if settings:
            raise ConfigError(f"{settings[0][0]}=... is for generators; {text} is a file, which says all of it")
        source = Source(path.stem, _from_file(path, limits))
    if repeat != 1:
        source = Source(source.name, repeated(source.waveform, repeat))
    if source.waveform.n_clipped:
        print(
            f"spikedaq: warning: {source.waveform.n_clipped} of {source.waveform.n_rows} rows were beyond 100 % and "
            "were cut",
            file=sys.stderr,
        )
    return source


def _settings(given: list[tuple[str, float]] | None) -> dict[str, float]:
    values: dict[str, float] = {}
    for name, value in given or ():
        if name in values:
            raise ConfigError(f"{name} is set twice; leave one of them")
        values[name] = value
    return values


def _from_file(path: Path, limits: Any) -> Waveform:
    # HDF5, which the room of formats loads, takes another 0.2 s.
    from spikedaq.formats.stimulus_csv import load_stimulus  # noqa: PLC0415
    from spikedaq.stimulus import make  # noqa: PLC0415

    if path.suffix.casefold() == ".json":
        return make(read_spec(path), limits=limits)
    loaded = load_stimulus(path)
    if loaded.n_ignored_triggers:
        print(
            f"spikedaq: warning: {path} has {loaded.n_ignored_triggers} trigger marks behind its first row; a device "
            "marks the first row of each loop, and no other",
            file=sys.stderr,
        )
    return loaded.waveform


def read_spec(path: Path) -> Any:
    """Return the JSON document of a file.

    Raises
    ------
    StoreError
        It cannot be read.
    ConfigError
        It is no JSON, or too large to be a specification.
    """
    try:
        if not path.is_file():
            raise StoreError(f"{path} is no file")
        with path.open("rb") as file:
            data = file.read(MAX_SPEC_BYTES + 1)
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror})") from error
    if len(data) > MAX_SPEC_BYTES:
        raise ConfigError(f"{path} has more than {MAX_SPEC_BYTES} bytes; a stimulus specification is shorter")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no JSON: {error}") from error
