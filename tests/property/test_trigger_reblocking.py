"""Triggers fire at the same steps however the stream is cut, and at those that the definition says."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.trigger_streams import (
    BY_MODE,
    CHANNELS,
    STIMULUS,
    TRIGGER,
    VM,
    Stretch,
    blocks_of,
    count_by_definition,
    held_off,
    level_by_definition,
    same,
)
from spikedaq.model import ChannelInfo, ClampMode
from spikedaq.trigger import Condition, Edge, Firing, Level, SpikeCount, StimulusStart, Watch

edges = st.sampled_from(Edge)
holdoffs = st.sampled_from([1000, 1100, 2500, 40_000])
sizes = st.lists(st.integers(1, 40), min_size=1, max_size=8)


@st.composite
def streams(draw: st.DrawFn) -> list[Stretch]:
    """Up to six stretches of values close to the thresholds, each parted from the one before in one way."""
    found: list[Stretch] = []
    boot_id, step, tick, step_us, clamped = 1, draw(st.integers(0, 50)), draw(st.integers(0, 10**9)), 100, False
    for number in range(draw(st.integers(1, 6))):
        if number:
            parting = draw(st.sampled_from(["gap", "reboot", "step_us", "mode"]))
            if parting == "gap":
                lost = draw(st.integers(1, 200))
                step, tick = step + lost, tick + lost * step_us
            elif parting == "reboot":
                boot_id, tick = boot_id + 1, draw(st.integers(0, 10**9))
                # A boot may go on at the very step and tick of the last one: it is another all the same.
                step = draw(st.sampled_from([0, step]))
            elif parting == "step_us":
                step_us = {100: 2000, 2000: 333, 333: 100}[step_us]
            else:
                clamped = not clamped
        n = draw(st.integers(1, 120))
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        samples = np.empty((n, 3), np.int16)
        samples[:, VM] = rng.choice(
            [-7000, -3050, -3001, -3000, -2999, -2950, 3000], n, p=[0.5, *[0.1] * 4, 0.05, 0.05]
        )
        samples[:, STIMULUS] = rng.integers(-3, 4, n)
        samples[:, TRIGGER] = rng.random(n) < 0.1
        found.append(Stretch(boot_id, step, tick, step_us, clamped, samples))
        step, tick = step + n, tick + n * step_us
    return found


def fired(condition: Condition, stream: list[Stretch], cut: list[int], holdoff_us: int) -> list[Firing]:
    watch = Watch(condition, BY_MODE, holdoff_us=holdoff_us)
    return [firing for block in blocks_of(stream, itertools.cycle(cut)) for firing in watch.block(block)]


def expected(
    stream: list[Stretch], holdoff_us: int, find: Callable[[Stretch, bool], list[tuple[int, float]]], edge: Edge
) -> list[Firing]:
    ways = {Edge.RISING: [True], Edge.FALLING: [False], Edge.EITHER: [True, False]}[edge]
    return held_off(
        ((s, k, value) for s in stream for k, value in sorted(f for up in ways for f in find(s, up))), holdoff_us
    )


@settings(max_examples=300, deadline=None)
@given(streams(), sizes, edges, st.sampled_from([0.0, 0.01, 0.5, 10.0]), holdoffs)
def test_a_level(stream: list[Stretch], cut: list[int], edge: Edge, hysteresis: float, holdoff_us: int) -> None:
    """Level, edge, hysteresis and hold-off, over gaps, reboots, step periods and modes."""
    found = fired(Level("vm", -30, edge, hysteresis), stream, cut, holdoff_us)
    assert same(
        found,
        expected(
            stream, holdoff_us, lambda s, up: level_by_definition(s, VM, CHANNELS[0], -30, hysteresis, rising=up), edge
        ),
    )


@settings(max_examples=100, deadline=None)
@given(streams(), sizes, edges)
def test_a_channel_of_one_mode(stream: list[Stretch], cut: list[int], edge: Edge) -> None:
    """In a clamp mode that has no such channel nothing fires, and what stands in its place is not looked at."""
    found = fired(Level("stimulus", 1, edge), stream, cut, 1000)
    assert same(
        found,
        expected(
            stream,
            1000,
            lambda s, up: [] if s.clamped else level_by_definition(s, STIMULUS, CHANNELS[1], 1, 0, rising=up),
            edge,
        ),
    )


@settings(max_examples=300, deadline=None)
@given(streams(), sizes, edges, st.integers(1, 6), st.sampled_from([100, 1000, 1050, 4000, 20_000]), holdoffs)
def test_a_spike_count(
    stream: list[Stretch], cut: list[int], edge: Edge, count: int, window_us: int, holdoff_us: int
) -> None:
    """Spikes in a window: both ways, windows that are no whole number of steps, none in voltage clamp."""
    found = fired(SpikeCount(count, window_us, edge), stream, cut, holdoff_us)
    assert same(
        found,
        expected(
            stream,
            holdoff_us,
            lambda s, up: [] if s.clamped else count_by_definition(s, count, window_us, rising=up),
            edge,
        ),
    )


@settings(max_examples=100, deadline=None)
@given(streams(), sizes, holdoffs)
def test_a_stimulus(stream: list[Stretch], cut: list[int], holdoff_us: int) -> None:
    """Every step on which the trigger channel is set, in either mode."""
    found = fired(StimulusStart(), stream, cut, holdoff_us)
    starts = ((s, int(k), float("nan")) for s in stream for k in np.flatnonzero(s.samples[:, TRIGGER]))
    assert same(found, held_off(starts, holdoff_us))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(-32768, 32767),
    st.sampled_from([1, -1, 3, -7, 25]),
    st.integers(-3, 2),
    st.integers(-1000, 1000),
    st.sampled_from(["0", "0.001", "0.5"]),
    st.booleans(),
    st.lists(st.integers(-3, 3), min_size=1, max_size=60),
)
def test_any_scale(
    at: int, mantissa: int, exponent: int, offset: int, hysteresis: str, rising: bool, near: list[int]
) -> None:
    """Scales of either sign and any offset: levels on a raw value and beside one are exact."""
    channel = ChannelInfo("x", "V", mantissa, exponent, offset)
    level = float(f"{at * mantissa + offset}e{exponent}")
    values = np.clip(np.array(near) + at, -32768, 32767)
    samples = np.zeros((len(values), 3), np.int16)
    samples[:, 0] = values
    s = Stretch(1, 0, 0, 1000, False, samples)
    watch = Watch(
        Level("x", level, Edge.RISING if rising else Edge.FALLING, float(hysteresis)), {ClampMode.CURRENT: [channel]}
    )
    found = [f for block in blocks_of([s], itertools.cycle([7])) for f in watch.block(block)]
    definition = level_by_definition(s, 0, channel, level, float(hysteresis), rising=rising)
    assert [f.step for f in found] == [k for k, _ in definition]
