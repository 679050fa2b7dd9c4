"""Traces in a terminal: no spike is hidden, a gap is a gap, and the lines fit."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, Group
from rich.text import Text

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from spikedaq.bus import decode, encode, topic_for
from spikedaq.cli.sparkline import Trace, ascii_lines, braille_lines
from spikedaq.cli.traces import ASK_AGAIN_S, COLUMN_US, QUIET_S, TraceFeed, Traces
from spikedaq.model import ChannelInfo, ClampMode, CommandTimeout

# ---- drawing ----


@pytest.mark.parametrize(
    ("ranges", "lines"),
    [
        ([(0.0, 0.0), None], ["⡀"]),  # the lowest dot on the left
        ([None, (7.9, 7.9)], ["⠈"]),  # the highest on the right
        ([(0.0, 8.0), (0.0, 8.0)], ["⣿"]),
        ([(0.0, 8.0), None, (4.5, 4.5)], ["⡇⠂"]),
        ([(-99.0, 99.0), (99.0, 99.0)], ["⡏"]),  # beyond the scale: drawn at its edges
        ([None, None], [" "]),
        ([], [""]),
    ],
)
def test_braille_by_hand(ranges: list[tuple[float, float] | None], lines: list[str]) -> None:
    """Four levels of two units each, two columns a character; the dots as Unicode numbers them."""
    assert braille_lines(ranges, 0.0, 8.0, n_lines=1) == lines


def test_two_lines_are_one_scale() -> None:
    """A spike goes through both, rest lies in the lower one."""
    assert braille_lines([(-70.0, -70.0), (-75.0, 30.0), (-60.0, -60.0), None], -90.0, 40.0) == ["⢸ ", "⢼⠄"]
    assert ascii_lines([(-70.0, -70.0), (-75.0, 30.0), (-60.0, -60.0), None], -90.0, 40.0) == ["| ", "|-"]
    assert ascii_lines([(-70.0, -70.0), None, (35.0, 35.0), None], -90.0, 40.0) == [' "', "- "]


VALUES = st.lists(st.one_of(st.none(), st.tuples(st.floats(-200, 200), st.floats(-200, 200))), max_size=60)


@given(ranges=VALUES)
def test_every_column_is_drawn_and_no_other(ranges: list[tuple[float, float] | None]) -> None:
    """Whatever the values: lines of one length, and dots in exactly the columns that have values."""
    spans = [None if r is None else (min(r), max(r)) for r in ranges]
    lines = braille_lines(spans, -90.0, 40.0)
    assert {len(line) for line in lines} == {(len(spans) + 1) // 2}
    for at, span in enumerate(spans):
        bits = [0 if line[at // 2] == " " else ord(line[at // 2]) - 0x2800 for line in lines]
        mask = 0b01000111 if at % 2 == 0 else 0b10111000
        assert (span is not None) == any(b & mask for b in bits)
    assert all(line.isascii() and len(line) == len(lines[0]) for line in ascii_lines(spans, -90.0, 40.0))


# ---- columns ----


def naive(samples: list[tuple[int, float]], n: int, column_us: int) -> list[tuple[float, float] | None]:
    """Lowest and highest value by column, the last n columns up to the newest."""
    found: dict[int, list[float]] = {}
    for step, value in samples:
        found.setdefault(step * 100 // column_us, []).append(value)
    newest = max(found)
    return [(min(found[c]), max(found[c])) if c in found else None for c in range(newest - n + 1, newest + 1)]


@given(
    pieces=st.lists(
        st.tuples(st.integers(0, 40), st.lists(st.integers(-9000, 4000), min_size=1, max_size=30)),
        min_size=1, max_size=20,
    ),
    n_columns=st.integers(1, 12),
)  # fmt: skip
def test_columns_are_those_of_all_samples_however_they_are_cut(
    pieces: list[tuple[int, list[int]]], n_columns: int
) -> None:
    """Gaps between blocks leave columns empty; every sample counts in the column of its step."""
    trace = Trace(n_columns, 1000)
    samples: list[tuple[int, float]] = []
    step = 0
    for gap, values in pieces:
        step += gap
        trace.add(1, step, 100, np.asarray(values, dtype=np.float64))
        samples += [(step + i, float(v)) for i, v in enumerate(values)]
        step += len(values)
    assert trace.ranges() == naive(samples, n_columns, 1000)


def test_a_spike_of_one_sample_is_seen_and_counted() -> None:
    """Of 10,000 samples in one column a single one is over the threshold: it is the column's highest."""
    trace = Trace(4, 1_000_000)
    values = np.full(10_000, -70.0)
    values[5_000] = 30.0
    trace.add(1, 0, 100, values)
    assert trace.ranges()[-1] == (-70.0, 30.0) and trace.spike_rate_hz() == 1.0


def test_spikes_are_counted_over_more_than_is_drawn() -> None:
    """One in the first of ten columns counts though three are drawn; what is older than ten is forgotten."""
    trace = Trace(3, 1000, n_counted=10)
    for step in range(0, 100, 10):
        trace.add(1, step, 100, np.array([-70.0] * 9 + [10.0 if step == 0 else -70.0]))
    assert trace.spike_rate_hz() == 100.0 and trace.extremes() == (-70.0, -70.0)
    trace.add(1, 100, 100, np.array([-70.0] * 10))
    assert trace.spike_rate_hz() == 0.0 and trace.ranges() == [(-70.0, -70.0)] * 3


def test_a_spike_between_two_blocks_is_one() -> None:
    """The rise lies between the last sample of one and the first of the next."""
    trace = Trace(100, 1000)
    for first in range(0, 1000, 100):
        trace.add(1, first, 100, np.concatenate((np.full(50, 10.0), np.full(50, -70.0))))
    assert trace.spike_rate_hz() == 90.0  # nine rises in a tenth of a second; the first block begins above


def test_another_boot_or_period_begins_anew_and_old_blocks_are_left_out() -> None:
    """Columns are of one time base; what comes late is not drawn over what is newer."""
    trace = Trace(5, 1000)
    trace.add(1, 100, 100, np.array([1.0]))
    trace.add(1, 50, 100, np.array([9.0]))
    assert trace.ranges() == [None] * 4 + [(1.0, 1.0)]
    trace.add(2, 0, 100, np.array([2.0]))
    assert trace.ranges() == [None] * 4 + [(2.0, 2.0)]
    trace.add(2, 1, 2000, np.array([3.0]))
    assert trace.ranges() == [None] * 4 + [(3.0, 3.0)]
    trace.add(2, 2**40, 2000, np.array([4.0]))
    assert trace.ranges() == [None] * 4 + [(4.0, 4.0)]
    trace.add(2, 0, 0, np.array([5.0]))
    trace.add(2, 0, 2000, np.array([]))
    assert trace.ranges() == [None] * 4 + [(4.0, 4.0)]


def test_nothing_yet_is_nothing() -> None:
    trace = Trace(3, 1000)
    assert trace.ranges() == [None] * 3 and trace.extremes() is None and trace.spike_rate_hz() is None


# ---- blocks of a bench ----


class Source:
    """Channels of a device in the order of a test; fails as often as it is told to."""

    def __init__(self, fails: int = 0) -> None:
        self.fails, self.asked = fails, 0

    def channels(self, device: str, mode: ClampMode) -> list[ChannelInfo]:
        self.asked += 1
        if self.asked <= self.fails:
            raise CommandTimeout("not now")
        stimulus, vm = ChannelInfo("stimulus", "%", 1, 0), ChannelInfo("vm", "mV", 1, -2)
        return [stimulus, vm] if mode is ClampMode.VOLTAGE else [vm, stimulus]


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def block(device: str, step: int, vm: list[int], **header: Any) -> Any:
    samples = np.array([vm, [12345] * len(vm)], dtype="<i2")
    fields = {"v": 1, "n": 0, "epoch": "e", "boot": 1, "step": step, "step_us": 100, "count": len(vm), "channels": 2,
              **header}  # fmt: skip
    return decode(encode(topic_for("bench", device, "samples"), fields, samples.tobytes()))


def layout() -> str:
    from spikedaq.bus.samples import LAYOUT  # noqa: PLC0415

    return LAYOUT


def plain(lines: list[Text], width: int) -> list[str]:
    out = Console(file=io.StringIO(), width=width, force_terminal=True, no_color=True, color_system=None)
    out.print(Group(*lines))
    return out.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


def test_lines_fit_eighty_columns_and_say_everything_in_words() -> None:
    """Name, trace, spikes per second and range, for each device two lines; without colour, too."""
    traces = Traces(Source())
    spike = [-7000] * 99 + [3000]
    traces.render([], width=80, n_lines=20, is_unicode=True)
    for step in range(0, 60_000, 100):
        for device in ("alpha", "a-device-with-a-long-name"):
            traces.take(block(device, step, spike, layout=layout()))
    names = ["a-device-with-a-long-name", "alpha"]
    lines = plain(traces.render(names, width=80, n_lines=20, is_unicode=True), 80)
    assert len(lines) == 5 and all(len(line) <= 80 for line in lines)
    assert lines[0] == "vm, last 1.1 s of device time, -90 to 40 mV"
    assert lines[1].startswith("a-device-…") and lines[3].startswith("alpha  ")
    assert lines[3].endswith(" 100.0 spikes/s") and lines[4].endswith(" -70 to 30 mV")
    assert set(lines[3][11:65]) == {"⣿"} and set(lines[4][11:65]) == {"⠿"}
    ascii_ones = plain(traces.render(names, width=80, n_lines=20, is_unicode=False), 80)
    assert all(line.isascii() for line in ascii_ones) and set(ascii_ones[3][11:65]) == {"|"}


@pytest.mark.parametrize(("n_lines", "expected"), [(0, 0), (2, 0), (3, 0), (7, 6), (12, 12), (40, 21)])
def test_a_low_window_shows_what_fits_and_says_what_does_not(n_lines: int, expected: int) -> None:
    """Never more lines than there is room for."""
    traces = Traces(Source())
    names = [f"d{i}" for i in range(10)]
    for name in names:
        traces.take(block(name, 0, [-7000] * 10, layout=layout()))
    lines = plain(traces.render(names, width=80, n_lines=n_lines, is_unicode=True), 80)
    assert len(lines) == expected <= max(n_lines, 0)
    if 4 <= len(lines) < 21:
        assert "more devices" in lines[-1]


def test_in_voltage_clamp_the_potential_is_found_where_it_is() -> None:
    """Channels are asked for once for each mode; a daemon that does not answer is asked again, in a while."""
    source, clock = Source(fails=2), Clock()
    traces = Traces(source, clock)
    for step in range(3):
        for _ in range(100):
            traces.take(block("alpha", step, [-7000], layout=layout()))
        assert source.asked == step + 1
        clock.now_s += ASK_AGAIN_S
    traces.take(block("alpha", 3, [-6000], layout=layout(), mode="voltage"))
    assert source.asked == 4
    assert "-70 to 123 mV" in plain(traces.render(["alpha"], width=80, n_lines=9, is_unicode=True), 80)[2]


def test_another_board_under_the_name_is_asked_for_its_channels() -> None:
    """Its scale may be another: 0.1 mV instead of 0.01 would be shown as a tenth."""
    source = Source()
    traces = Traces(source)
    traces.take(block("alpha", 0, [-7000], layout=layout()))
    source.channels = lambda *_: [ChannelInfo("vm", "mV", 1, -1), ChannelInfo("stimulus", "%", 1, 0)]  # type: ignore[method-assign]
    traces.take(block("alpha", 1, [-7000], layout=layout()))
    traces.take(block("alpha", 0, [-650], layout=layout(), boot=2))
    assert "-65 to -65 mV" in plain(traces.render(["alpha"], width=80, n_lines=9, is_unicode=True), 80)[2]


def test_a_device_that_is_gone_is_forgotten() -> None:
    """Another under its name begins with a trace of its own."""
    bench: Any = SimpleNamespace(
        publish_url="tcp://127.0.0.1:1", client=SimpleNamespace(key=None), channels=Source().channels,
        topic=lambda device, stream: topic_for("bench", device, stream),
    )  # fmt: skip
    feed = TraceFeed(bench)
    try:
        feed.follow({"alpha", "beta"})
        for name in ("alpha", "beta"):
            feed.traces.take(block(name, 0, [-7000], layout=layout()))
        feed.follow({"beta"})
        text = plain(feed.traces.render(["alpha", "beta"], width=80, n_lines=9, is_unicode=True), 80)
        assert [line.split()[0] for line in text[1::2]] == ["beta"]
    finally:
        feed.close()


def test_a_trace_that_stands_still_says_so() -> None:
    """An old picture is not taken for the present."""
    clock = Clock()
    traces = Traces(Source(), clock)
    traces.take(block("alpha", 0, [-7000] * 10, layout=layout()))
    clock.now_s = QUIET_S + 2.6
    lines = plain(traces.render(["alpha"], width=80, n_lines=9, is_unicode=True), 80)
    assert "stands still" in lines[1] and "for 4 s" in lines[2]
    traces.forget("alpha")
    assert traces.render(["alpha"], width=80, n_lines=9, is_unicode=True) == []


@pytest.mark.parametrize(
    "changes",
    [{"layout": "other"}, {"step": None}, {"step": "x"}, {"count": 7}, {"mode": "none"}, {"step_us": -5}, {"boot": []}],
)
def test_what_is_no_block_of_ours_is_left_out(changes: dict[str, Any]) -> None:
    """Junk on the bus ends nothing."""
    traces = Traces(Source())
    traces.take(block("alpha", **{"step": 0, "vm": [-7000], "layout": layout(), **changes}))
    lines = plain(traces.render(["alpha"], width=80, n_lines=9, is_unicode=True), 80)
    assert not any("mV" in line and "-70" in line for line in lines)


def test_a_narrow_window_keeps_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a resized one goes on with what it has."""
    traces = Traces(Source())
    for step in range(0, 60_000, 500):
        traces.take(block("alpha", step, [-7000] * 500, layout=layout()))
    for width in (200, 40, 80):
        assert traces.render(["alpha"], width=width, n_lines=9, is_unicode=True)
    assert COLUMN_US == 10_000
