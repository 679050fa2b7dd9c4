"""Operations on leases."""

from __future__ import annotations

import time
from typing import Any

from spikedaq.daemon.bench import Bench
from spikedaq.daemon.commands.operation import Operation, flag, positive
from spikedaq.daemon.leases import BENCH, DEFAULT_TTL_S, Lease, Leases
from spikedaq.link import host_now_ns
from spikedaq.model import CommandRejected
from spikedaq.outlet import Peer


class LeaseCommands:
    """Takes, renews, releases and lists leases."""

    def __init__(self, bench: Bench, leases: Leases) -> None:
        self._bench = bench
        self._leases = leases

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        options = {"changes": True, "asks_lease": False, "wants_peer": True}
        return {
            "lease_take": Operation(self._take, (), ("device", "ttl_s", "force"), **options),
            "lease_renew": Operation(self._renew, (), ("device", "ttl_s"), **options),
            "lease_release": Operation(self._release, (), ("device",), **options),
            "lease_list": Operation(self._list),
        }

    async def _take(self, peer: Peer, device: Any = None, ttl_s: Any = None, force: Any = False) -> dict[str, Any]:
        name = self._name(device)
        seconds = DEFAULT_TTL_S if ttl_s is None else positive(ttl_s, "ttl_s")
        if flag(force, "force") and not peer.is_here:
            # Who sits at the daemon's computer could unplug the board as well; a name alone proves nothing.
            message = "a lease can be taken over on the daemon's computer only; ask there, or wait until it runs out"
            raise CommandRejected(message, code="not_allowed")
        return as_map(self._leases.take(name, peer.holder, peer.who, seconds, force=force))

    async def _renew(self, peer: Peer, device: Any = None, ttl_s: Any = None) -> dict[str, Any]:
        seconds = None if ttl_s is None else positive(ttl_s, "ttl_s")
        return as_map(self._leases.renew(self._name(device), peer.holder, seconds))

    async def _release(self, peer: Peer, device: Any = None) -> None:
        self._leases.release(self._name(device), peer.holder)

    async def _list(self, _: str) -> list[dict[str, Any]]:
        return [as_map(lease) for lease in self._leases.standing()]

    def _name(self, device: Any) -> str:
        return BENCH if device is None else self._bench.member(device).name


def as_map(lease: Lease) -> dict[str, Any]:
    """Return a lease as it is told."""
    return lease.to_map(host_now_ns(), time.time_ns())
