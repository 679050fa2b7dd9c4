"""The page that `spikedaq class start` serves: a process of its own, which lasts until the class is stopped."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from spikedaq.cli.lesson_state import state_folder
from spikedaq.model import ConfigError

_START_S = 30.0


def show_page(urls: Sequence[str], *, listen: str, key: str | None) -> str:
    """Serve the page of some benches, to viewers only, in a process that outlives this one.

    Parameters
    ----------
    urls : sequence of str
        Control endpoints of the benches; one at least.
    listen : str
        ``HOST:PORT``.
    key : str or None
        File of the key to ask the benches with.

    Returns
    -------
    str
        The students' address, with their token.

    Raises
    ------
    ConfigError
        It cannot be served, and why.
    """
    _check_built()
    line = [sys.executable, "-m", "spikedaq.cli", "class", "serve", "--read-only", "--until-stop", "--json"]
    line += ["--listen", listen, "--url", urls[0], *(f"--bench={url}" for url in urls[1:])]
    if key is not None:
        line += ["--key", key]
    log_path = state_folder() / "class-page.log"
    try:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("wb") as log:
            # A session of its own: neither Ctrl-C nor the end of this terminal is meant for it.
            process = subprocess.Popen(
                line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
    except OSError as error:
        raise ConfigError(f"the page cannot be served ({error.strerror}; its log is {log_path})") from error
    address = None
    try:
        if process.stdout is not None:
            with process.stdout as out:
                address = _address_in(_first_line(out))
    finally:
        if address is None:
            process.kill()
            process.wait()
    if address is None:
        raise ConfigError(_last_words(log_path))
    return address


def _check_built() -> None:
    """Raise ConfigError where there is no page to serve: a server would begin all the same, and say so to students."""
    try:
        from spikedaq.scope.app import PAGE  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'spikedaq[scope]'") from error
    if not (PAGE / "index.html").exists():
        raise ConfigError("the page has not been built: make page (it needs Node.js 20 or newer)")


def _first_line(out: IO[bytes]) -> bytes:
    """Return the first line that a process writes; what there is of it where it ends, or takes too long."""
    said = b""
    deadline = time.monotonic() + _START_S
    with selectors.DefaultSelector() as selector:
        selector.register(out, selectors.EVENT_READ)
        while not said.endswith(b"\n") and selector.select(max(0.0, deadline - time.monotonic())):
            more = os.read(out.fileno(), 4096)
            if not more:
                break
            said += more
    return said


def _address_in(said: bytes) -> str | None:
    try:
        return str(json.loads(said)["viewers"])
    except (ValueError, KeyError, TypeError):
        return None


def _last_words(log_path: Path) -> str:
    """Return what the server said as it failed."""
    try:
        lines = log_path.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    said = [line.removeprefix("spikedaq: ") for line in lines if line.startswith("spikedaq: ")]
    return said[-1] if said else f"the page's server did not start within {_START_S:.0f} s; see {log_path}"
