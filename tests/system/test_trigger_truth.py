"""A thousand firings, exact to the step: what the daemon writes is what the definitions say of the device's own record.

SPIKEDAQ_TRIGGERS says how many firings there are to be.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from harness import TRUTH_ROW, DaemonProcess, free_ports, journal_blocks, read_truth, wait_for
from spikedaq.journal import JournalReader, TriggerRecord
from spikedaq.link.sim import find_device_program

FIRINGS = int(os.environ.get("SPIKEDAQ_TRIGGERS", "200"))
# Windows overlap: up to a hundred firings a second, each with three seconds around it.
WINDOW = "pre_s = 1\npost_s = 2\n"
TRIGGERS = {
    "each": 'when = "level"\nchannel = "vm"\nlevel = -30\n',
    "below": 'when = "level"\nchannel = "vm"\nlevel = -62.5\nedge = "falling"\nhysteresis = 1.5\nholdoff_s = 0.05\n',
    "burst": 'when = "spikes"\nspikes = 2\nwindow_s = 0.045\nedge = "either"\n',
    "rate": 'when = "rate"\nrate_hz = 30\nwindow_s = 0.1\nedge = "falling"\nholdoff_s = 0.0333\n',
    "loop": 'when = "stimulus"\n',
    "spike": 'when = "event"\nevent = "spike"\n',
}


def configuration(folder: Path) -> Path:
    path = folder / "spikedaq.toml"
    tables = [
        f'[[trigger]]\nname = "{name}"\ndevices = ["alpha"]\ntargets = ["alpha", "beta"]\n{WINDOW}{table}'
        for name, table in TRIGGERS.items()
    ]
    path.write_text("\n".join(tables))
    return path


class ConfiguredDaemon(DaemonProcess):
    """With a configuration file."""

    def __init__(self, data: Path, devices: dict[str, str], config: Path) -> None:
        super().__init__(data, devices)
        self.config = config

    def arguments(self) -> list[str]:
        return ["--config", str(self.config), *super().arguments()]


def records(folder: Path) -> list[TriggerRecord]:
    reader = JournalReader(folder)
    found = []
    while entries := reader.poll():
        found += [entry.item for entry in entries if isinstance(entry.item, TriggerRecord)]
    reader.close()
    return found


def told(record: TriggerRecord) -> list[object]:
    """Everything in it; a NaN is not itself."""
    return [getattr(record, name) for name in record.__slots__ if name != "value" or not np.isnan(record.value)]


def stretches(folder: Path, truth: np.ndarray) -> list[np.ndarray]:
    """Runs of truth rows whose samples are in the journal without a gap; these are checked on the way."""
    runs: list[list[tuple[int, int]]] = []
    for _, _, first_step, samples in journal_blocks(folder):
        first = first_step - int(truth["step"][0])
        np.testing.assert_array_equal(truth["values"][first : first + len(samples)], samples)
        if runs and runs[-1][-1][1] == first:
            runs[-1].append((first, first + len(samples)))
        else:
            runs.append([(first, first + len(samples))])
    return [truth[run[0][0] : run[-1][1]] for run in runs]


def held_off(ticks: np.ndarray, steps: np.ndarray, holdoff_us: int, last: list[int]) -> list[int]:
    kept = []
    for tick, step in zip(ticks.tolist(), steps.tolist(), strict=True):
        if not last or tick - last[0] >= holdoff_us:
            last[:] = [tick]
            kept.append(step)
    return kept


def counts(rows: np.ndarray, window: int) -> np.ndarray:
    """Spikes in the last ``window`` steps, at each step."""
    vm = rows["values"][:, 0]
    spikes = np.zeros(len(rows), np.int64)
    spikes[1:] = (vm[1:] >= -3000) & (vm[:-1] < -3000)
    total = np.concatenate([np.zeros(window, np.int64), np.cumsum(spikes)])
    return total[window:] - total[:-window]


def passed(count: np.ndarray, threshold: int, edge: str) -> np.ndarray:
    before = np.concatenate([[0], count[:-1]])
    up, down = (before < threshold) & (count >= threshold), (before >= threshold) & (count < threshold)
    return np.flatnonzero({"rising": up, "falling": down, "either": up | down}[edge])


def levels(vm: np.ndarray) -> np.ndarray:
    """Falling to -62.50 mV or below after a sample above -61.00."""
    found, armed = [], False
    for k, v in enumerate(vm.tolist()):
        if armed and v <= -6250:
            found.append(k)
            armed = False
        armed = armed or v > -6100
    return np.array(found, np.int64)


def expected(runs: list[np.ndarray]) -> dict[str, list[int]]:
    last: dict[str, list[int]] = {name: [] for name in TRIGGERS}
    found: dict[str, list[int]] = {name: [] for name in TRIGGERS if name != "spike"}
    for rows in runs:
        vm = rows["values"][:, 0]
        at = {
            "each": (passed(counts(rows, 1), 1, "rising"), 1000),
            "below": (levels(vm), 50_000),
            "burst": (passed(counts(rows, 450), 2, "either"), 1000),
            "rate": (passed(counts(rows, 1000), 3, "falling"), 33_300),
            "loop": (np.flatnonzero(rows["values"][:, 7]), 1000),
        }
        for name, (k, holdoff_us) in at.items():
            found[name] += held_off(rows["tick"][k], rows["step"][k], holdoff_us, last[name])
    return found


BOARD = ["--preset", "0", "--param", "i_clamp=8", "--param", "noise_sd=4", "--param", "stim_period=401", "--seed", "5"]


@pytest.mark.parametrize(
    "loss", [(), ("--resend-depth", "0", "--fault", "drop_frame=0.01,seed=3")], ids=["whole", "gaps"]
)
def test_firings_are_exact_to_the_step(tmp_path: Path, loss: tuple[str, ...]) -> None:
    """Six triggers at once, on a link that loses nothing and on one that loses a frame in a hundred."""
    truth_path = tmp_path / "truth"
    (port,) = free_ports(1)
    board = subprocess.Popen(
        [find_device_program(), "--tcp", f"127.0.0.1:{port}", "--record-truth", truth_path, *BOARD, *loss],
        stdout=subprocess.DEVNULL,
    )
    try:
        devices = {"alpha": f"tcp:127.0.0.1:{port}", "beta": "sim:beta?preset=0"}
        with ConfiguredDaemon(tmp_path / "data", devices, configuration(tmp_path)) as daemon:
            wait_for(
                "the firings",
                lambda: sum(t["firings"] for t in daemon.call("trigger_list")) >= FIRINGS,
                timeout_s=20 + FIRINGS / 5,
            )
            daemon.call("stop", device="alpha")
            listed = {t["name"]: t for t in daemon.call("trigger_list")}
            assert daemon.stop() == 0
    finally:
        board.terminate()
        board.wait(20)
    truth = read_truth(truth_path)
    assert truth.dtype == TRUTH_ROW
    journal = tmp_path / "data" / "journal"
    runs = stretches(journal / "alpha", truth)
    assert (len(runs) > 3) is bool(loss)
    by_alpha = records(journal / "alpha")
    wanted = expected(runs)
    for name, steps in wanted.items():
        assert [r.step for r in by_alpha if r.trigger == name] == steps, name
        assert listed[name]["firings"] == len(steps)
    assert all(steps for steps in wanted.values()), {name: len(steps) for name, steps in wanted.items()}
    tick_of = dict(zip(truth["step"].tolist(), truth["tick"].tolist(), strict=True))
    for record in by_alpha:
        assert record.device == "alpha" and record.tick == tick_of[record.step]
        assert (record.pre_us, record.post_us) == (1_000_000, 2_000_000)
    # A device's own spike events name the same steps as the crossings that are counted.
    events = [r.step for r in by_alpha if r.trigger == "spike"]
    if loss:
        assert Counter(events) <= Counter(truth["step"].tolist())
    else:
        assert events == wanted["each"]
        assert listed["spike"]["suppressed"] == 0
    # The other device's journal has the very same records; it may have been opened after the first of them.
    by_beta = records(journal / "beta")
    assert by_beta and [told(r) for r in by_beta] == [told(r) for r in by_alpha[-len(by_beta) :]]
    link = "a link that loses frames, seed 3" if loss else "a whole link"
    print(f"\n{len(by_alpha)} x fired, exact to the step, on {link}; the neuron's seed 5")
