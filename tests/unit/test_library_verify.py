"""Verification in the background: one at a time, its result kept with the session, and not believed once stale."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from library_server import make_real_session
from session_folders import make_session, read_manifest, write_manifest

from harness import module_pids
from spikedaq.library import Library, LibraryConfig
from spikedaq.library import checks as checks_module
from spikedaq.library.checks import MAX_WAITING, RESULT_FILE, Checks
from spikedaq.model import CommandRejected
from spikedaq.outlet import Peer

HERE = Peer("127.0.0.1", "tests")
SAMPLES = np.arange(8000, dtype=np.int16).reshape(1000, 8)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "data" / "recordings"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  what it waits for tells nobody
            await asyncio.sleep(0.01)


def verified(shelf: Path, name: str) -> dict[str, Any]:
    """Verify a session to the end; what is told of it then."""

    async def run() -> dict[str, Any]:
        library = Library(LibraryConfig(shelf))
        try:
            await library.handle("verify", {"session": name}, HERE)
            while True:
                told = await library.handle("recording", {"session": name}, HERE)
                if told["verification"]["state"] not in ("waiting", "running"):
                    return told["verification"]
                await asyncio.sleep(0.02)
        finally:
            await library.close()

    return asyncio.run(run())


def told(shelf: Path, name: str) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        library = Library(LibraryConfig(shelf))
        try:
            return (await library.handle("recording", {"session": name}, HERE))["verification"]
        finally:
            await library.close()

    return asyncio.run(run())


def test_a_good_session_stays_good_until_something_of_it_changes(shelf: Path) -> None:
    """The next process reads the result; a manifest that was written anew makes it one about something else."""
    folder = make_real_session(shelf, "demo", SAMPLES)
    found = verified(shelf, "demo")
    assert found["state"] == "good" and found["ok"] and found["counts"] == {"good": 2} and found["problems"] == []
    assert told(shelf, "demo") == found
    write_manifest(folder, "alpha", read_manifest(folder, "alpha"))
    assert told(shelf, "demo")["state"] == "changed" and told(shelf, "demo")["ok"]


def test_a_bad_session_names_what_is_wrong(shelf: Path) -> None:
    """One byte of one file: that file, by its place in the session, and what it is."""
    folder = make_real_session(shelf, "demo", SAMPLES)
    path = sorted((folder / "alpha").glob("*.nwb"))[1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found = verified(shelf, "demo")
    assert found["state"] == "failed" and found["counts"] == {"good": 1, "damaged": 1} and found["n_problems"] == 1
    assert found["problems"] == [
        {"path": f"alpha/{path.name}", "verdict": "damaged", "text": "its SHA-256 is not that of the manifest"}
    ]


def test_a_session_without_files_has_that_said(shelf: Path) -> None:
    """What cannot be verified at all is not good."""
    make_session(shelf, "empty", devices=())
    found = verified(shelf, "empty")
    assert found["state"] == "failed" and "holds no recording" in found["problems"][0]["text"]


def test_a_session_that_has_lost_a_device_is_not_good(shelf: Path) -> None:
    """What is left of it is, and the device is named; once it is lost, an earlier result is of another recording."""
    folder = make_real_session(shelf, "demo", SAMPLES)
    plan = json.loads((folder / "session.json").read_text())
    beta = {**plan["devices"][0], "name": "beta"}
    (folder / "session.json").write_text(json.dumps({**plan, "devices": [*plan["devices"], beta]}))
    (folder / "beta").mkdir()
    write_manifest(folder, "beta", [])
    assert verified(shelf, "demo")["state"] == "good"
    shutil.rmtree(folder / "beta")
    assert told(shelf, "demo")["state"] == "changed"
    found = verified(shelf, "demo")
    assert found["state"] == "failed" and found["counts"] == {"good": 2, "missing": 1}
    assert [(p["path"], p["verdict"]) for p in found["problems"]] == [("beta", "missing")]


def test_a_thousand_problems_are_counted_and_fifty_kept(shelf: Path) -> None:
    """The file beside the session stays small."""
    folder = make_session(shelf, "many", n_files=0)
    line = {**read_manifest(make_session(shelf, "one", n_files=1), "alpha")[0]}
    gone = [{"number": i, "name": f"gone{i}.nwb", "first_step": i, "last_step": i} for i in range(1000)]
    write_manifest(folder, "alpha", [{**line, **each} for each in gone])
    found = verified(shelf, "many")
    assert found["n_problems"] == 1000 and len(found["problems"]) == 50 and found["counts"] == {"missing": 1000}
    assert (folder / RESULT_FILE).stat().st_size < 50_000


@pytest.mark.parametrize(
    "content", ["", "[]", '{"version": 1}', '{"version": 9, "utc_ns": 1}', "[" * 9999, "x" * 2**21]
)
def test_a_result_that_is_none_is_never(shelf: Path, content: str) -> None:
    """Whatever lies there under that name."""
    folder = make_session(shelf, "s")
    (folder / RESULT_FILE).write_text(content)
    assert told(shelf, "s") == {"state": "never"}


def test_a_result_that_cannot_be_written_is_kept_in_memory(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only disk can be verified, too."""
    folder = make_real_session(shelf, "demo", SAMPLES)
    monkeypatch.setattr(checks_module, "_write", lambda *_: False)
    assert verified(shelf, "demo")["state"] == "good"
    assert not (folder / RESULT_FILE).exists() and told(shelf, "demo") == {"state": "never"}


def test_a_session_that_is_recorded_is_not_verified(shelf: Path) -> None:
    """It would be another one before that is done."""
    make_session(shelf, "now", state="recording", journals=shelf.parent / "journal")

    async def run() -> None:
        library = Library(LibraryConfig(shelf, journals=shelf.parent / "journal"))
        try:
            with pytest.raises(CommandRejected, match="is being recorded") as caught:
                await library.handle("verify", {"session": "now"}, HERE)
            assert caught.value.code == "busy"
        finally:
            await library.close()

    asyncio.run(run())


class Held(Checks):
    """Verifies nothing until it is let go; a check's child is no matter here."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.seen: list[str] = []

    async def _verify(self, folder: Path) -> dict[str, Any]:
        self.seen.append(folder.name)
        await self.go.wait()
        return {"version": 1, "utc_ns": 1, "ok": True, "counts": {}, "problems": [], "n_problems": 0, "stamps": {}}


def test_one_at_a_time_in_turn_and_so_many_wait(tmp_path: Path) -> None:
    """Who asks twice waits once; one too many is refused; those that were stopped are passed over."""

    async def run() -> None:
        checks = Held()
        folders = [tmp_path / f"s{i}" for i in range(MAX_WAITING + 2)]
        for folder in folders:
            folder.mkdir()
        checks.begin(folders[0])
        await until(lambda: checks.seen == ["s0"])
        for folder in (*folders[:-1], *folders[:-1]):
            checks.begin(folder)
        with pytest.raises(CommandRejected) as caught:
            checks.begin(folders[-1])
        assert caught.value.code == "busy"
        assert checks.tell(folders[0], [])["state"] == "running" and checks.tell(folders[1], [])["state"] == "waiting"
        assert checks.stop(folders[2]) and not checks.stop(folders[2])
        assert checks.stop(folders[0])
        await until(lambda: checks.seen == ["s0", "s1"])
        assert checks.tell(folders[0], []) == {"state": "never"}
        checks.go.set()
        await until(lambda: len(checks.seen) == MAX_WAITING)
        assert checks.seen[:3] == ["s0", "s1", "s3"]
        await until(lambda: checks.tell(folders[MAX_WAITING], []).get("state") == "good")
        await checks.close()

    asyncio.run(run())


def test_who_asks_again_after_a_stop_is_not_forgotten(tmp_path: Path) -> None:
    """The check that is being ended takes a moment: what is asked for meanwhile is done after it."""

    async def run() -> None:
        checks = Held()
        checks.begin(tmp_path)
        await until(lambda: len(checks.seen) == 1)
        assert checks.stop(tmp_path)
        checks.begin(tmp_path)
        assert checks.tell(tmp_path, [])["state"] == "waiting"
        checks.go.set()
        await until(lambda: checks.tell(tmp_path, []).get("state") == "good")
        assert len(checks.seen) == 2
        await checks.close()

    asyncio.run(run())


def test_a_check_that_dies_is_no_good_result(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage can end HDF5 with its process: the session has failed then, and the next is verified all the same."""
    folder = make_real_session(shelf, "demo", SAMPLES)
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nkill -SEGV $$\n")
    dying.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setattr(checks_module.sys, "executable", str(dying))
        found = verified(shelf, "demo")
    assert found["state"] == "failed" and "SIGSEGV" in found["problems"][0]["text"]
    assert json.loads((folder / RESULT_FILE).read_text())["ok"] is False
    assert verified(shelf, "demo")["state"] == "good"


def test_a_check_ends_with_who_asked_for_it(shelf: Path) -> None:
    """Closing the library kills its child; nothing is left behind."""
    make_real_session(shelf, "demo", SAMPLES)

    async def run() -> None:
        checks = Checks()
        checks.begin(shelf / "demo")
        await until(lambda: bool(module_pids("spikedaq.library", parent=os.getpid())))
        await checks.close()

    asyncio.run(run())
    assert module_pids("spikedaq.library", parent=os.getpid()) == []
    assert told(shelf, "demo") == {"state": "never"}


def test_notes_that_people_made_are_counted(shelf: Path) -> None:
    """A long one once; what links and requests left in the same table not at all."""
    folder = make_real_session(shelf, "demo", SAMPLES)
    assert [f["n_notes"] for f in read_manifest(folder, "alpha")] == [2, 2]
