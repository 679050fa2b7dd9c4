"""The recorder process: reads a session's journals and writes its files until the session ends."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn, TypeVar

from spikedaq.memory import PERIOD_S, return_now
from spikedaq.model import ConfigError, DiskFullError, StoreError
from spikedaq.recorder.at_work import AtWork
from spikedaq.recorder.lane import Lane
from spikedaq.recorder.locks import RECORDER_LOCK
from spikedaq.recorder.plan import DevicePlan, SessionPlan, read_plan
from spikedaq.recorder.reporter import DISK_FULL, LEFT_OUT, WRITE_FAILED, Reporter

_T = TypeVar("_T")
_NONE: Mapping[str, float] = MappingProxyType({})
EXIT_DONE, EXIT_FAILED, EXIT_BAD_PLAN, EXIT_INTERRUPTED, EXIT_DISK, EXIT_BUSY = 0, 1, 2, 3, 4, 5
POLL_S = 0.1
FORESEEN = (StoreError, OSError, MemoryError)
"""What may go wrong with disks and memory. Anything else is a defect of ours."""
REPORT_S = 0.5
"""The daemon takes a recorder that says nothing for three times as long to be stuck."""
FLUSH_SLOTS = 5
"""A device's file is flushed in one of so many polls, each device in another, so that they do not all write at once."""
RETRY_S = 10.0
"""How often a device whose files could not be taken up is tried again."""


class Recorder:
    """All devices of one session.

    Parameters
    ----------
    plan : SessionPlan
    reporter : Reporter
    stdin : int
        Descriptor; a line on it wakes the recorder, its end says that the daemon has died.
    monotonic_s : callable
    without : map of str to float
        Devices that ended earlier recorders, and for how many seconds to do without each.
    at_work : AtWork, optional
        Told what is done for whom, so that a crash can be put down to a device.
    """

    def __init__(
        self,
        plan: SessionPlan,
        reporter: Reporter,
        stdin: int,
        monotonic_s: Callable[[], float] = time.monotonic,
        *,
        without: Mapping[str, float] = _NONE,
        at_work: AtWork | None = None,
    ) -> None:
        self._reporter = reporter
        self._at_work = at_work or AtWork()
        self._stdin = stdin
        self._monotonic_s = monotonic_s
        self._plan = plan
        self._folder = plan.folder
        self._reserve_bytes = plan.reserve_bytes
        self._lanes: list[Lane] = []
        self._left_out: dict[DevicePlan, str] = {}  # and why, as far as it was told
        self._due_s: dict[DevicePlan, float] = {}  # when each of them is tried again
        for device in plan.devices:
            if device.name in without:
                self._left_out[device] = ""
                self._due_s[device] = monotonic_s() + without[device.name]
        self._turn = 0
        self._n_turned = 0
        """So many lanes have had a turn; what the others have to do nobody knows yet."""
        self._next_report_s = 0.0
        self._next_return_s = 0.0

    def run(self) -> int:
        """Record until the session ends or the daemon dies; return the exit status."""
        if self._free_bytes() < self._reserve_bytes:
            return self._say_full()
        self._take_up([device for device in self._plan.devices if device not in self._left_out])
        orphaned = False
        while True:
            more = self._turn_all(last=False)
            if all(lane.done for lane in self._lanes):
                if self._try_first():
                    continue
                self._report(force=True)
                return EXIT_DISK if self._left_out else EXIT_DONE
            self._report()
            self._return_memory()
            self._try_again()
            if self._free_bytes() < self._reserve_bytes:
                return self._make_way()
            if orphaned:
                break
            orphaned = not self._wait(0.0 if more else POLL_S)
        return self._drain()

    def _take_up(self, devices: Iterable[DevicePlan]) -> None:
        """Begin with devices, or go on; one that cannot be recorded is left out, and keeps no other from it."""
        for device in devices:
            self._at_work.begin(device.name, 0)
            try:
                lane = Lane(self._plan, device)
                lane.tell_before_close(partial(self._reporter.line, lane))
                lane.start()
            except Exception as e:  # noqa: BLE001  whatever is wrong with one device, the others are recorded
                error = self._text(device, e)
                if _is_full(e):
                    self._fail(device.name, error, DISK_FULL)
                if self._left_out.get(device) != error:
                    _say_where(e)
                    self._reporter.failed(device.name, error, LEFT_OUT)
                    _say(f"{device.name}: {error}")
                self._left_out[device] = error
                self._due_s[device] = self._monotonic_s() + RETRY_S
                continue
            finally:
                self._at_work.end()
            self._left_out.pop(device, None)
            self._due_s.pop(device, None)
            self._lanes.append(lane)
            self._remark(lane)

    def _try_again(self) -> None:
        """Take up what was left out, as somebody may have put it right."""
        if self._due_s:
            now_s = self._monotonic_s()
            self._take_up([device for device, due_s in self._due_s.items() if now_s >= due_s])

    def _try_first(self) -> bool:
        """Take up a device that was to be done without, where there is one: nobody is left whom it could disturb."""
        untried = [device for device, error in self._left_out.items() if not error]
        self._take_up(untried[:1])
        return bool(untried)

    def _turn_all(self, *, last: bool) -> bool:
        """Give each device its turn; whether any has more to take."""
        self._turn += 1
        more = False
        for i, lane in enumerate(self._lanes):
            takes_more = self._guard(lane, partial(lane.step, last=last))
            self._n_turned = max(self._n_turned, i + 1)
            more = more or bool(takes_more)
            if takes_more or (self._turn + i) % FLUSH_SLOTS == 0:
                self._guard(lane, lane.flush)
            self._remark(lane)
            if lane.news:
                lane.reported()
                self._line(lane)
            # Between devices as well: a turn of many that catch up takes seconds.
            self._report()
        return more

    def _remark(self, lane: Lane) -> None:
        for remark in lane.take_remarks():
            self._reporter.write({"device": lane.device.name, "remark": remark})

    def _drain(self) -> int:
        """Take what the journals hold now, close the files, and leave the session to the next recorder."""
        while self._turn_all(last=True):
            pass
        for lane in self._lanes:
            self._guard(lane, partial(lane.interrupt, "the daemon ended"))
            self._line(lane)
        if self._left_out:
            return EXIT_DISK
        return EXIT_DONE if all(lane.done for lane in self._lanes) else EXIT_INTERRUPTED

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._folder).free

    def _make_way(self) -> int:
        """Close the files while there is space to do so: what is left is for the journals."""
        for lane in self._lanes:
            self._guard(lane, partial(lane.interrupt, "the disk is full"))
            self._line(lane)
        return self._say_full()

    def _say_full(self) -> int:
        for device in self._plan.devices:
            error = f"less than {self._reserve_bytes / 1e6:.0f} MB are free for {self._folder}; make room"
            self._reporter.failed(device.name, error, DISK_FULL)
        return EXIT_DISK

    def _guard(self, lane: Lane, work: Callable[[], _T]) -> _T:
        """Do work for a device. After an error its file may present zeros, and crash when closed: leave at once.

        Whose fault it was is told, so that the next recorder can do without that device.
        """
        self._at_work.begin(lane.device.name, lane.offset)
        try:
            return work()
        except Exception as e:
            _say_where(e)
            self._fail(
                lane.device.name,
                self._text(lane.device, e),
                DISK_FULL if _is_full(e) else WRITE_FAILED,
                offset=lane.offset,
                status=EXIT_DISK if isinstance(e, FORESEEN) else EXIT_FAILED,
            )
            raise
        finally:
            self._at_work.end()

    def _text(self, device: DevicePlan, error: Exception) -> str:
        """Say what is wrong, and what to look at where the error itself does not name it."""
        text = str(error) or type(error).__name__
        if isinstance(error, OSError):
            folder = self._folder / device.name
            return f"{text} (its journal is {device.journal}, its files are in {folder}; check their disks and rights)"
        if isinstance(error, FORESEEN):
            return text
        return f"an error inside the recorder ({type(error).__name__}: {text}); please report it, the log says where"

    def _fail(
        self, device: str, error: str, cause: str, *, offset: int | None = None, status: int = EXIT_DISK
    ) -> NoReturn:
        self._reporter.failed(device, error, cause, offset)
        _say(f"{device}: {error}")
        os._exit(status)

    def _report(self, *, force: bool = False) -> None:
        now_s = self._monotonic_s()
        if not force and now_s < self._next_report_s:
            return
        self._next_report_s = now_s + REPORT_S
        for lane in self._lanes[: self._n_turned]:
            self._line(lane)

    def _return_memory(self) -> None:
        now_s = self._monotonic_s()
        if now_s >= self._next_return_s:
            self._next_return_s = now_s + PERIOD_S
            return_now()

    def _line(self, lane: Lane) -> None:
        self._guard(lane, partial(self._reporter.line, lane))

    def _wait(self, timeout_s: float) -> bool:
        """Wait for a line on stdin, at most so long; False where stdin has ended."""
        try:
            waiting = select.poll()  # select takes no descriptor beyond 1023
            waiting.register(self._stdin, select.POLLIN)
            readable = waiting.poll(timeout_s * 1000)
            return not readable or bool(os.read(self._stdin, 65536))
        except OSError as e:
            return e.errno == errno.EINTR


def run(
    folder: Path,
    *,
    stdin: int = 0,
    stdout: int = 1,
    only: Collection[str] = (),
    without: Mapping[str, float] = _NONE,
    at_work: AtWork | None = None,
) -> int:
    """Record the session in a folder; return the exit status.

    ``only`` names devices, for all where it is empty; ``without`` those to leave out at first, and for how many
    seconds; ``at_work`` is told what is done for whom.

    ===== =======================================================================
    0     the session has ended, all files are closed and in their manifests
    1     bad arguments or an error that nobody foresaw
    2     the session's description is not one
    3     stdin ended: files are closed, the session can be resumed
    4     a file could not be read or written; start again once that is put right
    5     another recorder has this session
    ===== =======================================================================
    """
    try:
        plan = read_plan(folder)
        if only:
            plan = replace(plan, devices=tuple(device for device in plan.devices if device.name in only))
        lock = os.open(folder / RECORDER_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except ConfigError as e:
        _say(str(e))
        return EXIT_BAD_PLAN
    except StoreError as e:
        # Its disk may have gone away, and come back.
        _say(str(e))
        return EXIT_DISK
    except OSError as e:
        _say(f"{folder} cannot be written: {e.strerror}; check its rights and space")
        return EXIT_DISK
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say(f"another recorder is writing the session in {folder}; let it finish")
        return EXIT_BUSY
    try:
        return Recorder(plan, Reporter(stdout), stdin, without=without, at_work=at_work).run()
    except (StoreError, OSError) as e:
        # Between files rather than in one: somebody removed a folder, or a file that is open. As after any error, what
        # is open is left as it is.
        _say(str(e))
        os._exit(EXIT_DISK)


def _is_full(error: Exception) -> bool:
    return isinstance(error, DiskFullError) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)


def _say(text: str) -> None:
    sys.stderr.write(f"spikedaq recorder: {text}\n")
    sys.stderr.flush()


def _say_where(error: Exception) -> None:
    """Print the traceback of an error that nobody foresaw."""
    if not isinstance(error, FORESEEN):
        traceback.print_exception(error)
