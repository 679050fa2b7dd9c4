"""The process that reads for the analysis page: what it cannot do is said as it is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from spikedaq.model import StoreError
from spikedaq.scope import analysis_child
from spikedaq.scope.analysis_child import read_in_child

CSV = "Time (ms),Spikeling Vm (mV)\n0.0,-70.0\n0.1,-69.0\n"


@pytest.fixture
def request_of(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "a.csv"
    path.write_text(CSV)
    return {"do": "load", "path": str(path), "out": str(tmp_path / "out")}


def test_a_disk_that_refuses_is_not_called_a_damaged_file(tmp_path: Path, request_of: dict[str, Any]) -> None:
    """The file is well; where its arrays should go is a file, as good as a disk that is full."""
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(StoreError, match="the page server cannot keep what was read: File exists"):
        asyncio.run(read_in_child(request_of, name="a.csv"))


def test_more_than_a_line_holds_is_an_error_and_not_the_end(
    request_of: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with parts without number makes a list that is too long: whoever waits for it is told, and it ends.

    A calendar is a program that says more than it is asked for.
    """
    monkeypatch.setattr(analysis_child, "_MODULE", "calendar")
    monkeypatch.setattr(analysis_child, "MAX_LINE_BYTES", 4)

    async def read() -> None:
        async with asyncio.timeout(30):
            await read_in_child(request_of, name="a.csv")

    with pytest.raises(StoreError, match="more parts than can be listed"):
        asyncio.run(read())
