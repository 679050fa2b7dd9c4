"""`spikedaq class`: one session on all boards of all benches, on one clock, and one address for all who watch."""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from spikedaq.cli.common import add_json_option, add_url_option, console, print_json
from spikedaq.cli.qr import qr_lines
from spikedaq.cli.record import RECORD_TIMEOUT_S
from spikedaq.inlet import ClockReading, ControlClient, control_url, read_clock
from spikedaq.link import host_now_ns
from spikedaq.model import CommandRejected, CommandTimeout, ConfigError, SpikedaqError, StoreError, check_session_name

_ENDED = ("complete", "interrupted")
_LOOPBACK = ("127.", "[::1]", "localhost")


@dataclass(slots=True)
class Seat:
    """One bench of the class.

    Attributes
    ----------
    devices : list of str
        What is recorded there.
    reading : ClockReading or None
        Its clock against ours as the session began.
    """

    url: str
    bench: str
    publish: str
    devices: list[str]
    reading: ClockReading | None = None


def add_commands(commands: Any) -> None:
    """Add this module's commands."""
    group = commands.add_parser("class", help="record one session on all boards of several benches, on one clock")
    actions = group.add_subparsers(metavar="start|stop|address", required=True)

    parser = actions.add_parser("start", help="start the session everywhere or nowhere; print the students' address")
    parser.add_argument("session", metavar="NAME", help="letters, digits, '.', '_' and '-'")
    parser.add_argument("--without", action="append", default=[], metavar="BENCH/DEVICE", help="leave this board out")
    parser.add_argument("--notes", default="", help="free text that goes into the files")
    parser.add_argument("--no-qr", action="store_true", help="print no QR code")
    _add_bench_options(parser)
    parser.set_defaults(run=run_start)

    parser = actions.add_parser("stop", help="stop the session everywhere")
    parser.add_argument("session", nargs="?", metavar="NAME", help="default: the one that was started from here")
    _add_bench_options(parser)
    parser.set_defaults(run=run_stop)

    parser = actions.add_parser("address", help="print the students' address again")
    parser.add_argument("--no-qr", action="store_true", help="print no QR code")
    _add_bench_options(parser)
    parser.set_defaults(run=run_address)


def _add_bench_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bench", action="append", default=[], metavar="ADDRESS", help="another bench (again for more)"
    )
    parser.add_argument("--list", type=Path, metavar="FILE", help="benches, one address a line; '#' begins a remark")
    add_url_option(parser)
    add_json_option(parser)


# ---- which benches ----


def addresses(arguments: argparse.Namespace) -> list[str]:
    """Return the benches asked for, this computer's first; that one only where it is asked for or answers."""
    given = [_address(text) for text in arguments.bench]
    if arguments.list is not None:
        try:
            lines = arguments.list.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the list of benches {arguments.list} cannot be read ({error})") from error
        given += [_address(text) for line in lines if (text := line.partition("#")[0].strip())]
    own = control_url(arguments.url)
    if arguments.url is not None or not given or _answers(own, arguments):
        given.insert(0, own)
    return list(dict.fromkeys(given))


def _address(text: str) -> str:
    """Complete ``lab3`` and ``lab3:5571`` to an endpoint."""
    if "://" in text:
        return text
    return f"tcp://{text}" if text.rpartition(":")[2].isdecimal() and ":" in text else f"tcp://{text}:5571"


def _answers(url: str, arguments: argparse.Namespace) -> bool:
    try:
        with ControlClient(url, key=arguments.key, timeout_s=2.0) as client:
            client.call("hello")
    except CommandTimeout:
        return False
    return True


def _seat(url: str, arguments: argparse.Namespace) -> Seat:
    with ControlClient(url, key=arguments.key) as client:
        hello, entries = client.call("hello"), client.call("list")
        recording = client.call("record_status")
    if recording is not None and recording["state"] not in _ENDED:
        raise CommandRejected(f"bench {hello['bench']} records session {recording['session']!r} already", code="busy")
    without = {text.partition("/")[2] for text in arguments.without if text.partition("/")[0] == hello["bench"]}
    wanted = [e for e in entries if e.get("record", True) and e["name"] not in without]
    wanted = [e for e in wanted if e.get("configured", True) or e.get("port")]
    absent = [
        f"{e['name']} is {e['state']} ({e['detail'] or 'no reason given'})" for e in wanted if e["state"] != "running"
    ]
    if absent:
        text = f"bench {hello['bench']}: {'; '.join(absent)}; leave it out with --without {hello['bench']}/DEVICE"
        raise CommandRejected(text, code="not_running")
    if not wanted:
        raise CommandRejected(f"bench {hello['bench']} at {url} has no board to record", code="not_running")
    return Seat(url, hello["bench"], hello["publish"], [e["name"] for e in wanted])


def _everywhere(seats: list[Any], do: Any) -> list[Any]:
    """Do something at all benches at once; what fails is returned in its place."""

    def tried(seat: Any) -> Any:
        try:
            return do(seat)
        except SpikedaqError as error:
            return error

    with ThreadPoolExecutor(max_workers=max(1, len(seats))) as pool:
        return list(pool.map(tried, seats))


# ---- what is done ----


def run_start(arguments: argparse.Namespace) -> int:
    """Start the session on all benches, or on none."""
    session = check_session_name(arguments.session)
    urls = addresses(arguments)
    seats = _everywhere(urls, lambda url: _seat(url, arguments))
    problems = [f"{url}: {found}" for url, found in zip(urls, seats, strict=True) if isinstance(found, SpikedaqError)]
    names = [seat.bench for seat in seats if isinstance(seat, Seat)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        problems.append(f"several benches are called {', '.join(twice)}; give each its own name (bench = ...)")
    if problems:
        raise CommandRejected(f"the class was not started, nothing records: {'; '.join(problems)}", code="not_ready")
    reference_utc_ns, reference_ns = time.time_ns(), host_now_ns()
    begun = _everywhere(seats, lambda seat: _begin(seat, session, arguments, reference_utc_ns, reference_ns))
    failed = [f"{s.bench}: {r}" for s, r in zip(seats, begun, strict=True) if isinstance(r, SpikedaqError)]
    if failed:
        recording = [s for s, r in zip(seats, begun, strict=True) if not isinstance(r, SpikedaqError)]
        _everywhere(recording, lambda seat: _end(seat, session, arguments))
        left = f"; its first seconds were recorded on {', '.join(s.bench for s in recording)}" if recording else ""
        raise CommandRejected(f"the class was not started: {'; '.join(failed)}{left}", code="not_started")
    _save(session, seats, reference_utc_ns, reference_ns)
    address = students_address(seats)
    if arguments.json:
        print_json({"session": session, "address": address, "benches": [asdict(seat) for seat in seats]})
        return 0
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
    _print_address(address, with_qr=not arguments.no_qr)
    out.print("end it with: spikedaq class stop")
    return 0


def _begin(seat: Seat, session: str, arguments: argparse.Namespace, utc_ns: int, ours_ns: int) -> dict[str, Any]:
    with ControlClient(seat.url, key=arguments.key) as client:
        seat.reading = read_clock(client, host_now_ns)
        reference = {"utc_ns": utc_ns, "host_ns": seat.reading.theirs_at(ours_ns)}
        status: dict[str, Any] = client.call(
            "record_start",
            session=session,
            devices=seat.devices,
            notes=arguments.notes,
            reference=reference,
            timeout_s=RECORD_TIMEOUT_S,
        )
        known = seat.reading.uncertainty_ns / 1e6
        client.call(
            "note", text=f"class {session}: times count from an instant on one computer's clock, within {known:.3f} ms"
        )
    return status


def run_stop(arguments: argparse.Namespace) -> int:
    """Stop the session on all benches."""
    saved = _load()
    session = arguments.session or saved.get("session")
    if session is None:
        raise CommandRejected("no class was started from here; give the session's NAME and the benches", code="unknown")
    known = {entry["url"]: entry for entry in saved.get("benches", ())} if saved.get("session") == session else {}
    given = arguments.bench or arguments.list is not None or arguments.url is not None or not known
    urls = addresses(arguments) if given else list(known)
    seats = [Seat(url, known.get(url, {}).get("bench", url), "", []) for url in urls]
    drifts: dict[str, int] = {}

    def end(seat: Seat) -> dict[str, Any]:
        entry = known.get(seat.url, {}).get("reading")
        if entry is not None and saved.get("boot") == _boot_id():
            drifts[seat.url] = _drift(seat, ClockReading(**entry), arguments)
        return _end(seat, session, arguments)

    ended = _everywhere(seats, end)
    failed = [f"{s.bench}: {r}" for s, r in zip(seats, ended, strict=True) if isinstance(r, SpikedaqError)]
    done = {s: r for s, r in zip(urls, ended, strict=True) if not isinstance(r, SpikedaqError)}
    if arguments.json:
        benches = [{"url": url, "drift_ns": drifts.get(url), **status} for url, status in done.items()]
        print_json({"session": session, "benches": benches, "failed": failed})
    else:
        for url, status in done.items():
            moved = f", its clock moved by {drifts[url] / 1e6:+.2f} ms meanwhile" if url in drifts else ""
            name = known.get(url, {}).get("bench", url)
            print(f"{name}: {status['state']}, {status['folder']}{moved}")
    if failed:
        raise CommandRejected(f"not stopped everywhere, call it again: {'; '.join(failed)}", code="not_stopped")
    _state_path().unlink(missing_ok=True)
    return 0


def _drift(seat: Seat, before: ClockReading, arguments: argparse.Namespace) -> int:
    """Return how far a bench's clock has moved against ours since the start, and put it into its files."""
    with ControlClient(seat.url, key=arguments.key) as client:
        now = read_clock(client, host_now_ns)
        drift_ns = now.theirs_ns - before.theirs_at(now.ours_ns)
        known_ms = (now.uncertainty_ns + before.uncertainty_ns) / 1e6
        client.call(
            "note", text=f"this computer's clock moved by {drift_ns / 1e6:+.3f} ms (±{known_ms:.3f}) since the start"
        )
    return drift_ns


def _end(seat: Seat, session: str, arguments: argparse.Namespace) -> dict[str, Any]:
    with ControlClient(seat.url, key=arguments.key) as client:
        status: dict[str, Any] = client.call("record_stop", session=session, timeout_s=RECORD_TIMEOUT_S)
    return status


# ---- the students' address ----


def run_address(arguments: argparse.Namespace) -> int:
    """Print the address again."""
    address = None
    for url in addresses(arguments):
        with ControlClient(url, key=arguments.key) as client:
            hello = client.call("hello")
        address = students_address([Seat(url, hello["bench"], hello["publish"], [])])
        break
    if address is None:
        raise CommandRejected("there is no bench", code="absent")
    if arguments.json:
        print_json({"address": address})
        return 0
    _print_address(address, with_qr=not arguments.no_qr)
    return 0


def students_address(seats: list[Seat]) -> str:
    """Return the one address that students need.

    Today this is the control endpoint of the first bench, which observers may use. Once a bench serves a page for
    browsers, its address belongs here.
    """
    return seats[0].url


def _print_address(address: str, *, with_qr: bool) -> None:
    print(f"students watch at: {address}")
    if any(part in address for part in _LOOPBACK) or not address.startswith("tcp://"):
        print("  (only from this computer: for others bind an address of the network, with keys: spikedaq keys)")
    for line in qr_lines(address) if with_qr else ():
        print(line)


# ---- what is remembered between start and stop ----


def _state_path() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "spikedaq" / "class.json"


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def _save(session: str, seats: list[Seat], utc_ns: int, ours_ns: int) -> None:
    path = _state_path()
    started = datetime.fromtimestamp(utc_ns / 1e9, UTC).isoformat()
    value = {"session": session, "started": started, "reference_ns": ours_ns, "boot": _boot_id()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**value, "benches": [asdict(seat) for seat in seats]}, indent=1), "utf-8")
    except OSError as error:
        print(f"note: {path} cannot be written ({error.strerror}); stop with the same --bench or --list options")


def _load() -> dict[str, Any]:
    path = _state_path()
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}); remove it, and name session and benches") from error
    return value if isinstance(value, dict) else {}
