"""`python -m spikedaq.scope.csv_child FOLDER OUT`: makes the stock CSV of a session's folder, for the page server.

A process of its own, so that a long conversion neither holds up live traces nor takes memory for good, and so that it
can be ended at any time. It prints a JSON map a line: ``done`` and ``total`` rows, then ``rows`` or ``error``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from spikedaq.formats import export_csv
from spikedaq.model import SpikedaqError

_TELL_S = 0.25


def main(arguments: list[str]) -> int:
    """Convert."""
    folder, out = (Path(argument) for argument in arguments)
    told_s = 0.0

    def show(done: int, total: int) -> None:
        nonlocal told_s
        if time.monotonic() - told_s >= _TELL_S:
            told_s = time.monotonic()
            _say(done=done, total=total)

    try:
        written = export_csv(folder, out, progress=show)
    except SpikedaqError as error:
        _say(error=str(error))
        return 1
    except OSError as error:
        _say(error=f"the CSV cannot be written on the page's computer: {error.strerror}; make room there")
        return 1
    _say(
        rows=sum(file.n_rows for file in written),
        warnings=[file.warning for file in written if file.warning is not None],
    )
    return 0


def _say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
