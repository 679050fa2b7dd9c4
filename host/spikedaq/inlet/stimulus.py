"""Waveforms to a device, in parts of a size that can be sent and told of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.inlet.control import ControlClient
from spikedaq.model import CommandRejected

PART_ROWS = 20_000
"""Two seconds of model time: a part takes a UART board of 500000 baud about a second."""
PART_TIMEOUT_S = 60.0
"""A board on a noisy cable is asked several times for each of some forty requests."""

MAX_NAME_CHARS = 80

Rows = npt.NDArray[np.int16]
OnUpload = Callable[[int, int], None]


def check_fits(description: Mapping[str, Any], n_rows: int) -> None:
    """Raise where a device, as `describe` tells of it, cannot hold a waveform.

    Raises
    ------
    CommandRejected
        ``unsupported`` for a board that takes none, ``too_large`` with both numbers.
    """
    device, capacity = description["name"], int(description["stimulus_capacity"])
    if not capacity:
        message = f"{device} takes no waveform, only the settings of its square wave; flash the spikedaq firmware"
        raise CommandRejected(message, code="unsupported")
    if n_rows > capacity:
        message = (
            f"{device} holds {capacity} stimulus rows ({capacity / 10_000:g} s of model time), the stimulus has "
            f"{n_rows} ({n_rows / 10_000:g} s); make it shorter, or loop a part of it"
        )
        raise CommandRejected(message, code="too_large")


def upload_waveform(client: ControlClient, device: str, rows: Rows, *, on_upload: OnUpload | None = None) -> None:
    """Upload a waveform without playing it; one that plays is stopped.

    Parameters
    ----------
    rows : int16 array, shape (n_rows,)
        In 0.01 %.
    on_upload : callable, optional
        Called with the rows that are there and all rows, after each part.

    Raises
    ------
    CommandError
        The device does not take it; see `ControlClient.call`.
    """
    packed = np.asarray(rows, "<i2")
    for first in range(0, max(1, len(packed)), PART_ROWS):
        part = packed[first : first + PART_ROWS]
        client.call(
            "stimulus",
            device=device,
            rows=part.tobytes(),
            first_row=first,
            n_rows=len(packed),
            play=False,
            timeout_s=max(PART_TIMEOUT_S, client.timeout_s),
        )
        if on_upload is not None:
            on_upload(first + len(part), len(packed))


def play_waveform(
    client: ControlClient,
    device: str,
    rows: Rows,
    *,
    loop: bool,
    name: str | None = None,
    on_upload: OnUpload | None = None,
) -> None:
    """Upload a waveform and play it from the next step on; arguments and errors as of `upload_waveform`.

    Parameters
    ----------
    name : str, optional
        What to call it to whoever watches; cut to what the daemon takes.
    """
    upload_waveform(client, device, rows, on_upload=on_upload)
    client.call("stimulus", device=device, play=True, loop=loop, name=stimulus_name(name))


def stimulus_name(text: str | None) -> str | None:
    """Return a name as the daemon takes it: at most 80 printable characters (docs/reference/control.md)."""
    return None if text is None else "".join(c if c.isprintable() else " " for c in text)[:MAX_NAME_CHARS]
