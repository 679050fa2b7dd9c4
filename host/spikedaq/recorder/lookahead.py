"""What a block needs to be stored and that may stand behind it in the journal: descriptions and a clock map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from spikedaq.journal import JournalReader, JournalState, SessionStop, carries_state, known
from spikedaq.model import ChannelInfo, ClampMode, ClockMap, DeviceInfo, EventKind, ProtocolError
from spikedaq.wire import Description, DescriptionKind, EventMessage, Frame, Hello, decode_message, device_info

MAX_LOOKAHEAD_BYTES = 64 * 2**20
"""How far behind a block its clock map may stand: seven minutes of eight channels at 10 kHz."""
GUESSED_UNCERTAINTY_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one boot; ``clock`` is None where no clock map of it is known."""

    info: DeviceInfo
    clock: ClockMap | None


def facts_of(state: JournalState, boot_id: int) -> Facts | None:
    """Facts in a journal state, None where its hello is not of that boot."""
    hello, descriptions, _ = known(state)
    if hello is None or hello.boot_id != boot_id:
        return None
    info = _info(hello, descriptions)
    parameters = list(info.parameters)
    for index, message in state.parameters.items():
        event = decode_message(message)
        if isinstance(event, EventMessage) and event.kind == EventKind.PARAMETER and index < len(parameters):
            parameters[index] = replace(parameters[index], value=event.value)
    clock = state.clock_map
    return Facts(replace(info, parameters=tuple(parameters)), clock if clock and clock.boot_id == boot_id else None)


def _info(hello: Hello, descriptions: list[Description]) -> DeviceInfo:
    """Put together what was said, leaving out what makes no sense: a sample is never lost for a strange description."""
    clamp = [d for d in descriptions if d.kind in (DescriptionKind.CHANNEL, DescriptionKind.CLAMP_CHANNEL)]
    plain = [d for d in clamp if d.kind == DescriptionKind.CHANNEL]
    for kept in (descriptions, clamp, plain, []):
        try:
            return device_info(hello, kept)
        except ProtocolError:
            continue
    return device_info(hello, ())


def is_complete(facts: Facts | None) -> bool:
    """Whether nothing more can be wished for."""
    if facts is None or facts.clock is None:
        return False
    info = facts.info
    described = (len(info.channels), len(info.parameters), len(info.presets)) == info.counts
    return described and len(info.clamp_channels) == info.n_clamp_channels


class Lookahead:
    """Reads on from a block to find the facts of its boot, over as many polls as it takes.

    The blocks in between stay in the journal, so waiting takes no memory. The search ends with the boot, the session,
    or ``MAX_LOOKAHEAD_BYTES``: all of them are places in the journal, so every reader finds the same.
    """

    def __init__(self, folder: Path, offset: int, state: JournalState, boot_id: int, session: str) -> None:
        self.boot_id = boot_id
        self._reader = JournalReader(folder, offset)
        self._limit = offset + MAX_LOOKAHEAD_BYTES
        self._state = state.copy()
        self._session = session
        self._ended = False

    def search(self, *, last: bool) -> Facts | None:
        """Read what has come; the facts when they are complete or nothing can complete them, None for not yet.

        ``last`` says that the journal will not grow any more.
        """
        while not self._ended:
            facts = facts_of(self._state, self.boot_id)
            if is_complete(facts):
                self._ended = True
                break
            entries = self._reader.poll()
            if not entries:
                if not last:
                    return None
                break
            for entry in entries:
                before = (self._state.revision, self._state.clock_map)
                # Nothing behind the place where they are complete: how much one poll returns must not matter.
                if self._is_end(entry.item) or (
                    before != (self._state.revision, self._state.clock_map)
                    and is_complete(facts_of(self._state, self.boot_id))
                ):
                    self._ended = True
                    break
            self._ended = self._ended or self._reader.offset > self._limit
        self._reader.close()
        return facts_of(self._state, self.boot_id)

    def _is_end(self, item: object) -> bool:
        """Take an item in; whether the search has to end before it."""
        if isinstance(item, Frame):
            if not carries_state(item.raw):
                return False
            before = self._state.copy()
            self._state.message(item.message)
            if self._state.boot_id not in (before.boot_id, self.boot_id):
                self._state = before
                return True
            return False
        if isinstance(item, SessionStop):
            return item.session == self._session
        self._state.record(item)  # type: ignore[arg-type]  # an entry's item that is no frame is a record
        return False


def filled(info: DeviceInfo, n_channels: int, mode: ClampMode) -> DeviceInfo:
    """Give channels that were never described the plainest description, so that their samples are kept all the same.

    A description of the other mode never stands in: it would call millivolts per cent.
    """
    channels = info.channels_in(mode)
    if len(channels) == n_channels:
        return info
    spare = tuple(ChannelInfo(f"channel_{i}", "1", 1, 0) for i in range(len(channels), n_channels))
    channels = (*channels, *spare)[:n_channels]
    return replace(info, clamp_channels=channels) if mode is ClampMode.VOLTAGE else replace(info, channels=channels)


def guessed_clock(boot_id: int, tick: int, t_received_ns: int) -> ClockMap:
    """Clock map of a boot that was never fitted: as if a block had been received at the moment of its first sample."""
    return ClockMap(boot_id, tick, t_received_ns, 1000.0, GUESSED_UNCERTAINTY_NS)
