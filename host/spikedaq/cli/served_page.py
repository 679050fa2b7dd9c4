"""The web page beside another command: served by a thread of it, opened where there is a browser to open it in."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from spikedaq.daemon.log_setup import set_up_logging
from spikedaq.model import ConfigError

PORT = 5580
_LOOPBACK = "127.0.0.1"
_START_S = 20.0
_END_S = 10.0
_CI_VARIABLES = ("CI", "GITHUB_ACTIONS", "GITLAB_CI")
_REMOTE_VARIABLES = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")


@contextlib.contextmanager
def served_page(urls: Sequence[str], *, log_path: Path, port: int = PORT) -> Iterator[str]:
    """Serve the page of some benches to this computer, until left.

    Parameters
    ----------
    urls : sequence of str
        Control endpoints of the benches.
    log_path : Path
        What the server has to say goes there.
    port : int
        Where it is to be; another that is free where this one is taken.

    Yields
    ------
    str
        Its address.

    Raises
    ------
    ConfigError
        It cannot be served, and what to install or do.
    """
    try:
        from spikedaq.scope.access import Access  # noqa: PLC0415 - an extra
        from spikedaq.scope.app import PAGE, make_app  # noqa: PLC0415
        from spikedaq.scope.hub import Hub  # noqa: PLC0415
        from spikedaq.scope.server import PageServer, address_of, bind  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'spikedaq[scope]'") from error
    if not (PAGE / "index.html").exists():
        raise ConfigError(
            "it has not been built: install Node.js 20 or newer with npm (Debian: sudo apt-get install nodejs npm), "
            "then: make page"
        )
    try:
        listening = bind(_LOOPBACK, port)
    except ConfigError:
        listening = bind(_LOOPBACK, 0)
    with contextlib.ExitStack() as stack:
        stack.callback(listening.close)
        try:
            log = stack.enter_context(log_path.open("a", encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"its log {log_path} cannot be written ({error.strerror})") from error
        stack.callback(set_up_logging(log).close)
        is_up = threading.Event()
        hub = Hub(urls)
        server = PageServer(make_app(hub, Access(_LOOPBACK)), hub, started=is_up.set)
        thread = threading.Thread(target=server.run, args=([listening],), name="page", daemon=True)
        thread.start()
        try:
            if not is_up.wait(_START_S):
                raise ConfigError(f"its server did not start within {_START_S:.0f} s; see {log_path}")
            yield address_of(listening)
        finally:
            server.should_exit = True
            thread.join(_END_S)


def has_browser(environment: Mapping[str, str] = os.environ, *, platform: str = sys.platform) -> bool:
    """Tell whether somebody sits before this computer's screen who may want a page opened.

    Not where a program runs this, nor at the far end of ssh, nor without a display.
    """
    if any(environment.get(name) for name in (*_CI_VARIABLES, *_REMOTE_VARIABLES)):
        return False
    if platform in ("win32", "darwin"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def open_page(address: str) -> bool:
    """Open the page in the browser of this computer; tell whether there was one."""
    try:
        return webbrowser.open(address)
    except (webbrowser.Error, OSError):
        return False
