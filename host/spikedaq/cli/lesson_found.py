"""The benches of a class that nobody has named: what is known of them here, and which of those answer.

Nothing is looked for in the network: an address is known because it was written down, configured, or used before.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikedaq.cli.lesson_state import state_folder
from spikedaq.cli.service import SYSTEM_CONFIG, user_config
from spikedaq.daemon import load_config
from spikedaq.durable import replaced
from spikedaq.inlet import DEFAULT_CONTROL_URL, ControlClient, control_url
from spikedaq.inlet.address import reached_by
from spikedaq.keys import config_folder
from spikedaq.lesson import everywhere
from spikedaq.model import CommandTimeout, ConfigError, SpikedaqError

LIST_NAME = "benches.txt"
"""In the user's folder of configuration; of the same form as what ``--list`` takes."""
_ASKED_S = 2.0


@dataclass(frozen=True, slots=True)
class Known:
    """A bench that is known.

    Attributes
    ----------
    url : str
        Its control endpoint.
    source : str
        Where it is known from.
    is_wanted : bool
        Somebody has written it down: a class is not begun without it.
    is_guess : bool
        Nobody has said that there is one.
    """

    url: str
    source: str
    is_wanted: bool = False
    is_guess: bool = False


def find_benches(key: str | None) -> list[str]:
    """Return the benches that answer or are wanted, and say of each that is known what became of it.

    Returns
    -------
    list of str
        Control endpoints; a daemon that is known under two is there once. Where nothing is found, this computer's.
    """
    known = known_benches()
    hellos = everywhere(known, lambda one: _hello(one.url, key))
    urls: list[str] = []
    epochs: set[Any] = set()
    for one, hello in zip(known, hellos, strict=True):
        if isinstance(hello, SpikedaqError):
            if not one.is_guess:
                _say(f"{one.url} ({one.source}) {_why(hello)}{'' if one.is_wanted else '; it is left out'}")
            if one.is_wanted:
                urls.append(one.url)
        elif (epoch := hello.get("epoch", one.url)) not in epochs:
            epochs.add(epoch)
            _say(f"found {hello.get('bench')} at {one.url} ({one.source})")
            urls.append(one.url)
    return urls or [known[0].url]


def known_benches() -> list[Known]:
    """Return the benches that are known, this computer's first.

    Those of the last class count only where there is no list: who has written one has said which they are.

    Raises
    ------
    ConfigError
        The list cannot be read.
    """
    own = control_url()
    is_guess = own == DEFAULT_CONTROL_URL
    known: list[Known] = []
    listed = config_folder() / LIST_NAME
    if has_list := listed.exists():
        known += [Known(url, str(listed), is_wanted=True) for url in read_list(listed)]
    for path in (user_config(), SYSTEM_CONFIG):
        with contextlib.suppress(OSError):
            if path.exists():
                known += _configured(path)
    if not has_list:
        known += [Known(url, "the last class") for url in last_benches()]
    known.append(Known(own, "this computer" if is_guess else "SPIKEDAQ_URL", is_guess=is_guess))
    known.sort(key=lambda one: one.url != own)
    first: dict[str, Known] = {}
    for one in known:
        first.setdefault(one.url, one)
    return list(first.values())


def read_list(path: Path) -> list[str]:
    """Return the benches of a list: one address a line, ``#`` begins a remark; ConfigError where it cannot be read."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the list of benches {path} cannot be read ({error})") from error
    return [completed(text) for line in lines if (text := line.partition("#")[0].strip())]


def completed(text: str) -> str:
    """Complete ``lab3`` and ``lab3:5571`` to an endpoint."""
    if "://" in text:
        return text
    return f"tcp://{text}" if text.rpartition(":")[2].isdecimal() and ":" in text else f"tcp://{text}:5571"


def last_benches() -> list[str]:
    """Return the benches of the last class that was begun from here; none where nobody knows."""
    try:
        return read_list(_last_path())
    except ConfigError:
        return []


def remember_benches(urls: Sequence[str]) -> None:
    """Remember the benches of a class for the next one; what cannot be remembered has to be named again."""
    path = _last_path()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as file:
            file.writelines(f"{url}\n" for url in ["# The benches of the last class; see spikedaq class start.", *urls])


def _last_path() -> Path:
    return state_folder() / "class-benches.txt"


def _configured(path: Path) -> list[Known]:
    """Return the bench of a daemon's configuration; one that cannot be used is told by the daemon, not here."""
    try:
        endpoint = load_config(path).control
    except SpikedaqError:
        return []
    return [Known(reached_by(DEFAULT_CONTROL_URL, endpoint), str(path))]


def _hello(url: str, key: str | None) -> dict[str, Any]:
    with ControlClient(url, key=key, timeout_s=_ASKED_S) as client:
        hello = client.call("hello")
    return hello if isinstance(hello, dict) else {}


def _why(error: SpikedaqError) -> str:
    return "does not answer" if isinstance(error, CommandTimeout) else f"cannot be used: {error}"


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr)
