"""Write the NWB schema that recordings carry to OUT: ``make_specifications.py host/spikedaq/store/specifications.h5``.

Needs PyNWB, while building only. OUT holds one group, ``/specifications``, as PyNWB itself caches it.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import h5py
from pynwb import NWBHDF5IO, NWBFile


def main() -> int:
    """Let PyNWB write a file and keep its schema."""
    if len(sys.argv) != 2:
        print("usage: make_specifications.py OUT", file=sys.stderr)
        return 2
    out = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "empty.nwb"
        file = NWBFile(session_description="schema", identifier="schema", session_start_time=datetime.now(UTC))
        with NWBHDF5IO(str(source), "w") as io:
            io.write(file)
        out.parent.mkdir(parents=True, exist_ok=True)
        new = out.with_name(out.name + ".new")
        with h5py.File(source, "r") as nwb, h5py.File(new, "w", libver=("v110", "v110")) as target:
            nwb.copy("specifications", target)
            target.attrs["nwb_version"] = nwb.attrs["nwb_version"]
        new.replace(out)
    print(f"{out}: {out.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
