"""Trials for the page: baseline, stimulus, tail with one button; see `spikedaq.experiment`."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import math
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from spikedaq.experiment import Trial
from spikedaq.formats.stimulus_csv import parse_stimulus
from spikedaq.model import CommandRejected
from spikedaq.scope.bodies import BodyTooLargeError, read_body, shown_name, too_large
from spikedaq.scope.hub import Hub
from spikedaq.scope.page_connection import viewer_name
from spikedaq.scope.query import controller_only, text, told
from spikedaq.scope.routes_recordings import json_answer
from spikedaq.scope.routes_stimulus import MAX_CSV_BYTES
from spikedaq.scope.trials import Trials
from spikedaq.stimulus import make

MAX_BODY_BYTES = MAX_CSV_BYTES * 4 // 3 + 300_000
"""A CSV in base64, and the rest."""
MAX_NOTES_CHARS = 8_000
MAX_DEVICES = 256


def _trials(request: Request) -> Trials:
    trials: Trials = request.app.state.trials
    return trials


async def _state(request: Request) -> Response:
    return json_answer({"trial": _trials(request).told(text(request, "bench"))})


async def _begin(request: Request) -> Response:
    """Begin a trial.

    The body is a JSON map: ``session``, ``device``, ``stimulus`` its name, ``spec`` or ``csv`` (base64),
    ``baseline_s``, ``after_s``, ``others``, ``folder``, ``notes``.
    """
    controller_only(request)
    bench, viewer = text(request, "bench"), _viewer(request)
    try:
        body = await read_body(request, MAX_BODY_BYTES)
    except BodyTooLargeError:
        return too_large("the stimulus", MAX_CSV_BYTES)
    hub: Hub = request.app.state.hub
    url = hub.urls.get(bench)
    if url is None:
        raise CommandRejected(f"there is no bench {bench!r} here", code="unknown_bench")
    trial = await asyncio.to_thread(_read, body)
    for device in (None, trial.device):
        hub.leaseholders.check(viewer, bench, device)
    return json_answer({"trial": _trials(request).begin(bench, url, viewer, trial)})


async def _abort(request: Request) -> Response:
    controller_only(request)
    bench, viewer = text(request, "bench"), _viewer(request)
    told_now = _trials(request).told(bench)
    if told_now is not None:
        hub: Hub = request.app.state.hub
        hub.leaseholders.check(viewer, bench, told_now["device"])
    if not _trials(request).abort(bench):
        raise CommandRejected("no trial runs here", code="not_running")
    return json_answer({"trial": _trials(request).told(bench)})


def _viewer(request: Request) -> str:
    """Return what the page is called at the benches, as its websocket is."""
    return viewer_name(text(request, "name", ""), text(request, "page"))


def _read(body: bytes) -> Trial:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _bad("it is no JSON") from error
    if not isinstance(said, dict):
        raise _bad("it is no map")
    name = shown_name(_text(said, "stimulus", 200), "stimulus")
    spec = said.get("spec")
    if (spec is None) == (said.get("csv") is None):
        raise _bad("give 'spec' or 'csv'")
    waveform = make(spec) if spec is not None else _from_csv(said["csv"], name)
    others = said.get("others") or []
    if not isinstance(others, list) or len(others) > MAX_DEVICES or not all(isinstance(o, str) for o in others):
        raise _bad("'others' is a list of names")
    device = _text(said, "device", 200)
    if not device:
        raise _bad("'device' is missing")
    return Trial(
        session=_text(said, "session", 300),
        device=device,
        rows=waveform.rows,
        stimulus=name,
        spec=None if spec is None else json.dumps(spec),
        baseline_s=_seconds(said, "baseline_s"),
        after_s=_seconds(said, "after_s"),
        others=tuple(other for other in dict.fromkeys(others) if other != device),
        folder=_text(said, "folder", 4096) or None,
        notes=_text(said, "notes", MAX_NOTES_CHARS),
    )


def _from_csv(value: Any, name: str) -> Any:
    try:
        data = base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise _bad("'csv' is no base64") from error
    return parse_stimulus(data, name).waveform


def _text(said: dict[str, Any], key: str, most: int) -> str:
    value = said.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _bad(f"{key!r} is a text")
    if len(value) > most:
        raise _bad(f"{key!r} has {len(value)} characters, more than {most}")
    return value


def _seconds(said: dict[str, Any], key: str) -> float:
    value = said.get(key, 3.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _bad(f"{key!r} is a number of seconds")
    return float(value)


def _bad(why: str) -> CommandRejected:
    return CommandRejected(f"the trial cannot be read: {why}", code="bad_arguments")


routes: list[BaseRoute] = [
    Route("/api/trial", told(_state), methods=["GET"]),
    Route("/api/trial", told(_begin), methods=["POST"]),
    Route("/api/trial/abort", told(_abort), methods=["POST"]),
]
