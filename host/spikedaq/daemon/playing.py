"""What a device's stimulus generator plays: from requests what it is, from the device's events since when."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from spikedaq.model import Event, EventKind
from spikedaq.wire import StimulusBegin, StimulusPlay, StimulusStop

PLAYING = "playing"
ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Stimulus:
    """A waveform.

    Attributes
    ----------
    state : str
        ``playing``, or ``ended``: played once, and silence since (protocol/README.md, section 7).
    name, by : str or None
        What it was called, and who asked for it; None where nobody said, or that was before the daemon's start.
    rows : int or None
        How many it has; one is 0.1 ms of model time.
    loop : bool or None
    boot, step, tick : int
        Where its newest loop began.
    t_ns : int or None
        Host time of that; None while the device's clock is not fitted.
    loops : int
        How many have begun, since the daemon's start.
    """

    state: str
    name: str | None
    by: str | None
    rows: int | None
    loop: bool | None
    boot: int
    step: int
    tick: int
    t_ns: int | None
    loops: int


@dataclass(frozen=True, slots=True)
class _Asked:
    name: str | None
    by: str
    rows: int | None
    loop: bool


class PlayingStimulus:
    """Follows the stimulus of one device.

    Requests alone would not do: one may be refused, or the device rebooted. It is the event of a first row that says
    that a waveform plays, and only what it is comes from the request before it.
    """

    def __init__(self) -> None:
        self._rows: int | None = None
        self._name: str | None = None
        self._asked: _Asked | None = None
        self._now: Stimulus | None = None

    def call_next(self, name: str | None) -> None:
        """Say what the waveform is called that is played next."""
        self._name = name

    def take_back(self, name: str | None) -> None:
        """Forget a name that was given by `call_next`, unless somebody else has given another since."""
        if self._name == name:
            self._name = None

    def request(self, request: object, origin: str) -> None:
        """Take a request on its way to the device."""
        if isinstance(request, StimulusBegin):
            self._rows = request.n_rows
            self._asked = None
        elif isinstance(request, StimulusPlay):
            self._asked = _Asked(self._name, origin, self._rows, request.loop)
            self._name = None
        elif isinstance(request, StimulusStop):
            self._asked = None

    def event(self, event: Event, t_ns: int | None) -> None:
        """Take an event of the device."""
        if event.kind == EventKind.TRIGGER:
            if event.value:
                self._loop_begins(event, t_ns)
            else:
                self._now = None
        elif event.kind == EventKind.STIMULUS_END and self._now is not None and event.step != self._now.step:
            # One that is replaced ends in the step in which the next one begins.
            self._now = replace(self._now, state=ENDED)

    def _loop_begins(self, event: Event, t_ns: int | None) -> None:
        boot, asked, now = event.boot_id, self._asked, self._now
        self._asked = None
        what: tuple[str | None, str | None, int | None, bool | None]
        if asked is not None:
            what = (asked.name, asked.by, asked.rows, asked.loop)
        elif now is not None and now.boot == boot:
            what = (now.name, now.by, now.rows, now.loop)
        else:
            what = (None, None, None, None)
        n_before = now.loops if now is not None and asked is None and now.boot == boot else 0
        self._now = Stimulus(PLAYING, *what, boot, event.step, event.tick, t_ns, n_before + 1)

    def to_map(self, boot: int | None) -> dict[str, Any] | None:
        """Return what plays in the device's present boot; None for the square wave, and where nothing is known."""
        return asdict(self._now) if self._now is not None and self._now.boot == boot else None
