"""Archives as a stream: other programs read them, and their length was known beforehand."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedaq.scope.zip_stream import Entry, ZipWriter, zip_length

NOON_NS = 1_777_636_800_000_000_000  # 2026-05-01T12:00:00Z

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/\\"), min_size=1)


def made(files: dict[str, bytes], utc_ns: int = NOON_NS) -> bytes:
    writer = ZipWriter()
    data = b""
    for name, content in files.items():
        data += writer.begin(Entry(name, len(content), utc_ns))
        half = len(content) // 2
        data += writer.feed(content[:half]) + writer.feed(content[half:]) + writer.end()
    return data + writer.finish()


def test_the_bytes_of_an_archive_of_one_byte() -> None:
    """Worked out by hand from APPNOTE.TXT; the CRC-32 of "a" is e8b7be43."""
    local = bytes.fromhex("504b0304 1400 0808 0000 0060 a15c 00000000 00000000 00000000 0100 0000".replace(" ", ""))
    descriptor = bytes.fromhex("504b0708 43beb7e8 01000000 01000000".replace(" ", ""))
    directory = bytes.fromhex(
        "504b0102 1403 1400 0808 0000 0060 a15c 43beb7e8 01000000 01000000 0100 0000 0000 0000 0000"
        "0000a481 00000000".replace(" ", "")
    )
    end = bytes.fromhex("504b0506 0000 0000 0100 0100 2f000000 30000000 0000".replace(" ", ""))
    assert made({"x": b"a"}) == local + b"x" + b"a" + descriptor + directory + b"x" + end


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=3000)))
def test_what_was_put_in_comes_out(files: dict[str, bytes]) -> None:
    """By Python's own reader, with its check of every CRC; the length is what was foretold."""
    data = made(files)
    assert len(data) == zip_length([Entry(name, len(content)) for name, content in files.items()])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == files
        assert all(info.date_time == (2026, 5, 1, 12, 0, 0) for info in archive.infolist())


@pytest.mark.parametrize("n_bytes", [0xFFFFFFFE, 0xFFFFFFFF, 5 << 30])
def test_files_beyond_four_gigabytes(tmp_path: Path, n_bytes: int) -> None:
    """Their directory is right: read from a file with a hole in place of the bytes, so with a CRC of none."""
    writer = ZipWriter()
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        file.write(writer.begin(Entry("large", n_bytes)))
        writer.skip(n_bytes)
        file.seek(n_bytes, 1)
        file.write(writer.end())
        file.write(writer.begin(Entry("small", 2)) + writer.feed(b"ab") + writer.end() + writer.finish())
    assert path.stat().st_size == zip_length([Entry("large", n_bytes), Entry("small", 2)])
    with zipfile.ZipFile(path) as archive:
        assert [(info.filename, info.file_size) for info in archive.infolist()] == [("large", n_bytes), ("small", 2)]
        assert archive.read("small") == b"ab"


def test_more_files_than_the_old_format_counts() -> None:
    writer = ZipWriter()
    data = b"".join(writer.begin(Entry(str(n), 0)) + writer.end() for n in range(70_000)) + writer.finish()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert len(archive.namelist()) == 70_000


def test_a_file_that_is_shorter_than_promised_is_not_hidden() -> None:
    writer = ZipWriter()
    writer.begin(Entry("x", 3))
    writer.feed(b"ab")
    with pytest.raises(ValueError, match="2 bytes came"):
        writer.end()


@pytest.mark.skipif(shutil.which("unzip") is None, reason="needs unzip")
def test_info_zip_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(made({"s/alpha/x.nwb": b"\x89HDF" * 1000, "s/session.json": b"{}"}))
    told = subprocess.run(["unzip", "-t", path], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout
    assert "No errors detected" in told.stdout
