"""How long a disk lasts, and from what its rates are taken."""

from __future__ import annotations

import pytest

from spikedaq.daemon.disk import Growth, time_left_s
from spikedaq.model import duration_text


@pytest.mark.parametrize(
    ("room", "files", "journals", "expected"),
    [
        (1000, 10, [], 100),
        (0, 10, [], 0),
        (-5, 0, [], 0),
        (1000, 0, [], None),
        (1000, 0, [(10, 500)], None),  # the ring is full before the disk is
        (1000, 0, [(10, 5000)], 100),
        (1000, 10, [(10, 200)], 80),  # 20 s at 20, then 600 left at 10
        (1000, 10, [(10, 200), (20, 2000)], 20 + 20 / 3),  # 20 s at 40, then 200 left at 30
        (1000, 5, [(10, -3)], 200),  # kept for a recording, far beyond its ring: it grows as its files do
        (1000, 0, [(0, 100)], None),
    ],
)
def test_time_left(room: float, files: float, journals: list[tuple[float, float]], expected: float | None) -> None:
    """Recordings grow for good, journals until their rings are full."""
    assert time_left_s(room, files, journals) == (None if expected is None else pytest.approx(expected))


def test_growth_is_that_of_the_last_minute() -> None:
    """No rate before twenty seconds, none of what has just appeared, and an old burst is forgotten."""
    growth = Growth()
    assert growth.update(0.0, {"a": 0}) is None
    assert growth.update(19.0, {"a": 1900}) is None
    assert growth.update(20.0, {"a": 2000, "b": 7_000}) == {"a": 100, "b": 0}
    for t_s in range(21, 200):
        rates = growth.update(float(t_s), {"a": 2000 + (t_s - 20) * 10})
    assert rates == {"a": pytest.approx(10)}


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "3 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (86400 * 3, "3 days")]
)
def test_duration_text(seconds: float, text: str) -> None:
    """Two of a unit at least, so that the number says something."""
    assert duration_text(seconds) == text
