"""`spikedaq imaging` of a live device: follow it, compute, publish, and write while it runs."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.live import Live
from rich.text import Text

from spikedaq.cli.common import console, print_json
from spikedaq.formats.imaging import Simulation
from spikedaq.formats.imaging_files import Outputs
from spikedaq.formats.imaging_live import LiveImaging
from spikedaq.formats.imaging_place import beside_recording, dated, outputs_at
from spikedaq.inlet import Bench, connect
from spikedaq.model import ConfigError, StoreError
from spikedaq.store import FileMeta

_REDRAW_S = 0.25


def run_live(arguments: argparse.Namespace, simulation: Simulation) -> int:
    """Follow one device until Ctrl-C, SIGTERM or the time that was given."""
    with connect(arguments.url, key=arguments.key) as bench:
        device = _device(bench, arguments.device)
        outputs, beside = _outputs(arguments, bench, device)
        live = LiveImaging(
            bench, device, simulation, outputs, stream=arguments.stream, replace=arguments.replace, beside=beside
        )
        try:
            with live, contextlib.suppress(KeyboardInterrupt), _asked_to_end() as is_asked:
                _show(live, arguments, is_asked)
        except StoreError as error:
            # HDF5 may crash at the end of a process in which a write failed; what is on the disk is in order.
            print(f"spikedaq: {error}", file=sys.stderr, flush=True)
            live.publisher.close()
            sys.stdout.flush()
            os._exit(1)
        summary = live.summary()
        if arguments.json:
            print_json(summary)
        else:
            print(
                f"{live.frames} frames published, {live.unpublished} not"
                + (f" ({live.publisher.reason})" if live.unpublished else "")
            )
            for path in summary["files"]:
                print(f"  {path}")
    return 0


def _show(live: LiveImaging, arguments: argparse.Namespace, is_asked: Callable[[], bool]) -> None:
    end_s = None if arguments.seconds is None else time.monotonic() + arguments.seconds
    out = console()
    title = f"simulated imaging of {live.device} on {live.publisher.topic}; Ctrl-C ends"
    if arguments.json:
        print_json({"topic": live.publisher.topic, "device": live.device, **live.simulation.described()})
    elif not out.is_terminal:
        print(title, flush=True)
    with (
        Live(console=out, auto_refresh=False, transient=True)
        if out.is_terminal and not arguments.json
        else (contextlib.nullcontext()) as shown
    ):
        drawn_s = -_REDRAW_S
        for _ in live.run():
            if shown is not None and time.monotonic() - drawn_s >= _REDRAW_S:
                drawn_s = time.monotonic()
                shown.update(Text(f"{title}\n{live.line()}"), refresh=True)
            if is_asked() or (end_s is not None and time.monotonic() >= end_s):
                return


@contextlib.contextmanager
def _asked_to_end() -> Iterator[Callable[[], bool]]:
    """Yield what tells whether Ctrl-C or SIGTERM came: samples in the middle of their way are not lost to them.

    A second one interrupts whatever is going on.
    """
    asked: list[int] = []

    def take(number: int, _: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, take) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _device(bench: Bench, name: str | None) -> str:
    if name is not None:
        return name
    names = bench.devices
    if len(names) != 1:
        have = ", ".join(names) or "none; plug a board in"
        raise ConfigError(f"which device? name one with --device; the bench {bench.name} has {have}")
    return names[0]


def _outputs(arguments: argparse.Namespace, bench: Bench, device: str) -> tuple[Outputs, FileMeta | None]:
    """Return where to write while it runs, and what the recording beside it says of itself."""
    out: Path | None = arguments.out
    if arguments.record and out is not None:
        raise ConfigError("--record and --out are two places; give one of them")
    if arguments.record:
        return beside_recording(bench, device, overwrite=arguments.overwrite)
    if out is None:
        return Outputs(None, None), None
    if out.is_dir():
        return outputs_at(dated(out, bench.name, device, datetime.now(UTC)), overwrite=arguments.overwrite), None
    if out.suffix in (".nwb", ".csv"):
        nwb, csv = (out, None) if out.suffix == ".nwb" else (None, out)
        return Outputs(nwb, csv, arguments.overwrite, whole=False), None
    raise ConfigError(f"{out} is not a folder; create it first, or give a name that ends in .nwb or .csv")
