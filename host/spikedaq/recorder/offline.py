"""A recorder that no daemon watches: it takes what the journals hold now, and ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikedaq.recorder.process import EXIT_DONE, EXIT_INTERRUPTED

WORK_PREFIX = ".rebuild-"
"""Folders in a session in which files are made again until they are whole."""

_GOOD_ENDS = (EXIT_DONE, EXIT_INTERRUPTED)
"""The session has ended; or everything that the journals hold is in closed files."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended.

    Attributes
    ----------
    remarks : list of (str, str)
        Device, and what had to be put right or was found damaged in its journal.
    error : str
        What kept it from its work, "" where nothing did.
    """

    remarks: list[tuple[str, str]]
    error: str


def record_offline(session: Path, only: Iterable[str] = ()) -> Ended:
    """Run a recorder on a session's folder, on all its devices or only some, in a process that damage may end."""
    ended = subprocess.run(
        [sys.executable, "-m", "spikedaq.recorder", *(f"--only={name}" for name in only), str(session)],
        stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    lines = [_json(line) for line in ended.stdout.splitlines()]
    remarks = [(str(line.get("device", "")), str(line["remark"])) for line in lines if "remark" in line]
    if ended.returncode in _GOOD_ENDS:
        return Ended(remarks, "")
    said = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
    return Ended(remarks, said[0] if said else f"its recorder ended with status {ended.returncode}")


def _json(line: bytes) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
