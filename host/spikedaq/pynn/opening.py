"""Recorded sessions and running benches, handled as PyNN handles what it simulates."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from spikedaq.inlet import Bench, connect
from spikedaq.model import CommandRejected, ConfigError
from spikedaq.pynn.assembly import Assembly
from spikedaq.pynn.live import BenchClock, LiveDevice
from spikedaq.pynn.memory import DEFAULT_MEMORY_BYTES
from spikedaq.pynn.population import Population
from spikedaq.pynn.recorded import RecordedDevice
from spikedaq.recording import Recording, Session, open_recordings


def open_assembly(
    *source: str | Path | Session | Recording, device: str | None = None, mode: str | None = None
) -> Assembly:
    """Open a recorded session as an assembly.

    Parameters
    ----------
    *source : str or Path, or one Session or Recording
        Paths as `spikedaq.open` takes them.
    device : str, optional
        Only this one.
    mode : {"current", "voltage", "common"}, optional
        As `spikedaq.open`.

    Returns
    -------
    Assembly
        Named as the session; its devices in the order of the session.

    Raises
    ------
    StoreError
        It cannot be opened.
    """
    if len(source) == 1 and isinstance(source[0], Session | Recording):
        opened = source[0]
    else:
        paths = [one for one in source if isinstance(one, str | Path)]
        opened = open_recordings(*paths, device=device, mode=mode)
    recordings, reference = opened.devices, opened.reference_utc_ns
    label = opened.session or opened.name if isinstance(opened, Recording) else opened.name
    devices = [RecordedDevice(one, k, name, reference) for k, (name, one) in enumerate(recordings.items())]
    return Assembly(*(Population(one) for one in devices), label=label)


def connect_assembly(
    *benches: Bench | str,
    devices: Sequence[str] | None = None,
    key: str | os.PathLike[str] | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> Assembly:
    """Connect to running benches as an assembly, whose first run begins now.

    Parameters
    ----------
    *benches : Bench or str
        Connections (`spikedaq.connect`) or addresses; none: as `spikedaq.connect`.
    devices : sequence of str, optional
        Only these.
    key : path, optional
        As `spikedaq.connect`.
    memory_bytes : int
        What may be kept of each device. What comes beyond it pushes the oldest out, which is counted in the annotations
        ``dropped_samples`` and ``dropped_spikes`` of every block. The journal has it all the same.

    Returns
    -------
    Assembly
        Connections that were made here end with its ``close``; those that were given stay.

    Raises
    ------
    CommandTimeout
        Nobody answers.
    ConfigError
        There are no such devices.
    """
    opened = [one if isinstance(one, Bench) else connect(one, key=key) for one in benches or (None,)]
    mine = [one for one, given in zip(opened, benches or (None,), strict=True) if one is not given]
    try:
        return _assembled(opened, mine, devices, memory_bytes)
    except BaseException:
        for bench in mine:
            bench.close()
        raise


def _live(bench: Bench, name: str, cell_id: int, clock: BenchClock, memory_bytes: int) -> LiveDevice:
    try:
        return LiveDevice(bench, name, cell_id, clock, memory_bytes=memory_bytes)
    except CommandRejected as error:
        raise ConfigError(
            f"{name} on {bench.name} cannot be used now: {error}; plug it in, or name the others: devices=[...]"
        ) from error


def _assembled(
    benches: Sequence[Bench], mine: Sequence[Bench], wanted: Sequence[str] | None, memory_bytes: int
) -> Assembly:
    found: list[LiveDevice] = []
    reference_utc_ns: int | None = None
    for bench in benches:
        clock = BenchClock(bench, reference_utc_ns)
        reference_utc_ns = clock.reference_utc_ns
        for name in bench.devices:
            if wanted is None or name in wanted:
                found.append(_live(bench, name, len(found), clock, memory_bytes))
    if absent := set(wanted or ()) - {device.device for device in found}:
        raise ConfigError(f"there is no device {', '.join(sorted(absent))} on {', '.join(b.name for b in benches)}")
    if not found:
        raise ConfigError(f"{', '.join(bench.name for bench in benches)} has no devices")
    begins_s = max(device.begins_s for device in found)
    for device in found:
        device.begins_s = begins_s
        if len(benches) > 1:
            device.label = f"{device.bench}/{device.device}"
    found[0].closes = list(mine)
    return Assembly(*(Population(one) for one in found), label=";".join(bench.name for bench in benches))
