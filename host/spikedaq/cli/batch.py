"""Recordings one after another, each from its source: what cannot be read is told, and does not stop the rest."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import Progress

from spikedaq.analysis import Table
from spikedaq.cli.analysed import progress_bar, read_source
from spikedaq.formats.output import refuse_existing, written_whole
from spikedaq.formats.samples import Samples, list_parts
from spikedaq.formats.search import find_sources, is_recording_folder
from spikedaq.model import SpikedaqError, StoreError, require


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to read; what is written of it goes to ``within``, a folder under ``--out``."""

    path: Path
    within: Path = Path()


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure to be written: its file name, and what returns it as PNG."""

    name: str
    draw: Callable[[], bytes]


@dataclass(slots=True)
class Batch:
    """All sources that a command names.

    Attributes
    ----------
    files : list of Path
        Written so far.
    failures : list of (Path, str)
        Sources that could not be done, and why.
    passed_over : list of Path
        What is no recording: tables, stimuli, imaging.
    """

    arguments: argparse.Namespace
    sources: list[Source] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)
    failures: list[tuple[Path, str]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    _progress: Progress | None = None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Batch:
        """Look for what the arguments name.

        Raises
        ------
        StoreError
            A folder without any recording.
        """
        if arguments.plot:
            require("matplotlib.figure", "analysis")  # rather than after an hour's reading
        batch = cls(arguments)
        for path in dict.fromkeys(arguments.paths):
            if not path.is_dir() or is_recording_folder(path):
                batch.sources.append(Source(path))
                continue
            found = find_sources(path)
            if not found.recordings:
                raise StoreError(
                    f"{path} holds no recording: no session, no .nwb file, and no CSV of the stock software; "
                    "give another folder"
                )
            batch.sources += [Source(one, one.parent.relative_to(path)) for one in found.recordings]
            batch.passed_over += found.passed_over
        return batch

    @property
    def is_one(self) -> bool:
        """Whether there is one source, whose failure is that of the command."""
        return len(self.sources) == 1

    def run(self, channels: Sequence[str], do: Callable[[Source, list[Samples]], None]) -> None:
        """Read each source and do something with it.

        Raises
        ------
        SpikedaqError
            The only source failed; or, before anything was read, two recordings would be written to one place, or
            something there must not be replaced.
        """
        if not self.is_one:
            self._look_ahead()
        with progress_bar(self.arguments) as self._progress:
            progress = self._progress
            every = progress.add_task("recordings", total=len(self.sources), visible=not self.is_one)
            for source in self.sources:
                try:
                    do(source, read_source(source.path, channels, self.arguments, progress))
                except SpikedaqError as error:
                    if self.is_one:
                        raise
                    self.failures.append((source.path, str(error)))
                progress.advance(every)

    def write(
        self, source: Source, tables: dict[str, list[Table]], pictures: dict[str, list[Picture]], n_recordings: int
    ) -> None:
        """Write what was made of a source's recordings, by their names; looked at before the first is written.

        Raises
        ------
        StoreError
            Something there must not be replaced, or it cannot be written.
        """
        folder = self._folder()
        if folder is None:
            return
        flat = self.is_one and n_recordings == 1
        files = [
            (self._place(folder, source, name, flat=flat) / one.name, one)
            for named in (tables, pictures)
            for name, those in named.items()
            for one in those
        ]
        if self.arguments.out is None:
            # Without a folder of their own, figures have the recording's name.
            files = [(folder / f"{name}_{one.name}", one) for name, those in pictures.items() for one in those]
        for path, _ in files:
            refuse_existing(path, overwrite=self.arguments.overwrite)
        for path, one in files:
            _make(path.parent)
            with written_whole(path, overwrite=self.arguments.overwrite) as file:
                for piece in self._pieces(one):
                    file.write(piece)
            self.files.append(path)

    def _pieces(self, one: Table | Picture) -> Iterator[bytes]:
        if isinstance(one, Picture):
            yield one.draw()
            return
        task = None if self._progress is None else self._progress.add_task(f"write {one.name}", total=one.n_rows)
        for lines in one.lines():
            yield lines.encode()
            if self._progress is not None and task is not None:
                self._progress.update(task, advance=lines.count("\n"))
        if self._progress is not None and task is not None:
            self._progress.remove_task(task)

    def name_of(self, source: Source, samples: Samples) -> str:
        """Return what a recording is called among all of them."""
        return (source.within / samples.name).as_posix()

    def finish(self) -> int:
        """Say on stderr what failed; the command's exit status: 1 where something did."""
        for path, why in self.failures:
            print(f"spikedaq: error: {why if str(path) in why else f'{path}: {why}'}", file=sys.stderr)
        if self.failures:
            n = len(self.sources)
            print(f"spikedaq: {len(self.failures)} of {n} could not be analysed", file=sys.stderr)
        for path in self.passed_over:
            print(f"spikedaq: note: passed over {path}: no recording", file=sys.stderr)
        return 1 if self.failures else 0

    def document(self) -> dict[str, Any]:
        """Return what every command's JSON has."""
        return {
            "files": [str(path) for path in self.files],
            "failed": [{"path": str(path), "error": why} for path, why in self.failures],
            "passed_over": [str(path) for path in self.passed_over],
        }

    def _folder(self) -> Path | None:
        if self.arguments.out is not None:
            return Path(self.arguments.out)
        return Path() if self.arguments.plot else None

    @staticmethod
    def _place(folder: Path, source: Source, name: str, *, flat: bool) -> Path:
        return folder if flat else folder / source.within / name

    def _look_ahead(self) -> None:
        """Refuse what would be written to one place twice, or over something, before the first hour is computed."""
        folder = self._folder()
        if folder is None:
            return
        seen: dict[Path, str] = {}
        for source in self.sources:
            for name in _names(source.path, self.arguments.device):
                place = self._place(folder, source, name, flat=False)
                if place in seen:
                    raise StoreError(
                        f"there are two recordings called {name}, and their tables would be, too; "
                        "analyse them one at a time"
                    )
                seen[place] = name
                if self.arguments.out is not None and not self.arguments.overwrite and place.is_dir():
                    raise StoreError(
                        f"{place} exists; choose another place with --out, or replace what is in it with --overwrite"
                    )


def write_all(arguments: argparse.Namespace, tables: dict[str, list[Table]]) -> list[Path]:
    """Write tables by the names of what they are of, under ``--out``; return the files, none where it was not given.

    Raises
    ------
    StoreError
        Something there must not be replaced, looked at before the first is written; or it cannot be written.
    """
    if arguments.out is None:
        return []
    batch = Batch(arguments, [Source(Path())])
    batch.write(batch.sources[0], tables, {}, len(tables))
    return batch.files


def _names(path: Path, device: str | None) -> list[str]:
    if path.suffix.lower() == ".csv":
        return [path.stem.strip() or path.stem]
    try:
        return [part.name for part in list_parts(path, device=device)]
    except SpikedaqError:
        return []  # it will be said when it is read


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {folder}: {error.strerror}; choose another place with --out") from error
