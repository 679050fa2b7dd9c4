"""The copier fetches to the journals' ends, however long that takes, and says where it did not."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from copied_journal import Original

from spikedaq.inlet import JournalPiece
from spikedaq.journal import JournalCopy, list_segments
from spikedaq.journal.piece import MIN_PIECE_BYTES
from spikedaq.model import CommandTimeout
from spikedaq.remote import copier as room
from spikedaq.remote.copier import Copier


class Clock:
    """Time that passes where somebody waits for it."""

    def __init__(self) -> None:
        self.s = 1000.0

    def monotonic(self) -> float:
        return self.s

    def time(self) -> float:
        return 1.8e9 + self.s

    def sleep(self, seconds: float) -> None:
        self.s += seconds


class Bench:
    """Stands for a connection to a bench and to its history; each request takes a while."""

    def __init__(self, original: Original, clock: Clock, request_s: float = 6.0) -> None:
        self.original = original
        self.clock = clock
        self.request_s = request_s
        self.n_requests = 0
        self.before_reply: Callable[[], None] = lambda: None

    def __call__(self, url: str, **more: object) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def history(self) -> Self:
        return self

    def head(self, device: str) -> dict[str, Any]:
        return self.original.ask("head", device=device)

    def journal(self, offsets: dict[str, int], wait_s: float) -> tuple[list[JournalPiece], bool, dict[str, Any]]:
        self.clock.sleep(self.request_s)
        self.n_requests += 1
        self.before_reply()
        value = self.original.ask("journal", offsets=offsets, max_bytes=MIN_PIECE_BYTES)
        return [JournalPiece(**piece) for piece in value["pieces"]], value["more"], value


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(room, "time", clock)
    return clock


def begun(tmp_path: Path) -> tuple[Original, JournalCopy]:
    original = Original(tmp_path / "there", segment_bytes=2**24)
    copy = JournalCopy(tmp_path / "here" / "alpha")
    original.begin(copy)
    return original, copy


def test_whoever_is_hours_behind_at_the_end_fetches_all_of_it(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The patience is for silence: what comes slowly, and is much, comes all the same."""
    original, copy = begun(tmp_path)
    original.blocks(2000)
    bench = Bench(original, clock)
    monkeypatch.setattr(room, "connect", bench)
    copier = Copier("tcp://bench", {"alpha": copy})
    copier.stop(10.0)
    copier.run()
    assert bench.n_requests > 5
    assert copier.reached_end
    size = list_segments(tmp_path / "there" / "alpha")[-1].size()
    assert copy.next_offset == size
    assert original.piece(copy.next_offset).data == b""


def test_a_bench_that_goes_away_at_the_end_is_waited_for_and_told(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten seconds after the last that came it is over, and nobody says that all was fetched."""
    original, copy = begun(tmp_path)
    original.blocks(2000)
    bench = Bench(original, clock, request_s=1.0)

    def leave() -> None:
        if bench.n_requests > 3:
            raise CommandTimeout("nobody answers", code="timeout")

    bench.before_reply = leave
    monkeypatch.setattr(room, "connect", bench)
    copier = Copier("tcp://bench", {"alpha": copy})
    copier.stop(10.0)
    copier.run()
    assert not copier.reached_end
    assert 1000.0 + 3.0 + 10.0 <= clock.s <= 1000.0 + 3.0 + 12.0
    assert copier.state.trouble == "nobody answers"
    assert copier.state.came_s == 1.8e9 + 1003.0


def test_a_device_without_a_journal_keeps_no_other_from_being_copied(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said to be absent, asked for now and then, and copied once it is there."""
    original, copy = begun(tmp_path)
    original.blocks(50)
    beta = JournalCopy(tmp_path / "here" / "beta")
    bench = Bench(original, clock)
    monkeypatch.setattr(room, "connect", bench)
    copier = Copier("tcp://bench", {"beta": beta, "alpha": copy})
    absent: list[bool] = []

    def appear() -> None:
        absent.append(copier.state.devices["beta"].absent)
        if bench.n_requests == 2:
            shutil.copytree(tmp_path / "there" / "alpha", tmp_path / "there" / "beta")
        if bench.n_requests == 5:
            copier.stop(10.0)

    bench.before_reply = appear
    copier.run()
    assert copier.reached_end
    assert absent[:2] == [True, True]
    assert not copier.state.devices["beta"].absent
    assert beta.next_offset == copy.next_offset
