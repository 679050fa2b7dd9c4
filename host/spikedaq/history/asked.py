"""Who asked for a change of a parameter: found among a journal's requests, told as the bus told it."""

from __future__ import annotations

from collections.abc import Mapping

from spikedaq.journal import Item, RequestRecord
from spikedaq.model import Event, EventKind, RemoteProtocolError
from spikedaq.wire import Description, DescriptionKind, Set, decode_message

BOARD = "board"
"""Origin of a change that nobody asked for: a knob, a button, a preset that brings others with it."""
# A board tells a change it was asked for with the next frames; a knob turned later than this is a knob.
_ASKED_NS = 2_000_000_000


class Asked:
    """Watches what passes, in the order of the journal.

    Attributes
    ----------
    origin : str
        Who asked for the newest event, where that told a parameter; ``board`` where nobody did.
    """

    def __init__(self) -> None:
        self.origin = BOARD
        self._asked: dict[int, tuple[str, int]] = {}
        self._newest_request = b""

    def take(self, item: Item) -> None:
        """Take in an item of the journal."""
        content = item.content
        if isinstance(content, RequestRecord):
            self._request(content)
        elif isinstance(content, Event) and content.kind == EventKind.PARAMETER:
            origin, asked_ns = self._asked.pop(content.index, (BOARD, 0))
            self.origin = origin if item.t_received_ns - asked_ns < _ASKED_NS else BOARD

    def _request(self, record: RequestRecord) -> None:
        if record.message == self._newest_request:
            return  # sent again, because no reply came
        self._newest_request = record.message
        try:
            request = decode_message(record.message)
        except RemoteProtocolError:
            return
        if isinstance(request, Set):
            for index in request.pairs[::2]:
                self._asked[int(index or 0)] = record.origin, record.t_host_ns


def parameter_name(descriptions: Mapping[tuple[int, int], bytes], index: int) -> str:
    """Return a parameter's name by the descriptions of a `JournalState`, ``parameter <index>`` where it has none."""
    message = descriptions.get((int(DescriptionKind.PARAMETER), index))
    try:
        description = decode_message(message) if message is not None else None
    except RemoteProtocolError:
        description = None
    name = description.body[0] if isinstance(description, Description) and description.body else None
    return name if isinstance(name, str) else f"parameter {index}"
