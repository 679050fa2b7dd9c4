"""One session on all boards of several benches: begun everywhere or nowhere, ended as often as it takes."""

from spikedaq.lesson.benches import ENDED, Seat, everywhere, ready_seat, ready_seats
from spikedaq.lesson.session import Lesson, begin_everywhere, end, note_drift

__all__ = [
    "ENDED",
    "Lesson",
    "Seat",
    "begin_everywhere",
    "end",
    "everywhere",
    "note_drift",
    "ready_seat",
    "ready_seats",
]
