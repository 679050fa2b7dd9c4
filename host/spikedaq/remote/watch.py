"""Whether the files of a remote recording really grow."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import structlog

from spikedaq.daemon.health.files import FileLooks, GrowthWatch
from spikedaq.daemon.recorder_process import RecorderProcess
from spikedaq.journal import JournalCopy

FROZEN_S = 5.0
"""A file grows about once a second."""
_STREAM_S = 2.0
_BEHIND_BYTES = 2**20
_HEAL_S = 10.0

log = structlog.get_logger(__name__)


class RecordingWatch:
    """Judges the files of a recorder over copies; `look` is to be called about once a second.

    Parameters
    ----------
    recorder : RecorderProcess
    copies : map of str to JournalCopy
    now_s : callable

    Attributes
    ----------
    states : dict of str to str
        By device, the state to show: see `FileStatus`.
    texts : dict of str to str
        By device that is stalled: why.
    """

    def __init__(
        self,
        recorder: RecorderProcess,
        copies: Mapping[str, JournalCopy],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.states = {device: file.state for device, file in recorder.files.items()}
        self.texts: dict[str, str] = {}
        self._recorder = recorder
        self._copies = copies
        self._now_s = now_s
        self._looks = FileLooks(now_s)
        self._growth = {device: GrowthWatch(FROZEN_S) for device in recorder.files}
        self._seen = dict.fromkeys(recorder.files, (0, 0))
        self._came_s = dict.fromkeys(recorder.files, -math.inf)
        self._killed_s = now_s()

    def look(self) -> None:
        """Judge anew."""
        recorder, now_s = self._recorder, self._now_s()
        files = recorder.files
        self._looks.take(file.file for file in files.values() if file.file and file.state == "recording")
        closing = any(file.state == "closing" for file in files.values())
        for device, growth in self._growth.items():
            self.states[device] = growth.judge(
                files[device],
                self._looks.found,
                now_s,
                streams=self._streams(device, now_s),
                chunk_s=1.0,
                silent_s=recorder.silent_s(),
                hangs_s=self._looks.hangs_s(),
                ended=recorder.error,
                closing=closing,
            )
            if growth.text:
                self.texts[device] = growth.text
            else:
                self.texts.pop(device, None)
        if any(growth.gone for growth in self._growth.values()) and now_s - self._killed_s > _HEAL_S:
            self._killed_s = now_s
            log.error("the recorder is ended, and makes its files again from the copies", reasons=self.texts)
            recorder.kill()

    def _streams(self, device: str, now_s: float) -> bool:
        """Whether samples have come lately, or wait in the copy for a recorder that does not take them."""
        file, end = self._recorder.files[device], self._copies[device].offset
        # From a recorder that has said nothing nobody can know what is samples.
        seen = (file.samples, 0 if file.offset else end)
        if seen != self._seen[device]:
            self._seen[device], self._came_s[device] = seen, now_s
        behind_bytes = end - file.offset if file.offset else 0
        return now_s - self._came_s[device] < _STREAM_S or behind_bytes > _BEHIND_BYTES

    async def close(self) -> None:
        """Let go of a look that is under way."""
        await self._looks.close()
