"""A process that copies a part of a recording for `copying.copy_all`: a job on stdin, a line per piece on stdout."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import warnings

from spikedaq.model import SpikedaqError
from spikedaq.recording.dumping import from_dict
from spikedaq.recording.saving.copying import copy


def main() -> int:
    """Copy what the job on stdin says."""
    # Not through the buffered stdin: its lock would keep the interpreter from ending while the thread waits in it.
    text = b""
    while not text.endswith(b"\n"):
        got = os.read(0, 1 << 16)
        if not got:
            return 1
        text += got
    job = json.loads(text)
    is_done = threading.Event()
    threading.Thread(target=_end_with_parent, args=(is_done,), daemon=True).start()
    module, _, function = job["opener"].partition(":")
    opener = getattr(importlib.import_module(module), function)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the first process has said it
            recording = from_dict(job["recording"])
        spans = [(int(k), int(start), int(stop)) for k, start, stop in job["spans"]]
        for n in copy(recording, lambda: opener(job["spec"]), spans, with_times=job["with_times"]):
            _say({"frames": n})
    except (SpikedaqError, OSError) as error:
        _say({"error": str(error)})
        return 1
    finally:
        is_done.set()
    return 0


def _end_with_parent(is_done: threading.Event) -> None:
    """End when the process that asked is gone, so that nothing goes on writing to a target that was given up."""
    while os.read(0, 1 << 16):
        pass
    if not is_done.is_set():
        os._exit(1)


def _say(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
