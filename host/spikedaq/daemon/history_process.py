"""The history, a process of its own, kept alive: started, asked where it is, started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from pathlib import Path

import structlog

from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.library import LibraryConfig

BACKOFF_FIRST_S = 0.2
BACKOFF_LAST_S = 5.0
STEADY_S = 10.0
"""One that lived for so long is started again at once."""
START_S = 20.0
SILENT_S = 15.0
"""One that says nothing for so long hangs, and is ended: on a busy computer a request may take it a second."""
DOWN_S = 1.8
"""An alarm stands within 2 s of its cause; the first start may take longer, nobody has missed anything by then."""
_END_S = 5.0
_ALARM_AFTER = 3
_LAST_PORT = 65535
_TCP = re.compile(r"(tcp://.+:)(\d+)")

log = structlog.get_logger(__name__)


def default_endpoints(control: str) -> list[str]:
    """Return where the history is looked for unless somebody says otherwise: next to the control endpoint.

    The port after it, or any that is free; of a socket in the file system, its name with ``-history``.
    """
    match = _TCP.fullmatch(control)
    if match is None:
        return [f"{control}-history"]
    begin, port = match[1], int(match[2])
    return [f"{begin}{port + 1}", f"{begin}0"] if 0 < port < _LAST_PORT else [f"{begin}0"]


class HistoryProcess:
    """Runs `python -m spikedaq.history` until cancelled.

    Attributes
    ----------
    endpoint : str or None
        Where it answers; None while nothing answers there.
    pid : int or None
    restarts : int
    """

    def __init__(
        self,
        journals: Path,
        bench: str,
        endpoints: list[str],
        alarms: Alarms,
        *,
        keys: Path | None = None,
        library: LibraryConfig | None = None,
    ) -> None:
        self.endpoint: str | None = None
        self.pid: int | None = None
        self.restarts = 0
        self._newest_endpoint: str | None = None
        self._telling: asyncio.TimerHandle | None = None
        self._journals = journals
        self._bench = bench
        self._endpoints = endpoints
        self._alarms = alarms
        self._options = [] if keys is None else ["--keys", str(keys)]
        self._options += [] if library is None else _library_options(library)

    async def run(self) -> None:
        """Keep one going; cancelled, end it."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            begun_s = loop.time()
            try:
                said = await self._run_once()
            except asyncio.CancelledError:
                self._is_back()
                raise
            failures = 1 if loop.time() - begun_s > STEADY_S else failures + 1
            self.restarts += 1
            log.error("history ended, starting it again", reason=said, restarts=self.restarts)
            if failures >= _ALARM_AFTER:
                self._tell(said)
            elif self._newest_endpoint is not None and self._telling is None:
                self._telling = loop.call_later(DOWN_S, self._tell, said)
            await asyncio.sleep(min(BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 10), BACKOFF_LAST_S))

    def _tell(self, said: str) -> None:
        text = f"the history process cannot be kept running ({said}); clients cannot fetch what they missed"
        self._alarms.put(AlarmKind.HISTORY_FAILED, "", text)

    def _is_back(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

    async def _run_once(self) -> str:
        """Run one to its end; return what it said last."""
        # Where it was before, clients come back to.
        before = [self._newest_endpoint] if self._newest_endpoint is not None else []
        endpoints = list(dict.fromkeys([*before, *self._endpoints]))
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "spikedaq.history",
                *self._options,
                str(self._journals),
                self._bench,
                *endpoints,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # a Ctrl-C in our terminal is for us
            )
        except OSError as error:
            return f"it cannot be started: {error.strerror}"
        self.pid = process.pid
        said = asyncio.create_task(_last_line(process.stderr))
        try:
            reason = await self._hear(process.stdout)
            if reason:
                self._tell(reason)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                return reason
            status = await process.wait()
            return await said or f"status {status}"
        finally:
            self.pid = self.endpoint = None
            said.cancel()
            await asyncio.gather(said, return_exceptions=True)
            await _end(process)

    async def _hear(self, stdout: asyncio.StreamReader | None) -> str:
        """Learn the endpoint, and listen whether it is alive, to its end; return why it has to be ended, "" if not."""
        if stdout is None:
            return "it cannot be heard"
        try:
            line = await asyncio.wait_for(stdout.readline(), START_S)
            if not line:
                return ""
            self.endpoint = self._newest_endpoint = str(json.loads(line)["endpoint"])
        except (TimeoutError, ValueError, KeyError, TypeError):
            return f"it did not answer within {START_S:g} s"
        self._is_back()
        self._alarms.clear(AlarmKind.HISTORY_FAILED)
        log.info("history started", pid=self.pid, endpoint=self.endpoint)
        try:
            while await asyncio.wait_for(stdout.readline(), SILENT_S):
                pass
        except TimeoutError:
            return f"it did not answer for {SILENT_S:g} s"
        return ""


def _library_options(library: LibraryConfig) -> list[str]:
    options = ["--recordings", str(library.recordings), *("--used", str(library.used))]
    options += ["--needed", str(library.needed_bytes), "--reserve", str(library.reserve_bytes)]
    for folder in library.folders:
        options += ["--folder", str(folder)]
    return options


async def _last_line(reader: asyncio.StreamReader | None) -> str:
    last = ""
    while reader is not None:
        try:
            line = await reader.readline()
        except ValueError:  # longer than asyncio's bound
            continue
        if not line:
            break
        last = line.decode(errors="replace").strip() or last
        log.warning("history says", text=last)
    return last


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _END_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
