"""What a recorder tells whoever started it: lines of JSON about its devices."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

from spikedaq.recorder.lane import Lane

DISK_FULL, WRITE_FAILED, LEFT_OUT = "disk_full", "write_failed", "left_out"
"""Causes of a failure, as reported: the first two of one that ends the recorder, the last of one device's while others
are recorded."""


class Reporter:
    """Writes one JSON line per report; goes quiet once nobody reads."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def line(self, lane: Lane, error: str | None = None) -> None:
        """Report a device's state."""
        fields = asdict(lane.status(error))
        fields["bytes"] = fields.pop("n_bytes")
        self.write(fields)

    def failed(self, device: str, error: str, cause: str, offset: int | None = None) -> None:
        """Report that a device cannot be recorded, and at which offset of its journal that was."""
        self.write({"device": device, "state": "failed", "error": error, "cause": cause, "offset": offset})

    def write(self, fields: dict[str, object]) -> None:
        """Write one line."""
        if self._fd < 0:
            return
        data = (json.dumps(fields, ensure_ascii=False) + "\n").encode()
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            self._fd = -1  # the daemon is gone; stdin says so as well
