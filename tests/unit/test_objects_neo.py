"""Recordings as Neo has them: blocks, and Neo's own reader, with the rules that Neo checks its readers by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import neo
import numpy as np
import pynwb
import pytest
import quantities as pq
from hypothesis import given
from hypothesis import strategies as st
from neo.test.rawiotest import rawio_compliance

import spikedaq.pynn
from helpers.formats_recordings import Maker, device_info, spiking
from spikedaq.model import ConfigError, GapCause, StoreError
from spikedaq.objects import SpikedaqIO, SpikedaqRawIO, register_with_neo, to_neo
from spikedaq.objects.rates import common_rate_hz, sampling_rate_hz
from spikedaq.recording import Channel, Recording, open_recordings

SPIKE, TRIGGER = 0, 1
NEAR_S = 2**-19
"""Times in files are rounded to 2**-20 s."""


def session(folder: Path, *devices: str) -> Path:
    """Two files of each device: a gap with a spike in it, then a file that goes on without one, then a reboot."""
    for name in devices or ("alpha",):
        maker = Maker(folder / "demo", device=name)
        maker.open().samples(0, spiking(2000)).event(SPIKE, 50, value=30.5).event(TRIGGER, 510, index=4)
        maker.changed("i_clamp", 600, 12.5).note(0.1, "nöte").gap(2000, 100, GapCause.LOST)
        maker.samples(2100, spiking(500, start=2100)).event(SPIKE, 2050, value=1.0).event(SPIKE, 2200, value=31.0)
        maker.asked("i_clamp", 0.22, None).close()
        maker.open().samples(2600, spiking(300, start=2600)).event(SPIKE, 2899, value=32.0).close()
        maker.open(device_info(boot_id=8)).samples(4000, spiking(1100)).event(SPIKE, 4000, value=33.0).close()
    return folder / "demo"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return session(tmp_path_factory.mktemp("neo"), "alpha", "beta")


@pytest.fixture
def recording(folder: Path) -> Recording:
    opened = open_recordings(folder, device="alpha")
    assert isinstance(opened, Recording)
    return opened


def test_a_block_has_a_segment_for_each(recording: Recording) -> None:
    """Samples in units, in the segment and at the time at which they were recorded."""
    block = to_neo(recording)
    assert [segment.name for segment in block.segments] == ["segment 0", "segment 1", "segment 2"]
    assert [segment.annotations["boot_id"] for segment in block.segments] == [7, 7, 8]
    assert block.annotations["device"] == "alpha"
    assert block.rec_datetime.isoformat() == "2026-05-01T09:34:56"
    starts_s, lengths, firsts = [0.0, 0.21, 0.4], [2000, 800, 1100], [0, 2100, 0]
    for segment, start_s, n, first in zip(block.segments, starts_s, lengths, firsts, strict=True):
        volts, stimulus, currents, trigger = segment.analogsignals
        assert [signal.name for signal in segment.analogsignals] == [
            "vm, syn1_vm, syn2_vm", "stimulus", "i_total, syn1_i, syn2_i", "trigger",
        ]  # fmt: skip
        assert float(volts.t_start.rescale("s")) == pytest.approx(start_s, abs=NEAR_S)
        assert volts.sampling_rate == 10_000 * pq.Hz
        assert (volts.units, stimulus.units) == (pq.mV, pq.percent)
        assert currents.units == trigger.units == pq.dimensionless
        assert (currents.annotations["unit"], "unit" in trigger.annotations) == ("a.u.", False)
        assert volts.array_annotations["channel_names"].tolist() == ["vm", "syn1_vm", "syn2_vm"]
        wanted = spiking(n, start=first)
        np.testing.assert_allclose(volts.magnitude, wanted[:, [0, 3, 5]] / 100)
        np.testing.assert_array_equal(stimulus.magnitude[:, 0], wanted[:, 1])


def test_what_happened_is_in_the_segment_in_which_it_did(recording: Recording) -> None:
    """A spike in a gap is in no segment, and counted; a spike on the last and the first sample is in its own."""
    block = to_neo(recording)
    assert block.annotations["spikes_in_gaps"] == 1
    found = [(train.name, train.magnitude.tolist(), train.array_annotations["v_mv"].tolist()) for segment in
             block.segments for train in segment.spiketrains]  # fmt: skip
    assert [name for name, _, _ in found] == ["spikes"] * 3
    assert [mv for _, _, mv in found] == [[30.5], [31.0, 32.0], [33.0]]
    for (_, times, _), wanted in zip(found, [[0.005], [0.22, 0.2899], [0.4]], strict=True):
        assert times == pytest.approx(wanted, abs=NEAR_S)
    first, second, third = block.segments
    (trigger,), (note,) = first.filter(objects="Event", name="triggers"), first.filter(objects="Event", name="notes")
    assert (trigger.labels.tolist(), note.labels.tolist()) == (["loop 4"], ["nöte"])
    assert float(trigger.times[0]) == pytest.approx(0.051, abs=NEAR_S)
    (gap,) = first.epochs
    assert (gap.name, gap.labels.tolist()) == ("gaps", ["lost"])
    assert (float(gap.times[0]), float(gap.durations[0])) == pytest.approx((0.2, 0.01), abs=NEAR_S)
    changed = next(event.labels.tolist() for event in first.events if event.name == "parameters")
    assert changed[-1] == "i_clamp=12.5 (board)"
    (later,) = second.events
    assert later.labels.tolist() == ["i_clamp=knob (asked by cli)", "i_clamp=0 (initial)"]
    assert len(third.events) == 0


def test_signals_may_be_of_each_channel_or_with_every_time(recording: Recording) -> None:
    block = to_neo(recording, signals="channel", times="exact")
    assert [s.name for s in block.segments[0].irregularlysampledsignals][:2] == ["vm", "stimulus"]
    assert len(block.segments[0].analogsignals) == 0
    (vm,) = block.segments[1].filter(name="vm")
    np.testing.assert_array_equal(vm.times.magnitude, recording.get_times(1))
    with pytest.raises(ConfigError, match="signals cannot be by 'colour'"):
        to_neo(recording, signals="colour")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="times cannot be 'late'"):
        to_neo(recording, times="late")  # type: ignore[arg-type]


def test_parts_and_the_method_give_the_same(recording: Recording) -> None:
    part = recording.channel_slice(["syn1_vm", "trigger"]).select_segments(1)
    (segment,) = part.to_neo().segments
    assert [s.name for s in segment.analogsignals] == ["syn1_vm", "trigger"]
    np.testing.assert_allclose(segment.analogsignals[0].magnitude[:, 0], spiking(800, start=2100)[:, 3] / 100)
    assert len(segment.spiketrains[0]) == 2


def test_what_would_not_fit_in_memory_is_refused() -> None:
    """Without reading a sample of it."""
    vast = np.lib.stride_tricks.as_strided(np.zeros(1, np.int16), (10**9, 8), (0, 0))
    with pytest.raises(ConfigError, match=r"would take 59.6 GiB .* take a time_slice"):
        to_neo(Recording.from_numpy(vast, 10_000.0))


def test_a_recording_without_samples_has_no_segment() -> None:
    block = to_neo(Recording.from_numpy(np.zeros((0, 2), np.int16), 1000.0))
    assert len(block.segments) == 0


@pytest.mark.parametrize("unit", ["__import__('os').abort()", "mV**", "", "ä"])
def test_a_unit_is_looked_up_and_never_evaluated(unit: str) -> None:
    made = Recording.from_numpy(np.ones((3, 1)), 1000.0, channels=[Channel("x", unit)])
    (signal,) = to_neo(made).segments[0].analogsignals
    assert signal.units == pq.dimensionless
    assert signal.annotations.get("unit", "") == unit


@pytest.mark.parametrize(
    ("n", "span_s", "rate_hz"),
    [
        (10_001, 1.0, 10_000.0),  # as promised
        (10_001, 1.000_049, 10_000.0),  # 0.49 samples late at the end
        (10_001, 1.000_1, 10_000 / 1.000_1),  # 1 sample
        (36_000_001, 3600.36, 36_000_000 / 3600.36),  # 100 ppm for an hour
        (1, 0.0, 10_000.0),
    ],
)
def test_the_rate_is_nominal_where_that_is_true(n: int, span_s: float, rate_hz: float) -> None:
    assert sampling_rate_hz(10_000.0, n, 5.0, 5.0 + span_s) == pytest.approx(rate_hz, rel=1e-12)


@given(st.floats(-200e-6, 200e-6), st.integers(2, 10**8))
def test_the_last_sample_comes_where_it_was(skew: float, n: int) -> None:
    """Within half a sample, whatever the skew and the length."""
    last_s = (n - 1) / 10_000 * (1 + skew)
    rate_hz = sampling_rate_hz(10_000.0, n, 0.0, last_s)
    assert abs((n - 1) / rate_hz - last_s) <= 0.5 / 10_000 * 1.001
    assert common_rate_hz(10_000.0, [(n, 0.0, last_s)] * 2) == pytest.approx(rate_hz)


# -- Neo's own reader


RULES = (
    rawio_compliance.header_is_total,
    rawio_compliance.check_signal_stream_buffer_hierachy,
    rawio_compliance.count_element,
    rawio_compliance.read_analogsignals,
    rawio_compliance.read_spike_times,
    rawio_compliance.read_spike_waveforms,
    rawio_compliance.read_events,
    rawio_compliance.has_annotations,
    rawio_compliance.check_buffer_api,
    rawio_compliance.benchmark_speed_read_signals,
)


@pytest.fixture(scope="module", params=["alpha", None])
def reader(folder: Path, request: pytest.FixtureRequest) -> SpikedaqRawIO:
    opened = SpikedaqRawIO(folder, device=request.param)
    opened.parse_header()
    return opened


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_it_keeps_the_rules_for_readers(reader: SpikedaqRawIO, rule: Callable[[object], None]) -> None:
    """Each of Neo's rules by itself: Neo's own test classes skip themselves where its example files are absent."""
    rule(reader)


def test_no_rule_of_neo_is_left_out() -> None:
    """A rule that a later Neo adds fails here, until it is in the list above."""
    public = {n for n, f in vars(rawio_compliance).items() if callable(f) and f.__module__ == rawio_compliance.__name__}
    assert public - {"print_class", "iter_over_sig_chunks"} == {rule.__name__ for rule in RULES}


def test_the_raw_reader_gives_what_numpy_says(folder: Path) -> None:
    reader = SpikedaqRawIO(folder)
    reader.parse_header()
    assert (reader.block_count(), reader.segment_count(1)) == (2, 3)
    raw = reader.get_analogsignal_chunk(1, 1, 10, 20, 0, channel_names=["syn1_vm", "vm"])
    np.testing.assert_array_equal(raw, spiking(10, start=2110)[:, [3, 0]])
    scaled = reader.rescale_signal_raw_to_float(raw, "float64", 0, channel_names=["syn1_vm", "vm"])
    np.testing.assert_allclose(scaled, spiking(10, start=2110)[:, [3, 0]] / 100)
    stamps = reader.get_spike_timestamps(0, 1, 0, None, None)
    assert stamps.dtype == np.int64
    np.testing.assert_allclose(reader.rescale_spike_timestamp(stamps, "float64"), [0.22, 0.2899], atol=NEAR_S)
    assert reader.get_spike_timestamps(0, 1, 0, 0.25, None).shape == (1,)
    with pytest.raises(IndexError, match="there are no samples 0 to 801"):
        reader.get_analogsignal_chunk(0, 1, 0, 801, 0)


def test_neo_reads_a_file_and_lazily(folder: Path) -> None:
    """One file of a device, whole and as proxies, as it does with its own formats."""
    path = sorted((folder / "alpha").glob("*.nwb"))[0]
    (block,) = SpikedaqIO(path).read()
    assert [segment.analogsignals[0].shape for segment in block.segments] == [(2000, 3), (500, 3)]
    assert block.segments[0].spiketrains[0].array_annotations["v_mv"].tolist() == [30.5]
    lazy = SpikedaqIO(path).read_segment(seg_index=0, lazy=True)
    part = lazy.analogsignals[0].load(time_slice=(0.1 * pq.s, 0.11 * pq.s))
    np.testing.assert_allclose(part.magnitude[:100, 0], spiking(100, start=1000)[:, 0] / 100, rtol=1e-6)


def test_a_spike_on_the_edge_is_within_its_segment(tmp_path: Path) -> None:
    """Neo refuses a train with a spike half a nanosecond before its start."""
    maker = Maker(tmp_path / "demo").open()
    for k in range(20):
        maker.samples(k * 37, spiking(10)).event(SPIKE, k * 37, value=1.0).event(SPIKE, k * 37 + 9, value=2.0)
        maker.gap(k * 37 + 10, 27)
    maker.close()
    (block,) = SpikedaqIO(tmp_path / "demo").read()
    assert [len(segment.spiketrains[0]) for segment in block.segments] == [2] * 20
    assert [len(segment.spiketrains[0]) for segment in spikedaq.open(tmp_path / "demo").to_neo().segments] == [2] * 20


def test_devices_of_other_channels_are_read_apart(tmp_path: Path) -> None:
    Maker(tmp_path / "demo").open().samples(0, spiking(100)).close()
    Maker(tmp_path / "demo", device="beta", info=device_info(channels=device_info().channels[:2])).open().samples(
        0, spiking(100)[:, :2]
    ).close()
    with pytest.raises(ConfigError, match=r"have different channels or rates.*read them apart with device="):
        SpikedaqIO(tmp_path / "demo")
    assert SpikedaqIO(tmp_path / "demo", device="beta").signal_channels_count(0) == 2


@pytest.mark.filterwarnings("ignore::spikedaq.model.RecordingWarning")
def test_a_csv_is_read_and_no_spikes_are_made_up(tmp_path: Path) -> None:
    """It does not say whether there were any."""
    path = tmp_path / "stock.csv"
    rows = "".join(f"{k / 10},{-65 + k % 50},0.0\n" for k in range(100))
    path.write_text("Time (ms),Spikeling Vm (mV),Trigger\n" + rows, "utf-8")
    reader = SpikedaqIO(path)
    assert (reader.spike_channels_count(), reader.segment_count(0)) == (0, 1)
    for segment in (reader.read_segment(), spikedaq.open(path).to_neo().segments[0]):
        assert len(segment.spiketrains) == 0
        np.testing.assert_allclose(segment.analogsignals[0].magnitude[:, 0], -65 + np.arange(100) % 50)
    assert spikedaq.pynn.open(path)[0].variables == ["v", "trigger"]


def test_what_has_no_samples_is_refused(tmp_path: Path) -> None:
    Maker(tmp_path / "demo").open().close()
    with pytest.raises(StoreError, match="has no samples; there is nothing that Neo could read"):
        SpikedaqIO(tmp_path / "demo")


def test_neo_finds_it_once_it_is_registered(folder: Path) -> None:
    register_with_neo()
    register_with_neo()
    path = sorted((folder / "alpha").glob("*.nwb"))[0]
    reader = neo.io.get_io(str(path))
    assert type(reader).__name__ == "SpikedaqIO"
    assert neo.io.io_by_extension["nwb"].count(SpikedaqIO) == 1
    assert neo.rawio.SpikedaqRawIO is SpikedaqRawIO


def test_files_of_others_stay_with_neos_own_reader(tmp_path: Path) -> None:
    register_with_neo()
    when = datetime(2026, 1, 1, tzinfo=UTC)
    with pynwb.NWBHDF5IO(str(tmp_path / "theirs.nwb"), "w") as io:
        io.write(pynwb.NWBFile(session_description="x", identifier="x", session_start_time=when))
    assert type(neo.io.get_io(str(tmp_path / "theirs.nwb"))).__name__ == "NWBIO"
