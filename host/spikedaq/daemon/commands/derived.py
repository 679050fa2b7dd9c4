"""Operations on derived streams."""

from __future__ import annotations

from typing import Any

from spikedaq.bus import DerivedInfo, DerivedPlace
from spikedaq.daemon.bench import Bench
from spikedaq.daemon.commands.operation import Operation, flag, positive, shown, text
from spikedaq.daemon.derived import DEFAULT_TTL_S, DerivedStreams
from spikedaq.model import CommandRejected, ConfigError
from spikedaq.outlet import Peer

_U32, _I63 = 2**32 - 1, 2**63 - 1
_HOUR_US = 3_600_000_000


class DerivedCommands:
    """Opens, publishes and closes derived streams. They change no device, so that nobody's lease is in the way."""

    def __init__(self, bench: Bench, derived: DerivedStreams) -> None:
        self._bench = bench
        self._derived = derived

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        opens = ("settings", "ttl_s", "replace")
        place = ("tick", "t_ns", "u_ns")
        options: dict[str, Any] = {"changes": True, "asks_lease": False, "wants_peer": True}
        return {
            "derive_open": Operation(self._open, ("device", "stream", "channels", "pitch_steps"), opens, **options),
            "derive": Operation(
                self._publish, ("device", "stream", "id", "boot", "step", "step_us", "samples"), place, **options
            ),
            "derive_close": Operation(self._close, ("device", "stream", "id"), **options),
        }

    async def _open(
        self,
        peer: Peer,
        *,
        device: Any,
        stream: Any,
        channels: Any,
        pitch_steps: Any,
        settings: Any = None,
        ttl_s: Any = None,
        replace: Any = False,
    ) -> dict[str, Any]:
        name = self._bench.member(device).name
        try:
            info = DerivedInfo.from_map(stream, channels, pitch_steps, settings)
        except ConfigError as error:
            raise CommandRejected(str(error), code="bad_arguments") from error
        seconds = DEFAULT_TTL_S if ttl_s is None else positive(ttl_s, "ttl_s")
        return self._derived.open(name, info, peer, ttl_s=seconds, replace=flag(replace or False, "replace"))

    async def _publish(
        self,
        _: Peer,
        *,
        device: Any,
        stream: Any,
        id: Any,  # noqa: A002 - as it is called on the wire
        boot: Any,
        step: Any,
        step_us: Any,
        samples: Any,
        tick: Any = None,
        t_ns: Any = None,
        u_ns: Any = None,
    ) -> dict[str, Any]:
        name = self._bench.member(device).name
        if not isinstance(samples, bytes):
            raise CommandRejected(f"'samples' is {shown(samples)}; it must be bytes", code="bad_arguments")
        place = DerivedPlace(
            _whole(boot, "boot", 0, _U32),
            _whole(step, "step", 0, _I63),
            _whole(step_us, "step_us", 1, _HOUR_US),
            _optional(tick, "tick"),
            _optional(t_ns, "t_ns"),
            _optional(u_ns, "u_ns"),
        )
        return self._derived.publish(name, text(stream, "stream"), text(id, "id"), place, samples)

    async def _close(self, _: Peer, *, device: Any, stream: Any, id: Any) -> None:  # noqa: A002
        self._derived.close(self._bench.member(device).name, text(stream, "stream"), text(id, "id"))


def _whole(value: Any, name: str, minimum: int, maximum: int) -> int:
    if type(value) is not int or not minimum <= value <= maximum:
        message = f"{name!r} is {shown(value)}; it must be a whole number from {minimum} to {maximum}"
        raise CommandRejected(message, code="bad_arguments")
    return value


def _optional(value: Any, name: str) -> int | None:
    return None if value is None else _whole(value, name, 0, _I63)
