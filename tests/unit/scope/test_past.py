"""Bins read from the history are those of its samples, whatever the blocks they come in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedaq.bus import Message
from spikedaq.model import CommandRejected
from spikedaq.scope import past as past_module
from spikedaq.scope.frames import decode_bins
from spikedaq.scope.past import MAX_BINS, Past, PastReader, check_range
from spikedaq.scope.pyramid import EMPTY_HIGH, EMPTY_LOW


class History:
    """A bench whose history has given messages."""

    name = "lab"

    def __init__(self, messages: list[Message], first: dict[str, Any] | None = None) -> None:
        self.messages = messages
        self.first = first
        self.first_offset = 0
        self.asked: dict[str, Any] = {}

    @contextlib.contextmanager
    def history(self) -> Iterator[History]:
        yield self

    def read(self, device: str, **asked: Any) -> History:
        self.asked = {"device": device, **asked}
        return self

    def extent(self, device: str) -> dict[str, Any]:
        assert device == "alpha"
        return {"first_offset": self.first_offset}

    def __iter__(self) -> Iterator[Message]:
        return iter(self.messages)


def block(step: int, values: list[int], **more: Any) -> Message:
    header = {"boot": 7, "step": step, "step_us": 100, "count": len(values), "channels": 1, "t_ns": 5_000_000}
    samples = np.array(values, "<i2").tobytes()
    return Message("lab/alpha/samples/", {**header, "layout": "channel-major", **more}, samples)


def merged(history: History, bins: tuple[int, int, int]) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for frame in Past(history, "alpha", 7, bins, past=3):  # type: ignore[arg-type]
        header, part = decode_bins(frame)
        assert (header["past"], header["device"], header["bench"]) == (3, "alpha", "lab")
        for k in range(part.low.shape[1]):
            low, high = found.get(part.first + k, (EMPTY_LOW, EMPTY_HIGH))
            found[part.first + k] = min(low, int(part.low[0, k])), max(high, int(part.high[0, k]))
    return {number: pair for number, pair in found.items() if pair[0] <= pair[1]}


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_like_the_definition(data: st.DataObject) -> None:
    """With gaps, over pieces of any size, and cut to what was asked for."""
    level = data.draw(st.integers(0, 5))
    step, known, messages = data.draw(st.integers(0, 200)), {}, []
    for _ in range(data.draw(st.integers(0, 12))):
        step += data.draw(st.sampled_from([0, 0, 1, 31, 200]))
        values = data.draw(st.lists(st.integers(-300, 300), min_size=1, max_size=40))
        messages.append(block(step, values))
        known |= {step + k: value for k, value in enumerate(values)}
        step += len(values)
    first = data.draw(st.integers(0, (step >> level) + 1))
    stop = first + data.draw(st.integers(1, 60))
    expected: dict[int, list[int]] = {}
    for k, value in known.items():
        if first <= k >> level < stop:
            expected.setdefault(k >> level, []).append(value)
    before = past_module._PIECE_SAMPLES
    past_module._PIECE_SAMPLES = data.draw(st.sampled_from([1, 20, before]))
    try:
        found = merged(History(messages), (level, first, stop))
    finally:
        past_module._PIECE_SAMPLES = before
    assert found == {number: (min(values), max(values)) for number, values in expected.items()}


def test_each_frame_is_of_one_mode_and_boot() -> None:
    messages = [block(0, [1, 2]), block(2, [8, 9], mode="voltage"), block(4, [3], boot=6), block(4, [4, 5])]
    frames = [decode_bins(f) for f in Past(History(messages), "alpha", 7, (0, 0, 100))]  # type: ignore[arg-type]
    assert [(h["mode"], h["first"], b.low[0].tolist()) for h, b in frames] == [
        ("current", 0, [1, 2]), ("voltage", 2, [8, 9]), ("current", 4, [4, 5]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "kept_from"), [(None, None), ({"boot": 7, "step": 500}, 500), ({"boot": 8, "step": 500}, None)]
)
def test_it_says_from_where_on_the_history_has_anything(first: dict[str, Any] | None, kept_from: int | None) -> None:
    past = Past(History([block(500, [1])], first), "alpha", 7, (3, 0, 100))  # type: ignore[arg-type]
    assert len(list(past)) == 1
    assert past.kept_from == kept_from


@pytest.mark.parametrize("first_offset", [0, 4096])
def test_it_says_whether_there_was_anything_before(first_offset: int) -> None:
    """A board that was plugged in five seconds ago has no past that was deleted."""
    history = History([block(500, [1])], {"boot": 7, "step": 500})
    history.first_offset = first_offset
    reader = PastReader(history, "alpha", 7, (3, 0, 100))  # type: ignore[arg-type]
    assert reader.next_frame() is not None
    assert reader.next_frame() is None
    assert reader.told == {"kept_from": 500, "deleted": first_offset > 0}


def test_it_asks_for_the_steps_of_the_bins() -> None:
    history = History([])
    assert list(Past(history, "alpha", 7, (4, 10, 12))) == []  # type: ignore[arg-type]
    assert history.asked == {"device": "alpha", "streams": ["samples"], "step": (7, 160), "until_step": (7, 192)}


@pytest.mark.parametrize(
    ("bins", "code"),
    [
        ((0, 5, 5), "bad_arguments"), ((0, 5, 4), "bad_arguments"), ((14, 0, 1), "bad_arguments"),
        ((-1, 0, 1), "bad_arguments"), ((0, -1, 1), "bad_arguments"), ((0, 0, 1.0), "bad_arguments"),
        ((True, 0, 1), "bad_arguments"), ((0, 0, None), "bad_arguments"), ((0, 0, MAX_BINS + 1), "too_large"),
        ((13, 0, 2442), "too_large"),
    ],
)  # fmt: skip
def test_ranges_that_cannot_be(bins: tuple[Any, Any, Any], code: str) -> None:
    with pytest.raises(CommandRejected) as caught:
        check_range(*bins)
    assert caught.value.code == code


def test_ranges_at_the_bounds() -> None:
    assert check_range(0, 0, MAX_BINS) == (0, 0, MAX_BINS)
    assert check_range(13, 0, 2441) == (13, 0, 2441)
