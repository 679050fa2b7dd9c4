"""`spikedaq demo`: a virtual bench, a daemon, a recording and the web page, with one command."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from spikedaq.bus import FileStatus, RecordingStatus
from spikedaq.cli.child import DaemonChild
from spikedaq.cli.common import bytes_text, console, gaps_text, positive_seconds
from spikedaq.cli.served_page import PORT, has_browser, open_page, served_page
from spikedaq.cli.watch import watch
from spikedaq.inlet import RECORD_TIMEOUT_S, ControlClient, connect
from spikedaq.lesson import ENDED
from spikedaq.model import CommandError, ConfigError

DEFAULT_RATE_HZ = 10000
DEVICES_TIMEOUT_S = 20.0
_POLL_S = 0.1


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser(
        "demo", help="a virtual bench, the daemon, a recording and the web page; Ctrl-C ends it"
    )
    parser.add_argument("--data", type=Path, default=Path("demo-data"), metavar="DIR", help="default: demo-data")
    parser.add_argument("--seconds", type=positive_seconds, metavar="N", help="end by itself after this long")
    parser.add_argument("--synapses", action="store_true", help="three neurons: one excites, one inhibits the third")
    parser.add_argument("--rate", type=rate, default=DEFAULT_RATE_HZ, metavar="HZ", help="samples per second (10000)")
    parser.add_argument("--no-record", action="store_true", help="only look, or record with the page")
    parser.add_argument("--no-page", action="store_true", help="only this terminal")
    parser.add_argument("--no-open", action="store_true", help="do not open the page in this computer's browser")
    parser.add_argument(
        "--port", type=port_number, default=PORT, metavar="N", help=f"of the page (default: {PORT}, else a free one)"
    )
    parser.set_defaults(run=run_demo)


def rate(text: str) -> int:
    """Read a sampling rate that divides a second into whole microseconds."""
    if not text.isdecimal() or not 1 <= int(text) <= 100_000 or 1_000_000 % int(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a possible rate; use a divisor of 1000000 up to 100000, such as 10000, 5000 or 500"
        )
    return int(text)


def port_number(text: str) -> int:
    """Read a TCP port, 0 for any that is free."""
    if not (text.isascii() and text.isdecimal()) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; use a number from 0 (any that is free) to 65535")
    return int(text)


def demo_devices(*, rate_hz: int, synapses: bool, sockets: Path) -> dict[str, str]:
    """Return the link URLs of the demo's virtual devices; currents are those at which each preset spikes."""
    common = f"rate={rate_hz}"
    if not synapses:
        return {
            "alpha": f"sim:alpha?preset=0&param.i_clamp=15&seed=1&{common}",
            "beta": f"sim:beta?preset=2&param.i_clamp=15&param.noise_sd=1&seed=2&{common}",
        }
    exciting, inhibiting = sockets / "exc.axon", sockets / "inh.axon"
    # The target rests just below its threshold; a spike of `exc` lifts it over, one of `inh` keeps it down.
    return {
        "target": f"sim:target?preset=0&param.i_clamp=2&param.syn1_gain=10&param.syn2_gain=-10&seed=3"
        f"&syn1={exciting}&syn2={inhibiting}&{common}",
        "exc": f"sim:exc?preset=0&param.i_clamp=15&seed=4&axon={exciting}&{common}",
        "inh": f"sim:inh?preset=2&param.i_clamp=10&seed=5&axon={inhibiting}&{common}",
    }


def run_demo(arguments: argparse.Namespace) -> int:
    """Run the demo."""
    out = console()
    data = arguments.data.absolute()
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(ended_by_signals())
        sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spikedaq-")))
        devices = demo_devices(rate_hz=arguments.rate, synapses=arguments.synapses, sockets=sockets)
        _say(out, f"starting {len(devices)} virtual Spikelings at {arguments.rate} Hz and the daemon, data in {data}")
        daemon = stack.enter_context(DaemonChild(data=data, bench="demo", devices=devices))
        daemon.wait_until_ready(stop.is_set)
        _wait_until_running(daemon, list(devices), stop)
        if not stop.is_set() and not arguments.no_record:
            _begin_recording(out, daemon.client)
        with contextlib.ExitStack() as shown:
            page = None if stop.is_set() or arguments.no_page else _serve_page(out, shown, daemon, arguments)
            _show(out, daemon, stop, arguments.seconds, page)
            _say(out, "ending ...")
        recording = _end_recording(daemon.client)
        daemon.end()
    if recording is not None:
        for line in closing_lines(RecordingStatus.from_map(recording)):
            _say(out, line)
    return 0


def _serve_page(
    out: Console, stack: contextlib.ExitStack, daemon: DaemonChild, arguments: argparse.Namespace
) -> str | None:
    """Serve the page and open it where there is a browser; without it this terminal shows the bench."""
    try:
        page = stack.enter_context(
            served_page([daemon.url], log_path=daemon.log_path.with_name("scope.log"), port=arguments.port)
        )
    except ConfigError as error:
        _say(out, f"without the page in a browser: {error}")
        return None
    _say(out, f"the page is at {page}")
    if not arguments.no_open and out.is_terminal and has_browser():
        open_page(page)
    return page


def _begin_recording(out: Console, client: ControlClient) -> None:
    left = client.call("record_status")
    if left is not None and left["state"] not in ENDED:
        # It may be of other devices than today's.
        _say(out, f"ending session {left['session']}, which a demo that was killed has left in {left['folder']}")
        _end_recording(client)
    session = f"{datetime.now(UTC):%Y-%m-%d_%H%M%S}"
    begun = client.call("record_start", session=session, notes="spikedaq demo", timeout_s=RECORD_TIMEOUT_S)
    _say(out, f"recording session {session} into {begun['folder']}")


def _end_recording(client: ControlClient) -> dict[str, Any] | None:
    """End whatever is being recorded: the page may have ended our recording, and begun another."""
    status: dict[str, Any] | None = client.call("record_status")
    if status is None or status["state"] in ENDED:
        return status
    ended: dict[str, Any] = client.call("record_stop", timeout_s=RECORD_TIMEOUT_S)
    return ended


def _show(out: Console, daemon: DaemonChild, stop: threading.Event, seconds: float | None, page: str | None) -> None:
    end_s = None if seconds is None else time.monotonic() + seconds

    def until() -> bool:
        daemon.check_alive()
        return stop.is_set() or (end_s is not None and time.monotonic() >= end_s)

    _say(out, f"elsewhere: SPIKEDAQ_URL={daemon.url} {command_name()} status")
    started_s = time.monotonic()
    where = "" if page is None else f"page: {page}, "
    with connect(daemon.url) as bench:
        watch(bench, out, until=until, title=lambda: f"{where}{time.monotonic() - started_s:.0f} s; Ctrl-C ends")


def _wait_until_running(daemon: DaemonChild, names: list[str], stop: threading.Event) -> None:
    end_s = time.monotonic() + DEVICES_TIMEOUT_S
    while not stop.is_set():
        daemon.check_alive()
        entries = {entry["name"]: entry for entry in daemon.client.call("list")}
        waiting = [name for name in names if entries.get(name, {}).get("state") != "running"]
        if not waiting:
            return
        refused = [name for name in waiting if entries.get(name, {}).get("state") == "refused"]
        if refused or time.monotonic() > end_s:
            name = (refused or waiting)[0]
            entry = entries.get(name, {})
            raise CommandError(
                f"device {name!r} does not run, it is {entry.get('state', 'absent')}: "
                f"{entry.get('detail') or 'no reason given'}; the daemon's log is {daemon.log_path}"
            )
        stop.wait(_POLL_S)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C, a hang-up or a TERM sets; what is going on is then ended in order."""
    stop = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in signals}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def closing_lines(recording: RecordingStatus) -> list[str]:
    """Return what to say at the end: what was recorded, and how to open it."""
    lines = [f"session {recording.session} is {recording.state}: {recording.folder}"]
    files = {name: FileStatus.from_map(entry) for name, entry in recording.devices.items()}
    for name, file in files.items():
        said = f"  {name}: {file.samples} samples, gaps {gaps_text(file.gaps)}, {bytes_text(file.bytes)}"
        lines.append(f"{said}, {file.error}" if file.error else said)
    paths = [file.file for file in files.values() if file.file]
    if not paths:
        return [*lines, "no file was written: the recording ended before the first sample"]
    program = command_name()
    return [
        *lines,
        "",
        "Open it in Python:",
        f'  path = "{paths[0]}"',
        '  import h5py; vm = h5py.File(path)["acquisition/vm/data"][:]          # microvolts',
        '  from pynwb import NWBHDF5IO; print(NWBHDF5IO(path, "r").read())      # needs: pip install pynwb',
        "as the stock CSV:",
        f"  {program} export {shlex.quote(recording.folder)}",
        "or look inside (Debian package hdf5-tools):",
        f"  h5dump -n {shlex.quote(paths[0])}",
    ]


def command_name() -> str:
    """Return how this command can be typed again: by name where the PATH leads here, else by path."""
    program = Path(sys.argv[0])
    if program.name != "spikedaq":
        return f"{shlex.quote(sys.executable)} -m spikedaq.cli"
    found = shutil.which("spikedaq")
    if found is not None and program.exists() and Path(found).samefile(program):
        return "spikedaq"
    return shlex.quote(str(program.absolute()))


def _say(out: Console, line: str) -> None:
    # Paths may be longer than a line and may hold what rich would take for markup; both must be printed as they are.
    out.print(line, markup=False, soft_wrap=True)
