"""The daemon's log: JSON lines where nobody sits at a terminal, with the level that journald understands."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import structlog

from spikedaq.daemon.log_setup import set_up_logging


@pytest.mark.parametrize("journald", [False, True])
def test_each_line_is_json_and_says_its_level_to_journald(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journald: bool
) -> None:
    """JOURNAL_STREAM names the journal's socket by device and inode; another one, inherited, is not ours."""
    path = tmp_path / "log"
    with path.open("w") as out:
        found = os.fstat(out.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino + (not journald)}")
        before = structlog.get_config()
        try:
            writer = set_up_logging(out)
            log = structlog.get_logger("x")
            log.info("ready", control="tcp://127.0.0.1:1")
            log.error("alarm", kind="disk_low", text="two\nlines")
            try:
                int("odd")
            except ValueError:
                log.exception("defect")
            writer.close()
        finally:
            structlog.configure(**before)
    lines = path.read_text().splitlines()
    prefixes = ["<6>", "<3>", "<3>"] if journald else ["", "", ""]
    assert [line[: line.index("{")] for line in lines] == prefixes
    info, error, defect = (json.loads(line[line.index("{") :]) for line in lines)
    assert (info["event"], info["control"], info["level"]) == ("ready", "tcp://127.0.0.1:1", "info")
    assert (error["kind"], error["text"]) == ("disk_low", "two\nlines")
    assert "ValueError: invalid literal" in defect["exception"]
