"""The stock software's neuron CSV: one row of numbers in its units, and the same in our parameters' names and units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

from spikedaq.formats.output import written_whole
from spikedaq.formats.stock_table import open_table, read_bytes
from spikedaq.model import ConfigError

MAX_BYTES = 100_000
"""A neuron has eleven numbers; anything longer is another file."""


@dataclass(frozen=True, slots=True)
class NeuronField:
    """One column.

    Attributes
    ----------
    header : str
        As the stock program's loader wants it.
    parameter, unit : str
        Ours (protocol/README.md, section 4.3).
    per_file_unit : Decimal
        Our value for 1 in the file.
    minimum, maximum : float
        Of the number in the file.
    remedy : str
        Ends the error about a number outside the range.
    """

    header: str
    parameter: str
    unit: str
    per_file_unit: Decimal
    minimum: float
    maximum: float
    remedy: str = ""


_ONE = Decimal(1)
_FACTOR = (
    "it is the factor by which the current shrinks in each step, such as 0.995; the stock program's slider shows "
    "thousandths of it"
)
# Ranges of a b c d and of what is per step: those of the firmware (firmware/lib/command/neuron_parameters.cpp). Of per
# cent: those of the stock program's sliders, which send a tenth (photo gain) and a quarter (synapses) of it.
FIELDS: tuple[NeuronField, ...] = (
    NeuronField("a", "a", "1", _ONE, 0, 2),
    NeuronField("b", "b", "1", _ONE, -2, 2),
    NeuronField("c", "c", "mV", _ONE, -110, 29),
    NeuronField("d", "d", "1", _ONE, -100, 100),
    NeuronField("PhotoGain (%)", "photo_gain", "1", Decimal("0.1"), -100, 100),
    NeuronField("PhotoDecay (1/ms)", "photo_decay", "1/step", _ONE, 0, 1, "it is per step, such as 0.001"),
    NeuronField("PhotoRecovery (1/ms)", "photo_recovery", "1/step", _ONE, 0, 1, "it is per step, such as 0.025"),
    NeuronField("Syn1 Gain (%)", "syn1_gain", "a.u.", Decimal("0.25"), -100, 100),
    NeuronField("Syn1 Decay (1/ms)", "syn1_decay", "1/step", _ONE, 0, 1, _FACTOR),
    NeuronField("Syn2 Gain (%)", "syn2_gain", "a.u.", Decimal("0.25"), -100, 100),
    NeuronField("Syn2 Decay (1/ms)", "syn2_decay", "1/step", _ONE, 0, 1, _FACTOR),
)
"""In the order of the file."""
HEADER = ",".join(field.header for field in FIELDS)


def load_neuron(path: Path) -> dict[str, float]:
    """Read a neuron CSV; see `parse_neuron`.

    Raises
    ------
    StoreError
        It cannot be read, or is too large.
    ConfigError
        What is in it cannot be a neuron.
    """
    return parse_neuron(read_bytes(path, MAX_BYTES), str(path))


def parse_neuron(data: bytes, name: str) -> dict[str, float]:
    """Read the bytes of a neuron CSV.

    Both headers of the stock program are read, that which it writes and that which it can load: they differ in blanks.
    The columns may stand in any order, and others beside them.

    Parameters
    ----------
    data : bytes
    name : str
        What to call it in errors: its path.

    Returns
    -------
    map of str to float
        All of our parameters that the file speaks of, in our units; ready for ``set``.

    Raises
    ------
    ConfigError
        A column that is missing or there twice, not exactly one row, or a number that is missing, is none, or is out
        of range; the text names the column and the value.
    """
    table = open_table(data, name)
    names = [_key(cell) for cell in table.header]
    wanted = [_key(field.header) for field in FIELDS]
    missing = [field.header for field, key in zip(FIELDS, wanted, strict=True) if key not in names]
    if missing:
        raise ConfigError(f"{name} has no column {', '.join(missing)}; a neuron's first line is {HEADER}")
    for field, key in zip(FIELDS, wanted, strict=True):
        if names.count(key) > 1:
            raise ConfigError(f"{name} has more than one column {field.header}; leave one of them")
    rows = list(table.rows())
    if len(rows) != 1:
        raise ConfigError(f"{name} has {len(rows)} rows behind its header; a neuron has one")
    ((line, cells),) = rows
    if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
        raise ConfigError(
            f"{name}, line {line} has {len(cells)} cells, and the header {len(names)}; a decimal comma needs "
            "semicolons between the columns"
        )
    values: dict[str, float] = {}
    for field, key in zip(FIELDS, wanted, strict=True):
        column = names.index(key)
        number = table.number(cells[column] if column < len(cells) else "", line, field.header)
        if not field.minimum <= number <= field.maximum:
            remedy = f"; {field.remedy}" if field.remedy else ""
            raise ConfigError(
                f"{name}, line {line}: {field.header} is {number:g}; it must be from {field.minimum:g} to "
                f"{field.maximum:g}{remedy}"
            )
        values[field.parameter] = float(Decimal(repr(number)) * field.per_file_unit)
    return values


def neuron_csv(values: Mapping[str, float]) -> bytes:
    """Return a neuron CSV that the stock program can load.

    Parameters
    ----------
    values : map of str to float
        By our names, in our units, as a device says them; 32-bit floats are written with the digits that they have.

    Raises
    ------
    ConfigError
        A parameter is missing, or has a value that the file cannot say; the text names it.
    """
    cells = []
    for field in FIELDS:
        value = values.get(field.parameter)
        if value is None or not np.isfinite(value):
            said = "is not known" if value is None else f"is {value}"
            raise ConfigError(f"{field.parameter} {said}; a neuron's file needs all of {_parameters_text()}")
        # float32's own digits: 0.02, not 0.019999999552965164.
        number = Decimal(str(np.float32(value))) / field.per_file_unit
        if not Decimal(repr(float(field.minimum))) <= number <= Decimal(repr(float(field.maximum))):
            raise ConfigError(
                f"{field.parameter} is {value:g} {field.unit}, which is {number:f} in {field.header}; the file holds "
                f"{field.minimum:g} to {field.maximum:g}"
            )
        cells.append(_plain(number))
    return f"{HEADER}\n{','.join(cells)}\n".encode()


def save_neuron(values: Mapping[str, float], path: Path, *, overwrite: bool = False) -> None:
    """Write a neuron CSV; it appears whole or not at all.

    Raises
    ------
    ConfigError
        As `neuron_csv`.
    StoreError
        ``path`` exists and ``overwrite`` is false, or it cannot be written.
    """
    data = neuron_csv(values)
    with written_whole(path, overwrite=overwrite) as file:
        file.write(data)


def _key(header: str) -> str:
    return re.sub(r"\s", "", header).casefold()


def _plain(number: Decimal) -> str:
    """Write a number without an exponent and without needless zeros."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("", "-0") else text


def _parameters_text() -> str:
    return ", ".join(field.parameter for field in FIELDS)
