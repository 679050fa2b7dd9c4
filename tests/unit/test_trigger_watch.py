"""Conditions by hand-made examples: where each fires, and what it forgets."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from helpers.trigger_streams import BY_MODE, TRIGGER, Stretch, blocks_of, stretch
from spikedaq.model import ChannelInfo, ClampMode, ConfigError, Event, EventKind
from spikedaq.trigger import Condition, Edge, Level, OnEvent, SpikeCount, StimulusStart, Watch

LOW, HIGH = -7000, 3000


def steps(condition: Condition, *stretches: Stretch, holdoff_us: int = 1000, size: int = 100) -> list[int]:
    watch = Watch(condition, BY_MODE, holdoff_us=holdoff_us)
    return [f.step for block in blocks_of(stretches, itertools.repeat(size)) for f in watch.block(block)]


def spike_train(n: int, *at: int) -> np.ndarray:
    values = np.full(n, LOW)
    values[list(at)] = HIGH
    return values


def test_a_level_fires_on_the_sample_that_reaches_it() -> None:
    """At -30.00 mV and above, not at -30.01; and not again before it has been below."""
    values = [-3001, -3000, -2999, 0, 0, -3000, -3001] + [-3001] * 10 + [-3000]
    assert steps(Level("vm", -30), stretch(values)) == [1, 17]


def test_falling_and_either() -> None:
    """Falling to the level or below; either fires both ways."""
    values = [-5000] * 20 + [0] * 20 + [-3000] + [-5000] * 10
    assert steps(Level("vm", -30, Edge.FALLING), stretch(values)) == [40]
    assert steps(Level("vm", -30, Edge.EITHER), stretch(values)) == [20, 40]


def test_hysteresis_wants_the_signal_to_go_away_first() -> None:
    """After a firing, and at the beginning, a sample below level minus hysteresis is needed."""
    values = [-3400] * 20 + [-2900] * 20 + [-3501] + [-2900] * 20 + [-3500] * 20 + [-2900] * 20
    assert steps(Level("vm", -30, hysteresis=5), stretch(values)) == [41]


def test_the_first_sample_never_fires() -> None:
    """What the signal did before the stream is not known."""
    assert steps(Level("vm", -30), stretch([0] * 50)) == []
    assert steps(Level("vm", -30, Edge.FALLING), stretch([LOW] * 50)) == []


def test_hold_off_leaves_out_and_counts() -> None:
    """In microseconds of the device from firing to firing; what is left out does not prolong it."""
    watch = Watch(Level("vm", -30), BY_MODE, holdoff_us=2000)
    blocks = blocks_of([stretch(spike_train(100, 10, 20, 29, 30, 49, 51))], itertools.repeat(100))
    assert [f.step for block in blocks for f in watch.block(block)] == [10, 49]
    assert watch.suppressed == 3  # 20, 29 and 51; 30 follows 29 without going below


@pytest.mark.parametrize(
    "second",
    [
        stretch([HIGH] * 20, first_step=51, first_tick=6100),
        stretch([HIGH] * 20, first_step=50, first_tick=6000, boot_id=8),
        stretch([HIGH] * 20, first_step=50, first_tick=6000, step_us=200),
        stretch([HIGH] * 20, first_step=50, first_tick=6000, clamped=True),
    ],
    ids=["gap", "reboot", "step period", "clamp mode"],
)
def test_nothing_fires_across_the_end_of_a_stretch(second: Stretch) -> None:
    """Below before, above after: nobody saw the step on which it was reached."""
    assert steps(Level("vm", -30), stretch([LOW] * 50), stretch([HIGH] * 20, first_step=50, first_tick=6000)) == [50]
    assert steps(Level("vm", -30), stretch([LOW] * 50), second) == []


def test_spikes_before_a_gap_do_not_count() -> None:
    """Three spikes within the window, one of them before a gap, are two."""
    first = stretch(spike_train(50, 40))
    assert steps(SpikeCount(3, 10_000), first, stretch(spike_train(50, 10, 20), first_step=50, first_tick=6000)) == [70]
    assert steps(SpikeCount(3, 10_000), first, stretch(spike_train(50, 10, 20), first_step=51, first_tick=6100)) == []


def test_a_count_is_of_spikes_younger_than_the_window() -> None:
    """100 steps of 100 us are 10 ms: a spike 100 steps ago does not count, one 99 steps ago does."""
    assert steps(SpikeCount(2, 10_000), stretch(spike_train(300, 10, 110))) == []
    assert steps(SpikeCount(2, 10_000), stretch(spike_train(300, 10, 109))) == [109]


def test_a_count_falls_when_a_spike_leaves_the_window() -> None:
    """Silence is seen on the very step on which the window has emptied."""
    watch = Watch(SpikeCount(1, 10_000, Edge.FALLING, as_rate=True), BY_MODE)
    (firing,) = [
        f for block in blocks_of([stretch(spike_train(300, 10, 60))], itertools.repeat(7)) for f in watch.block(block)
    ]
    assert (firing.step, firing.tick, firing.value) == (160, 17_000, 0.0)


def test_a_rate_says_its_value_per_second() -> None:
    """Five spikes in 50 ms are 100 a second."""
    watch = Watch(SpikeCount(5, 50_000, as_rate=True), BY_MODE)
    (block,) = blocks_of([stretch(spike_train(400, 10, 20, 30, 40, 50, 60))], itertools.repeat(400))
    assert [(f.step, f.value) for f in watch.block(block)] == [(50, 100.0)]


def test_the_stimulus() -> None:
    """Each step on which the trigger channel is set; there is no value."""
    watch = Watch(StimulusStart(), BY_MODE)
    (block,) = blocks_of([stretch(np.arange(100) % 40 == 5, column=TRIGGER)], itertools.repeat(100))
    found = watch.block(block)
    assert [f.step for f in found] == [5, 45, 85] and all(math.isnan(f.value) for f in found)


def test_events() -> None:
    """By kind and index; any kind; hold-off by their ticks, forgotten at a reboot."""
    spikes = [Event(7, k, EventKind.SPIKE, k, 1000 * k, 0, 12.5) for k in (1, 2, 4)]
    parameter = Event(7, 9, EventKind.PARAMETER, 9, 9000, 3, 1.5)
    rebooted = Event(8, 0, EventKind.SPIKE, 0, 4000, 0, 1.0)

    def found(condition: OnEvent, holdoff_us: int = 1000) -> list[int]:
        watch = Watch(condition, {}, holdoff_us=holdoff_us)
        assert watch.on_events
        return [f.step for event in (*spikes, parameter, rebooted) for f in watch.event(event)]

    assert found(OnEvent(EventKind.SPIKE)) == [1, 2, 4, 0]
    assert found(OnEvent(EventKind.SPIKE), 2500) == [1, 4, 0]
    assert found(OnEvent(EventKind.PARAMETER, 3)) == [9]
    assert found(OnEvent(EventKind.PARAMETER, 4)) == []
    assert found(OnEvent()) == [1, 2, 4, 9, 0]


def test_other_streams_are_not_looked_at() -> None:
    """Stream 0 is the one whose channels are described."""
    (block,) = blocks_of([stretch(spike_train(50, 20))], itertools.repeat(50))
    assert not Watch(Level("vm", -30), BY_MODE).block(replace(block, stream=1))
    assert Watch(Level("vm", -30), BY_MODE).block(block)


@pytest.mark.parametrize(
    ("condition", "name"),
    [(Level("vmm", 1), "'vmm'"), (SpikeCount(1, 1000), "'vm'"), (StimulusStart(), "'trigger'")],
)
def test_a_channel_that_is_not_there(condition: Condition, name: str) -> None:
    """The device's channels are named."""
    with pytest.raises(ConfigError, match=rf"there is no channel {name}; there are: light, dark"):
        Watch(
            condition,
            {ClampMode.CURRENT: [ChannelInfo("light", "1", 1, 0)], ClampMode.VOLTAGE: [ChannelInfo("dark", "1", 1, 0)]},
        )


def test_a_channel_without_scale() -> None:
    """All its values are one; a level of it is a mistake."""
    with pytest.raises(ConfigError, match="scale 0"):
        Watch(Level("x", 1), {ClampMode.CURRENT: [ChannelInfo("x", "1", 0, 0)]})
