"""Who asked for a change of a parameter: found among a journal's requests, told as the bus tells it."""

from __future__ import annotations

from spikedaq.journal.records import RequestRecord
from spikedaq.model import Event, EventKind, RemoteProtocolError
from spikedaq.wire import Set, decode_message

BOARD = "board"
"""Origin of a change that nobody asked for: a knob, a button, a preset that brings others with it."""
ASKED_NS = 2_000_000_000
"""A board tells a change it was asked for with the next frames; a knob turned later than this is a knob."""
ASKED_BYTES = 384 * 1024
"""As far behind its request a change may stand in the journal: two seconds of eight channels at 10 kHz, unpacked. A
request sent again, because no reply came, stands no further behind the one before."""
LOOK_BACK_BYTES = 2 * ASKED_BYTES
"""Whoever begins this far before a change, or further, finds the asker that everybody else finds. Less than what a
journal keeps below the offset that it is told of (``RETAIN_SLACK_BYTES``)."""


class Asked:
    """Watches what passes, in the order of the journal."""

    def __init__(self) -> None:
        self._asked: dict[int, tuple[str, int, int]] = {}
        self._newest_request = (b"", 0)

    def request(self, record: RequestRecord, offset: int) -> None:
        """Take a request, which stands at ``offset`` of the journal."""
        message, before = self._newest_request
        self._newest_request = record.message, offset
        if record.message == message and offset - before <= ASKED_BYTES:
            return  # sent again, because no reply came
        try:
            request = decode_message(record.message)
        except RemoteProtocolError:
            return
        if isinstance(request, Set):
            for index in request.pairs[::2]:
                self._asked[int(index or 0)] = record.origin, record.t_host_ns, offset

    def origin(self, event: Event, t_received_ns: int, offset: int) -> str:
        """Take an event; return who asked for it where it tells a parameter, ``board`` where nobody did, else ""."""
        if event.kind != EventKind.PARAMETER:
            return ""
        origin, asked_ns, asked_offset = self._asked.pop(event.index, (BOARD, 0, 0))
        is_answer = t_received_ns - asked_ns < ASKED_NS and offset - asked_offset <= ASKED_BYTES
        return origin if is_answer else BOARD
