"""The imaging CSV of the stock software: written as in December 2025, and read as it and v2.4 wrote it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spikedaq.analysis.imaging_block import NEURONS, ImagingBlock
from spikedaq.formats.imaging_source import SourceBlock
from spikedaq.formats.number_csv import FloatArray, open_numbers
from spikedaq.model import StoreError

HEADER = (
    "Time (ms)", "Stim", "Trigger", "Vm1 (mV)", "Vm2 (mV)", "Vm3 (mV)", "Ca1 (uM)", "Ca2 (uM)", "Ca3 (uM)",
    "F1 (a.u.)", "F2 (a.u.)", "F3 (a.u.)",
)  # fmt: skip
"""Of December 2025."""
_V24_NEURONS = ("Spikeling", "Neuron Aux1", "Neuron Aux2")
HEADER_V24 = (
    "Time (ms)", "Stimulus (%)", "Trigger",
    *(f"{neuron} {what}" for neuron in _V24_NEURONS for what in ("Fluorescence", "Calcium", "Vm (mV)")),
)  # fmt: skip
"""Of the software that came with v2.4; older files have the first six columns only."""
_NEURON_COLUMNS_V24 = 3


def header_line() -> bytes:
    """Return the first line."""
    return (",".join(HEADER) + "\n").encode()


def rows_of(block: ImagingBlock, source: SourceBlock, first_step: int) -> bytes:
    """Return the lines of a block: one per sample, fluorescence repeated from frame to frame.

    Parameters
    ----------
    first_step : int
        Step of the first line of the CSV, whose time is 0.

    Notes
    -----
    Numbers are as Python prints them, which gives back every bit. Time is model time, 0.1 ms per step; missing samples
    are a jump. ``nan`` is what nobody knows: a neuron that the board does not tell, fluorescence before a frame.
    """
    n = len(source)
    start = block.first_step - first_step
    columns: list[Iterable[str]] = [(repr((start + i) / 10) for i in range(n))]
    columns += [_texts(source.stimulus), _texts(source.trigger)]
    columns += [_texts(source.vm_mv[:, k]) for k in range(len(NEURONS))]
    columns += [map(repr, block.calcium_um[:, k].tolist()) for k in range(len(NEURONS))]
    columns += [_texts(block.fluorescence[:, k]) for k in range(len(NEURONS))]
    return ("\n".join(map(",".join, zip(*columns, strict=True))) + "\n").encode()


def _texts(values: FloatArray) -> list[str]:
    """Return texts of numbers of which most are like their neighbours."""
    texts, last, text = [], math.inf, ""
    for value in values.tolist():
        if value != last:
            last, text = value, repr(value)
        texts.append(text)
    return texts


@dataclass(frozen=True, slots=True, eq=False)
class ImagingTable:
    """An imaging CSV as it was read.

    Attributes
    ----------
    layout : str
        ``2025`` or ``v2.4``.
    time_ms, stimulus, trigger : float64 arrays, shape (n_rows,)
    vm_mv, calcium_um, fluorescence : float64 arrays, shape (n_rows, n_neurons)
        Of three neurons, or of one in older files.
    """

    layout: str
    time_ms: FloatArray
    stimulus: FloatArray
    trigger: FloatArray
    vm_mv: FloatArray
    calcium_um: FloatArray
    fluorescence: FloatArray


def read_imaging_csv(path: Path) -> ImagingTable:
    """Read an imaging CSV, of either header; further columns are ignored.

    Raises
    ------
    StoreError
        No such file, another kind of CSV, or what is no number; the text names the line.
    """
    with open_numbers(path) as file:
        names, layout = _layout(path, file.names)
        at = [file.names.index(name) for name in names]
        parts = [rows[:, at] for rows in file.rows()]
    table = np.concatenate(parts) if parts else np.empty((0, len(at)))
    k = len(NEURONS)
    if layout == "2025":
        vm, ca, f = table[:, 3 : 3 + k], table[:, 3 + k : 3 + 2 * k], table[:, 3 + 2 * k :]
    else:
        f, ca, vm = (table[:, 3 + what :: _NEURON_COLUMNS_V24] for what in range(_NEURON_COLUMNS_V24))
    return ImagingTable(layout, table[:, 0], table[:, 1], table[:, 2], vm, ca, f)


def _layout(path: Path, header: Sequence[str]) -> tuple[tuple[str, ...], str]:
    for names, layout in ((HEADER, "2025"), (HEADER_V24, "v2.4"), (HEADER_V24[:6], "v2.4")):
        if set(names) <= set(header):
            return names, layout
    raise StoreError(f"{path} is no imaging file of the stock software: its columns are {', '.join(header)[:200]}")
