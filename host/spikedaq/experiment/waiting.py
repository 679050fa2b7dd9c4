"""How a trial waits: it hears the device, tells how far it is, and asks whether it is still wanted and recorded."""

from __future__ import annotations

from collections.abc import Callable

from spikedaq.experiment.trial import Phase, Progress, Trial, TrialCancelled, TrialError
from spikedaq.experiment.watch import TrialWatch
from spikedaq.inlet import Follower, Unavailable

_SILENT_S = 10.0
"""A computer that is busy with other things may leave a client waiting for some seconds."""
_LOOK_S = 1.0
_POLL_S = 0.25

OnProgress = Callable[[Progress], None]


class Waiting:
    """Waits on the device's stream for one thing after another.

    Parameters
    ----------
    block_s : float
        What one block of the device takes.
    now_s : callable
        Monotonic clock of this computer.
    look : callable
        Asks whether it is still recorded; called once a second from the baseline on. It raises where it is not.
    on_progress, cancelled : callable or None
        As `record_trial` takes them.

    Attributes
    ----------
    phase : Phase
    silent_s : float
        A device that sends nothing for longer has failed.
    """

    def __init__(
        self,
        trial: Trial,
        watch: TrialWatch,
        follower: Follower,
        *,
        block_s: float,
        now_s: Callable[[], float],
        look: Callable[[], None],
        on_progress: OnProgress | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self._trial = trial
        self._watch = watch
        self._follower = follower
        self._now_s = now_s
        self._look = look
        self._on_progress = on_progress
        self._cancelled = cancelled
        self.phase = Phase.START
        self.silent_s = max(_SILENT_S, 4 * block_s)
        self._heard_s = self._looked_s = self._told_s = now_s()

    def enter(self, phase: Phase) -> None:
        """Say that a phase begins."""
        self.phase = phase
        self._tell(Progress(phase))

    def until(
        self,
        done: Callable[[], bool],
        done_s: Callable[[], float] = lambda: 0.0,
        total_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Wait until something is done; the rest tells how far it is.

        Raises
        ------
        TrialError
            The device's stream says that it cannot be any more, or says nothing; `TrialCancelled` where it is unwanted.
        """
        self._heard_s = self._now_s()
        while not done():
            self._take(_POLL_S)
            if self._watch.fault is not None:
                self.fail(self._watch.fault)
            now_s = self._now_s()
            if now_s - self._told_s >= _POLL_S:
                self._tell(Progress(self.phase, min(done_s(), total_s()), total_s()))
            if now_s - self._heard_s > self.silent_s:
                self.fail(f"{self._trial.device} has sent nothing for {self.silent_s:.0f} s (see 'spikedaq devices')")
            if self.phase is not Phase.START and now_s - self._looked_s >= _LOOK_S:
                self._looked_s = now_s
                self._look()

    def through(self, begin_tick: int, length_s: float) -> None:
        """Wait until so much of the device's time has come."""
        watch = self._watch
        self.until(
            lambda: watch.next_tick - begin_tick >= length_s * 1e6,
            lambda: (watch.next_tick - begin_tick) / 1e6,
            lambda: length_s,
        )

    def uploaded(self, done: int, total: int) -> None:
        """Take how much of the stimulus is uploaded; raises as `until` where the trial is unwanted."""
        self._check_wanted()
        self._tell(Progress(self.phase, text=f"uploaded {done} of {total} rows"))

    def fail(self, text: str) -> None:
        """Raise TrialError."""
        raise TrialError(text, phase=self.phase)

    def _take(self, timeout_s: float) -> None:
        self._check_wanted()
        item = self._follower.next(timeout_s)
        if item is None:
            return
        if isinstance(item, Unavailable):
            self._watch.missing(item.n_samples, item.reason)
        else:
            self._watch.take(item)
        self._heard_s = self._now_s()

    def _check_wanted(self) -> None:
        if self._cancelled is not None and self._cancelled():
            raise TrialCancelled("cancelled", phase=self.phase, code="interrupted")

    def _tell(self, progress: Progress) -> None:
        self._told_s = self._now_s()
        if self._on_progress is not None:
            self._on_progress(progress)
