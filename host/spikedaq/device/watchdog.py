"""How long nothing, or no block, has come from a device: told from counters, so that no byte on its way is touched."""

from __future__ import annotations

from enum import Enum, auto

from spikedaq.device.seams import Timing


class Quiet(Enum):
    """What the silence of a device means."""

    NO = auto()
    SILENT = auto()
    """Nothing has come for `Timing.silent_s`."""
    STALLED = auto()
    """It answers, and should stream, and no block comes."""
    GONE = auto()
    """Nothing has come for `Timing.reopen_s`."""


class Watchdog:
    """Looks at a device's counters now and then.

    Parameters
    ----------
    timing : Timing
    now_s : float
        Where the silence is counted from at first, by the clock of all later looks.
    """

    def __init__(self, timing: Timing, now_s: float) -> None:
        self._timing = timing
        self._frame_s = self._block_s = now_s
        self._frames = self._blocks = -1

    def look(
        self, now_s: float, *, frames: int, blocks: int, wanted: bool, block_period_s: float
    ) -> tuple[Quiet, float]:
        """Compare the counters with those of the last look.

        Parameters
        ----------
        now_s : float
        frames, blocks : int
            How many have come so far.
        wanted : bool
            Whether blocks are to come at all.
        block_period_s : float
            Time between two of them.

        Returns
        -------
        quiet : Quiet
        seconds : float
            For how long, 0 where it is not quiet.
        """
        if frames != self._frames:
            self._frames, self._frame_s = frames, now_s
        if blocks != self._blocks or not wanted:
            self._blocks, self._block_s = blocks, now_s
        quiet_s, blockless_s = now_s - self._frame_s, now_s - self._block_s
        stall_s = max(self._timing.stall_s, 4 * block_period_s)
        if quiet_s >= self._timing.reopen_s:
            return Quiet.GONE, quiet_s
        if quiet_s >= self._timing.silent_s:
            return Quiet.SILENT, quiet_s
        # A device whose newest frame is as old as its newest block has not stalled but just gone silent.
        if blockless_s >= stall_s and blockless_s - quiet_s >= stall_s / 2:
            return Quiet.STALLED, blockless_s
        return Quiet.NO, 0.0
