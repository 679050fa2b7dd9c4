"""A recording as long as one likes, in a minute: one short file by the store's own writer, stretched by whole chunks.

What is read of it costs what it costs in a recorded one: the same chunks, compression and tables, block by block.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from helpers.formats_recordings import BLOCK, REFERENCE_HOST_NS, Maker, clock, device_info, spiking
from spikedaq.store.layout import BLOCKS
from spikedaq.store.times import sample_seconds

FS_HZ = 10_000
BASE_S = 60
"""Seconds of samples that repeat."""


def make_long(folder: Path, n_files: int = 24, seconds_per_file: int = 3600, *, device: str = "alpha") -> list[Path]:
    """Write a device's folder of rolled files of 8 channels at 10 kHz; return their paths.

    ``seconds_per_file`` is a multiple of 60. Its samples repeat every minute; times, steps and blocks do not.
    """
    folder = Path(folder)
    rng = np.random.default_rng(1)
    info = device_info()
    maker = Maker(folder / "base", device=device, info=info, session="long")
    n = BASE_S * FS_HZ
    samples = spiking(n)
    samples[:, :6] += rng.integers(-3, 4, (n, 6), dtype=np.int16)  # as noisy as the board's own
    maker.open().samples(0, samples).close("session stopped")
    base = maker.paths[0]
    paths = []
    for k in range(n_files):
        path = folder / "long" / device / base.name.replace("_0000.nwb", f"_{k:04d}.nwb")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(base, path)
        _stretch(path, k, k * seconds_per_file * FS_HZ, seconds_per_file // BASE_S)
        paths.append(path)
    shutil.rmtree(folder / "base")
    return paths


def _stretch(path: Path, number: int, first_step: int, n_times: int) -> None:
    """Make a file as long as ``n_times`` of itself, beginning at a step."""
    n = BASE_S * FS_HZ
    total = n * n_times
    with h5py.File(path, "r+", libver=("v110", "v110"), locking=False) as file:
        for name in file["acquisition"]:
            data = file[f"acquisition/{name}/data"]
            size = data.chunks[0]
            pieces = [data.id.read_direct_chunk((at,)) for at in range(0, n, size)]
            assert n % size == 0
            data.resize((total,))
            for k in range(1, n_times):
                for j, (mask, piece) in enumerate(pieces):
                    data.id.write_direct_chunk((k * n + j * size,), piece, mask)
        first = next(iter(file["acquisition"]))
        timestamps = file[f"acquisition/{'vm' if 'vm' in file['acquisition'] else first}/timestamps"]
        timestamps.resize((total,))
        for at in range(0, total, n):
            tick = np.array([(first_step + at) * 100])
            timestamps[at : at + n] = sample_seconds(tick, np.array([100]), np.array([n]), [clock()], REFERENCE_HOST_NS)
        group, n_blocks = file[BLOCKS.path], total // BLOCK
        index = np.arange(n_blocks, dtype=np.int64)
        of = {
            "seq": index + first_step // BLOCK,
            "first_step": first_step + index * BLOCK,
            "first_tick": (first_step + index * BLOCK) * 100,
            "first_sample": index * BLOCK,
            "journal_offset": (index + 1 + first_step // BLOCK) * 100,
            "id": index,
        }
        for column in (*(c.name for c in BLOCKS.columns), "id"):
            dataset = group[column]
            same = dataset[0]
            dataset.resize((n_blocks,))
            dataset[:] = of.get(column, np.full(n_blocks, same)).astype(dataset.dtype)
        complete = file["scratch/complete"]
        record = complete[:]
        record[:3] = total, n_blocks, of["journal_offset"][-1]
        complete[:] = record
        meta = json.loads(file["general/data_collection"].asstr()[()])
        meta["number"] = number
        file["general/data_collection"][()] = json.dumps(meta, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    for made in make_long(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])):
        print(made, made.stat().st_size)
