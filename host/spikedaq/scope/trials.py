"""Trials that pages begin: they run here, so that a page may be closed; everybody sees how far they are."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from spikedaq.experiment import Progress, Trial, TrialCancelled, TrialError, record_trial
from spikedaq.inlet import connect
from spikedaq.model import CommandRejected, SpikedaqError
from spikedaq.scope.hub import Hub

_END_S = 90.0
"""A trial that is cut short has to close its files."""


class _Running:
    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.cancelled = threading.Event()
        self.thread: threading.Thread | None = None


class Trials:
    """The last trial of each bench; one at a time."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._of: dict[str, _Running] = {}

    def told(self, bench: str) -> dict[str, Any] | None:
        """Return how the newest trial of a bench stands, None where there was none.

        ``{session, device, stimulus, by, state, phase, done_s, total_s, text, code, result}``: ``state`` is
        ``running``, ``done``, ``aborted`` or ``failed``.
        """
        running = self._of.get(bench)
        return None if running is None else running.told

    def begin(self, bench: str, url: str, viewer: str, trial: Trial) -> dict[str, Any]:
        """Begin a trial in the name of a viewer, and return how it stands.

        Raises
        ------
        CommandRejected
            ``busy``: one runs.
        """
        before = self._of.get(bench)
        if before is not None and before.told["state"] == "running":
            raise CommandRejected(
                f"the trial {before.told['session']!r} runs on {bench}; wait for its end, or abort it", code="busy"
            )
        trial.check()
        told = {"session": trial.session, "device": trial.device, "stimulus": trial.stimulus, "by": viewer,
                "state": "running", "phase": "start", "done_s": 0.0, "total_s": 0.0, "text": "", "code": "",
                "result": None}  # fmt: skip
        running = self._of[bench] = _Running(told)
        loop = asyncio.get_running_loop()

        def tell(**news: Any) -> None:
            def on_loop() -> None:
                running.told = {**running.told, **news}
                self._tell(bench)

            # The loop is closed where the server was ended meanwhile: there is nobody left to tell.
            if not loop.is_closed():
                loop.call_soon_threadsafe(on_loop)

        def run() -> None:
            try:
                with connect(url, key=self._hub.key, name=viewer) as at:
                    result = record_trial(
                        at, trial, on_progress=lambda p: tell(**_shown(p)), cancelled=running.cancelled.is_set
                    )
            except TrialCancelled as error:
                tell(state="aborted", text=str(error), code=error.code)
            except SpikedaqError as error:
                phase = {"phase": str(error.phase)} if isinstance(error, TrialError) else {}
                tell(state="failed", text=str(error), code=getattr(error, "code", "trial"), **phase)
            except BaseException as error:
                tell(state="failed", text=f"a defect of the page's server: {error!r}", code="internal")
                raise
            else:
                tell(state="done", phase="done", text="", result=result.to_map())

        running.thread = threading.Thread(target=run, name=f"trial on {bench}")
        running.thread.start()
        self._tell(bench)
        return told

    def abort(self, bench: str) -> bool:
        """End the trial of a bench in order; return whether one ran."""
        running = self._of.get(bench)
        if running is None or running.told["state"] != "running":
            return False
        running.cancelled.set()
        return True

    def is_running(self) -> bool:
        """Tell whether one has not ended; may be asked by any thread."""
        return any(running.thread is not None and running.thread.is_alive() for running in list(self._of.values()))

    async def close(self) -> None:
        """End all of them in order."""
        threads = []
        for running in self._of.values():
            running.cancelled.set()
            if running.thread is not None:
                threads.append(running.thread)
        for thread in threads:
            await asyncio.to_thread(thread.join, _END_S)

    def _tell(self, bench: str) -> None:
        self._hub.tell(bench, {"say": "trial", "trial": self._of[bench].told})


def _shown(progress: Progress) -> dict[str, Any]:
    return {**progress.to_map(), "phase": str(progress.phase)}
