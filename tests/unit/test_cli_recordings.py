"""`spikedaq recordings`: what it prints, what it brings, and with which status it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from library_server import LibraryServer, make_real_session
from session_folders import T0_UTC_NS, make_session

from spikedaq.cli.main import main

SAMPLES = np.arange(8000, dtype=np.int16).reshape(1000, 8)
DAY_NS = 86_400 * 10**9


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "recordings"
    make_session(folder, "2026-05-01_tonic_1", devices=("alpha", "beta"), notes="as in the book")
    make_real_session(folder, "demo", SAMPLES)
    make_session(
        folder, "now", state="recording", journals=folder.parent / "journal", started_utc_ns=T0_UTC_NS + DAY_NS
    )
    return folder


@pytest.fixture
def url(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", "UTC")
    with LibraryServer(shelf) as server:
        yield server.url


def test_the_list_is_a_table_newest_first(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Name, start, duration, size, gaps and verification, one line each."""
    assert main(["recordings", "--url", url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "start", "duration", "size", "gaps", "verified"]
    assert (
        lines[1].startswith("now ")
        and "under way" in lines[1]
        and "recording" not in lines[1]
        and lines[1].split()[-1] == "no"
    )
    tonic = next(line for line in lines if line.startswith("2026-05-01_tonic_1"))
    assert tonic.split() == ["2026-05-01_tonic_1", "2026-05-01", "09:34", "20", "s", "4.0", "kB", "12", "lost", "no"]


def test_json_has_everything(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also what matches a part of a name only, whatever stands before the action."""
    assert main(["recordings", "--url", url, "--match", "TONIC", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["total"] == 1 and value["sessions"][0]["devices"]["beta"]["files"] == 2
    assert main(["recordings", "--url", url, "--json", "show", "demo"]) == 0
    assert [f["number"] for f in json.loads(capsys.readouterr().out)["files"]] == [0, 1]


def test_show_lists_the_files(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recordings", "show", "2026-05-01_tonic_1", "--url", url]) == 0
    out = capsys.readouterr().out
    assert "as in the book" in out and "gaps: 12 lost" in out and "2 notes" in out
    assert sum("closed" in line for line in out.splitlines()) == 4


def test_what_is_not_there_ends_with_one(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recordings", "show", "none", "--url", url]) == 1
    assert "there is no session 'none' in" in capsys.readouterr().err


def test_fetch_makes_the_csv_that_export_would(
    url: str, shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files come, are checked, and become CSV here; a second time nothing is replaced unasked."""
    out = tmp_path / "mine"
    out.mkdir()
    arguments = ["recordings", "fetch", "demo", "--csv", "--out", str(out), "--url", url]
    assert main(arguments) == 0
    assert "2 files, each as its manifest says" in capsys.readouterr().out
    csv = list((out / "demo").glob("*.csv"))
    assert len(csv) == 1 and len(csv[0].read_text().splitlines()) == 1001
    assert main(["export", str(shelf / "demo"), "--out", str(tmp_path)]) == 0
    assert next(tmp_path.glob("*.csv")).read_bytes() == csv[0].read_bytes()
    assert main(arguments) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_bytes"] == 0


def test_nwb_and_csv_are_one_or_the_other(url: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["recordings", "fetch", "demo", "--csv", "--nwb", "--url", url])
    assert caught.value.code == 2


def test_verify_ends_with_what_was_found(url: str, shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 where all is good, 1 where something is wrong; the list shows it from then on."""
    assert main(["recordings", "verify", "demo", "--url", url]) == 0
    assert "demo: 2 good" in capsys.readouterr().out
    assert main(["recordings", "verify", "2026-05-01_tonic_1", "--url", url]) == 1
    assert "damaged: alpha/" in capsys.readouterr().out
    main(["recordings", "--url", url])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("demo") and " good 20" in line for line in lines)
    assert any("FAILED: damaged" in line for line in lines)


def test_what_a_daemon_says_moves_no_cursor(url: str, shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Texts of others are printed without control characters."""
    make_session(shelf, "evil", notes="\x1b[2J\x1b]0;title\x07", reason="\x1b[31m")
    assert main(["recordings", "show", "evil", "--url", url]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_brackets_and_colons_are_printed_as_they_are(url: str, shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the terminal library takes for markup, or for a picture, is a text like any other."""
    make_session(shelf, "odd", devices=("[red]",), state="[/x] :warning:", notes="[red]5 pA[/red]")
    assert main(["recordings", "--url", url]) == 0
    assert "[/x] :warning:" in capsys.readouterr().out
    assert main(["recordings", "show", "odd", "--url", url]) == 0
    out = capsys.readouterr().out
    assert "[/x] :warning:" in out and "[red]5 pA[/red]" in out
    assert [line.split()[0] for line in out.splitlines()[-2:]] == ["[red]", "[red]"]
    assert main(["recordings", "--url", url, "--match", "[/y]"]) == 0
    assert "nothing is recorded with '[/y]' in its name" in capsys.readouterr().out
