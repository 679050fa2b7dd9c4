"""docs/reference/stimuli-and-neurons.md names every generator, parameter and column, with what the program has."""

from __future__ import annotations

import json
import re
from pathlib import Path

from spikedaq.formats.neuron import FIELDS
from spikedaq.stimulus import GENERATORS, MAX_ROWS, make

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "stimuli-and-neurons.md").read_text("utf-8")


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading."""
    part = PAGE.split(f"\n## {heading}\n", 1)[1]
    lines = part[part.index("\n|") + 1 :].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_generator_is_there_as_it_is() -> None:
    wanted = [
        [f"`{one.name}`" if number == 0 else "", f"`{p.name}`", p.unit, f"{p.minimum:.17g} to {p.maximum:.17g}",
         f"{p.default:g}", p.description]
        for one in GENERATORS for number, p in enumerate(one.parameters)
    ]  # fmt: skip
    assert table("Generators") == wanted
    formulas = PAGE.split("Formulas, with", 1)[1]
    for one in GENERATORS:
        assert f"| `{one.name}` |" in formulas or one.name == "constant", one.name


def test_every_column_of_a_neuron_is_there_as_it_is() -> None:
    words = {"1": "the same", "0.1": "a tenth", "0.25": "a quarter"}
    assert table("Neuron CSV") == [
        [f"`{f.header}`", f"{f.minimum:g} to {f.maximum:g}", f"`{f.parameter}`", f.unit, words[str(f.per_file_unit)]]
        for f in FIELDS
    ]


def test_the_example_of_a_specification_can_be_made() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert make(json.loads(text)).n_rows == 3 * (500 + 20_000 + 1000)
    assert f"{MAX_ROWS:,}" in PAGE
