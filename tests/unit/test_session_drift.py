"""Benches whose clocks drift apart within a lesson: their files are read on one clock all the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spikedaq
from helpers.formats_recordings import Maker, spiking
from spikedaq.clock import ClockDrift
from spikedaq.model import StoreError
from spikedaq.recording import Recording

HOUR_S = 3600.0
START_S = 0.25
SPIKES = 0
TRUE_S = (1.0, 1800.0, 3599.0)
"""When, on the teacher's clock, each bench has a spike, in the middle of 200 samples."""


def lesson(folder: Path, bench: str, drift_s: float, *, note: str | None = None, later_ns: int = 0) -> Maker:
    """One hour at a bench whose clock goes ahead evenly, by so much from the reading at the start to the other."""
    maker = Maker(folder / bench / "lesson", session="lesson", bench=bench, later_ns=later_ns).open()
    after = None
    for true_s in TRUE_S:
        told_s = true_s + drift_s * (true_s - START_S) / (HOUR_S - START_S)
        step = round(told_s * 10_000)
        if after is not None:
            maker.gap(after, step - 100 - after)
        maker.samples(step - 100, spiking(200)).event(SPIKES, step, value=30.0)
        after = step + 100
    told = ClockDrift(START_S - later_ns / 1e9, HOUR_S + drift_s - later_ns / 1e9, round(drift_s * 1e9), 300_000)
    text = f"this computer's clock moved by {drift_s * 1e3:+.3f} ms (±0.300) since the start {told.to_note()}"
    maker.note(HOUR_S + drift_s - 0.5, text if note is None else note)
    return maker.close("session stopped")


def spikes_s(recording: Recording) -> list[float]:
    return [event.time_s for event in recording.events]


@pytest.mark.parametrize("later_ns", [0, 125_000_000])
def test_two_benches_that_part_by_100_ms_are_on_one_clock(tmp_path: Path, later_ns: int) -> None:
    """What happened at once is at one time in both, all through the lesson, also where files count from elsewhere."""
    lesson(tmp_path, "one", 0.0)
    lesson(tmp_path, "two", 0.1, later_ns=later_ns)
    with spikedaq.open_session(tmp_path) as session:
        one, two = session["one/alpha"], session["two/alpha"]
        # A step is 0.1 ms, and the spike was put on the nearest.
        np.testing.assert_allclose(spikes_s(one), TRUE_S, atol=6e-5)
        np.testing.assert_allclose(spikes_s(two), TRUE_S, atol=6e-5)
        for true_s in TRUE_S:
            for traces in session.read(true_s - 0.005, true_s + 0.005).values():
                assert len(traces.times_s) in (99, 100, 101)
                assert true_s - 0.005 <= traces.times_s[0] < true_s - 0.005 + 2e-4
        assert two.span_s == pytest.approx((0.99, 3599.01), abs=2e-4)
        assert two.notes[0].time_s == pytest.approx(HOUR_S - 0.5, abs=1e-4)
        assert [gap.stop_s for gap in two.gaps] == pytest.approx([1799.99, 3598.99], abs=2e-4)
        drifts = session.clock_drifts
        assert drifts["one/alpha"] is None, "as good as none: times stay as stored"
        assert drifts["two/alpha"] is not None and drifts["two/alpha"].drift_ns == 100_000_000


def test_every_sample_is_found_at_its_corrected_time(tmp_path: Path) -> None:
    lesson(tmp_path, "one", 0.0)
    lesson(tmp_path, "two", -0.1)
    segment = spikedaq.open_session(tmp_path)["two/alpha"].segments[1]
    times_s = segment.times_s(0, segment.n_frames)
    assert [segment.frame_at(float(t)) for t in times_s] == list(range(200))
    assert [segment.frame_at(float(np.nextafter(t, np.inf))) for t in times_s] == list(range(1, 201))
    assert segment.read(0, 200).shape == (200, 8)


def test_a_bench_alone_keeps_its_times(tmp_path: Path) -> None:
    """There is nothing to be on one clock with: a recording's times are as stored."""
    two = lesson(tmp_path, "two", 0.1)
    alone = spikedaq.open(two.paths[0])
    assert alone.clock_drift is None
    assert spikes_s(alone)[-1] == pytest.approx(3599.1, abs=1e-3)
    assert spikedaq.open_session(tmp_path / "two").clock_drifts == {"alpha": None}


def test_a_description_opens_it_with_the_same_times(tmp_path: Path) -> None:
    """Also alone, after it was cut by corrected times."""
    lesson(tmp_path, "one", 0.0)
    lesson(tmp_path, "two", 0.1)
    two = spikedaq.open_session(tmp_path)["two/alpha"].time_slice(1799.995, 1800.005)
    again = Recording.load(two.to_dict())
    assert again.num_frames == two.num_frames > 90
    np.testing.assert_array_equal(again.read().times_s, two.read().times_s)
    assert again.to_dict() == two.to_dict()
    described = two.to_dict()
    described["opened"]["drift"]["drift_ns"] = 10**15
    with pytest.raises(StoreError, match="no clock drifts like"):
        Recording.load(described)


@pytest.mark.parametrize(
    "note",
    [
        "this computer's clock moved by +100.000 ms (±0.300) since the start",
        "moved [clock start_s=0.0 stop_s=3600.0 drift_ns=9000000000000 uncertainty_ns=300000]",
        "moved [clock start_s=5.0 stop_s=5.0 drift_ns=0 uncertainty_ns=0]",
        "moved [clock start_s=nan stop_s=3600.0 drift_ns=1 uncertainty_ns=1]",
    ],
)
def test_notes_without_figures_or_with_impossible_ones_change_nothing(tmp_path: Path, note: str) -> None:
    """Files of before, and clocks that were set anew."""
    lesson(tmp_path, "one", 0.0)
    lesson(tmp_path, "two", 0.1, note=note)
    session = spikedaq.open_session(tmp_path)
    assert session.clock_drifts == {"one/alpha": None, "two/alpha": None}
    assert spikes_s(session["two/alpha"])[-1] == pytest.approx(3599.1, abs=1e-3)


def test_what_is_written_is_read() -> None:
    drift = ClockDrift(0.012345678, 3600.5, -100_000_001, 320_000)
    assert ClockDrift.from_note(f"a text {drift.to_note()} and more") == drift
    assert drift.corrected(3600.5) == pytest.approx(3600.600000001, abs=1e-12)
    assert drift.uncorrected(drift.corrected(1234.5)) == pytest.approx(1234.5, abs=1e-9)
