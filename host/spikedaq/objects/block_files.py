"""Blocks of Neo as files, each kind by its extension: written whole or not at all."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from spikedaq.formats.output import made_whole, refuse_existing, written_whole
from spikedaq.model import ConfigError, StoreError, require
from spikedaq.objects.block_content import describe_block, from_json, make_block, to_json
from spikedaq.objects.block_copy import for_mat, for_nix, nix_annotations_restored
from spikedaq.objects.block_nwb import write_nwb
from spikedaq.objects.block_text import read_text, write_text

_ABOUT = "about"


def write_block(block: Any, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a ``neo.Block`` to a file; its extension says as what.

    ``.nix`` and ``.h5`` by Neo's NixIO, ``.mat`` by its NeoMatlabIO, ``.pkl`` and ``.pickle`` by its PickleIO, ``.nwb``
    by PyNWB, ``.npz`` as arrays of numpy, ``.txt`` as one table. What each of them keeps is in
    docs/reference/objects.md.

    Parameters
    ----------
    block : neo.Block
        It is not changed. Its groups and image sequences are kept by pickles only.
    path : str or Path
        Folders above it are made.
    overwrite : bool
        Replace a file that is there.

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        An extension that is none of these.
    StoreError
        There is a file, or it cannot be written; what was there stays as it was.
    MissingExtraError
        A package that this kind needs is not installed.
    """
    path = Path(path)
    write = _writer(path)
    refuse_existing(path, overwrite=overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {path.parent}: {error.strerror or error}") from error
    write(block, path, overwrite)
    return path


def check_extension(path: str | Path) -> None:
    """Raise ConfigError where `write_block` has no kind of file for a name."""
    _writer(Path(path))


def read_block(path: str | Path, *, trust: bool = False) -> Any:
    """Read a block that `write_block` wrote, all but ``.nwb``, which PyNWB reads.

    Parameters
    ----------
    path : str or Path
    trust : bool
        Allow a pickle, which may run any code: only where you know who made it.

    Raises
    ------
    StoreError
        It cannot be read, or is a pickle and not trusted.
    ConfigError
        An extension that is none of these.
    """
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"cannot open {path}: there is no such file")
    kind = path.suffix.lower()
    if kind == ".npz":
        return _read_npz(path)
    if kind == ".txt":
        return read_text(path)
    if kind not in (".nix", ".h5", ".mat", ".pkl", ".pickle"):
        raise ConfigError(f"{path} is none of .nix, .h5, .mat, .npz, .pkl, .pickle, .txt; a .nwb is read by PyNWB")
    if kind in (".pkl", ".pickle") and not trust:
        raise StoreError(f"{path} is a pickle, which may run any code; if you know who made it, say trust=True")
    io: Any = require("neo.io", "neo")
    try:
        if kind in (".nix", ".h5"):
            require("nixio", "neo")
            with io.NixIO(str(path), mode="ro") as nix:
                return nix_annotations_restored(nix.read_block())
        if kind == ".mat":
            matlab: Any = require("scipy.io.matlab", "analysis")
            try:
                return _mended(io.NeoMatlabIO(str(path)).read_block())
            except matlab.MatReadError as error:
                raise ValueError(str(error)) from error
        return io.PickleIO(str(path)).read_block()
    except (OSError, ValueError, TypeError, LookupError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise StoreError(f"{path} cannot be read as {kind}: {error}") from error


def _writer(path: Path) -> Callable[[Any, Path, bool], None]:
    kind = path.suffix.lower()
    if kind not in _WRITERS:
        raise ConfigError(f"{path} has no extension that says what to write; it is one of {', '.join(_WRITERS)}")
    return _WRITERS[kind]


def _write_nix(block: Any, path: Path, overwrite: bool) -> None:
    require("nixio", "neo")
    io: Any = require("neo.io", "neo")
    with made_whole(path, overwrite=overwrite) as partial, io.NixIO(str(partial), mode="ow") as nix:
        nix.write_block(for_nix(block))


def _write_mat(block: Any, path: Path, overwrite: bool) -> None:
    require("scipy.io", "analysis")
    io: Any = require("neo.io", "neo")
    with made_whole(path, overwrite=overwrite) as partial, _with_extension(partial, ".mat") as named:
        io.NeoMatlabIO(str(named)).write_block(for_mat(block))


def _write_pickle(block: Any, path: Path, overwrite: bool) -> None:
    io: Any = require("neo.io", "neo")
    with made_whole(path, overwrite=overwrite) as partial:
        io.PickleIO(str(partial)).write_block(block)


def _write_nwb(block: Any, path: Path, overwrite: bool) -> None:
    require("pynwb", "nwb")

    with made_whole(path, overwrite=overwrite) as partial, _with_extension(partial, ".nwb") as named:
        write_nwb(block, named)


@contextmanager
def _with_extension(partial: Path, extension: str) -> Iterator[Path]:
    """Give a name with an extension, for writers that look at it; what is made there becomes ``partial``."""
    named = partial.with_name(partial.name + extension)
    try:
        yield named
        named.replace(partial)
    finally:
        named.unlink(missing_ok=True)


def _write_npz(block: Any, path: Path, overwrite: bool) -> None:
    about, arrays = describe_block(block)
    with written_whole(path, overwrite=overwrite) as file:
        np.savez(file, **{_ABOUT: np.array(to_json(about))}, **arrays)  # type: ignore[arg-type]


def _read_npz(path: Path) -> Any:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise StoreError(f"{path} cannot be read as .npz: {error}") from error
    if _ABOUT not in arrays:
        raise StoreError(f"{path} holds no block that spikedaq wrote: it has no array {_ABOUT!r}")
    return make_block(from_json(str(arrays.pop(_ABOUT)), str(path)), arrays, str(path))


def _mended(block: Any) -> Any:
    """Give back their dimension to arrays of one element, which a .mat file does not have."""
    pq = require("quantities", "neo")
    neo = require("neo", "neo")
    for segment in block.segments:
        epochs = list(segment.epochs)
        segment.epochs = []
        for epoch in epochs:
            times, durations = (np.atleast_1d(x.rescale("ms").magnitude) for x in (epoch.times, epoch.durations))
            labels = np.atleast_1d(epoch.labels)
            about = {"name": epoch.name, "description": epoch.description, **epoch.annotations}
            segment.epochs.append(neo.Epoch(times * pq.ms, durations=durations * pq.ms, labels=labels, **about))
    return block


_WRITERS: dict[str, Callable[[Any, Path, bool], None]] = {
    ".nix": _write_nix,
    ".h5": _write_nix,
    ".mat": _write_mat,
    ".npz": _write_npz,
    ".pkl": _write_pickle,
    ".pickle": _write_pickle,
    ".nwb": _write_nwb,
    ".txt": lambda block, path, overwrite: write_text(block, path, overwrite=overwrite),
}
