"""One session on all benches of a page: begun everywhere or nowhere, and ended wherever it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from typing import Any

from spikedaq.inlet import ControlClient
from spikedaq.keys import ClientKey
from spikedaq.lesson import ENDED, Lesson, Seat, begin_everywhere, end, everywhere, ready_seats
from spikedaq.link import host_now_ns
from spikedaq.model import CommandRejected, ConfigError, SpikedaqError, check_session_name
from spikedaq.scope.access import WebRole
from spikedaq.scope.asking import Leaseholders

MAX_NOTES_CHARS = 10_000
_one_at_a_time = threading.Lock()


class Everywhere:
    """Records on all benches for one viewer. Its methods block; call them in a thread.

    Parameters
    ----------
    urls : map of str to str
        Control endpoint by name of the bench; that of a bench which never answered stands under its address.
    """

    def __init__(
        self,
        viewer: str,
        role: WebRole,
        urls: Mapping[str, str],
        leaseholders: Leaseholders,
        key: ClientKey | str | None,
    ) -> None:
        self._viewer = viewer
        self._role = role
        self._urls = dict(urls)
        self._leaseholders = leaseholders
        self._key = key

    def start(self, session: str, *, notes: str = "", without: Collection[str] = ()) -> dict[str, Any]:
        """Begin a session on all boards of all benches, or on none.

        Parameters
        ----------
        session : str
        notes : str
            Goes into the files.
        without : collection of str
            What is left out: ``BENCH`` or ``BENCH/DEVICE``.

        Returns
        -------
        map
            ``{session, benches: [{bench, devices, remark}]}``.

        Raises
        ------
        CommandRejected
            It did not begin, and why: each bench's reason. With code ``not_stopped`` it goes on at those named.
        """
        self._check_role()
        _check_texts(session, notes, without)
        urls = [url for bench, url in self._urls.items() if bench not in without]
        if not urls:
            raise CommandRejected("no bench is left to record on", code="bad_arguments")
        with _Alone():
            seats = ready_seats(urls, without, key=self._key)
            for seat in seats:
                for device in seat.devices:
                    self._leaseholders.check(self._viewer, seat.bench, device)
            begin_everywhere(
                seats,
                Lesson(session, notes, self._key, utc_ns=time.time_ns(), ours_ns=host_now_ns(), name=self._viewer),
            )
        benches = [{"bench": seat.bench, "devices": seat.devices, "remark": seat.remark} for seat in seats]
        return {"session": session, "benches": benches}

    def stop(self) -> dict[str, Any]:
        """End whatever is recorded at any bench.

        Returns
        -------
        map
            ``{ended: [status of the recording with its bench], failed: [{bench, text}]}``; benches that record nothing
            are in neither.

        Raises
        ------
        CommandRejected
            Nothing is recorded anywhere.
        """
        self._check_role()
        with _Alone():
            names = list(self._urls)
            results = everywhere(names, self._stop_at)
        ended, failed = [], []
        for bench, result in zip(names, results, strict=True):
            if isinstance(result, SpikedaqError):
                failed.append({"bench": bench, "text": str(result)})
            elif result is not None:
                ended.append({"bench": bench, **result})
        if not ended and not failed:
            raise CommandRejected("nothing is being recorded on any bench", code="not_recording")
        return {"ended": ended, "failed": failed}

    def _stop_at(self, bench: str) -> dict[str, Any] | None:
        url = self._urls[bench]
        with ControlClient(url, key=self._key, name=self._viewer) as client:
            status: dict[str, Any] | None = client.call("record_status")
        if status is None or status["state"] in ENDED:
            return None
        for device in status["devices"]:
            self._leaseholders.check(self._viewer, bench, device)
        seat = Seat(url, bench, "", list(status["devices"]))
        return end(seat, status["session"], self._key, is_ours=True, name=self._viewer)

    def _check_role(self) -> None:
        if self._role is not WebRole.CONTROLLER:
            raise CommandRejected(
                "you may watch, not change; open the page with a controller's token", code="not_allowed"
            )


class _Alone:
    """Refuses where another start or stop of this server is under way: each would undo the other."""

    def __enter__(self) -> None:
        if not _one_at_a_time.acquire(blocking=False):
            raise CommandRejected("a recording is being started or stopped everywhere just now; wait", code="busy")

    def __exit__(self, *_: object) -> None:
        _one_at_a_time.release()


def _check_texts(session: object, notes: object, without: object) -> None:
    if not isinstance(session, str) or not isinstance(notes, str):
        raise CommandRejected("the name of a session and its notes are texts", code="bad_arguments")
    if not isinstance(without, list | tuple | set | frozenset) or not all(isinstance(each, str) for each in without):
        raise CommandRejected("what is left out is a list of texts, BENCH or BENCH/DEVICE", code="bad_arguments")
    if len(notes) > MAX_NOTES_CHARS:
        raise CommandRejected(
            f"the notes have {len(notes)} characters, more than {MAX_NOTES_CHARS}", code="bad_arguments"
        )
    try:
        check_session_name(session)
    except (ConfigError, ValueError) as error:
        raise CommandRejected(str(error), code="bad_arguments") from error
