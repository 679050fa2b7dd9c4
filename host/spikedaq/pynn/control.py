"""What a handle of a live bench can do to its devices: run, reset, set."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from spikedaq.model import CommandError, CommandTimeout, ConfigError, require
from spikedaq.pynn.device import DeviceData
from spikedaq.pynn.live import LiveDevice, now_ns
from spikedaq.pynn.resets import note_text
from spikedaq.pynn.runs import Boundary

_POLL_S = 0.02
_FETCH_S = 1.0
PATIENCE_S = 10.0
"""How long samples may be late: longer than a link takes to come back after a replug."""


def live_devices(devices: Sequence[DeviceData], what: str) -> list[LiveDevice]:
    """Return devices as those of a running bench. Raises ConfigError where they are recorded."""
    live = [device for device in devices if isinstance(device, LiveDevice)]
    if len(live) != len(devices) or not live:
        raise ConfigError(f"{what} is for a live bench, spikedaq.pynn.connect(); what is recorded stays as it is")
    return live


def run(devices: Sequence[DeviceData], duration_ms: float, patience_s: float = PATIENCE_S) -> None:
    """Wait until every device has sent samples for so long from now on, and fetch them.

    Raises
    ------
    CommandTimeout
        A device sends nothing; what the others sent is there.
    """
    live = live_devices(devices, "run()")
    if not duration_ms >= 0:
        raise ConfigError(f"a run takes 0 ms or more, not {duration_ms!r}")
    ends = {device: device.clock.time_s(now_ns(device.connection)) + duration_ms / 1000 for device in live}
    over_s = time.monotonic() + duration_ms / 1000
    give_up_s = over_s + patience_s
    waiting = list(live)
    while waiting:
        for device in list(waiting):
            device.refresh()
            if device.newest_s is not None and device.newest_s >= ends[device]:
                waiting.remove(device)
        if waiting and time.monotonic() > give_up_s:
            names = ", ".join(device.label for device in waiting)
            raise CommandTimeout(f"no samples come from {names}; look at spikedaq status", code="no_data")
        if waiting:
            # Fetched now and then, so that the journal need not hold all of it.
            time.sleep(min(max(over_s - time.monotonic(), _POLL_S), _FETCH_S))


def reset(devices: Sequence[DeviceData], annotations: Mapping[str, Any] | None, *, model: bool) -> None:
    """Reset every device's model, and begin a new run of all of them.

    Raises
    ------
    ConfigError
        Annotations that Neo does not take or that are too long; the devices are recorded.
    CommandError
        A device did not reset. Those that did have a new run; the message names both.
    """
    live = live_devices(devices, "reset()")
    about = dict(annotations or {})
    _check(about)
    note_text(2**62, 2**62, about)
    benches = {id(device.connection): device for device in live}
    ended_ns = {key: now_ns(device.connection) for key, device in benches.items()}
    done: list[LiveDevice] = []
    failed: CommandError | None = None
    for device in live:
        try:
            if model:
                device.connection.client.call("reset", device=device.device, scope="neuron")
            done.append(device)
        except CommandError as error:
            failed = error
            break
    began_ns = {key: now_ns(device.connection) for key, device in benches.items()}
    # One boundary for all, although benches have clocks of their own.
    ended_s = min(device.clock.time_s(ended_ns[key]) for key, device in benches.items())
    began_s = max(device.clock.time_s(began_ns[key]) for key, device in benches.items())
    for device in done:
        device.add_reset(Boundary(ended_s, began_s, about))
    names = ", ".join(device.label for device in done) or "nothing"
    for device in done:
        text = note_text(device.clock.host_ns(ended_s), device.clock.host_ns(began_s), about)
        try:
            device.connection.client.call("note", device=device.device, text=text)
        except CommandError as error:
            raise CommandError(
                f"the reset of {device.label} could not be noted: {error}; {names} did reset and has a new run, of "
                "which a recording will not know",
                code=error.code,
            ) from error
    if failed is not None:
        what = "may not have reset" if isinstance(failed, CommandTimeout) else "did not reset"
        raise CommandError(
            f"{live[len(done)].label} {what}: {failed}; {names} did, and has a new run", code=failed.code
        ) from failed


def _check(annotations: dict[str, Any]) -> None:
    neo = require("neo", "neo")
    if taken := {"begins_s", "run_begins"} & set(annotations):
        raise ConfigError(f"{', '.join(sorted(taken))} is what a segment says of itself; name the annotation otherwise")
    try:
        neo.Segment().annotate(**annotations)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"Neo does not take these annotations: {error}") from error
