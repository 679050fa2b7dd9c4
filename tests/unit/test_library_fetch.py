"""A session comes to another computer whole, is gone on with after a break, and is never taken for what it is not."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from library_server import LibraryServer
from session_folders import file_name, make_session, read_manifest, write_manifest

from spikedaq.inlet import LibraryClient, connect, fetch_session
from spikedaq.model import CommandRejected, ConfigError, RemoteProtocolError, StoreError

SIZE = 2_000_000


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "recordings"
    make_session(folder, "run", devices=("alpha", "beta"), n_files=2, n_bytes=SIZE)
    return folder


@pytest.fixture
def server(shelf: Path) -> Iterator[LibraryServer]:
    with LibraryServer(shelf) as running:
        yield running


@pytest.fixture
def library(server: LibraryServer) -> Iterator[LibraryClient]:
    with connect(server.url) as bench, bench.library() as client:
        yield client


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_copy_is_the_session_byte_for_byte(library: LibraryClient, shelf: Path, tmp_path: Path) -> None:
    """Every file with plan and manifests, nothing else; the second time nothing has to come but what may change."""
    said: list[tuple[int, int]] = []
    fetched = fetch_session(library, "run", tmp_path, progress=lambda _, done, total: said.append((done, total)))
    assert tree(tmp_path / "run") == tree(shelf / "run") and len(tree(tmp_path / "run")) == 7
    assert fetched.n_bytes == 4 * SIZE and fetched.left_out == {} and len(fetched.files) == 4
    assert said[-1] == (4 * SIZE, 4 * SIZE) and [d for d, _ in said] == sorted(d for d, _ in said)
    again = fetch_session(library, "run", tmp_path)
    assert again.n_bytes == 0 and again.files == fetched.files


def test_only_one_device_comes_where_one_is_asked_for(library: LibraryClient, shelf: Path, tmp_path: Path) -> None:
    """And a name that the session has not is said with those that it has."""
    fetch_session(library, "run", tmp_path, devices=["beta"])
    assert not (tmp_path / "run" / "alpha").exists()
    assert tree(tmp_path / "run" / "beta") == tree(shelf / "run" / "beta")
    with pytest.raises(CommandRejected, match="has no device 'gamma'; it has alpha, beta"):
        fetch_session(library, "run", tmp_path, devices=["gamma"])


def test_what_was_interrupted_is_gone_on_with(library: LibraryClient, shelf: Path, tmp_path: Path) -> None:
    """A half file never has the name of a whole one, and what is here of it does not come again."""

    def interrupt(_: str, done: int, __: int) -> None:
        if done > SIZE + SIZE // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_session(library, "run", tmp_path, progress=interrupt)
    here = sorted(p.name for p in (tmp_path / "run" / "alpha").iterdir())
    assert len(here) == 2 and here[0].endswith(".part") and here[1] == file_name("run", "alpha", 0)
    half = (tmp_path / "run" / "alpha" / here[0]).stat().st_size
    assert 0 < half < SIZE
    assert fetch_session(library, "run", tmp_path).n_bytes == 3 * SIZE - half
    assert tree(tmp_path / "run") == tree(shelf / "run")


@pytest.mark.parametrize("damage", ["changed", "longer"])
def test_a_part_that_was_damaged_here_is_fetched_anew(
    library: LibraryClient, shelf: Path, tmp_path: Path, damage: str
) -> None:
    """The SHA-256 finds it, and the second attempt begins at 0."""
    entry = read_manifest(shelf / "run", "alpha")[0]
    folder = tmp_path / "run" / "alpha"
    folder.mkdir(parents=True)
    part = folder / f".{entry['name']}.{entry['sha256'][:12]}.part"
    part.write_bytes(b"x" * (1000 if damage == "changed" else SIZE + 1))
    fetched = fetch_session(library, "run", tmp_path)
    assert fetched.n_bytes == 4 * SIZE + (SIZE - 1000 if damage == "changed" else 0)
    assert tree(tmp_path / "run") == tree(shelf / "run")


def test_what_does_not_have_its_checksum_is_not_kept(library: LibraryClient, shelf: Path, tmp_path: Path) -> None:
    """A byte that changed on the daemon's disk is found here, and nothing is left that looks like a recording."""
    path = shelf / "run" / "alpha" / file_name("run", "alpha", 0)
    data = bytearray(path.read_bytes())
    data[1_234_567] ^= 1
    path.write_bytes(data)
    with pytest.raises(RemoteProtocolError, match="does not have the SHA-256 of its manifest"):
        fetch_session(library, "run", tmp_path)
    assert tree(tmp_path / "run") == {}


def test_another_file_in_the_way_is_not_touched(library: LibraryClient, tmp_path: Path) -> None:
    """Not even where it has the size of the right one."""
    path = tmp_path / "run" / "alpha" / file_name("run", "alpha", 0)
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(SIZE))
    with pytest.raises(StoreError, match="is not the file that the daemon has; move it away"):
        fetch_session(library, "run", tmp_path)
    assert path.read_bytes() == bytes(SIZE)


def test_what_cannot_be_written_is_said(library: LibraryClient, tmp_path: Path) -> None:
    """A file where a folder is needed: the error names it and what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="choose another place with --out"):
        fetch_session(library, "run", tmp_path / "file")


def test_what_is_not_to_be_had_is_named(library: LibraryClient, shelf: Path, tmp_path: Path) -> None:
    """Growing, left open, deleted, missing: the others come, and each of these has its reason."""
    folder = make_session(shelf, "now", n_files=3, state="recording", journals=shelf.parent / "journal", open_bytes=5)
    entries = read_manifest(folder, "alpha")
    entries[0] |= {"deleted_utc_ns": 1, "deleted_why": "older than 30 days, recovered"}
    write_manifest(folder, "alpha", entries)
    (folder / "alpha" / entries[0]["name"]).unlink()
    (folder / "alpha" / entries[1]["name"]).unlink()
    fetched = fetch_session(library, "now", tmp_path)
    assert [p.name for p in fetched.files] == [entries[2]["name"]]
    why = {name.rsplit("_", 1)[1]: text for name, text in fetched.left_out.items()}
    assert (
        "older than 30 days" in why["0000.nwb"] and "recover" in why["0001.nwb"] and "being recorded" in why["0003.nwb"]
    )
    assert fetched.lost == [f"alpha/{entries[1]['name']}"]
    make_session(shelf, "left", n_files=0, open_bytes=5)
    left = fetch_session(library, "left", tmp_path)
    assert "recover" in next(iter(left.left_out.values())) and left.lost == list(left.left_out)


class Lying:
    """A daemon that means ill: what it tells is handed on as it is."""

    def __init__(self, told: dict[str, Any], data: bytes = b"") -> None:
        self.told, self.data = told, data

    def recording(self, session: str, **_: Any) -> dict[str, Any]:
        return self.told

    def pieces(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.data


@pytest.mark.parametrize(
    ("device", "name", "error"),
    [
        ("alpha", "../../evil.nwb", RemoteProtocolError),
        ("alpha", "/tmp/evil.nwb", RemoteProtocolError),
        ("alpha", "..\\evil.nwb", RemoteProtocolError),
        ("alpha", "C:evil.nwb", RemoteProtocolError),
        ("alpha", ".bashrc", RemoteProtocolError),
        ("alpha", ".hidden.nwb", RemoteProtocolError),
        ("alpha", "run.sh", RemoteProtocolError),
        ("..", "evil.nwb", ConfigError),
        ("a/b", "evil.nwb", ConfigError),
        ("/etc", "evil.nwb", ConfigError),
    ],
)
def test_no_daemon_can_write_where_it_likes(tmp_path: Path, device: str, name: str, error: type[Exception]) -> None:
    """Names from the other side are one part of a path here, and those of recordings."""
    file = {"device": device, "name": name, "state": "closed", "n_bytes": 4, "sha256": "0" * 64}
    told = {"session": "s", "folder": "/r", "devices": {device: {}}, "files": [file]}
    out = tmp_path / "out"
    with pytest.raises(error):
        fetch_session(Lying(told, b"evil"), "s", out)  # type: ignore[arg-type]
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_daemon_that_sends_without_end_is_stopped(tmp_path: Path) -> None:
    """More than it announced is not written."""
    file = {"device": "alpha", "name": "a.nwb", "state": "closed", "n_bytes": 4, "sha256": "0" * 64}
    told = {"session": "s", "folder": "/r", "devices": {"alpha": {}}, "files": [file]}
    with pytest.raises(RemoteProtocolError, match="became another"):
        fetch_session(Lying(told, b"endless"), "s", tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize("call", ["recordings", "recording"])
def test_a_daemon_whose_pages_lead_nowhere_is_not_followed_for_ever(call: str) -> None:
    """It says that there is more where it began."""
    asked: list[str] = []

    def answer(op: str, **_: Any) -> dict[str, Any]:
        asked.append(op)
        assert len(asked) < 10
        return {"sessions": [], "next": [1, "s", "/r"]} if op == "recordings" else {"files": [], "next": 0}

    library = LibraryClient(SimpleNamespace(call=answer, url="tcp://127.0.0.1:1"))  # type: ignore[arg-type]
    with pytest.raises(RemoteProtocolError, match="goes on where it began"):
        list(library.recordings()) if call == "recordings" else library.recording("s")
    assert len(asked) <= 2


def test_pages_are_followed(library: LibraryClient, shelf: Path, server: LibraryServer) -> None:
    """A list and a recording of many parts come whole, in several requests."""
    for i in range(130):
        make_session(shelf, f"s{i:03d}", n_files=0, started_utc_ns=i)
    assert sorted(s["session"] for s in library.recordings()) == ["run", *(f"s{i:03d}" for i in range(130))]
    assert server.asked["recordings"] == 2
    folder = make_session(shelf, "long", n_files=0)
    entries = [{**read_manifest(shelf / "run", "alpha")[0], "number": i, "name": f"f{i}"} for i in range(1100)]
    write_manifest(folder, "alpha", entries)
    assert [f["number"] for f in library.recording("long")["files"]] == list(range(1100))
    assert server.asked["recording"] == 3
    page = library.page(match="s12")
    assert page["total"] == 10


def test_a_link_in_the_copy_is_not_written_through(library: LibraryClient, tmp_path: Path) -> None:
    """What stands under a file's name here, though it leads elsewhere, is in the way and stays."""
    target = tmp_path / "precious"
    target.write_text("mine")
    path = tmp_path / "run" / "alpha" / file_name("run", "alpha", 0)
    path.parent.mkdir(parents=True)
    os.symlink(target, path)
    with pytest.raises(StoreError):
        fetch_session(library, "run", tmp_path)
    assert target.read_text() == "mine"
    assert json.loads((tmp_path / "data" / "recordings" / "run" / "session.json").read_text())["session"] == "run"
