"""The convention for names of sessions: ``YYYY-MM-DD_group_condition_mode_protocol_run``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from spikedaq.model.errors import ConfigError
from spikedaq.model.names import check_session_name

CONVENTION = "YYYY-MM-DD_group_condition_mode_protocol_run"
MAX_RUN = 9999
_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_RUN = re.compile(r"[0-9]{1,4}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class SessionParts:
    """What a session's name says.

    Attributes
    ----------
    day : date
    mode, protocol : str
        What the neuron was, and what was done to it (the stimulus).
    run : int
        1 to 9999.
    group, condition : str
        Empty where the name has none.
    """

    day: date
    mode: str
    protocol: str
    run: int
    group: str = ""
    condition: str = ""


def session_name(
    *, day: date, mode: str, protocol: str, run: int, group: str = "", condition: str = ""
) -> str:  # fmt: skip
    """Return the name of a session by the convention.

    Mode, protocol and run number are needed, group and condition may be empty. Without both the name has four parts; a
    condition without a group leaves the group's place empty, so that no name can be read in two ways.

    Raises
    ------
    ConfigError
        A part is missing, has a character in it that a path or the convention does not allow, or the whole is too long;
        the text says which and why.
    """
    for what, text in (("mode", mode), ("protocol", protocol)):
        if not text:
            raise ConfigError(
                f"the {what} is missing; a session's name is {CONVENTION}, and needs mode, protocol and run"
            )
    if isinstance(run, bool) or not isinstance(run, int) or not 1 <= run <= MAX_RUN:
        raise ConfigError(f"the run is {run!r}; give a whole number from 1 to {MAX_RUN}")
    for what, text in (("group", group), ("condition", condition), ("mode", mode), ("protocol", protocol)):
        if text:
            _check_part(what, text)
    middle = [group, condition] if condition else [group] if group else []
    return check_session_name("_".join([day.isoformat(), *middle, mode, protocol, str(run)]))


def parse_session_name(name: str) -> SessionParts:
    """Return the parts of a name that keeps to the convention.

    Raises
    ------
    ConfigError
        It does not; the text says in which part.
    """
    check_session_name(name)
    parts = name.split("_")
    if not 4 <= len(parts) <= 6:
        raise ConfigError(
            f"the session name {name!r} has {len(parts)} parts between '_'; the convention is {CONVENTION}"
        )
    middle = parts[1:-3]
    group, condition = [*middle, "", ""][:2]
    try:
        day = date.fromisoformat(parts[0]) if _DATE.fullmatch(parts[0]) else None
    except ValueError:
        day = None
    if day is None:
        raise ConfigError(f"the session name {name!r} does not begin with a date such as 2026-05-01; {CONVENTION}")
    if not _RUN.fullmatch(parts[-1]) or int(parts[-1]) < 1:
        raise ConfigError(f"the session name {name!r} does not end with a run number from 1 to {MAX_RUN}; {CONVENTION}")
    if middle and not middle[-1]:
        raise ConfigError(f"the session name {name!r} has an empty part; leave it out with its '_'; {CONVENTION}")
    mode, protocol = parts[-3], parts[-2]
    for what, text in (("mode", mode), ("protocol", protocol)):
        if not text:
            raise ConfigError(f"the {what} is missing in the session name {name!r}; {CONVENTION}")
    for what, text in (("group", group), ("condition", condition), ("mode", mode), ("protocol", protocol)):
        if text:
            _check_part(what, text)
    return SessionParts(day, mode, protocol, int(parts[-1]), group, condition)


def next_run(
    existing: Iterable[str], *, day: date, mode: str, protocol: str, group: str = "", condition: str = ""
) -> int:
    """Return the run number after the greatest of those sessions that agree in all other parts, 1 where none does.

    Parameters
    ----------
    existing : iterable of str
        Names of sessions; those that do not keep to the convention, and other spellings of letters, count as others.
    """
    wanted = (day, mode, protocol, group, condition)
    greatest = 0
    for name in existing:
        try:
            parts = parse_session_name(name)
        except ConfigError:
            continue
        if (parts.day, parts.mode, parts.protocol, parts.group, parts.condition) == wanted:
            greatest = max(greatest, parts.run)
    return greatest + 1


def name_part(text: str) -> str:
    """Return a text of any kind as a part of a name: ``Tonic spiking`` becomes ``tonic-spiking``; may be empty."""
    return re.sub(r"[^a-z0-9.]+|[.]{2,}", "-", text.lower()).strip("-.")[:40].strip("-.")


def _check_part(what: str, text: str) -> None:
    if _PART.fullmatch(text) and ".." not in text:
        return
    bad = sorted({c for c in text if not re.fullmatch(r"[A-Za-z0-9.-]", c)})
    if "_" in bad:
        reason = "has '_' in it, which stands between the parts of a name"
    elif bad:
        reason = f"has {' '.join(map(repr, bad[:5]))} in it, which not every disk and program takes in a name"
    else:
        reason = "begins or ends with '.' or '-', or has '..' in it, which paths read in their own way"
    hint = name_part(text)
    remedy = f"write {hint!r}" if hint else "use letters and digits"
    raise ConfigError(f"the {what} {text[:80]!r} {reason}; {remedy}")
