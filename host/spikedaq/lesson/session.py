"""The session of a class at its benches: begun everywhere or nowhere, ended as often as it takes."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from spikedaq.clock import ClockDrift
from spikedaq.inlet import RECORD_TIMEOUT_S, ClockReading, ControlClient, read_clock
from spikedaq.keys import ClientKey
from spikedaq.lesson.benches import ENDED, Seat, everywhere
from spikedaq.link import host_now_ns
from spikedaq.model import CommandRejected, CommandTimeout, SpikedaqError

_NOT_RECORDING = "not_recording"
# A daemon answers before it has taken up what the last one left; that is a matter of a second or two.
_TAKEN_UP_S = 10.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """One session of a class.

    Attributes
    ----------
    utc_ns, ours_ns : int
        The instant that times count from: UTC, and CLOCK_BOOTTIME of this computer.
    given_up : Event
        It is to begin nowhere any more.
    name : str or None
        What whoever begins it is called at the benches, as for `ControlClient`.
    """

    session: str
    notes: str
    key: ClientKey | str | os.PathLike[str] | None
    utc_ns: int
    ours_ns: int
    given_up: threading.Event = field(default_factory=threading.Event)
    name: str | None = None


def begin(seat: Seat, lesson: Lesson) -> None:
    """Begin the session at one bench.

    Raises
    ------
    SpikedaqError
        It was refused; or nobody knows, then ``seat.may_record`` is true.
    """
    with ControlClient(seat.url, key=lesson.key, name=lesson.name) as client:
        seat.reading = read_clock(client, host_now_ns)
        reference = {"utc_ns": lesson.utc_ns, "host_ns": seat.reading.theirs_at(lesson.ours_ns)}
        # In this order: whoever gives up sees the one, or is seen.
        seat.may_record = True
        if lesson.given_up.is_set():
            return
        try:
            client.call(
                "record_start",
                session=lesson.session,
                devices=seat.devices,
                notes=lesson.notes,
                reference=reference,
                timeout_s=RECORD_TIMEOUT_S,
            )
        except CommandRejected:
            # Also where it had begun: a daemon that refuses has undone it.
            seat.may_record = False
            raise
        known_ms = seat.reading.uncertainty_ns / 1e6
        text = f"class {lesson.session}: times count from an instant on one computer's clock, within {known_ms:.3f} ms"
        try:
            client.call("note", text=text)
        except SpikedaqError as error:
            seat.remark = f"how well its clock is known could not be noted in its files ({error})"


def begin_everywhere(seats: Sequence[Seat], lesson: Lesson) -> None:
    """Begin the session at all benches; where that fails at one, or is interrupted, end it at all again.

    Raises
    ------
    CommandRejected
        It did not begin, code ``not_started``. With code ``not_stopped`` some may record nevertheless, which are named.
    """
    try:
        begun = everywhere(seats, lambda seat: begin(seat, lesson))
    except BaseException as error:
        what = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
        raise _undo(seats, lesson, what) from error
    failed = [f"{s.bench}: {r}" for s, r in zip(seats, begun, strict=True) if isinstance(r, SpikedaqError)]
    if failed:
        raise _undo(seats, lesson, "; ".join(failed))


def _undo(seats: Sequence[Seat], lesson: Lesson, why: str) -> CommandRejected:
    """End the session wherever it may have begun; return what to say."""
    lesson.given_up.set()
    asked = [seat for seat in seats if seat.may_record]
    ended = everywhere(asked, lambda seat: end(seat, lesson.session, lesson.key, is_ours=True, name=lesson.name))
    held = [s.bench for s, r in zip(asked, ended, strict=True) if r is not None and not isinstance(r, SpikedaqError)]
    stuck = [f"{s.bench} ({r})" for s, r in zip(asked, ended, strict=True) if isinstance(r, SpikedaqError)]
    text = f"the class was not started: {why}"
    if held:
        text += f"; its first seconds were recorded on {', '.join(held)}"
    if not stuck:
        return CommandRejected(text, code="not_started")
    text += f"; these could not be stopped and may be recording: {', '.join(stuck)}; stop them: spikedaq class stop"
    return CommandRejected(text, code="not_stopped")


def end(
    seat: Seat,
    session: str,
    key: ClientKey | str | os.PathLike[str] | None,
    *,
    is_ours: bool,
    name: str | None = None,
) -> dict[str, Any] | None:
    """End the session at one bench, or find that it has ended.

    Parameters
    ----------
    is_ours : bool
        The bench is known to be one of this class, so that a session which it does not know has ended, or never began.

    Returns
    -------
    map or None
        The session's last status; None where the bench does not know it (any more).

    Raises
    ------
    SpikedaqError
        It goes on, or nobody knows.
    """
    with ControlClient(seat.url, key=key, name=name) as client:
        try:
            status: dict[str, Any] = client.call("record_stop", session=session, timeout_s=RECORD_TIMEOUT_S)
        except CommandRejected as error:
            if error.code != _NOT_RECORDING:
                raise
            last: dict[str, Any] | None = client.call("record_status")
            if last is not None and last["session"] == session and last["state"] in ENDED:
                return last
            if not is_ours:
                raise
            if client.call("status")["uptime_s"] < _TAKEN_UP_S:
                text = f"spikedaqd at {seat.url} was started just now and may still take the session up"
                raise CommandTimeout(text, code="restarted") from error
            return None
    return status


def note_drift(
    seat: Seat,
    session: str,
    before: ClockReading,
    key: ClientKey | str | os.PathLike[str] | None,
    *,
    reference_ns: int | None = None,
) -> tuple[int | None, str]:
    """Measure how far a bench's clock has moved against ours since the start, and put it into its files.

    Parameters
    ----------
    reference_ns : int or None
        The instant that times count from, on our clock. With it what the files are told can be computed with, too.

    Returns
    -------
    drift_ns : int or None
        None where it is not known, or where the session has ended there already.
    remark : str
        What went wrong; nothing of it keeps the session from being ended.
    """
    drift_ns = None
    try:
        with ControlClient(seat.url, key=key) as client:
            status = client.call("record_status")
            if status is None or status["session"] != session or status["state"] in ENDED:
                return None, ""
            now = read_clock(client, host_now_ns)
            drift_ns = now.theirs_ns - before.theirs_at(now.ours_ns)
            known_ns = now.uncertainty_ns + before.uncertainty_ns
            text = f"this computer's clock moved by {drift_ns / 1e6:+.3f} ms (±{known_ns / 1e6:.3f}) since the start"
            if reference_ns is not None:
                zero_ns = before.theirs_at(reference_ns)
                start_s, stop_s = (before.theirs_ns - zero_ns) / 1e9, (now.theirs_ns - zero_ns) / 1e9
                text = f"{text} {ClockDrift(start_s, stop_s, drift_ns, known_ns).to_note()}"
            client.call("note", text=text)
    except SpikedaqError as error:
        return drift_ns, f"how far its clock has moved could not be noted in its files ({error})"
    return drift_ns, ""
