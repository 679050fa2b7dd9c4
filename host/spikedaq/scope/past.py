"""What was before: from the bins that are kept, else from the bench's history, as frames of bins."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.bus import SAMPLES, Message, decode_samples
from spikedaq.inlet import Bench
from spikedaq.model import CommandRejected
from spikedaq.scope.frames import encode_bins
from spikedaq.scope.pyramid import EMPTY_HIGH, EMPTY_LOW, N_LEVELS, Bins

MAX_BINS = 16384
"""Of one request: several screens."""
MAX_SAMPLES = 20_000_000
"""Of one request: half an hour at 10 kHz, which takes some ten seconds to read."""
_PIECE_SAMPLES = 200_000


def check_range(level: Any, first: Any, stop: Any) -> tuple[int, int, int]:
    """Return a request's level and bins, checked.

    Raises
    ------
    CommandRejected
        Not whole numbers in order, or too many at once.
    """
    if any(type(value) is not int for value in (level, first, stop)) or not (
        0 <= level < N_LEVELS and 0 <= first < stop < 1 << 53
    ):
        raise CommandRejected("a part of the past needs a level, and a first bin before its last", code="bad_arguments")
    if stop - first > MAX_BINS or (stop - first) << level > MAX_SAMPLES:
        raise CommandRejected(
            f"{stop - first} bins of {1 << level} samples are too much at once; ask for at most {MAX_BINS} bins and "
            f"{MAX_SAMPLES} samples",
            code="too_large",
        )
    return level, first, stop


class Past:
    """Bins of one boot from the history, frame by frame; iterating blocks.

    Parameters
    ----------
    bins : tuple of int
        Level, first and last but one of bins of ``2**level`` steps.
    more
        What else the frames' headers are to say.

    Attributes
    ----------
    kept_from : int or None
        Once it was read: where the history did not have all of it any more, the oldest step of the boot that it has.
    was_deleted : bool
        Then: the journal had something before that, of this boot or an older one; else nothing ever was there.

    Raises
    ------
    CommandError
        While iterating: there is no history, or it refuses.
    """

    def __init__(self, bench: Bench, device: str, boot: int, bins: tuple[int, int, int], **more: Any) -> None:
        self.kept_from: int | None = None
        self.was_deleted = False
        self._bench, self._device, self._boot, self._bins, self._more = bench, device, boot, bins, more

    def __iter__(self) -> Generator[bytes, None, None]:
        level, first, stop = self._bins
        filling = _Filling(level, first, stop)
        more = {"bench": self._bench.name, "device": self._device, **self._more}
        with self._bench.history() as history:
            begin, end = (self._boot, first << level), (self._boot, stop << level)
            reading = history.read(self._device, streams=[SAMPLES], step=begin, until_step=end)
            for message in reading:
                if message.header["boot"] == self._boot:
                    yield from filling.take(message, more)
            oldest = reading.first
            if oldest is not None and oldest.get("boot") == self._boot:
                self.kept_from = int(oldest["step"])
                self.was_deleted = history.extent(self._device)["first_offset"] > 0
        yield from filling.rest()


class PastReader:
    """A connection to a bench that reads one part of its past, frame by frame; its methods block.

    Parameters
    ----------
    bench : Bench
        Closed with it.
    device, boot, bins, more
        As for `Past`.
    """

    def __init__(self, bench: Bench, device: str, boot: int, bins: tuple[int, int, int], **more: Any) -> None:
        self._bench = bench
        self._past = Past(bench, device, boot, bins, **more)
        self._frames = iter(self._past)

    @property
    def told(self) -> dict[str, Any]:
        """What is said behind the last frame."""
        return {"kept_from": self._past.kept_from, "deleted": self._past.was_deleted}

    def next_frame(self) -> bytes | None:
        """Return the next frame, None behind the last; raises as `Past`."""
        return next(self._frames, None)

    def close(self) -> None:
        """Disconnect."""
        self._frames.close()
        self._bench.close()


class _Filling:
    """Bins that are being filled with blocks in order; a frame has those of one mode.

    A bin at the end of one frame can be at the beginning of the next, with its other samples.
    """

    def __init__(self, level: int, first: int, stop: int) -> None:
        self.level, self.first, self.stop = level, first, stop
        self._header: dict[str, Any] = {}
        self._blocks: list[tuple[int, npt.NDArray[np.int16]]] = []
        self._n_samples = 0

    def take(self, message: Message, more: dict[str, Any]) -> Iterator[bytes]:
        header, samples = message.header, decode_samples(message)
        t_ns = header.get("t_ns")
        said = {
            **more, "boot": header["boot"], "mode": header.get("mode", "current"), "step_us": header["step_us"],
            "step": header["step"], "t_ms": None if t_ns is None else t_ns / 1e6,
        }  # fmt: skip
        is_other = self._header and any(said[key] != self._header[key] for key in ("mode", "step_us"))
        if is_other or self._n_samples >= _PIECE_SAMPLES:
            yield from self.rest()
        if not self._blocks:
            self._header = said
        self._blocks.append((header["step"], samples))
        self._n_samples += len(samples)

    def rest(self) -> Iterator[bytes]:
        blocks, self._blocks, self._n_samples = self._blocks, [], 0
        if not blocks:
            return
        steps = np.concatenate([np.arange(step, step + len(samples)) for step, samples in blocks])
        samples = np.concatenate([samples for _, samples in blocks])
        wanted = (steps >> self.level >= self.first) & (steps >> self.level < self.stop)
        numbers, samples = steps[wanted] >> self.level, samples[wanted]
        if not len(numbers):
            return
        begins = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
        first, where = int(numbers[0]), numbers[begins] - numbers[0]
        low = np.full((samples.shape[1], int(where[-1]) + 1), EMPTY_LOW, np.int16)
        high = np.full_like(low, EMPTY_HIGH)
        low[:, where] = np.minimum.reduceat(samples, begins).T
        high[:, where] = np.maximum.reduceat(samples, begins).T
        yield encode_bins(self._header, Bins(self.level, first, low, high))
