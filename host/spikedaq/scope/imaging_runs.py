"""The imaging simulations that this page server runs: one per device, shared by all who look at it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spikedaq.model import CommandRejected, ConfigError
from spikedaq.scope.hub import Hub
from spikedaq.scope.imaging_process import FILES_FAILED, ImagingProcess, key_to_map
from spikedaq.scope.imaging_run import Run, changed, check_free, disk_is_full

STREAM = "imaging"
MAX_RUNS = 16
"""Each is a process of some 90 MB that takes a tenth of a core."""
IDLE_S = 60.0
"""Nobody has looked at the device for so long: what nobody sees need not be simulated."""
_LOOK_S = 1.0
_OVER = ("complete", "interrupted")


class ImagingRuns:
    """Starts, changes, records and ends them.

    Parameters
    ----------
    hub : Hub
    folder_of : callable
        Returns where to write what is recorded beside no recording, by the name of the bench; None: nowhere.
    now_s : callable
        A clock that goes on evenly, seconds.
    """

    def __init__(
        self, hub: Hub, folder_of: Callable[[str], Path | None], *, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._hub = hub
        self._folder_of = folder_of
        self._now_s = now_s
        self._runs: dict[tuple[str, str], Run] = {}
        self._watching: set[asyncio.Task[None]] = set()

    def run(self, bench: str, device: str) -> Run:
        """Return the run of a device, which may be off."""
        return self._runs.get((bench, device)) or Run(bench, device)

    def _kept(self, bench: str, device: str) -> Run:
        return self._runs.setdefault((bench, device), Run(bench, device))

    async def start(self, bench: str, device: str, by: str, *, replace: bool = False) -> Run:
        """Begin to simulate; nothing where it runs.

        Raises
        ------
        CommandRejected
            There are too many, or the bench refuses: with code ``exists`` where somebody else publishes.
        """
        run = self._kept(bench, device)
        async with run.lock:
            if run.process is not None:
                return run
            if sum(each.state != "off" for each in self._runs.values()) >= MAX_RUNS:
                text = f"{MAX_RUNS} devices are being simulated by this page, which is the most; stop one first"
                raise CommandRejected(text, code="too_many")
            run.by, run.note = by, ""
            await self._launch(run, replace=replace)
        return run

    async def _launch(self, run: Run, *, replace: bool) -> None:
        url = self._hub.urls.get(run.bench)
        if url is None:
            raise CommandRejected(f"the bench {run.bench} is not reached now", code="unknown_bench")
        run.state, run.counts, run.session, run.was_cut, run.needed_s = "starting", {}, None, False, self._now_s()
        self._tell(run)
        asked = {
            "url": url, "key": key_to_map(self._hub.key), "device": run.device, "replace": replace,
            "simulation": run.simulation.described(),
        }  # fmt: skip
        process = ImagingProcess(asked, lambda told: self._take(run, told))
        try:
            await process.start()
        except BaseException as error:
            run.state, run.note = "off", str(error)
            self._tell(run)
            if isinstance(error, OSError):
                text = f"the simulation cannot be started on the page's computer: {error.strerror or error}"
                raise CommandRejected(text, code="failed") from error
            raise
        run.process = process
        run.watching = asyncio.create_task(self._watch(run, process), name=f"imaging of {run.device}")
        self._watching.add(run.watching)
        run.watching.add_done_callback(self._watching.discard)
        self._tell(run)

    async def change(
        self, bench: str, device: str, *, indicator: str | None, settings: dict[str, Any], seed: int | None
    ) -> Run:
        """Change what is simulated, or will be.

        Raises
        ------
        CommandRejected
            Values that cannot be, or it is being recorded.
        """
        run = self._kept(bench, device)
        async with run.lock:
            if run.session is not None:
                text = "it is being recorded, and a file has one set of settings; stop the recording first"
                raise CommandRejected(text, code="recording")
            try:
                simulation = changed(run.simulation, indicator, settings, seed)
            except ConfigError as error:
                raise CommandRejected(str(error), code="bad_arguments") from error
            if run.process is not None:
                await run.process.order("change", simulation=simulation.described())
            run.simulation = simulation
            self._tell(run)
        return run

    async def record(self, bench: str, device: str) -> Run:
        """Begin to write files; where it is recorded already, go on with them.

        Raises
        ------
        CommandRejected
            It does not run, or there is no place.
        """
        run = self._kept(bench, device)
        async with run.lock:
            if run.process is None:
                raise CommandRejected("the imaging is not simulated now; start it first", code="not_running")
            if run.session is None:
                folder = self._folder_of(bench)
                if folder is not None:
                    check_free(folder)
                value = await run.process.order("record", folder=None if folder is None else str(folder))
                run.session, run.note, run.was_cut = value["session"], "", False
                run.note_files(value["files"])
                self._tell(run)
        return run

    async def stop_recording(self, bench: str, device: str, note: str = "") -> Run:
        """Complete the files; nothing where none is written."""
        run = self._kept(bench, device)
        async with run.lock:
            if run.session is not None and run.process is not None:
                await run.process.order("stop_recording")
                run.session, run.note = None, note
                self._tell(run)
        return run

    async def stop(self, bench: str, device: str, note: str = "") -> Run:
        """Complete the files and end the simulation; nothing where it is off."""
        run = self._kept(bench, device)
        async with run.lock:
            await self._end(run, note)
        return run

    async def _end(self, run: Run, note: str) -> None:
        process, run.process = run.process, None
        if process is None:
            return
        run.state = "ending"
        self._tell(run)
        try:
            await process.end()
        finally:
            # That files are not complete is more than that somebody's wish was done.
            run.state, run.session, run.note = "off", None, process.failure or note
            self._tell(run)

    async def _watch(self, run: Run, process: ImagingProcess) -> None:
        """Wait for the end of a process, and begin again where only the files had failed."""
        status = await process.ended()
        async with run.lock:
            if run.process is not process:
                return  # it was asked to end
            run.process, run.session = None, None
            run.state, run.note = "off", process.failure or f"it ended by itself (exit status {status}); start it again"
            self._tell(run)
            if status != FILES_FAILED:
                return
            ended = f"the recording ended: {process.failure}"
            try:
                await self._launch(run, replace=True)
            except CommandRejected as error:
                run.note = f"{ended}; and it could not be begun again: {error}"
            else:
                run.note = ended
            self._tell(run)

    def _take(self, run: Run, told: dict[str, Any]) -> None:
        """Take what a process says of itself."""
        if run.take(told):
            self._tell(run)

    def _tell(self, run: Run) -> None:
        self._hub.tell(run.bench, {"say": "imaging", **run.told()})

    async def look_after(self) -> None:
        """End what nobody needs any more, for good; cancel it."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for run in list(self._runs.values()):
                if run.process is not None and not run.lock.locked():
                    with contextlib.suppress(CommandRejected):
                        await self._look_at(run)

    async def _look_at(self, run: Run) -> None:
        bench, device = run.bench, run.device
        if run.session is not None or self._hub.watching(bench, device) or self._hub.watching(bench, device, STREAM):
            run.needed_s = self._now_s()
        if run.session and run.session != self._recorded(bench, device):
            await self.stop_recording(bench, device, f"the session {run.session} has ended, and with it this recording")
        elif run.session is not None and (text := disk_is_full(run.files)):
            await self.stop_recording(bench, device, text)
        elif self._now_s() - run.needed_s > IDLE_S:
            await self.stop(bench, device, f"it ended because nobody had looked at {device} for {IDLE_S:.0f} s")

    def _recorded(self, bench: str, device: str) -> str | None:
        """Return the session in which a device is recorded; while the bench is away what was known last."""
        feed = self._hub.feed(bench)
        recording = ((feed.state.get("status") or {}) if feed is not None else {}).get("recording")
        if not recording or recording["state"] in _OVER or device not in recording["devices"]:
            return None
        session: str = recording["session"]
        return session

    async def close(self) -> None:
        """End all of them, as the page server ends."""
        await asyncio.gather(*(self.stop(*key) for key in list(self._runs)), return_exceptions=True)
        await asyncio.gather(*self._watching, return_exceptions=True)
