"""docs/reference/scope.md says what the code does: every message, key, number and operation."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikedaq.scope import asking, event_log, page_connection, past, pyramid, viewer
from spikedaq.scope.frames import VERSION, decode_bins
from spikedaq.scope.traces import Traces

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/scope.md").read_text("utf-8")
SCOPE = ROOT / "host/spikedaq/scope"
WEB = SCOPE / "web/src"


def section(number: int) -> str:
    match = re.search(rf"^## {number}\. .*?(?=^## |\Z)", PAGE, re.M | re.S)
    assert match is not None
    return match.group()


def rows(text: str) -> dict[str, list[str]]:
    """Cells behind the first of each row of a table, by the words of the first."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `"):
            for word in re.findall(r"`(\w+)`", cells[0]):
                found[word] = cells[1:]
    return {word: cells for word, cells in found.items() if word not in ("do", "say")}  # the heads of two tables


def test_every_request_of_a_page_is_described_with_its_keys() -> None:
    described = rows(section(2))
    assert set(described) == set(page_connection.PageConnection._DOES)
    source = (SCOPE / "page_connection.py").read_text("utf-8")
    for do, (keys, *_) in described.items():
        body = source.split(f"def _{do}(self")[1].split("\n    def ")[0].split("\n    async def ")[0]
        used = set(re.findall(r'said\["(\w+)"\]', body)) | set(re.findall(r'said\.get\("(\w+)"', body))
        assert used == set(re.findall(r"`(\w+)`", keys)), do


def test_everything_the_server_says_is_described() -> None:
    source = "".join(path.read_text("utf-8") for path in SCOPE.glob("*.py"))
    assert set(re.findall(r'"say": "(\w+)"', source)) == set(rows(section(3)))


def test_the_page_takes_what_is_described() -> None:
    """A message nobody of ours understands would be a mistake on one side or the other."""
    source = (WEB / "net/connection.ts").read_text("utf-8") + (WEB / "state.ts").read_text("utf-8")
    taken = set(re.findall(r'say === "(\w+)"', source))
    assert taken == set(rows(section(3))) - {"alarms"}, "alarms are in the status, too"
    said = set(re.findall(r'do: "(\w+)"', "".join(p.read_text("utf-8") for p in WEB.rglob("*.ts*"))))
    assert said == set(rows(section(2)))


def test_the_header_of_traces() -> None:
    traces = Traces("lab", "alpha")
    traces.take({"boot": 7, "step": 0, "step_us": 100, "t_ns": None}, np.zeros((10, 2), np.int16))
    frame = traces.past(0, 0, None, past=3)
    assert frame is not None
    header, _ = decode_bins(frame)
    assert set(header) == set(rows(section(4)))
    assert header["v"] == VERSION
    interface = (WEB / "net/frame.ts").read_text("utf-8")
    for key in header:
        assert re.search(rf"\b{key}\b", interface), f"the page's Frame knows nothing of {key!r}"


@pytest.mark.parametrize(
    ("number", "where"),
    [
        (viewer.MAX_WATCHES, 2), (pyramid.N_LEVELS - 1, 2), (past.MAX_BINS, 2), (past.MAX_SAMPLES, 2),
        (page_connection.MAX_ASKED, 2), (viewer.MAX_TEXTS, 3), (event_log.MAX_TOLD, 3), (pyramid.CAPACITY, 4),
        (pyramid.EMPTY_LOW, 4), (viewer.HELD_BACK_S, 5), (viewer.MAX_ON_THE_WAY, 5),
    ],
)  # fmt: skip
def test_numbers(number: float, where: int) -> None:
    assert re.search(rf"(?<![\d.]){re.escape(str(number))}(?![\d])", section(where)), number


def test_operations_by_role() -> None:
    text = section(6).split("may ask `")[1]
    everybody, rest = ("`" + text).split("a controller also")
    controller = rest.split("\nAnything else")[0]
    assert set(re.findall(r"`(\w+)`", everybody)) == asking.READING
    assert set(re.findall(r"`(\w+)`", controller)) == asking.CHANGING


def test_events_on_the_axis() -> None:
    assert all(f"`{kind}`" in section(3) for kind in event_log.KINDS)


def test_the_example_decodes_what_the_server_sends() -> None:
    """The lines of the example that take a frame apart, on a real frame."""
    code = section(8).split("```python")[1].split("```")[0]
    lines = code.split('"n": n}))\n')[1].splitlines()
    samples = np.arange(64, dtype=np.int16).reshape(32, 2)
    traces = Traces("lab", "alpha")
    traces.take({"boot": 7, "step": 0, "step_us": 100, "t_ns": 5}, samples)
    for level in (0, 2):
        message = traces.past(level, 0, None)
        names: dict[str, Any] = {"message": message, "json": json, "numpy": np, "struct": __import__("struct")}
        names["print"] = lambda *_: None
        exec("\n".join(line[12:] for line in lines), names)  # the page's own text
        assert names["low"][1].tolist() == samples[:: 1 << level, 1].tolist()
        assert names["high"][1].tolist() == samples[(1 << level) - 1 :: 1 << level, 1].tolist()
