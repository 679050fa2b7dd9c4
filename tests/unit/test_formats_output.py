"""What is written appears whole or not at all, files and folders alike."""

import os
import time

import pytest

from spikedaq.formats.output import folder_made_whole, made_whole, written_whole
from spikedaq.model import StoreError


def ours(name):
    return name.startswith("ours")


def test_a_file_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), made_whole(path, overwrite=True) as partial:
        partial.write_bytes(b"half")
        raise ZeroDivisionError
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]
    assert path.read_bytes() == b"old"
    with made_whole(path, overwrite=True) as partial:
        partial.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_an_existing_file_is_refused_before_anything_is_made(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(StoreError, match="--overwrite"), made_whole(path, overwrite=False):
        pytest.fail("it began")


def test_a_folder_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "ours.npy").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), folder_made_whole(path, overwrite=True, is_ours=ours) as partial:
        (partial / "ours.npy").write_bytes(b"half")
        raise KeyboardInterrupt
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]
    assert (path / "ours.npy").read_bytes() == b"old"


def test_a_folder_is_replaced_by_the_whole_of_another(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "ours.old").write_bytes(b"old")
    with folder_made_whole(path, overwrite=True, is_ours=ours) as partial:
        (partial / "ours.new").write_bytes(b"new")
        assert (path / "ours.old").exists()
    assert [entry.name for entry in path.iterdir()] == ["ours.new"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_folder_with_something_else_in_it_is_never_replaced(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "ours.npy").write_bytes(b"old")
    (path / "thesis.tex").write_bytes(b"years")
    with (
        pytest.raises(StoreError, match=r"thesis\.tex, which this would delete"),
        folder_made_whole(path, overwrite=True, is_ours=ours),
    ):
        pytest.fail("it began")
    assert (path / "thesis.tex").read_bytes() == b"years"


def test_an_empty_folder_may_be_taken(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    with folder_made_whole(path, overwrite=False, is_ours=ours) as partial:
        (partial / "ours").touch()
    assert (path / "ours").exists()


def test_no_folder_over_a_file_and_none_where_there_is_none(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(StoreError, match="is a file"), folder_made_whole(tmp_path / "a", overwrite=True, is_ours=ours):
        pytest.fail("it began")
    with (
        pytest.raises(StoreError, match="cannot write"),
        folder_made_whole(tmp_path / "no" / "b", overwrite=False, is_ours=ours),
    ):
        pytest.fail("it began")


def test_what_another_is_writing_is_left_alone(tmp_path):
    """Two of one process: the second is refused, and what the first has begun is still there for it to end."""
    path = tmp_path / "a.csv"
    with written_whole(path, overwrite=False) as file:
        file.write(b"first")
        with pytest.raises(StoreError, match="is being written"), written_whole(path, overwrite=False):
            pass
    assert path.read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("make", ["file", "folder"])
def test_what_a_killed_process_left_is_removed_once_nobody_touches_it(tmp_path, make):
    """An hour old: removed; a folder in which anything is younger, and other files and processes' names, stay."""

    def aged(name: str, age_s: float) -> None:
        path = tmp_path / name
        if make == "folder":
            path.mkdir()
            (path / "ours.npy").write_bytes(b"half")
            os.utime(path / "ours.npy", (time.time() - age_s,) * 2)
            os.utime(path, (time.time() - 9000,) * 2)
        else:
            path.write_bytes(b"half")
            os.utime(path, (time.time() - age_s,) * 2)

    kept = {".a.bin.12.partial": 60, ".a.bin.x.partial": 9000, ".aXbin.13.partial": 9000, ".a.bin.14.old": 9000}
    for name, age_s in {**kept, ".a.bin.11.partial": 3700}.items():
        aged(name, age_s)
    path = tmp_path / "a.bin"
    folder = folder_made_whole(path, overwrite=False, is_ours=ours)
    with folder if make == "folder" else made_whole(path, overwrite=False) as partial:
        if make == "file":
            partial.write_bytes(b"new")
    assert {entry.name for entry in tmp_path.iterdir()} == {*kept, "a.bin"}
