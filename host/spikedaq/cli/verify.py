"""`spikedaq verify`, `spikedaq recover` and `spikedaq pin`: recordings on disk, with or without a daemon."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from spikedaq.cli.common import add_json_option, bytes_text, console, print_json

if TYPE_CHECKING:
    from spikedaq.recorder import Deed


def add_commands(commands: Any) -> None:
    """Add this module's commands."""
    parser = commands.add_parser("verify", help="check recordings: manifest, checksums, structure, gaps, continuity")
    parser.add_argument(
        "paths", type=Path, nargs="+", metavar="PATH", help="a recording file, or a folder of a device, session or more"
    )
    parser.add_argument("--json", action="store_true", help="print what was found of each file as JSON")
    parser.set_defaults(run=run_verify)

    parser = commands.add_parser("recover", help="finish what a kill left, make damaged files again from the journal")
    parser.add_argument("path", type=Path, metavar="PATH", help="a recording file, or a folder of a session or more")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    parser.set_defaults(run=run_recover)

    parser = commands.add_parser("pin", help="keep a recording from being deleted to make room")
    parser.add_argument("path", type=Path, metavar="PATH", help="a recording file, or a folder of a session or device")
    parser.add_argument("--remove", action="store_true", help="let it be deleted again")
    add_json_option(parser)
    parser.set_defaults(run=run_pin)


def run_verify(arguments: argparse.Namespace) -> int:
    """Check recordings; 1 where something is wrong."""
    # HDF5 and numpy take 0.3 s to load; the other commands do without.
    from spikedaq.recorder import verify  # noqa: PLC0415

    out = console()
    columns = (TextColumn("verify"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, disable=arguments.json or not out.is_terminal, transient=True) as progress:
        task = progress.add_task("verify", total=None)
        findings = verify(arguments.paths, lambda done, total: progress.update(task, completed=done, total=total))
    problems = [f for f in findings if f.is_problem]
    if arguments.json:
        print_json({"ok": not problems, "findings": [f.to_map() for f in findings]})
        return 1 if problems else 0
    for finding in findings:
        if finding.is_problem or finding.text:
            print(f"{finding.verdict.replace('_', ' ')}: {finding.path}: {finding.text}")
    counts = Counter(str(f.verdict) for f in findings)
    n_samples, n_bytes = sum(f.n_samples for f in findings), sum(f.n_bytes for f in findings)
    said = ", ".join(f"{n} {verdict.replace('_', ' ')}" for verdict, n in counts.items())
    print(f"{said}; {n_samples} samples, {bytes_text(n_bytes)} read")
    return 1 if problems else 0


def run_recover(arguments: argparse.Namespace) -> int:
    """Put recordings right; 1 where something could not be."""
    from spikedaq.recorder import recover  # noqa: PLC0415

    def show(deed: Deed) -> None:
        if not arguments.json:
            print(f"{deed.path}: {deed.text}", flush=True)

    deeds = recover(arguments.path, show)
    well = all(deed.is_well for deed in deeds)
    if arguments.json:
        print_json({"ok": well, "deeds": [deed.to_map() for deed in deeds]})
    elif not deeds:
        print(f"{arguments.path}: everything is in order, nothing was done")
    return 0 if well else 1


def run_pin(arguments: argparse.Namespace) -> int:
    """Pin a recording, or let it go."""
    from spikedaq.recorder import pin, unpin  # noqa: PLC0415

    path = arguments.path.absolute()
    mark = unpin(path) if arguments.remove else pin(path)
    if arguments.json:
        print_json({"path": str(path), "pinned": not arguments.remove, "mark": str(mark)})
        return 0
    print(f"{path} may be deleted to make room" if arguments.remove else f"{path} is kept, as {mark.name} says")
    return 0
