"""Writing a recording in another form takes the same memory however long it is."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "perf"))

from export import MOST_MB, child
from long_recording import make_long

GROWTH_MB = 8
"""Allocators keep some more when more passes through them; the second minute is 10 MB of int16 and 30 of text."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A minute and two of them."""
    return [make_long(tmp_path_factory.mktemp("long"), 1, seconds)[0].parent for seconds in (60, 120)]


@pytest.mark.parametrize("form", ["csv", "binary"])
def test_two_minutes_take_no_more_than_one(folders, form):
    short, long = (child(form, folder) for folder in folders)
    assert long["rows"] == 2 * short["rows"] == 1_200_000
    more_mb = [one["peak_mb"] - one["before_mb"] for one in (short, long)]
    assert more_mb[1] < MOST_MB
    assert more_mb[1] - more_mb[0] < GROWTH_MB


def test_pynwb_keeps_to_the_limit_too(folders):
    """With what importing it takes."""
    found = child("nwb", folders[0])
    assert found["peak_mb"] - found["before_mb"] < MOST_MB
