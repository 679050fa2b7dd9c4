"""Copy the samples of a recording piece by piece, in this process or in several, in memory that does not grow."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, suppress
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from spikedaq.model import ConfigError, StoreError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from spikedaq.recording.recording import Recording

Progress = Callable[[int, int], None]
Counts = Generator[int, None, None]
"""Frames of each piece, as it is done."""
Span = tuple[int, int, int]
"""Segment, first frame, frame after the last one."""

PIECE_BYTES = 1 << 22
"""Samples in memory at a time, in each process; what HDF5 and compression need comes on top."""


class Writer(Protocol):
    """Where samples go; pieces come in any order, and two never touch the same frames."""

    def write(
        self, segment: int, start: int, traces: npt.NDArray[Any], times_s: npt.NDArray[np.float64] | None
    ) -> None:
        """Put samples, shape (n, n_channels), and their times where they are kept."""

    def close(self) -> None:
        """Let everything reach the disk."""


def spans_of(recording: Recording, multiple: int = 1) -> list[Span]:
    """Cut a recording into pieces of some megabytes, each a multiple of some frames but for the last of a segment."""
    frame_bytes = recording.num_channels * recording.dtype.itemsize + 8  # and the time
    n = max(PIECE_BYTES // frame_bytes // multiple, 1) * multiple
    return [
        (k, start, min(start + n, segment.n_frames))
        for k, segment in enumerate(recording.segments)
        for start in range(0, segment.n_frames, n)
    ]


def copy(recording: Recording, open_writer: Callable[[], Writer], spans: Sequence[Span], *, with_times: bool) -> Counts:
    """Copy some pieces; yield the frames of each when it is written."""
    writer = open_writer()
    try:
        for segment, start, stop in spans:
            traces = recording.get_traces(segment, start, stop)
            times_s = recording.get_times(segment, start, stop) if with_times else None
            if len(traces) != stop - start:
                raise StoreError(f"{recording.name}: segment {segment} became shorter while it was copied; try again")
            writer.write(segment, start, traces, times_s)
            yield stop - start
    finally:
        writer.close()


def copy_all(
    recording: Recording,
    opener: str,
    spec: dict[str, Any],
    open_writer: Callable[[], Writer],
    *,
    with_times: bool,
    n_jobs: int,
    multiple: int = 1,
    progress: Progress | None = None,
) -> None:
    """Copy a whole recording.

    Parameters
    ----------
    recording : Recording
    opener : str
        ``module:function`` that makes the writer of ``spec`` in another process.
    spec : dict
        Plain values.
    open_writer : callable
        The same in this process.
    n_jobs : int
        Processes; -1: as many as there are processors. A recording in memory is copied in this one.
    multiple : int
        Pieces are a multiple of so many frames, so that no two processes write one chunk.

    Raises
    ------
    StoreError
        A file cannot be read or written, or a process ended early.
    """
    spans = spans_of(recording, multiple)
    total, done = recording.num_frames, 0
    n_jobs = min(check_jobs(n_jobs), len(spans))
    if n_jobs > 1 and recording.opened is not None:
        counts = _in_processes(recording, {"opener": opener, "spec": spec, "with_times": with_times}, spans, n_jobs)
    else:
        counts = copy(recording, open_writer, spans, with_times=with_times)
    with closing(counts):
        for n in counts:
            done += n
            if progress is not None:
                progress(done, total)


def check_jobs(n_jobs: int) -> int:
    """Return a number of processes, at least 1; ConfigError where it is none."""
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or (n_jobs < 1 and n_jobs != -1):
        raise ConfigError(f"n_jobs is a number of processes, or -1 for all processors, not {n_jobs!r}")
    return (os.cpu_count() or 1) if n_jobs == -1 else n_jobs


def _in_processes(recording: Recording, job: dict[str, Any], spans: Sequence[Span], n_jobs: int) -> Counts:
    # Interpreters of their own: a fork would share open HDF5 files, and multiprocessing would run the user's script
    # again in each.
    job = {**job, "recording": recording.to_dict()}
    with ExitStack() as stack:
        workers = []
        for k in range(n_jobs):
            # Neighbouring pieces to one process: it opens few files.
            part = spans[k * len(spans) // n_jobs : (k + 1) * len(spans) // n_jobs]
            workers.append(stack.enter_context(_Worker({**job, "spans": part})))
        with selectors.DefaultSelector() as selector:
            for worker in workers:
                selector.register(worker.output, selectors.EVENT_READ, worker)
            while selector.get_map():
                for key, _ in selector.select():
                    counts = key.data.counts()
                    yield from counts or ()
                    if counts is None:
                        selector.unregister(key.fileobj)
        for worker in workers:
            worker.check()


class _Worker:
    """A process of `spikedaq.recording.saving.copy_worker`; it is ended when the block is left."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = json.dumps(job).encode() + b"\n"
        self._rest = b""

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "spikedaq.recording.saving.copy_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        self.output = _pipe(self._process.stdout)
        # stdin stays open: its end tells the process that we are gone.
        _pipe(self._process.stdin).write(self._job)
        _pipe(self._process.stdin).flush()
        return self

    def counts(self) -> list[int] | None:
        """Return the frames of the pieces that it has said to be done since; None when it has ended."""
        data = os.read(self.output.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + data).split(b"\n")
        answers = [json.loads(line) for line in lines]
        for answer in answers:
            if "error" in answer:
                raise StoreError(answer["error"])
        return [int(answer["frames"]) for answer in answers] if data else None

    def check(self) -> None:
        """Raise StoreError unless it has ended well."""
        if self._process.wait() != 0:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip().splitlines()
            why = said[-1] if said else f"exit status {self._process.returncode}; was memory short?"
            raise StoreError(f"a copying process ended early: {why}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self.output, self._errors):
            with suppress(OSError):  # what was not sent to a process that ended
                _pipe(pipe).close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise StoreError("a copying process has no pipe; try again with n_jobs=1")
    return pipe
