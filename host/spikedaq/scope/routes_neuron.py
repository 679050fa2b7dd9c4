"""Neurons for the page: the stock neuron CSV to parameters, and back. Setting them is asked of the bench."""

from __future__ import annotations

import json
import math

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from spikedaq.formats.neuron import FIELDS, MAX_BYTES, neuron_csv, parse_neuron
from spikedaq.model import ConfigError
from spikedaq.scope.bodies import BodyTooLargeError, attachment, read_body, refusal, shown_name, too_large

_MAX_VALUES_BYTES = 20_000


async def _parse(request: Request) -> Response:
    name = shown_name(request.query_params.get("name", ""), "neuron")
    try:
        data = await read_body(request, MAX_BYTES)
    except BodyTooLargeError:
        return refusal("too_large", f"the file {name} has more than {MAX_BYTES} bytes; it is no neuron", 413)
    try:
        values = parse_neuron(data, name)
    except ConfigError as error:
        return refusal("config", str(error))
    return JSONResponse({"values": values, "units": {field.parameter: field.unit for field in FIELDS}})


async def _csv(request: Request) -> Response:
    try:
        said = json.loads(await read_body(request, _MAX_VALUES_BYTES))
    except BodyTooLargeError:
        return too_large("the neuron", _MAX_VALUES_BYTES)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not all(_is_number(value) for value in said.values()):
        return refusal("bad_arguments", "a neuron is a map of the names of parameters to numbers")
    try:
        data = neuron_csv(said)
    except ConfigError as error:
        return refusal("config", str(error))
    return Response(data, media_type="text/csv", headers=attachment(request.query_params.get("name", "neuron"), ".csv"))


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


routes: list[BaseRoute] = [
    Route("/api/neuron/parse", _parse, methods=["POST"]),
    Route("/api/neuron/csv", _csv, methods=["POST"]),
]
