"""`spikedaq class`: one session on all boards of all benches, on one clock, and one address for all who watch."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from spikedaq.cli import lesson_state
from spikedaq.cli.common import console, print_json
from spikedaq.cli.lesson_address import StudentsAddress, print_address
from spikedaq.cli.lesson_benches import add_bench_options, addresses, is_named
from spikedaq.cli.lesson_found import remember_benches
from spikedaq.cli.lesson_page import end_pages, served_page
from spikedaq.cli.lesson_serve import LISTEN
from spikedaq.cli.lesson_serve import add_action as add_serve
from spikedaq.cli.lesson_shown import show_page
from spikedaq.inlet import ClockReading, ControlClient
from spikedaq.journal import read_host_boot_id
from spikedaq.lesson import Lesson, Seat, begin_everywhere, end, everywhere, note_drift, ready_seats
from spikedaq.link import host_now_ns
from spikedaq.model import CommandRejected, ConfigError, SpikedaqError, StoreError, check_session_name


def add_commands(commands: Any) -> None:
    """Add this module's commands."""
    group = commands.add_parser("class", help="record one session on all boards of several benches, on one clock")
    actions = group.add_subparsers(metavar="start|stop|address|serve", required=True)

    parser = actions.add_parser("start", help="start the session everywhere or nowhere; print the students' address")
    parser.add_argument("session", metavar="NAME", help="letters, digits, '.', '_' and '-'")
    parser.add_argument("--without", action="append", default=[], metavar="BENCH/DEVICE", help="leave this board out")
    parser.add_argument("--notes", default="", help="free text that goes into the files")
    parser.add_argument(
        "--no-page", action="store_true", help="serve no page for the students until the class is stopped"
    )
    parser.add_argument("--listen", default=LISTEN, metavar="HOST:PORT", help=f"where the page is, default: {LISTEN}")
    parser.add_argument("--no-qr", action="store_true", help="print no QR code")
    add_bench_options(parser)
    parser.set_defaults(run=run_start)

    parser = actions.add_parser("stop", help="stop the session everywhere")
    parser.add_argument("session", nargs="?", metavar="NAME", help="default: the one that was started from here")
    add_bench_options(parser)
    parser.set_defaults(run=run_stop)

    parser = actions.add_parser("address", help="print the students' address again")
    parser.add_argument("--no-qr", action="store_true", help="print no QR code")
    add_bench_options(parser)
    parser.set_defaults(run=run_address)

    add_serve(actions)


def run_start(arguments: argparse.Namespace) -> int:
    """Start the session on all benches, or on none."""
    session = check_session_name(arguments.session)
    remedy = "leave it out with --without {bench}/DEVICE"
    seats = ready_seats(addresses(arguments), arguments.without, key=arguments.key, remedy=remedy)
    _check_without(arguments.without, seats)
    lesson = Lesson(session, arguments.notes, arguments.key, utc_ns=time.time_ns(), ours_ns=host_now_ns())
    try:
        before = lesson_state.load()
    except StoreError:
        before = {}
    # Before anything records: whatever becomes of this, `class stop` knows where.
    _remember(lesson_state.of_lesson(lesson, seats))
    try:
        begin_everywhere(seats, lesson)
    except CommandRejected as error:
        if error.code == "not_started":
            _remember(before)
        raise
    _remember(lesson_state.of_lesson(lesson, seats))
    remember_benches([seat.url for seat in seats])
    for seat in seats:
        if seat.remark:
            _warn(f"{seat.bench}: {seat.remark}")
    address = StudentsAddress(_page(seats, arguments), tuple(seat.url for seat in seats if seat.demands_key))
    if arguments.json:
        benches = [seat.to_map() for seat in seats]
        print_json({"session": session, **address.to_map(), "benches": benches})
    else:
        _show(session, seats)
        print_address(address, with_qr=not arguments.no_qr)
        print("end it with: spikedaq class stop")
    return 0


def _page(seats: Sequence[Seat], arguments: argparse.Namespace) -> str | None:
    """Return the students' address: of the page that shows these benches already, else of one that is served now."""
    urls = [seat.url for seat in seats]
    served = served_page(urls)
    if served is not None:
        return served.address
    if arguments.no_page:
        return None
    try:
        return show_page(urls, listen=arguments.listen, key=arguments.key)
    except ConfigError as error:
        _warn(f"it is being recorded, but without a page for the students: {error}")
        return None


def _check_without(without: Sequence[str], seats: Sequence[Seat]) -> None:
    """Refuse to leave out what is on no bench: it would be recorded, and nobody would know."""
    names = [seat.bench for seat in seats]
    for text in without:
        bench, slash, device = text.partition("/")
        if not (slash and device):
            raise CommandRejected(f"--without {text!r} is not BENCH/DEVICE", code="bad_arguments")
        if bench not in names:
            problem = f"no bench of the class is called {bench!r}; there are {', '.join(names)}"
            raise CommandRejected(f"--without {text}: {problem}", code="unknown_device")


def _remember(value: dict[str, Any]) -> None:
    try:
        lesson_state.save(value)
    except StoreError as error:
        _warn(str(error))


def _warn(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


def _show(session: str, seats: Sequence[Seat]) -> None:
    out = console()
    table = Table(box=None, pad_edge=False)
    for heading in ("bench", "devices", "clock", "address"):
        table.add_column(heading)
    for seat in seats:
        known = f"±{seat.reading.uncertainty_ns / 1e6:.2f} ms" if seat.reading else "-"
        table.add_row(seat.bench, ", ".join(seat.devices), known, seat.url)
    boards = sum(len(seat.devices) for seat in seats)
    out.print(f"session {session} is being recorded: {boards} boards on {len(seats)} benches")
    out.print(table)


def run_stop(arguments: argparse.Namespace) -> int:
    """Stop the session on all benches."""
    saved = lesson_state.load()
    session = arguments.session or saved.get("session")
    if session is None:
        raise CommandRejected("no class was started from here; give the session's NAME and the benches", code="unknown")
    known = {entry["url"]: entry for entry in saved.get("benches", ())} if saved.get("session") == session else {}
    is_found = not is_named(arguments) and not known
    urls = list(known) if known and not is_named(arguments) else addresses(arguments)
    seats = [Seat(url, known.get(url, {}).get("bench", url), "", []) for url in urls]
    drifts: dict[str, int] = {}
    reference_ns = saved["reference_ns"] if type(saved.get("reference_ns")) is int else None

    def stop(seat: Seat) -> dict[str, Any] | None:
        reading = known.get(seat.url, {}).get("reading")
        if reading is not None and saved.get("boot") == read_host_boot_id():
            drift_ns, seat.remark = note_drift(
                seat, session, ClockReading(**reading), arguments.key, reference_ns=reference_ns
            )
            if drift_ns is not None:
                drifts[seat.url] = drift_ns
        return end(seat, session, arguments.key, is_ours=is_found or seat.url in known)

    ended = list(zip(seats, everywhere(seats, stop), strict=True))
    failed = [f"{seat.bench}: {result}" for seat, result in ended if isinstance(result, SpikedaqError)]
    done = [(seat, result) for seat, result in ended if not isinstance(result, SpikedaqError)]
    for seat in seats:
        if seat.remark:
            _warn(f"{seat.bench}: {seat.remark}")
    if is_found and not failed and all(status is None for _, status in done):
        asked = ", ".join(urls)
        raise CommandRejected(f"session {session} is at none of the benches that are known: {asked}", code="unknown")
    if arguments.json:
        absent = {"session": session, "state": "absent", "folder": ""}
        benches = [{"url": seat.url, "drift_ns": drifts.get(seat.url), **(status or absent)} for seat, status in done]
        print_json({"session": session, "benches": benches, "failed": failed})
    else:
        for seat, status in done:
            print(_ended_text(seat, session, status, drifts.get(seat.url)))
    if failed:
        raise CommandRejected(f"not stopped everywhere, call it again: {'; '.join(failed)}", code="not_stopped")
    if known and {seat.url for seat in seats} >= set(known):
        lesson_state.save({})
        end_pages()
    _check_complete(done)
    return 0


def _check_complete(done: Sequence[tuple[Seat, dict[str, Any] | None]]) -> None:
    """Refuse to call a session stopped well that had ended before it was stopped."""
    broken = [
        f"{seat.bench} ({_cut_text(status)})" for seat, status in done if status and status["state"] == "interrupted"
    ]
    if broken:
        text = (
            f"the session was interrupted on {', '.join(broken)}; what was recorded until then is in that folder: "
            "look at it, on that bench's computer, with 'spikedaq verify FOLDER', and for the cause at the daemon's log"
        )
        raise CommandRejected(text, code="interrupted")


def _cut_text(status: dict[str, Any]) -> str:
    return ", ".join(text for text in (status.get("reason") or "", status["folder"]) if text)


def _ended_text(seat: Seat, session: str, status: dict[str, Any] | None, drift_ns: int | None) -> str:
    if status is None:
        return f"{seat.bench}: knows no session {session} (any more); spikedaq status --url {seat.url} tells more"
    moved = "" if drift_ns is None else f", its clock moved by {drift_ns / 1e6:+.2f} ms meanwhile"
    return f"{seat.bench}: {status['state']}, {status['folder']}{moved}"


def run_address(arguments: argparse.Namespace) -> int:
    """Print the address again: of the page that is served, else of the benches that may be watched with a key."""
    served = served_page(addresses(arguments) if is_named(arguments) else None)
    with_key: list[str] = []
    if served is None:
        urls = addresses(arguments)
        demand = everywhere(urls, lambda url: _demands_key(url, arguments.key))
        failed = [each for each in demand if isinstance(each, SpikedaqError)]
        if len(failed) == len(urls):
            raise failed[0]
        with_key = [url for url, each in zip(urls, demand, strict=True) if each is True]
    address = StudentsAddress(None if served is None else served.address, tuple(with_key))
    if arguments.json:
        print_json(address.to_map())
    else:
        print_address(address, with_qr=not arguments.no_qr)
    return 0


def _demands_key(url: str, key: str | None) -> bool:
    with ControlClient(url, key=key) as client:
        client.call("hello")
        return client.key is not None
