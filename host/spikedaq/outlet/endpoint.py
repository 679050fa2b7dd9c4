"""Binding an endpoint, with an error that says what holds it."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq

from spikedaq.model import ConfigError

_TCP = re.compile(r"tcp://(\[[0-9a-fA-F:.]+\]|[^:/]+):(\d+|\*)")


def check_endpoint(endpoint: str, *, keys: bool = False) -> None:
    """Refuse an endpoint that is malformed, or that others could reach: by the network without keys, or by a name.

    Raises
    ------
    ConfigError
    """
    if endpoint.startswith("ipc://@"):
        # Such a name is no file, so no mode keeps others from it. Source: unix(7), zmq_ipc(7).
        raise ConfigError(
            f"{endpoint!r} is a name in the system's abstract space, which every user of this computer reaches; write "
            "ipc:///path/of/a/socket"
        )
    if endpoint.startswith("ipc://") and len(endpoint) > len("ipc://"):
        return
    match = _TCP.fullmatch(endpoint)
    if match is None:
        raise ConfigError(f"{endpoint!r} is not an endpoint; write tcp://127.0.0.1:PORT or ipc:///path/of/a/socket")
    if match[2] != "*" and int(match[2]) > 65535:
        raise ConfigError(f"{endpoint!r} has port {match[2]}; ports end at 65535")
    if not keys and not is_loopback(match[1]):
        # Whoever reaches the control socket may command the boards; without keys nothing would stop them.
        raise ConfigError(
            f"{endpoint!r} could be reached from other computers, and nothing would check who they are. Either make "
            "keys (spikedaq keys new --daemon; then [security] keys = FOLDER in the configuration, or --keys FOLDER), "
            "or use tcp://127.0.0.1:PORT, and from elsewhere an SSH tunnel: ssh -L PORT:127.0.0.1:PORT this-computer"
        )


def is_loopback(host: str) -> bool:
    """Whether an address or name is this computer's own, which no other reaches."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def bind(socket_: zmq.Socket[Any], endpoint: str, *, option: str, keys: bool = False) -> str:
    """Bind and return the endpoint as bound (a port 0 or ``*`` becomes a number).

    An ipc socket is made for its owner alone (0600).

    Parameters
    ----------
    option : str
        What the user changes to get another endpoint.
    keys : bool
        The socket demands keys, and may be reached from elsewhere.

    Raises
    ------
    ConfigError
        Malformed, held by another process (named where that can be known), or not permitted.
    """
    check_endpoint(endpoint, keys=keys)
    is_ipc = endpoint.startswith("ipc://")
    if is_ipc and _ipc_is_alive(endpoint.removeprefix("ipc://")):
        # ZeroMQ would silently take the path from the living process.
        raise ConfigError(_in_use(endpoint, option))
    if ":[" in endpoint or "//[" in endpoint:
        socket_.setsockopt(zmq.IPV6, 1)
    # By the umask, not by a chmod afterwards: there is no moment at which others could connect.
    before = os.umask(0o177) if is_ipc else None
    try:
        socket_.bind(re.sub(r":0$", ":*", endpoint))
    except zmq.ZMQError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(_in_use(endpoint, option)) from error
        raise ConfigError(f"cannot bind {endpoint}: {error.strerror}; choose another with {option}") from error
    finally:
        if before is not None:
            os.umask(before)
    return str(socket_.getsockopt_string(zmq.LAST_ENDPOINT))


@contextmanager
def held(endpoints: Mapping[str, str], *, keys: bool = False) -> Iterator[None]:
    """Bind all of these at once, by what the user changes to get another, and let go again; raises as `bind` does."""
    context = zmq.Context()
    sockets = []  # one that nobody refers to is closed
    try:
        for option, endpoint in endpoints.items():
            sockets.append(context.socket(zmq.ROUTER))
            bind(sockets[-1], endpoint, option=option, keys=keys)
        yield
    finally:
        context.destroy(linger=0)


def _in_use(endpoint: str, option: str) -> str:
    holder = holder_of(endpoint)
    by = f"held by {holder}" if holder else "held by another process"
    return (
        f"{endpoint} is already in use, {by}; if that is another spikedaqd, use it or end it, "
        f"otherwise choose another endpoint with {option}"
    )


def _ipc_is_alive(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(path)
        except OSError:
            return False
        return True


def holder_of(endpoint: str) -> str | None:
    """Name the process that listens on a TCP endpoint, as ``command (pid N)``; None where it cannot be known.

    Notes
    -----
    Source: proc(5). /proc/net/tcp gives the socket's inode, /proc/PID/fd who has it open; other users' processes
    cannot be looked into.
    """
    match = _TCP.fullmatch(endpoint)
    if match is None or match[2] in ("0", "*"):
        return None
    inodes = _listening_inodes(int(match[2]))
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(fd.readlink()) in inodes for fd in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
                return f"{command[:120]!r} (pid {process.name})"
        except OSError:
            continue
    return None


def _listening_inodes(port: int) -> set[str]:
    return {f"socket:[{columns[9]}]" for columns in _sockets(port) if columns[3] == "0A"}  # 0A is LISTEN


def _sockets(port: int) -> Iterator[list[str]]:
    """Yield the columns of this computer's TCP sockets with a local port, as proc(5) has them."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            # Column 1 is the local address in hexadecimal.
            if int(columns[1].rsplit(":", 1)[1], 16) == port:
                yield columns
