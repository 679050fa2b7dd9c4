"""The files that a simulation writes: NWB and stock CSV side by side, another pair after each reboot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import numpy as np

from spikedaq.analysis.imaging_block import ImagingBlock
from spikedaq.formats.imaging_csv import header_line, rows_of
from spikedaq.formats.imaging_source import SourceBlock
from spikedaq.formats.output import refuse_existing
from spikedaq.model import StoreError
from spikedaq.store import Frames, ImagingMeta, ImagingWriter

MetaOf = Callable[[int, int], ImagingMeta]
"""Returns what an NWB file says of itself, from boot and first step."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where to write; None where not.

    ``whole``: files get their names when they are complete; else they are there from the start, and grow.
    """

    nwb: Path | None
    csv: Path | None
    overwrite: bool = False
    whole: bool = True

    @property
    def paths(self) -> list[Path]:
        """Return the files that are written."""
        return [path for path in (self.nwb, self.csv) if path is not None]

    def of_boot(self, number: int) -> Outputs:
        """Return the names for the ``number``-th boot."""
        if number == 1:
            return self
        return replace(self, nwb=_numbered(self.nwb, number), csv=_numbered(self.csv, number))

    def check(self) -> None:
        """Raise StoreError where something is in the way."""
        for path in self.paths:
            refuse_existing(path, overwrite=self.overwrite)
            if not path.parent.is_dir():
                raise StoreError(f"{path.parent} is not a folder; create it first")


def _numbered(path: Path | None, number: int) -> Path | None:
    return None if path is None else path.with_stem(f"{path.stem}_boot{number}")


@dataclass(slots=True)
class Tally:
    """What was computed of one boot."""

    boot_id: int = 0
    first_step: int = 0
    n_samples: int = 0
    n_frames: int = 0
    n_spikes: list[int] = field(default_factory=lambda: [0, 0, 0])
    gaps: int = 0
    missing_steps: int = 0

    def add(self, block: ImagingBlock) -> None:
        """Count a block."""
        self.n_samples += len(block.calcium_um)
        self.n_frames += len(block.frame_steps)
        self.gaps += block.gap_steps > 0
        self.missing_steps += block.gap_steps
        for k, n in enumerate(np.bincount(block.spikes[:, 1], minlength=3).tolist()):
            self.n_spikes[k] += n


class ImagingFiles:
    """Writes what a simulation makes; close it, or `abandon` it after an error.

    Attributes
    ----------
    tallies : list of Tally
        One per boot.
    written : list of Path
        Files that are complete, or growing where they are not ``whole``.
    """

    def __init__(self, outputs: Outputs, meta_of: MetaOf) -> None:
        outputs.check()
        self.tallies: list[Tally] = []
        self.written: list[Path] = []
        self._outputs = outputs
        self._meta_of = meta_of
        self._now = outputs
        self._nwb: ImagingWriter | None = None
        self._csv: IO[bytes] | None = None

    def take(self, block: ImagingBlock, source: SourceBlock) -> None:
        """Write a block that was made of ``source``.

        Raises
        ------
        StoreError
            The disk refuses, or a file of that name is there.
        """
        if block.restarted:
            self._finish("rebooted")
            self._begin(block)
        tally = self.tallies[-1]
        tally.add(block)
        try:
            if self._csv is not None:
                self._csv.write(rows_of(block, source, tally.first_step))
                if not self._outputs.whole:
                    self._csv.flush()
        except OSError as error:
            raise StoreError(f"cannot write {self._now.csv}: {error.strerror or error}; make room") from error
        if self._nwb is not None and len(block.frame_steps):
            at = block.frame_steps - block.first_step
            frames = Frames(
                block.frame_steps, block.frame_missing, source.times_s[at], block.frame_values.astype(np.float32)
            )
            self._nwb.append(frames)

    def _begin(self, block: ImagingBlock) -> None:
        self.tallies.append(Tally(block.boot_id, block.first_step))
        self._now = now = self._outputs.of_boot(len(self.tallies))
        now.check()
        try:
            for path in now.paths:
                if self._outputs.whole or self._outputs.overwrite:
                    self._partial(path).unlink(missing_ok=True)
            if now.nwb is not None:
                self._nwb = ImagingWriter(self._partial(now.nwb), self._meta_of(block.boot_id, block.first_step))
            if now.csv is not None:
                self._csv = self._partial(now.csv).open("xb")
                self._csv.write(header_line())
        except OSError as error:
            raise StoreError(f"cannot write {error.filename}: {error.strerror}; choose another place") from error
        if not self._outputs.whole:
            self.written += now.paths

    def _partial(self, path: Path) -> Path:
        """Return where a file is written: under another name where it is to appear whole."""
        return path.with_name(f".{path.name}.partial") if self._outputs.whole else path

    def _finish(self, reason: str) -> None:
        nwb, csv, now = self._nwb, self._csv, self._now
        self._nwb = self._csv = None
        if nwb is not None:
            nwb.close(reason)
        try:
            if csv is not None:
                csv.close()
            if self._outputs.whole:
                for path in now.paths if nwb or csv else ():
                    refuse_existing(path, overwrite=now.overwrite)
                    self._partial(path).replace(path)
                    self.written.append(path)
        except OSError as error:
            raise StoreError(f"cannot write {error.filename or now.csv}: {error.strerror}; make room") from error

    def close(self, reason: str) -> None:
        """Complete the files."""
        self._finish(reason)

    def abandon(self) -> None:
        """Give up: what was to appear whole is removed, what grew is left as it is."""
        if self._csv is not None:
            try:
                self._csv.close()
            except OSError:
                self._csv = None
        if self._outputs.whole:
            for path in self._now.paths:
                self._partial(path).unlink(missing_ok=True)
