"""What the boards of `many_boards.py` sent, held against what is in the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from stamped_board import N_PAYLOADS, N

from spikedaq.store import find_files, open_recording

LATE_NS = 2_000_000_000
"""What was sent so shortly before the recording was stopped may still have been on its way."""


def sent(steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
    """Return what a board sends at these steps, shape (n, 8): see `stamped_board.payload`."""
    block, k = steps[:, None] // N % N_PAYLOADS, steps[:, None] % N
    return ((block * 7 + k * 13 * np.arange(1, 9)) % 900 - 450).astype(np.int16)


def differences(steps: npt.NDArray[np.int64], samples: npt.NDArray[np.int16], first: int, end: int) -> tuple[int, int]:
    """Return how many of the steps from ``first`` to before ``end`` are missing, and how many samples are wrong.

    Wrong is what the board did not send at that step, and what is there twice or out of order.
    """
    missing = np.setdiff1d(np.arange(first, end), steps)
    wrong = (samples != sent(steps)).any(axis=1)
    wrong[1:] |= np.diff(steps) <= 0
    return len(missing), int(np.count_nonzero(wrong))


def compare(
    folder: Path, devices: list[str], stamps: list[list[tuple[int, int]]], times_ns: tuple[int, int]
) -> tuple[int, int]:
    """Return how many samples are missing in a session's files, and how many are wrong; gaps they tell of must be real.

    Parameters
    ----------
    stamps : list of list of (int, int)
        For each board the first step of each block, and when its last byte was written.
    times_ns : (int, int)
        When the recording was told as begun, and when its end was asked for: what was sent between must be there.
    """
    begun_ns, end_ns = times_ns
    missing = wrong = 0
    for device, blocks in zip(devices, stamps, strict=True):
        inside = [step for step, t_ns in blocks if begun_ns <= t_ns <= end_ns - LATE_NS]
        assert inside, f"{device} sent nothing while it was recorded"
        parts, told = [], 0
        for path in find_files(folder, device):
            with open_recording(path) as file:
                parts.append((np.asarray(file.steps(0, file.n_samples)), file.samples(0, file.n_samples)))
                told += sum(gap.gap.n_steps for gap in file.gaps)
        steps, samples = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        assert int(steps[-1] - steps[0] + 1 - len(steps)) == told, f"{device}: the files tell of {told} missing"
        found = differences(steps, samples, inside[0], inside[-1] + N)
        missing, wrong = missing + found[0], wrong + found[1]
    return missing, wrong
