"""How a daemon is to be connected to: with a key or without, as what answers there says."""

from __future__ import annotations

import contextlib
import getpass
import ipaddress
import os
import re
import socket
from pathlib import Path
from typing import Any

import zmq
from zmq.utils import z85

from spikedaq.bus import MAX_CLIENT_CHARS
from spikedaq.keys import ClientKey, client_key_path, read_client_key
from spikedaq.model import CommandTimeout, ConfigError

NAME_VARIABLE = "SPIKEDAQ_NAME"
_TCP = re.compile(r"tcp://\[?([^\]/]+?)\]?:(\d+)")
_PROBE_S = 2.0
# ZMTP 3.0, "Framing": a signature of ten bytes, the version, the name of the mechanism. What listens says its own once
# it has read the signature and the major version.
_OUR_GREETING = b"\xff" + bytes(8) + b"\x7f\x03"
_MECHANISM = slice(12, 32)
_GREETING_BYTES = 64


def new_key_pair() -> tuple[bytes, bytes]:
    """Return a new public and secret key."""
    public, secret = zmq.curve_keypair()
    return z85.decode(public), z85.decode(secret)


def default_name() -> str:
    """Return what a client calls itself unless told otherwise: ``$SPIKEDAQ_NAME``, else the user who runs it."""
    try:
        name = os.environ.get(NAME_VARIABLE) or getpass.getuser()
    except (OSError, KeyError):  # a container's user that has no name
        return ""
    return name[:MAX_CLIENT_CHARS] if name.isprintable() else ""


def mechanism_at(url: str) -> str | None:
    """Return the security mechanism of what listens at a ``tcp`` or ``ipc`` endpoint, ``NULL`` or ``CURVE``.

    None where it does not speak ZeroMQ, or the transport is another.

    Raises
    ------
    CommandTimeout
        Nobody listens, code ``absent``.
    """
    match = _TCP.fullmatch(url)
    try:
        if match is not None:
            probe = socket.create_connection((match[1], int(match[2])), timeout=_PROBE_S)
        elif url.startswith("ipc://"):
            probe = socket.socket(socket.AF_UNIX)
            probe.settimeout(_PROBE_S)
            try:
                probe.connect(url.removeprefix("ipc://"))
            except OSError:
                probe.close()
                raise
        else:
            return None
    except OSError as error:
        raise CommandTimeout(
            f"no spikedaqd answers at {url} ({error.strerror or error}); start one with "
            "'spikedaqd --device NAME=URL --data DIR', or name another with --url or SPIKEDAQ_URL",
            code="absent",
        ) from error
    greeting = b""
    with probe, contextlib.suppress(OSError):
        probe.sendall(_OUR_GREETING)
        while len(greeting) < _GREETING_BYTES and (more := probe.recv(_GREETING_BYTES - len(greeting))):
            greeting += more
    if len(greeting) < _MECHANISM.stop or greeting[0] != 0xFF:
        return None
    return greeting[_MECHANISM].rstrip(b"\0").decode("ascii", "replace")


def choose_key(url: str, given: ClientKey | str | os.PathLike[str] | None) -> ClientKey | None:
    """Return the key to connect with, None where what listens at ``url`` demands none.

    Parameters
    ----------
    given : ClientKey or path, optional
        Else ``$SPIKEDAQ_KEY``, else ``client.key`` in the user's folder.

    Raises
    ------
    ConfigError
        There is no key where one is demanded; or none is demanded by something that is not on this computer, which no
        daemon of ours would be.
    CommandTimeout
        Nobody listens.
    """
    mechanism = mechanism_at(url)
    if mechanism != "CURVE":
        if not _is_here(url):
            raise ConfigError(
                f"what answers at {url} demands no key, which no spikedaqd does that can be reached from elsewhere; "
                "it is not trusted. To a daemon without keys use an SSH tunnel"
            )
        return None
    if isinstance(given, ClientKey):
        key = given
    else:
        path, is_chosen = client_key_path(given)
        if not is_chosen and not path.exists():
            raise ConfigError(
                f"the daemon at {url} demands a key, and there is none at {path}; make one (spikedaq keys new) and "
                "have it allowed there, or name the file you were given with --key or SPIKEDAQ_KEY"
            )
        key = read_client_key(Path(path))
    if key.daemon is None:
        raise ConfigError(
            f"{key.source or 'the key'} does not say which daemon it is for; on the daemon's computer "
            '"spikedaq keys list" shows its public key, add it as a line: daemon = "..."'
        )
    return key


def use_key(socket_: zmq.Socket[Any], key: ClientKey) -> None:
    """Make a socket that is not connected yet use a key."""
    socket_.setsockopt(zmq.CURVE_SERVERKEY, key.daemon or b"")
    socket_.setsockopt(zmq.CURVE_PUBLICKEY, key.public)
    socket_.setsockopt(zmq.CURVE_SECRETKEY, key.secret)


def _is_here(url: str) -> bool:
    match = _TCP.fullmatch(url)
    if match is None:
        return True
    try:
        return ipaddress.ip_address(match[1]).is_loopback
    except ValueError:
        return match[1] == "localhost"
