"""Which device has ended a session's recorders, and which the next recorder does without, for how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from spikedaq.bus import FileStatus

PATIENCE = 3
"""So many recorders in a row may one device end: a disk may refuse once."""
AGAIN_FIRST_S = 60.0
"""After which a device is tried again. Each try that fails restarts the recorder of all: twice as long after each."""
AGAIN_LAST_S = 960.0
JOIN_S = 10.0
"""Where every device is under suspicion one goes first; the others join it so much later, if it goes on so long."""


@dataclass(slots=True)
class _Fault:
    """What one device did. ``n_rows`` and ``offset`` are where it was when it ended the newest of ``n_ended``."""

    n_ended: int
    n_rows: int
    offset: int
    ended_s: float
    due_s: float


class RecorderFaults:
    """Counts, for one session, the recorders that a device has ended without having got any further in between.

    Parameters
    ----------
    monotonic_s : callable
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._faults: dict[str, _Fault] = {}

    def ended(self, device: str, file: FileStatus, offset: int) -> None:
        """Be told that a device has ended a recorder.

        Parameters
        ----------
        file : FileStatus
            What was known of its files by then.
        offset : int
            Journal offset that its recorder had reached.
        """
        before = self._faults.get(device)
        n_ended = 1 if before is None else before.n_ended + 1
        now_s = self._monotonic_s()
        wait_s = AGAIN_FIRST_S * 2.0 ** min(10, max(0, n_ended - PATIENCE))
        due_s = now_s + min(wait_s, AGAIN_LAST_S)
        self._faults[device] = _Fault(n_ended, file.rows_on_disk, offset, now_s, due_s)

    def heard(self, device: str, file: FileStatus) -> None:
        """Be told what a recorder says of a device: one that gets beyond where it ended the last is well."""
        fault = self._faults.get(device)
        if fault is None:
            return
        # Between windows no row comes; its journal was read past the place then, and what was in a window is written.
        idles_beyond = file.state in ("armed", "waiting") and file.offset > fault.offset
        if file.rows_on_disk > fault.n_rows or idles_beyond or file.state == "closed":
            del self._faults[device]

    def is_held(self, device: str) -> bool:
        """Whether a device is to be left out: it has ended one recorder too many."""
        fault = self._faults.get(device)
        return fault is not None and fault.n_ended >= PATIENCE

    def describe(self, device: str, error: str) -> str:
        """Say of a device that is held what is wrong, what is done, and what to do."""
        return (
            f"{device} is not recorded: it ended {self._faults[device].n_ended} recorders in a row: {error}. Others "
            "are recorded without it, and its journal keeps what comes, as far as its limits allow. Put that right; it "
            f"is tried again, first after {AGAIN_FIRST_S:.0f} s and at last every {AGAIN_LAST_S / 60:.0f} min, and "
            "goes on where its files end"
        )

    def without(self, files: Mapping[str, FileStatus]) -> dict[str, float]:
        """Return the devices that the next recorder does without, and for how many seconds.

        Parameters
        ----------
        files : map of str to FileStatus
            All devices of the session. Where none is left that could be disturbed, the one that has not been tried for
            longest goes first, so that one that is well again is found whatever the others do.
        """
        held = [device for device in files if self.is_held(device)]
        others = [device for device, file in files.items() if device not in held and file.state != "closed"]
        now_s = self._monotonic_s()
        if others:
            waits = {device: self._faults[device].due_s - now_s for device in held}
            return {device: wait_s for device, wait_s in waits.items() if wait_s > 0}
        by_age = sorted(held, key=lambda device: self._faults[device].ended_s)
        return dict.fromkeys(by_age[1:], JOIN_S)
