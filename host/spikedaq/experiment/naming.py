"""A session's name by the convention, from what a bench knows."""

from __future__ import annotations

from datetime import date

from spikedaq.inlet import Bench
from spikedaq.model import CommandRejected, SpikedaqError, name_part, next_run, session_name


def existing_sessions(bench: Bench, match: str | None = None) -> list[str]:
    """Return the names of the sessions that the daemon knows, newest first.

    Parameters
    ----------
    match : str, optional
        Only those with this in their names.

    Raises
    ------
    SpikedaqError
        The daemon's history cannot tell them now.
    """
    with bench.library() as library:
        return [str(entry["session"]) for entry in library.recordings(match=match)]


def mode_part(bench: Bench, device: str) -> str:
    """Return what a device's neuron is as a part of a name: that of its preset, else ``custom``."""
    presets = bench.describe(device)["presets"]
    try:
        value = bench.get(device, "preset")
    except CommandRejected:
        return "custom"
    # NaN where nobody knows, 255 for a neuron of its own.
    return name_part(presets[int(value)]["name"]) or "custom" if 0 <= value < len(presets) else "custom"


def suggest_session_name(
    bench: Bench,
    *,
    day: date,
    mode: str,
    protocol: str,
    run: int | None = None,
    group: str = "",
    condition: str = "",
) -> str:
    """Return a name by the convention; without a ``run`` the one after those that the daemon knows.

    Raises
    ------
    ConfigError
        A part that cannot be; the text says which and why.
    CommandRejected
        Which runs there are cannot be told; the text says what to give instead.
    """
    parts = {"day": day, "mode": mode, "protocol": protocol, "group": group, "condition": condition}
    name = session_name(run=run or 1, **parts)  # type: ignore[arg-type]
    if run is not None:
        return name
    try:
        existing = existing_sessions(bench, name[: -len("1")])
    except SpikedaqError as error:
        raise CommandRejected(
            f"the daemon cannot tell which runs there are ({error}); give the run's number", code="not_running"
        ) from error
    return session_name(run=next_run(existing, **parts), **parts)  # type: ignore[arg-type]
