"""Link URLs: ``scheme:target?option=value&...``, and ``fault:name=value,...;URL`` around any of them."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from spikedaq.link.fault_spec import parse_spec
from spikedaq.model import ConfigError, LinkOpenError
from spikedaq.stock import DIALECTS

SIM_OPTIONS = {
    "rate": "--rate",
    "step_us": "--step-us",
    "preset": "--preset",
    "seed": "--seed",
    "id": "--id",
    "boot_id": "--boot-id",
    "tick_start": "--tick-start",
    "duration": "--duration",
    "truth": "--record-truth",
    "axon": "--axon",
    "syn1": "--syn1",
    "syn2": "--syn2",
    "protocol_major": "--protocol-major",
    "fault": "--fault",
    "fault_script": "--fault-script",
}
"""Options of ``sim:`` that take a value, and the argument of `spikedaq-device` each becomes."""

SIM_SWITCHES = {"loopback": "--loopback", "fast": "--as-fast-as-possible"}
SIM_PREFIXES = {"param": "--param", "knob": "--knob"}

AUTO = "auto"
"""Value of ``baud`` and ``dialect``: find out."""
NO_DIALECT = "none"
"""Value of ``dialect``: only the spikedaq firmware is expected, never a stock one."""

_OPTIONS: dict[str, tuple[str, ...]] = {
    "serial": ("baud", "id", "dialect"),
    "pty": ("id", "dialect"),
    "tcp": ("id", "dialect"),
    "sim": (*SIM_OPTIONS, *SIM_SWITCHES),
    "replay": ("speed", "loop", "from", "to"),
}
_REAL_NS_PER_TICK = 1000.0
_EXAMPLES = "serial:/dev/ttyUSB0?baud=500000, pty:/path, tcp:host:port or sim:NAME?preset=0&rate=10000"
_FAULT_EXAMPLE = "fault:flip=1e-5,seed=7;serial:/dev/ttyUSB0"


@dataclass(frozen=True, slots=True)
class LinkUrl:
    """The parts of a link URL. ``options`` keeps the order, and may hold a name more than once.

    Attributes
    ----------
    target : str
        What is opened; of a ``fault:`` URL what the link inside opens.
    inner : LinkUrl or None
        The link inside a ``fault:`` URL.
    """

    text: str
    scheme: str
    target: str
    options: tuple[tuple[str, str], ...]
    inner: LinkUrl | None = None

    @property
    def is_pattern(self) -> bool:
        """Whether it names any port that matches, as ``serial:/dev/ttyUSB*`` does."""
        return self.scheme in ("serial", "pty") and any(sign in self.target for sign in "*[")

    @property
    def port(self) -> str | None:
        """What no other link may use; None where there is no such thing."""
        if self.inner is not None:
            return self.inner.port
        return None if self.scheme in ("sim", "replay") or self.is_pattern else self.target

    def option(self, name: str, default: str) -> str:
        """Return the last value of an option."""
        return next((value for key, value in reversed(self.options) if key == name), default)


def parse_url(url: str) -> LinkUrl:
    """Split and check a link URL, without touching what it names.

    Raises
    ------
    LinkOpenError
        No or an unknown scheme, no target, an unknown option, a number that is none.
    """
    scheme, colon, rest = url.partition(":")
    if scheme == "fault":
        return _parse_fault(url, rest)
    if not colon or scheme not in _OPTIONS:
        hint = f" (did you mean serial:{url}?)" if url.startswith("/dev/") else ""
        raise LinkOpenError(f"the link URL {url!r} has no known scheme{hint}; use {_EXAMPLES}", url=url)
    target, _, query = rest.partition("?")
    if not target:
        raise LinkOpenError(f"the link URL {url!r} names nothing after {scheme!r}; use {_EXAMPLES}", url=url)
    try:
        options = tuple(parse_qsl(query, keep_blank_values=True, strict_parsing=True)) if query else ()
    except ValueError as error:
        raise LinkOpenError(f"the options of {url!r} are not name=value&name=value ({error})", url=url) from error
    for name, value in options:
        _check_option(url, scheme, name, value)
    if scheme == "tcp":
        host, _, port = target.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise LinkOpenError(f"{url!r} does not name a host and a port; use tcp:host:port", url=url)
    return LinkUrl(url, scheme, target, options)


def pace_of(url: str) -> float | None:
    """Return what a tick of the device behind a link takes on the host's clock, but for what its clock is off.

    Parameters
    ----------
    url : str
        Of an open link; what is no link URL is real.

    Returns
    -------
    float or None
        Nanoseconds per tick: 1000, or another of a replay with a speed. None of one that goes as fast as it can: it
        keeps no pace at all.
    """
    try:
        parsed = parse_url(url)
    except LinkOpenError:
        return _REAL_NS_PER_TICK
    parsed = parsed.inner or parsed
    if parsed.scheme != "replay":
        return _REAL_NS_PER_TICK
    speed = parsed.option("speed", "1")
    return None if speed == "max" else _REAL_NS_PER_TICK / float(speed)


def _parse_fault(url: str, rest: str) -> LinkUrl:
    """Take ``SPEC;URL`` apart. What the spec's words mean is known where it is used."""
    spec, semicolon, inside = rest.partition(";")
    pairs = [tuple(part.split("=", 1)) for part in spec.split(",")] if spec else []
    if not semicolon or any(len(pair) != 2 or not pair[0] for pair in pairs):
        raise LinkOpenError(
            f"the link URL {url!r} is not fault:name=value,name=value;URL; write it as {_FAULT_EXAMPLE!r}", url=url
        )
    options = tuple((pair[0], pair[1]) for pair in pairs)
    try:
        parse_spec(option for option in options if option[0] not in ("script", "report"))
    except ConfigError as error:
        raise LinkOpenError(f"the link URL {url!r}: {error}", url=url) from error
    try:
        inner = parse_url(inside)
    except LinkOpenError as error:
        raise LinkOpenError(f"inside {url!r}: {error}", url=url) from error
    if inner.inner is not None or inner.is_pattern:
        what = "one fault: inside another" if inner.inner else "a pattern of ports"
        raise LinkOpenError(f"the link URL {url!r} has {what}; name one link, as in {_FAULT_EXAMPLE!r}", url=url)
    return LinkUrl(url, "fault", inner.target, options, inner)


def _check_option(url: str, scheme: str, name: str, value: str) -> None:
    prefix, dot, part = name.partition(".")
    if scheme == "sim" and dot and part and prefix in SIM_PREFIXES:
        return
    known = _OPTIONS[scheme]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"{scheme}: knows {', '.join(known) or 'no options'}"
        raise LinkOpenError(f"the link URL {url!r} has an unknown option {name!r}; {hint}", url=url)
    if name == "baud" and value != AUTO and not (value.isdecimal() and int(value) > 0):
        raise LinkOpenError(
            f"the baud rate {value!r} in {url!r} is neither a positive whole number nor {AUTO}", url=url
        )
    if name == "dialect" and value not in (AUTO, NO_DIALECT, *DIALECTS):
        names = ", ".join((AUTO, NO_DIALECT, *DIALECTS))
        raise LinkOpenError(f"the dialect {value!r} in {url!r} is none of {names}", url=url)
    if name == "speed" and value != "max" and not _is_positive(value):
        raise LinkOpenError(f"the speed {value!r} in {url!r} is neither a positive number nor 'max'", url=url)
    if name in ("from", "to") and not value.isdecimal():
        raise LinkOpenError(f"{name!r} in {url!r} is {value!r}; give a journal offset, a whole number", url=url)
    if name == "id" and scheme != "sim" and not re.fullmatch("(?:[0-9a-fA-F]{2}){4,16}", value):
        raise LinkOpenError(f"the id {value!r} in {url!r} is not a board's: 8 to 32 hex digits", url=url)


def _is_positive(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False
