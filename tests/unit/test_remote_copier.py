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
from fake_stream import T0_NS, check_files, record_in_process, record_plan

from spikedaq.inlet import JournalPiece
from spikedaq.journal import JournalCopy, ReceivedAt, SessionStop, list_segments, newest_moment
from spikedaq.journal.piece import MIN_PIECE_BYTES
from spikedaq.journal.records import RECORD_TYPES
from spikedaq.model import CommandRejected, CommandTimeout, StoreError
from spikedaq.recorder import EXIT_DONE, EXIT_INTERRUPTED
from spikedaq.remote import copier as room
from spikedaq.remote.copier import Copier
from spikedaq.remote.missing import DELETED, GONE, REPLACED, Missing
from spikedaq.store import find_files, open_recording

RECEIVED = RECORD_TYPES[ReceivedAt]


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

    def head(self, device: str, *, after: tuple[str, int, int] | None = None) -> dict[str, Any]:
        return self.original.ask("head", device=device, after=None if after is None else list(after))

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


# ---- what cannot be had


class Away:
    """A copier that is run to the journals' ends as often as is wanted, with what it said was missing."""

    def __init__(self, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, **more: object) -> None:
        self.tmp_path = tmp_path
        self.original = Original(tmp_path / "there", **more)
        self.original.blocks(20)
        self.copy = JournalCopy(tmp_path / "here" / "alpha")
        self.bench = Bench(self.original, clock, request_s=0.1)
        self.missing: list[Missing] = []
        self.refuses = False
        self.first = len(self.original.device.produced)
        self.original.begin(self.copy)
        self.folder = tmp_path / "away"
        record_plan(self.folder, "away", {"alpha": self.copy.folder}, start=self.copy.offset)
        monkeypatch.setattr(room, "connect", self.bench)

    def miss(self, device: str, missing: Missing) -> None:
        assert device == "alpha"
        if self.refuses:
            raise StoreError("the disk is full")
        self.missing.append(missing)

    def fetch(self) -> Copier:
        copier = Copier("tcp://bench", {"alpha": self.copy}, miss=self.miss)
        copier.stop(1.0)
        copier.run()
        return copier

    def replace(self, *, reboot: int = 0, **more: object) -> Original:
        """Put another journal in the place of the one that was copied; the board goes on, or was started anew."""
        device = self.original.device
        self.original.writer.close()
        shutil.rmtree(self.original.folder / "alpha")
        self.original.open(**more)
        if reboot:
            device.reboot(reboot)
        device.introduce(self.original.writer)
        return self.original

    def record(self) -> dict[str, int]:
        """End and record it; samples missing in the files by cause."""
        self.copy.append(SessionStop(self.original.device.t_host_ns, "away", "user"))
        assert record_in_process(self.folder) == EXIT_DONE
        counts: dict[str, int] = {}
        for path in find_files(self.folder, "alpha"):
            with open_recording(path) as file:
                for gap in file.gaps:
                    cause = str(gap.gap.cause)
                    counts[cause] = counts.get(cause, 0) + gap.gap.n_steps
        return counts


@pytest.fixture
def away(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Away:
    return Away(tmp_path, clock, monkeypatch)


def recorded_blocks(away: Away) -> set[tuple[int, int, int]]:
    """Blocks in the files, as (boot, first step, samples)."""
    found = set()
    for path in find_files(away.folder, "alpha"):
        with open_recording(path) as file:
            found |= {(int(r["boot_id"]), int(r["first_step"]), int(r["n_samples"])) for r in file.blocks}
    return found


def utc_ns(original: Original) -> int:
    return 1_800_000_000_000_000_000 + original.device.t_host_ns - T0_NS


def test_what_was_deleted_is_said_before_it_is_passed_over(away: Away) -> None:
    """How much, between which times, and why; a disk that takes no note of it keeps the copy from going on."""
    original = away.original
    original.blocks(10)
    away.fetch()
    at, last_ns = away.copy.offset, utc_ns(original)
    original.blocks(1200)
    original.writer.retain(original.writer.offset)
    away.refuses = True
    assert not away.fetch().reached_end
    assert away.copy.offset == at
    away.refuses = False
    assert away.fetch().reached_end
    (hole,) = away.missing
    assert (hole.at, hole.reason) == (at, DELETED)
    assert hole.n_bytes == away.copy.lost_bytes > 100_000
    assert hole.from_utc_ns is not None
    assert hole.until_utc_ns is not None
    assert abs(hole.from_utc_ns - last_ns) < 10**8
    assert hole.from_utc_ns < hole.until_utc_ns < utc_ns(original)
    produced = original.device.produced
    missing = away.record()
    blocks = recorded_blocks(away)
    (file,) = check_files(away.folder, [block for block in produced[away.first :] if block in blocks])
    assert missing == {"dropped": sum(n for _, _, n in produced[away.first :]) - len(file.samples())}


def test_another_journal_is_copied_from_where_it_was_begun(away: Away) -> None:
    """What it holds by the time that it is noticed is fetched; what lies between the two is missing, of known time."""
    original = away.original
    original.blocks(10)
    away.fetch()
    kept, last_ns = len(original.device.produced), utc_ns(original)
    original.blocks(5)
    lost = original.device.produced[kept:]
    away.replace()
    original.blocks(300)
    assert away.fetch().reached_end
    (hole,) = away.missing
    assert (hole.reason, hole.n_bytes) == (REPLACED, None)
    assert hole.from_utc_ns is not None
    assert abs(hole.from_utc_ns - last_ns) < 10**8
    assert hole.until_utc_ns == last_ns + 5 * 10**7
    assert away.record() == {"dropped": sum(n for _, _, n in lost)}
    produced = original.device.produced
    check_files(away.folder, produced[away.first : kept] + produced[kept + len(lost) :])


def test_another_journal_of_another_boot_is_recorded_whole(away: Away) -> None:
    """Computer and board were started anew: the clocks are others, and all of the new journal is fetched."""
    original = away.original
    original.blocks(10)
    away.fetch()
    away.replace(reboot=9, host_boot_id="the next")
    original.blocks(300)
    assert away.fetch().reached_end
    assert [hole.reason for hole in away.missing] == [REPLACED]
    away.record()
    check_files(away.folder, original.device.produced[away.first :])


def test_another_journal_whose_beginning_was_deleted_is_known_by_its_head(away: Away) -> None:
    """The board's hello is no longer in it; what the oldest segment says of it is enough."""
    original = away.original
    original.blocks(300)  # so that the other journal begins where this one was long ago
    away.fetch()
    kept = len(original.device.produced)
    away.replace(reboot=9)
    original.blocks(800)
    original.writer.retain(original.writer.offset)
    step = original.ask("extent", device="alpha")["first"]["step"]
    assert step > 0
    assert away.fetch().reached_end
    assert [hole.reason for hole in away.missing] == [REPLACED]
    away.record()
    produced = original.device.produced
    check_files(away.folder, [*produced[away.first : kept], *(block for block in produced[kept:] if block[1] >= step)])


def test_of_a_journal_that_was_put_back_only_what_is_new_is_copied(away: Away, tmp_path: Path) -> None:
    """A backup of the data folder, gone on with: nothing is recorded twice."""
    original = away.original
    original.writer.close()
    shutil.copytree(tmp_path / "there" / "alpha", tmp_path / "backup")
    original.open()
    original.blocks(1000)
    away.fetch()
    original.writer.close()
    shutil.rmtree(tmp_path / "there" / "alpha")
    shutil.copytree(tmp_path / "backup", tmp_path / "there" / "alpha")
    original.open()
    original.device.introduce(original.writer)
    original.blocks(300)
    assert away.fetch().reached_end
    assert [hole.reason for hole in away.missing] == [REPLACED]
    assert away.record() == {}
    check_files(away.folder, original.device.produced[away.first :])


def test_a_daemon_that_cannot_say_what_came_later_is_asked_for_its_end(
    away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of an older version: what its new journal holds already is missing, and said to be."""
    original = away.original
    original.blocks(10)
    away.fetch()
    away.replace()
    original.blocks(300)

    def head(device: str, **more: object) -> dict[str, Any]:
        if more:
            raise CommandRejected("'head' has no argument 'after'", code="bad_arguments")
        return original.ask("head", device=device)

    monkeypatch.setattr(away.bench, "head", head)
    assert away.fetch().reached_end
    (hole,) = away.missing
    assert hole.until_utc_ns is not None
    original.blocks(10)
    assert away.fetch().reached_end
    assert away.record() == {"dropped": 300 * 100}
    assert len(away.missing) == 1


def test_a_journal_that_is_gone_at_the_end_is_said_to_be(away: Away, tmp_path: Path) -> None:
    """Whether it had got more than was copied nobody knows: that is no whole recording."""
    away.original.blocks(10)
    away.fetch()
    shutil.rmtree(tmp_path / "there" / "alpha")
    assert away.fetch().reached_end
    (hole,) = away.missing
    assert (hole.reason, hole.n_bytes, hole.until_utc_ns) == (GONE, None, None)


@pytest.mark.parametrize("replaced", [False, True])
def test_what_is_missing_was_dropped_whenever_a_recorder_begins(away: Away, *, replaced: bool) -> None:
    """One that is started anew right behind a hole says the cause that one says which never ended."""
    original = away.original
    original.blocks(10)
    away.fetch()
    kept = len(original.device.produced)
    original.blocks(1200)
    if replaced:
        away.replace()
    else:
        original.writer.retain(original.writer.offset)
    # What a recorder takes there before the first block: the clock.
    if replaced:
        moment = newest_moment(away.copy.folder)
        assert moment is not None
        head = away.bench.head("alpha", after=(moment.host_boot_id, moment.t_host_ns, moment.utc_ns))
        away.copy.begin(head["offset"], head["head"], head["t_ns"])
    else:
        piece = original.piece(away.copy.next_offset or 0)
        ends = [i + 1 for i, byte in enumerate(piece.data) if byte == 0]
        n_head = next(i for i, end in enumerate(ends) if piece.data[end + 2] == RECEIVED)
        away.copy.take(piece._replace(data=piece.data[: ends[n_head]]), T0_NS)
    assert record_in_process(away.folder) == EXIT_INTERRUPTED
    original.blocks(10)
    away.fetch()
    missing = away.record()
    assert set(missing) == {"dropped"}
    blocks = recorded_blocks(away)
    assert missing["dropped"] == sum(block[2] for block in original.device.produced[kept:] if block not in blocks)
