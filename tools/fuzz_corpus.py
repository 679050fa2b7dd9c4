"""Write the golden vectors as seeds for the firmware's fuzzers.

Usage: fuzz_corpus.py VECTORS_FOLDER CORPUS_FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# The script language of firmware/fuzz/fuzz_device.cpp: what a host sends, then steps with pumps and reading all of it.
_SEND_BYTES, _STEPS, _READ = 0xF5, 0xF1, 0x03
_LONGEST = 255


def cases(folder: Path, name: str) -> list[dict[str, Any]]:
    """Cases of one file of vectors."""
    found: list[dict[str, Any]] = json.loads((folder / name).read_text(encoding="utf-8"))["cases"]
    return found


def seeds(vectors: Path) -> dict[str, list[bytes]]:
    """Seeds by fuzzer."""
    frames = [bytes.fromhex(case["frame"]) for case in cases(vectors, "messages.json")]
    frames += [bytes.fromhex(case["bytes"]) for case in cases(vectors, "streams.json")]
    requests = [bytes.fromhex(c["frame"]) for c in cases(vectors, "messages.json") if c["direction"] == "host"]
    device = [
        bytes([slices, _SEND_BYTES, len(request)]) + request + bytes([_STEPS, _READ])
        for slices, request in enumerate(requests)
        if len(request) <= _LONGEST and slices < _LONGEST
    ]
    packed = [
        bytes([case["n"] - 1, case["n_channels"] - 1]) + bytes.fromhex(case["payload"])
        for case in cases(vectors, "block_packed.json")
        if 1 <= case["n"] <= _LONGEST
    ]
    return {"frames": frames, "device": [*device, b"".join(device)], "packed": packed}


def main() -> None:
    """Write one file per seed."""
    for fuzzer, contents in seeds(Path(sys.argv[1])).items():
        folder = Path(sys.argv[2]) / fuzzer
        folder.mkdir(parents=True, exist_ok=True)
        for k, content in enumerate(contents):
            (folder / f"seed-{k:03}").write_bytes(content)


if __name__ == "__main__":
    main()
