"""`spikedaq record --from URL`: recording on this computer what another one acquires."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from spikedaq.bus import FileStatus
from spikedaq.cli.common import add_json_option, bytes_text, gaps_text, positive_seconds, print_json
from spikedaq.daemon.log_setup import set_up_logging
from spikedaq.inlet import Bench, connect
from spikedaq.model import CommandRejected, StoreError
from spikedaq.remote import Progress, RemoteRecording, RemoteSession, find_unfinished
from spikedaq.remote.session import begin, resume

_TELL_S = 1.0
_DEFAULT_ROLL_S = 3600.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``record`` without an action."""
    parser.add_argument("--from", dest="source", metavar="URL", help="record here what the daemon at URL acquires")
    parser.add_argument("--session", metavar="NAME", help="with --from: name of the session (default: the time)")
    parser.add_argument(
        "--folder", type=Path, default=Path("recordings"), metavar="DIR", help="with --from: where to (recordings)"
    )
    parser.add_argument("--device", action="append", metavar="NAME", help="with --from: only this one (again for more)")
    parser.add_argument(
        "--roll", type=positive_seconds, default=_DEFAULT_ROLL_S, metavar="SECONDS", help="with --from: length of files"
    )
    parser.add_argument("--notes", default="", help="with --from: free text that goes into the files")
    parser.add_argument("--seconds", type=positive_seconds, metavar="N", help="with --from: end after this long")
    add_json_option(parser)
    parser.set_defaults(run=run_from, refuse=parser.error)


def run_from(arguments: argparse.Namespace) -> int:
    """Record from another computer until Ctrl-C; 0 where everything is in closed files."""
    if arguments.source is None:
        arguments.refuse("name what to do: start, stop or status; or --from URL, to record here what a daemon acquires")
    set_up_logging(level=logging.WARNING)
    session = _session(arguments)
    try:
        complete = asyncio.run(_record(session, arguments))
    finally:
        session.close()
    return 0 if complete else 1


def _session(arguments: argparse.Namespace) -> RemoteSession:
    """Take up what was not ended, or begin anew."""
    folder: Path = arguments.folder.absolute()
    if arguments.session is not None and (folder / arguments.session / "session.json").exists():
        return _resumed(folder / arguments.session, arguments.source)
    unfinished = find_unfinished(folder, arguments.source)
    if arguments.session is None and unfinished:
        return _resumed(unfinished[-1], arguments.source)
    with connect(arguments.source) as bench:
        devices = arguments.device or _with_journals(bench.devices, bench)
        if not devices:
            raise CommandRejected(f"no device of the bench {bench.name!r} has sent anything yet", code="not_running")
        name = arguments.session or f"{bench.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        session = begin(bench, folder, name, devices, roll_s=arguments.roll, notes=arguments.notes)
    _say(arguments, f"recording {', '.join(devices)} of {arguments.source} in {session.folder}")
    return session


def _with_journals(names: list[str], bench: Bench) -> list[str]:
    with bench.history() as history:
        known = history.devices()
    missing = [name for name in names if name not in known]
    if missing:
        print(f"spikedaq: not recorded, since never heard of: {', '.join(missing)}", file=sys.stderr)
    return [name for name in names if name in known]


def _resumed(folder: Path, url: str) -> RemoteSession:
    session = resume(folder)
    if session.url != url:
        session.close()
        raise StoreError(f"session {folder.name!r} records from {session.url}, not from {url}; choose another name")
    print(f"spikedaq: going on with session {session.name!r} in {folder}", file=sys.stderr)
    return session


async def _record(session: RemoteSession, arguments: argparse.Namespace) -> bool:
    recording = RemoteRecording(session)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, recording.stop)
    if arguments.seconds is not None:
        loop.call_later(arguments.seconds, recording.stop)
    teller = _Teller(arguments)
    return await recording.run(teller.tell, _TELL_S)


class _Teller:
    """Says how it goes: a line a second for scripts, on a terminal one that is written over, else what changes."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._as_json = bool(arguments.json)
        self._live = sys.stdout.isatty() and not self._as_json
        self._said = ""
        self._said_s = 0.0

    def tell(self, progress: Progress) -> None:
        """Take a new state of things."""
        if self._as_json:
            print_json(progress.to_map())
            return
        text = progress_text(progress)
        if self._live:
            print(f"\r\x1b[K{text}", end="\n" if progress.state in ("complete", "interrupted") else "", flush=True)
            return
        state = f"{progress.state} {progress.copying.connected} {progress.recording} {progress.copying.trouble}"
        if state != self._said or time.monotonic() - self._said_s > 60.0:
            self._said, self._said_s = state, time.monotonic()
            with contextlib.suppress(BrokenPipeError):
                print(text, flush=True)


def progress_text(progress: Progress) -> str:
    """Return one line: what is on the disk, what is missing, and what keeps the rest."""
    files = list(progress.files.values())
    on_disk = sum(file.rows_on_disk for file in files)
    state = progress.state
    if state == "recording" and not progress.recording:
        state = "waiting for the first samples"
    parts = [f"{state}: {on_disk} samples on disk, {bytes_text(_bytes(files))}"]
    gaps: dict[str, int | None] = {}
    for file in files:
        for cause, n in file.gaps.items():
            known = gaps.get(cause, 0)
            gaps[cause] = None if n is None or known is None else known + n
    parts.append(f"gaps: {gaps_text(gaps)}")
    lost = sum(device.lost_bytes for device in progress.copying.devices.values())
    behind = sum(device.behind_bytes for device in progress.copying.devices.values())
    if lost:
        parts.append(f"{bytes_text(lost)} were no longer to be had")
    if behind and progress.copying.connected:
        parts.append(f"{bytes_text(behind)} behind")
    if progress.copying.trouble:
        parts.append(f"not connected: {progress.copying.trouble}")
    if progress.error:
        parts.append(progress.error)
    return "; ".join(parts)


def _bytes(files: list[FileStatus]) -> int:
    return sum(file.bytes for file in files)


def _say(arguments: argparse.Namespace, text: str) -> None:
    print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)
