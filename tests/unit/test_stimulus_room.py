"""Stimulus waveforms: values worked out by hand, right frequencies, and everything that must be refused."""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import pytest

from spikedaq.model import ConfigError
from spikedaq.stimulus import (
    GENERATORS,
    MAX_ROWS,
    Waveform,
    braille_plot,
    checked_spec,
    concatenated,
    envelope,
    generator,
    make,
    quantised,
    repeated,
    spec_of,
    table,
)

BARE = {"pre_ms": 0, "post_ms": 0}


def rows(name: str, **values: float) -> list[int]:
    return make({"generator": name, "values": {**BARE, **values}}).rows.tolist()


def test_steps_are_levels_a_constant_amount_apart_with_rests() -> None:
    """Three steps of 0.2 ms from 5 % by 2.5 %, rests of 0.1 ms at -1 %."""
    got = rows("steps", count=3, first=5, increment=2.5, on_ms=0.2, off_ms=0.1, off_level=-1)
    assert got == [500, 500, -100, 750, 750, -100, 1000, 1000, -100]


def test_the_default_steps_last_as_long_as_the_stock_ones() -> None:
    """Ten of 25 ms with 75 ms rests and 100 ms behind: 11,000 rows, the last step at 50 %."""
    waveform = make({"generator": "steps"})
    assert waveform.n_rows == 11_000
    assert waveform.duration_ms == 1100.0
    assert waveform.rows[9000:9250].tolist() == [5000] * 250
    assert not waveform.rows[9250:].any()


def test_a_ramp_has_both_of_its_ends() -> None:
    assert rows("ramp", start=-10, end=10, duration_ms=0.5, hold_ms=0.2) == [-1000, -500, 0, 500, 1000, 1000, 1000]
    assert rows("ramp", start=7, end=9, duration_ms=0.1) == [700]


def test_a_sine_passes_its_mean_and_its_peaks() -> None:
    """100 Hz is 100 rows a cycle; a twelfth of a turn is a half of the amplitude."""
    got = rows("sine", amplitude=40, mean=10, frequency_hz=100, duration_ms=10)
    assert [got[0], got[25], got[50], got[75]] == [1000, 5000, 1000, -3000]
    assert rows("sine", amplitude=40, frequency_hz=100, phase_deg=30, duration_ms=0.1) == [2000]


def test_a_triangle_honours_its_mean() -> None:
    """The stock one ignores it."""
    got = rows("triangle", amplitude=40, mean=10, frequency_hz=1250, duration_ms=0.8)
    assert got == [1000, 3000, 5000, 3000, 1000, -1000, -3000, -1000]


def crossings(percent: np.ndarray) -> np.ndarray:
    """Times in s at which a waveform rises through 0, by straight lines between rows."""
    k = np.flatnonzero((percent[:-1] < 0) & (percent[1:] >= 0))
    return (k + percent[k] / (percent[k] - percent[k + 1])) / 10_000


def test_a_linear_chirp_ends_at_its_end_frequency() -> None:
    """Measured between zero crossings: within 1 % of f0 + (f1 - f0) t / T; the stock one ends at twice that."""
    waveform = make(spec_of("chirp_linear", start_hz=10, end_hz=100, duration_ms=2000, **BARE))
    at = crossings(waveform.percent)
    middle, hz = (at[1:] + at[:-1]) / 2, 1 / np.diff(at)
    np.testing.assert_allclose(hz, 10 + 90 * middle / 2, rtol=0.01)
    assert hz[-1] == pytest.approx(100, rel=0.02)
    # The phase is the integral of f: 55 Hz on average for 2 s are 110 cycles, the first of which begins at row 0.
    assert len(at) == 109


def test_an_exponential_chirp_changes_by_the_same_factor_in_equal_times() -> None:
    waveform = make(spec_of("chirp_exponential", start_hz=5, end_hz=80, duration_ms=4000, **BARE))
    at = crossings(waveform.percent)
    middle, hz = (at[1:] + at[:-1]) / 2, 1 / np.diff(at)
    np.testing.assert_allclose(hz[4:], 5 * 16 ** (middle[4:] / 4), rtol=0.01)
    assert len(at) == math.floor(5 * 4 * 15 / math.log(16))


def test_an_exponential_chirp_of_one_frequency_is_a_sine() -> None:
    chirp = rows("chirp_exponential", amplitude=40, start_hz=100, end_hz=100, duration_ms=20)
    assert chirp == rows("sine", amplitude=40, frequency_hz=100, duration_ms=20)


def test_an_amplitude_chirp_grows_and_keeps_its_frequency() -> None:
    waveform = make(spec_of("chirp_amplitude", start=0, end=100, frequency_hz=10, duration_ms=1000, **BARE))
    np.testing.assert_allclose(1 / np.diff(crossings(waveform.percent)), 10, rtol=0.01)
    peaks = [waveform.percent[k * 1000 + 250] for k in range(10)]
    np.testing.assert_allclose(peaks, [100 * (k * 1000 + 250) / 9999 for k in range(10)], atol=0.005)


def test_pulses_have_width_period_and_count() -> None:
    got = rows("pulses", count=2, amplitude=30, level=-5, width_ms=0.2, period_ms=0.4)
    assert got == [3000, 3000, -500, -500] * 2


def test_baselines_stand_before_and_behind() -> None:
    values = {"level": 50, "duration_ms": 0.1, "pre_ms": 0.2, "pre_level": -3, "post_ms": 0.3, "post_level": 4}
    assert make({"generator": "constant", "values": values}).rows.tolist() == [-300, -300, 5000, 400, 400, 400]


def test_noise_is_the_same_for_ever_for_a_seed() -> None:
    """The raw numbers of Philox 4x64 for key 1 are fixed by its definition, and what we make of them by this."""
    raw = np.random.Philox(key=1).random_raw(4).tolist()
    u = [(r >> 11) / 2**53 for r in raw]
    z = [math.sqrt(-2 * math.log(1 - u[0])) * f(2 * math.pi * u[1]) for f in (math.cos, math.sin)]
    got = rows("noise_gaussian", mean=1, sd=10, hold_ms=0.2, duration_ms=0.4, seed=1)
    assert got == [round(100 * (1 + 10 * z[0]))] * 2 + [round(100 * (1 + 10 * z[1]))] * 2
    binary = rows("noise_binary", low=-1, high=1, hold_ms=0.1, duration_ms=0.4, seed=1)
    assert binary == [100 if x < 0.5 else -100 for x in u]
    # Specifications that were kept mean these rows: whoever changes them makes another generator.
    for name, promised in (
        ("noise_gaussian", "e5d943b914b299a0905f84c92cbdbccec67fc9cff00842ef4a4607fe69935569"),
        ("noise_binary", "1aabe5a1621ad2b235c09634240db9a595760e268ba1b12f56896fe3a6144668"),
    ):
        assert hashlib.sha256(make(spec_of(name, seed=7)).rows.astype("<i2").tobytes()).hexdigest() == promised
    assert rows("noise_gaussian", seed=7) != rows("noise_gaussian", seed=8)


def test_noise_has_the_mean_and_the_deviation_that_it_says() -> None:
    """100,000 draws: the mean within four standard errors, the deviation within 1 %."""
    percent = make(spec_of("noise_gaussian", mean=5, sd=20, hold_ms=0.1, duration_ms=10_000, **BARE)).percent
    assert percent.mean() == pytest.approx(5, abs=4 * 20 / math.sqrt(100_000))
    assert percent.std() == pytest.approx(20, rel=0.01)
    high = make(spec_of("noise_binary", probability=0.25, high=50, hold_ms=0.1, duration_ms=10_000, **BARE)).percent
    assert (high == 50).mean() == pytest.approx(0.25, abs=0.006)
    assert make(spec_of("noise_binary", probability=0)).percent.max() == 0
    assert make(spec_of("noise_binary", probability=1, post_ms=0)).percent.min() == 50


def test_what_is_beyond_100_percent_is_cut_and_counted_or_refused() -> None:
    """A sine of 100 % about 50 % is beyond 100 % where its sine is above a half: a third of a cycle, ends apart."""
    spec = spec_of("sine", amplitude=100, mean=50, frequency_hz=100, duration_ms=10, **BARE)
    waveform = make(spec)
    assert waveform.rows.max() == 10_000
    assert waveform.n_clipped == sum(math.sin(2 * math.pi * k / 100) > 0.50005 for k in range(100)) == 33
    with pytest.raises(ConfigError, match=r"rows are beyond 100 %, the first is row 9 with 103\.583 %"):
        make(spec, limits="refuse")


def test_rounding_is_away_from_zero_and_mirrored() -> None:
    percent = np.array([0.005, -0.005, 0.004, 0.015, -0.015, 100.004, -100.0])
    assert quantised(percent, limits="refuse").rows.tolist() == [1, -1, 0, 2, -2, 10_000, -10_000]
    with pytest.raises(ConfigError, match="row 1 of the stimulus is nan"):
        quantised(np.array([0.0, np.nan]))
    assert quantised(np.array([1e308, -1e308])).rows.tolist() == [10_000, -10_000]


def test_rows_cannot_be_changed_behind_somebodys_back() -> None:
    for waveform in (make(spec_of("sine")), repeated(make(spec_of("sine")), 2)):
        with pytest.raises(ValueError, match="read-only"):
            waveform.rows[0] = 1


def test_sequences_and_repeats() -> None:
    a = spec_of("constant", level=1, duration_ms=0.1)
    b = spec_of("constant", level=2, duration_ms=0.2)
    waveform = make({"sequence": [a, {"sequence": [b], "repeat": 2}], "repeat": 2})
    assert waveform.rows.tolist() == [100, 200, 200, 200, 200] * 2
    joined = concatenated([make(a), make(b)])
    assert joined.rows.tolist() == [100, 200, 200]
    assert make(joined.spec).rows.tolist() == joined.rows.tolist()
    assert repeated(joined, 2).rows.tolist() == [100, 200, 200] * 2
    assert make(repeated(joined, 2).spec).rows.tolist() == [100, 200, 200] * 2
    assert concatenated([make(a), Waveform(make(b).rows)]).spec is None
    with pytest.raises(ConfigError, match="has no rows"):
        concatenated([])
    with pytest.raises(ConfigError, match="cannot be repeated 0 times"):
        repeated(joined, 0)


@pytest.mark.parametrize("one", GENERATORS, ids=lambda one: one.name)
def test_every_generator_makes_something_of_its_defaults_and_its_json(one: object) -> None:
    """As many rows as planned, within the limits, the same again from the JSON of its specification."""
    waveform = make({"generator": one.name})  # type: ignore[attr-defined]
    assert 0 < waveform.n_rows <= 20_000
    assert np.abs(waveform.rows).max() <= 10_000
    assert waveform.n_clipped == 0
    assert waveform.rows.any()
    again = make(json.loads(json.dumps(waveform.spec)))
    assert again.rows.tolist() == waveform.rows.tolist()
    assert again.spec == waveform.spec


def test_the_table_says_all_that_a_form_needs() -> None:
    for entry in json.loads(json.dumps(table())):
        assert entry["title"] and entry["description"]
        names = [parameter["name"] for parameter in entry["parameters"]]
        assert len(set(names)) == len(names)
        for parameter in entry["parameters"]:
            assert parameter["minimum"] <= parameter["default"] <= parameter["maximum"], parameter
            assert parameter["unit"] in {"%", "ms", "Hz", "deg", "1"}
            assert parameter["description"]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (None, "a map with either"),
        ([], "a map with either"),
        ({}, "a map with either"),
        ({"generator": "sine", "sequence": []}, "a map with either"),
        ({"generator": "sin"}, "did you mean 'sine'"),
        ({"generator": 7}, "no stimulus generator 7"),
        ({"generator": ["sine"]}, "no stimulus generator"),
        ({"generator": "x" * 5000}, "no stimulus generator 'xxxx"),
        ({"generator": "sine", "value": {}}, "has no 'value'"),
        ({"generator": "sine", "values": [1]}, '"values" of sine must be a map'),
        ({"generator": "sine", "values": {"freq": 1}}, "has no parameter 'freq'; did you mean 'frequency_hz'"),
        ({"generator": "sine", "values": {1: 1}}, "has no parameter 1"),
        ({"generator": "sine", "values": {"mean": "5"}}, "mean of sine is '5'; give a number from -100 to 100 %"),
        ({"generator": "sine", "values": {"mean": True}}, "mean of sine is True"),
        ({"generator": "sine", "values": {"mean": math.nan}}, "mean of sine is nan"),
        ({"generator": "sine", "values": {"mean": math.inf}}, "mean of sine is inf"),
        ({"generator": "sine", "values": {"mean": 10**400}}, "mean of sine is 1000"),
        ({"generator": "sine", "values": {"mean": 100.1}}, "from -100 to 100 %"),
        ({"generator": "sine", "values": {"frequency_hz": 5001}}, "from 0 to 5000 Hz"),
        ({"generator": "sine", "values": {"duration_ms": 12.34}}, "a row is 0.1 ms, so write 12.3"),
        ({"generator": "sine", "values": {"duration_ms": 0}}, "from 0.1 to 600000 ms"),
        ({"generator": "steps", "values": {"count": 2.5}}, "count of steps is 2.5; give a whole number"),
        ({"generator": "steps", "values": {"count": 0}}, "from 1 to 100000"),
        ({"generator": "pulses", "values": {"width_ms": 3, "period_ms": 2}}, "longer than period_ms, 2 ms"),
        ({"generator": "noise_binary", "values": {"probability": 1.1}}, "from 0 to 1"),
        ({"generator": "noise_binary", "values": {"seed": -1}}, "seed of noise_binary is -1"),
        ({"sequence": []}, "at least one"),
        ({"sequence": {"generator": "sine"}}, "at least one"),
        ({"sequence": [{"generator": "sine"}], "repeat": 0}, '"repeat" is 0'),
        ({"sequence": [{"generator": "sine"}], "repeat": 1.0}, '"repeat" is 1.0'),
        ({"sequence": [{"generator": "sine"}], "repeat": True}, '"repeat" is True'),
        ({"sequence": [{"generator": "sine"}], "times": 2}, "has no 'times'"),
        ({"sequence": [{"generator": "constant"}] * 1001}, "more than 1000 parts"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_reason(spec: object, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        make(spec)
    assert text in str(refused.value)
    assert len(str(refused.value)) < 500


def test_one_that_is_too_long_is_refused_before_any_memory_is_taken() -> None:
    """A hundred thousand steps of twenty minutes would be terabytes."""
    with pytest.raises(ConfigError, match=f"would have 1200000000000 rows .* at most {MAX_ROWS} "):
        make({"generator": "steps", "values": {"count": 100_000, "on_ms": 600_000, "off_ms": 600_000, "post_ms": 0}})
    with pytest.raises(ConfigError, match="at most"):
        make({"sequence": [{"generator": "sine"}], "repeat": 6_000_000})
    deep: object = {"generator": "sine"}
    for _ in range(5000):
        deep = {"sequence": [deep]}
    with pytest.raises(ConfigError, match="more than 8 deep"):
        checked_spec(deep)


def test_defaults_are_filled_in_and_whole_numbers_stay_whole() -> None:
    spec = spec_of("steps", count=3.0, first=7)
    assert spec["values"]["count"] == 3
    assert isinstance(spec["values"]["count"], int)
    assert spec["values"]["first"] == 7.0
    assert set(spec["values"]) == {parameter.name for parameter in generator("steps").parameters}


def test_a_preview_hides_no_peak() -> None:
    """One row of 60,000 at the top shows, in the line that stands for it."""
    values = np.zeros(60_000, np.int16)
    values[31_234] = 10_000
    least, greatest = envelope(values, 80)
    assert (least.max(), greatest.max(), int(greatest.argmax())) == (0, 10_000, 31_234 * 80 // 60_000)
    lines = braille_plot(values, width=40, height=3, low=-10_000, high=10_000)
    assert [len(line) for line in lines] == [40] * 3
    assert [index for index, c in enumerate(lines[0]) if c != "\u2800"] == [20]


def test_a_preview_of_few_values_is_as_wide_as_asked() -> None:
    """Two values over one cell: left column at the bottom, right column joined up to the top."""
    assert braille_plot(np.array([0.0, 3.0]), width=1, height=1, low=0, high=3) == [chr(0x2800 | 0x40 | 0xB8)]
    (line,) = braille_plot(np.array([1.0]), width=5, height=1, low=0, high=3)
    assert line == chr(0x2800 | 0x04 | 0x20) * 5
