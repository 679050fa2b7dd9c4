"""spikedaq.open: rolled files as one recording, benches on one clock, and what it refuses."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import spikedaq
from helpers.formats_recordings import Maker, device_info, spiking
from spikedaq.model import ClampMode, ConfigError, GapCause, RecordingWarning, StoreError
from spikedaq.recording.sources.rolled import MAX_OPEN

SPIKES, TRIGGERS = 0, 1


def rolled(folder: Path, n_files: int = 3, n: int = 1250, **of: object) -> Maker:
    """Files of 1/8 s each, that follow one another."""
    maker = Maker(folder, **of)
    for k in range(n_files):
        maker.open().samples(k * n, spiking(n, start=k * n)).event(SPIKES, k * n + 50, value=30.0).close()
    return maker


def test_rolled_files_are_one_recording(tmp_path: Path) -> None:
    rolled(tmp_path / "demo")
    with spikedaq.open_session(tmp_path / "demo") as session:
        assert session.name == "demo"
        assert list(session) == ["alpha"]
        alpha = session["alpha"]
        assert alpha.n_samples == 3750
        assert alpha.span_s == pytest.approx((0.0, 0.3749))
        traces = alpha.read()
        assert traces.steps.tolist() == list(range(3750))
        np.testing.assert_allclose(traces.times_s, np.arange(3750) / 10_000, atol=2**-20)
        assert (traces.channels[0], traces.units[0]) == ("vm", "mV")
        np.testing.assert_allclose(traces["vm"], spiking(3750)[:, 0] / 100)
        assert [round(event.time_s, 4) for event in alpha.events] == [0.005, 0.13, 0.255]
        with pytest.raises(KeyError, match="no device 'beta'; it has alpha"):
            session["beta"]


@pytest.mark.parametrize(
    ("start_s", "stop_s", "first", "after"),
    [
        (0.0625, 0.3125, 625, 3125),
        (0.125, 0.25, 1250, 2500),
        (None, 0.125, 0, 1250),
        (0.25, None, 2500, 3750),
        (-5, 5, 0, 3750),
        (0.12344, 0.12346, 1235, 1235),
    ],
)
def test_a_window_is_exact_over_files(
    tmp_path: Path, start_s: float | None, stop_s: float | None, first: int, after: int
) -> None:
    """start <= t < stop, in times as stored."""
    rolled(tmp_path / "demo")
    traces = spikedaq.open_session(tmp_path / "demo")["alpha"].read(start_s, stop_s, ["stimulus", "vm"])
    assert traces.steps.tolist() == list(range(first, after))
    assert traces.channels == ("stimulus", "vm")
    assert traces.units == ("%", "mV")
    assert traces.values.shape == (after - first, 2)
    np.testing.assert_array_equal(traces["stimulus"], spiking(3750)[first:after, 1])


def test_beyond_the_recording_is_nothing(tmp_path: Path) -> None:
    rolled(tmp_path / "demo")
    traces = spikedaq.open_session(tmp_path / "demo")["alpha"].read(7, 8, ["vm"])
    assert traces.values.shape == (0, 1)
    assert traces.units == ("mV",)


def test_benches_of_a_class_are_on_one_clock(tmp_path: Path) -> None:
    """Both have an alpha; the second bench's files count from 2.5 s later, and what happened at once is at one time."""
    for bench, later_ns in (("one", 0), ("two", 2_500_000_000)):
        maker = Maker(tmp_path / bench / "lesson", session="lesson", bench=bench, later_ns=later_ns)
        maker.open().samples(30_000, spiking(1000)).gap(31_000, 200).samples(31_200, spiking(300))
        maker.event(SPIKES, 30_500, value=30.0).note(3.01, "now").close()
    session = spikedaq.open_session(tmp_path)
    assert list(session) == ["one/alpha", "two/alpha"]
    one, two = session.read(3.0, 3.2).values()
    assert one.steps.tolist() == two.steps.tolist() == [*range(30_000, 31_000), *range(31_200, 31_500)]
    np.testing.assert_allclose(one.times_s, two.times_s, atol=2**-19)
    for device in session.values():
        assert device.events[0].time_s == pytest.approx(3.05, abs=2**-19)
        assert device.notes[0].time_s == pytest.approx(3.01, abs=2**-19)
        (gap,) = device.gaps
        assert (gap.start_s, gap.stop_s) == pytest.approx((3.1, 3.12), abs=2**-19)
        assert gap.gap.cause is GapCause.LOST
    apart = spikedaq.open_session(tmp_path / "one" / "lesson", tmp_path / "two" / "lesson" / "alpha")
    assert list(apart) == list(session)


def test_a_change_of_clamp_is_read_by_mode(tmp_path: Path) -> None:
    """One recording has one set of channels; what is left out is said."""
    maker = Maker(tmp_path / "demo")
    maker.open().samples(0, spiking(100)).close()
    maker.open(mode=ClampMode.VOLTAGE).samples(100, spiking(100)).close()
    with pytest.warns(RecordingWarning, match=r"demo_alpha: 1 of 2 files are left out, .* clamp mode; choose by mode="):
        alpha = spikedaq.open(tmp_path / "demo")
    assert (alpha.num_frames, alpha.channel_ids[1], len(alpha.flags)) == (100, "stimulus", 1)
    with pytest.warns(RecordingWarning):
        clamped = spikedaq.open(tmp_path / "demo", mode="voltage")
    assert (clamped.num_frames, clamped.channel_ids[1], clamped.segments[0].first_step) == (100, "v_command", 100)
    both = spikedaq.open(tmp_path / "demo", mode="common")
    assert (both.num_frames, both.num_segments, both.flags) == (200, 1, ())
    assert both.channel_ids == ("vm", "syn1_vm", "syn1_i", "syn2_vm", "syn2_i", "trigger")
    np.testing.assert_array_equal(both.get_traces(), np.tile(spiking(100)[:, [0, 3, 4, 5, 6, 7]], (2, 1)))
    with pytest.raises(ConfigError, match="demo_alpha has no channel v_commando; it has vm, syn1_vm"):
        both.read(stop_s=0.01, channels=["v_commando"])


def test_many_files_are_not_all_open(tmp_path: Path) -> None:
    rolled(tmp_path / "demo", n_files=12, n=100)
    before = len(os.listdir("/proc/self/fd"))
    with spikedaq.open_session(tmp_path / "demo") as session:
        assert len(session["alpha"].read().times_s) == session["alpha"].n_samples == 1200
        assert len(session["alpha"].events) == 12
        assert len(os.listdir("/proc/self/fd")) <= before + MAX_OPEN
    assert len(os.listdir("/proc/self/fd")) <= before


def test_two_boards_of_one_name_are_not_mixed(tmp_path: Path) -> None:
    for folder, unique_id in (("lab1", "aa" * 8), ("lab2", "bb" * 8)):
        rolled(tmp_path / folder / "demo", info=replace(device_info(), unique_id=unique_id))
    with pytest.raises(StoreError, match="are of two boards both called alpha on a bench called bench"):
        spikedaq.open_session(tmp_path)
    assert spikedaq.open_session(tmp_path / "lab1" / "demo")["alpha"].n_samples == 3750


def test_what_recover_is_making_is_not_read(tmp_path: Path) -> None:
    rolled(tmp_path / "demo")
    shutil.copytree(tmp_path / "demo" / "alpha", tmp_path / "demo" / ".rebuild-abc" / "alpha")
    assert spikedaq.open_session(tmp_path / "demo")["alpha"].n_samples == 3750


def test_what_is_no_session_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such file or folder"):
        spikedaq.open_session(tmp_path / "absent")
    with pytest.raises(StoreError, match="there is no recording in"):
        spikedaq.open_session(tmp_path)
    with pytest.raises(StoreError, match="name the folder of a session"):
        spikedaq.open_session()
    rolled(tmp_path / "demo", n_files=1)
    rolled(tmp_path / "other", n_files=1, session="other")
    with pytest.raises(StoreError, match=r"several sessions, open one at a time: demo \(.*other \("):
        spikedaq.open_session(tmp_path)
    shutil.copytree(tmp_path / "demo", tmp_path / "copy")
    with pytest.raises(StoreError, match="the same part of a recording; leave one of the copies out"):
        spikedaq.open_session(tmp_path / "demo", tmp_path / "copy")
    assert len(spikedaq.open_session(tmp_path / "demo", tmp_path / "demo")) == 1
