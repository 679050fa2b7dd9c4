"""`spikedaq recordings`: what a daemon has recorded, from whichever computer: list, look at, fetch, verify."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from spikedaq.cli.common import bytes_text, console, print_json, printable
from spikedaq.cli.recordings_shown import sessions_table, show_session
from spikedaq.inlet import Fetched, LibraryClient, connect, fetch_session
from spikedaq.model import SpikedaqError

SHOWN = 50
"""Sessions without --all: the newest."""
_POLL_S = 0.5


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    group = commands.add_parser("recordings", help="list what the daemon has recorded, fetch it to this computer")
    group.add_argument("--all", action="store_true", help=f"every session, not only the newest {SHOWN}")
    group.add_argument("--match", metavar="TEXT", help="only those with this in their names")
    _add_options(group, default=None)
    group.set_defaults(run=run_list, json=False)
    actions = group.add_subparsers(metavar="show|fetch|verify")

    parser = actions.add_parser("show", help="one recording, file by file")
    _add_session(parser)
    parser.set_defaults(run=run_show)

    parser = actions.add_parser(
        "fetch", help="bring a recording to this computer, checked; go on with what is half here"
    )
    _add_session(parser)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--nwb", action="store_true", help="the recording files (the default)")
    kind.add_argument("--csv", action="store_true", help="and the stock nine-column CSV, made of them here")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where to (default: here)")
    parser.add_argument("--device", action="append", metavar="NAME", help="only this one (again for more)")
    parser.add_argument("--overwrite", action="store_true", help="with --csv: replace CSV files that are there")
    parser.set_defaults(run=run_fetch)

    parser = actions.add_parser(
        "verify", help="have the daemon's computer verify a recording; ends with what was found"
    )
    _add_session(parser)
    parser.set_defaults(run=run_verify)


def _add_session(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="NAME")
    parser.add_argument(
        "--folder", metavar="DIR", help="the daemon's folder that it is in, where several have the name"
    )
    # What was given before the action stays.
    _add_options(parser, default=argparse.SUPPRESS)


def _add_options(parser: argparse.ArgumentParser, *, default: Any) -> None:
    add = parser.add_argument
    add("--url", default=default, help="the daemon's control endpoint (default: $SPIKEDAQ_URL, else this computer's)")
    add("--key", default=default, metavar="FILE", help="your key, where the daemon demands one")
    add("--json", action="store_true", default=default, help="print JSON, for scripts")


def run_list(arguments: argparse.Namespace) -> int:
    """List sessions, newest first."""
    with _library(arguments) as library:
        page = library.page(limit=SHOWN, match=arguments.match)
        sessions, problems = list(page["sessions"]), list(page["problems"])
        while arguments.all and page["next"] is not None:
            page = library.page(before=page["next"], match=arguments.match)
            sessions += page["sessions"]
    if arguments.json:
        print_json({"sessions": sessions, "total": page["total"], "problems": problems})
        return 0
    out = console()
    if sessions:
        out.print(sessions_table(sessions))
    else:
        out.print("nothing is recorded" + (f" with {arguments.match!r} in its name" if arguments.match else ""))
    if len(sessions) < page["total"]:
        out.print(f"and {page['total'] - len(sessions)} older ones: spikedaq recordings --all", style="dim")
    for problem in problems:
        print(f"spikedaq: warning: {printable(problem['text'])}", file=sys.stderr)
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Show one session."""
    with _library(arguments) as library:
        session = library.recording(arguments.session, folder=arguments.folder)
    if arguments.json:
        print_json(session)
        return 0
    show_session(session)
    return 0


def run_fetch(arguments: argparse.Namespace) -> int:
    """Fetch one session; 1 where something of it could not be had."""
    out = console()
    columns = (
        TextColumn("fetch"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with (
        _library(arguments) as library,
        Progress(*columns, console=out, disable=arguments.json or not out.is_terminal, transient=True) as progress,
    ):
        task = progress.add_task("fetch", total=None)
        fetched = fetch_session(
            library,
            arguments.session,
            arguments.out,
            folder=arguments.folder,
            devices=arguments.device,
            progress=lambda _, done, total: progress.update(task, completed=done, total=total),
        )
    csv: list[str] = []
    if arguments.csv and fetched.files:
        # HDF5 and numpy take 0.3 s to load; whoever wants no CSV does without.
        from spikedaq.formats import export_csv  # noqa: PLC0415

        csv = [str(file.csv) for file in export_csv(fetched.folder, fetched.folder, overwrite=arguments.overwrite)]
    _tell_fetched(fetched, csv, as_json=arguments.json)
    return 0 if fetched.files and not fetched.lost else 1


def _tell_fetched(fetched: Fetched, csv: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json({
            "folder": str(fetched.folder), "files": [str(path) for path in fetched.files], "csv": csv,
            "n_bytes": fetched.n_bytes, "left_out": fetched.left_out, "lost": fetched.lost,
        })  # fmt: skip
        return
    for name, why in fetched.left_out.items():
        print(f"spikedaq: warning: {printable(name)} was not fetched: {printable(why)}", file=sys.stderr)
    for path in csv:
        print(path)
    n = len(fetched.files)
    brought = f"{bytes_text(fetched.n_bytes)} brought"
    print(f"{fetched.folder}: {n} file{'' if n == 1 else 's'}, each as its manifest says; {brought}")


def run_verify(arguments: argparse.Namespace) -> int:
    """Verify one session where it is; 1 where something is wrong."""
    out = console()
    columns = (TextColumn("verify"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with (
        _library(arguments) as library,
        Progress(*columns, console=out, disable=arguments.json or not out.is_terminal, transient=True) as progress,
    ):
        task = progress.add_task("verify", total=None)
        found = library.verify(arguments.session, folder=arguments.folder)["verification"]
        try:
            while found["state"] in ("waiting", "running"):
                progress.update(task, completed=found.get("done_bytes", 0), total=found.get("total_bytes") or None)
                time.sleep(_POLL_S)
                found = library.summary(arguments.session, folder=arguments.folder)["verification"]
        except KeyboardInterrupt:
            library.stop_verifying(arguments.session, folder=arguments.folder)
            raise
    if "ok" not in found:
        raise SpikedaqError(f"the verification of {arguments.session} was ended by somebody; ask for it again")
    if arguments.json:
        print_json(found)
        return 0 if found["ok"] else 1
    for problem in found["problems"]:
        words = printable(problem["verdict"]).replace("_", " ")
        print(f"{words}: {printable(problem['path'])}: {printable(problem['text'])}")
    counts = ", ".join(f"{n} {printable(word).replace('_', ' ')}" for word, n in found["counts"].items())
    print(f"{arguments.session}: {counts or 'nothing could be checked'}")
    return 0 if found["ok"] else 1


@contextmanager
def _library(arguments: argparse.Namespace) -> Iterator[LibraryClient]:
    with connect(arguments.url, key=arguments.key) as bench, bench.library() as library:
        yield library
