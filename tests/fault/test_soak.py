"""A short soak: what streams for a while leaves no descriptor, thread or task behind, and hardly any memory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "perf"))

from soak import soak

SECONDS = float(os.environ.get("SOAK_SECONDS", "15"))
RATE_HZ = int(os.environ.get("SOAK_RATE_HZ", "20000"))
# In a short one caches still fill: HDF5's, the index of the history, Python's own. A leak of a few bytes per block
# shows in long ones only (make soak).
MAX_GROWN_BYTES = 30e6


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """Clients come and go, files roll, and the processes look as before."""
    run = soak(tmp_path, n_devices=2, rate_hz=RATE_HZ, seconds=SECONDS, period_s=0.25)
    print(f"{run.samples} samples: " + "; ".join(process.row() for process in run.processes))
    assert run.samples > RATE_HZ
    assert not run.not_stopped, run.not_stopped
    for process in run.processes:
        assert process.grown_bytes < MAX_GROWN_BYTES, process.row()
        early, late = halves(process.later(process.descriptors))
        assert max(late) <= max(early) + 8, process.row()
        early, late = halves(process.later(process.threads))
        assert max(late) <= max(early) + 1, process.row()
    early, late = halves(run.tasks[len(run.tasks) // 4 :])
    assert max(late) <= max(early) + 4, run.tasks


def halves(values: list[int]) -> tuple[list[int], list[int]]:
    return values[: len(values) // 2], values[len(values) // 2 :]
