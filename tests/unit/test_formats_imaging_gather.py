"""Blocks of a live device put together: nothing twice, nothing over a gap, each stretch at its place."""

from __future__ import annotations

import numpy as np

from spikedaq.bus import DerivedPlace
from spikedaq.formats.imaging_gather import Gathered, later
from spikedaq.model import ChannelInfo

CHANNELS = [ChannelInfo("vm", "mV", 1, -2), ChannelInfo("trigger", "1", 1, 0)]


def place(step: int, boot_id: int = 1, step_us: int = 100) -> DerivedPlace:
    return DerivedPlace(boot_id, step, step_us, 10**6 + step * step_us, 10**12 + step * step_us * 1000, 7)


def samples(first: int, n: int) -> np.ndarray:
    values = np.arange(first, first + n, dtype=np.int16)
    return np.stack([values, values * 0], axis=1)


def add(to: Gathered, step: int, n: int, **options: int) -> None:
    at = place(step, **options)
    to.add(at, CHANNELS, samples(step, n), step * at.step_us / 1e6)


def test_neighbours_become_one_and_gaps_part() -> None:
    gathered = Gathered()
    for step, n in ((100, 50), (150, 10), (200, 5), (205, 5)):
        add(gathered, step, n)
    assert gathered.n_samples == 70
    (one, first), (two, second) = gathered.take()
    assert (one.first_step, len(one), two.first_step, len(two)) == (100, 60, 200, 10)
    np.testing.assert_array_equal(one.vm_mv[:, 0], np.arange(100, 160) / 100)
    np.testing.assert_allclose(one.times_s, np.arange(100, 160) * 1e-4, rtol=1e-12)
    assert first == place(100) and second == place(200)
    assert gathered.take() == [] and gathered.n_samples == 0


def test_what_comes_twice_is_cut() -> None:
    """The history may tell what the bus told; only what is behind the last sample is taken, with its own place."""
    gathered = Gathered()
    add(gathered, 100, 50)
    add(gathered, 120, 30)
    add(gathered, 140, 20)
    ((block, _),) = gathered.take()
    assert block.vm_mv[:, 0].tolist() == [i / 100 for i in range(100, 160)]
    add(gathered, 155, 10)
    ((block, at),) = gathered.take()
    assert block.first_step == 160 and len(block) == 5 and at == place(160)
    np.testing.assert_allclose(block.times_s, np.arange(160, 165) * 1e-4, rtol=1e-12)


def test_boots_and_step_periods_are_kept_apart() -> None:
    gathered = Gathered()
    add(gathered, 100, 10)
    add(gathered, 110, 10, boot_id=2)
    add(gathered, 120, 10, boot_id=2, step_us=200)
    add(gathered, 5, 10, boot_id=3)
    assert [(b.boot_id, b.first_step, len(b)) for b, _ in gathered.take()] == [
        (1, 100, 10), (2, 110, 10), (2, 120, 10), (3, 5, 10),
    ]  # fmt: skip


def test_later_moves_all_that_is_known() -> None:
    assert later(place(100), 7) == place(107)
    assert later(DerivedPlace(1, 5, 100), 2) == DerivedPlace(1, 7, 100)
