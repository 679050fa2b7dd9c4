"""Counting what a subscriber missed."""

from __future__ import annotations

import pytest

from spikedaq.bus import MissCounter
from spikedaq.model import RemoteProtocolError


def feed(counter: MissCounter, *numbers: int, epoch: str = "e") -> list[int]:
    return [counter.update({"n": n, "epoch": epoch}) for n in numbers]


def test_nothing_is_missed_before_the_first_message() -> None:
    counter = MissCounter()
    assert feed(counter, 1000, 1001) == [0, 0]
    assert (counter.received, counter.missed) == (2, 0)


def test_missing_messages_are_counted_where_they_are_missing() -> None:
    counter = MissCounter()
    assert feed(counter, 0, 1, 5, 6, 8) == [0, 0, 3, 0, 1]
    assert counter.missed == 4


def test_a_repeated_or_old_number_is_counted_apart_and_changes_nothing() -> None:
    counter = MissCounter()
    assert feed(counter, 5, 6, 6, 3, 7) == [0, 0, 0, 0, 0]
    assert (counter.missed, counter.repeated) == (0, 2)


def test_a_new_epoch_starts_again_and_is_counted_apart() -> None:
    counter = MissCounter()
    feed(counter, 100, 101, epoch="first")
    assert feed(counter, 4, 5, 7, epoch="second") == [0, 0, 1]
    assert (counter.missed, counter.restarts, counter.missed_at_restart) == (1, 1, 4)


@pytest.mark.parametrize("header", [{}, {"n": 1}, {"epoch": "e"}, {"n": -1, "epoch": "e"}, {"n": True, "epoch": "e"}])
def test_a_header_without_a_sequence_counts_nothing(header: dict[str, object]) -> None:
    counter = MissCounter()
    with pytest.raises(RemoteProtocolError):
        counter.update(header)
    assert counter.received == 0
    assert feed(counter, 3) == [0]
