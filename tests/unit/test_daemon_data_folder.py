"""The data folder and the recording folder: held by one daemon, and refused with a remedy where they cannot be used."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from spikedaq.daemon.data_folder import MIN_FREE_BYTES, DataFolder, check_writable, write_json
from spikedaq.model import ConfigError, StoreError

Usage = namedtuple("Usage", "total used free")


def test_one_daemon_at_a_time(tmp_path: Path) -> None:
    """A held data folder names its holder; once closed it can be had again."""
    first = DataFolder(tmp_path / "d")
    with pytest.raises(
        ConfigError, match=rf"{tmp_path}/d is already used by another spikedaqd \(process {os.getpid()}\)"
    ):
        DataFolder(tmp_path / "d")
    first.close()
    DataFolder(tmp_path / "d").close()


def test_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A data folder beneath a file is refused, naming the option."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="name another with --data"):
        DataFolder(tmp_path / "file" / "d")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "is on a full disk; make room"),
        (errno.EDQUOT, "is on a full disk; make room"),
        (errno.EROFS, "is on a read-only disk; mount it for writing"),
        (errno.EACCES, "is read-only for this user; change its rights (chmod u+w)"),
        (errno.EIO, "cannot be written (Input/output error)"),
    ],
)
def test_recording_folder_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str) -> None:
    """Each reason why a folder takes no file has its own remedy."""

    def fail(**_: Any) -> Any:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    with pytest.raises(StoreError) as caught:
        check_writable(tmp_path)
    assert f"the recording folder {tmp_path} {words}" in str(caught.value)


def test_a_nearly_full_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording is not begun on the last megabytes."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, MIN_FREE_BYTES - 1))
    with pytest.raises(StoreError, match=r"is full \(63 MiB free, 64 are needed\); make room or name a folder"):
        check_writable(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, MIN_FREE_BYTES))
    check_writable(tmp_path / "new" / "folders")
    assert list((tmp_path / "new" / "folders").iterdir()) == []


def test_json_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half way leaves the old file and no other."""
    path = tmp_path / "session.json"
    write_json(path, {"a": 1})

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match="cannot be written"):
        write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["session.json"]
