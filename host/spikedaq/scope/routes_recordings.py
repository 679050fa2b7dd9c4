"""What was recorded, for the page: the list, folders, names, verification. Asked of the benches' libraries."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from spikedaq.experiment import existing_sessions
from spikedaq.inlet import Bench
from spikedaq.model import CommandRejected, ConfigError, SpikedaqError, next_run, session_name
from spikedaq.scope.json_text import to_json
from spikedaq.scope.libraries import Libraries
from spikedaq.scope.query import controller_only, optional, text, told

PAGE_SESSIONS = 20
_PARTS = ("group", "condition", "mode", "protocol")


def json_answer(value: Any) -> Response:
    """Return a JSON answer."""
    return Response(to_json(value), media_type="application/json")


def libraries_of(request: Request) -> Libraries:
    """Return the benches' libraries."""
    libraries: Libraries = request.app.state.libraries
    return libraries


async def _list(request: Request) -> Response:
    bench, match = text(request, "bench"), optional(request, "match")
    before = optional(request, "before")
    try:
        key = None if before is None else json.loads(before)
    except (ValueError, RecursionError) as error:
        raise CommandRejected("'before' is what the answer before gave as 'next'", code="bad_arguments") from error
    return json_answer(
        await libraries_of(request).ask(
            bench, lambda library: library.page(limit=PAGE_SESSIONS, before=key, match=match)
        )
    )


async def _session(request: Request) -> Response:
    session, folder = text(request, "session"), optional(request, "folder")
    whole = optional(request, "files") is not None
    return json_answer(
        await libraries_of(request).ask(
            text(request, "bench"),
            lambda library: (library.recording if whole else library.summary)(session, folder=folder),
        )
    )


async def _folders(request: Request) -> Response:
    folder, after = optional(request, "folder"), text(request, "after", "")
    return json_answer(
        await libraries_of(request).ask(text(request, "bench"), lambda library: library.folders(folder, after=after))
    )


async def _folder_check(request: Request) -> Response:
    folder, session = text(request, "folder"), optional(request, "session")
    return json_answer(
        await libraries_of(request).ask_bench(text(request, "bench"), lambda b: b.check_folder(folder, session))
    )


async def _verify(request: Request) -> Response:
    controller_only(request)
    session, folder = text(request, "session"), optional(request, "folder")
    return json_answer(
        await libraries_of(request).ask(
            text(request, "bench"), lambda library: library.verify(session, folder=folder)
        )
    )  # fmt: skip


async def _verify_stop(request: Request) -> Response:
    controller_only(request)
    session, folder = text(request, "session"), optional(request, "folder")
    stopped = await libraries_of(request).ask(
        text(request, "bench"), lambda library: library.stop_verifying(session, folder=folder)
    )
    return json_answer({"stopped": stopped})


async def _name(request: Request) -> Response:
    """Answer with a session's name by the convention, or with what is wrong with which of its parts.

    ``{name, run, taken, wrong, next_problem}``: ``name`` is null while something is ``wrong``, a map of part to text;
    without a ``run`` the next one is taken; ``taken`` says whether the daemon has a session of this name.
    """
    day, wrong = _day(request), {}
    parts = {part: text(request, part, "").strip() for part in _PARTS}
    for part, value in parts.items():
        try:
            session_name(day=day, run=1, **{"mode": "x", "protocol": "x", part: value})
        except ConfigError as error:
            wrong[part] = str(error)
    run_text = text(request, "run", "").strip()
    run = int(run_text) if run_text.isascii() and run_text.isdecimal() and len(run_text) < 10 else None
    if run_text and run is None:
        wrong["run"] = f"the run is {run_text[:40]!r}; give a whole number from 1 to 9999"
    elif run is not None:
        try:
            session_name(day=day, mode="x", protocol="x", run=run)
        except ConfigError as error:
            wrong["run"] = str(error)
    if wrong:
        return json_answer({"name": None, "run": run, "taken": False, "wrong": wrong, "next_problem": None})
    known: list[str] = []
    problem = None
    try:
        stem = session_name(day=day, run=1, **parts)[:-1]
        known = await libraries_of(request).ask_bench(text(request, "bench"), lambda b: _existing(b, stem))
    except ConfigError as error:
        return json_answer({"name": None, "run": run, "taken": False, "wrong": {"name": str(error)},
                            "next_problem": None})  # fmt: skip
    except SpikedaqError as error:
        problem = f"which runs there are is not known now ({error}); give the run's number"
    try:
        if run is None and problem is None:
            run = next_run(known, day=day, **parts)
        name = None if run is None else session_name(day=day, run=run, **parts)
    except ConfigError as error:
        return json_answer({"name": None, "run": run, "taken": False, "wrong": {"run": str(error)},
                            "next_problem": problem})  # fmt: skip
    return json_answer({"name": name, "run": run, "taken": name in known, "wrong": {}, "next_problem": problem})


def _existing(bench: Bench, match: str) -> list[str]:
    return existing_sessions(bench, match)


def _day(request: Request) -> date:
    given = text(request, "day", "")
    try:
        return date.fromisoformat(given) if given else datetime.now(UTC).astimezone().date()
    except ValueError as error:
        raise CommandRejected(f"{given[:40]!r} is no day such as 2026-05-01", code="bad_arguments") from error


routes: list[BaseRoute] = [
    Route("/api/recordings", told(_list)),
    Route("/api/recordings/session", told(_session)),
    Route("/api/recordings/name", told(_name)),
    Route("/api/recordings/verify", told(_verify), methods=["POST"]),
    Route("/api/recordings/verify-stop", told(_verify_stop), methods=["POST"]),
    Route("/api/folders", told(_folders)),
    Route("/api/folders/check", told(_folder_check)),
]
