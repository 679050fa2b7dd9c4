"""Names of what a device records, as PyNN and as the device has them, and which of it is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spikedaq.model import ConfigError

SPIKES = "spikes"
MEMBRANE = "v"
"""PyNN's name of the membrane potential."""
_CANONICAL = {"vm": MEMBRANE}
"""Channels that PyNN has another name for."""

Variables = str | Sequence[str] | None


def canonical(name: str) -> str:
    """Return PyNN's name of a channel or variable: two that have the same one are the same."""
    return _CANONICAL.get(name, name)


def variables_of(channels: Iterable[str], *, has_spikes: bool) -> list[str]:
    """Return the variables that a device with some channels can record, by PyNN's names, spikes last."""
    return [*dict.fromkeys(map(canonical, channels)), *([SPIKES] if has_spikes else [])]


def named(variables: Variables, possible: Sequence[str], who: str) -> list[str]:
    """Return variables one by one.

    Parameters
    ----------
    variables : str or sequence of str
        One, several, or ``"all"``.
    possible : sequence of str
        What there is; a channel's own name is as good as PyNN's.
    who : str
        For the message.

    Raises
    ------
    ConfigError
        One that ``who`` does not have.
    """
    if variables is None:
        return []
    wanted = [variables] if isinstance(variables, str) else list(variables)
    if wanted == ["all"]:
        return list(possible)
    known = {canonical(one) for one in possible}
    for one in wanted:
        if not isinstance(one, str) or canonical(one) not in known:
            raise ConfigError(f"{who} cannot record {one!r}; it has {', '.join(possible)}")
    return list(dict.fromkeys(wanted))


class Selection:
    """What of a device is recorded: everything, until somebody says what.

    Attributes
    ----------
    sampling_interval_ms : float or None
        Only every so many milliseconds a sample; None: every one.
    """

    def __init__(self) -> None:
        self._names: list[str] | None = None
        self.sampling_interval_ms: float | None = None

    def add(self, variables: Variables, possible: Sequence[str], who: str) -> None:
        """Record these as well; the first ones that are named end that everything is. None: nothing."""
        if variables is None:
            self._names = []
            return
        self._names = list(dict.fromkeys([*(self._names or []), *named(variables, possible, who)]))

    def recorded(self, possible: Sequence[str]) -> list[str]:
        """Return the variables that are recorded."""
        return list(possible) if self._names is None else list(self._names)

    def chosen(self, variables: Variables, possible: Sequence[str], who: str) -> list[str]:
        """Return those of the recorded variables that are asked for.

        Raises
        ------
        ConfigError
            One that is not recorded.
        """
        recorded = self.recorded(possible)
        if variables == "all" or (variables is not None and list(variables) == ["all"]):
            return recorded
        wanted = named(variables, possible, who)
        known = {canonical(one) for one in recorded}
        for one in wanted:
            if canonical(one) not in known:
                raise ConfigError(f"{one!r} of {who} is not recorded, only {', '.join(recorded) or 'nothing'} is")
        return wanted
