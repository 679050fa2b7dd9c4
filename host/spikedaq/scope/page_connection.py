"""One page's connection: what it says, and what it is told (docs/reference/scope.md)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from spikedaq.bus import SAMPLES
from spikedaq.inlet import connect
from spikedaq.model import CommandRejected, SpikedaqError
from spikedaq.scope.access import WebRole
from spikedaq.scope.asking import Asker
from spikedaq.scope.event_log import read_events, told
from spikedaq.scope.everywhere import Everywhere
from spikedaq.scope.feed import DERIVED
from spikedaq.scope.hub import Hub
from spikedaq.scope.json_text import to_json
from spikedaq.scope.line import Line
from spikedaq.scope.past import MAX_SAMPLES, PastReader, check_range
from spikedaq.scope.pyramid import N_LEVELS
from spikedaq.scope.viewer import MAX_WATCHES, Viewer, Watch

MAX_TEXT_BYTES = 1 << 20
MAX_ASKED = 32
_MAX_NAME = 20
HISTORY_S = 60.0
POLICY_VIOLATION = 1008
_MAX_NAME_OF_DEVICE = 200
_ANSWERED = frozenset({"ask", "past", "events", "everywhere"})

log = structlog.get_logger(__name__)


class PageConnection:
    """Serves one websocket until it is closed.

    Parameters
    ----------
    page_id : str
        What the page keeps for itself and shows nobody; it makes the viewer's name its own, also over a reconnection.
    given_name : str
        What the person calls itself.
    """

    def __init__(self, socket: WebSocket, hub: Hub, role: WebRole, *, page_id: str, given_name: str) -> None:
        self._socket = socket
        self._hub = hub
        self.viewer = Viewer(viewer_name(given_name, page_id or secrets.token_hex(8)), role)
        self._asker = Asker(self.viewer.name, role, hub.urls, hub.leaseholders, hub.key)
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Serve it."""
        self.viewer.tell(to_json({"say": "hello", "v": 1, "name": self.viewer.name, "role": self.viewer.role}))
        self._hub.add(self.viewer)
        sender = asyncio.create_task(self._send(), name=f"send to {self.viewer.name}")
        receiver = asyncio.create_task(self._receive(), name=f"receive from {self.viewer.name}")
        try:
            # Whichever ends first ends the connection: a page that is sent nothing more has to connect again.
            done, _ = await asyncio.wait({sender, receiver}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.remove(self.viewer)
            for task in (sender, receiver, *self._tasks):
                task.cancel()
            await asyncio.gather(sender, receiver, *self._tasks, return_exceptions=True)
            self._asker.close()
        for task in done:
            task.result()

    async def _receive(self) -> None:
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            self._take(message)

    async def _send(self) -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                news = await self.viewer.next()
                if isinstance(news, str):
                    await self._socket.send_text(news)
                else:
                    await self._socket.send_bytes(news)
                if self.viewer.has_news:
                    # Sending lets nothing else run while there is room, not even the news that the connection is lost.
                    await asyncio.sleep(0)

    def _take(self, message: Mapping[str, Any]) -> None:
        text = message.get("text")
        if not isinstance(text, str) or len(text) > MAX_TEXT_BYTES:
            self._complain("a page sends texts of at most a mebibyte")
            return
        try:
            said = json.loads(text)
            do = self._DOES.get(said["do"]) if isinstance(said, dict) else None
        except (ValueError, KeyError, TypeError, RecursionError):
            do = None
        if do is None:
            self._complain("that is nothing this server knows; load the page again")
            return
        try:
            do(self, said)
        except (KeyError, TypeError, ValueError, OverflowError) as error:  # the last: int() of an infinity
            self._refuse(said, f"{said['do']}: {error!r} is missing or wrong", "bad_arguments")
        except CommandRejected as error:
            self._refuse(said, str(error), error.code)

    def _refuse(self, said: dict[str, Any], text: str, code: str) -> None:
        """Answer whoever waits for an answer, and complain about the rest."""
        if said["do"] in _ANSWERED and "id" in said:
            self.viewer.tell(to_json({"say": "answer", "id": said["id"], "ok": False, "code": code, "text": text}))
        else:
            self._complain(text)

    def _complain(self, text: str) -> None:
        self.viewer.tell(to_json({"say": "wrong", "text": text}))

    def _ack(self, said: dict[str, Any]) -> None:
        self.viewer.confirm(int(said["n"]))

    def _clock(self, said: dict[str, Any]) -> None:
        answer = {"say": "clock", "asked": said.get("asked"), "host_ms": self._hub.now_ms()}
        self.viewer.tell(to_json({**answer, "skipped": self.viewer.skipped, "dropped": self.viewer.texts_dropped}))

    def _watch(self, said: dict[str, Any]) -> None:
        number, level = said["id"], said["level"]
        if type(number) is not int or type(level) is not int or not 0 <= level < N_LEVELS:
            raise CommandRejected(f"a zoom level is a whole number from 0 to {N_LEVELS - 1}")
        if number not in self.viewer.watches and len(self.viewer.watches) >= MAX_WATCHES:
            raise CommandRejected(f"one page watches at most {MAX_WATCHES} devices")
        stream, is_packed = _stream(said.get("stream", SAMPLES)), said.get("packed") is True
        self._hub.watch(self.viewer, number, Watch(str(said["bench"]), str(said["device"]), level, stream, is_packed))

    def _unwatch(self, said: dict[str, Any]) -> None:
        self._hub.unwatch(self.viewer, int(said["id"]))

    def _ask(self, said: dict[str, Any]) -> None:
        number, bench, op, args = said["id"], str(said["bench"]), str(said["op"]), said.get("args") or {}
        if not isinstance(args, dict):
            raise CommandRejected("the arguments of a request are a map")
        self._spawn(number, self._answer(number, op, lambda: self._asker.ask(bench, op, args)))

    def _everywhere(self, said: dict[str, Any]) -> None:
        number, op, args = said["id"], str(said["op"]), said.get("args") or {}
        urls = {feed.name: feed.url for feed in self._hub.feeds}
        places = Everywhere(self.viewer.name, self.viewer.role, urls, self._hub.leaseholders, self._hub.key)
        does: dict[str, Callable[..., Any]] = {"record_start": places.start, "record_stop": places.stop}
        if op not in does or not isinstance(args, dict):
            raise CommandRejected("on all benches, a page may ask for record_start and record_stop")
        self._spawn(number, self._answer(number, op, lambda: asyncio.to_thread(does[op], **args)))

    async def _answer(self, number: Any, op: str, asked: Callable[[], Awaitable[Any]]) -> None:
        try:
            value = await asked()
        except SpikedaqError as error:
            code = getattr(error, "code", "error")
            self.viewer.tell(to_json({"say": "answer", "id": number, "ok": False, "code": code, "text": str(error)}))
        except (TypeError, ValueError) as error:
            text = f"{op}: {error}"
            self.viewer.tell(
                to_json({"say": "answer", "id": number, "ok": False, "code": "bad_arguments", "text": text})
            )
        else:
            self.viewer.tell(to_json({"say": "answer", "id": number, "ok": True, "value": value}))

    def _want_lease(self, said: dict[str, Any]) -> None:
        """Tell the others that this viewer would like a lease; who has it can give it back."""
        bench, device = said["bench"], said.get("device")
        if self.viewer.role is not WebRole.CONTROLLER:
            raise CommandRejected("you may watch; a lease is for who has a controller's token", code="not_allowed")
        if self._hub.feed(bench) is None:
            raise CommandRejected("there is no such bench here", code="unknown_bench")
        if device is not None and not (isinstance(device, str) and len(device) <= _MAX_NAME_OF_DEVICE):
            raise CommandRejected("a lease is of a device, by its name, or of the bench", code="bad_arguments")
        self._hub.tell(bench, {"say": "lease_wanted", "device": device, "by": self.viewer.name})

    def _events(self, said: dict[str, Any]) -> None:
        """Tell what happened between two steps of a boot."""
        number, bench, device = said["id"], str(said["bench"]), str(said["device"])
        boot, first, stop = said["boot"], said["first"], said["stop"]
        if any(type(value) is not int for value in (boot, first, stop)) or not 0 <= first < stop < 1 << 53:
            raise CommandRejected(
                "events are asked for by boot, first step and the step to stop at", code="bad_arguments"
            )
        feed = self._hub.feed(bench)
        if feed is None:
            raise CommandRejected(f"there is no bench {bench!r} here", code="unknown_bench")
        log = feed.events.get(device)
        if log is not None and log.has(boot, first):
            value = told(log.between(first, stop), is_complete=True)
            self.viewer.tell(to_json({"say": "answer", "id": number, "ok": True, "value": value}))
            return
        if stop - first > MAX_SAMPLES:
            raise CommandRejected(
                f"{stop - first} steps of events are too much at once; ask for at most {MAX_SAMPLES}", code="too_large"
            )
        url = feed.url

        def read() -> dict[str, Any]:
            with contextlib.closing(connect(url, key=self._hub.key, name="scope")) as history:
                return told(read_events(history, device, boot, first, stop), is_complete=True)

        self._spawn(number, self._answer(number, "events", lambda: asyncio.to_thread(read)))

    def _past(self, said: dict[str, Any]) -> None:
        level, first, stop = check_range(said["level"], said["first"], said["stop"])
        number, bench, device = said["id"], str(said["bench"]), str(said["device"])
        feed = self._hub.feed(bench)
        if feed is None:
            raise CommandRejected(f"there is no bench {bench!r} here", code="unknown_bench")
        stream, boot = _stream(said.get("stream", SAMPLES)), said.get("boot")
        traces = feed.traces_of(device, stream)
        if stream != SAMPLES:  # of which there is no history
            frame = traces.past(level, first, stop, past=number) if traces is not None else None
            self._spawn(number, self._show_past(number, [] if frame is None else [frame]))
            return
        if traces is not None and traces.has(boot, level, first):
            frame = traces.past(level, first, stop, past=number)
            self._spawn(number, self._show_past(number, [] if frame is None else [frame]))
            return
        if type(boot) is not int:
            raise CommandRejected("a part of the past needs its boot", code="bad_arguments")
        self._spawn(number, self._from_history(number, feed.url, device, boot, (level, first, stop)))

    async def _show_past(self, number: Any, frames: list[bytes], **more: Any) -> None:
        for frame in frames:
            await self.viewer.show_all(frame)
        await self.viewer.show_all(to_json({"say": "past", "id": number, "ok": True, "value": more}))

    async def _from_history(self, number: Any, url: str, device: str, boot: int, bins: tuple[int, int, int]) -> None:
        line = Line(lambda: PastReader(connect(url, key=self._hub.key, name="scope"), device, boot, bins, past=number))
        loop = asyncio.get_running_loop()
        text, left_s = "", HISTORY_S
        told: dict[str, Any] = {}
        try:
            while True:
                begun_s = loop.time()
                async with asyncio.timeout(left_s):
                    frame = await asyncio.to_thread(line.use, PastReader.next_frame)
                left_s -= loop.time() - begun_s  # what the page takes to confirm is not the history's
                if frame is None:
                    told = await asyncio.to_thread(line.use, lambda reader: reader.told)
                    break
                await self.viewer.show_all(frame)
        except SpikedaqError as error:
            text = str(error)
        except TimeoutError:
            text = f"the history did not tell it within {HISTORY_S:.0f} s; ask for less"
        finally:
            line.close()
        if text:
            await self.viewer.show_all(to_json({"say": "past", "id": number, "ok": False, "text": text}))
        else:
            await self._show_past(number, [], **told)

    def _spawn(self, number: Any, work: Any) -> None:
        if len(self._tasks) >= MAX_ASKED:
            work.close()
            text = f"{MAX_ASKED} requests of this page are under way; wait for their answers"
            self.viewer.tell(to_json({"say": "answer", "id": number, "ok": False, "code": "busy", "text": text}))
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(number, ended))

    def _ended(self, number: Any, task: asyncio.Task[None]) -> None:
        """Answer also where nobody thought of what happened: whoever asked waits."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a request of a page failed", viewer=self.viewer.name, error=repr(error), exc_info=error)
            text = f"a defect of the page's server: {error!r}; its log says more"
            self.viewer.tell(to_json({"say": "answer", "id": number, "ok": False, "code": "internal", "text": text}))

    _DOES: ClassVar[dict[str, Callable[[PageConnection, dict[str, Any]], None]]] = {
        "ack": _ack, "clock": _clock, "watch": _watch, "unwatch": _unwatch, "ask": _ask, "past": _past,
        "want_lease": _want_lease, "events": _events, "everywhere": _everywhere,
    }  # fmt: skip


def _stream(name: Any) -> str:
    """Return which stream of a device is meant."""
    if not isinstance(name, str) or (name != SAMPLES and name not in DERIVED):
        raise CommandRejected(f"a page shows the streams {SAMPLES}, {', '.join(sorted(DERIVED))}", code="bad_arguments")
    return name


def viewer_name(given: str, page_id: str) -> str:
    """Return what a viewer is called at the benches: its own name, and a tag that no other page has."""
    tag = hashlib.sha256(page_id.encode(errors="replace")).hexdigest()[:6]
    plain = "".join(c for c in given if c.isprintable() and c not in "@#").strip()[:_MAX_NAME]
    return f"{plain or 'page'}#{tag}"
