"""The closed files of a recording that goes on: thousands in weeks, of which all but the newest are kept packed.

As objects they take 1.4 kB each, packed a twentieth of that. The manifest on the disk has them as well, but somebody
may damage or remove that while the recording goes on; here they stay.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, MutableSequence
from dataclasses import asdict, dataclass, field
from typing import Final, overload

from spikedaq.recorder.manifest import ManifestFile

PACK: Final = 32
"""Entries that are packed together."""
_LOOSE: Final = 8
"""At least so many of the newest are not packed: the last one is looked at with each block."""


@dataclass(slots=True)
class Totals:
    """What is counted over the files of a recording, and kept so that nobody has to count anew.

    Attributes
    ----------
    n_windows : int
        Stretches without anything left out on purpose; one that goes on in the next file is one.
    uncounted : set of str
        Causes of gaps that cannot be counted in some file.
    end : tuple of int, or None
        Boot, and step after the last sample, of the newest file.
    """

    n_bytes: int = 0
    n_samples: int = 0
    saturated_blocks: int = 0
    n_windows: int = 0
    next_number: int = 0
    gaps: dict[str, int] = field(default_factory=dict)
    uncounted: set[str] = field(default_factory=set)
    end: tuple[int, int] | None = None

    def add(self, file: ManifestFile) -> None:
        """Count one more."""
        self.n_bytes += file.n_bytes
        self.n_samples += file.n_samples
        self.saturated_blocks += file.saturated_blocks
        self.n_windows += self.new_windows(file.boot_id, file.first_step, file.n_runs)
        self.next_number = max(self.next_number, file.number + 1)
        for cause, n in file.gaps.items():
            if n is None:
                self.uncounted.add(cause)
            else:
                self.gaps[cause] = self.gaps.get(cause, 0) + n
        self.end = (file.boot_id, file.last_step + 1)

    def new_windows(self, boot_id: int, first_step: int, n_runs: int) -> int:
        """Return how many of the next file's stretches are windows that have not been counted."""
        return n_runs - (self.end == (boot_id, first_step))


class Entries(MutableSequence[ManifestFile]):
    """Entries of a manifest in their order.

    Attributes
    ----------
    totals : Totals
    """

    def __init__(self, files: Iterable[ManifestFile] = ()) -> None:
        self.totals = Totals()
        self._packs: list[bytes] = []
        self._loose: list[ManifestFile] = []
        self._set(files)

    def __len__(self) -> int:
        return len(self._packs) * PACK + len(self._loose)

    def __iter__(self) -> Iterator[ManifestFile]:
        for pack in self._packs:
            yield from _unpacked(pack)
        yield from self._loose

    @overload
    def __getitem__(self, index: int) -> ManifestFile: ...
    @overload
    def __getitem__(self, index: slice) -> list[ManifestFile]: ...
    def __getitem__(self, index: int | slice) -> ManifestFile | list[ManifestFile]:
        if isinstance(index, slice):
            return list(self)[index]
        pack, at = self._where(index)
        return self._loose[at] if pack is None else _unpacked(self._packs[pack])[at]

    def __setitem__(self, index: int | slice, value: ManifestFile | Iterable[ManifestFile]) -> None:
        if not isinstance(index, int) or not isinstance(value, ManifestFile):
            raise TypeError("entries are set one by one")
        pack, at = self._where(index)
        if pack is None:
            self._loose[at] = value
        else:
            files = _unpacked(self._packs[pack])
            files[at] = value
            self._packs[pack] = _packed(files)
        self._count()

    def __delitem__(self, index: int | slice) -> None:
        files = list(self)
        del files[index]
        self._set(files)

    def insert(self, index: int, value: ManifestFile) -> None:
        """Put an entry before another one."""
        if index < len(self):
            self._set([*self[:index], value, *self[index:]])
            return
        self._loose.append(value)
        self.totals.add(value)
        if len(self._loose) >= PACK + _LOOSE:
            self._packs.append(_packed(self._loose[:PACK]))
            del self._loose[:PACK]

    def _where(self, index: int) -> tuple[int | None, int]:
        """Return the pack, None for no pack, and the place in it."""
        n_files = len(self)
        at = index + n_files if index < 0 else index
        if not 0 <= at < n_files:
            raise IndexError(f"entry {index} of {n_files}")
        pack, place = divmod(at, PACK)
        return (pack, place) if pack < len(self._packs) else (None, at - len(self._packs) * PACK)

    def _set(self, files: Iterable[ManifestFile]) -> None:
        self._packs, self._loose, self.totals = [], [], Totals()
        for file in files:
            self.append(file)

    def _count(self) -> None:
        self.totals = Totals()
        for file in self:
            self.totals.add(file)


def _packed(files: list[ManifestFile]) -> bytes:
    return zlib.compress(json.dumps([list(asdict(file).values()) for file in files]).encode())


def _unpacked(pack: bytes) -> list[ManifestFile]:
    return [ManifestFile(*values) for values in json.loads(zlib.decompress(pack))]
