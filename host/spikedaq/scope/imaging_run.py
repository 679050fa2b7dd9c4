"""One imaging simulation as the page is told of it: how it goes, what is set, which files it wrote."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikedaq.analysis.imaging_settings import ImagingSettings
from spikedaq.analysis.indicators import GENERIC, indicator_named
from spikedaq.formats.imaging import Simulation
from spikedaq.model import CommandRejected, ConfigError
from spikedaq.scope.imaging_process import ImagingProcess

MAX_FILES = 20
LEAST_FREE_BYTES = 500_000_000
"""A CSV grows by 1.5 MB/s at 10 kHz, and the disk is needed by others."""
_CUT_TOO = "; the recording of the imaging has ended"
_CUT = "the bench was away for a while: the recording of the imaging ended then; record again"
_COUNTS = ("frames", "unpublished", "reason", "unavailable")


@dataclass(slots=True)
class Run:
    """What a page is told of one device, and the process behind it.

    Attributes
    ----------
    state : str
        ``off``, ``starting``, ``running``, ``waiting`` (the bench is away) or ``ending``.
    note : str
        Why it is not as somebody wanted it.
    session : str or None
        The session beside which it is recorded, "" where there is none; None where it is not recorded.
    was_cut : bool
        The last recording ended as the bench went away, and nobody has begun another.
    """

    bench: str
    device: str
    simulation: Simulation = field(default_factory=lambda: Simulation(ImagingSettings(), 0, GENERIC.name))
    state: str = "off"
    note: str = ""
    by: str = ""
    session: str | None = None
    files: list[Path] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)
    process: ImagingProcess | None = None
    watching: asyncio.Task[None] | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    needed_s: float = 0.0
    was_cut: bool = False

    def told(self) -> dict[str, Any]:
        """Return it as JSON values."""
        growing = set(self.files[-2:]) if self.session is not None else set()
        return {
            "device": self.device,
            "state": self.state,
            "note": self.note,
            "by": self.by,
            **self.simulation.described(),
            # JavaScript has no such integers.
            "seed": str(self.simulation.seed),
            "session": self.session,
            "files": [file for path in self.files if (file := _file(path, is_growing=path in growing)) is not None],
            **self.counts,
        }

    def take(self, told: dict[str, Any]) -> bool:
        """Take what the process says of itself; return whether a page should be told."""
        before = (self.state, self.note, self.session, self.files, self.counts)
        if self.state != "ending":
            self.state = told["state"]
        if self.state == "waiting":
            self.was_cut = self.was_cut or self.session is not None
            self.note, self.session = f"{told['text']}{_CUT_TOO if self.was_cut else ''}", None
        elif before[0] == "waiting":
            self.note = _CUT if self.was_cut else ""
        if "session" in told:
            # Also where the answer to an order came too late.
            self.session = told["session"]
        self.counts = {name: told[name] for name in _COUNTS if name in told}
        self.note_files(told.get("files", ()))
        return (self.state, self.note, self.session, self.files, self.counts) != before

    def note_files(self, names: Sequence[str]) -> None:
        """Keep names of files, the newest last: a reboot begins another pair. Those that were dropped do not return."""
        paths = [Path(name) for name in names]
        known = [index for index, path in enumerate(paths) if path in self.files]
        self.files = [*self.files, *paths[known[-1] + 1 if known else 0 :]][-MAX_FILES:]


def _file(path: Path, *, is_growing: bool) -> dict[str, Any] | None:
    try:
        n_bytes = path.stat().st_size
    except OSError:
        return {"name": path.name, "bytes": 0, "growing": True} if is_growing else None
    return {"name": path.name, "bytes": n_bytes, "growing": is_growing}


def changed(simulation: Simulation, indicator: str | None, settings: dict[str, Any], seed: int | None) -> Simulation:
    """Return a simulation with an indicator's constants, then some settings, and a seed.

    Raises
    ------
    ConfigError
        Values that cannot be; all of them are named.
    """
    now, name = simulation.settings, simulation.indicator
    if indicator is not None:
        found = indicator_named(indicator)
        now, name = now.with_indicator(found), found.name
    seed = simulation.seed if seed is None else seed
    if not 0 <= seed < 2**64:
        raise ConfigError(f"the seed {seed} must be from 0 to 2**64 - 1")
    return Simulation(now.changed(settings), seed, name)


def check_free(folder: Path) -> None:
    """Raise CommandRejected where there is too little room in a folder, which need not be there yet."""
    if text := disk_is_full([folder / "file"]):
        raise CommandRejected(text, code="disk_full")


def disk_is_full(files: list[Path]) -> str:
    """Return what to say where there is too little room for more; empty where there is enough."""
    for path in files[-1:]:
        folder = next((each for each in path.parents if each.is_dir()), None)
        with contextlib.suppress(OSError):
            if folder is not None and shutil.disk_usage(folder).free < LEAST_FREE_BYTES:
                return f"less than {LEAST_FREE_BYTES // 1_000_000} MB are free in {folder}; make room, then record"
    return ""
