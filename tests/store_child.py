"""A writer in a process of its own: ``store_child.py FILE N_BLOCKS SEED MODE``, steered and killed by the tests.

Modes: ``run`` writes everything and closes; ``step`` writes a second per line on stdin; ``limit`` may not write more
than 600 kB.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from spikedaq.model import StoreError
from spikedaq.store import RecordingWriter
from store_data import META, apply, make_journal

LIMIT_BYTES = 600_000


def main() -> int:
    path, n_blocks, seed, mode = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    journal = make_journal(n_blocks, seed)
    print("ready", flush=True)
    sys.stdin.readline()
    if mode == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES))
    writer = RecordingWriter.resume(path) if path.exists() else RecordingWriter.create(path, META, 990)
    print("writing", flush=True)
    try:
        written = 0
        for entry in apply(writer, journal, 3):
            written += entry.block is not None
            if mode == "step" and written == 110:
                print(writer.flush(), flush=True)
                written = 0
                sys.stdin.readline()
    except StoreError as error:
        print(writer.n_readable, writer.cursor, flush=True)
        print(error, flush=True)
        try:
            writer.flush(force=True)
        except StoreError as again:
            print(again, flush=True)
        os._exit(4)
    print("closing", flush=True)
    writer.close("stopped")
    print("closed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
