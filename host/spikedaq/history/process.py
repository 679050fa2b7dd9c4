"""The process itself: one socket, answered until its standard input ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from spikedaq.history.requests import Requests
from spikedaq.keys import KeyRing
from spikedaq.library import LibraryConfig
from spikedaq.memory import keep_returning, leave_start_out
from spikedaq.model import ConfigError
from spikedaq.outlet import ControlServer, Gate

EXIT_ENDED, EXIT_CONFIG = 0, 2
MAX_REQUESTS = 32
"""Worked on at a time, over all clients: what waits for new data, mostly. More are refused as ``busy``."""
MAX_PER_CLIENT = 8
"""Of them by one client, so that one that asks for much leaves room for others. All programs of a user on one computer
count as one, and what they ask for at the same moment does."""
BEAT_S = 1.0
"""So often it says that it is alive; its daemon ends one that does not for long."""
_NICENESS = 5
"""The boards come first: whoever reads up on the past may wait."""


def serve(
    folder: Path,
    bench: str,
    endpoints: Sequence[str],
    keys: Path | None = None,
    library: LibraryConfig | None = None,
) -> int:
    """Serve until stdin ends; say the endpoint, the first that can be bound, as one JSON line on stdout.

    Parameters
    ----------
    keys : Path, optional
        The daemon's key folder, if it demands keys; whoever may watch may read the past.
    library : LibraryConfig, optional
        Where recordings are, which are told of then, too.

    Returns
    -------
    int
        0, or 2 where no endpoint can be bound.
    """
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    leave_start_out()
    try:
        return asyncio.run(_serve(Requests(folder, bench, library), endpoints, keys))
    except ConfigError as error:
        sys.stderr.write(f"spikedaq history: {error}\n")
        return EXIT_CONFIG


async def _serve(requests: Requests, endpoints: Sequence[str], keys: Path | None) -> int:
    server = _bind(endpoints, requests, Gate(KeyRing(keys)) if keys else None)
    sys.stdout.write(json.dumps({"endpoint": server.endpoint}) + "\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stdin_came() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            ended.set()

    loop.add_reader(0, stdin_came)
    serving = asyncio.create_task(server.run(), name="history")
    beating = asyncio.create_task(_beat(), name="beat")
    returning = asyncio.create_task(keep_returning(), name="memory")
    await asyncio.wait([serving, asyncio.create_task(ended.wait())], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    for task in (serving, beating, returning):
        task.cancel()
    await asyncio.gather(serving, beating, returning, return_exceptions=True)
    await requests.close()
    return EXIT_ENDED


async def _beat() -> None:
    """Say again and again that this process answers; a daemon that reads nothing any more holds nothing up."""
    if os.isatty(1):
        return  # somebody tries it by hand
    os.set_blocking(1, False)
    while True:
        await asyncio.sleep(BEAT_S)
        with contextlib.suppress(OSError):
            os.write(1, b"\n")


def _bind(endpoints: Sequence[str], requests: Requests, gate: Gate | None) -> ControlServer:
    def at(endpoint: str) -> ControlServer:
        return ControlServer(
            endpoint, requests.handle, gate=gate, max_requests=MAX_REQUESTS, max_per_client=MAX_PER_CLIENT
        )

    for endpoint in endpoints[:-1]:
        with contextlib.suppress(ConfigError):
            return at(endpoint)
    return at(endpoints[-1])
