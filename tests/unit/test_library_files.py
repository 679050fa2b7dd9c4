"""Fetching files and looking for folders: every byte of a recording, and not one of anything else."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from session_folders import file_name, make_session, read_manifest, write_manifest

from spikedaq.keys import AllowedKey, Role
from spikedaq.library import Library, LibraryConfig, Places, look_for_room
from spikedaq.library import writable as writable_module
from spikedaq.library.contents import MAX_PIECE_BYTES
from spikedaq.library.places import full_path, is_plain, opened
from spikedaq.model import CommandRejected, SpikedaqError, StoreError
from spikedaq.outlet import Peer

HERE = Peer("127.0.0.1", "tests")
WATCHER = Peer("10.0.0.7", "anna", AllowedKey("anna", bytes(32), Role.OBSERVER))
SECRET = b"nobody may read this"


class Bench:
    """A data folder with two sessions, and around it what must not be had."""

    def __init__(self, tmp_path: Path, **changes: Any) -> None:
        self.outside = tmp_path / "outside"
        self.outside.mkdir()
        (self.outside / "secret").write_bytes(SECRET)
        self.shelf = tmp_path / "data" / "recordings"
        self.session = make_session(self.shelf, "s", devices=("alpha", "beta"), n_bytes=2_000_000, n_files=1)
        (tmp_path / "data" / "secret").write_bytes(SECRET)
        self.config = LibraryConfig(self.shelf, journals=tmp_path / "data" / "journal", **changes)

    def ask(self, op: str, who: Peer = HERE, **args: Any) -> dict[str, Any]:
        async def once() -> dict[str, Any]:
            library = Library(self.config)
            try:
                return await library.handle(op, args, who)
            finally:
                await library.close()

        return asyncio.run(once())

    def refused(self, op: str, who: Peer = HERE, **args: Any) -> SpikedaqError:
        with pytest.raises(SpikedaqError) as caught:
            self.ask(op, who, **args)
        assert SECRET.decode() not in str(caught.value)
        return caught.value


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# ---- files ----


def test_a_file_comes_whole_piece_by_piece(bench: Bench) -> None:
    """Pieces of at most 768 KiB put together are the file, and their SHA-256 is the manifest's."""
    name = file_name("s", "alpha", 0)
    got, n_pieces = b"", 0
    while True:
        piece = bench.ask("file", WATCHER, session="s", device="alpha", name=name, offset=len(got))
        assert piece["offset"] == len(got) and piece["n_bytes"] == 2_000_000 and len(piece["data"]) <= 768 * 1024
        got, n_pieces = got + piece["data"], n_pieces + 1
        if piece["done"]:
            break
    assert n_pieces == 3
    assert hashlib.sha256(got).hexdigest() == piece["sha256"] == read_manifest(bench.session, "alpha")[0]["sha256"]
    assert bench.ask("file", session="s", device="alpha", name=name, offset=7, max_bytes=5)["data"] == got[7:12]
    beyond = bench.ask("file", session="s", device="alpha", name=name, offset=2**62)
    assert beyond["data"] == b"" and beyond["done"]
    assert len(bench.ask("file", session="s", device="alpha", name=name, max_bytes=2**40)["data"]) == MAX_PIECE_BYTES


def test_plan_and_manifest_can_be_had_as_well(bench: Bench) -> None:
    """A copy of a session is whole with them; they have no checksum, for they may be written anew."""
    piece = bench.ask("file", session="s", name="session.json")
    assert piece["data"] == (bench.session / "session.json").read_bytes() and piece["sha256"] is None
    piece = bench.ask("file", session="s", device="beta", name="manifest.json")
    assert piece["data"] == (bench.session / "beta" / "manifest.json").read_bytes()


def test_what_is_written_still_is_refused(bench: Bench) -> None:
    """A file that no manifest lists changes until it is closed; what to do depends on who writes it."""
    make_session(bench.shelf, "now", state="recording", journals=bench.shelf.parent / "journal", open_bytes=9)
    make_session(bench.shelf, "left", open_bytes=9)
    error = bench.refused("file", session="now", device="alpha", name=file_name("now", "alpha", 2))
    assert getattr(error, "code", "") == "not_closed" and "is being recorded" in str(error)
    assert bench.ask("file", session="now", device="alpha", name=file_name("now", "alpha", 1))["done"]
    error = bench.refused("file", session="left", device="alpha", name=file_name("left", "alpha", 2))
    assert f"spikedaq recover {bench.shelf / 'left'}" in str(error)


def test_what_is_gone_or_changed_is_said(bench: Bench) -> None:
    """Deleted by the retention, deleted by hand, longer than listed: three errors, no bytes."""
    alpha, beta = bench.session / "alpha", bench.session / "beta"
    name = file_name("s", "alpha", 0)
    with (alpha / name).open("ab") as file:
        file.write(b"x")
    error = bench.refused("file", session="s", device="alpha", name=name)
    assert isinstance(error, StoreError) and "2000001 bytes, its manifest says 2000000" in str(error)
    (alpha / name).unlink()
    assert "is gone" in str(bench.refused("file", session="s", device="alpha", name=name))
    entries = read_manifest(bench.session, "beta")
    entries[0] |= {"deleted_utc_ns": 1, "deleted_why": "older than 30 days"}
    write_manifest(bench.session, "beta", entries)
    (beta / entries[0]["name"]).unlink()
    error = bench.refused("file", session="s", device="beta", name=entries[0]["name"])
    assert getattr(error, "code", "") == "unknown_file" and "older than 30 days" in str(error)
    (beta / "manifest.json").write_text("{")
    assert "cannot be read" in str(bench.refused("file", session="s", device="beta", name=entries[0]["name"]))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../../../secret"},
        {"name": "/etc/passwd"},
        {"name": "secret"},
        {"name": ".verified.json"},
        {"name": ".."},
        {"name": "manifest.json\0"},
        {"device": "..", "name": "session.json"},
        {"device": "../..", "name": "manifest.json"},
        {"device": "linked", "name": "manifest.json"},
        {"device": None, "name": "manifest.json"},
        {"device": None, "name": "alpha/manifest.json"},
        {"session": "..", "name": "session.json", "device": None},
        {"session": "linked", "name": "session.json", "device": None},
        {"session": "s/../s", "name": "session.json", "device": None},
        {"folder": "OUTSIDE"},
        {"folder": "/"},
        {"folder": "SHELF/../recordings"},
    ],
)
def test_no_name_leads_out_of_a_session(bench: Bench, changes: dict[str, Any]) -> None:
    """Dots, slashes, links and folders of others get an error, whatever lies there."""
    (bench.outside / "manifest.json").write_bytes(SECRET)
    (bench.outside / "session.json").write_bytes(SECRET)
    (bench.session / "linked").symlink_to(bench.outside)
    (bench.shelf / "linked").symlink_to(bench.outside)
    asked = {"session": "s", "device": "alpha", "name": file_name("s", "alpha", 0), **changes}
    if "folder" in asked:
        asked["folder"] = asked["folder"].replace("OUTSIDE", str(bench.outside)).replace("SHELF", str(bench.shelf))
    bench.refused("file", **asked)


def test_a_link_in_the_place_of_a_recording_is_not_followed(bench: Bench) -> None:
    """Neither that of a file, nor that of its folder, nor a pipe, which would be waited for for good."""
    name = file_name("s", "alpha", 0)
    (bench.session / "alpha" / name).unlink()
    (bench.session / "alpha" / name).symlink_to(bench.outside / "secret")
    bench.refused("file", session="s", device="alpha", name=name)
    entries = read_manifest(bench.session, "alpha")
    entries[0] |= {"n_bytes": len(SECRET)}
    write_manifest(bench.session, "alpha", entries)
    assert "symbolic link" in str(bench.refused("file", session="s", device="alpha", name=name))
    (bench.session / "alpha" / name).unlink()
    os.mkfifo(bench.session / "alpha" / name)
    assert "plain file" in str(bench.refused("file", session="s", device="alpha", name=name))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(parts=st.lists(st.sampled_from(["s", "..", ".", "alpha", "link", "secret", "up", "/etc/passwd", "f", ""]),
                      min_size=1, max_size=5))  # fmt: skip
@example(parts=["link", "secret"])
@example(parts=["up", "up", "secret"])
def test_whatever_is_opened_below_a_shelf_is_inside(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    """Of any parts that pass as names, what can be opened is a plain file under the shelf, reached by no link."""
    root = tmp_path_factory.getbasetemp() / "property"
    if not root.exists():
        (root / "shelf" / "s" / "alpha").mkdir(parents=True)
        (root / "shelf" / "s" / "alpha" / "f").write_bytes(b"inside")
        (root / "shelf" / "s" / "f").write_bytes(b"inside")
        (root / "secret").write_bytes(SECRET)
        for folder in (root / "shelf", root / "shelf" / "s", root / "shelf" / "s" / "alpha"):
            (folder / "link").symlink_to(root)
            (folder / "up").symlink_to("..")
            (folder / "secret").symlink_to(root / "secret")
    if not all(is_plain(part) for part in parts):
        return
    try:
        with opened(root / "shelf", parts) as fd:
            assert os.read(fd, 100) == b"inside"
            assert parts in (["s", "f"], ["s", "alpha", "f"])
    except OSError:
        assert parts not in (["s", "f"], ["s", "alpha", "f"])


@given(name=st.text(max_size=300))
@example(name="a" * 256)
@example(name="..")
@example(name="a\u202eb")
def test_a_plain_name_is_one_part_of_a_path(name: str) -> None:
    """It has no slash, no NUL, is not hidden, and fits a file system and a message."""
    if is_plain(name):
        assert Path("/x") / name == Path(f"/x/{name}") and (Path("/x") / name).parent == Path("/x")
        assert "\0" not in name and not name.startswith(".") and len(name.encode()) <= 255


# ---- folders ----


def test_folders_below_the_roots_are_listed(bench: Bench, tmp_path: Path) -> None:
    """Without a folder the roots; below them what is there, sessions marked, links out and hidden ones left out."""
    other = tmp_path / "disk"
    (other / "class-a" / "deep").mkdir(parents=True)
    (other / ".hidden").mkdir()
    (other / "file").touch()
    (other / "out").symlink_to(bench.outside)
    (other / "in").symlink_to(other / "class-a")
    bench.config = LibraryConfig(bench.shelf, (other,))
    assert [f["path"] for f in bench.ask("folders", WATCHER)["folders"]] == [str(bench.shelf), str(other)]
    reply = bench.ask("folders", folder=str(other))
    assert [f["name"] for f in reply["folders"]] == ["class-a", "in"]
    assert reply["writable"] and reply["why_not"] is None and reply["free_bytes"] > 0 and reply["parent"] is None
    assert bench.ask("folders", folder=str(other / "class-a"))["parent"] == str(other)
    assert bench.ask("folders", folder=str(bench.shelf))["folders"] == [
        {"name": "s", "path": str(bench.shelf / "s"), "is_session": True}
    ]
    for i in range(7):
        (other / "class-a" / f"f{i}").mkdir()
    first = bench.ask("folders", folder=str(other / "class-a"), limit=5)
    assert first["next"] == "f3"
    rest = bench.ask("folders", folder=str(other / "class-a"), limit=5, after="f3")
    assert [f["name"] for f in rest["folders"]] == ["f4", "f5", "f6"] and rest["next"] is None


@pytest.mark.parametrize(
    ("folder", "code", "words"),
    [
        ("/", "not_allowed", "is not in a folder that clients may look at"),
        ("/etc", "not_allowed", "[recording]"),
        ("ROOTX", "not_allowed", "is not in a folder"),
        ("ROOT/../outside", "bad_arguments", "'..'"),
        ("ROOT/out", "not_allowed", "symbolic link"),
        ("ROOT/out/deeper", "not_allowed", "symbolic link"),
        ("ROOT/none", "unknown_folder", "does not exist"),
        ("ROOT/file", "unknown_folder", "is a file"),
        ("ROOT/file/x", "unknown_folder", "cannot be looked at"),
        ("ROOT/loop", "unknown_folder", "cannot be looked at"),
        ("recordings", "bad_arguments", "no full path"),
        ("", "bad_arguments", "no full path"),
        ("ROOT/\0", "bad_arguments", "no full path"),
        ("ROOT/\ud800", "bad_arguments", "no full path"),
        ("ROOT/" + "x" * 5000, "bad_arguments", "no full path"),
        ("ROOT/" + "x" * 300, "unknown_folder", "cannot be looked at"),
        (["ROOT"], "bad_arguments", "no full path"),
    ],
)
def test_a_folder_that_may_not_be_looked_at_is_refused(bench: Bench, folder: Any, code: str, words: str) -> None:
    """With the reason; of what lies outside not even whether it is there is told."""
    root = bench.shelf
    (root / "out").symlink_to(bench.outside)
    (root / "file").touch()
    (root / "loop").symlink_to(root / "loop")
    (root.parent / "recordingsX").mkdir()
    asked = folder.replace("ROOT", str(root)) if isinstance(folder, str) and folder != "ROOTX" else folder
    asked = str(root) + "X" if asked == "ROOTX" else asked
    error = bench.refused("folders", folder=asked)
    assert getattr(error, "code", "") == code
    assert words in str(error)


@settings(max_examples=300, deadline=None)
@given(path=st.text(alphabet="/.ab\0~", max_size=30))
def test_a_path_that_passes_is_in_a_root(path: str) -> None:
    """Nothing that is not below the root by its letters passes, however it is written."""
    places = Places(LibraryConfig(Path("/a/b")))
    try:
        full = full_path(path)
        places.resolve(path, may_be_missing=True)
    except CommandRejected:
        return
    assert full.is_relative_to("/a/b") and ".." not in full.parts


# ---- can Record write there? ----


def test_a_check_leaves_nothing_behind(bench: Bench) -> None:
    """A folder that is not there yet is tried where it would be made, and is not there afterwards either."""
    before = sorted(bench.shelf.parent.rglob("*"))
    reply = bench.ask("folder_check", WATCHER, folder=str(bench.shelf / "new" / "deeper"), session="run_1")
    assert reply["ok"] and not reply["exists"] and reply["why_not"] is None and reply["free_bytes"] > 0
    taken = bench.ask("folder_check", folder=str(bench.shelf), session="s")
    assert not taken["ok"] and "exists already" in taken["why_not"]
    assert sorted(bench.shelf.parent.rglob("*")) == before
    assert "a file" in str(bench.ask("folder_check", folder=str(bench.shelf / "s" / "session.json" / "x"))["why_not"])


def test_a_full_or_read_only_folder_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is what record_start would say."""
    bench.config = LibraryConfig(bench.shelf, needed_bytes=2**62)
    reply = bench.ask("folder_check", folder=str(bench.shelf))
    assert not reply["ok"] and "is full" in reply["why_not"] and reply["needed_bytes"] == 2**62

    def read_only(**_: Any) -> Any:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(writable_module.tempfile, "TemporaryFile", read_only)
    room = look_for_room(bench.shelf)
    assert "read-only disk; mount it for writing" in room.why_not and room.free_bytes is not None


# ---- who may ----


@pytest.mark.parametrize("op", ["verify", "verify_stop"])
def test_an_observer_reads_and_changes_nothing(bench: Bench, op: str) -> None:
    """Listing and fetching is for everybody who may watch; a verification keeps a result and a disk busy."""
    error = bench.refused(op, WATCHER, session="s")
    assert getattr(error, "code", "") == "not_allowed"
    assert not (bench.session / ".verified.json").exists()
    assert bench.ask("recordings", WATCHER)["total"] == 1
