"""What the tests of the store record: a made-up journal, a pure function of its seed, and how to put it in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spikedaq.model import (
    Block,
    BlockFlag,
    ChannelInfo,
    ClampMode,
    ClockMap,
    DeviceInfo,
    Event,
    Gap,
    GapCause,
    Holder,
    ParameterInfo,
    ParameterType,
    PresetInfo,
    Trait,
)
from spikedaq.store import FileMeta, RecordingFile, RecordingWriter, open_recording

CHANNELS = (
    ChannelInfo("vm", "mV", 1, -2),
    ChannelInfo("stimulus", "%", 1, 0),
    ChannelInfo("i_total", "a.u.", 1, -2),
    ChannelInfo("syn1_vm", "mV", 1, -2),
    ChannelInfo("syn1_i", "a.u.", 1, -2),
    ChannelInfo("syn2_vm", "mV", 1, -2),
    ChannelInfo("syn2_i", "a.u.", 1, -2),
    ChannelInfo("trigger", "1", 1, 0),
)
CLAMP_CHANNELS = (
    CHANNELS[0],
    ChannelInfo("v_command", "mV", 1, -2),
    ChannelInfo("i_clamp_out", "a.u.", 1, -2),
    *CHANNELS[3:],
)
PARAMETERS = tuple(
    ParameterInfo(name, unit, ParameterType.FLOAT, -100.0, 100.0, 0.0, value, Holder.KNOB)
    for name, unit, value in (("a", "1", 0.02), ("b", "1", 0.2), ("i_clamp", "a.u.", 5.0), ("noise_sd", "a.u.", 0.0))
)
INFO = DeviceInfo(
    unique_id="0011223344556677",
    boot_id=77,
    board="native",
    firmware_version="0.1.0",
    build_hash="abcdef",
    protocol_version=(1, 0),
    step_us=100,
    block_samples=100,
    resend_depth=256,
    stimulus_capacity=20000,
    codecs=1,
    max_request_bytes=256,
    running=True,
    channels=CHANNELS,
    parameters=PARAMETERS,
    presets=(PresetInfo("tonic spiking", 0.02, 0.2, -65.0, 6.0, -70.0),),
    counts=(8, 4, 1),
)
REFERENCE_HOST_NS = 5_000_000_000_000
META = FileMeta(
    session="2026-05-01_tonic",
    bench="bench",
    device="alpha",
    number=3,
    info=INFO,
    reference_utc_ns=1_790_000_000_123_456_000,
    reference_host_ns=REFERENCE_HOST_NS,
    step_us=100,
    config={"roll": {"seconds": 3600}, "name": "Gerät 1"},
    recording={"mode": {"kind": "continuous"}, "roll": {"seconds": 60.0}, "triggers": []},
    notes="first trial",
    experimenter="Jane Doe",
    institution="Example University",
    lab="Neurobiology course",
)
CLAMP_META = replace(
    META, info=replace(INFO, traits=Trait.VOLTAGE_CLAMP, clamp_channels=CLAMP_CHANNELS), mode=ClampMode.VOLTAGE
)
FIRST_TICK = 2**32 - 5_000_000


@dataclass(frozen=True)
class Entry:
    """One thing to append, with the journal offset after it."""

    offset: int
    put: Callable[[RecordingWriter], None]
    block: Block | None = None


def meta_for(step_us: int = 100, block_samples: int = 100, **changes: Any) -> FileMeta:
    info = replace(INFO, step_us=step_us, block_samples=block_samples)
    return replace(META, step_us=step_us, **{"info": info, **changes})


def make_journal(
    n_blocks: int,
    seed: int = 1,
    *,
    step_us: int = 100,
    n: int = 100,
    events: bool = True,
    gaps: bool = True,
    mode: ClampMode = ClampMode.CURRENT,
) -> list[Entry]:
    """Blocks of a running device, with everything else that can happen to it in between."""
    rng = np.random.default_rng(seed)
    entries: list[Entry] = []
    offset, step, tick, seq, loop = 1000, 4000, FIRST_TICK, 17, 0
    clock = ClockMap(77, FIRST_TICK - 1_000_000, REFERENCE_HOST_NS - 900_000_000, 1000.013, 20_000)

    def add(put: Callable[[RecordingWriter, int], None], block: Block | None = None) -> None:
        nonlocal offset
        offset += int(rng.integers(20, 2000))
        entries.append(Entry(offset, lambda w, at=offset: put(w, at), block))  # type: ignore[misc]

    def event(kind: int, index: int, value: float) -> None:
        nonlocal seq
        seq = (seq + 1) % 2**32
        item = Event(77, seq, kind, step - 7, tick - 7 * step_us, index, value)
        add(lambda w, at, c=clock: w.rows.append_event(item, c, at))  # type: ignore[misc]

    add(lambda w, at, c=clock: w.rows.append_clock_map(c, REFERENCE_HOST_NS, at))  # type: ignore[misc]
    fit = (REFERENCE_HOST_NS, clock.boot_id, clock.tick0, clock.t_host0_ns, clock.ns_per_tick, 20_000, 3, 150_000)
    add(lambda w, at: w.rows.append_clock_fit(fit, at))
    for k in range(n_blocks):
        count = n if rng.random() < 0.97 else int(rng.integers(1, n + 1))
        flags, missing = BlockFlag(BlockFlag.VOLTAGE_CLAMP if mode is ClampMode.VOLTAGE else 0), []
        if gaps and k and rng.random() < 0.02:
            cause = list(GapCause)[int(rng.integers(0, 4))]
            n_missing = int(rng.integers(1, 500))
            missing.append(Gap(77, 0, step, n_missing, tick, cause))
            step, tick, seq = step + n_missing, tick + n_missing * step_us, seq + 1
            flags |= BlockFlag.AFTER_OVERRUN if cause == GapCause.OVERRUN else BlockFlag(0)
        samples = make_samples(rng, count)
        if rng.random() < 0.03:
            samples[2, 0] = 32767
            flags |= BlockFlag.SATURATED
        seq = (seq + 1) % 2**32
        block = Block(77, seq, 0, step, tick, step_us, flags, samples.T)

        def put(
            w: RecordingWriter, at: int, block: Block = block, missing: list[Gap] = missing, c: ClockMap = clock
        ) -> None:
            for gap in missing:
                w.rows.append_gap(gap, c, at)
            w.append_block(block, c, at, REFERENCE_HOST_NS + at)

        add(put, block)
        step, tick = block.next_step, block.next_tick
        if k % 150 == 149:
            # The next piece starts where this one is: continuous, another slope.
            slope = 1000 + float(rng.normal(0, 0.02))
            clock = ClockMap(77, tick, clock.host_ns(tick), slope, int(rng.integers(9_000, 30_000)))
            add(lambda w, at, c=clock, t=tick: w.rows.append_clock_map(c, c.host_ns(t), at))  # type: ignore[misc]
        if not events:
            continue
        if rng.random() < 0.3:
            event(0, 0, float(rng.normal(30, 3)))
        if k % 20 == 5:
            loop += 1 if rng.random() < 0.9 else 2
            event(1, loop, 0.0)
        if rng.random() < 0.02:
            event(2, int(rng.integers(0, 5)), float(rng.normal(0, 10)))
        if rng.random() < 0.02:
            event(int(rng.integers(3, 6)), 3, 1.0)
        if rng.random() < 0.01:
            text = "nöte " * int(rng.integers(1, 250))
            add(lambda w, at, s=text, t=tick: w.rows.append_note(REFERENCE_HOST_NS + t, s, "me", at))  # type: ignore[misc]
        if rng.random() < 0.01:
            value = None if rng.random() < 0.5 else 12.5
            add(lambda w, at, v=value, t=tick: w.rows.append_parameter(REFERENCE_HOST_NS + t, "i_clamp", v, "web", at))  # type: ignore[misc]
    return entries


def make_samples(rng: np.random.Generator, n: int) -> Any:
    """Channel-major samples, some channels constant, as a device's are. Shape (8, n)."""
    samples = np.zeros((8, n), np.int16)
    samples[0] = rng.integers(-9000, 3001, n)
    samples[1] = 50
    samples[2] = rng.integers(-32767, 32768, n)
    samples[3] = rng.integers(-11300, -11000, n)
    samples[4:7] = -5
    samples[7] = rng.random(n) < 0.01
    return samples


def apply(writer: RecordingWriter, entries: list[Entry], flush_every: int = 7) -> Iterator[Entry]:
    """Put every entry after the writer's cursor into it; yields each after it is in."""
    cursor = writer.cursor
    for k, entry in enumerate(e for e in entries if e.offset > cursor):
        entry.put(writer)
        if k % flush_every == 0:
            writer.flush()
        yield entry


def record(path: Path, entries: list[Entry], meta: FileMeta = META, reason: str = "stopped") -> Any:
    """Record all entries into a new file and close it."""
    writer = RecordingWriter.create(path, meta, 990)
    for _ in apply(writer, entries):
        pass
    return writer.close(reason)


def expected_samples(entries: list[Entry]) -> Any:
    return np.concatenate([e.block.samples for e in entries if e.block is not None])


def expected_steps(entries: list[Entry]) -> Any:
    blocks = [e.block for e in entries if e.block is not None]
    return np.concatenate([np.arange(b.first_step, b.next_step) for b in blocks])


def contents(recording: RecordingFile) -> dict[str, Any]:
    """Everything that a reader gets to see, to be compared."""
    return {
        "samples": recording.samples().tolist(),
        "timestamps": recording.timestamps().tolist(),
        "steps": recording.steps().tolist(),
        "blocks": recording.blocks.tolist(),
        "gaps": recording.gaps,
        "events": recording.events,
        "parameters": recording.parameters,
        "notes": recording.notes,
        "clock_maps": recording.clock_maps,
        "meta": recording.meta,
        "cursor": recording.cursor,
    }


def read_contents(path: Path) -> dict[str, Any]:
    with open_recording(path) as recording:
        return contents(recording)
