"""Recordings made into CSV for those who look at the page: one at a time, in a folder that is removed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from spikedaq.inlet import LibraryClient, fetch_session
from spikedaq.model import CommandRejected, SpikedaqError
from spikedaq.scope.libraries import Libraries

MAX_JOBS = 12
"""That wait, run, or are kept: each may hold a recording on the page server's disk."""
KEPT_S = 600.0
"""So long the files of one that is done wait to be downloaded."""
_CSV_BYTES_PER_SAMPLE = 80
"""A row of nine columns, rarely more."""
_SPARE_BYTES = 200_000_000
_MAX_LINE = 100_000
_NICE = 10

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be converted: a session of a bench, ``device`` None for all of it."""

    bench: str
    session: str
    folder: str
    device: str | None


@dataclass
class Job:
    """One conversion. ``state``: ``waiting``, ``fetching``, ``converting``, ``ready``, ``failed``."""

    id: str
    wanted: Wanted
    folder: Path
    state: str = "waiting"
    done: int = 0
    total: int = 0
    text: str = ""
    warnings: list[str] = field(default_factory=list)
    ended_s: float | None = None
    task: asyncio.Task[None] | None = None
    is_stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def files(self) -> list[Path]:
        """What was made: CSV files, and a JSON file beside each."""
        out = self.folder / "csv"
        return sorted(out.iterdir()) if self.state == "ready" and out.is_dir() else []

    def to_map(self) -> dict[str, Any]:
        """Return what the page is told."""
        files = [{"name": path.name, "n_bytes": path.stat().st_size} for path in self.files]
        return {"id": self.id, "session": self.wanted.session, "device": self.wanted.device, "state": self.state,
                "done": self.done, "total": self.total, "text": self.text, "warnings": self.warnings,
                "files": files}  # fmt: skip


class Conversions:
    """All of one page server.

    Parameters
    ----------
    libraries : Libraries
    now_s : callable
        Monotonic clock.
    """

    def __init__(self, libraries: Libraries, now_s: Callable[[], float] = time.monotonic) -> None:
        self._libraries = libraries
        self._now_s = now_s
        self._jobs: dict[str, Job] = {}
        self._turn = asyncio.Semaphore(1)
        self._root: tempfile.TemporaryDirectory[str] | None = None
        self._removing: set[asyncio.Task[None]] = set()

    def begin(self, wanted: Wanted) -> Job:
        """Begin a conversion, or return that which is on its way already.

        Raises
        ------
        CommandRejected
            ``busy``.
        """
        self._forget_old()
        for job in self._jobs.values():
            if job.wanted == wanted and job.ended_s is None:
                return job
        if len(self._jobs) >= MAX_JOBS:
            raise CommandRejected("the page's computer makes as many CSV files as it may; try again later", code="busy")
        if self._root is None:
            self._root = tempfile.TemporaryDirectory(prefix="spikedaq-csv-", ignore_cleanup_errors=True)
        number = secrets.token_urlsafe(9)
        job = Job(number, wanted, Path(self._root.name) / number)
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._run(job), name=f"CSV of {wanted.session}")
        return job

    def job(self, number: str) -> Job:
        """Return a conversion.

        Raises
        ------
        CommandRejected
            ``unknown_file``: it is not there, or not any more.
        """
        self._forget_old()
        job = self._jobs.get(number)
        if job is None:
            raise CommandRejected("this CSV is not kept any more; make it again", code="unknown_file")
        return job

    async def drop(self, job: Job) -> None:
        """End a conversion and remove its files."""
        self._jobs.pop(job.id, None)
        job.is_stopped.set()
        if job.task is not None:
            job.task.cancel()
            await asyncio.gather(job.task, return_exceptions=True)
        await asyncio.to_thread(shutil.rmtree, job.folder, ignore_errors=True)

    async def close(self) -> None:
        """End all, and remove everything."""
        for job in list(self._jobs.values()):
            await self.drop(job)
        await asyncio.gather(*self._removing)
        if self._root is not None:
            await asyncio.to_thread(self._root.cleanup)
            self._root = None

    def _forget_old(self) -> None:
        for job in list(self._jobs.values()):
            if job.ended_s is not None and self._now_s() - job.ended_s > KEPT_S:
                del self._jobs[job.id]
                # Gigabytes take a while, and traces go on.
                removing = asyncio.create_task(asyncio.to_thread(shutil.rmtree, job.folder, ignore_errors=True))
                self._removing.add(removing)
                removing.add_done_callback(self._removing.discard)

    async def _run(self, job: Job) -> None:
        try:
            async with self._turn:
                job.state = "fetching"
                folder = await self._libraries.ask(job.wanted.bench, lambda library: self._fetch(job, library))
                job.state, job.done, job.total = "converting", 0, 0
                await self._convert(job, folder)
                await asyncio.to_thread(shutil.rmtree, job.folder / "nwb", ignore_errors=True)
                job.state = "ready"
        except (SpikedaqError, OSError) as error:
            await self._fail(job, str(error))
        except (ValueError, KeyError, TypeError) as error:
            log.exception("a CSV could not be made", session=job.wanted.session)
            await self._fail(job, f"what the bench or the conversion said is not understood: {error!r}")
        finally:
            # Whatever ended it: one without an end would be returned to who asks again, and keep its place for ever.
            if job.state not in ("ready", "failed"):
                job.state, job.text = "failed", "it was interrupted"
            job.ended_s = self._now_s()
            asyncio.get_running_loop().call_later(KEPT_S + 1.0, self._forget_old)

    @staticmethod
    async def _fail(job: Job, why: str) -> None:
        job.state, job.text = "failed", why
        await asyncio.to_thread(shutil.rmtree, job.folder, ignore_errors=True)

    def _fetch(self, job: Job, library: LibraryClient) -> Path:
        """Bring the closed files here; in a thread, which goes on for a while where the conversion is dropped."""
        try:
            return self._fetched(job, library)
        finally:
            if job.is_stopped.is_set():
                shutil.rmtree(job.folder, ignore_errors=True)

    def _fetched(self, job: Job, library: LibraryClient) -> Path:
        wanted = job.wanted
        told = library.recording(wanted.session, folder=wanted.folder)
        files = [f for f in told["files"] if wanted.device in (None, f["device"])]
        closed = [f for f in files if f["state"] == "closed"]
        if not closed:
            raise CommandRejected(
                f"no file of {wanted.session!r} is closed yet; stop the recording first", code="not_closed"
            )
        needed = sum(int(f["n_bytes"]) + _CSV_BYTES_PER_SAMPLE * int(f["n_samples"]) for f in closed) + _SPARE_BYTES
        job.folder.mkdir(parents=True)
        free = shutil.disk_usage(job.folder).free
        if free < needed:
            raise CommandRejected(
                f"the CSV of {wanted.session!r} takes some {needed // 10**6} MB on the page's computer, where "
                f"{free // 10**6} MB are free in {tempfile.gettempdir()}; download the NWB files and use spikedaq "
                "export",
                code="too_large",
            )
        left_out = len(files) - len(closed)
        if left_out:
            job.warnings.append(f"{left_out} files are not in it: they are still open, deleted or missing")

        def show(_: str, done: int, total: int) -> None:
            if job.is_stopped.is_set():
                raise CommandRejected("it was cancelled", code="interrupted")
            job.done, job.total = done, total

        devices = None if wanted.device is None else [wanted.device]
        where = job.folder / "nwb"
        fetched = fetch_session(
            library, wanted.session, where, folder=wanted.folder, devices=devices, progress=show
        )  # fmt: skip
        return fetched.folder

    async def _convert(self, job: Job, folder: Path) -> None:
        out = job.folder / "csv"
        out.mkdir()
        command = [sys.executable, "-m", "spikedaq.scope.csv_child", str(folder), str(out)]
        child = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, limit=_MAX_LINE
        )
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, child.pid, _NICE)
        said: dict[str, Any] = {}
        try:
            lines = child.stdout
            while lines is not None and (line := await lines.readline()):
                said = json.loads(line)
                if not isinstance(said, dict):
                    raise TypeError(f"the conversion said {line[:80]!r}")
                job.done, job.total = int(said.get("done", job.done)), int(said.get("total", job.total))
            status = await child.wait()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if status != 0 or "rows" not in said:
            text = said.get("error") or f"the conversion ended with status {status}; see the log of spikedaq scope"
            raise CommandRejected(str(text).replace(str(job.folder), ""), code="store")
        job.warnings += [str(warning) for warning in said.get("warnings", ())]
