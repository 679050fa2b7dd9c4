"""Who asks: the name it gives itself, the key it was let in with, the address it comes from."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from spikedaq.keys import AllowedKey, Role


@dataclass(frozen=True, slots=True)
class Peer:
    """The asking side of a request.

    Attributes
    ----------
    address : str
        Its IP address, ``local`` for an ipc endpoint.
    name : str
        What it calls itself, "" where it says nothing. Nobody has checked it.
    key : AllowedKey or None
        Its key; None where the daemon runs without keys.
    connection : bytes
        Names the connection, until it ends.
    """

    address: str
    name: str = ""
    key: AllowedKey | None = None
    connection: bytes = b""

    @property
    def who(self) -> str:
        """Return it for people: ``anna@192.168.1.7``. It is the origin in journals, files and on the bus."""
        name = self.key.name if self.key else self.name
        own = f" ({self.name})" if self.key and self.name not in ("", self.key.name) else ""
        return f"{name}@{self.address}{own}" if name else self.address

    @property
    def holder(self) -> str:
        """Return what a lease is held by: the key, wherever it comes from; without keys, the name at its address."""
        return f"key {self.key.public.hex()}" if self.key else f"{self.name}@{self.address}"

    @property
    def client(self) -> str:
        """Return what request ids are unique within: key and name, over connections; without a name, the connection."""
        if self.key:
            return f"{self.holder} {self.name}"
        return self.holder if self.name else f"{self.holder}#{self.connection.hex()}"

    @property
    def may_change(self) -> bool:
        """Whether it may do more than watch and ask."""
        return self.key is None or self.key.role is Role.CONTROLLER

    @property
    def is_here(self) -> bool:
        """Whether it is on the daemon's computer."""
        try:
            return self.address == "local" or ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return False
