"""What happened lately on one device, for pages that were opened later or that scroll back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from spikedaq.bus import EVENTS
from spikedaq.inlet import Bench

KINDS = frozenset({"spike", "trigger", "gap", "mode", "stimulus_end", "overrun"})
"""Events that have a place on the time axis."""
CAPACITY = 20_000
"""Five minutes of a neuron that fires 50 times a second beside a 20 Hz stimulus; 10 MB."""
MAX_TOLD = 5_000
"""In one answer, the newest: more than a screen has columns, and half a megabyte."""


def for_page(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return a header with times in milliseconds: a browser's numbers have 53 bits."""
    times = {
        key.removesuffix("_ns") + "_ms": value / 1e6
        for key, value in header.items()
        if key.endswith("_ns") and value is not None
    }
    return {**{key: value for key, value in header.items() if not key.endswith("_ns")}, **times}


class EventLog:
    """The newest events of one device that have a step.

    Attributes
    ----------
    boot : int or None
        Of the newest event; those of another boot are forgotten, for steps of different boots have nothing in common.
    known_from : int or None
        Every event of this boot from this step on is here.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.boot: int | None = None
        self.known_from: int | None = None
        self._events: deque[dict[str, Any]] = deque(maxlen=capacity)

    def see(self, boot: int, step: int) -> None:
        """Note that the device has come to a step: from the first one seen on nothing is missed."""
        if boot != self.boot:
            self.boot, self.known_from = boot, step
            self._events.clear()

    def missed(self, step: int | None) -> None:
        """Note that events before a step were missed; None: nobody knows up to which."""
        if step is None:
            self.boot = self.known_from = None
            self._events.clear()
        elif self.known_from is not None:
            self.known_from = max(self.known_from, step)

    def take(self, event: dict[str, Any]) -> None:
        """Keep an event, as `for_page` made it; one without a step is none for the time axis."""
        boot, step = event.get("boot"), event.get("step")
        if event.get("kind") not in KINDS or type(boot) is not int or type(step) is not int:
            return
        self.see(boot, step)
        if len(self._events) == self._events.maxlen:
            self.known_from = max(self.known_from or 0, int(self._events[0]["step"]) + 1)
        self._events.append(event)

    def has(self, boot: int, first_step: int) -> bool:
        """Tell whether every event of a boot from a step on is here."""
        return boot == self.boot and self.known_from is not None and first_step >= self.known_from

    def between(self, first_step: int, stop_step: int) -> list[dict[str, Any]]:
        """Return the events of the present boot from one step up to another."""
        return [event for event in self._events if _touches(event, first_step, stop_step)]


def read_events(bench: Bench, device: str, boot: int, first_step: int, stop_step: int) -> Iterator[dict[str, Any]]:
    """Read events from the history, in the journal's order; blocking.

    Raises
    ------
    CommandError
        There is no history, or it refuses.
    """
    with bench.history() as history:
        reading = history.read(device, streams=[EVENTS], step=(boot, first_step), until_step=(boot, stop_step))
        for message in reading:
            header = message.header
            if header.get("kind") in KINDS and header.get("boot") == boot and "step" in header:
                event = for_page(header)
                if _touches(event, first_step, stop_step):
                    yield event


def told(events: Iterable[dict[str, Any]], *, is_complete: bool) -> dict[str, Any]:
    """Return an answer: the newest events, and whether they are all."""
    newest: deque[dict[str, Any]] = deque(maxlen=MAX_TOLD)
    count = 0
    for event in events:
        newest.append({key: value for key, value in event.items() if key not in ("v", "n", "epoch", "seq", "tick")})
        count += 1
    return {"events": list(newest), "complete": is_complete and count <= MAX_TOLD}


def _touches(event: Mapping[str, Any], first_step: int, stop_step: int) -> bool:
    """Tell whether an event, or the gap it tells of, lies in a range of steps."""
    step = int(event["step"])
    count = event.get("count")
    return step < stop_step and step + (count if type(count) is int else 1) > first_step
