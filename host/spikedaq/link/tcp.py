"""TCP links."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterable
from typing import Any

from spikedaq.link.base import FdLink
from spikedaq.link.url import LinkUrl
from spikedaq.model import LinkOpenError

CONNECT_TIMEOUT_S = 5.0


async def open_tcp(url: LinkUrl) -> FdLink:
    """Connect to ``tcp:host:port``.

    Raises
    ------
    LinkOpenError
        The name is unknown, the connection refused, or nobody answers within `CONNECT_TIMEOUT_S`.
    """
    loop = asyncio.get_running_loop()
    host, _, port = url.target.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            found = await loop.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
            sock = await _connect(found)
    except socket.gaierror as error:
        raise LinkOpenError(f"the host {host!r} of {url.text} is unknown ({error.strerror})", url=url.text) from error
    except TimeoutError as error:
        message = f"{url.text} does not answer within {CONNECT_TIMEOUT_S:.0f} s; is the computer reachable?"
        raise LinkOpenError(message, url=url.text) from error
    except OSError as error:
        reason = "refuses the connection" if error.errno == errno.ECONNREFUSED else f"is out of reach ({error})"
        raise LinkOpenError(
            f"{url.text} {reason}; start the device there, or correct the port", url=url.text
        ) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return FdLink(
        url.text,
        sock.fileno(),
        detail=f"TCP connection to {host} port {port}",
        closer=sock.close,
        remedy="it is connected again as soon as the device answers",
    )


async def _connect(found: Iterable[tuple[Any, ...]]) -> socket.socket:
    """Connect to the first address that takes it; raise the last error otherwise."""
    loop = asyncio.get_running_loop()
    failure: OSError = OSError("no address")
    for family, kind, proto, _, address in found:
        sock = socket.socket(family, kind, proto)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure
