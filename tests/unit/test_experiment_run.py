"""What a trial does with a daemon that refuses, falls silent, or cannot stop: a scripted bench, no socket, no clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spikedaq.bus import Message, Unavailable
from spikedaq.daemon import session_start
from spikedaq.daemon import sessions as daemon_sessions
from spikedaq.experiment import Phase, Progress, Trial, TrialCancelled, TrialError, record_trial
from spikedaq.inlet import RECORD_TIMEOUT_S
from spikedaq.model import ChannelInfo, ClampMode, CommandRejected, CommandTimeout, ConfigError, SpikedaqError

CHANNELS = [ChannelInfo("vm", "mV", 1, -2), ChannelInfo("stimulus", "%", 1, 0), ChannelInfo("trigger", "1", 1, 0)]
STATUS = {"session": "s", "state": "complete", "folder": "/d/s", "reason": "user", "started_utc_ns": 0, "devices": {}}
ROWS = np.full(150, 5000, np.int16)


class Bench:
    """A board that makes a block of 100 steps (10 ms) each time it is looked at, and a daemon that records it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.errors: dict[str, Exception] = {}
        self.client = self
        self.timeout_s = 5.0
        self.capacity = 1000
        self.now_s = 0.0
        self.step = 0
        self.playing: int | None = None
        self.is_silent = False
        self.instead: list[Message | Unavailable] = []
        self.running: str | None = None
        self.last: dict[str, Any] | None = None
        self.on_call: Callable[[str, dict[str, Any]], None] = lambda *_: None

    # ---- as a bench and a client ----

    def describe(self, device: str) -> dict[str, Any]:
        return {"name": device, "stimulus_capacity": self.capacity, "block_samples": 100, "step_us": 100}

    def channels(self, device: str, mode: ClampMode) -> list[ChannelInfo]:
        return CHANNELS

    def call(self, op: str, *, timeout_s: float | None = None, **args: Any) -> Any:
        self.asked.append((op, args))
        self.on_call(op, args)
        name = "play" if args.get("play") is True else "hush" if args.get("rows") == [0] else op
        if name in self.errors:
            raise self.errors[name]
        if op == "record_start":
            self.running = args["session"]
            return {**STATUS, "state": "recording", "started_utc_ns": self._t_ns()}
        if op == "record_stop":
            if self.running is None:
                raise CommandRejected("nothing is being recorded", code="not_recording")
            self.running, self.last = None, {**STATUS, "session": self.running}
            return self.last
        if op == "record_status":
            return {**STATUS, "session": self.running, "state": "recording"} if self.running else self.last
        if op == "clock":
            return {"utc_ns": self._t_ns(), "host_ns": self._t_ns()}
        if name == "play":
            self.playing = self.step
        return {"rows": 0}

    def _t_ns(self) -> int:
        return self.step * 100_000

    def of(self, op: str) -> list[dict[str, Any]]:
        return [args for asked, args in self.asked if asked == op]

    # ---- as a follower ----

    def follow(self, device: str) -> Bench:
        return self

    def next(self, timeout_s: float) -> Message | Unavailable | None:
        if self.instead:
            return self.instead.pop(0)
        if self.is_silent:
            self.now_s += timeout_s
            return None
        header = {"boot": 7, "step": self.step, "tick": self.step * 100, "step_us": 100}
        if self.playing == self.step and not self.of("seen"):
            self.asked.append(("seen", {}))
            return Message("b/a/events/", {**header, "kind": "trigger", "value": 1}, b"")
        at = np.arange(self.step, self.step + 100)
        on = np.zeros(100, bool) if self.playing is None else (at >= self.playing) & (at < self.playing + 150)
        samples = np.array([at * 0, on * 50, at == self.playing], "<i2")
        self.step += 100
        self.now_s += 0.01
        header |= {"count": 100, "channels": 3, "layout": "channel-major", "mode": "current", "t_ns": self._t_ns() - 1,
                   "u_ns": 0}  # fmt: skip
        return Message("b/a/samples/", header, samples.tobytes())

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def run(bench: Bench, **options: Any) -> Any:
    values = {"session": "s", "device": "a", "rows": ROWS, "stimulus": "x", "baseline_s": 0.5, "after_s": 0.25}
    on_progress, cancelled = options.pop("on_progress", None), options.pop("cancelled", None)
    trial = Trial(**{**values, **options})
    return record_trial(bench, trial, on_progress=on_progress, cancelled=cancelled, now_s=lambda: bench.now_s)  # type: ignore[arg-type]


def assert_given_back(bench: Bench) -> None:
    """Nothing is recorded any more, and the last thing that was said of the stimulus was to stop it."""
    assert bench.running is None
    assert bench.of("stimulus")[-1] == {"device": "a", "stop": True}


def test_a_trial_asks_in_this_order_and_counts_the_devices_time() -> None:
    bench = Bench()
    result = run(bench)
    done = [(op, args.get("play"), args.get("stop")) for op, args in bench.asked if op in ("stimulus", "record_start",
                                                                                           "record_stop")]  # fmt: skip
    assert done == [
        ("stimulus", None, None), ("record_start", None, None), ("stimulus", False, None), ("stimulus", True, None),
        ("record_stop", None, None), ("stimulus", None, True),
    ]  # fmt: skip
    assert bench.of("stimulus")[0] == {"device": "a", "rows": [0], "loop": False}
    assert bench.of("record_start")[0]["devices"] == ["a"]
    # 0.5 s, 150 rows in slow motion, 0.25 s, 75 ms for the upload, and a minute to spare.
    assert bench.of("record_start")[0]["end_after_s"] == pytest.approx(61.125, abs=1e-9)
    assert result.first_step == bench.playing
    assert (result.n_rows_seen, result.n_rows_different, result.gaps) == (150, 0, {})
    assert 0.5 <= result.baseline_s < 0.53
    assert 0.25 <= result.after_s < 0.27


@pytest.mark.parametrize(
    ("op", "text", "recorded"),
    [
        ("hush", "leased", False),
        ("record_start", "leased", False),
        ("clock", "the trial 's' ended in the phase 'baseline': leased; the recording was stopped", True),
        ("play", "the trial 's' ended in the phase 'stimulus': leased; the recording was stopped", True),
    ],
)
def test_a_refusal_at_any_place_leaves_nothing_behind(op: str, text: str, recorded: bool) -> None:
    bench = Bench()
    bench.errors[op] = CommandRejected("leased", code="leased")
    with pytest.raises(CommandRejected if not recorded else TrialError) as caught:
        run(bench)
    assert str(caught.value).startswith(text)
    assert caught.value.code == "leased"
    assert_given_back(bench)
    assert bool(bench.of("record_stop")) == recorded


def test_a_start_whose_answer_was_lost_is_stopped_all_the_same() -> None:
    """Nobody knows whether it records; the session is asked to stop, and what is said is what is known."""
    bench = Bench()
    bench.errors["record_start"] = CommandTimeout("no answer", code="timeout")
    with pytest.raises(TrialError, match="ended before it began: no answer; nothing was recorded"):
        run(bench)
    assert bench.of("record_stop") == [{"session": "s"}]
    assert_given_back(bench)


def test_a_stop_that_fails_is_said_with_what_to_do() -> None:
    bench = Bench()
    bench.errors |= {"play": CommandTimeout("gone", code="timeout"), "record_stop": CommandTimeout("gone, too")}
    with pytest.raises(TrialError, match=r"the recording may go on \(gone, too\); stop it: spikedaq record stop s"):
        run(bench)


def test_a_device_that_falls_silent_ends_it() -> None:
    bench = Bench()

    def told(progress: Progress) -> None:
        bench.is_silent = bench.is_silent or (progress.phase is Phase.BASELINE and progress.done_s > 0)

    with pytest.raises(
        TrialError, match=r"'baseline': a has sent nothing for 10 s .*; the recording was stopped"
    ) as caught:
        run(bench, on_progress=told)
    assert caught.value.recording == {**STATUS, "session": "s"}
    assert_given_back(bench)
    silent = Bench()
    silent.is_silent = True
    with pytest.raises(
        TrialError, match=r"ended before it began: a has sent nothing for 10 s .*; nothing is being recorded"
    ):
        run(silent)
    assert silent.of("record_start") == silent.of("stimulus") == []


def test_a_device_that_never_begins_ends_it() -> None:
    """The order to play was answered, and nothing comes of it."""
    bench = Bench()

    def forget(op: str, args: dict[str, Any]) -> None:
        if args.get("play") is True:
            bench.errors["play"] = AssertionError("asked twice")
            raise _AnsweredError

    bench.on_call = forget
    call = bench.call

    def answering(op: str, **args: Any) -> Any:
        try:
            return call(op, **args)
        except _AnsweredError:
            return {"rows": 0}

    bench.call = answering  # type: ignore[method-assign]
    with pytest.raises(TrialError, match="a does not say that the stimulus has begun"):
        run(bench)
    assert_given_back(bench)


class _AnsweredError(Exception):
    pass


def test_ctrl_c_and_the_callers_wish_end_it_in_every_phase() -> None:
    for phase in (Phase.START, Phase.BASELINE, Phase.STIMULUS, Phase.AFTER):
        for ends in (KeyboardInterrupt, None):
            bench, reached = Bench(), []

            def told(progress: Progress, phase: Phase = phase, ends: Any = ends, reached: list[int] = reached) -> None:
                if progress.phase is phase:
                    reached.append(1)
                    if ends is not None and len(reached) == 1:
                        raise ends

            with pytest.raises(TrialCancelled) as caught:
                run(bench, on_progress=told, cancelled=lambda reached=reached: bool(reached))
            assert (caught.value.phase, caught.value.code) == (phase, "interrupted")
            assert bench.running is None
            assert bool(bench.of("record_stop")) == (phase is not Phase.START)


@pytest.mark.parametrize("where", ["stop", "done"])
def test_an_interrupt_behind_the_recording_loses_neither_it_nor_the_square_wave(where: str) -> None:
    """It is closed by then: where it is, is said, and the board is given back what it had."""
    bench, interrupts = Bench(), [KeyboardInterrupt]

    def asked(op: str, args: dict[str, Any]) -> None:
        if where == "stop" and args.get("stop") and interrupts:
            raise interrupts.pop()

    def told(progress: Progress) -> None:
        if where == "done" and progress.phase is Phase.DONE:
            raise KeyboardInterrupt

    bench.on_call = asked
    with pytest.raises(TrialCancelled, match="interrupted; the recording is complete, in /d/s") as caught:
        run(bench, on_progress=told)
    assert caught.value.recording == {**STATUS, "session": "s"}
    assert len(bench.of("record_stop")) == 1
    assert len([args for args in bench.of("stimulus") if args.get("stop")]) == (2 if where == "stop" else 1)
    assert_given_back(bench)


def test_rows_that_could_not_be_compared_are_told() -> None:
    """Somebody changes the clamp mode in the middle of it: the rest has no stimulus channel."""
    bench = Bench()
    bench.channels = lambda _, mode: CHANNELS if mode is ClampMode.CURRENT else CHANNELS[:1]  # type: ignore[method-assign]
    follower, n_blocks = bench.next, []

    def clamped(timeout_s: float) -> Message | Unavailable | None:
        item = follower(timeout_s)
        if isinstance(item, Message) and bench.playing is not None and "count" in item.header:
            n_blocks.append(1)
            if len(n_blocks) == 2:
                item.header["mode"] = "voltage"
        return item

    bench.next = clamped  # type: ignore[method-assign]
    result = run(bench)
    assert (result.n_rows_seen, result.n_rows_different, result.gaps) == (100, 0, {})
    (warning,) = result.warnings
    assert warning.startswith("only 100 of 150 rows could be compared with the stimulus channel; was the clamp mode")


def test_the_daemon_is_waited_for_longer_than_it_waits_itself() -> None:
    """So that what comes is its answer with the reason, not our own impatience."""
    assert RECORD_TIMEOUT_S > daemon_sessions.STOP_TIMEOUT_S + daemon_sessions._SAVE_S
    assert RECORD_TIMEOUT_S > session_start.START_TIMEOUT_S + 48 * session_start.START_PER_DEVICE_S


def test_a_defect_of_the_caller_is_his_to_see_and_the_recording_is_stopped() -> None:
    bench = Bench()

    def told(progress: Progress) -> None:
        if progress.phase is Phase.STIMULUS:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(bench, on_progress=told)
    assert_given_back(bench)


def test_missing_samples_are_told() -> None:
    bench = Bench()
    gap = {"boot": 7, "step": 0, "tick": 0, "kind": "gap", "count": 30, "cause": "lost"}

    def told(progress: Progress) -> None:
        if progress.phase is Phase.STIMULUS:
            bench.instead = [Message("b/a/events/", gap, b""), Unavailable((7, 1), (7, 6), 5, "deleted")]

    assert run(bench, on_progress=told).gaps == {"lost": 30, "dropped": 5}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"baseline_s": -1.0}, "the baseline is -1 s; give 0 to 86400 s"),
        ({"baseline_s": float("nan")}, "the baseline is nan s"),
        ({"after_s": float("inf")}, "the time after the stimulus is inf s"),
        ({"rows": np.zeros(0, np.int16)}, "at least one row"),
        ({"session": "a/b"}, "has '/' in it"),
        ({"rows": np.zeros(1001, np.int16)}, "a holds 1000 stimulus rows (0.1 s of model time), the stimulus has 1001"),
    ],
)
def test_what_cannot_be_asks_for_nothing(options: dict[str, Any], text: str) -> None:
    bench = Bench()
    with pytest.raises((ConfigError, CommandRejected)) as caught:
        run(bench, **options)
    assert text in str(caught.value)
    assert bench.asked == []


def test_a_recording_that_runs_is_left_alone() -> None:
    bench = Bench()
    bench.running = "other"
    with pytest.raises(CommandRejected, match="session 'other' is being recorded; stop it first"):
        run(bench)
    assert bench.running == "other"
    assert bench.of("stimulus") == []


def test_what_the_recording_says_of_itself_ends_it() -> None:
    """A full disk: the recorder gave up."""
    bench = Bench()

    def told(progress: Progress) -> None:
        if progress.phase is Phase.AFTER and bench.running:
            bench.running, bench.last = None, {**STATUS, "state": "interrupted", "reason": "the disk is full"}

    with pytest.raises(TrialError, match=r"or by somebody else: the disk is full; .* is in /d/s") as caught:
        run(bench, on_progress=told, after_s=60.0)
    assert caught.value.recording is not None
    assert caught.value.recording["state"] == "interrupted"
    assert issubclass(TrialError, SpikedaqError)
