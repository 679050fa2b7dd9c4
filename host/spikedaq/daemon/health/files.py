"""Whether what is being recorded really grows on the disk."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from spikedaq.bus import FileStatus

RECORDER_SILENT_S = 1.5
"""The recorder speaks twice a second, whatever it has to say."""
CLOSING_S = 60.0
"""A file of some hundred megabytes is copied, checked and synced; a memory card takes half a minute for that."""
STARTING_S = 7.0
"""A repair takes at most 5 s, and Python its time to start, before there is a file that could grow."""
_MTIME_SLACK_S = 1.0
_CHUNKS = 2
"""So many chunks may take to show; one is being filled, and one waits for its turn to be written."""


@dataclass(frozen=True, slots=True)
class FileLook:
    """What the file system says of a file; ``mtime_ns`` is None where it is not there."""

    mtime_ns: int | None
    n_bytes: int = 0
    inode: int = 0
    error: str = ""


class FileLooks:
    """Looks at files in a thread, one look at a time: on a disk that hangs, a look hangs as well.

    Attributes
    ----------
    found : dict of str to FileLook
        By path. Text and no Path: names of files that come and go would be interned anew at every look.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.found: dict[str, FileLook] = {}
        self._now_s = now_s
        self._task: asyncio.Task[dict[str, FileLook]] | None = None
        self._since_s = 0.0

    def hangs_s(self) -> float:
        """Seconds for which the present look has been under way."""
        return self._now_s() - self._since_s if self._task is not None else 0.0

    def take(self, paths: Iterable[str]) -> None:
        """Take in the last look, and begin the next."""
        if self._task is not None:
            if not self._task.done():
                return
            self.found = self._task.result()
            self._task = None
        wanted = list(paths)
        if wanted:
            self._since_s = self._now_s()
            self._task = asyncio.create_task(asyncio.to_thread(_look_at, wanted), name="look at files")
        else:
            self.found = {}

    async def close(self) -> None:
        """Let go of a look that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _look_at(paths: list[str]) -> dict[str, FileLook]:
    return {path: look_at(path) for path in paths}


def look_at(path: str | os.PathLike[str]) -> FileLook:
    """Ask the file system about a file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - see `FileLooks.found`
        return FileLook(found.st_mtime_ns, found.st_size, found.st_ino)
    except OSError as error:
        return FileLook(None, error=error.strerror or str(error))


class GrowthWatch:
    """Judges one device's file of one session.

    Attributes
    ----------
    text : str
        Why it is stalled; "" where it is not.
    gone : bool
        The file that is being written has no name any more, or was cut.
    """

    def __init__(self, frozen_s: float) -> None:
        self.text = ""
        self.gone = False
        self.frozen_s = frozen_s
        self._seen: tuple[str | None, int, int] | None = None
        self._grown_s = 0.0
        self._mtime_ns: int | None = None
        self._mtime_s = 0.0
        self._look: tuple[str, FileLook] | None = None
        self._waiting_s: float | None = None

    def judge(
        self,
        file: FileStatus,
        looks: Mapping[str, FileLook],
        now_s: float,
        *,
        streams: bool,
        chunk_s: float,
        silent_s: float,
        hangs_s: float,
        ended: str | None = None,
        closing: bool = False,
    ) -> str:
        """Return the state to show: that of ``file``, or ``stalled``, or ``waiting``.

        Parameters
        ----------
        streams : bool
            Samples of the device come in.
        chunk_s : float
            The time that the file takes at once.
        silent_s : float
            Since the recorder said anything.
        hangs_s : float
            For which the file system has not answered.
        ended : str, optional
            Why the recorder ended, while the next has written nothing yet.
        closing : bool
            The recorder is closing a file, of this device or of another, and writes nothing else meanwhile.
        """
        self.text, self.gone = "", False
        look = looks.get(file.file) if file.file is not None else None
        # Where blocks are short of samples their rows become readable some seconds after the samples are in the file.
        size = (file.file, file.rows_on_disk, look.n_bytes if look is not None else 0)
        if size != self._seen:
            self._seen, self._grown_s = size, now_s
        if file.state != "recording" or file.file is None:
            self._grown_s = self._mtime_s = now_s
            waits_s = self._waits_s(file, now_s, streams=streams)
            if waits_s > max(STARTING_S, _CHUNKS * chunk_s) and not (closing and silent_s < CLOSING_S):
                # Of a recorder that is not heard, too: it may have been started before its disk hung.
                self.text = f"no file was begun in {waits_s:.0f} s although samples come in"
                self.text += f": {ended}" if ended else f"; the recorder last said anything {silent_s:.0f} s ago"
            elif file.state == "armed" and silent_s > (CLOSING_S if closing else RECORDER_SILENT_S):
                # It would not notice the next trigger either.
                self.text = f"the recorder has not moved for {silent_s:.1f} s; no window would be recorded"
            elif file.state == "closing" and silent_s > CLOSING_S:
                self.text = f"{file.file} has been being closed for {silent_s:.0f} s; its disk is stuck"
            return "stalled" if self.text else file.state
        self._waiting_s = None
        if look is None or look.mtime_ns != self._mtime_ns:
            self._mtime_ns, self._mtime_s = look.mtime_ns if look else None, now_s
        frozen_s = max(self.frozen_s, _CHUNKS * chunk_s)
        idle_s, untouched_s = now_s - self._grown_s, now_s - self._mtime_s
        if look is not None and (harm := self._harm(file.file, look)) and ended is None:
            self.gone = True
            self.text = f"{file.file} is being written and {harm}; it is made again from the journal"
        elif ended is not None:
            # What the next recorder finds, or makes, is another file of the same name.
            self._look = None
            self.text = f"{file.file} does not grow: {ended}"
        elif closing and silent_s < CLOSING_S:
            return "waiting" if idle_s > frozen_s else file.state
        elif silent_s > RECORDER_SILENT_S:
            self.text = f"the recorder has not moved for {silent_s:.1f} s; {file.file} does not grow"
        elif hangs_s > RECORDER_SILENT_S:
            self.text = f"the disk of {file.file} has not answered for {hangs_s:.1f} s"
        elif not streams:
            self._grown_s = self._mtime_s = now_s
            return "waiting"
        elif idle_s > frozen_s:
            self.text = f"{file.file} has not grown for {idle_s:.1f} s although samples come in"
        elif untouched_s > frozen_s + _MTIME_SLACK_S:
            self.text = f"{file.file} has not been written for {untouched_s:.1f} s although samples come in"
        return "stalled" if self.text else file.state

    def _waits_s(self, file: FileStatus, now_s: float, *, streams: bool) -> float:
        """Return for how long there has been something to record, and no file for it."""
        if file.state != "waiting" or not streams:
            self._waiting_s = None
            return 0.0
        if self._waiting_s is None:
            self._waiting_s = now_s
        return now_s - self._waiting_s

    def _harm(self, name: str, look: FileLook) -> str:
        """Say what somebody did to a file that is being written."""
        before = self._look[1] if self._look is not None and self._look[0] == name else None
        if look.mtime_ns is None:
            return f"is not there any more ({look.error})"
        if before is None or (before.inode == look.inode and before.n_bytes <= look.n_bytes):
            self._look = (name, look)
            return ""
        return "was replaced by another" if before.inode != look.inode else "was cut"
