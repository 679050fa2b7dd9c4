"""Reads recordings for the analysis page, in a process of its own: `python -m spikedaq.scope.analysis_reader`.

So a damaged or hostile file ends this process and no other, a long read stops no traces, and to cancel is to kill. The
request is one line of JSON on stdin; answers are lines of JSON on stdout, the last one ``{"value"}`` or ``{"text"}``.
Samples are left as arrays (``.npy``) in a folder, from which the page server maps them without reading them.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from spikedaq.formats.found_spikes import NEURON_CHANNELS
from spikedaq.formats.loop_averages import AVERAGED_UNITS
from spikedaq.formats.neuron_shape import shape_in
from spikedaq.formats.samples import Samples, TooManySamplesError, list_parts, read_samples
from spikedaq.model import ClampMode, SpikedaqError
from spikedaq.store import check_self_contained

MAX_SAMPLES = 6_000_000
"""Of one device that are analysed at once: ten minutes at 10 kHz, 0.4 GB on the disk."""
CHANNELS = (*NEURON_CHANNELS, *AVERAGED_UNITS, "trigger")
MAX_MEMORY_BYTES = 3 << 30
"""Of this process; a file that unpacks to more ends it instead of the computer."""
MAX_CPU_S = 600
_NICE = 10
_TOLD_EVERY_S = 0.2
INFO = "samples.json"


def main() -> int:
    """Do what stdin asks for."""
    request = json.loads(sys.stdin.readline())
    _bound()
    try:
        value = _DO[request.pop("do")](**request)
    except SpikedaqError as error:
        _say({"text": str(error)})
        return 1
    except OSError as error:
        _say({"text": f"the page server cannot keep what was read: {error.strerror or error}"})
        return 1
    except MemoryError:
        _say({"text": f"{request['path']} needs more memory than there is for it; choose a shorter time range"})
        return 1
    _say({"value": value})
    return 0


def _bound() -> None:
    """Take less of the computer than the page server, where the system knows how."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICE)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
        # What is mapped already, of libraries mostly, can be gigabytes of addresses on a computer with many cores.
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + MAX_MEMORY_BYTES,) * 2)


def inspect(path: str, *, is_foreign: bool = False) -> dict[str, Any]:
    """Return the parts of a recording; those of a CSV are not known before it is loaded."""
    if is_foreign:
        check_self_contained(Path(path))
    return {"parts": [asdict(part) for part in list_parts(Path(path), max_rows=MAX_SAMPLES)]}


def load(
    path: str, out: str, *, part: str | None = None, start_s: float | None = None, stop_s: float | None = None
) -> dict[str, Any]:
    """Leave the samples of one part in the folder ``out``; return how they are called there."""
    told_s = 0.0

    def show(done: int, total: int) -> None:
        nonlocal told_s
        if time.monotonic() - told_s > _TOLD_EVERY_S:
            told_s = time.monotonic()
            _say({"done": done, "total": total})

    file = Path(path)
    try:
        (samples, *_) = read_samples(
            file, CHANNELS, part=part, start_s=start_s, stop_s=stop_s, max_rows=MAX_SAMPLES, progress=show
        )
    except TooManySamplesError as error:
        raise TooManySamplesError(
            f"that are more than {MAX_SAMPLES} samples, which is the most that the page analyses at once; choose a "
            "shorter time range, or use spikedaq spikes and spikedaq average, which take 40 million"
        ) from error
    is_csv = file.suffix.lower() == ".csv"
    shape = None if is_csv or part is None else shape_in(file, part, start_s=start_s, stop_s=stop_s)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "steps.npy", samples.steps)
    for name, values in samples.channels.items():
        np.save(folder / f"{name}.npy", values)
    info = {
        "name": samples.name,
        "device": samples.device,
        "path": str(samples.path),
        "mode": str(samples.mode),
        "channels": list(samples.channels),
        "resolutions": samples.resolutions,
        "notes": list(samples.notes),
        "shape": None if shape is None else asdict(shape),
    }
    (folder / INFO).write_text(json.dumps(info), encoding="utf-8")
    return {"n_samples": samples.n_samples}


def loaded(folder: Path) -> tuple[Samples, dict[str, Any] | None]:
    """Return what `load` left, mapped from the disk, and the neuron's a and b where they are known.

    Raises
    ------
    OSError, ValueError
        It is not there.
    """
    info = json.loads((folder / INFO).read_text(encoding="utf-8"))
    arrays = {name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in ("steps", *info["channels"])}
    samples = Samples(
        info["name"],
        info["device"],
        Path(info["path"]),
        ClampMode(info["mode"]),
        arrays.pop("steps"),
        arrays,
        info["resolutions"],
        tuple(info["notes"]),
    )
    return samples, info["shape"]


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(_finite(what)), flush=True)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, (list, tuple)) else value


_DO: dict[str, Callable[..., dict[str, Any]]] = {"inspect": inspect, "load": load}

if __name__ == "__main__":
    sys.exit(main())
