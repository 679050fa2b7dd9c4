"""Runs the process that reads recordings for the analysis page, and ends it where nobody waits for it any more."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Callable
from typing import Any

from spikedaq.model import StoreError

MAX_LINE_BYTES = 1 << 22
"""A list of parts of a long recording is one line."""
TIMEOUT_S = 300.0
_MODULE = "spikedaq.scope.analysis_reader"


async def read_in_child(
    request: dict[str, Any], *, show: Callable[[int, int], None] = lambda done, total: None, name: str = "the file"
) -> dict[str, Any]:
    """Have a request of `analysis_reader` done by a process of its own; cancelling ends that process.

    Parameters
    ----------
    request : map
        ``do`` and its arguments.
    show : callable, optional
        Called with what was read and what there is.
    name : str
        What the file is called in errors of this function.

    Raises
    ------
    StoreError
        What the reader found wrong; or it ended without a word, as on a file that was made to harm it, of which its
        stderr, which is ours, may say more; or it said more than `MAX_LINE_BYTES`.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        _MODULE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MAX_LINE_BYTES,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await _talk(process, request, show, name)
    except ValueError as error:
        raise StoreError(f"{name} has more parts than can be listed, or the reader of it talks nonsense") from error
    except TimeoutError as error:
        raise StoreError(f"{name} could not be read within {TIMEOUT_S:.0f} s; choose a shorter time range") from error
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # `wait` would wait for good for the end of a pipe whose reader has stopped at its limit; this reads it empty.
        await process.communicate()


async def _talk(
    process: asyncio.subprocess.Process, request: dict[str, Any], show: Callable[[int, int], None], name: str
) -> dict[str, Any]:
    if process.stdin is None or process.stdout is None:
        raise StoreError("the process that reads recordings has no pipes")
    with contextlib.suppress(ConnectionError):
        process.stdin.write(json.dumps(request).encode() + b"\n")
        await process.stdin.drain()
    while line := await process.stdout.readline():
        said = json.loads(line)
        if "text" in said:
            raise StoreError(said["text"])
        if "value" in said:
            value: dict[str, Any] = said["value"]
            return value
        show(said["done"], said["total"])
    code = await process.wait()
    how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    raise StoreError(f"{name} cannot be read: it ended the process that read it ({how}); is it damaged?")
