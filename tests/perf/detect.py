"""Measure how fast spikes are found: one hour of one channel at 10 kHz, 36 million samples.

``make bench DETECT="--minutes 10"``. The limit is 200 times real time for the detector over a trace in memory, at once
or in pieces as they are read, with hysteresis and refractory time, too. Also measured are a band-pass with a multiple
of the standard deviation, and a recording file. What was found is compared with how the trace was made.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parent.parent))

import spikedaq
from helpers.formats_recordings import Maker
from spikedaq.analysis.crossings import CrossingFinder
from spikedaq.analysis.filters import filter_of
from spikedaq.analysis.spikes import find_spikes
from spikedaq.recording import Recording

FS_HZ = 10_000
LEAST_TIMES = 200.0
PIECE = 1 << 17
SPIKE = np.concatenate([np.linspace(-65, -50, 20), [30, 30, -70], np.linspace(-75, -65, 50)])


def trace(n: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]:
    """Return 20 spikes per second on a noisy potential, in hundredths of a mV, and where each crosses -20 mV."""
    random = np.random.default_rng(1)
    raw = random.normal(-6500, 120, n).astype(np.int16)
    starts = np.cumsum(random.integers(200, 800, n // 500 + 1))
    starts = starts[starts < n - len(SPIKE)]
    for k, value in enumerate(SPIKE):
        raw[starts + k] = round(value * 100)
    return raw, starts + 20


def in_pieces(finder: CrossingFinder, vm_mv: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Find spikes as from a file or a bench."""
    return np.concatenate([finder.take(vm_mv[start : start + PIECE]) for start in range(0, len(vm_mv), PIECE)])


def main() -> None:
    """Measure, print, and exit with 1 where the detector is too slow or finds something else than what is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    arguments = parser.parse_args()
    n = int(arguments.minutes * 60 * FS_HZ)
    raw, expected = trace(n)
    vm_mv = raw * 0.01
    recorded_s = n / FS_HZ
    failed = False

    def measure(what: str, run: Callable[[], npt.NDArray[np.int64]], limit: float = 0.0) -> None:
        nonlocal failed
        began = time.perf_counter()
        found = run()
        times = recorded_s / (time.perf_counter() - began)
        right = np.array_equal(found, expected)
        failed |= times < limit or not right
        verdict = ("" if right else ", WRONG SPIKES") + ("" if times >= limit else f", SLOWER THAN {limit:g}")
        print(f"{what:44} {times:8.0f} times real time, {len(found)} spikes{verdict}")

    def of_recording(recording: Recording, **options: object) -> npt.NDArray[np.int64]:
        times_ms = recording.spike_trains(**options).trains[0]
        return np.rint(times_ms * FS_HZ / 1000).astype(np.int64)

    print(f"{arguments.minutes:g} minutes of one channel at {FS_HZ} Hz, {n} samples, {len(expected)} spikes")
    measure("in pieces", lambda: in_pieces(CrossingFinder(-20.0), vm_mv), LEAST_TIMES)
    measure(
        "in pieces, hysteresis 10 mV, refractory 2 ms",
        lambda: in_pieces(CrossingFinder(-20.0, hysteresis=10.0, refractory=20), vm_mv),
        LEAST_TIMES,
    )
    measure("at once", lambda: find_spikes(vm_mv, threshold_mv=-20.0), LEAST_TIMES)
    memory = Recording.from_numpy(raw[:, np.newaxis], FS_HZ)
    measure("of a recording in memory", lambda: of_recording(memory, threshold=-2000.0))
    band = {"lowcut": 5.0, "highcut": 4000.0, "order": 3}
    filter_of(band, FS_HZ)  # SciPy is loaded before it is measured
    measure(
        "band-passed, 8 standard deviations, read twice",
        lambda: of_recording(memory, threshold_sigma=8.0, filter=band),
    )
    with tempfile.TemporaryDirectory() as folder:
        maker = Maker(Path(folder) / "demo").open()
        for start in range(0, n, FS_HZ * 60):
            piece = raw[start : start + FS_HZ * 60]
            rows = np.zeros((len(piece), 8), np.int16)
            rows[:, 0] = piece
            maker.samples(start, rows)
        maker.close()
        with spikedaq.open(Path(folder) / "demo") as recording:
            measure("of a recording file of eight channels", lambda: of_recording(recording))
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
