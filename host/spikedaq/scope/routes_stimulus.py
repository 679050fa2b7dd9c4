"""Stimulus waveforms for the page: the table of generators, previews, rows, and the stock CSV both ways.

Nothing here touches a device: the page sends the rows itself, through its connection, where leases hold.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from spikedaq.formats.stimulus_csv import LoadedStimulus, parse_stimulus, stimulus_csv
from spikedaq.model import ConfigError
from spikedaq.scope.bodies import BodyTooLargeError, attachment, read_body, refusal, shown_name, too_large
from spikedaq.stimulus import LIMIT_CENTIPERCENT, MAX_ROWS, ROW_MS, envelope, make, table

MAX_CSV_BYTES = 8_000_000
"""Some 800,000 rows; no device has room for more than 600,000."""
MAX_SPEC_BYTES = 200_000
"""A thousand parts, which is the most, have less."""
PREVIEW_COLUMNS = 720
"""More than the panel has pixels; each has the least and the greatest of its rows."""


@dataclass(frozen=True, slots=True)
class _Given:
    """The body of a request."""

    data: bytes
    is_csv: bool
    name: str


async def _generators(_: Request) -> Response:
    return JSONResponse(
        {"generators": table(), "row_ms": ROW_MS, "max_rows": MAX_ROWS, "limit_percent": LIMIT_CENTIPERCENT / 100}
    )


async def _preview(request: Request) -> Response:
    return await _answer(request, lambda given: JSONResponse(_facts(_waveform(given))))


async def _rows(request: Request) -> Response:
    """Answer with int16, little-endian, in 0.01 %: what a device is sent."""
    return await _answer(
        request,
        lambda given: Response(
            np.asarray(_waveform(given).waveform.rows, "<i2").tobytes(), media_type="application/octet-stream"
        ),
    )


async def _csv(request: Request) -> Response:
    return await _answer(
        request,
        lambda given: Response(
            stimulus_csv(_waveform(given).waveform), media_type="text/csv", headers=attachment(given.name, ".csv")
        ),
    )


async def _answer(request: Request, work: Callable[[_Given], Response]) -> Response:
    is_csv = request.headers.get("content-type", "").partition(";")[0].strip() == "text/csv"
    name = shown_name(request.query_params.get("name", ""), "stimulus")
    max_bytes = MAX_CSV_BYTES if is_csv else MAX_SPEC_BYTES
    try:
        given = _Given(await read_body(request, max_bytes), is_csv, name)
    except BodyTooLargeError:
        return too_large(f"the file {name}" if is_csv else "the specification", max_bytes)
    # One at a time: a class that tries the longest noise at once shall neither fill the memory nor stop the traces.
    state = request.app.state
    if not hasattr(state, "stimulus_turn"):
        state.stimulus_turn = asyncio.Semaphore(1)
    async with state.stimulus_turn:
        try:
            return await asyncio.to_thread(work, given)
        except ConfigError as error:
            return refusal("config", str(error))


def _waveform(given: _Given) -> LoadedStimulus:
    if given.is_csv:
        return parse_stimulus(given.data, given.name)
    try:
        spec = json.loads(given.data)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the specification is no JSON: {str(error)[:200]}") from error
    return LoadedStimulus(make(spec))


def _facts(loaded: LoadedStimulus) -> dict[str, Any]:
    waveform = loaded.waveform
    least, greatest = envelope(waveform.rows, PREVIEW_COLUMNS)
    return {
        "n_rows": waveform.n_rows,
        "duration_ms": waveform.duration_ms,
        "minimum_percent": int(waveform.rows.min()) / 100,
        "maximum_percent": int(waveform.rows.max()) / 100,
        "mean_percent": round(float(waveform.rows.mean()) / 100, 4),
        "n_clipped": waveform.n_clipped,
        "ignored_columns": [column[:80] for column in loaded.ignored_columns[:20]],
        "n_ignored_triggers": loaded.n_ignored_triggers,
        "least_percent": (least / 100).tolist(),
        "greatest_percent": (greatest / 100).tolist(),
    }


routes: list[BaseRoute] = [
    Route("/api/stimulus/generators", _generators),
    Route("/api/stimulus/preview", _preview, methods=["POST"]),
    Route("/api/stimulus/rows", _rows, methods=["POST"]),
    Route("/api/stimulus/csv", _csv, methods=["POST"]),
]
