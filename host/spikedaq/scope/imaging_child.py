"""One imaging simulation for the page, in a process of its own: `python -m spikedaq.scope.imaging_child`.

It does what `spikedaq imaging` does. So it takes no time from the traces of the page server, and an HDF5 that fails on
a full disk ends this process only. The first line of stdin says what is wanted, further ones give orders; answers, and
how it goes, are lines of JSON on stdout. It ends with ``end``, or with its stdin.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spikedaq.analysis.imaging_settings import ImagingSettings
from spikedaq.formats.imaging import Simulation
from spikedaq.formats.imaging_files import Outputs
from spikedaq.formats.imaging_live import LiveImaging
from spikedaq.formats.imaging_place import beside_recording, dated, free, outputs_at
from spikedaq.inlet import Bench, connect
from spikedaq.keys import ClientKey
from spikedaq.lesson import ENDED
from spikedaq.model import ConfigError, SpikedaqError, StoreError
from spikedaq.scope.imaging_process import FILES_FAILED
from spikedaq.store import FileMeta

NAME = "imaging of the page"
STREAM = "imaging"
_TOLD_EVERY_S = 0.5
_RETRY_S = 2.0
_NICE = 5
_FILES_TOLD = 20
"""The newest: a board that reboots all the time begins another pair each time, and a line has a bound."""

Orders = queue.Queue[dict[str, Any]]


def main() -> int:
    """Simulate until stdin ends."""
    asked: dict[str, Any] = json.loads(sys.stdin.readline())
    orders: Orders = queue.Queue()
    # Ctrl-C in a terminal reaches the whole group; the page server ends this process in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: orders.put({"do": "end"}))
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICE)
    threading.Thread(target=_read, args=(orders,), daemon=True).start()
    return _Child(asked, orders).run()


def _read(orders: Orders) -> None:
    with contextlib.suppress(ValueError):
        for line in sys.stdin:
            orders.put(json.loads(line))
    orders.put({"do": "end"})


def say(what: dict[str, Any]) -> None:
    """Tell the page server; where it is gone, stdin ends, too."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(what), flush=True)


class _Child:
    def __init__(self, asked: dict[str, Any], orders: Orders) -> None:
        self._asked = asked
        self._orders = orders
        self._simulation = simulation_of(asked["simulation"])
        self._told_s = -math.inf
        self._was_open = False

    def run(self) -> int:
        asked = self._asked
        replace = bool(asked.get("replace"))
        while True:
            try:
                with connect(asked["url"], key=key_of(asked.get("key")), name=NAME) as bench:
                    self._simulate(bench, replace=replace or self._was_open)
            except StoreError as error:
                say({"failed": str(error)})
                sys.stdout.flush()
                # HDF5 may crash at the end of a process in which a write failed; what is on the disk is in order.
                os._exit(FILES_FAILED)
            except SpikedaqError as error:
                if not self._was_open:
                    say({"refused": str(error), "code": getattr(error, "code", "error")})
                    return 1
                say({"state": {"state": "waiting", "text": str(error)}})
                if self._is_ended_within(_RETRY_S):
                    return 0
            else:
                return 0

    def _simulate(self, bench: Bench, *, replace: bool) -> None:
        asked = self._asked
        nowhere = Outputs(None, None)
        with LiveImaging(bench, asked["device"], self._simulation, nowhere, stream=STREAM, replace=replace) as live:
            self._was_open = True
            self._tell(live)
            for _ in live.run():
                with contextlib.suppress(queue.Empty):
                    while True:
                        order = self._orders.get_nowait()
                        if order["do"] == "end":
                            live.stop_recording("stopped")
                            self._tell(live)
                            return
                        self._obey(live, bench, order)
                        self._tell(live)
                if time.monotonic() - self._told_s >= _TOLD_EVERY_S:
                    self._tell(live)

    def _obey(self, live: LiveImaging, bench: Bench, order: dict[str, Any]) -> None:
        try:
            value = self._do(live, bench, order)
        except StoreError as error:
            if live.is_recording or order["do"] != "record":
                raise  # a file could not be completed, of which HDF5 may crash later
            _answer(order, error)
        except SpikedaqError as error:
            _answer(order, error)
        else:
            say({"answer": order["n"], "ok": True, "value": value})

    def _do(self, live: LiveImaging, bench: Bench, order: dict[str, Any]) -> dict[str, Any]:
        if order["do"] == "change":
            simulation = simulation_of(order["simulation"])
            live.change(simulation)
            self._simulation = simulation
        elif order["do"] == "record":
            outputs, beside = place_of(bench, live.device, order.get("folder"))
            live.record(outputs, beside)
            return {"session": beside.session if beside else "", "files": [str(path) for path in outputs.paths]}
        elif order["do"] == "stop_recording":
            live.stop_recording("stopped")
        return {}

    def _tell(self, live: LiveImaging) -> None:
        self._told_s = time.monotonic()
        told: dict[str, Any] = {
            "state": "running",
            "text": "",
            "frames": live.frames,
            "unpublished": live.unpublished,
            "reason": live.publisher.reason,
            "unavailable": live.unavailable,
            "session": live.session,
            "files": [str(path) for path in live.written[-_FILES_TOLD:]],
        }
        say({"state": told})

    def _is_ended_within(self, seconds: float) -> bool:
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                order = self._orders.get(timeout=left_s)
                if order["do"] == "end":
                    return True
                _answer(order, ConfigError("the bench cannot be reached now; wait until it is back"))
        return False


def _answer(order: dict[str, Any], error: SpikedaqError) -> None:
    say({"answer": order["n"], "ok": False, "code": getattr(error, "code", "config"), "text": str(error)})


def simulation_of(said: dict[str, Any]) -> Simulation:
    """Return a simulation that came as `Simulation.described` tells it."""
    return Simulation(ImagingSettings(**said["settings"]), said["seed"], said["indicator"])


def place_of(bench: Bench, device: str, folder: str | None) -> tuple[Outputs, FileMeta | None]:
    """Return where to write: beside the recording of the device, else into the folder.

    Raises
    ------
    ConfigError
        There is neither.
    StoreError
        The folder cannot be made.
    """
    recording = bench.status()["recording"]
    is_on = recording and recording["state"] not in ENDED and device in recording["devices"]
    if is_on and (Path(recording["folder"]) / device).is_dir():
        return beside_recording(bench, device)
    if folder is None:
        raise ConfigError(
            f"there is no place for it on the page's computer: {device} is not being recorded there; record it, or "
            "start spikedaq scope with --imaging-folder DIR"
        )
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {folder}: {error.strerror}; choose another") from error
    return outputs_at(free(dated(Path(folder), bench.name, device, datetime.now(UTC)))), None


def key_of(said: Any) -> ClientKey | str | None:
    """Return a key that came as `imaging_process.key_to_map` tells it."""
    if not isinstance(said, dict):
        return said if isinstance(said, str) else None
    daemon = said["daemon"]
    public, secret = bytes.fromhex(said["public"]), bytes.fromhex(said["secret"])
    return ClientKey(said["name"], public, secret, bytes.fromhex(daemon) if daemon else None, said["source"])


if __name__ == "__main__":
    sys.exit(main())
