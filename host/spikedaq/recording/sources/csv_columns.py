"""Which column of a CSV is which channel: the stock software's recordings, ours, and its imaging files."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spikedaq.formats.neuron import FIELDS as NEURON_FIELDS
from spikedaq.formats.stimulus_csv import HEADER as STIMULUS_HEADER
from spikedaq.formats.stock_csv import CLAMP_COLUMNS, STOCK_COLUMNS
from spikedaq.model import StoreError

TIMES_S = {"Time (ms)": 1e-3, "Time (s)": 1.0}
"""Names of the time column, and how long one of its units is, in seconds."""

_NEURONS = ("vm", "syn1_vm", "syn2_vm")
_V24_NEURONS = ("Spikeling", "Neuron Aux1", "Neuron Aux2")
_IMAGING = {
    "Stim": ("stimulus", "%"),
    "Stimulus (%)": ("stimulus", "%"),
    "Trigger": ("trigger", "1"),
    **{f"Vm{k} (mV)": (vm, "mV") for k, vm in enumerate(_NEURONS, start=1)},
    **{f"{neuron} Vm (mV)": (vm, "mV") for neuron, vm in zip(_V24_NEURONS, _NEURONS, strict=True)},
    **{f"Ca{k} (uM)": (f"ca{k}", "uM") for k in (1, 2, 3)},
    **{f"{neuron} Calcium": (f"ca{k}", "uM") for k, neuron in enumerate(_V24_NEURONS, start=1)},
    **{f"F{k} (a.u.)": (f"f{k}", "a.u.") for k in (1, 2, 3)},
    **{f"{neuron} Fluorescence": (f"f{k}", "a.u.") for k, neuron in enumerate(_V24_NEURONS, start=1)},
}
_STOCK = {column.header: (column.channel, column.unit) for column in (*STOCK_COLUMNS, *CLAMP_COLUMNS)}
_CLAMP_ONLY = {column.header for column in CLAMP_COLUMNS} - {column.header for column in STOCK_COLUMNS}
_EXPECTED = {
    "stock": [column.header for column in STOCK_COLUMNS],
    "clamp": [column.header for column in CLAMP_COLUMNS],
    "imaging": [],
}


@dataclass(frozen=True, slots=True)
class CsvChannel:
    """A channel, and the column that it is in."""

    name: str
    unit: str
    column: int


@dataclass(frozen=True, slots=True)
class CsvColumns:
    """What the columns of a CSV are.

    Attributes
    ----------
    kind : str
        ``stock``, ``clamp`` (the stock columns in voltage clamp) or ``imaging``.
    time_column : int
    time_unit_s : float
        Length of one unit of the time column, in seconds.
    channels : tuple of CsvChannel
        In the order of the file.
    flags : tuple of str
        Columns that are missing or nobody knows.
    """

    kind: str
    time_column: int
    time_unit_s: float
    channels: tuple[CsvChannel, ...]
    flags: tuple[str, ...]


def find_columns(path: Path, names: Sequence[str]) -> CsvColumns:
    """Tell what the columns of a CSV are by their names; capitals and blanks do not matter.

    Raises
    ------
    StoreError
        No time, no membrane potential, or one channel twice; the text says what the columns should be called.
    """
    at = {_plain(name): k for k, name in enumerate(names)}
    times = [(at[_plain(name)], unit_s) for name, unit_s in TIMES_S.items() if _plain(name) in at]
    if not times:
        if other := _other_kind(set(at)):
            raise StoreError(f"{path} is no recording; {other}")
        near = _nearest("Time (ms)", names)
        hint = f"; is it {near!r}? Then call that so" if near else f"; its columns are {', '.join(names)[:200]!r}"
        raise StoreError(f"{path}, line 1: there is no column 'Time (ms)' or 'Time (s)'{hint}")
    kind, known = _known(path, names)
    plain = {_plain(name): found for name, found in known.items()}
    channels = [CsvChannel(*plain[key], column) for key, column in at.items() if key in plain]
    if twice := sorted({c.name for c in channels if [d.name for d in channels].count(c.name) > 1}):
        raise StoreError(f"{path}, line 1: two columns are {', '.join(twice)}; take one of them out")
    expected = _EXPECTED[kind]
    missing = [name for name in expected if _plain(name) not in at]
    unknown = [name for name in names if name and _plain(name) not in plain and at[_plain(name)] != times[0][0]]
    flags = []
    for name in missing:
        near = _nearest(name, unknown)
        flags.append(f"it has no column {name!r}" + (f"; {near!r} may be it, and is left out" if near else ""))
    if left := [name for name in unknown if not any(f"{name!r} may be" in flag for flag in flags)]:
        flags.append(f"nobody knows what {', '.join(map(repr, left))} is; left out")
    return CsvColumns(kind, *times[0], tuple(channels), tuple(flags))


def _known(path: Path, names: Sequence[str]) -> tuple[str, dict[str, tuple[str, str]]]:
    """Return what kind of file it is, and the channels that it may have by the names of their columns."""
    plain = {_plain(name) for name in names}
    # An imaging file of v2.4 has the stock's column of Vm; it has calcium and fluorescence beside it.
    only_imaging = {_plain(name) for name in _IMAGING} - {_plain(name) for name in _STOCK}
    if _plain(STOCK_COLUMNS[0].header) in plain and not plain & only_imaging:
        is_clamp = bool(plain & {_plain(name) for name in _CLAMP_ONLY})
        return ("clamp" if is_clamp else "stock"), _STOCK
    if {_plain("Vm1 (mV)"), _plain(f"{_V24_NEURONS[0]} Vm (mV)")} & plain:
        return "imaging", _IMAGING
    near = _nearest(STOCK_COLUMNS[0].header, names)
    hint = f"; is it {near!r}? Then call that so" if near else "; is it another kind of file?"
    raise StoreError(
        f"{path}, line 1: there is no column {STOCK_COLUMNS[0].header!r} or 'Vm1 (mV)'{hint} "
        f"The columns of a recording are {', '.join(['Time (ms)', *_EXPECTED['stock']])}"
    )


def _other_kind(plain: set[str]) -> str:
    """Return what else a CSV without times may be, by the names of its columns, and who takes it."""
    if {_plain(field.header) for field in NEURON_FIELDS} <= plain:
        return "it is a neuron, which 'spikedaq neuron load' takes"
    if _plain(STIMULUS_HEADER.split(",", maxsplit=1)[0]) in plain and not any("(mv)" in name for name in plain):
        return "it is a stimulus, which 'spikedaq stimulus play' takes"
    return ""


def _plain(name: str) -> str:
    """Return a name without what people and their spreadsheets change: capitals, blanks, the letter mu."""
    return re.sub(r"\s+", "", name).casefold().replace("\u00b5", "u").replace("\u03bc", "u")


def _nearest(name: str, among: Sequence[str]) -> str | None:
    close = difflib.get_close_matches(_plain(name), [_plain(other) for other in among], n=1, cutoff=0.6)
    return next((other for other in among if close and _plain(other) == close[0]), None)
