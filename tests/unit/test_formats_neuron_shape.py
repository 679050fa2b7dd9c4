"""What a and b were in a part of a recording, and whether they stayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.formats_recordings import Maker, spiking
from spikedaq.formats.neuron_shape import shape_in
from spikedaq.formats.samples import list_parts
from spikedaq.model import ClampMode, StoreError


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Tonic spiking (a 0.02, b 0.2) up to 50 ms, then phasic (a 0.02, b 0.25); the second file in voltage clamp."""
    maker = Maker(tmp_path / "demo").open().samples(0, spiking(500)).changed("preset", 500, 1)
    maker.samples(500, spiking(500, start=500)).close()
    maker.open(mode=ClampMode.VOLTAGE).samples(1000, spiking(300, start=1000)).close()
    return tmp_path / "demo"


def test_parts_are_told_without_reading_them(session: Path) -> None:
    first, second = list_parts(session)
    assert (first.name, first.n_samples, first.mode) == ("demo_alpha", 1000, ClampMode.CURRENT)
    assert (second.name, second.n_samples, second.mode) == ("demo_alpha_part2", 300, ClampMode.VOLTAGE)
    assert (first.start_s, first.stop_s) == (0, pytest.approx(0.0999, abs=1e-5))
    assert second.start_s == pytest.approx(0.1, abs=1e-5)
    assert first.fits_until_s is None
    assert list_parts(session, max_rows=1000)[0].fits_until_s is None
    assert list_parts(session, max_rows=999)[0].fits_until_s == pytest.approx(0.0999, abs=1e-5)


@pytest.mark.parametrize(
    ("start_s", "stop_s", "b", "changed"),
    [(None, None, 0.2, True), (None, 0.04, 0.2, False), (0.06, None, 0.25, False), (0.02, 0.08, 0.2, True)],
)
def test_a_and_b_are_those_of_the_time(
    session: Path, start_s: float | None, stop_s: float | None, b: float, changed: bool
) -> None:
    shape = shape_in(session, "demo_alpha", start_s=start_s, stop_s=stop_s)
    assert shape is not None
    assert (shape.a, shape.b, shape.changed) == (pytest.approx(0.02), pytest.approx(b), changed)


def test_no_part_of_that_name(session: Path) -> None:
    assert shape_in(session, "other") is None
    with pytest.raises(StoreError, match="does not exist"):
        shape_in(session / "nowhere", "demo_alpha")
