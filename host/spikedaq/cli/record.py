"""`spikedaq record start|stop|status|dismiss` and `spikedaq note`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from rich.table import Table

from spikedaq.bus import FileStatus, RecordingStatus
from spikedaq.cli import record_from
from spikedaq.cli.common import (
    add_json_option,
    add_url_option,
    bytes_text,
    console,
    gaps_text,
    open_client,
    print_json,
)
from spikedaq.cli.display import armed_text, recording_caption
from spikedaq.cli.record_mode import add_mode_options, duration, mode_of
from spikedaq.cli.session_options import add_name_options, given_parts, name_from_parts
from spikedaq.inlet import RECORD_TIMEOUT_S, connect
from spikedaq.model import check_session_name


def add_commands(commands: Any) -> None:
    """Add this module's commands."""
    group = commands.add_parser("record", help="start, stop and look at a recording")
    record_from.add_options(group)
    actions = group.add_subparsers(metavar="start|stop|status|dismiss")

    parser = actions.add_parser("start", help="start recording; returns once the first block is readable on disk")
    parser.add_argument(
        "session", nargs="?", metavar="NAME", help="letters, digits, '.', '_' and '-'; or give its parts, below"
    )
    parser.add_argument("--device", action="append", metavar="NAME", help="record only this one (again for more)")
    parser.add_argument("--roll", type=duration, metavar="TIME", help="begin a new file this often: 3600, 30min, 1h")
    parser.add_argument(
        "--roll-at-clock",
        metavar="ZONE",
        help="roll at clock times: each full hour for --roll 1h; utc, local or a zone",
    )
    parser.add_argument(
        "--end-after", type=duration, metavar="TIME", help="the daemon ends it by itself then: 90, 10min, 2h"
    )
    add_mode_options(parser)
    parser.add_argument("--folder", metavar="DIR", help="instead of recordings/ in the daemon's data folder")
    parser.add_argument("--notes", default="", help="free text that goes into the files")
    add_name_options(parser)
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=partial(_run_action, run_start, "start"), used_wrongly=parser.error)

    parser = actions.add_parser("stop", help="stop recording; returns once every file is closed")
    parser.add_argument("session", nargs="?", metavar="NAME", help="default: the one that runs")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=partial(_run_action, run_stop, "stop"))

    parser = actions.add_parser("status", help="show the recording and its files")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=partial(_run_action, run_status, "status"))

    parser = actions.add_parser(
        "dismiss", help="end the alarm about a recording that ended, or was not taken up again, by itself"
    )
    parser.add_argument("session", nargs="?", metavar="NAME", help="default: every one")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=partial(_run_action, run_dismiss, "dismiss"))

    parser = commands.add_parser("note", help="write a note into the journal and the recording")
    parser.add_argument("text")
    parser.add_argument("--device", metavar="NAME", help="about this device only")
    add_url_option(parser)
    parser.set_defaults(run=run_note)


def _run_action(run: Callable[[argparse.Namespace], int], action: str, arguments: argparse.Namespace) -> int:
    record_from.refuse_before(arguments, action)
    return run(arguments)


def run_start(arguments: argparse.Namespace) -> int:
    """Start a recording."""
    parts = given_parts(arguments)
    if (arguments.session is None) == (not parts):
        arguments.used_wrongly(
            "which session? give its NAME, or its parts, not both: --mode, --protocol and --run, and --group and "
            "--condition where there are some"
        )
    if arguments.session is not None:
        check_session_name(arguments.session)
    with connect(arguments.url, key=arguments.key) as bench:
        client = bench.client
        today = datetime.now().astimezone().date()
        session = check_session_name(arguments.session or name_from_parts(parts, bench, today=today))
        value = client.call(
            "record_start",
            session=session,
            devices=arguments.device,
            folder=arguments.folder,
            mode=mode_of(arguments),
            roll_s=arguments.roll,
            roll_aligned=arguments.roll_at_clock,
            end_after_s=arguments.end_after,
            notes=arguments.notes,
            timeout_s=RECORD_TIMEOUT_S,
        )
    return show(value, as_json=arguments.json)


def run_stop(arguments: argparse.Namespace) -> int:
    """Stop the recording."""
    with open_client(arguments) as client:
        value = client.call("record_stop", session=arguments.session, timeout_s=RECORD_TIMEOUT_S)
    return show(value, as_json=arguments.json)


def run_status(arguments: argparse.Namespace) -> int:
    """Show the recording."""
    with open_client(arguments) as client:
        value = client.call("record_status")
    return show(value, as_json=arguments.json)


def run_dismiss(arguments: argparse.Namespace) -> int:
    """Take note that a recording ended by itself."""
    with open_client(arguments) as client:
        dismissed = client.call("record_dismiss", session=arguments.session)
    if arguments.json:
        print_json(dismissed)
    else:
        console().print(f"dismissed: {', '.join(dismissed)}" if dismissed else "no recording ended by itself")
    return 0


def show(value: dict[str, Any] | None, *, as_json: bool) -> int:
    """Print a session status."""
    if as_json:
        print_json(value)
        return 0
    out = console()
    if value is None:
        out.print("not recording")
        return 0
    recording = RecordingStatus.from_map(value)
    out.print(recording_caption(recording), markup=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("device", "state", "samples", "gaps", "newest file"):
        table.add_column(heading, justify="right" if heading in ("samples", "newest file") else "left")
    for name, entry in recording.devices.items():
        file = FileStatus.from_map(entry)
        size = bytes_text(file.bytes) if file.file else "-"
        windowed = recording.mode.get("kind", "continuous") != "continuous"
        state = armed_text(file) if file.state == "armed" else file.state
        if windowed and file.state in ("recording", "closed"):
            state += f", window {file.windows}" if file.state == "recording" else f", {file.windows} windows"
        table.add_row(name, state, str(file.samples), gaps_text(file.gaps), size)
    out.print(table)
    for name, entry in recording.devices.items():
        if entry.get("file"):
            # To be copied whole: never wrapped.
            out.print(entry["file"], markup=False, soft_wrap=True)
        if entry.get("error"):
            out.print(f"{name}: {entry['error']}", markup=False)
    return 0


def run_note(arguments: argparse.Namespace) -> int:
    """Write a note."""
    with open_client(arguments) as client:
        client.call("note", device=arguments.device, text=arguments.text)
    return 0
