"""What becomes of a recording whose recorder, or whose disk, does not do what it should."""

from __future__ import annotations

import asyncio
import errno
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from spikedaq.daemon import left_sessions, recorder_process, recorder_run, recording_mode, sessions
from spikedaq.daemon import session as session_module
from spikedaq.daemon.alarms import Alarms
from spikedaq.daemon.commands.recordings import RecordingCommands
from spikedaq.daemon.config import DaemonConfig, JournalConfig
from spikedaq.daemon.data_folder import DataFolder
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.daemon.recording_mode import Wanted
from spikedaq.daemon.service import tell_recorded
from spikedaq.daemon.session import SESSION_FILE, shown_state
from spikedaq.daemon.session_folders import Pointer, Pointers
from spikedaq.daemon.sessions import Sessions
from spikedaq.journal import JournalReader, SessionStop
from spikedaq.model import CommandRejected, StoreError
from spikedaq.recorder import Continuous

WAIT_S = 20.0
REPORT = '{"device": "alpha", "state": "recording", "file": "s_0000.nwb", "samples": 9, "rows_on_disk": 9, "bytes": 9}'
RECORDS = f"""echo '{REPORT}'
while read -r _line; do :; done
"""


class Rig:
    """Sessions of a data folder, with a shell script as the recorder."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.data = DataFolder(path / "data")
        self.alarms = Alarms(lambda: 0)
        self.journals = Journals(self.data.journal, JournalConfig())
        self.sessions = Sessions(
            LiveConfig(DaemonConfig()),
            self.data,
            self.journals,
            SimpleNamespace(check_recordable=lambda _names: ["alpha"]),
            self.alarms,
        )
        self._script = path / "recorder"
        monkeypatch.setattr(recorder_run, "sys", SimpleNamespace(executable=str(self._script)))

    def recorder(self, lines: str) -> None:
        """Have recorders do this from now on."""
        made = self.path / "recorder.new"
        made.write_text(f"#!/bin/sh\n{lines}")
        made.chmod(0o755)
        made.replace(self._script)

    def unfinished(self, folder: Path, **changes: Any) -> None:
        """Leave a session behind, as an earlier daemon does."""
        folder.mkdir(parents=True)
        device = {"name": "alpha", "unique_id": "ab", "journal": str(self.data.journal / "alpha"), "start_offset": 0}
        plan = {"session": folder.name, "started_utc_ns": 0, "devices": [device], "state": "recording", "reason": None}
        (folder / SESSION_FILE).write_text(json.dumps({**plan, **changes}))

    async def resumed(self, **changes: Any) -> Any:
        """Take up a session of this data folder; return it once it records."""
        self.unfinished(self.data.recordings / "s", **changes)
        await self.sessions.left.resume()
        session = self.sessions.current
        assert session is not None
        await self.until(lambda: session.recorder.files["alpha"].rows_on_disk)
        return session

    async def begin(self, name: str, end_after_s: float | None = None) -> Any:
        """Begin a session; return it."""
        await self.journals.open("alpha", "ab")
        wanted = Wanted(Continuous(), roll={}, end_after_s=end_after_s)
        await self.sessions.start(name, None, None, wanted, "")
        return self.sessions.current

    def pointed(self) -> list[Path]:
        return [pointer.folder for pointer in Pointers(self.data).all()]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():  # noqa: ASYNC110  what is waited for has no event
                await asyncio.sleep(0.002)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    made = Rig(tmp_path, monkeypatch)
    made.recorder(RECORDS)
    yield made
    made.data.close()


@asynccontextmanager
async def ended(rig: Rig) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await rig.sessions.abandon()
        await rig.journals.close()


def state(folder: Path) -> str:
    return str(json.loads((folder / SESSION_FILE).read_text())["state"])


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (["recording", "waiting"], "recording"),
        (["recording", "closing"], "recording"),
        (["recording", "stalled"], "stalled"),
        (["failed", "recording"], "stalled"),
        (["armed", "closing", "waiting"], "armed"),
        (["closing", "closing"], "closing"),
        (["closing", "waiting"], "closing"),
        (["waiting", "closed"], "waiting"),
        (["closed"], "closing"),
        ([], "waiting"),
    ],
)
def test_a_session_is_recording_only_where_a_file_grows(files: list[str], told: str) -> None:
    """Whatever was planned; while files are closed, which may take a minute, none grows."""
    assert shown_state("recording", files) == told
    assert shown_state("stopping", files) == "stopping"


def test_a_recorder_that_is_left_may_close_its_files(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """At SIGTERM it has the time that the service manager gives; the journals keep what the session needs meanwhile."""
    monkeypatch.setattr(recorder_process, "KILL_S", 0.01)
    closed = rig.path / "closed"
    rig.recorder(f"{RECORDS}sleep 0.3\ntouch {closed}\n")

    async def run() -> None:
        async with ended(rig):
            session = await rig.resumed()
            with structlog.testing.capture_logs() as logs:
                await rig.sessions.abandon()
                await rig.sessions.abandon(0.0)
            assert [entry["event"] for entry in logs].count("the next daemon goes on with the session") == 1
            assert rig.sessions.all() == [] and rig.sessions.needed_from() == {"alpha": 0}
            assert state(session.folder) == "recording"

    asyncio.run(run())
    assert closed.exists()


def test_a_disk_that_does_not_answer_for_a_moment_does_not_end_the_recording(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where even to ask whether the folder is there fails with EIO, another recorder is tried all the same."""
    real = Path.exists

    def exists(path: Path) -> bool:
        if path.name == SESSION_FILE:
            raise OSError(errno.EIO, "Input/output error")
        return real(path)

    async def run() -> None:
        async with ended(rig):
            session = await rig.resumed()
            monkeypatch.setattr(Path, "exists", exists)
            first = session.recorder.pid
            session.recorder.kill()
            await rig.until(lambda: session.task.done() or session.recorder.pid != first)
            assert not session.task.done() and rig.sessions.left.failed == {}

    asyncio.run(run())


RESERVE_BYTES = DaemonConfig().disk.reserve_bytes


def told(rig: Rig) -> list[int]:
    """The reserve that each recorder was told."""
    return [json.loads(path.read_text())["reserve_bytes"] for path in sorted(rig.path.glob("told.*"))]


def keeps_what_it_is_told(rig: Rig, name: str) -> str:
    """A recorder that leaves a copy of its session's plan."""
    return f'cp "$4/{SESSION_FILE}" {rig.path}/copying && mv {rig.path}/copying {rig.path}/{name}\n{RECORDS}'


@pytest.mark.parametrize("old_bytes", [RESERVE_BYTES // 2, 2 * RESERVE_BYTES])
def test_a_session_that_is_taken_up_has_the_reserve_of_now(rig: Rig, old_bytes: int) -> None:
    """By which its recorder is started again on a full disk as well: by that of before it would leave at once."""
    rig.recorder(keeps_what_it_is_told(rig, "told.1"))

    async def run() -> None:
        async with ended(rig):
            session = await rig.resumed(reserve_bytes=old_bytes, notes="kept")
            assert told(rig) == [RESERVE_BYTES]
            assert (session.plan["notes"], session.plan["state"]) == ("kept", "recording")
            assert session.recorder._restart_bytes == DaemonConfig().disk.restart_bytes

    asyncio.run(run())


def test_a_reserve_that_cannot_be_written_down_is_told_to_the_next_recorder(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk without a byte left is no reason not to take a session up."""
    rig.recorder(keeps_what_it_is_told(rig, "told.1"))
    real, is_full = session_module.write_json, True

    def write_json(path: Path, plan: Any) -> None:
        if is_full:
            raise StoreError("no space left on device")
        real(path, plan)

    monkeypatch.setattr(session_module, "write_json", write_json)

    async def run() -> None:
        nonlocal is_full
        async with ended(rig):
            session = await rig.resumed(reserve_bytes=1)
            assert told(rig) == [1]
            rig.recorder(keeps_what_it_is_told(rig, "told.2"))
            is_full = False
            first = session.recorder.pid
            session.recorder.kill()
            await rig.until(lambda: session.recorder.pid != first and len(told(rig)) == 2)
            assert told(rig) == [1, RESERVE_BYTES]

    asyncio.run(run())


def test_an_internal_error_of_the_keeper_ends_the_session_and_is_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a recorder that nobody starts again."""

    async def run() -> None:
        async with ended(rig):
            session = await rig.resumed()

            async def defect() -> None:
                raise ValueError("never foreseen")

            session.recorder.prepare = defect
            session.recorder.kill()
            await rig.until(session.task.done)
            assert session.recorder.finished.is_set() and not session.recorder.complete
            assert "never foreseen" in rig.sessions.left.failed["s"]
            assert rig.sessions.current is None and state(session.folder) == "interrupted"

    asyncio.run(run())


def test_a_note_that_cannot_be_taken_away_keeps_nobody(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that became read-only the recording has ended all the same."""
    rig.recorder(f"echo '{REPORT}'\nread _line\n")

    def refuse(*_: object) -> None:
        raise StoreError("read-only file system")

    monkeypatch.setattr(Pointers, "_write", refuse)

    async def run() -> None:
        async with ended(rig):
            await rig.resumed()
            assert (await rig.sessions.stop("s")).state == "complete"
            assert rig.sessions.current is None

    asyncio.run(run())


def test_a_session_on_a_disk_that_hangs_is_ended_in_the_journal(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is written down in the end is how it ended, whenever the disk answers."""
    rig.recorder(f"echo '{REPORT}'\nread _line\n")
    monkeypatch.setattr(sessions, "_SAVE_S", 0.05)
    answers, write_json = threading.Event(), session_module.write_json

    def hang(path: Path, plan: Any) -> None:
        answers.wait(WAIT_S)
        write_json(path, plan)

    async def run() -> None:
        async with ended(rig):
            session = await rig.resumed()
            monkeypatch.setattr(session_module, "write_json", hang)
            stopping = asyncio.create_task(rig.sessions.stop("s"))
            await rig.until(session.recorder.finished.is_set)
            assert not answers.is_set()
            answers.set()
            assert (await stopping).state == "complete"
            assert state(session.folder) == "complete"

    asyncio.run(run())


def test_a_refused_start_leaves_no_alarm(rig: Rig) -> None:
    """The answer says why; a session that is not there has nothing that could end its alarm."""
    raised: list[str] = []
    rig.alarms.listeners.append(lambda alarm, is_raised: raised.append(str(alarm.kind)) if is_raised else None)
    rig.recorder(f"echo 'no more files may be made here' >&2\nexit {recorder_process.EXIT_DISK}\n")

    async def run() -> None:
        async with ended(rig):
            with pytest.raises(StoreError, match="no more files may be made here"):
                await rig.begin("s")
            assert "write_failed" in raised
            assert not rig.alarms.standing

    asyncio.run(run())


def test_an_orphan_that_keeps_a_session_is_told_until_it_ends(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder of an earlier daemon may be stuck on a disk; it is waited for, and not in silence."""
    monkeypatch.setattr(recorder_process, "BUSY_LONG_S", 0.01)
    monkeypatch.setattr(recorder_process, "BACKOFF_FIRST_S", 0.01)
    rig.recorder(f"exit {recorder_process.EXIT_BUSY}\n")

    async def run() -> None:
        async with ended(rig):
            rig.unfinished(rig.data.recordings / "s")
            await rig.sessions.left.resume()
            session = rig.sessions.current
            assert session is not None
            await rig.until(lambda: session.recorder.error)
            assert "has not ended for" in session.file_status("alpha")["error"]
            session.shown["alpha"] = "stalled"
            assert session.status().state == "stalled"
            rig.recorder(RECORDS)
            await rig.until(lambda: session.recorder.error is None)

    asyncio.run(run())


def test_a_session_whose_disk_is_away_is_waited_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is recorded meanwhile: the journals keep what it lacks up to there, and it is taken up in the end."""
    monkeypatch.setattr(left_sessions, "LOOK_S", 0.01)
    away = rig.path / "disk" / "lost"
    Pointers(rig.data).add(Pointer(away, {"alpha": 0}))

    async def run() -> None:
        async with ended(rig):
            await rig.sessions.left.resume()
            assert "Mount its disk" in rig.sessions.left.failed["lost"]
            with pytest.raises(StoreError, match="'lost' is unfinished, and waited for"):
                await rig.begin("lost")
            session = await rig.begin("other")
            assert "lost" in rig.sessions.left.failed
            assert rig.sessions.needed_from() == {"alpha": 0}
            assert set(rig.pointed()) == {away, session.folder}
            looking = asyncio.create_task(rig.sessions.left.run())
            rig.unfinished(away)
            await rig.until(lambda: len(rig.sessions.all()) == 2)
            assert rig.sessions.left.failed == {} and rig.sessions.current is session
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            reader = JournalReader(rig.data.journal / "alpha")
            stops = [entry.item for entry in reader.poll() if isinstance(entry.item, SessionStop)]
            reader.close()
            assert [stop.session for stop in stops] == ["lost"]
            rig.sessions.unpin(rig.sessions.all()[1])
            assert rig.journals.pinned == {"alpha": "ab"}

    asyncio.run(run())


def test_a_session_that_is_given_up_is_not_waited_for(rig: Rig) -> None:
    """And the journals keep nothing for it."""
    Pointers(rig.data).add(Pointer(rig.path / "disk" / "lost", {"alpha": 7}))

    async def run() -> None:
        async with ended(rig):
            await rig.sessions.left.resume()
            assert rig.sessions.needed_from() == {"alpha": 7}
            assert await rig.sessions.left.dismiss("lost") == ["lost"]
            assert rig.sessions.needed_from() == {} and rig.pointed() == []
            with pytest.raises(CommandRejected, match="no recording 'lost'"):
                await rig.sessions.left.dismiss("lost")

    asyncio.run(run())


def test_a_session_that_cannot_be_written_down_is_not_pointed_at(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start would tell of a session that never was."""

    def refuse(path: Path, _plan: Any) -> None:
        raise StoreError(f"{path} cannot be written")

    async def run() -> None:
        async with ended(rig):
            monkeypatch.setattr(session_module, "write_json", refuse)
            with pytest.raises(StoreError, match="cannot be written"):
                await rig.begin("s")
            assert rig.pointed() == [] and rig.journals.pinned == {}

    asyncio.run(run())


def test_a_session_that_cannot_be_taken_up_holds_no_board(rig: Rig) -> None:
    """Where the journal of one device cannot be opened, the other device is free for any board."""
    (rig.data.journal / "beta").touch()
    folder = rig.data.recordings / "s"
    devices = [{"name": name, "unique_id": "ab", "start_offset": 5} for name in ("alpha", "beta")]
    rig.unfinished(folder, devices=devices)

    async def run() -> None:
        async with ended(rig):
            await rig.sessions.left.resume()
            assert "cannot be taken up again" in rig.sessions.left.failed["s"]
            assert rig.journals.pinned == {}
            assert rig.sessions.needed_from() == {"alpha": 5, "beta": 5}
            await rig.sessions.left.dismiss(None)
            assert rig.sessions.needed_from() == {}

    asyncio.run(run())


def test_a_list_of_sessions_that_cannot_be_read_is_told(rig: Rig) -> None:
    (rig.data.path / "active-session.json").write_text("{")

    async def run() -> None:
        async with ended(rig):
            await rig.sessions.left.resume()
            assert "cannot be read" in rig.sessions.left.failed["unknown"]

    asyncio.run(run())


ENDS_AT_ONCE = f"echo '{REPORT}'\nread _line\n"


def test_a_session_that_was_told_when_to_end_ends_by_itself(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock that nobody sets: NTP may move the other one by a year meanwhile."""
    monkeypatch.setattr(recording_mode, "_LOOK_AT_CLOCK_S", 0.005)
    host_ns, asked = [10**9], []

    def now_ns() -> int:
        asked.append(1)
        return host_ns[0]

    monkeypatch.setattr(recording_mode, "host_now_ns", now_ns)
    monkeypatch.setattr(sessions, "host_now_ns", lambda: host_ns[0])
    monkeypatch.setattr(recording_mode, "time", SimpleNamespace(time=lambda: 4e9))
    rig.recorder(ENDS_AT_ONCE)

    async def run() -> None:
        async with ended(rig):
            session = await rig.begin("s", end_after_s=90.0)
            told = session.status()
            assert told.ends_utc_ns == told.started_utc_ns + 90 * 10**9
            assert json.loads((session.folder / SESSION_FILE).read_text())["end"]["host_ns"] == 91 * 10**9
            host_ns[0] = 91 * 10**9 - 1
            asked.clear()
            await rig.until(lambda: len(asked) > 3)
            assert rig.sessions.current is session
            host_ns[0] = 91 * 10**9
            await rig.until(lambda: rig.sessions.current is None)
            last = rig.sessions.status()
            assert last is not None and (last.state, last.reason) == ("complete", "its time is over")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("end", "ends"),
    [
        ({"utc_ns": 5, "host_ns": 2**62, "host_boot_id": "another boot"}, True),
        ({"utc_ns": 2**62, "host_ns": 0, "host_boot_id": "another boot"}, False),
        ({"utc_ns": 5, "host_ns": 2**62, "host_boot_id": recording_mode.read_host_boot_id()}, False),
        ({"utc_ns": "soon"}, False),
        ({"utc_ns": 2**63, "host_ns": 0, "host_boot_id": ""}, False),
        (7, False),
        (None, False),
    ],
)
def test_the_next_daemon_knows_the_end(rig: Rig, monkeypatch: pytest.MonkeyPatch, end: Any, ends: bool) -> None:
    """After a reboot by the wall clock, within a boot by the one that nobody sets; what cannot be read is no end."""
    monkeypatch.setattr(recording_mode, "_LOOK_AT_CLOCK_S", 0.005)
    rig.recorder(ENDS_AT_ONCE)
    rig.unfinished(rig.data.recordings / "s", end=end)

    async def run() -> None:
        async with ended(rig):
            await rig.sessions.left.resume()
            session = rig.sessions.current
            assert session is not None
            if ends:
                await rig.until(lambda: rig.sessions.current is None)
                assert state(session.folder) == "complete"
                return
            await rig.until(lambda: session.recorder.files["alpha"].rows_on_disk)
            assert rig.sessions.current is session and not any(timer.done() for timer in session.timers)

    asyncio.run(run())


def test_a_session_that_is_stopped_before_its_end_leaves_no_task(rig: Rig) -> None:
    rig.recorder(ENDS_AT_ONCE)

    async def run() -> None:
        async with ended(rig):
            session = await rig.begin("s", end_after_s=3600.0)
            await rig.sessions.stop("s")
            await asyncio.wait(session.timers, timeout=WAIT_S)
            assert [timer.cancelled() for timer in session.timers] == [True]

    asyncio.run(run())


def test_who_watches_is_told_at_once_that_a_recording_began_and_is_over(rig: Rig) -> None:
    """What is told then is what is: before the answer to who stopped it, and not a second later."""
    rig.recorder(ENDS_AT_ONCE)
    published: list[Any] = []
    outlet = SimpleNamespace(status=published.append)
    member = SimpleNamespace(
        outlet=outlet, status_now=lambda session: session and session.file_status("alpha")["state"]
    )
    bench: Any = SimpleNamespace(members={"alpha": member})
    rig.sessions.listeners.append(partial(tell_recorded, bench, rig.sessions))

    async def run() -> None:
        async with ended(rig):
            await rig.begin("s")
            assert published == ["recording"]
            await rig.sessions.stop("s")
            assert published == ["recording", None]
            bench.members = {}
            await rig.begin("another")  # of a device that was removed meanwhile nothing is told
            assert len(published) == 2

    asyncio.run(run())


@pytest.mark.parametrize("value", [0, -1, "10", True, float("inf"), float("nan"), 366 * 86_400 + 1])
def test_an_end_that_cannot_be_is_refused_before_anything_begins(rig: Rig, value: Any) -> None:
    """And what is no number of seconds is named."""
    triggers: Any = SimpleNamespace(triggers={})
    commands = RecordingCommands(SimpleNamespace(), rig.sessions, rig.journals, triggers)  # type: ignore[arg-type]
    with pytest.raises(CommandRejected, match=r"end_after_s|told to end after") as caught:
        asyncio.run(commands.operations()["record_start"].run("who", session="s", end_after_s=value))
    assert caught.value.code == "bad_arguments"
    assert list(rig.data.recordings.iterdir()) == []
