"""Recordings to the computer of who looks at the page: NWB files, a session as an archive, CSV made here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from spikedaq.inlet import FilePiece
from spikedaq.model import CommandRejected
from spikedaq.scope.bodies import attachment, refusal
from spikedaq.scope.conversions import Conversions, Job, Wanted
from spikedaq.scope.downloads import (
    MAX_DOWNLOADS,
    Member,
    RangeError,
    Source,
    Streamed,
    archive,
    byte_range,
    file_pieces,
    first_piece,
)
from spikedaq.scope.libraries import Libraries
from spikedaq.scope.query import optional, text, told
from spikedaq.scope.routes_recordings import json_answer, libraries_of
from spikedaq.scope.zip_stream import Entry, ZipWriter, zip_length

_FILE_BYTES = 1 << 18
_PLAN, _MANIFEST = "session.json", "manifest.json"
_busy = 0


async def _file(request: Request) -> Response:
    """Answer with one closed file, or the range of it that is asked for; with ``check`` only whether it can be had."""
    libraries = libraries_of(request)
    folder = await _folder(request, libraries)
    bench, session, device = text(request, "bench"), text(request, "session"), optional(request, "device")
    source = Source(bench, session, folder, device, text(request, "name"))
    first = await first_piece(libraries, source)
    if optional(request, "check") is not None:
        return json_answer({"n_bytes": first.n_bytes})
    headers = {**attachment(source.name, _suffix(source.name)), "accept-ranges": "bytes"}
    tag = None if first.sha256 is None else f'"{first.sha256}"'
    if tag is not None:
        headers["etag"] = tag
    wanted = request.headers.get("range")
    if request.headers.get("if-range", tag) != tag:
        wanted = None
    try:
        bounds = byte_range(wanted, first.n_bytes)
    except RangeError:
        answer = refusal("out_of_range", f"{source.name} has {first.n_bytes} bytes", 416)
        answer.headers["content-range"] = f"bytes */{first.n_bytes}"
        return answer
    if bounds is None:
        return _streamed(source.path, file_pieces(libraries, source, first), first.n_bytes, headers)
    begin, stop = bounds
    at = first if begin == 0 else await first_piece(libraries, source, begin)
    headers["content-range"] = f"bytes {begin}-{stop - 1}/{first.n_bytes}"
    pieces = file_pieces(libraries, source, at, begin=begin, stop=stop)
    return _streamed(source.path, pieces, stop - begin, headers, status=206)


async def _zip(request: Request) -> Response:
    """Answer with all closed files of a session, or of one device of it, as an archive with their manifests.

    With ``check`` only whether they can be had.
    """
    libraries, bench, session = libraries_of(request), text(request, "bench"), text(request, "session")
    device, folder = optional(request, "device"), await _folder(request, libraries)
    whole = await libraries.ask(bench, lambda library: library.recording(session, folder=folder))
    files = [f for f in whole["files"] if device in (None, f["device"])]
    closed = [f for f in files if f["state"] == "closed"]
    if not closed:
        raise CommandRejected(
            f"no file of {session!r} is closed, so there is nothing to download yet; stop the recording first",
            code="not_closed",
        )
    small = [Source(bench, session, folder, None, _PLAN)]
    small += [Source(bench, session, folder, each, _MANIFEST) for each in sorted({f["device"] for f in closed})]
    members = [await _small(libraries, source) for source in small]
    members += [
        Member(Source(bench, session, folder, str(f["device"]), str(f["name"])), int(f["n_bytes"])) for f in closed
    ]
    if optional(request, "check") is not None:
        return json_answer({"n_bytes": sum(member.n_bytes for member in members)})
    pieces, n_bytes = archive(libraries, members, int(whole["started_utc_ns"]))
    so_far = any(f["state"] in ("open", "not_closed") for f in files)
    stem = f"{session}{'' if device is None else f'_{device}'}{'_so-far' if so_far else ''}"
    return _streamed(
        f"{session} as an archive", pieces, n_bytes, attachment(stem, ".zip"), media_type="application/zip"
    )


async def _small(libraries: Libraries, source: Source) -> Member:
    first: FilePiece = await first_piece(libraries, source)
    return Member(source, first.n_bytes, first.data if first.is_last else None)


async def _folder(request: Request, libraries: Libraries) -> str:
    """Return the folder that a session is in, also where the request names none; it pins down which is meant."""
    folder = optional(request, "folder")
    if folder is not None:
        return folder
    session = text(request, "session")
    whole = await libraries.ask(text(request, "bench"), lambda library: library.summary(session))
    return str(whole["folder"])


def _streamed(
    what: str,
    pieces: AsyncIterator[bytes],
    n_bytes: int,
    headers: dict[str, str],
    *,
    status: int = 200,
    media_type: str = "application/octet-stream",
) -> Response:
    if _busy >= MAX_DOWNLOADS:
        return refusal("busy", f"{MAX_DOWNLOADS} downloads are under way; try again in a moment", 503)
    return Streamed(what, _counted(pieces), n_bytes, status=status, headers=headers, media_type=media_type)


async def _counted(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    global _busy  # noqa: PLW0603 - of the whole process, as its memory is
    _busy += 1
    try:
        async for piece in pieces:
            yield piece
    finally:
        _busy -= 1


def _suffix(name: str) -> str:
    return name[name.rindex(".") :] if "." in name else ""


# ---- CSV ----


def _conversions(request: Request) -> Conversions:
    conversions: Conversions = request.app.state.conversions
    return conversions


def _job(request: Request) -> Job:
    return _conversions(request).job(text(request, "id"))


async def _csv_begin(request: Request) -> Response:
    """Begin to make the CSV of a session, or of one device of it."""
    libraries = libraries_of(request)
    wanted = Wanted(
        text(request, "bench"), text(request, "session"), await _folder(request, libraries), optional(request, "device")
    )
    return json_answer(_conversions(request).begin(wanted).to_map())


async def _csv_state(request: Request) -> Response:
    return json_answer(_job(request).to_map())


async def _csv_drop(request: Request) -> Response:
    await _conversions(request).drop(_job(request))
    return json_answer({"dropped": True})


async def _csv_file(request: Request) -> Response:
    """Answer with a file of a conversion, without a ``name`` with all of them in an archive."""
    job, name = _job(request), optional(request, "name")
    files = job.files
    if not files:
        raise CommandRejected(f"it is {job.state}; {job.text or 'wait until it is ready'}", code="not_closed")
    if name is not None:
        path = next((path for path in files if path.name == name), None)
        if path is None:
            raise CommandRejected(f"there is no file {name[:80]!r} of it", code="unknown_file")
        kind = "text/csv" if path.suffix == ".csv" else "application/json"
        return FileResponse(path, media_type=kind, headers=attachment(path.name, path.suffix))
    entries = [Entry(path.name, path.stat().st_size) for path in files]

    async def pieces() -> AsyncIterator[bytes]:
        writer = ZipWriter()
        for path, entry in zip(files, entries, strict=True):
            yield writer.begin(entry)
            with path.open("rb") as file:
                while data := await asyncio.to_thread(file.read, _FILE_BYTES):
                    yield writer.feed(data)
            yield writer.end()
        yield writer.finish()

    stem = f"{job.wanted.session}{'' if job.wanted.device is None else f'_{job.wanted.device}'}_csv"
    headers = attachment(stem, ".zip")
    return _streamed(f"{stem}.zip", pieces(), zip_length(entries), headers, media_type="application/zip")


routes: list[BaseRoute] = [
    Route("/api/recordings/file", told(_file)),
    Route("/api/recordings/zip", told(_zip)),
    Route("/api/recordings/csv", told(_csv_begin), methods=["POST"]),
    Route("/api/recordings/csv", told(_csv_state), methods=["GET"]),
    Route("/api/recordings/csv", told(_csv_drop), methods=["DELETE"]),
    Route("/api/recordings/csv/file", told(_csv_file)),
]
