"""Widening of ticks."""

import numpy as np
import pytest

from spikedaq.clock import unwrap_tick, unwrap_ticks
from spikedaq.model import RemoteProtocolError


@pytest.mark.parametrize("near", [0, 5, 2**31, 2**32 - 1, 2**32, 3 * 2**32 + 7, 2**45 + 12345])
@pytest.mark.parametrize("distance", [0, 1, -1, 10**6, -(10**6), 2**31 - 1, -(2**31) + 1])
def test_nearest(near, distance):
    """The wide tick is the one within 35 min 47 s of what is known, before or after it."""
    tick = near + distance
    if tick >= 0:
        assert unwrap_tick(tick % 2**32, near) == tick


def test_never_negative():
    """A tick just before the wrap of a device that has just started is late, not before zero."""
    assert unwrap_tick(2**32 - 1, 0) == 2**32 - 1


def test_array_through_several_wraps():
    """A week of blocks, a block every 20 min, comes back as it was."""
    wide = np.arange(0, 7 * 24 * 3600 * 10**6, 20 * 60 * 10**6, dtype=np.int64) + 10**9
    found = unwrap_ticks((wide % 2**32).astype(np.uint32), 10**9 - 5)
    np.testing.assert_array_equal(found, wide)
    assert found.dtype == np.int64


def test_array_agrees_with_scalar():
    """Both ways of widening say the same."""
    rng = np.random.default_rng(1)
    wide = 2**33 + np.cumsum(rng.integers(0, 2**31 - 1, 200))
    near, one_by_one = 2**33, []
    for tick in (wide % 2**32).tolist():
        near = unwrap_tick(tick, near)
        one_by_one.append(near)
    np.testing.assert_array_equal(unwrap_ticks((wide % 2**32).astype(np.uint32), 2**33), one_by_one)


def test_empty():
    """No ticks give no ticks."""
    assert unwrap_ticks(np.empty(0, np.uint32), 5).shape == (0,)


@pytest.mark.parametrize("step", [2**31, 2**32 - 1])
def test_step_no_device_makes(step):
    """Half the range or more, which is a step back, is refused, naming the block."""
    ticks = np.array([10, 20, (20 + step) % 2**32], np.uint32)
    with pytest.raises(RemoteProtocolError, match="block 2 of 3"):
        unwrap_ticks(ticks, 0)
