"""The imaging simulation for the page: what can be set, how it goes, orders to it, and the files that it wrote."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from spikedaq.analysis.imaging_settings import setting_infos
from spikedaq.analysis.indicators import INDICATORS
from spikedaq.model import CommandRejected
from spikedaq.scope.access import WebRole, is_loopback
from spikedaq.scope.bodies import BodyTooLargeError, attachment, read_body, refusal, too_large
from spikedaq.scope.hub import Hub
from spikedaq.scope.imaging_run import Run
from spikedaq.scope.imaging_runs import ImagingRuns
from spikedaq.scope.page_connection import viewer_name

_MAX_BODY_BYTES = 20_000
_STATUS = {
    "not_allowed": 403, "unknown_bench": 404, "unknown_device": 404, "bad_arguments": 400, "timeout": 504,
}  # fmt: skip
"""By code; everything else is 409: it cannot be done as things stand."""


async def _table(_: Request) -> Response:
    """Tell indicators and settings, each with its unit, range and default."""
    return JSONResponse({
        "indicators": [asdict(each) for each in INDICATORS], "settings": [asdict(each) for each in setting_infos()],
    })  # fmt: skip


async def _state(request: Request) -> Response:
    query = request.query_params
    run = _runs(request).run(query.get("bench", ""), query.get("device", ""))
    return JSONResponse({"bench": run.bench, **run.told()})


async def _file(request: Request) -> Response:
    query = request.query_params
    name = query.get("name", "")
    run = _runs(request).run(query.get("bench", ""), query.get("device", ""))
    path = next((path for path in run.files if path.name == name), None)
    if path is None or not await asyncio.to_thread(path.is_file):
        text = f"no imaging file of that name was written through this page, or it is gone: {name[:100]!r}"
        return refusal("unknown_file", text, 404)
    if any(file["name"] == name and file["growing"] for file in run.told()["files"]):
        return refusal("recording", f"{name} is still being written; stop the recording first", 409)
    kind = "text/csv" if path.suffix == ".csv" else "application/x-hdf5"
    return FileResponse(path, media_type=kind, headers=attachment(path.name, path.suffix))


Action = Callable[[ImagingRuns, str, str, str, dict[str, Any]], Awaitable[Run]]


async def _start(runs: ImagingRuns, bench: str, device: str, by: str, said: dict[str, Any]) -> Run:
    return await runs.start(bench, device, by, replace=said.get("replace") is True)


async def _stop(runs: ImagingRuns, bench: str, device: str, by: str, _: dict[str, Any]) -> Run:
    return await runs.stop(bench, device, f"stopped by {by}")


async def _change(runs: ImagingRuns, bench: str, device: str, _: str, said: dict[str, Any]) -> Run:
    indicator, settings, seed = said.get("indicator"), said.get("settings", {}), said.get("seed")
    if indicator is not None and not isinstance(indicator, str):
        raise CommandRejected("'indicator' is the name of one", code="bad_arguments")
    if not isinstance(settings, dict):
        raise CommandRejected("'settings' is a map of names to values", code="bad_arguments")
    if isinstance(seed, str) and seed.isascii() and seed.isdecimal() and len(seed) <= 20:
        seed = int(seed)
    if seed is not None and type(seed) is not int:
        raise CommandRejected("the seed must be a whole number from 0 to 2**64 - 1", code="bad_arguments")
    return await runs.change(bench, device, indicator=indicator, settings=settings, seed=seed)


async def _record(runs: ImagingRuns, bench: str, device: str, *_: Any) -> Run:
    return await runs.record(bench, device)


async def _stop_recording(runs: ImagingRuns, bench: str, device: str, *_: Any) -> Run:
    return await runs.stop_recording(bench, device)


_ACTIONS: dict[str, Action] = {
    "start": _start, "stop": _stop, "change": _change, "record": _record, "stop_recording": _stop_recording,
}  # fmt: skip


async def _do(request: Request) -> Response:
    action = _ACTIONS.get(request.path_params["do"])
    if action is None:
        return refusal("unknown_op", f"there is {', '.join(_ACTIONS)}", 404)
    try:
        said = json.loads(await read_body(request, _MAX_BODY_BYTES))
    except BodyTooLargeError:
        return too_large("the request", _MAX_BODY_BYTES)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not all(isinstance(said.get(key), str) for key in ("bench", "device")):
        return refusal("bad_arguments", "a request is a map with the texts bench and device")
    query = request.query_params
    by = viewer_name(query.get("name", ""), query.get("page", ""))
    try:
        check(request.app.state.hub, request.state.role, by, said["bench"], said["device"])
        run = await action(_runs(request), said["bench"], said["device"], by, said)
    except CommandRejected as error:
        return refusal(error.code, str(error), _STATUS.get(error.code, 409))
    return JSONResponse({"bench": run.bench, **run.told()})


def check(hub: Hub, role: WebRole, viewer: str, bench: str, device: str) -> None:
    """Raise where a viewer may not drive the imaging of a device.

    The daemon asks for no lease, as nothing is written to the device; but who has it does not want others to change
    what is looked at.

    Raises
    ------
    CommandRejected
        It may not, or there is no such device.
    """
    if role is not WebRole.CONTROLLER:
        raise CommandRejected("you may watch, not change; open the page with a controller's token", code="not_allowed")
    feed = hub.feed(bench)
    status = feed.state.get("status") if feed is not None else None
    if feed is None or status is None:
        raise CommandRejected(f"there is no bench {bench[:80]!r} here", code="unknown_bench")
    entry = next((entry for entry in status["devices"] if entry["name"] == device), None)
    if entry is None:
        raise CommandRejected(f"the bench {bench} has no device {device[:80]!r}", code="unknown_device")
    hub.leaseholders.check(viewer, bench, device)
    lease = entry.get("lease")
    if lease is not None and not (lease["holder"].startswith(f"{viewer}@") or f"({viewer})" in lease["holder"]):
        raise CommandRejected(f"{lease['holder']} has the lease of {device}; ask for it", code="leased")


def folder_on_this_computer(hub: Hub, bench: str) -> Path | None:
    """Return the folder ``imaging`` in a daemon's data folder, where the daemon is on this computer; else None."""
    feed = hub.feed(bench)
    status = feed.state.get("status") if feed is not None else None
    if feed is None or status is None:
        return None
    address = urlsplit(feed.url)
    if address.scheme != "ipc" and not is_loopback(address.hostname or ""):
        return None
    data = Path(status["data"])
    return data / "imaging" if data.is_dir() else None


def _runs(request: Request) -> ImagingRuns:
    runs: ImagingRuns = request.app.state.imaging
    return runs


@contextlib.asynccontextmanager
async def simulations(app: Starlette, folder: Path | None = None) -> Any:
    """Have simulations as ``app.state.imaging``, looked after, and ended with the block.

    Parameters
    ----------
    folder : Path, optional
        Where to write what is recorded beside no recording; by default the data folder of a daemon on this computer.
    """
    hub: Hub = app.state.hub
    runs = ImagingRuns(hub, lambda bench: folder or folder_on_this_computer(hub, bench))
    app.state.imaging = runs
    looking = asyncio.create_task(runs.look_after(), name="look after simulations")
    try:
        yield
    finally:
        looking.cancel()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await looking
        finally:
            await runs.close()


routes: list[BaseRoute] = [
    Route("/api/imaging/table", _table),
    Route("/api/imaging/state", _state),
    Route("/api/imaging/file", _file),
    Route("/api/imaging/{do}", _do, methods=["POST"]),
]
