"""The stock neuron CSV: literal files, both headers, the traps of its units, and ranges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.formats.neuron import FIELDS, load_neuron, neuron_csv, parse_neuron, save_neuron
from spikedaq.model import ConfigError, StoreError

LOADABLE = (
    "a,b,c,d,PhotoGain (%),PhotoDecay (1/ms),PhotoRecovery (1/ms),Syn1 Gain (%),Syn1 Decay (1/ms),Syn2 Gain (%),"
    "Syn2 Decay (1/ms)"
)
SAVED = (
    "a,b,c,d,PhotoGain( %),PhotoDecay(1 / ms),PhotoRecovery(1 / ms),Syn1 Gain( %),Syn1 Decay(1 / ms),Syn2 Gain( %),"
    "Syn2 Decay(1 / ms)"
)
ROW = "0.02,0.25,-55,0.05,-50,0.0005,0.001,40,0.995,-8,0.99"
# By hand: photo gain is a tenth of the per cent, the synapses' a quarter; all else is the number itself.
VALUES = {
    "a": 0.02, "b": 0.25, "c": -55.0, "d": 0.05, "photo_gain": -5.0, "photo_decay": 0.0005, "photo_recovery": 0.001,
    "syn1_gain": 10.0, "syn1_decay": 0.995, "syn2_gain": -2.0, "syn2_decay": 0.99,
}  # fmt: skip


def parsed(text: str) -> dict[str, float]:
    return parse_neuron(text.encode(), "n.csv")


@pytest.mark.parametrize("header", [LOADABLE, SAVED])
def test_both_headers_are_read_in_our_units(header: str) -> None:
    """The stock program cannot load what it writes; both are the same neuron."""
    assert parsed(f"{header}\n{ROW}\n") == VALUES


def test_columns_may_stand_anywhere_and_others_beside_them() -> None:
    names, cells = LOADABLE.split(","), ROW.split(",")
    text = ",".join(["name", *reversed(names)]) + "\r\n" + ",".join(["mine", *reversed(cells)]) + "\r\n\r\n"
    assert parsed("\ufeff" + text) == VALUES


def test_a_decimal_comma_is_read_between_semicolons() -> None:
    text = f"{LOADABLE.replace(',', ';')}\n{ROW.replace(',', ';').replace('.', ',')}\n"
    assert parsed(text) == VALUES


def test_the_file_that_is_written_is_the_one_that_stock_loads(tmp_path: Path) -> None:
    """Values as a device says them, 32-bit floats, come out with the digits that they have."""
    path = tmp_path / "n.csv"
    save_neuron({name: float(np.float32(value)) for name, value in VALUES.items()}, path)
    assert path.read_text() == f"{LOADABLE}\n{ROW}\n"
    assert load_neuron(path) == VALUES
    with pytest.raises(StoreError, match="exists"):
        save_neuron(VALUES, path)


def with_cell(column: str, cell: str) -> str:
    names, cells = LOADABLE.split(","), ROW.split(",")
    cells[names.index(column)] = cell
    return f"{LOADABLE}\n{','.join(cells)}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (with_cell("Syn1 Decay (1/ms)", "995"), "Syn1 Decay (1/ms) is 995; it must be from 0 to 1; it is the factor"),
        (with_cell("Syn2 Decay (1/ms)", "1.0001"), "Syn2 Decay (1/ms) is 1.0001"),
        (with_cell("Syn1 Decay (1/ms)", "-0.1"), "Syn1 Decay (1/ms) is -0.1"),
        (with_cell("PhotoDecay (1/ms)", "100"), "PhotoDecay (1/ms) is 100; it must be from 0 to 1; it is per step"),
        (with_cell("PhotoGain (%)", "101"), "PhotoGain (%) is 101; it must be from -100 to 100"),
        (with_cell("c", "30"), "line 2: c is 30; it must be from -110 to 29"),
        (with_cell("a", "nan"), "line 2: a is 'nan'"),
        (with_cell("b", ""), "line 2: b is empty"),
        (with_cell("d", "6 "), None),
        (f"{LOADABLE}\n", "has 0 rows behind its header; a neuron has one"),
        (f"{LOADABLE}\n{ROW}\n{ROW}\n", "has 2 rows"),
        (f"{LOADABLE}\n0.02,0.2\n", "line 2: c is empty"),
        (f"{LOADABLE}\n{ROW},7\n", "line 2 has 12 cells, and the header 11"),
        (f"{LOADABLE},a\n{ROW},1\n", "more than one column a"),
        (ROW, "has no column a, b, c, d, PhotoGain (%)"),
        (LOADABLE.replace(",Syn2 Decay (1/ms)", "") + "\n" + ROW, "has no column Syn2 Decay (1/ms)"),
        ("", "n.csv is empty"),
        ("a,b\0", "no text"),
    ],
)
def test_what_cannot_be_a_neuron_is_refused_by_column_and_value(text: str, said: str | None) -> None:
    if said is None:
        assert parsed(text)["d"] == 6.0
        return
    with pytest.raises(ConfigError) as refused:
        parsed(text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("syn1_gain", 26.0, "syn1_gain is 26 a.u., which is 104 in Syn1 Gain (%); the file holds -100 to 100"),
        ("photo_gain", float("nan"), "photo_gain is nan"),
        ("d", None, "d is not known"),
    ],
)
def test_what_the_file_cannot_say_is_not_written(name: str, value: float | None, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        save_neuron({**VALUES, name: value}, tmp_path / "n.csv")  # type: ignore[dict-item]
    assert said in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_the_ranges_are_within_those_of_the_firmware() -> None:
    """As its source says them; the units, too: what the file says is never refused by our own boards."""
    source = (Path(__file__).parents[2] / "firmware/lib/command/neuron_parameters.cpp").read_text("utf-8")
    for field in FIELDS:
        (line,) = [line for line in source.splitlines() if f'{{"{field.parameter}", "' in line]
        unit, _, low, high = [part.strip(' "') for part in line.split(",")[1:5]]
        assert unit == field.unit
        factor = float(field.per_file_unit)
        assert float(low) <= field.minimum * factor < field.maximum * factor <= float(high), field.header


@given(st.fixed_dictionaries({f.parameter: st.floats(f.minimum, f.maximum, width=32) for f in FIELDS}))
def test_what_is_written_is_read_again_as_the_same_32_bits(in_file_units: dict[str, float]) -> None:
    values = {f.parameter: float(np.float32(in_file_units[f.parameter] * float(f.per_file_unit))) for f in FIELDS}
    again = parse_neuron(neuron_csv(values), "n")
    assert {name: np.float32(value) for name, value in again.items()} == {
        name: np.float32(value) for name, value in values.items()
    }
