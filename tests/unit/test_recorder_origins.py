"""A recorded change of a parameter says when it was and whose: a client's by name, a knob's the board's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import T0_NS, FakeDevice, check_files, record_in_process, record_plan

from spikedaq.journal import JournalWriter, RequestRecord, SessionStop
from spikedaq.model import EventKind
from spikedaq.recorder import EXIT_DONE, EXIT_INTERRUPTED
from spikedaq.store import RecordingFile
from spikedaq.wire import Set, encode_message

PARAMETER = int(EventKind.PARAMETER)
SECOND_STEPS = 10_000


class Board:
    """A device whose journal is written, and recorded in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.device = FakeDevice()
        self.writer = JournalWriter(
            folder / "journal", device="alpha", unique_id="01", host_boot_id="b", boottime_ns=lambda: T0_NS
        )
        self.device.introduce(self.writer)
        self.n_requests = 0

    def blocks(self, n: int) -> None:
        for _ in range(n):
            self.writer.append_frames(self.device.t_host_ns, [self.device.block()])

    def ask(self, value: float, origin: str, *, times: int = 1) -> None:
        """A request to set the parameter, sent again where no reply comes."""
        self.n_requests += 1
        for _ in range(times):
            message = encode_message(Set(self.n_requests, (0, value)))
            self.writer.append(RequestRecord(self.device.t_host_ns, message, origin))

    def tell(self, value: float) -> None:
        """The board says that the parameter has another value."""
        self.writer.append_frames(self.device.t_host_ns, [self.device.event(PARAMETER, value=value)])

    def record(self, name: str = "s", *, to_end: bool = True) -> None:
        """Record what the journal holds; the session is left to be taken up, or ended where the journal says so."""
        folder = self.folder / name
        if not folder.exists():
            record_plan(folder, "s", {"alpha": self.writer.folder})
        assert record_in_process(folder) == (EXIT_DONE if to_end else EXIT_INTERRUPTED)

    def end(self) -> None:
        self.writer.append(SessionStop(self.device.t_host_ns, "s", "user"))

    def files(self, name: str = "s") -> list[RecordingFile]:
        return check_files(self.folder / name, self.device.produced)


Told = list[tuple[float, float | None, str]]


def told(files: list[RecordingFile], *, requests: bool = False) -> Told:
    """Changes, or requests for them, as (time in seconds, value, origin)."""
    rows = [p for file in files for p in file.parameters if p.origin != "initial" and p.is_request == requests]
    return [(round(p.time_s, 3), p.value, p.origin) for p in rows]


def test_a_client_and_a_knob_are_told_apart(tmp_path: Path) -> None:
    """Each change with its time and whose it is; the request stays a row of its own."""
    board = Board(tmp_path)
    board.blocks(10)
    board.ask(5.0, "anna@127.0.0.1", times=2)
    board.blocks(1)
    board.tell(5.0)
    board.blocks(100)
    board.tell(7.5)  # a knob
    board.blocks(1)
    board.end()
    board.record()
    files = board.files()
    assert told(files) == [(0.11, 5.0, "anna@127.0.0.1"), (1.11, 7.5, "board")]
    assert told(files, requests=True) == [(0.1, 5.0, "anna@127.0.0.1")] * 2


def test_a_request_that_was_not_answered_in_time_has_no_change(tmp_path: Path) -> None:
    """Two seconds later a knob is a knob."""
    board = Board(tmp_path)
    board.blocks(1)
    board.ask(5.0, "anna@127.0.0.1")
    board.device.skip(2 * SECOND_STEPS)
    board.tell(5.0)
    board.blocks(1)
    board.end()
    board.record()
    assert [origin for _, _, origin in told(board.files())] == ["board"]


@pytest.mark.parametrize("answered", [False, True])
def test_a_recorder_that_takes_up_a_session_finds_who_asked_before(tmp_path: Path, *, answered: bool) -> None:
    """One that was ended between request and change writes what one writes that never was."""
    board = Board(tmp_path)
    board.blocks(5)
    board.ask(5.0, "anna@127.0.0.1")
    if answered:
        board.tell(5.0)
    board.blocks(150)
    board.record(to_end=False)
    board.ask(5.0, "bert@127.0.0.1")
    board.record(to_end=False)
    board.blocks(5)
    board.tell(5.0)
    board.blocks(5)
    board.end()
    board.record()
    board.record("whole")
    assert told(board.files()) == told(board.files("whole"))
    assert told(board.files())[-1][2] == "bert@127.0.0.1"


@pytest.mark.parametrize("answered", [False, True])
def test_a_request_sent_again_is_the_same_after_a_kill(tmp_path: Path, *, answered: bool) -> None:
    """Once answered it has no other change, however a recorder was ended meanwhile."""
    board = Board(tmp_path)
    board.blocks(5)
    board.ask(5.0, "anna@127.0.0.1")
    if answered:
        board.tell(5.0)
    board.blocks(120)  # more than what is read before to know the sequence
    board.n_requests -= 1
    board.ask(5.0, "anna@127.0.0.1")
    board.record(to_end=False)
    board.blocks(60)
    board.tell(9.0)
    board.blocks(5)
    board.end()
    board.record()
    board.record("whole")
    assert told(board.files()) == told(board.files("whole"))
    assert told(board.files())[-1][2] == ("board" if answered else "anna@127.0.0.1")
