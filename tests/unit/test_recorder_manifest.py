"""manifest.json as text: a line per file, read and written without holding them all, and never half."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from spikedaq.model import StoreError
from spikedaq.recorder import Manifest, ManifestFile, mark_deleted, read_entries, read_manifest, read_newest
from spikedaq.recorder.manifest import MANIFEST_FILE
from spikedaq.recorder.manifest_text import DocumentWriter


def entry(number: int) -> ManifestFile:
    """An entry with everything that JSON has to escape."""
    return ManifestFile(
        name=f"s_a_{number:04d}.nwb", number=number, sha256=f"{number:064x}", n_bytes=1_000_000 + number,
        n_samples=1000, first_step=1000 * number, last_step=1000 * number + 999, boot_id=7, start_s=0.1 * number,
        stop_s=0.1 * number + 0.1, start_utc_ns=10**18 + number, stop_utc_ns=10**18 + number + 10**8,
        gaps={"lost": number, "dropped": None}, saturated_blocks=0, closed_reason='rolled "after"\n ]\nünd',
        cursor=50 * number,
    )  # fmt: skip


def manifest(n_files: int) -> Manifest:
    """A manifest of a session in which so many files were closed."""
    return Manifest(
        "s", "a", "00ff", reason='{\n "files": [\n', references={"b1": 5}, files=[entry(n) for n in range(n_files)],
        progress={"offset": 5, "held": [[1, {"files": []}]], "selection": None},
    )  # fmt: skip


def saved(folder: Path, n_files: int) -> Manifest:
    """Save one; return it."""
    written = manifest(n_files)
    written.save(folder)
    return written


@pytest.mark.parametrize("n_files", [0, 1, 2, 50])
def test_what_is_written_is_read(tmp_path: Path, n_files: int) -> None:
    """By us, and by whoever reads JSON, with the sums that stand beside the files."""
    written = saved(tmp_path, n_files)
    assert read_manifest(tmp_path) == written
    text = (tmp_path / MANIFEST_FILE).read_text("utf-8")
    document = json.loads(text)
    assert [file["number"] for file in document["files"]] == list(range(n_files))
    assert document["n_samples"] == 1000 * n_files and document["progress"] == written.progress
    assert document["gaps"] == ({"lost": sum(range(n_files)), "dropped": None} if n_files else {})
    assert sum(line.startswith('  {"name": ') for line in text.splitlines()) == n_files


@pytest.mark.parametrize("indent", [None, 1, 4])
def test_other_json_of_the_same_is_read(tmp_path: Path, indent: int | None) -> None:
    """As earlier versions wrote it, and as a person's editor might."""
    written = saved(tmp_path, 3)
    path = tmp_path / MANIFEST_FILE
    document = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({"files": document.pop("files"), **document}, indent=indent), "utf-8")
    assert read_manifest(tmp_path) == written
    assert read_newest(tmp_path) == manifest_of(written, 2)
    mark_deleted(tmp_path, "s_a_0001.nwb", 9, "asked")
    again = read_manifest(tmp_path)
    assert again is not None and [f.deleted_why for f in again.files] == [None, "asked", None]
    text = path.read_text("utf-8")
    assert text.count('"files"') == 2, "its own, and the one in its progress"
    assert sum(line.startswith('  {"name": ') for line in text.splitlines()) == 3


def manifest_of(whole: Manifest, *numbers: int) -> Manifest:
    """The same with some of its files."""
    some = manifest(0)
    some.files = [whole.files[number] for number in numbers]
    return some


def test_some_or_the_newest(tmp_path: Path) -> None:
    """What is asked for, in order; how far it is can be told from the newest alone."""
    written = saved(tmp_path, 5)
    assert read_entries(tmp_path, {"s_a_0003.nwb", "s_a_0001.nwb", "else"}) == [written.files[1], written.files[3]]
    assert read_entries(tmp_path / "nowhere", {"s_a_0003.nwb"}) == []
    newest = read_newest(tmp_path)
    assert newest == manifest_of(written, 4)
    assert newest.cursor == written.cursor == 200 and newest.needed_from(0) == written.needed_from(0)
    saved(tmp_path, 0)
    empty = read_newest(tmp_path)
    assert empty is not None and empty.cursor is None


def test_a_damaged_one_is_never_taken_for_a_shorter_one(tmp_path: Path) -> None:
    """Cut anywhere, it is refused; what is no manifest, too, and by name what is of a later version."""
    saved(tmp_path, 3)
    path = tmp_path / MANIFEST_FILE
    whole = path.read_bytes()
    for n_bytes in range(len(whole) - 2):
        path.write_bytes(whole[:n_bytes])
        for read in (read_manifest, read_newest, lambda folder: read_entries(folder, ())):
            with pytest.raises(StoreError):
                read(tmp_path)
    path.write_bytes(whole + b"{}")
    with pytest.raises(StoreError, match="cannot be read"):
        read_manifest(tmp_path)
    for text in ("7", "[]", "{}", "null", '{"version": 1, "files": 5}'):
        path.write_text(text)
        with pytest.raises(StoreError, match="lacks or garbles"):
            read_manifest(tmp_path)
    changes: dict[str, Callable[[str], str]] = {
        "is of version 2": lambda text: text.replace('"version": 1', '"version": 2').replace('"sha256"', '"sha3"'),
        "lacks or garbles .*sha3": lambda text: text.replace('"sha256"', '"sha3"'),
        "lacks or garbles 'unique_id'": lambda text: text.replace('"unique_id"', '"id"'),
    }
    for said, change in changes.items():
        path.write_text(change(whole.decode()))
        with pytest.raises(StoreError, match=said):
            read_manifest(tmp_path)
    path.unlink()
    assert read_manifest(tmp_path) is None


def test_a_mark_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such file, no such folder, a damaged list, a full disk: what was there is there, and nothing beside it."""
    with pytest.raises(StoreError, match=r"does not list s_a_0000\.nwb"):
        mark_deleted(tmp_path, "s_a_0000.nwb", 9, "asked")
    saved(tmp_path, 3)
    path = tmp_path / MANIFEST_FILE
    whole = path.read_bytes()
    with pytest.raises(StoreError, match=r"does not list s_a_0007\.nwb"):
        mark_deleted(tmp_path, "s_a_0007.nwb", 9, "asked")
    assert path.read_bytes() == whole
    path.write_bytes(whole[:-20])
    with pytest.raises(StoreError, match="cannot be read"):
        mark_deleted(tmp_path, "s_a_0001.nwb", 9, "asked")
    assert path.read_bytes() == whole[:-20]
    path.write_bytes(whole)

    def full(writer: DocumentWriter, file: dict[str, object]) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(DocumentWriter, "add", full)
        with pytest.raises(OSError, match="No space left"):
            mark_deleted(tmp_path, "s_a_0001.nwb", 9, "asked")
        with pytest.raises(OSError, match="No space left"):
            manifest(3).save(tmp_path)
    assert path.read_bytes() == whole
    assert sorted(found.name for found in tmp_path.iterdir()) == [".manifest.lock", MANIFEST_FILE]


def test_hundreds_of_files_take_no_memory_of_whoever_looks(tmp_path: Path) -> None:
    """A daemon looks each minute for weeks: what that takes must not grow with what was ever recorded."""
    saved(tmp_path, 1000)
    only = {"s_a_0500.nwb"}
    read_newest(tmp_path)
    tracemalloc.start()
    try:
        looks: list[Callable[[], object]] = [
            lambda: read_entries(tmp_path, only),
            lambda: read_newest(tmp_path),
            lambda: mark_deleted(tmp_path, "s_a_0500.nwb", 9, "asked"),
        ]
        for look in looks:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            look()
            assert tracemalloc.get_traced_memory()[1] - before < 60_000
    finally:
        tracemalloc.stop()
