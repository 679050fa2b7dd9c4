"""Write the samples of a recording in another form: a binary folder, NWB, or Zarr."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from spikedaq.formats.s3 import folder_sent_whole, is_url, sent_whole
from spikedaq.model import ConfigError, StoreError
from spikedaq.recording.opening import open_recordings
from spikedaq.recording.recording import Recording
from spikedaq.recording.saving.copying import Progress, check_jobs

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS: Mapping[str, str] = {
    "binary": "spikedaq.recording.saving.binary:save_binary",
    "nwb": "spikedaq.recording.saving.nwb:save_nwb",
    "zarr": "spikedaq.recording.saving.zarr:save_zarr",
}
"""Name of a format to ``module:function``, which returns where it has written."""
_LAST = ("binary.json", "spikedaq.json", ".zattrs", ".zgroup", ".zmetadata")
"""What makes a folder a recording."""


def save(
    recording: Recording,
    path: Path | str,
    *,
    format: str = "binary",  # noqa: A002 - as SpikeInterface calls it
    n_jobs: int = 1,
    progress: bool | Progress | None = None,
    overwrite: bool = False,
) -> Recording:
    """Write the samples of a recording, and open what was written.

    Parameters
    ----------
    recording : Recording
    path : Path or str
        A folder for ``binary``; for ``zarr`` one that ends in ``.zarr``, which is added; a ``.nwb`` file for ``nwb``.
        Or ``s3://bucket/key``: it is written here first, in the folder for temporary files, and put there whole.
    format : {"binary", "nwb", "zarr"}
    n_jobs : int
        Processes that read and write at a time; -1: one per processor. NWB is written by one.
    progress : bool or callable, optional
        True shows a bar on stderr; a function is called with frames written and frames in all.
    overwrite : bool
        Replace what is there, when all is written. Whatever stops the work before leaves the old as it was. In S3 no
        folder is replaced.

    Returns
    -------
    Recording
        What was written.

    Raises
    ------
    StoreError
        There is something already, it cannot be written, the recording cannot be read, or holds no sample.
    ConfigError
        No such format.
    MissingExtraError
        The format needs a package that is not installed.
    """
    if format not in FORMATS:
        raise ConfigError(f"a recording cannot be saved as {format!r}; the formats are {', '.join(FORMATS)}")
    check_jobs(n_jobs)
    if not recording.num_frames:
        raise StoreError(f"{recording.name} holds no sample; there is nothing to save")
    module, _, function = FORMATS[format].partition(":")
    writer: Callable[..., Path] = getattr(importlib.import_module(module), function)
    # What still grows is written as it is now.
    fixed = recording.frame_slice(0, recording.num_frames) if recording.is_live else recording
    with shown(progress, f"saving {recording.name}") as report:
        options = {"n_jobs": n_jobs, "progress": report}
        if not is_url(path):
            written = str(writer(fixed, Path(path), overwrite=overwrite, **options))
        else:
            written = _ending(str(path), format)
            sent = (
                sent_whole(written, overwrite=overwrite) if format == "nwb" else folder_sent_whole(written, last=_LAST)
            )
            with sent as local:
                writer(fixed, local, overwrite=False, **options)
    opened: Any = open_recordings(written)
    if not isinstance(opened, Recording):
        raise StoreError(f"{written} was written and reads as several devices; please report this")
    return opened


def _ending(url: str, format: str) -> str:  # noqa: A002 - as `save` calls it
    url = url.strip().rstrip("/")
    return url if format != "zarr" or url.endswith(".zarr") else f"{url}.zarr"


@contextmanager
def shown(progress: bool | Progress | None, text: str) -> Iterator[Progress | None]:
    """Give the function that is to be told how far something is: the caller's, a bar on stderr, or none."""
    if not progress:
        yield None
    elif progress is not True:
        yield progress
    else:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(text, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
