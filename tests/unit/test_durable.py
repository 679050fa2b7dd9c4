"""Files that take the place of others: whole or not at all, synced before they have the name."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from spikedaq.durable import make_folder, replaced, unfinished


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to the disk, in order."""
    done: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(fd: int) -> None:
        done.append(f"sync {Path(os.readlink(f'/proc/self/fd/{fd}')).name}")
        real_sync(fd)

    def replace(path: Path, target: Path) -> Path:
        done.append(f"{path.name} becomes {target.name}")
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    return done


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, calls: list[str]
) -> None:
    """A power cut at any moment leaves the old or the new."""
    with replaced(tmp_path / "a.json") as file:
        file.write("new µ")
        assert not (tmp_path / "a.json").exists()
    assert calls == ["sync .a.json.tmp", ".a.json.tmp becomes a.json", f"sync {tmp_path.name}"]
    assert (tmp_path / "a.json").read_text("utf-8") == "new µ"


def test_what_fails_leaves_the_old_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the writer gives up, or the disk does."""
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="given up"), replaced(path) as file:
        file.write("half")
        raise ValueError("given up")

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), replaced(path) as file:
        file.write("new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    """It is not added to."""
    path = tmp_path / ".hidden.json"
    unfinished(path).write_text("much longer than what follows")
    with replaced(path) as file:
        file.write("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_each_folder_that_is_made_is_synced_in_the_one_above(tmp_path: Path, calls: list[str]) -> None:
    """And none that was there."""
    make_folder(tmp_path / "b" / "c")
    assert calls == [f"sync {tmp_path.name}", "sync b"]
    make_folder(tmp_path / "b" / "c")
    assert len(calls) == 2
