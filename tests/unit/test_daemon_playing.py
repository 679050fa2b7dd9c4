"""What a device's stimulus generator plays, from requests and events in every order they come in."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from spikedaq.daemon.commands.devices import DeviceCommands
from spikedaq.daemon.playing import PlayingStimulus
from spikedaq.model import CommandRejected, Event, EventKind
from spikedaq.wire import StimulusBegin, StimulusPlay, StimulusStop

BOOT = 7


def event(kind: EventKind, step: int, value: float = 0.0, boot: int = BOOT) -> Event:
    return Event(boot, 0, kind, step, step * 100, 0, value)


def first_row(step: int, boot: int = BOOT) -> Event:
    return event(EventKind.TRIGGER, step, 1.0, boot)


def upload_and_play(follower: PlayingStimulus, rows: int, *, loop: bool, name: str | None, by: str) -> None:
    follower.request(StimulusBegin(1, rows), by)
    follower.call_next(name)
    follower.request(StimulusPlay(2, loop), by)


def told(follower: PlayingStimulus, *keys: str) -> tuple[Any, ...]:
    now = follower.to_map(BOOT)
    assert now is not None
    return tuple(now[key] for key in keys)


def test_a_waveform_plays_from_its_first_row_on() -> None:
    """Not from the request on, which the device may refuse."""
    follower = PlayingStimulus()
    upload_and_play(follower, 300, loop=False, name="a.csv", by="anna@here")
    assert follower.to_map(BOOT) is None
    follower.event(first_row(1000), 55)
    assert follower.to_map(BOOT) == {
        "state": "playing", "name": "a.csv", "by": "anna@here", "rows": 300, "loop": False,
        "boot": BOOT, "step": 1000, "tick": 100_000, "t_ns": 55, "loops": 1,
    }  # fmt: skip


def test_each_loop_moves_the_first_row() -> None:
    """Who comes late knows where in the waveform it is."""
    follower = PlayingStimulus()
    upload_and_play(follower, 300, loop=True, name=None, by="x")
    for step in (1000, 1300, 1600):
        follower.event(first_row(step), None)
    assert told(follower, "state", "step", "loops", "name", "rows") == ("playing", 1600, 3, None, 300)


def test_one_that_is_played_once_ends_and_stays_known() -> None:
    """What follows it is silence, not the square wave."""
    follower = PlayingStimulus()
    upload_and_play(follower, 300, loop=False, name="a", by="x")
    follower.event(first_row(1000), None)
    follower.event(event(EventKind.STIMULUS_END, 1300), None)
    assert told(follower, "state", "name", "step") == ("ended", "a", 1000)


@pytest.mark.parametrize("end_first", [True, False])
def test_one_that_is_replaced_has_not_ended(end_first: bool) -> None:
    """Its end has the step of the next one's first row, and may be told before or after it."""
    follower = PlayingStimulus()
    upload_and_play(follower, 300, loop=True, name="a", by="x")
    follower.event(first_row(1000), None)
    upload_and_play(follower, 50, loop=False, name="b", by="y")
    both = [event(EventKind.STIMULUS_END, 1100), first_row(1100)]
    for one in both if end_first else reversed(both):
        follower.event(one, None)
    assert told(follower, "state", "name", "by", "rows", "loops") == ("playing", "b", "y", 50, 1)


def test_the_square_wave_is_none() -> None:
    """After a stop the square wave begins with an event of its own."""
    follower = PlayingStimulus()
    upload_and_play(follower, 300, loop=True, name="a", by="x")
    follower.event(first_row(1000), None)
    follower.request(StimulusStop(3), "x")
    follower.event(event(EventKind.STIMULUS_END, 1100), None)
    follower.event(event(EventKind.TRIGGER, 1100, 0.0), None)
    assert follower.to_map(BOOT) is None


def test_what_began_before_the_daemon_is_a_waveform_of_which_nothing_is_known() -> None:
    """Better than to say that none plays."""
    follower = PlayingStimulus()
    follower.event(first_row(1000), None)
    assert told(follower, "state", "name", "by", "rows", "loop") == ("playing", None, None, None, None)


def test_a_reboot_forgets() -> None:
    """A waveform does not survive it; neither does what it was called."""
    follower = PlayingStimulus()
    upload_and_play(follower, 300, loop=True, name="a", by="x")
    follower.event(first_row(1000), None)
    assert follower.to_map(BOOT + 1) is None
    assert follower.to_map(None) is None
    follower.event(first_row(10, BOOT + 1), None)
    now = follower.to_map(BOOT + 1)
    assert now is not None
    assert (now["name"], now["rows"], now["loops"]) == (None, None, 1)


def test_a_name_is_for_one_play_only() -> None:
    """Played again without a name, a waveform has none."""
    follower = PlayingStimulus()
    upload_and_play(follower, 300, loop=True, name="a", by="x")
    follower.event(first_row(1000), None)
    follower.request(StimulusPlay(3, loop=True), "y")
    follower.event(first_row(1100), None)
    assert told(follower, "name", "by", "rows") == (None, "y", 300)


def test_the_name_of_a_play_that_failed_is_nobodys() -> None:
    """The board was away; what a trigger plays later, without a name, has none."""
    follower, played = PlayingStimulus(), []

    async def play(**_: Any) -> None:
        played.append(1)
        raise CommandRejected("alpha is lost", code="not_connected")

    device = SimpleNamespace(commands=SimpleNamespace(stimulus_play=play))
    member = SimpleNamespace(device=device, outlet=SimpleNamespace(stimulus=follower))
    bench: Any = SimpleNamespace(member=lambda _: member)
    stimulus = DeviceCommands(bench, SimpleNamespace()).operations()["stimulus"].run  # type: ignore[arg-type]
    with pytest.raises(CommandRejected):
        asyncio.run(stimulus("anna@here", "alpha", play=True, name="hers.csv"))
    assert played
    follower.request(StimulusPlay(3, loop=True), "trigger light")
    follower.event(first_row(1100), None)
    assert told(follower, "name", "by") == (None, "trigger light")
    follower.call_next("somebody else's")
    follower.take_back("hers.csv")
    follower.request(StimulusPlay(4, loop=True), "ben@there")
    follower.event(first_row(1200), None)
    assert told(follower, "name") == ("somebody else's",)
