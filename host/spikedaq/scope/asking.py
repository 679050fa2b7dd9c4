"""Requests to a bench on behalf of one viewer: what its role allows, and under its own name."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from spikedaq.inlet import ControlClient
from spikedaq.keys import ClientKey
from spikedaq.model import CommandRejected
from spikedaq.scope.access import WebRole
from spikedaq.scope.line import Line

READING = frozenset({
    "hello", "list", "ports", "configuration", "clock", "describe", "get", "status", "record_status", "operations",
    "lease_list", "alarms", "trigger_list", "self_test", "ping",
})  # fmt: skip
CHANGING = frozenset({
    "set", "start", "stop", "reset", "stimulus", "record_start", "record_stop", "record_dismiss", "note",
    "trigger_arm", "trigger_disarm", "trigger_fire", "lease_take", "lease_renew", "lease_release", "rescan",
    "name_device",
})  # fmt: skip
"""What a page may ask for. Ending the daemon and reading its configuration anew are left to who runs it."""
_TIMEOUTS_S = {"record_start": 60.0, "record_stop": 60.0, "stimulus": 60.0}
_TIMEOUT_S = 5.0
_NEEDS_ONE_DEVICE = frozenset({"set", "start", "stop", "reset", "stimulus"})


class Leaseholders:
    """Which viewer took a lease through this page: to the daemon, all of them may be one.

    Where the daemon demands keys, the page has one key, and a lease is held by the key.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._of: dict[tuple[str, str], tuple[str, float]] = {}

    def check(self, viewer: str, bench: str, device: str | None, *, takes_all: bool = False) -> None:
        """Raise where another viewer of this page has the lease that covers a device, or with None the bench.

        ``takes_all``: it is a lease of the whole bench that is wanted, which no lease of a device may stand against.
        """
        for (of_bench, of_device), (holder, _) in list(self._of.items()):  # also asked in threads
            covers = of_bench == bench and (takes_all or of_device in ("", device))
            if covers and holder != viewer:
                what = f"device {of_device!r}" if of_device else f"the bench {bench!r}"
                raise CommandRejected(f"somebody else has the lease of {what}; ask for it", code="leased")

    def took(self, viewer: str, bench: str, device: str | None) -> None:
        """Note that a viewer has a lease now."""
        self._of[bench, device or ""] = viewer, self._now_s()

    def ended(self, bench: str, device: str | None) -> None:
        """Note that nobody of this page has it any more."""
        self._of.pop((bench, device or ""), None)

    def keep(self, bench: str, standing: set[str], asked_s: float = math.inf) -> None:
        """Forget those leases of a bench that the daemon does not have any more ("" is that of all of it).

        ``asked_s`` is when the daemon was asked: one that was taken since is not among ``standing``.
        """
        for key, (_, since_s) in list(self._of.items()):
            if key[0] == bench and key[1] not in standing and since_s < asked_s:
                del self._of[key]


class Asker:
    """Asks benches for one viewer, one question at a time per bench.

    Parameters
    ----------
    viewer : str
        What it is called at the daemon: the origin of its notes and changes, and the holder of its leases.
    role : WebRole
    urls : dict of str to str
        Control endpoint by name of the bench; may change.
    """

    def __init__(
        self, viewer: str, role: WebRole, urls: dict[str, str], leaseholders: Leaseholders, key: ClientKey | str | None
    ) -> None:
        self.viewer = viewer
        self.role = role
        self._urls = urls
        self._leaseholders = leaseholders
        self._key = key
        self._lines: dict[str, Line[ControlClient]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def ask(self, bench: str, op: str, args: dict[str, Any]) -> Any:
        """Ask, and return the value of the answer.

        Raises
        ------
        CommandError
            What the bench answered, or what this viewer may not ask.
        """
        self._check(bench, op, args)
        url = self._urls.get(bench)
        if url is None:
            raise CommandRejected(f"there is no bench {bench!r} here", code="unknown_bench")
        lock = self._locks.setdefault(url, asyncio.Lock())
        async with lock:
            value = await asyncio.to_thread(self._call, url, op, args)
        device = args.get("device")
        if op in ("lease_take", "lease_renew"):
            self._leaseholders.took(self.viewer, bench, device)
        elif op == "lease_release":
            self._leaseholders.ended(bench, device)
        return value

    def _check(self, bench: str, op: str, args: dict[str, Any]) -> None:
        if op not in READING and op not in CHANGING:
            raise CommandRejected(f"the page does not offer {op!r}", code="unknown_op")
        if op in READING:
            return
        if self.role is not WebRole.CONTROLLER:
            raise CommandRejected(
                "you may watch, not change; open the page with a controller's token", code="not_allowed"
            )
        is_forced = op == "lease_take" and args.get("force")
        if not is_forced:
            device = args.get("device")
            if op in _NEEDS_ONE_DEVICE and not isinstance(device, str):
                raise CommandRejected(f"{op!r} needs the name of a device", code="bad_arguments")
            device = device if isinstance(device, str) else None
            self._leaseholders.check(self.viewer, bench, device, takes_all=op == "lease_take" and device is None)

    def _call(self, url: str, op: str, args: dict[str, Any]) -> Any:
        if "timeout_s" in args:
            raise CommandRejected("'timeout_s' is nothing a request has", code="bad_arguments")
        return self._line(url).use(lambda client: client.call(op, timeout_s=_TIMEOUTS_S.get(op, _TIMEOUT_S), **args))

    def _line(self, url: str) -> Line[ControlClient]:
        return self._lines.setdefault(
            url, Line(lambda: ControlClient(url, timeout_s=_TIMEOUT_S, key=self._key, name=self.viewer))
        )

    def close(self) -> None:
        """Disconnect; what is under way ends by its own time limits.

        Leases stay until the daemon ends them: the page may only be loaded anew, and is the same viewer then.
        """
        for line in self._lines.values():
            line.close()
