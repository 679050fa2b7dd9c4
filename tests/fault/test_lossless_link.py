"""The link that loses nothing: a damaging channel between a device with a memory and the host, sample for sample."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from helpers.simulated_link import Channel, SimulatedDevice, Simulation
from spikedaq.model import Block, Event, EventKind, Gap, GapCause
from spikedaq.wire import Connection, Frame

# 10**6 in `make fault`, by hand.
BLOCKS = int(os.environ.get("SPIKEDAQ_LINK_BLOCKS", "6000"))
V3 = {"depth": 128, "memory_bytes": 96 * 1024}


@dataclass
class Ledger:
    """Every sample once: received, or in a gap that says why."""

    device: SimulatedDevice
    next_step: int = 0
    samples: int = 0
    gaps: dict[GapCause, int] = field(default_factory=dict)
    spikes: list[int] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)

    def take(self, item: Any) -> None:
        """Enter what the connection gives out."""
        if isinstance(item, Block):
            assert item.first_step == self.next_step
            waveforms = self.device.waveforms
            np.testing.assert_array_equal(item.samples, waveforms.samples[item.first_step % len(waveforms.samples)])
            self.samples += item.n_samples
            self.next_step = item.next_step
            self.seqs.append(item.seq)
        elif isinstance(item, Gap):
            assert item.first_step == self.next_step
            assert item.first_tick == item.first_step * 100
            self.gaps[item.cause] = self.gaps.get(item.cause, 0) + item.n_steps
            self.next_step = item.first_step + item.n_steps
        elif isinstance(item, Event) and item.kind == EventKind.SPIKE:
            self.spikes.append(item.step)
            self.seqs.append(item.seq)


def campaign(seed: int, *, flips: float, drops: float, doubles: float, overruns: float = 0.0, **memory: int):
    """Run the device through the channel; check what must hold whatever the damage."""
    device = SimulatedDevice(seed, overruns=overruns, **(memory or V3))
    ledger = Ledger(device)
    replay = Connection()
    again = Ledger(device)
    kept = 0

    def keep(frames: list[Frame]) -> None:
        nonlocal kept
        kept += len(frames)
        for frame in frames:
            for item in replay.receive_frame(frame):
                again.take(item)

    down = Channel(seed + 1, flips=flips, drops=drops, doubles=doubles)
    up = Channel(seed + 2, flips=flips, drops=drops, doubles=doubles)
    simulation = Simulation(device, down, up, ledger.take, keep)
    simulation.start()
    simulation.run(BLOCKS)
    simulation.settle()

    host = simulation.host
    counters = host.connection.counters
    lost, overrun = ledger.gaps.get(GapCause.LOST, 0), ledger.gaps.get(GapCause.OVERRUN, 0)
    # Received and recorded as a gap is what was sent, exactly, and the counters say the same.
    assert ledger.next_step == device.step
    assert ledger.samples + lost + overrun == device.step
    assert (counters.lost_samples, counters.overrun_samples) == (lost, overrun)
    assert lost + overrun >= device.overrun_samples
    assert not host.connection.held and host.connection.missing() == []
    # Each frame has come, once and in order, or is counted as missing.
    assert kept + counters.frames_missing == device.n_frames
    assert host.resend.counters.given_up + counters.overflows == counters.frames_missing
    assert ledger.seqs == sorted(set(ledger.seqs))
    came = set(ledger.spikes)
    assert ledger.spikes == [step for step in device.events if step in came]
    # The journal, read by somebody who knows nothing of all this, says the same.
    assert (again.samples, again.gaps, again.spikes) == (ledger.samples, ledger.gaps, ledger.spikes)
    assert replay.counters.frames_missing == counters.frames_missing
    assert replay.counters.duplicates == 0
    # The channel did something, and memory was bounded.
    assert down.flipped > 0 and down.dropped > 0
    assert host.most_held <= 2 * device.depth + 65
    assert host.most_held_bytes < 4 * 2**20 + 5000
    resend = host.resend.counters
    print(
        f"\n{device.n_blocks} blocks, seed {seed}, {device.n_frames} frames; "
        f"{down.flipped} bits flipped, {down.dropped} frames dropped, {down.doubled} doubled on the way to the host; "
        f"{counters.late} frames came again, {counters.duplicates} doubles kept out, "
        f"{resend.requests} requests, {resend.timeouts} timeouts; "
        f"missing {counters.frames_missing} frames, {lost} samples; "
        f"held at most {host.most_held} frames, {host.longest_held_ns / 1e6:.0f} ms"
    )
    return simulation, ledger


@pytest.mark.timeout(3600)
def test_every_sample_is_received_or_recorded_as_a_gap() -> None:
    """At 10^-5 per bit with drops, doubles and overruns of the device: nothing is unaccounted for, nothing is wrong."""
    simulation, ledger = campaign(1, flips=1e-5, drops=1e-3, doubles=1e-3, overruns=1e-3)
    assert simulation.host.connection.counters.late > 0
    assert ledger.gaps[GapCause.OVERRUN] > 0


@pytest.mark.timeout(3600)
def test_with_the_depth_of_v3_no_sample_is_lost() -> None:
    """At 10^-6 per bit with drops and doubles, 128 frames or 96 KiB of memory bring back all of them."""
    simulation, ledger = campaign(2, flips=1e-6, drops=1e-4, doubles=1e-4)
    assert ledger.samples == simulation.device.step
    assert ledger.gaps == {}
    assert simulation.host.connection.counters.frames_missing == 0


@pytest.mark.timeout(3600)
def test_a_short_memory_loses_exactly_what_it_says() -> None:
    """A device with 4 frames of memory in a bad channel: much is lost, all of it is in gaps."""
    simulation, ledger = campaign(3, flips=3e-5, drops=1e-2, doubles=1e-3, depth=4, memory_bytes=4096)
    assert ledger.gaps[GapCause.LOST] > 0
    assert simulation.host.connection.counters.late > 0
