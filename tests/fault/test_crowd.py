"""Several devices, several clients, some of which never take a message: nothing is lost, and memory stays bounded."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "perf"))

from crowd import crowd

N_DEVICES = int(os.environ.get("CROWD_DEVICES", "3"))
N_CLIENTS = int(os.environ.get("CROWD_CLIENTS", "6"))
N_STALLED = int(os.environ.get("CROWD_STALLED", "2"))
SECONDS = float(os.environ.get("CROWD_SECONDS", "6"))


def test_stalled_clients_cost_nobody_anything(tmp_path: Path) -> None:
    """Files have every sample that the boards sent, and a stalled client keeps at most 2 MB of the daemon's memory."""
    run = crowd(tmp_path, n_devices=N_DEVICES, n_clients=N_CLIENTS, n_stalled=N_STALLED, seconds=SECONDS)
    print(run)
    assert run.missing_samples == 0
    assert run.n_blocks > 50 * N_CLIENTS
    # Some of what grows is Python's own; a stalled client that were not bounded would cost 160 kB a second and device.
    assert run.stalled_bytes < 2e6
