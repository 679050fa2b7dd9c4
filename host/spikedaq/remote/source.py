"""What the files of a remote recording tell of the daemon that it is recorded from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from spikedaq.daemon.config_file import trigger_from
from spikedaq.inlet import Bench
from spikedaq.model import CommandError, ConfigError, RemoteProtocolError


@dataclass(frozen=True, slots=True)
class Source:
    """A daemon as it was when a session began.

    Attributes
    ----------
    configuration : map or None
        As its operation `configuration` tells it; None where it did not.
    triggers : list of map or None
        Its triggers that were armed, as tables of spikedaq.toml with every key.
    unknown : dict of str to str
        By operation, why it did not tell.
    """

    configuration: dict[str, Any] | None
    triggers: list[dict[str, Any]] | None
    unknown: dict[str, str] = field(default_factory=dict)

    def config(self, bench: Bench) -> dict[str, Any]:
        """Return what the files have as the configuration."""
        told = {"recorded_from": bench.client.url, "daemon": bench.hello.get("version")}
        return {**(self.configuration or {}), **told, **({"unknown": self.unknown} if self.unknown else {})}

    def stated(self, key: str) -> str | None:
        """Return a text that ``[recording]`` of its configuration has for the files."""
        recording = (self.configuration or {}).get("recording")
        value = recording.get(key) if isinstance(recording, dict) else None
        return value if isinstance(value, str) else None


def ask(bench: Bench) -> Source:
    """Ask a daemon. One that does not know the question, or may not answer it, keeps nobody from recording."""
    unknown: dict[str, str] = {}

    def asked(op: str, kind: type) -> Any:
        try:
            value = bench.client.call(op)
        except (CommandError, RemoteProtocolError) as error:
            unknown[op] = str(error)
            return None
        if isinstance(value, kind):
            return value
        unknown[op] = "the daemon's answer is not understood"
        return None

    configuration, triggers = asked("configuration", dict), asked("trigger_list", list)
    return Source(configuration, None if triggers is None else [_full(t) for t in triggers if _is_armed(t)], unknown)


def _is_armed(trigger: Any) -> bool:
    return isinstance(trigger, dict) and trigger.get("state") == "armed" and isinstance(trigger.get("definition"), dict)


def _full(trigger: dict[str, Any]) -> dict[str, Any]:
    """Return a trigger's definition with every key; as it was told where it is that of another version."""
    definition: dict[str, Any] = trigger["definition"]
    try:
        return trigger_from(definition, source="the daemon's trigger").to_full_map()
    except ConfigError:
        return definition
