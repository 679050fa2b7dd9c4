"""Runs a trial: baseline, the stimulus once, a tail; whatever happens, the recording is stopped in order."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from spikedaq.experiment.trial import Phase, Progress, Trial, TrialCancelled, TrialError, TrialResult
from spikedaq.experiment.watch import TrialWatch
from spikedaq.inlet import Bench, Follower, Unavailable, check_fits, stimulus_name, upload_waveform
from spikedaq.model import ClampMode, CommandRejected, SpikedaqError

RECORD_TIMEOUT_S = 60.0
"""The answer comes once the first block of every device is on disk; closing may have to write a last chunk."""
_SILENT_S = 10.0
"""A computer that is busy with other things may leave a client waiting for some seconds."""
_LOOK_S = 1.0
_POLL_S = 0.25
_START_S = 5.0
"""From the order to play until the device says that it does, in seconds of this computer."""

OnProgress = Callable[[Progress], None]


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
    silent_s = max(_SILENT_S, 4e-6 * int(description["block_samples"]) * int(description["step_us"]))
    with bench.follow(trial.device) as follower:
        runner = _Runner(bench, trial, watch, follower, silent_s=silent_s, now_s=now_s)
        runner.on_progress, runner.cancelled = on_progress, cancelled
        return runner.run()


class _Runner:
    def __init__(
        self,
        bench: Bench,
        trial: Trial,
        watch: TrialWatch,
        follower: Follower,
        *,
        silent_s: float,
        now_s: Callable[[], float],
    ) -> None:
        self._client = bench.client
        self._trial = trial
        self._watch = watch
        self._follower = follower
        self._silent_s = silent_s
        self._now_s = now_s
        self._phase = Phase.START
        self._is_hushed = False
        self._may_record = False
        self._heard_s = self._looked_s = self._told_s = now_s()
        self._warnings: list[str] = []
        self.on_progress: OnProgress | None = None
        self.cancelled: Callable[[], bool] | None = None

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
        trial, watch, client = self._trial, self._watch, self._client
        self._enter(Phase.START)
        self._until(lambda: watch.boot_id is not None)
        # One row of 0, once: what follows a waveform is silence, also while the next one is uploaded.
        self._is_hushed = True
        client.call("stimulus", device=trial.device, rows=[0], loop=False)
        started_utc_ns = self._start_recording()
        self._enter(Phase.BASELINE)
        baseline_tick = self._baseline_begins(started_utc_ns)
        upload_waveform(client, trial.device, trial.rows, on_upload=self._uploaded)
        self._through(baseline_tick, trial.baseline_s)
        self._enter(Phase.STIMULUS)
        first_tick = self._play()
        self._until(lambda: watch.end_tick is not None, lambda: (watch.next_tick - first_tick) / 1e6, self._length_s)
        self._enter(Phase.AFTER)
        end_tick = watch.end_tick or 0
        self._through(end_tick, trial.after_s)
        after_s = (watch.next_tick - end_tick) / 1e6
        self._enter(Phase.STOP)
        recording = client.call("record_stop", session=trial.session, timeout_s=RECORD_TIMEOUT_S)
        self._may_record = False
        self._give_back()
        self._enter(Phase.DONE)
        if watch.n_different:
            self._warnings.append(f"{watch.n_different} rows of the stimulus are not what was played")
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
        self._until(lambda: watch.recorded_tick is not None)
        return watch.recorded_tick or 0

    def _play(self) -> int:
        trial, watch = self._trial, self._watch
        watch.arm()
        name = stimulus_name(trial.stimulus)
        self._client.call("stimulus", device=trial.device, play=True, loop=False, name=name)
        ordered_s = self._now_s()

        def begun() -> bool:
            if watch.first_tick is None and self._now_s() - ordered_s > max(_START_S, 2 * self._silent_s):
                self._fail(f"{trial.device} does not say that the stimulus has begun")
            return watch.first_tick is not None

        self._until(begun)
        return watch.first_tick or 0

    def _through(self, begin_tick: int, length_s: float) -> None:
        """Wait until so much of the device's time has come."""
        watch = self._watch
        self._until(
            lambda: watch.next_tick - begin_tick >= length_s * 1e6,
            lambda: (watch.next_tick - begin_tick) / 1e6,
            lambda: length_s,
        )

    def _length_s(self) -> float:
        return len(self._trial.rows) * (self._watch.first_step_us or self._watch.step_us) / 1e6

    def _until(
        self,
        done: Callable[[], bool],
        done_s: Callable[[], float] = lambda: 0.0,
        total_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._heard_s = self._now_s()
        while not done():
            self._take(_POLL_S)
            if self._watch.fault is not None:
                self._fail(self._watch.fault)
            now_s = self._now_s()
            if now_s - self._told_s >= _POLL_S:
                self._tell(Progress(self._phase, min(done_s(), total_s()), total_s()))
            if now_s - self._heard_s > self._silent_s:
                self._fail(f"{self._trial.device} has sent nothing for {self._silent_s:.0f} s (see 'spikedaq devices')")
            if self._may_record and self._phase is not Phase.START and now_s - self._looked_s >= _LOOK_S:
                self._look()

    # ---- what is heard, told and asked ----

    def _take(self, timeout_s: float) -> bool:
        """Take what comes; return whether anything did."""
        if self.cancelled is not None and self.cancelled():
            raise TrialCancelled("cancelled", phase=self._phase, code="interrupted")
        item = self._follower.next(timeout_s)
        if item is None:
            return False
        if isinstance(item, Unavailable):
            self._watch.missing(item.n_samples, item.reason)
        else:
            self._watch.take(item)
        self._heard_s = self._now_s()
        return True

    def _look(self) -> None:
        """Ask whether it is still recorded."""
        self._looked_s = self._now_s()
        status = self._client.call("record_status")
        if status is None or status["session"] != self._trial.session:
            self._may_record = False
            self._fail("somebody else has ended the recording")
        if status["state"] in ("complete", "interrupted", "stopping"):
            self._fail(f"the recording has ended by itself or by somebody else: {status['reason'] or status['state']}")

    def _uploaded(self, done: int, total: int) -> None:
        if self.cancelled is not None and self.cancelled():
            raise TrialCancelled("cancelled", phase=self._phase, code="interrupted")
        self._tell(Progress(self._phase, text=f"uploaded {done} of {total} rows"))

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._tell(Progress(phase))

    def _tell(self, progress: Progress) -> None:
        self._told_s = self._now_s()
        if self.on_progress is not None:
            self.on_progress(progress)

    def _fail(self, text: str) -> None:
        raise TrialError(text, phase=self._phase)

    # ---- the end before the end ----

    def _cut_short(self, why: str, kind: type[TrialError], *, code: str) -> TrialError:
        """Stop what was begun, and return the error that says all of it."""
        phase = self._phase
        recording, stopped = self._stop()
        given_back = self._give_back()
        text = "; ".join(part for part in (why, stopped, given_back) if part)
        where = "before it began" if phase is Phase.START else f"in the phase {str(phase)!r}"
        message = f"the trial {self._trial.session!r} ended {where}: {text}"
        return kind(message, phase=phase, recording=recording, code=code)

    def _stop(self) -> tuple[dict[str, Any] | None, str]:
        """Stop the recording where there may be one; return its status, and what to say of it."""
        if not self._may_record:
            return None, "nothing is being recorded" if self._phase is Phase.START else ""
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
        self._is_hushed = False
        try:
            self._client.call("stimulus", device=self._trial.device, stop=True)
        except SpikedaqError as error:
            text = f"its square wave could not be switched on again ({error})"
            self._warnings.append(text)
            return text
        return ""
