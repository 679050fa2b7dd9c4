"""docs/reference/control.md names every operation with its arguments, and every code; nothing that is not there."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from unittest.mock import MagicMock

from spikedaq.daemon.commands import Commands, Operation
from spikedaq.daemon.commands.ports import PortCommands
from spikedaq.history.requests import Requests
from spikedaq.library import LIBRARY_OPERATIONS, Library
from spikedaq.outlet.answered import MAX_BYTES, MAX_ENTRIES, PER_CLIENT, WINDOW_S
from spikedaq.outlet.subscriptions import MAX_PER_CONNECTION

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "control.md").read_text("utf-8")
# What commands and clients make up on their own side is not the daemon's.
SOURCES = "\n".join(
    path.read_text("utf-8")
    for path in (ROOT / "host" / "spikedaq").rglob("*.py")
    if not {"cli", "experiment", "inlet", "lesson", "scope"} & set(path.relative_to(ROOT).parts)
)


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading."""
    part = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = re.split(r"\n(?!\|)", part[part.index("\n|") + 1 :], maxsplit=1)[0]
    lines = table.splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if not line.startswith("|--")][1:]


def operations() -> dict[str, Operation]:
    wanted = inspect.signature(Commands).parameters
    ports = PortCommands(*[MagicMock() for _ in inspect.signature(PortCommands).parameters])
    return dict(Commands(**{name: ports if name == "ports" else MagicMock() for name in wanted}).operations)


def test_every_operation_is_there_with_its_arguments_and_no_other() -> None:
    documented = {re.findall(r"`(\w+)`", cells[0])[0]: cells for cells in rows("4. Operations")}
    known = operations()
    missing = set(known) - set(documented)
    assert not missing, f"write a row in docs/reference/control.md, section 4, for {sorted(missing)}"
    assert not set(documented) - set(known), "rows of operations that are no more"
    for op, operation in known.items():
        named = set(re.findall(r"`(\w+)`", documented[op][1].replace("*", "")))
        for argument in (*operation.needs, *operation.takes):
            assert argument in named, f"the row of {op} does not name its argument {argument!r}"
        assert (documented[op][2] == "yes") == operation.changes, f"whether {op} changes something"
        required = set(re.findall(r"\*\*`(\w+)`\*\*", documented[op][1]))
        assert required == set(operation.needs), f"the arguments of {op} that must be given are **bold**"


def test_every_code_is_there_and_no_other() -> None:
    documented = {code for cells in rows("3. Error codes") for code in re.findall(r"`([a-z_]+)`", cells[0])}
    raised = set(re.findall(r'code="([a-z_]+)"', SOURCES)) - {"error"}  # the base class's
    raised |= set(re.findall(r'encode_error\([^"]*"([a-z_]+)"', SOURCES))
    assert raised - documented == set(), "write them into docs/reference/control.md, section 3"
    assert {code for code in documented if f'"{code}"' not in SOURCES and f"{code.upper()} =" not in SOURCES} == set()


def test_the_bounds_are_the_ones_that_hold() -> None:
    for bound in (f"{WINDOW_S:.0f} s", f"{PER_CLIENT} requests", f"{MAX_ENTRIES}", f"{MAX_BYTES >> 20} MiB",
                  f"{MAX_PER_CONNECTION}"):  # fmt: skip
        assert bound in PAGE, bound


def test_the_history_says_which_of_its_operations_change_something() -> None:
    """Nothing of the past can be changed; of the library, the page tells what is for controllers."""
    assert "What is here changes nothing" in str(Requests.__doc__)
    page = (ROOT / "docs" / "reference" / "library.md").read_text("utf-8")
    told = {}
    for line in page.splitlines():
        if match := re.match(r"\| `(\w+)` \| .* \| (yes|no) \|", line):
            told[match[1]] = match[2] == "yes"
    assert told == LIBRARY_OPERATIONS


def test_every_argument_of_the_library_is_there() -> None:
    """Its page names them all, those that must be given in bold."""
    page = (ROOT / "docs" / "reference" / "library.md").read_text("utf-8")
    for op in LIBRARY_OPERATIONS:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{op}` |")).split(" | ")[1]
        parameters = inspect.signature(getattr(Library, f"_{op}")).parameters.values()
        takes = [p for p in parameters if p.name != "self"]
        assert set(re.findall(r"`(\w+)`", row)) >= {p.name for p in takes}, op
        bold = set(re.findall(r"\*\*`(\w+)`\*\*", row))
        assert bold == {p.name for p in takes if p.default is p.empty}, op
