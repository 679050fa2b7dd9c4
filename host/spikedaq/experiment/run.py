"""Runs a trial: baseline, the stimulus once, a tail; whatever happens, the recording is stopped in order."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from spikedaq.experiment.trial import Phase, Trial, TrialCancelled, TrialError, TrialResult
from spikedaq.experiment.waiting import OnProgress, Waiting
from spikedaq.experiment.watch import TrialWatch
from spikedaq.inlet import RECORD_TIMEOUT_S, Bench, check_fits, stimulus_name, upload_waveform
from spikedaq.model import ClampMode, CommandRejected, SpikedaqError

_START_S = 5.0
"""From the order to play until the device says that it does, in seconds of this computer."""


def record_trial(
    bench: Bench,
    trial: Trial,
    *,
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] | None = None,
    now_s: Callable[[], float] = time.monotonic,
) -> TrialResult:
    """Record a baseline, play a stimulus once, record a tail, and stop.

    The device's own square wave is silent meanwhile, and is back afterwards. The stimulus begins at the step that the
    device itself says (its `trigger` event), and plays one row per step.

    Parameters
    ----------
    bench : Bench
        In one thread.
    trial : Trial
    on_progress : callable, optional
        Called with each new `Progress`, some four times a second.
    cancelled : callable, optional
        Asked as often; true ends the trial.
    now_s : callable
        Monotonic clock of this computer.

    Raises
    ------
    ConfigError, CommandError
        Before anything is recorded: the trial cannot be, a device that takes no such waveform, a recording that runs.
    TrialError
        After that: `TrialCancelled` for Ctrl-C and ``cancelled``, which a second Ctrl-C interrupts. ``recording`` says
        what was recorded.
    """
    trial.check()
    description = bench.describe(trial.device)
    check_fits(description, len(trial.rows))
    status = bench.client.call("record_status")
    if status is not None and status["state"] not in ("complete", "interrupted"):
        message = f"session {status['session']!r} is being recorded; stop it first"
        raise CommandRejected(message, code="busy")
    modes = {str(mode): bench.channels(trial.device, mode) for mode in ClampMode}
    watch = TrialWatch(trial.device, trial.rows, modes)
    with bench.follow(trial.device) as follower:
        runner = _Runner(bench, trial, watch, now_s)
        runner.waiting = Waiting(
            trial,
            watch,
            follower,
            block_s=int(description["block_samples"]) * int(description["step_us"]) / 1e6,
            now_s=now_s,
            look=runner.look,
            on_progress=on_progress,
            cancelled=cancelled,
        )
        return runner.run()


class _Runner:
    """Gives the orders of a trial, and takes back what it began."""

    waiting: Waiting

    def __init__(self, bench: Bench, trial: Trial, watch: TrialWatch, now_s: Callable[[], float]) -> None:
        self._client = bench.client
        self._trial = trial
        self._watch = watch
        self._now_s = now_s
        self._is_hushed = False
        self._may_record = False
        self._recording: dict[str, Any] | None = None
        self._warnings: list[str] = []

    def run(self) -> TrialResult:
        try:
            return self._run()
        except KeyboardInterrupt as interrupt:
            raise self._cut_short("interrupted", TrialCancelled, code="interrupted") from interrupt
        except TrialError as error:
            raise self._cut_short(str(error), type(error), code=error.code) from error
        except SpikedaqError as error:
            if not self._may_record:
                self._give_back()
                raise
            code = getattr(error, "code", "trial")
            raise self._cut_short(str(error), TrialError, code=code) from error
        except BaseException:
            # Of the caller's own functions, or a defect: it is theirs to see, the recording is stopped all the same.
            self._stop()
            self._give_back()
            raise

    def _run(self) -> TrialResult:
        trial, watch, client, waiting = self._trial, self._watch, self._client, self.waiting
        waiting.enter(Phase.START)
        waiting.until(lambda: watch.boot_id is not None)
        # One row of 0, once: what follows a waveform is silence, also while the next one is uploaded.
        self._is_hushed = True
        client.call("stimulus", device=trial.device, rows=[0], loop=False)
        started_utc_ns = self._start_recording()
        waiting.enter(Phase.BASELINE)
        baseline_tick = self._baseline_begins(started_utc_ns)
        upload_waveform(client, trial.device, trial.rows, on_upload=waiting.uploaded)
        waiting.through(baseline_tick, trial.baseline_s)
        waiting.enter(Phase.STIMULUS)
        first_tick = self._play()
        waiting.until(lambda: watch.end_tick is not None, lambda: (watch.next_tick - first_tick) / 1e6, self._length_s)
        waiting.enter(Phase.AFTER)
        end_tick = watch.end_tick or 0
        waiting.through(end_tick, trial.after_s)
        after_s = (watch.next_tick - end_tick) / 1e6
        waiting.enter(Phase.STOP)
        recording = client.call("record_stop", session=trial.session, timeout_s=RECORD_TIMEOUT_S)
        self._recording, self._may_record = recording, False
        self._give_back()
        waiting.enter(Phase.DONE)
        self._warn_of_rows()
        return TrialResult(
            session=trial.session,
            device=trial.device,
            stimulus=trial.stimulus,
            recording=recording,
            boot_id=watch.boot_id or 0,
            first_step=watch.first_step or 0,
            n_rows=len(trial.rows),
            step_us=watch.first_step_us or watch.step_us,
            baseline_s=(first_tick - baseline_tick) / 1e6,
            after_s=after_s,
            n_rows_seen=watch.n_seen if watch.has_channel else None,
            n_rows_different=watch.n_different if watch.has_channel else None,
            gaps=dict(watch.gaps),
            warnings=tuple(self._warnings),
        )

    def _warn_of_rows(self) -> None:
        watch, n_rows = self._watch, len(self._trial.rows)
        if watch.n_different:
            self._warnings.append(f"{watch.n_different} rows of the stimulus are not what was played")
        if watch.has_channel and watch.n_seen < n_rows:
            text = f"only {watch.n_seen} of {n_rows} rows could be compared with the stimulus channel"
            self._warnings.append(text + ("" if watch.gaps else "; was the clamp mode changed meanwhile?"))

    # ---- phases ----

    def _start_recording(self) -> int:
        """Return when it began, UTC of the daemon's computer in ns."""
        trial = self._trial
        self._may_record = True
        try:
            status = self._client.call(
                "record_start",
                session=trial.session,
                devices=[trial.device, *trial.others],
                folder=trial.folder,
                notes=trial.notes_text(),
                end_after_s=trial.at_most_s(self._watch.step_us),
                timeout_s=RECORD_TIMEOUT_S,
            )
        except CommandRejected:
            self._may_record = False  # refused: nothing of it was begun
            raise
        return int(status["started_utc_ns"])

    def _baseline_begins(self, started_utc_ns: int) -> int:
        """Return the tick from which on everything is recorded."""
        watch = self._watch
        clock = self._client.call("clock")
        watch.recorded_from(clock["host_ns"] - (clock["utc_ns"] - started_utc_ns))
        self.waiting.until(lambda: watch.recorded_tick is not None)
        return watch.recorded_tick or 0

    def _play(self) -> int:
        trial, watch = self._trial, self._watch
        watch.arm()
        name = stimulus_name(trial.stimulus)
        self._client.call("stimulus", device=trial.device, play=True, loop=False, name=name)
        ordered_s = self._now_s()

        def begun() -> bool:
            if watch.first_tick is None and self._now_s() - ordered_s > max(_START_S, 2 * self.waiting.silent_s):
                self.waiting.fail(f"{trial.device} does not say that the stimulus has begun")
            return watch.first_tick is not None

        self.waiting.until(begun)
        return watch.first_tick or 0

    def _length_s(self) -> float:
        return len(self._trial.rows) * (self._watch.first_step_us or self._watch.step_us) / 1e6

    # ---- is it still recorded? ----

    def look(self) -> None:
        """Raise TrialError where it is not recorded any more."""
        if not self._may_record:
            return
        status = self._client.call("record_status")
        if status is None or status["session"] != self._trial.session:
            self._may_record = False
            self.waiting.fail("somebody else has ended the recording")
        if status["state"] in ("complete", "interrupted", "stopping"):
            why = status["reason"] or status["state"]
            self.waiting.fail(f"the recording has ended by itself or by somebody else: {why}")

    # ---- the end before the end ----

    def _cut_short(self, why: str, kind: type[TrialError], *, code: str) -> TrialError:
        """Stop what was begun, and return the error that says all of it."""
        phase = self.waiting.phase
        recording, stopped = self._stop()
        given_back = self._give_back()
        text = "; ".join(part for part in (why, stopped, given_back) if part)
        where = "before it began" if phase is Phase.START else f"in the phase {str(phase)!r}"
        message = f"the trial {self._trial.session!r} ended {where}: {text}"
        return kind(message, phase=phase, recording=recording, code=code)

    def _stop(self) -> tuple[dict[str, Any] | None, str]:
        """Stop the recording where there may be one; return its status, and what to say of it."""
        if self._recording is not None:
            return self._recording, f"the recording is complete, in {self._recording['folder']}"
        if not self._may_record:
            return None, "nothing is being recorded" if self.waiting.phase is Phase.START else ""
        self._may_record = False
        name = self._trial.session
        try:
            recording: dict[str, Any] = self._client.call("record_stop", session=name, timeout_s=RECORD_TIMEOUT_S)
        except CommandRejected as error:
            if error.code != "not_recording":
                return None, f"the recording could not be stopped ({error}); stop it: spikedaq record stop {name}"
            with contextlib.suppress(SpikedaqError):
                status = self._client.call("record_status")
                if status is not None and status["session"] == name:
                    return status, f"what was recorded until then is in {status['folder']}"
            return None, "nothing was recorded"
        except SpikedaqError as error:
            return None, f"the recording may go on ({error}); stop it: spikedaq record stop {name}"
        return recording, f"the recording was stopped, and what it has until then is in {recording['folder']}"

    def _give_back(self) -> str:
        """Give the device its square wave back; return what to say where that did not work."""
        if not self._is_hushed:
            return ""
        text = ""
        try:
            self._client.call("stimulus", device=self._trial.device, stop=True)
        except SpikedaqError as error:
            text = f"its square wave could not be switched on again ({error}); do it: spikedaq stimulus stop"
            self._warnings.append(text)
        self._is_hushed = False  # whoever is interrupted before this tries again
        return text
