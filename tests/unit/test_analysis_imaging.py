"""The imaging simulation against a slow loop that follows the formulas word for word, and against numbers by hand."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedaq.analysis.imaging import Imager
from spikedaq.analysis.imaging_block import FRAME_CHANNELS, ImagingBlock, ImagingState, vm_of
from spikedaq.analysis.imaging_settings import ImagingSettings, setting_infos
from spikedaq.analysis.indicators import INDICATORS, indicator_named
from spikedaq.model import ChannelInfo, ConfigError
from spikedaq.noise import IndexedNoise, normal_quantile

QUIET = {"floor_noise": 0.0, "shot_noise": 0.0}
NOISY = {"ca_noise": 0.5, "laser": 1.6, "pmt": 1.7, "frame_rate_hz": 700.0}


def trace(n: int, seed: int = 1, spikes: int = 12) -> np.ndarray:
    """Rest with spikes of a few steps at random places, some closer than 3 ms."""
    rng = np.random.default_rng(seed)
    vm = np.full((n, 3), -65.0)
    for k in range(3):
        for at in rng.integers(0, n, spikes):
            vm[at : at + 4, k] = 30.0
    return vm


def by_the_formulas(vm: np.ndarray, first_step: int, s: ImagingSettings) -> dict[str, list[float]]:
    """One neuron, no noise, one step after the other (the facts on the stock software's imaging page)."""
    dt = 0.1
    tau_dr = s.ca_decay_ms * s.ca_rise_ms / (s.ca_decay_ms + s.ca_rise_ms)

    def goal(ca: float) -> float:
        if s.response == "sigmoid":
            return 1 / (1 + math.exp(-10 * (ca - 0.15)))
        return ca**s.hill / (ca**s.hill + s.kd_um**s.hill)

    x_d = x_r = 0.0
    sat, bleach = goal(s.ca_baseline_um), 1.0
    rest = goal(s.ca_baseline_um)
    before, last_ms = None, -1e9
    out: dict[str, list[float]] = {"ca": [], "f": [], "dff": [], "spike": []}
    for i, v in enumerate(vm):
        now_ms = (first_step + i) * dt
        spike = before is not None and before < -20 <= v and now_ms - last_ms >= 3 - 1e-6
        before = v
        if spike:
            last_ms = now_ms
        x_d = x_d * math.exp(-dt / s.ca_decay_ms) + s.ca_per_spike_um * spike
        x_r = x_r * math.exp(-dt / tau_dr) + s.ca_per_spike_um * spike
        ca = max(0.0, s.ca_baseline_um + x_d - x_r)
        target = goal(ca)
        tau = s.rise_ms if target > sat else s.decay_ms
        sat += (1 - math.exp(-dt / tau) if tau else 1) * (target - sat)
        sat = min(1.0, max(0.0, sat))
        if s.laser > 1:
            bleach = max(0.05, bleach * math.exp(-0.20 * (s.laser - 1) * dt / 1000))
        gain = s.laser * s.pmt * s.scale * bleach
        gain0 = s.laser * s.pmt * s.scale
        if s.response == "linear":
            f, f0 = s.offset + gain * ca, s.offset + gain0 * s.ca_baseline_um
        else:
            f, f0 = s.offset + gain * (1 + s.dff_max * sat), s.offset + gain0 * (1 + s.dff_max * rest)
        out["ca"].append(ca)
        out["spike"].append(float(spike))
        if (first_step + i) % round(10_000 / s.frame_rate_hz) == 0:
            out["f"].append(f)
            out["dff"].append(100 * ((f - s.offset) - (f0 - s.offset)) / (f0 - s.offset))
    return out


@pytest.mark.parametrize(
    "given_settings",
    [
        {},
        {"response": "sigmoid", "laser": 2.0, "pmt": 0.5},
        {"response": "linear", "laser": 1.5},
        {"laser": 0.4, "rise_ms": 0.0, "decay_ms": 0.0},
        {"frame_rate_hz": 10_000.0, "ca_per_spike_um": 0.3, "offset": 0.0},
    ],
)
@pytest.mark.parametrize("indicator", ["Generic", "GCaMP6f", "f-RGECO2"])
def test_it_follows_the_formulas(given_settings: dict[str, Any], indicator: str) -> None:
    """Calcium, spikes, fluorescence and dF/F0 are those of the loop, for each response, to rounding."""
    s = ImagingSettings(**QUIET).with_indicator(indicator_named(indicator)).changed(given_settings)
    vm, first = trace(4000), 1234
    block = Imager(s).feed(7, first, vm)
    for k in range(3):
        wanted = by_the_formulas(vm[:, k], first, s)
        np.testing.assert_allclose(block.calcium_um[:, k], wanted["ca"], rtol=1e-12)
        np.testing.assert_allclose(block.frame_values[:, k], wanted["f"], rtol=1e-10)
        np.testing.assert_allclose(block.frame_values[:, 3 + k], wanted["dff"], rtol=1e-8, atol=1e-8)
        np.testing.assert_array_equal(block.spikes[block.spikes[:, 1] == k, 0] - first, np.flatnonzero(wanted["spike"]))
        assert sum(wanted["spike"]) >= 5


def test_one_spike_by_hand() -> None:
    """A spike adds its calcium to both parts in its own step, so calcium begins to rise with the next."""
    s = ImagingSettings(ca_rise_ms=10.0, ca_decay_ms=40.0, ca_per_spike_um=0.1, ca_baseline_um=0.05)
    vm = np.full((101, 3), -70.0)
    vm[50, 0] = -20.0  # exactly at the threshold is a spike
    block = Imager(s).feed(1, 0, vm)
    assert block.spikes.tolist() == [[50, 0]]
    # 0.05 + 0.1 * (exp(-5 / 40) - exp(-5 / 8)) after 50 steps, by a pocket calculator
    assert block.calcium_um[50, 0] == pytest.approx(0.05, abs=1e-15)
    assert block.calcium_um[100, 0] == pytest.approx(0.05 + 0.1 * (0.8824969026 - 0.5352614285), abs=1e-10)
    assert (block.calcium_um[:, 1:] == 0.05).all()


def test_spikes_are_three_milliseconds_apart() -> None:
    vm = np.full((200, 3), -70.0)
    vm[[10, 39, 41, 60, 71], 0] = 0.0  # 39 comes 2.9 ms after 10, 41 3.1 ms; 60 1.9 ms after 41
    assert Imager(ImagingSettings()).feed(1, 0, vm).spikes[:, 0].tolist() == [10, 41, 71]
    vm = np.full((50, 3), -70.0)
    vm[[10, 40], 0] = 0.0
    assert Imager(ImagingSettings()).feed(1, 0, vm).spikes[:, 0].tolist() == [10, 40], "3 ms are enough"


def test_above_threshold_from_the_first_sample_is_no_spike() -> None:
    """Nobody saw it cross."""
    assert not len(Imager(ImagingSettings()).feed(1, 0, np.full((20, 3), 30.0)).spikes)


def test_at_rest_nothing_moves_and_dff_is_zero() -> None:
    block = Imager(ImagingSettings(**QUIET)).feed(1, 0, np.full((5000, 3), -70.0))
    np.testing.assert_array_equal(block.frame_values[:, 3:6], 0.0)
    # F = offset + scale * (1 + 20 * S), S = 0.05**2 / (0.05**2 + 0.2**2) = 1 / 17
    np.testing.assert_allclose(block.frame_values[:, :3], 1 + 5 * (1 + 20 / 17), rtol=1e-14)


def test_light_bleaches_by_a_fifth_of_the_excess_per_second() -> None:
    s = ImagingSettings(laser=2.0, offset=0.0, **QUIET)
    block = Imager(s).feed(1, 0, np.full((100_001, 3), -70.0))
    # Ten seconds of model time at twice the power: exp(-0.2 * 1 * 10) = 0.135335...
    first, last = block.frame_values[0, 0], block.frame_values[-1, 0]
    assert last / first == pytest.approx(0.1353352832366, rel=1e-11)


def test_no_light_has_no_dff() -> None:
    block = Imager(ImagingSettings(laser=0.0)).feed(1, 0, trace(500))
    assert np.isnan(block.frame_values[:, 3:6]).all() and np.isfinite(block.frame_values[:, :3]).all()


def test_the_noise_has_the_size_the_formula_says() -> None:
    """Standard deviation at rest: floor, shot and photomultiplier noise added in quadrature."""
    s = ImagingSettings(frame_rate_hz=10_000.0, pmt=2.0, floor_noise=0.02, shot_noise=0.001)
    block = Imager(s, seed=5).feed(1, 0, np.full((20_000, 3), -70.0))
    gain = 2.0 * 5.0
    f = 1.0 + gain * (1 + 20 / 17)
    sigma = math.sqrt(0.02**2 + 0.001**2 * f + (0.02 * gain) ** 2)
    assert block.frame_values[:, :3].std(axis=0) == pytest.approx([sigma] * 3, rel=0.03)
    assert abs(np.corrcoef(block.frame_values[:, :3].T)[np.triu_indices(3, 1)]).max() < 0.03


def test_calcium_noise_is_that_of_a_step() -> None:
    s = ImagingSettings(ca_noise=1.0, ca_baseline_um=0.5)
    ca = Imager(s, seed=3).feed(1, 0, np.full((20_000, 3), -70.0)).calcium_um
    assert ca.std(axis=0) == pytest.approx([0.01] * 3, rel=0.03)
    assert Imager(s.changed({"ca_baseline_um": 0.0})).feed(1, 0, np.full((999, 3), -70.0)).calcium_um.min() == 0.0


def parts_of(block: ImagingBlock) -> list[np.ndarray]:
    return [
        block.calcium_um,
        block.fluorescence,
        block.spikes,
        block.frame_steps,
        block.frame_missing,
        block.frame_values,
    ]


@given(
    cuts=st.lists(st.integers(1, 1999), max_size=30, unique=True),
    values=st.sampled_from(
        [NOISY, {}, {"response": "linear", **NOISY}, {"hill": 2.7, "response": "hill", "laser": 0.5}]
    ),
    gap=st.integers(0, 300),
    seed=st.integers(0, 2**64 - 1),
)
@settings(max_examples=60, deadline=None)
def test_any_chunking_gives_the_same_bits(cuts: list[int], values: dict[str, Any], gap: int, seed: int) -> None:
    """Neither one sample at a time nor all at once changes a bit, and neither does a gap in between."""
    vm, first = trace(2000, seed=2), 98_765
    s = ImagingSettings(**values)

    def run(edges: list[int]) -> list[np.ndarray]:
        imager = Imager(s, seed=seed)
        blocks = []
        for a, b in zip([0, *edges], [*edges, 2000], strict=True):
            blocks.append(imager.feed(9, first + a + (gap if a >= 1000 else 0), vm[a:b]))
        return [np.concatenate(arrays) for arrays in zip(*map(parts_of, blocks), strict=True)]

    for one, other in zip(run([1000]), run(sorted({*cuts, 1000})), strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_sample_at_a_time_is_the_same() -> None:
    vm, s = trace(300), ImagingSettings(**NOISY)
    whole = parts_of(Imager(s, seed=1).feed(1, 0, vm))
    imager = Imager(s, seed=1)
    single = [parts_of(imager.feed(1, i, vm[i : i + 1])) for i in range(300)]
    for one, others in zip(whole, zip(*single, strict=True), strict=True):
        np.testing.assert_array_equal(one, np.concatenate(others))


def test_a_gap_lets_everything_fall_and_is_told() -> None:
    """What a gap does is what as many steps without a spike do; the next frame says how many were missing."""
    vm = np.full((3000, 3), -70.0)
    vm[500, :] = 30.0
    s = ImagingSettings(**QUIET)
    whole = Imager(s).feed(1, 0, vm)
    imager = Imager(s)
    imager.feed(1, 0, vm[:1000])
    after = imager.feed(1, 2050, vm[2050:])
    assert after.gap_steps == 1050 and not after.restarted
    np.testing.assert_array_equal(after.calcium_um, whole.calcium_um[2050:])
    np.testing.assert_array_equal(after.frame_values, whole.frame_values[21:])
    assert after.frame_steps[0] == 2100 and after.frame_missing.tolist() == [1050] + [0] * 8
    assert np.isnan(after.fluorescence[:50]).all() and np.isfinite(after.fluorescence[50:]).all()


def test_a_gap_of_days_ends_at_rest_at_once() -> None:
    imager = Imager(ImagingSettings(laser=2.0, **QUIET))
    imager.feed(1, 0, trace(1000))
    block = imager.feed(1, 10**12, np.full((1000, 3), -70.0))
    assert (block.calcium_um == 0.05).all()
    assert imager.state.unbleached == 0.05


def test_a_spike_across_a_gap_is_not_made_up() -> None:
    imager = Imager(ImagingSettings())
    imager.feed(1, 0, np.full((10, 3), -70.0))
    assert not len(imager.feed(1, 11, np.full((10, 3), 30.0)).spikes)
    imager = Imager(ImagingSettings())
    imager.feed(1, 0, np.full((10, 3), -70.0))
    assert len(imager.feed(1, 10, np.full((10, 3), 30.0)).spikes) == 3


def test_another_boot_begins_at_rest() -> None:
    imager = Imager(ImagingSettings(**NOISY), seed=4)
    imager.feed(1, 500, trace(1000))
    again = imager.feed(2, 30, trace(400))
    assert again.restarted and again.gap_steps == 0
    np.testing.assert_array_equal(
        again.frame_values, Imager(ImagingSettings(**NOISY), seed=4).feed(2, 30, trace(400)).frame_values
    )
    with pytest.raises(ValueError, match="before step 430"):
        imager.feed(2, 429, trace(5))


def test_settings_can_change_while_it_goes_on() -> None:
    """The state of one simulation goes over to another; what only light changes is the same calcium."""
    vm = trace(2000)
    imager = Imager(ImagingSettings(**QUIET))
    imager.feed(1, 0, vm[:1000])
    other = Imager(ImagingSettings(laser=0.5, **QUIET), state=imager.state).feed(1, 1000, vm[1000:])
    whole = Imager(ImagingSettings(**QUIET)).feed(1, 0, vm)
    np.testing.assert_array_equal(other.calcium_um, whole.calcium_um[1000:])
    assert isinstance(imager.state, ImagingState)


def test_frames_are_whole_steps_apart() -> None:
    assert ImagingSettings(frame_rate_hz=30.0).steps_per_frame == 333
    assert ImagingSettings(frame_rate_hz=30.0).true_frame_rate_hz == pytest.approx(30.03003)
    assert ImagingSettings(frame_rate_hz=10_000.0).steps_per_frame == 1
    assert Imager(ImagingSettings(frame_rate_hz=30.0)).feed(1, 300, trace(1000)).frame_steps.tolist() == [333, 666, 999]


def test_the_table_of_indicators() -> None:
    """As the stock table has it: Kd, Hill, rise, decay, dF/F0; none swapped, none cut to a slider's end."""
    literal = """Generic .200/2.0/50/300/20; GCaMP2 .146/3.8/150/1200/3.9; GCaMP6s .144/3.0/125/580/60;
    GCaMP6m .167/3.0/90/220/55; GCaMP6f .375/3.0/60/140/50; R-GECO1 .480/2.0/200/1500/30; jRGECO1a .161/1.8/200/314/13;
    jRCaMP1a .141/1.5/200/327/6; f-RGECO1 1.200/3.0/120/83/9; f-RGECO2 1.300/5.8/120/77/13;
    f-RCaMP1 .520/2.3/150/211/5; f-RCaMP2 .785/3.5/150/140/5"""
    rows = [row.split() for row in literal.split(";")]
    assert [name for name, _ in rows] == [indicator.name for indicator in INDICATORS]
    for name, numbers in rows:
        s = ImagingSettings().with_indicator(indicator_named(name.upper()))
        assert [s.kd_um, s.hill, s.rise_ms, s.decay_ms, s.dff_max] == [float(x) for x in numbers.split("/")]
    with pytest.raises(ConfigError, match="did you mean GCaMP6f"):
        indicator_named("gcamp6ff")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"laser": 2.5}, r"laser is 2.5, and must be a number from 0 to 2$"),
        ({"kd_um": math.nan, "hill": "much"}, r"kd_um is nan.*0.01 to 10 uM; hill is 'much'"),
        ({"response": "cubic"}, "hill, sigmoid, linear"),
        ({"lasr": 1.0}, "did you mean 'laser'"),
        ({"frame_rate_hz": "1e9"}, "from 1 to 10000 Hz"),
        ({"pmt": True}, "pmt is True"),
        ({"rise_ms": "-0.1"}, "rise_ms"),
    ],
)
def test_what_cannot_be_is_named(values: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        ImagingSettings().changed(values)


def test_texts_are_read_as_numbers() -> None:
    assert ImagingSettings().changed({"kd_um": "2.5e-1", "response": "linear"}).kd_um == 0.25
    assert ImagingSettings(**ImagingSettings(laser=2).to_map()) == ImagingSettings(laser=2.0)  # type: ignore[arg-type]
    assert [info.name for info in setting_infos()] == list(ImagingSettings().to_map())


def test_seeds_are_bounded() -> None:
    for seed in (-1, 2**64):
        with pytest.raises(ConfigError, match="seed"):
            Imager(ImagingSettings(), seed=seed)


def test_quantiles_are_those_of_the_standard_library() -> None:
    p = np.array([2.0**-53, 1e-12, 1e-6, 0.07, 0.0750001, 0.3, 0.5, 0.6, 0.925, 0.93, 1 - 1e-9, 1 - 2.0**-53])
    np.testing.assert_allclose(normal_quantile(p), [NormalDist().inv_cdf(x) for x in p], rtol=1e-15, atol=1e-16)


def test_noise_by_index_is_a_window_of_one_sequence() -> None:
    whole = IndexedNoise(11, 22, 1).normal(0, 5000)
    noise = IndexedNoise(11, 22, 1)
    for first, n in ((4000, 7), (0, 3), (3, 1), (2**40, 2), (1, 4999)):
        part = noise.normal(first, n)
        if first < 5000:
            np.testing.assert_array_equal(part, whole[first : first + n])
    others = [IndexedNoise(*key).normal(0, 100) for key in ((12, 22, 1), (11, 23, 1), (11, 22, 2))]
    assert all(abs(np.corrcoef(whole[:100].ravel(), other.ravel())[0, 1]) < 0.2 for other in others)
    assert abs(whole.mean()) < 0.03 and whole.std() == pytest.approx(1, abs=0.02)


def test_the_bits_under_the_noise_are_philox() -> None:
    """Philox 4x64-10 as published (Random123's known answer for zeros), at index, stream and purpose."""
    words = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    # numpy counts up before it draws.
    before_zero = np.array([2**64 - 1] * 4, np.uint64)
    assert np.random.Philox(counter=before_zero, key=np.zeros(2, np.uint64)).random_raw(4).tolist() == words
    counter, key = np.array([6, 0, 22, 1], np.uint64), np.array([11, 0], np.uint64)
    raw = np.random.Philox(counter=counter, key=key).random_raw(4).tolist()
    middles = [((word >> 12) + 0.5) / 2**52 for word in raw]
    assert IndexedNoise(11, 22, 1).normal(6, 1)[0] == pytest.approx(
        [NormalDist().inv_cdf(p) for p in middles], rel=1e-14
    )


def test_potentials_are_found_by_name_and_rounded_right() -> None:
    channels = [
        ChannelInfo("syn2_vm", "mV", 1, -2),
        ChannelInfo("trigger", "1", 1, 0),
        ChannelInfo("vm", "mV", 1, -2, -5),
    ]
    vm = vm_of(np.array([[-2000, 1, -6866], [7, 0, 3005]], np.int16), channels)
    assert vm[:, 0].tolist() == [-68.71, 30.0] and vm[:, 2].tolist() == [-20.0, 0.07] and np.isnan(vm[:, 1]).all()
    with pytest.raises(ConfigError, match="no channel 'vm'"):
        vm_of(np.zeros((1, 1), np.int16), [ChannelInfo("x", "mV", 1, 0)])
    with pytest.raises(ConfigError, match="needs it in mV"):
        vm_of(np.zeros((1, 1), np.int16), [ChannelInfo("vm", "V", 1, 0)])


def test_the_columns_of_a_frame() -> None:
    assert [name for name, _ in FRAME_CHANNELS] == [
        "f_vm", "f_syn1", "f_syn2", "dff_vm", "dff_syn1", "dff_syn2", "ca_vm", "ca_syn1", "ca_syn2",
    ]  # fmt: skip
