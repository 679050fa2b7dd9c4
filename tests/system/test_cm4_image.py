"""The image of the Cortex-M4F stand-in, run in QEMU without a host: the same bytes always, and all of them good."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from helpers.simulators import CM4_IMAGE, built, tool
from spikedaq.model import Block, Event
from spikedaq.wire import Connection

STEPS = 20000


def play(output: Path, *arguments: str) -> bytes:
    """Run it under -icount, where time is the number of instructions, and return what left the UART."""
    semihosting = ",".join(["enable=on,target=native", *(f"arg={a}" for a in ("spikedaq-cm4", *arguments))])
    command = [tool("qemu-system-arm", "qemu-system-arm"), "-M", "mps2-an386", "-display", "none", "-monitor", "none"]
    command += ["-icount", "shift=3,sleep=off", "-semihosting-config", semihosting]
    command += ["-kernel", str(built(CM4_IMAGE, "firmware-cm4")), "-serial", f"file:{output}"]
    subprocess.run(command, check=True, timeout=120)
    return output.read_bytes()


def test_two_runs_give_the_same_bytes_and_no_step_is_missing(tmp_path: Path) -> None:
    """20,000 steps of the script at 10 kHz: byte for byte the same, consecutive, nothing discarded."""
    data = play(tmp_path / "first", f"steps={STEPS}", "seed=3", "boot_id=9")
    assert play(tmp_path / "second", f"steps={STEPS}", "seed=3", "boot_id=9") == data

    connection = Connection()
    received = connection.receive(data)
    assert connection.info is not None
    assert (connection.info.board, connection.info.boot_id) == ("qemu_cm4", 9)
    blocks = [r for r in received if isinstance(r, Block)]
    first = 0
    for block in blocks:
        assert block.first_step == first
        first += len(block.samples)
    assert first == STEPS
    samples = np.concatenate([block.samples for block in blocks])
    spikes = [r for r in received if isinstance(r, Event)]
    assert len(np.unique(samples[:, 0])) > 100, "the neuron rests all the time"
    assert spikes
    counters = connection.counters
    assert (counters.bad_frames, counters.malformed, counters.frames_missing) == ({}, 0, 0)


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    """What the test above compares does depend on what the firmware computes."""
    assert play(tmp_path / "a", "steps=3000", "seed=3") != play(tmp_path / "b", "steps=3000", "seed=4")
