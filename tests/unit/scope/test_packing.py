"""Packed traces have every value, in fewer bytes than a viewer may cost."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from spikedaq.scope.frames import decode_bins, encode_bins
from spikedaq.scope.packing import pack, unpack
from spikedaq.scope.pyramid import Bins
from spikedaq.scope.traces import TOLD_AGAIN, Traces

LIMIT_BYTES_PER_S = 150_000
TEXT_BYTES_PER_S = 12_000
"""What the server says besides, once a second and at each spike."""
FRAMES_PER_S = 25
Samples = npt.NDArray[np.int16]


@pytest.mark.parametrize(
    ("row", "packed"),
    [
        ([5], "00 0500"),
        ([-2, -2, -2], "00 feff"),
        ([1, 2, 0], "01 0100 01 fe"),
        ([0, 127, 0], "01 0000 7f 81"),
        ([0, 1, 2, 130, 131], "01 0000 01 01 80 8200 01"),
        ([0, 0, 0, -128, -128], "01 0000 00 00 80 80ff 00"),
        ([0, 0, 0, 32767, 32767], "01 0000 00 00 80 ff7f 00"),
        ([-32768, -32768, 32767, 32767, 32767], "01 0080 00 80 ff7f 00 00"),
        ([0, 1000], "02 0000 e803"),
        ([0, 1000, 1000], "02 0000 e803 e803"),
    ],
    ids=str,
)
def test_bytes_worked_out_by_hand(row: list[int], packed: str) -> None:
    rows = np.array([row], np.int16)
    assert pack(rows) == bytes.fromhex(packed)
    assert unpack(bytes.fromhex(packed), 1, len(row)).tolist() == [row]


@given(st_numpy.arrays(np.int16, st.tuples(st.integers(1, 6), st.integers(1, 40))))
def test_whatever_is_packed_comes_back(rows: Samples) -> None:
    """And takes at most one byte a row more than it took."""
    packed = pack(rows)
    assert np.array_equal(unpack(packed, *rows.shape), rows)
    assert len(packed) <= rows.nbytes + len(rows)


@given(st_numpy.arrays(np.int16, (2, 60), elements=st.integers(-200, 200)))
def test_small_steps_between_large_ones_come_back(rows: Samples) -> None:
    assert np.array_equal(unpack(pack(rows), 2, 60), rows)


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\3\0\0", b"\1\0\0", b"\2\0\0\1", b"\0\0\0\0", b"\1\0\0\x80\1"])
def test_what_is_no_row_of_two_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unpack(data, 1, 2)


def test_a_bin_without_samples_comes_back_as_one() -> None:
    low, high = np.full((2, 5), 7, np.int16), np.full((2, 5), 9, np.int16)
    low[:, 3], high[:, 3] = 32767, -32768
    header, bins = decode_bins(encode_bins({}, Bins(0, 40, low, high), is_packed=True))
    assert (header["flat"], header["packed"], bins.first) == (False, True, 40)
    assert (bins.low.tolist(), bins.high.tolist()) == (low.tolist(), high.tolist())


def neuron(noise_ua: float, seconds: float = 4.0) -> Samples:
    """Eight channels of a neuron that fires tonically, at 10 kHz, with their noise, as a device scales them.

    Source: Izhikevich (2003), IEEE Transactions on Neural Networks 14, 1569; a = 0.02, b = 0.2, c = -65, d = 6.
    """
    rng = np.random.default_rng(1)
    n = int(seconds * 10_000)
    noise = rng.normal(0, noise_ua, n)
    v, u, syn = -65.0, -13.0, 0.0
    out = np.zeros((n, 8))
    for k in range(n):
        current = 15 + noise[k] + syn + (20 if k % 2000 < 1000 else 0)
        v += 0.1 * (0.04 * v * v + 5 * v + 140 - u + current)
        u += 0.1 * 0.02 * (0.2 * v - u)
        syn *= 0.999
        if v >= 30:
            v, u, syn = -65.0, u + 6, syn + 1
        stimulus = 20 if k % 2000 < 1000 else 0
        out[k] = (v / 0.01, stimulus, current / 0.01, -65 / 0.01 + 100 * syn, syn / 0.01, -6500, 0, k % 2000 == 0)
    return np.clip(np.rint(out), -32768, 32767).astype(np.int16)


def sent(samples: Samples, level: int, *, is_packed: bool) -> list[bytes]:
    """What a viewer of a level is sent, with the device's blocks of 100 and a frame every 40 ms."""
    traces = Traces("bench", "alpha")
    frames = []
    for step in range(0, len(samples), 100):
        header = {"boot": 4_000_000_000, "step": step, "step_us": 100, "t_ns": 10**15 + step * 100_000, "epoch": "e"}
        traces.take(header, samples[step : step + 100])
        if (step + 100) % 400 == 0:
            frame = traces.news(level, is_packed=is_packed)
            assert frame is not None
            frames.append(frame)
    return frames[1:]


@pytest.mark.parametrize("noise_ua", [0.0, 3.0, 11.67])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_viewer_costs_less_than_its_limit_at_any_zoom(level: int, noise_ua: float) -> None:
    """Eight channels at 10 kHz that spike all the time, up to the most noise that the knob gives; spikes are whole."""
    samples = neuron(noise_ua)
    assert (samples[:, 0] > 0).any(), "it spikes"
    frames = sent(samples, level, is_packed=True)
    per_s = sum(map(len, frames)) / len(frames) * FRAMES_PER_S
    print(f"level {level}, noise {noise_ua}: {per_s / 1000:.0f} KB/s")
    assert per_s + TEXT_BYTES_PER_S < LIMIT_BYTES_PER_S
    high: dict[int, int] = {}
    for frame in frames:
        _, bins = decode_bins(frame)
        for k, value in enumerate(bins.high[0].tolist()):
            high[bins.first + k] = max(high.get(bins.first + k, -32768), value)
    for number, value in high.items():
        if number << level >= 400:
            assert value == samples[number << level : (number + 1) << level, 0].max()


def test_unpacked_it_costs_more_than_the_limit() -> None:
    """Otherwise nobody would need it."""
    frames = sent(neuron(0.0, 1.0), 0, is_packed=False)
    assert sum(map(len, frames)) / len(frames) * FRAMES_PER_S > LIMIT_BYTES_PER_S


def test_packed_and_not_are_told_by_themselves() -> None:
    """A viewer of each gets all of it, whoever is served first."""
    samples = neuron(0.0, 0.3)
    traces = Traces("bench", "alpha")
    got: dict[bool, dict[int, int]] = {True: {}, False: {}}
    for step in range(0, 2000, 100):
        header: dict[str, Any] = {"boot": 1, "step": step, "step_us": 100, "t_ns": None, "epoch": "e"}
        traces.take(header, samples[step : step + 100])
        for is_packed, values in got.items():
            frame = traces.news(0, is_packed=is_packed)
            assert frame is not None
            told, bins = decode_bins(frame)
            assert told.get("packed", False) is is_packed
            values.update(enumerate(bins.low[0].tolist(), bins.first))
    assert got[True] == got[False] == dict(enumerate(samples[99:2000, 0].tolist(), 99))


def test_floats_are_not_packed() -> None:
    traces = Traces("bench", "alpha", "imaging")
    header = {"boot": 1, "step": 100, "step_us": 100, "pitch_steps": 100, "t_ns": None, "epoch": "e"}
    traces.take(header, np.ones((3, 2), np.float32))
    frame = traces.news(0, is_packed=True)
    assert frame is not None
    (length,) = struct.unpack_from("<I", frame)
    assert "packed" not in json.loads(frame[4 : 4 + length])


def test_a_device_that_stands_still_is_told_of_once_a_second() -> None:
    """Twenty-five times a second the same bin would go to every viewer; but who comes late needs it."""
    traces = Traces("bench", "alpha")
    header: dict[str, Any] = {"boot": 1, "step": 0, "step_us": 100, "t_ns": None, "epoch": "e"}
    traces.take(header, np.ones((100, 2), np.int16))
    told = [traces.news(3) is not None for _ in range(3 * TOLD_AGAIN)]
    assert [k for k, is_told in enumerate(told) if is_told] == [0, TOLD_AGAIN, 2 * TOLD_AGAIN]
    traces.take({**header, "step": 100}, np.ones((1, 2), np.int16))
    assert traces.news(3) is not None, "what comes is told at once"
