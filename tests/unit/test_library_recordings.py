"""The list of recordings: what is told of each session, in which order, in pages, fast, and of what is broken."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import msgpack
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from session_folders import T0_UTC_NS, file_name, make_session, read_manifest, write_manifest

from spikedaq.library import Library, LibraryConfig
from spikedaq.library.catalogue import Catalogue
from spikedaq.library.places import Places
from spikedaq.model import CommandRejected
from spikedaq.outlet import Peer

HERE = Peer("127.0.0.1", "tests")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "recordings"
    folder.mkdir(parents=True)
    return folder


def config(shelf: Path, **changes: Any) -> LibraryConfig:
    return LibraryConfig(shelf, journals=shelf.parent / "journal", used=shelf.parent / "used.json", **changes)


def ask(library: LibraryConfig, op: str, **args: Any) -> dict[str, Any]:
    async def once() -> dict[str, Any]:
        asked = Library(library)
        try:
            return await asked.handle(op, args, HERE)
        finally:
            await asked.close()

    return asyncio.run(once())


def refused(library: LibraryConfig, op: str, **args: Any) -> CommandRejected:
    with pytest.raises(CommandRejected) as caught:
        ask(library, op, **args)
    return caught.value


def names(reply: dict[str, Any]) -> list[str]:
    return [session["session"] for session in reply["sessions"]]


def test_a_session_is_told_by_its_manifests(shelf: Path) -> None:
    """Duration, size, samples, gaps and notes are sums over the manifests; no recording file is opened."""
    folder = make_session(shelf, "first", devices=("alpha", "beta"), notes="a tonic neuron")
    reply = ask(config(shelf), "recordings")
    assert reply["total"] == 1 and reply["next"] is None and reply["problems"] == []
    (session,) = reply["sessions"]
    devices = session.pop("devices")
    assert session == {
        "session": "first", "folder": str(shelf), "state": "complete", "running": False, "reason": "user",
        "bench": "bench", "mode": "continuous", "notes": "a tonic neuron", "started_utc_ns": T0_UTC_NS,
        "duration_s": 20.0, "n_bytes": 4000, "gaps": {"lost": 12, "overrun": 0, "dropped": 0}, "n_notes": 2,
        "pinned": False, "problem": None, "verification": {"state": "never"},
    }  # fmt: skip
    assert devices["beta"] == {
        "files": 2, "open_files": 0, "deleted_files": 0, "missing_files": 0, "n_bytes": 2000, "n_samples": 199_994,
        "gaps": {"lost": 6, "overrun": 0, "dropped": 0}, "n_notes": 2, "pinned": False, "problem": None,
    }  # fmt: skip
    assert (folder / "keep").touch() is None
    assert ask(config(shelf), "recordings")["sessions"][0]["pinned"] is True


def test_newest_first_in_pages_without_a_session_twice_or_left_out(shelf: Path) -> None:
    """A page goes on behind the session that the one before ended with, whatever begins or is deleted meanwhile."""
    for i in range(10):
        make_session(shelf, f"s{i}", started_utc_ns=T0_UTC_NS + (i % 5) * 10**9, n_files=1, n_bytes=1)
    whole = ["s9", "s4", "s8", "s3", "s7", "s2", "s6", "s1", "s5", "s0"]
    assert names(ask(config(shelf), "recordings")) == whole
    first = ask(config(shelf), "recordings", limit=4)
    assert names(first) == whole[:4] and first["total"] == 10
    make_session(shelf, "newest", started_utc_ns=T0_UTC_NS + 10**12)
    (shelf / "s3" / "session.json").unlink()  # the last of the first page
    assert names(ask(config(shelf), "recordings", limit=4, before=first["next"])) == whole[4:8]
    second = ask(config(shelf), "recordings", limit=4, before=first["next"])
    last = ask(config(shelf), "recordings", limit=4, before=second["next"])
    assert names(last) == whole[8:] and last["next"] is None
    assert names(ask(config(shelf), "recordings", match="S4")) == ["s4"]


def test_a_session_under_way_has_open_files_and_lasts_until_now(shelf: Path) -> None:
    """What no manifest lists is counted with its size; whose journals are this daemon's is running, and no other."""
    journals = shelf.parent / "journal"
    began = time.time_ns() - 30 * 10**9
    make_session(shelf, "now", state="recording", journals=journals, open_bytes=77, started_utc_ns=began)
    make_session(shelf, "theirs", state="recording", open_bytes=5)
    now, theirs = ask(config(shelf), "recordings")["sessions"]
    assert (
        now["running"]
        and now["state"] == "under_way"
        and now["n_bytes"] == 2077
        and now["devices"]["alpha"]["open_files"] == 1
    )
    assert 29.9 < now["duration_s"] < 60
    assert not theirs["running"] and theirs["state"] == "unfinished" and theirs["duration_s"] == 20.0
    files = ask(config(shelf), "recording", session="now")["files"]
    assert [f["state"] for f in files] == ["closed", "closed", "open"] and files[2]["n_bytes"] == 77
    assert ask(config(shelf), "recording", session="theirs")["files"][2]["state"] == "not_closed"


def test_deleted_missing_and_pinned_files_are_told_apart(shelf: Path) -> None:
    """A file that the retention took is no loss, one that is just gone is; uncounted gaps and notes stay unknown."""
    folder = make_session(shelf, "s", n_files=4)
    entries = read_manifest(folder, "alpha")
    entries[0] |= {"deleted_utc_ns": T0_UTC_NS, "deleted_why": "older than 30 days"}
    entries[2] |= {"gaps": {"lost": None, "overrun": None, "dropped": 2, "stopped": 5, "outside": 7}}
    del entries[3]["n_notes"]
    write_manifest(folder, "alpha", entries)
    (folder / "alpha" / entries[0]["name"]).unlink()
    (folder / "alpha" / entries[1]["name"]).unlink()
    (folder / "alpha" / f"{entries[3]['name']}.keep").touch()
    reply = ask(config(shelf), "recording", session="s")
    assert [f["state"] for f in reply["files"]] == ["deleted", "missing", "closed", "closed"]
    assert [f["pinned"] for f in reply["files"]] == [False, False, False, True]
    alpha = reply["devices"]["alpha"]
    assert (alpha["files"], alpha["deleted_files"], alpha["missing_files"], alpha["n_bytes"]) == (2, 1, 1, 2000)
    assert alpha["gaps"] == {"lost": None, "overrun": None, "dropped": 2} and alpha["n_notes"] is None
    assert reply["n_files"] == 4 and reply["next"] is None
    part = ask(config(shelf), "recording", session="s", limit=3)
    assert part["next"] == 3
    assert [f["number"] for f in ask(config(shelf), "recording", session="s", after=3)["files"]] == [3]


@pytest.mark.parametrize(
    "plan", ["", "{", "[]", "null", '{"state": "complete"}', '{"started_utc_ns": "x"}', "[" * 100_000, b"\xff\xfe"]
)
def test_what_cannot_be_read_is_told_and_hides_nothing(shelf: Path, plan: str | bytes) -> None:
    """A broken plan or manifest is a line of its own; the others are told as ever."""
    make_session(shelf, "good")
    folder = make_session(shelf, "broken")
    (folder / "session.json").write_bytes(plan if isinstance(plan, bytes) else plan.encode())
    torn = make_session(shelf, "torn")
    (torn / "alpha" / "manifest.json").write_text('{"version": 1, "files": [{"na')
    told = {s["session"]: s for s in ask(config(shelf), "recordings")["sessions"]}
    assert set(told) == {"good", "broken", "torn"}
    assert told["good"]["problem"] is None
    assert told["broken"]["state"] == "unreadable" and "spikedaq verify" in told["broken"]["problem"]
    assert "manifest.json cannot be read" in told["torn"]["problem"]
    assert told["torn"]["devices"]["alpha"]["open_files"] == 2


def test_what_is_no_session_is_left_out(shelf: Path, tmp_path: Path) -> None:
    """Plain folders, hidden ones, links, names that cannot be told: none is a session, none is an error."""
    make_session(tmp_path / "elsewhere", "away")
    (shelf / "linked").symlink_to(tmp_path / "elsewhere" / "away")
    (shelf / "empty").mkdir()
    make_session(shelf, ".hidden")
    os.mkdir(os.fsencode(shelf) + b"/\xff\xfe")
    (shelf / "file").touch()
    assert ask(config(shelf), "recordings")["sessions"] == []
    assert refused(config(shelf), "recording", session="linked").code == "unknown_session"


def test_other_folders_that_were_used_are_looked_into(shelf: Path, tmp_path: Path) -> None:
    """Their sessions stand among the others; of two of one name it has to be said which; one that is away is told."""
    other, gone = tmp_path / "disk", tmp_path / "gone"
    make_session(shelf, "twin")
    make_session(other, "twin", started_utc_ns=T0_UTC_NS + 1, n_files=1)
    (shelf.parent / "used.json").write_text(json.dumps({"folders": [str(other), str(gone), "relative", 7]}))
    reply = ask(config(shelf), "recordings")
    assert [(s["session"], s["folder"]) for s in reply["sessions"]] == [("twin", str(other)), ("twin", str(shelf))]
    assert [p["folder"] for p in reply["problems"]] == [str(gone)]
    assert "say which" in str(refused(config(shelf), "recording", session="twin"))
    assert ask(config(shelf), "recording", session="twin", folder=str(other))["n_files"] == 1
    assert refused(config(shelf), "recording", session="twin", folder=str(tmp_path)).code == "not_allowed"


def test_a_thousand_sessions_are_listed_fast(shelf: Path) -> None:
    """The first look reads a thousand plans, the next ones what has changed; replies stay in their bound."""
    for i in range(1000):
        make_session(shelf, f"s{i:04d}", devices=("alpha", "beta"), n_files=1, n_bytes=1, started_utc_ns=T0_UTC_NS + i)
    clock = iter(range(0, 1000, 10))
    catalogue = Catalogue(Places(config(shelf)), now_s=lambda: float(next(clock)))
    begun = time.perf_counter()
    assert len(catalogue.look().sessions) == 1000
    first_s = time.perf_counter() - begun
    spent = []
    for _ in range(3):
        begun = time.perf_counter()
        assert len(catalogue.look().sessions) == 1000
        spent.append(time.perf_counter() - begun)
    print(f"1000 sessions: first look {1000 * first_s:.0f} ms, then {1000 * min(spent):.1f} ms")
    assert first_s < 5.0 and min(spent) < 0.5  # 0.1 s and 10 ms where nothing else runs
    reply = ask(config(shelf), "recordings", limit=200)
    assert names(reply)[0] == "s0999" and len(reply["sessions"]) == 200
    assert len(msgpack.packb(reply)) < 700_000


def test_a_reply_stops_before_it_is_too_large(shelf: Path) -> None:
    """Sessions of many devices make shorter pages, and at least one each."""
    devices = tuple(f"device-with-a-name-{i}" for i in range(250))
    for i in range(12):
        make_session(shelf, f"s{i:02d}", devices=devices, n_files=0, started_utc_ns=T0_UTC_NS + i)
    told: list[str] = []
    before = None
    while True:
        reply = ask(config(shelf), "recordings", limit=200, before=before)
        assert len(msgpack.packb(reply)) < 2**20 - 1000
        told += names(reply)
        before = reply["next"]
        if before is None:
            break
    assert told == [f"s{i:02d}" for i in reversed(range(12))]


@pytest.mark.parametrize(
    ("op", "args", "code"),
    [
        ("recordings", {"limit": 0}, "bad_arguments"),
        ("recordings", {"limit": 201}, "bad_arguments"),
        ("recordings", {"limit": True}, "bad_arguments"),
        ("recordings", {"before": [1, 2, 3]}, "bad_arguments"),
        ("recordings", {"match": "x" * 81}, "bad_arguments"),
        ("recordings", {"order": "size"}, "bad_arguments"),
        ("recording", {}, "bad_arguments"),
        ("recording", {"session": "../recordings/s"}, "bad_arguments"),
        ("recording", {"session": 7}, "bad_arguments"),
        ("recording", {"session": "\ud800"}, "bad_arguments"),
        ("recording", {"session": "s", "after": -1}, "bad_arguments"),
        ("recording", {"session": "none"}, "unknown_session"),
        ("recording", {"session": "s", "folder": ["x"]}, "not_allowed"),
    ],
)
def test_odd_arguments_are_refused(shelf: Path, op: str, args: dict[str, Any], code: str) -> None:
    """With the code that says what is wrong, and nothing else happens."""
    make_session(shelf, "s")
    assert refused(config(shelf), op, **args).code == code


def test_a_file_that_grows_is_seen_to_grow(shelf: Path) -> None:
    """Nothing of a growing file is remembered."""
    folder = make_session(shelf, "s", state="recording", open_bytes=10, journals=shelf.parent / "journal")
    clock = iter(range(0, 1000, 10))
    catalogue = Catalogue(Places(config(shelf)), now_s=lambda: float(next(clock)))
    assert catalogue.tell(catalogue.look().sessions[0])["n_bytes"] == 2010
    with (folder / "alpha" / file_name("s", "alpha", 2)).open("ab") as file:
        file.write(b"12345")
    assert catalogue.tell(catalogue.look().sessions[0])["n_bytes"] == 2015


ODD = [
    float("inf"), float("nan"), -1, 10**30, True, None, "", "\ud800", "x" * 10**6, [], [1], {}, {"kind": "\ud800"}, 1.5,
]  # fmt: skip


def odd_sessions(shelf: Path) -> dict[str, Path]:
    """A good session, and one for each odd value."""
    make_session(shelf, "good")
    return {f"odd{i}": make_session(shelf, f"odd{i}") for i in range(len(ODD))}


def assert_all_told(shelf: Path, odd: dict[str, Path]) -> None:
    """The list comes, can be sent, and has every session; each can be looked at."""
    reply = ask(config(shelf), "recordings")
    assert sorted(names(reply)) == sorted(["good", *odd])
    assert len(msgpack.packb(reply)) < 60_000
    assert next(s for s in reply["sessions"] if s["session"] == "good")["problem"] is None
    for name in odd:
        assert len(msgpack.packb(ask(config(shelf), "recording", session=name))) < 40_000


@pytest.mark.parametrize("key", ["started_utc_ns", "state", "reason", "bench", "mode", "notes", "devices"])
def test_a_plan_that_says_what_cannot_be_hides_no_other_session(shelf: Path, key: str) -> None:
    """Whatever stands in one session.json."""
    odd = odd_sessions(shelf)
    for folder, value in zip(odd.values(), ODD, strict=True):
        plan = json.loads((folder / "session.json").read_text())
        (folder / "session.json").write_text(json.dumps({**plan, key: value}))
    assert_all_told(shelf, odd)


@pytest.mark.parametrize("key", ["n_bytes", "n_samples", "number", "gaps", "name", "start_utc_ns", "stop_utc_ns",
                                 "start_s", "deleted_utc_ns", "n_notes", "closed_reason", "boot_id"])  # fmt: skip
def test_a_manifest_that_says_what_cannot_be_hides_no_other_session(shelf: Path, key: str) -> None:
    """Its device is told as damaged, or what it says is harmless."""
    odd = odd_sessions(shelf)
    for folder, value in zip(odd.values(), ODD, strict=True):
        entries = read_manifest(folder, "alpha")
        entries[1] |= {key: value}
        write_manifest(folder, "alpha", entries)
    assert_all_told(shelf, odd)
    damaged = ask(config(shelf), "recording", session="odd2")["devices"]["alpha"]  # -1
    assert "is damaged" in (damaged["problem"] or "") or key == "start_s"


@pytest.mark.parametrize("key", ["utc_ns", "ok", "counts", "problems", "n_problems", "stamps"])
def test_a_result_that_says_what_cannot_be_hides_no_other_session(shelf: Path, key: str) -> None:
    """A damaged result of a verification is none, or harmless."""
    odd = odd_sessions(shelf)
    special = {"counts": {"good": float("inf")}, "problems": [{"path": "\ud800", "verdict": "v", "text": "t"}]}
    for folder, value in zip(odd.values(), [special.get(key, ODD[0]), *ODD[1:]], strict=True):
        result = {"version": 1, "utc_ns": 5, "ok": True, "counts": {}, "problems": [], "n_problems": 0, "stamps": {}}
        (folder / ".verified.json").write_text(json.dumps({**result, key: value}))
    assert_all_told(shelf, odd)
