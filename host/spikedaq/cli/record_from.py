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
from spikedaq.cli import record_stimulus
from spikedaq.cli.common import bytes_text, gaps_text, positive_seconds, print_json
from spikedaq.daemon.log_setup import set_up_logging
from spikedaq.inlet import Bench, connect
from spikedaq.memory import give_memory_back, keep_returning, leave_start_out
from spikedaq.model import CommandRejected, StoreError
from spikedaq.remote import Missing, Progress, RemoteRecording, RemoteSession, SessionEndedError, find_unfinished
from spikedaq.remote.session import begin, resume

_TELL_S = 1.0
_DEFAULT_ROLL_S = 3600.0
_DEFAULT_FOLDER = Path("recordings")
EXIT_ENDED = 2
EXIT_MISSING = 3
"""Everything that could be had is in closed files, and something could not be had; as for a trial that has flaws."""
_OPTIONS = (
    "source", "here_session", "here_folder", "here_device", "here_roll", "here_notes", "here_seconds", "here_key",
    "here_json",
)  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``record`` without an action; their names differ from those that the actions have."""
    add = parser.add_argument
    add("--from", dest="source", metavar="URL", help="record here what the daemon at URL acquires")
    add("--session", dest="here_session", metavar="NAME", help="with either: name of the session")
    add(
        "--folder",
        dest="here_folder",
        type=Path,
        metavar="DIR",
        help=f"with either: where to (--from: {_DEFAULT_FOLDER})",
    )
    add(
        "--device",
        dest="here_device",
        action="append",
        metavar="NAME",
        help="with either: only this one (repeatable; with --stimulus the first one plays)",
    )
    add("--roll", dest="here_roll", type=positive_seconds, metavar="SECONDS", help="with --from: length of files")
    add("--notes", dest="here_notes", metavar="TEXT", help="with either: free text that goes into the files")
    add("--seconds", dest="here_seconds", type=positive_seconds, metavar="N", help="with --from: end after this long")
    add("--key", dest="here_key", metavar="FILE", help="with either: your key, where the daemon demands one")
    add("--json", dest="here_json", action="store_true", default=None, help="with either: print JSON, for scripts")
    record_stimulus.add_options(parser)
    parser.set_defaults(run=run_either, refuse=parser.error)


def refuse_before(arguments: argparse.Namespace, action: str) -> None:
    """End with status 2 where an option of ``record`` stands before an action, which would not know of it."""
    for name in (*_OPTIONS, *record_stimulus.ONLY_HERE):
        if getattr(arguments, name, None) is None:
            continue
        if name == "source":
            arguments.refuse(f"--from URL records on this computer, and takes no {action!r}; leave out one of them")
        option = f"--{name.removeprefix('here_').removeprefix('name_').replace('_', '-')}"
        arguments.refuse(f"{option} stands before {action!r}, where it says nothing; write it behind {action!r}")


def run_either(arguments: argparse.Namespace) -> int:
    """Do what ``record`` without an action was asked for."""
    if arguments.here_stimulus is not None:
        if arguments.source is not None:
            arguments.refuse("--from URL and --stimulus are two kinds of recording; leave out one of them")
        return record_stimulus.run_stimulus(arguments)
    for name in record_stimulus.ONLY_HERE:
        if getattr(arguments, name) is not None:
            option = f"--{name.removeprefix('here_').removeprefix('name_').replace('_', '-')}"
            arguments.refuse(f"{option} is about --stimulus, which is not given")
    return run_from(arguments)


def run_from(arguments: argparse.Namespace) -> int:
    """Record from another computer until Ctrl-C.

    Returns 0 where everything is in closed files, 3 where something could not be had, 2 where it was ended before.
    """
    if arguments.source is None:
        arguments.refuse(
            "name what to do: start, stop or status; or --from URL, to record here what a daemon acquires; or "
            "--stimulus FILE, to record one trial"
        )
    give_memory_back()
    set_up_logging(level=logging.WARNING)
    leave_start_out()
    try:
        session = _session(arguments)
    except SessionEndedError as error:
        # Status 2 tells systemd that no other attempt will do better.
        print(f"spikedaq: {error}", file=sys.stderr)
        return EXIT_ENDED
    try:
        return asyncio.run(_record(session, arguments))
    finally:
        session.close()


def _session(arguments: argparse.Namespace) -> RemoteSession:
    """Take up what was not ended, or begin anew."""
    name = arguments.here_session
    folder: Path = (arguments.here_folder or _DEFAULT_FOLDER).absolute()
    if name is not None and (folder / name / "session.json").exists():
        return _resumed(folder / name, arguments)
    unfinished = find_unfinished(folder, arguments.source)
    if name is None and unfinished:
        return _resumed(unfinished[-1], arguments)
    with connect(arguments.source, key=arguments.here_key) as bench:
        devices = arguments.here_device or _with_journals(bench.devices, bench)
        if not devices:
            raise CommandRejected(f"no device of the bench {bench.name!r} has sent anything yet", code="not_running")
        name = name or f"{bench.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        roll_s = arguments.here_roll or _DEFAULT_ROLL_S
        session = begin(bench, folder, name, devices, roll_s=roll_s, notes=arguments.here_notes or "")
    _say(arguments, f"recording {', '.join(devices)} of {arguments.source} in {session.folder}")
    for op, why in session.plan["config"].get("unknown", {}).items():
        print(f"spikedaq: the files do not tell what the daemon says of {op!r}: {why}", file=sys.stderr)
    return session


def _with_journals(names: list[str], bench: Bench) -> list[str]:
    with bench.history() as history:
        known = history.devices()
    missing = [name for name in names if name not in known]
    if missing:
        print(f"spikedaq: not recorded, since never heard of: {', '.join(missing)}", file=sys.stderr)
    return [name for name in names if name in known]


def _resumed(folder: Path, arguments: argparse.Namespace) -> RemoteSession:
    session, url = resume(folder), arguments.source
    if session.url != url:
        session.close()
        raise StoreError(f"session {folder.name!r} records from {session.url}, not from {url}; choose another name")
    print(f"spikedaq: going on with session {session.name!r} in {folder}", file=sys.stderr)
    begun = (
        ("--device", arguments.here_device and sorted(arguments.here_device), sorted(session.copies)),
        ("--roll", arguments.here_roll, session.plan["roll"]["seconds"]),
        ("--notes", arguments.here_notes, session.plan["notes"]),
    )
    for option, given, had in begun:
        if given is not None and given != had:
            print(f"spikedaq: {option} is not used: the session was begun with {had!r}", file=sys.stderr)
    return session


async def _record(session: RemoteSession, arguments: argparse.Namespace) -> int:
    """Record until told to end, and return the exit status."""
    recording = RemoteRecording(session, key=arguments.here_key)
    teller = _Teller(arguments)
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(recording.run(teller.tell, _TELL_S))
    returning = asyncio.create_task(keep_returning())
    got: list[signal.Signals] = []

    def take(number: signal.Signals) -> None:
        # SIGTERM is a restart of this computer, or of its service: no end of the session.
        if number == signal.SIGINT and number not in got:
            recording.stop()
        else:
            task.cancel()
        got.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, take, number)
    if arguments.here_seconds is not None:
        loop.call_later(arguments.here_seconds, recording.stop)
    try:
        if not await task:
            return 1
        for line in missing_lines(session.missing):
            print(f"spikedaq: {line}", file=sys.stderr, flush=True)
        return EXIT_MISSING if session.missing else 0
    except asyncio.CancelledError:
        text = f"session {session.name!r} is left to be taken up again by the same command"
        print(f"spikedaq: {text}", file=sys.stderr, flush=True)
        return 128 + got[-1] if got else 1
    finally:
        returning.cancel()
        teller.end()


class _Teller:
    """Says how it goes: a line a second for scripts, on a terminal one that is written over, else what changes."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._as_json = bool(arguments.here_json)
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
            print(f"\r\x1b[K{text}", end="", flush=True)
            return
        state = f"{progress.state} {progress.copying.connected} {progress.copying.trouble} {progress.error}"
        if state != self._said or time.monotonic() - self._said_s > 60.0:
            self._said, self._said_s = state, time.monotonic()
            with contextlib.suppress(BrokenPipeError):
                print(text, flush=True)

    def end(self) -> None:
        """Leave what was said last on its line."""
        if self._live:
            print(flush=True)


def progress_text(progress: Progress) -> str:
    """Return one line: what is on the disk, what is missing, and what keeps the rest."""
    files = list(progress.files.values())
    on_disk = sum(file.rows_on_disk for file in files)
    state = progress.state
    if state == "waiting":
        state = "waiting for samples"
    parts = [f"{state}: {on_disk} samples on disk, {bytes_text(_bytes(files))}"]
    gaps: dict[str, int | None] = {}
    for file in files:
        for cause, n in file.gaps.items():
            known = gaps.get(cause, 0)
            gaps[cause] = None if n is None or known is None else known + n
    parts.append(f"gaps: {gaps_text(gaps)}")
    holes = [hole for found in progress.missing.values() for hole in found]
    behind = sum(device.behind_bytes for device in progress.copying.devices.values())
    if holes:
        parts.append(_missing_text(holes))
    if behind and progress.copying.connected:
        parts.append(f"{bytes_text(behind)} behind")
    if progress.copying.trouble:
        since = _clock_text(progress.copying.came_s)
        parts.append(f"not connected, nothing has come since {since}: {progress.copying.trouble}")
    absent = [name for name, device in progress.copying.devices.items() if device.absent]
    if absent:
        parts.append(f"the bench has no journal of {', '.join(absent)}")
    if progress.error:
        parts.append(progress.error)
    return "; ".join(parts)


def missing_lines(missing: dict[str, list[Missing]]) -> list[str]:
    """Return a line for each hole: of which device, since when, how much, and why."""
    return [f"missing of {device}, {hole.text()}" for device, holes in missing.items() for hole in holes]


def _missing_text(holes: list[Missing]) -> str:
    """Say how much of the journals was not to be had, as far as that is known."""
    known = sum(hole.n_bytes or 0 for hole in holes)
    unknown = sum(hole.n_bytes is None for hole in holes)
    parts = [f"{bytes_text(known)} of journal"] if known else []
    if unknown:
        parts.append(f"{'what came' if unknown == 1 else f'{unknown} times what came'} while a journal was not there")
    return f"{' and '.join(parts)} could not be had"


def _clock_text(utc_s: float) -> str:
    return datetime.fromtimestamp(utc_s, UTC).astimezone().isoformat(" ", "seconds")


def _bytes(files: list[FileStatus]) -> int:
    return sum(file.bytes for file in files)


def _say(arguments: argparse.Namespace, text: str) -> None:
    print(text, file=sys.stderr if arguments.here_json else sys.stdout, flush=True)
