"""A recorder in the process of the test."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spikedaq.recorder import read_plan
from spikedaq.recorder.process import Recorder
from spikedaq.recorder.reporter import Reporter


class ProcessEndedError(BaseException):
    """Stands for the end of the process, where a test puts it in the place of `os._exit`."""


def run_recorder(
    folder: Path,
    monotonic_s: Callable[[], float] = lambda: 0.0,
    *,
    without: Mapping[str, float] | None = None,
    orphaned: bool = False,
) -> tuple[int, list[dict[str, Any]]]:
    """Run a recorder; return its status and what it said. Its daemon is there to the end, unless ``orphaned``."""
    (wake, keep), (said, say) = os.pipe(), os.pipe()
    if orphaned:
        os.close(keep)
    try:
        status = Recorder(read_plan(folder), Reporter(say), wake, monotonic_s, without=without or {}).run()
    except ProcessEndedError as end:
        (status,) = end.args
    finally:
        for descriptor in (say, wake) if orphaned else (say, wake, keep):
            os.close(descriptor)
    with os.fdopen(said) as lines:
        return status, [json.loads(line) for line in lines]
