"""A remote recording is complete only where all was fetched; everything else is left to be taken up again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from copied_journal import Original
from fake_stream import record_plan

from spikedaq.bus import FileStatus
from spikedaq.daemon.trigger_config import TriggerConfig
from spikedaq.inlet import Bench
from spikedaq.journal import JournalCopy, JournalReader, SessionStop
from spikedaq.model import CommandRejected, CommandTimeout, ConfigError, RemoteProtocolError, StoreError
from spikedaq.recorder import SessionPlan, read_plan
from spikedaq.remote import recording as room
from spikedaq.remote import session as session_room
from spikedaq.remote.copier import CopierState, CopyState
from spikedaq.remote.missing import DELETED, REPLACED, Missing
from spikedaq.remote.recording import PATIENCE_S, Progress, RemoteRecording
from spikedaq.remote.session import RemoteSession, SessionEndedError, find_unfinished, resume
from spikedaq.remote.watch import RecordingWatch


class Recorder:
    """Stands for the recorder process: finishes once the copies have their ends."""

    def __init__(self, folder: Path, devices: list[str], *_: object, **__: object) -> None:
        self.files = {device: FileStatus("waiting") for device in devices}
        self.error: str | None = None
        self.is_full = self.complete = False
        self.finished = asyncio.Event()
        self.said_s = 0.0
        self.n_killed = 0

    async def run(self) -> None:
        await self.finished.wait()

    def poke(self) -> None:
        self.complete = True
        self.finished.set()

    def silent_s(self) -> float:
        return self.said_s

    def kill(self) -> None:
        self.n_killed += 1


class Copier:
    """Stands for the copier: ends when stopped, having reached the end or not."""

    reaches_end = True
    fails: Exception | None = None
    stops: list[float]
    lacks: Missing | None = None

    def __init__(
        self,
        url: str,
        copies: dict[str, JournalCopy],
        *,
        key: object = None,
        miss: Callable[[str, Missing], None],
    ) -> None:
        self.miss = miss
        self.state = CopierState(devices={device: CopyState() for device in copies})
        self.reached_end = False
        self.ran = False
        type(self).stops = []
        self._stopped = False

    def stop(self, patience_s: float) -> None:
        self.stops.append(patience_s)
        self._stopped = True

    def run(self) -> None:
        if self.fails is not None:
            raise self.fails
        self.ran = True
        if self.lacks is not None:
            self.miss("alpha", self.lacks)
        while not self._stopped:
            pass
        self.reached_end = self.reaches_end
        self.state.trouble = "" if self.reaches_end else "no spikedaqd answers"


@pytest.fixture
def copier(monkeypatch: pytest.MonkeyPatch) -> type[Copier]:
    kind = type("Copier", (Copier,), {})
    monkeypatch.setattr(room, "Copier", kind)
    monkeypatch.setattr(room, "RecorderProcess", Recorder)
    return kind


def begun(tmp_path: Path, **plan: object) -> Path:
    """Begin a session with one copied device; its folder."""
    original = Original(tmp_path / "there")
    folder = tmp_path / "here" / "away"
    copy = JournalCopy(folder / "journal" / "alpha")
    original.begin(copy)
    copy.close()
    record_plan(folder, "away", {"alpha": copy.folder}, start=copy.offset)
    path = folder / "session.json"
    more = {"ends_with": "remote/away/1", "source": {"url": "tcp://bench:1"}, **plan}
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    return folder


def stops_in(folder: Path) -> int:
    reader = JournalReader(folder / "journal" / "alpha")
    records = []
    while found := reader.poll():
        records += [entry.item for entry in found]
    reader.close()
    return sum(isinstance(record, SessionStop) for record in records)


def run(
    folder: Path, act: Callable[[RemoteRecording, asyncio.Task[bool]], None]
) -> tuple[bool, Progress, dict[str, Any]]:
    """Run a session, acting once it runs; what it returned, told last, and has on disk."""

    async def record() -> tuple[bool, list[Progress]]:
        session = resume(folder)
        try:
            recording, told = RemoteRecording(session), list[Progress]()
            task = asyncio.create_task(recording.run(told.append))
            asyncio.get_running_loop().call_soon(act, recording, task)
            return await task, told
        finally:
            session.close()

    complete, told = asyncio.run(record())
    return complete, told[-1], json.loads((folder / "session.json").read_text())


def stop(recording: RemoteRecording, task: asyncio.Task[bool]) -> None:
    recording.stop()


def test_it_is_complete_once_all_was_fetched(tmp_path: Path, copier: type[Copier]) -> None:
    """Stopped, it waits for what the bench has, and only then says that nothing is missing."""
    complete, told, plan = run(begun(tmp_path), stop)
    assert complete
    assert copier.stops[0] == PATIENCE_S
    assert (plan["state"], plan["fetched"], told.state) == ("complete", True, "complete")
    assert not (tmp_path / "here" / "away" / "journal").exists()


def test_it_is_not_complete_where_the_bench_does_not_answer_at_the_end(tmp_path: Path, copier: type[Copier]) -> None:
    """The copies stay without an end, the reason is told, and the same session can be taken up."""
    folder = begun(tmp_path)
    copier.reaches_end = False
    complete, told, plan = run(folder, stop)
    assert not complete
    assert plan["state"] == "stopping"
    assert told.error is not None
    assert "did not answer at the end (no spikedaqd answers)" in told.error
    assert stops_in(folder) == 0
    assert find_unfinished(folder.parent, "tcp://bench:1") == [folder]
    copier.reaches_end = True
    complete, _, plan = run(folder, lambda *_: None)
    assert (complete, plan["state"]) == (True, "complete")


def test_one_that_was_being_ended_fetches_what_is_missing(tmp_path: Path, copier: type[Copier]) -> None:
    """Killed after Ctrl-C, it has the patience of one that was not."""
    complete, _, _ = run(begun(tmp_path, state="stopping", reason="user"), lambda *_: None)
    assert complete
    assert copier.stops[0] == PATIENCE_S


def test_nothing_is_copied_behind_the_end(tmp_path: Path, copier: type[Copier]) -> None:
    """Killed while its end was being written, it only writes that; the bench is not asked."""
    copier.fails = AssertionError("asked")
    complete, _, plan = run(begun(tmp_path, state="stopping", reason="user", fetched=True), lambda *_: None)
    assert (complete, plan["state"]) == (True, "complete")


def test_what_could_not_be_had_outlives_the_command(tmp_path: Path, copier: type[Copier]) -> None:
    """It is in session.json at once, and told by every later run of the session, to its end and in it."""
    folder = begun(tmp_path)
    copier.lacks = Missing(2000, DELETED, 1500, 10**9, 2 * 10**9)
    copier.reaches_end = False
    complete, told, plan = run(folder, stop)
    assert not complete
    assert plan["missing"] == {"alpha": [copier.lacks.to_map()]}
    assert told.missing == {"alpha": [copier.lacks]}
    copier.lacks, copier.reaches_end = None, True
    complete, told, plan = run(folder, lambda *_: None)
    assert (complete, plan["state"]) == (True, "complete")
    assert [hole["n_bytes"] for hole in plan["missing"]["alpha"]] == [1500]
    said = told.to_map()["devices"]["alpha"]
    assert (said["lost_bytes"], said["missing"][0]["reason"]) == (1500, DELETED)


def test_a_hole_that_is_found_again_is_one(tmp_path: Path) -> None:
    """Killed before the copy went on behind it, the next run finds it anew, and more of it; holes before it stay."""
    session = resume(begun(tmp_path))
    first, second = Missing(1000, DELETED, 10, 1, 2), Missing(3000, DELETED, 20, 3, 4)
    more = Missing(3000, DELETED, 50, 3, 5)
    for hole in (first, second, more):
        session.miss("alpha", hole)
    assert session.missing == {"alpha": [first, more]}
    # Killed between a new beginning and its note, it is begun anew further on.
    for at in (5000, 2**40):
        session.miss("alpha", Missing(at, REPLACED, None, 7, None))
    assert [hole.at for hole in session.missing["alpha"]] == [1000, 3000, 2**40]
    session.close()


def test_a_hole_of_which_the_disk_takes_no_note_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copier tries again; nothing is passed over that nobody would ever hear of."""
    session = resume(begun(tmp_path))

    def refuse(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(session_room, "write_json", refuse)
    with pytest.raises(StoreError):
        session.miss("alpha", Missing(1000, DELETED, 10, 1, 2))
    assert session.missing == {}
    session.close()


@pytest.mark.parametrize("stopped", [False, True])
def test_what_ends_the_copier_is_raised(tmp_path: Path, copier: type[Copier], *, stopped: bool) -> None:
    """A recording whose copier is gone does not go on saying that it records."""
    folder = begun(tmp_path)
    copier.fails = KeyError("odd")
    with pytest.raises(KeyError):
        run(folder, stop if stopped else lambda *_: None)
    assert find_unfinished(folder.parent, "tcp://bench:1") == [folder]


def test_one_that_is_cancelled_is_left_as_it_is(tmp_path: Path, copier: type[Copier]) -> None:
    """A restart of the computer is no end of the session."""
    folder = begun(tmp_path)
    with pytest.raises(asyncio.CancelledError):
        run(folder, lambda _, task: task.cancel())
    assert json.loads((folder / "session.json").read_text())["state"] == "recording"
    assert stops_in(folder) == 0


# ---- whether it grows


class Watched:
    """A recorder and a copy, with time that is told."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "file.nwb"
        self.s = 100.0
        self.n = 0
        self.recorder = Recorder(tmp_path, ["alpha"])
        self.original = Original(tmp_path / "there")
        self.copy = JournalCopy(tmp_path / "alpha")
        self.original.begin(self.copy)
        self.watch = RecordingWatch(self.recorder, {"alpha": self.copy}, lambda: self.s)  # type: ignore[arg-type]

    async def step(self, *, samples: bool, rows: bool) -> str:
        """Let a second pass in which samples were written, and could be read."""
        self.s += 1.0
        self.n += samples
        file = self.recorder.files["alpha"]
        n_rows = self.n if rows else file.rows_on_disk
        if rows:
            with self.path.open("ab") as out:
                out.write(b"x")
        self.recorder.files["alpha"] = FileStatus(
            "recording", file=str(self.path), samples=self.n, rows_on_disk=n_rows, offset=self.copy.offset
        )
        self.watch.look()
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "look at files"))
        return self.watch.states["alpha"]


def test_recording_is_said_only_while_the_file_grows(tmp_path: Path) -> None:
    """Nothing comes: waiting. It comes and does not get to the disk, or nobody takes it: stalled, and why."""

    watched = Watched(tmp_path)

    async def watch() -> None:
        for _ in range(5):
            state = await watched.step(samples=True, rows=True)
        assert state == "recording"
        for _ in range(4):
            state = await watched.step(samples=False, rows=False)
        assert state == "waiting"
        assert await watched.step(samples=True, rows=True) == "recording"
        for _ in range(8):
            state = await watched.step(samples=True, rows=False)
        assert state == "stalled"
        assert "has not grown" in watched.watch.texts["alpha"]
        await watched.step(samples=True, rows=True)  # what the file system says is a look older
        assert await watched.step(samples=True, rows=True) == "recording"
        watched.recorder.error = "the recorder ended (killed) and is started again"
        assert await watched.step(samples=True, rows=True) == "stalled"
        await watched.watch.close()

    asyncio.run(watch())


def test_a_recorder_that_hangs_is_told_at_once(tmp_path: Path) -> None:
    """It is said within seconds; ended it is, by whoever runs it, after the longest honest silence."""

    watched = Watched(tmp_path)

    async def watch() -> None:
        for _ in range(15):
            await watched.step(samples=True, rows=True)
        watched.recorder.said_s = 3.0
        assert await watched.step(samples=False, rows=False) == "stalled"
        assert watched.recorder.n_killed == 0
        await watched.watch.close()

    asyncio.run(watch())


def test_a_recorder_that_never_begins_a_file_is_no_recording(tmp_path: Path) -> None:
    """With nothing to record it waits; with something, and no file for it, it is stalled."""
    watched = Watched(tmp_path)
    for _ in range(20):
        watched.s += 1.0
        watched.watch.look()
    assert watched.watch.states["alpha"] == "waiting"
    for _ in range(10):
        watched.s += 1.0
        watched.original.blocks(1)
        watched.original.copy_all(watched.copy)
        watched.watch.look()
    assert watched.watch.states["alpha"] == "stalled"


# ---- the session on disk


class NoBench:
    """A bench with one device, whose history is not there."""

    name = "bench"

    def __init__(self) -> None:
        self.client = self

    def call(self, op: str) -> list[dict[str, str]]:
        return [{"name": "alpha", "unique_id": "01"}]

    def history(self) -> None:
        raise StoreError("begun")


def test_a_folder_in_which_nothing_was_begun_is_no_obstacle(tmp_path: Path) -> None:
    """Killed before session.json was written, the same command begins again; what somebody else put there stays."""
    bench: Bench = NoBench()  # type: ignore[assignment]
    target = tmp_path / "away"
    (target / "journal" / "alpha").mkdir(parents=True)
    (target / ".remote.lock").touch()
    with pytest.raises(StoreError, match="begun"):
        session_room.begin(bench, tmp_path, "away", ["alpha"])
    target.mkdir()
    (target / "mine.txt").touch()
    with pytest.raises(StoreError, match="exists already"):
        session_room.begin(bench, tmp_path, "away", ["alpha"])
    assert (target / "mine.txt").exists()


def test_the_newest_session_is_taken_up_whatever_it_is_called(tmp_path: Path) -> None:
    """Unfinished sessions are told in the order in which they were begun."""
    for name, utc_ns in (("b", 3), ("c", 1), ("a", 2)):
        folder = begun(tmp_path / name, started_utc_ns=utc_ns)
        folder.rename(tmp_path / name / name)
        (tmp_path / name / name).rename(tmp_path / f"_{name}")
    assert [path.name for path in find_unfinished(tmp_path, "tcp://bench:1")] == ["_c", "_a", "_b"]


def test_a_session_that_was_ended_is_told_from_one_that_cannot_be_used(tmp_path: Path) -> None:
    """Somebody who would try again for ever needs to know the difference."""
    with pytest.raises(SessionEndedError, match="is complete; choose another name"):
        resume(begun(tmp_path, state="complete"))
    with pytest.raises(ConfigError, match="not that of a remote recording"):
        resume(begun(tmp_path / "local", source=None))
    assert isinstance(resume(begun(tmp_path / "ok")), RemoteSession)


CONFIGURATION = {
    "bench": "bench",
    "recording": {"roll_s": 60.0, "experimenter": "Doe, Jane", "institution": "Example University", "lab": None},
    "trigger": [],
}
TRIGGERS = [
    {"name": "level", "state": "armed", "definition": {"name": "level", "when": "stimulus", "post_s": 2.0}},
    {"name": "newer", "state": "armed", "definition": {"name": "newer", "when": "eclipse"}},
    {"name": "off", "state": "disarmed", "definition": {"name": "off", "when": "hand"}},
]
FULL = json.loads(json.dumps(TriggerConfig(name="level", when="stimulus", post_s=2.0).to_full_map()))
UNKNOWN_OP = CommandRejected("unknown operation", code="unknown_op")


class OneBench:
    """A bench with one device and its history, that answers these operations so."""

    name = "bench"

    def __init__(self, folder: Path, **answers: object) -> None:
        self.client = SimpleNamespace(call=self.call, url="tcp://bench:1")
        self.hello = {"version": "9.9"}
        self._original = Original(folder)
        self._answers = {"list": [{"name": "alpha", "unique_id": "01"}], **answers}

    def call(self, op: str) -> object:
        answer = self._answers.get(op, UNKNOWN_OP)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def history(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext(self)

    def head(self, device: str) -> dict[str, Any]:
        return {**self._original.ask("head", device=device), "t_ns": 5, "utc_ns": 7}


def began(tmp_path: Path, **answers: object) -> SessionPlan:
    """Begin a session of a bench that answers so; what its recorder is told."""
    bench: Any = OneBench(tmp_path / "there", **answers)
    session = session_room.begin(bench, tmp_path, "away", ["alpha"], roll_s=30.0)
    session.close()
    return read_plan(session.folder)


def test_the_files_tell_the_configuration_of_the_bench(tmp_path: Path) -> None:
    """They are as those that the daemon would have made: what it was told is in each, and who recorded where."""
    plan = began(tmp_path, configuration=CONFIGURATION, trigger_list=TRIGGERS)
    assert plan.config == {**CONFIGURATION, "recorded_from": "tcp://bench:1", "daemon": "9.9"}
    assert (plan.experimenter, plan.institution, plan.lab) == ("Doe, Jane", "Example University", None)
    assert plan.recording == {
        "mode": {"kind": "continuous"},
        "roll": {"seconds": 30.0, "bytes": None, "aligned": None},
        "end_after_s": None,
        "triggers": [FULL, TRIGGERS[1]["definition"]],
    }


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (UNKNOWN_OP, "unknown operation"),
        (CommandRejected("not with this key", code="forbidden"), "not with this key"),
        (CommandTimeout("no answer", code="timeout"), "no answer"),
        (RemoteProtocolError("odd"), "odd"),
        ("a text", "the daemon's answer is not understood"),
    ],
)
def test_a_bench_that_does_not_tell_its_configuration_is_recorded(tmp_path: Path, answer: object, why: str) -> None:
    """An older one, or one that this key may not ask: what is known is in the files, and why the rest is not."""
    plan = began(tmp_path, configuration=answer, trigger_list=TRIGGERS)
    assert plan.config == {"recorded_from": "tcp://bench:1", "daemon": "9.9", "unknown": {"configuration": why}}
    assert plan.experimenter is None and plan.recording["triggers"][0] == FULL


def test_triggers_that_are_not_told_are_not_none(tmp_path: Path) -> None:
    """No triggers is an answer, and no answer is none."""
    plan = began(tmp_path, configuration={"recording": "odd"})
    assert plan.recording["triggers"] is None
    assert plan.config["unknown"] == {"trigger_list": "unknown operation"}
    assert plan.experimenter is None
