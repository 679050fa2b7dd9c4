"""What was recorded, for clients that reach a bench only through its sockets: sessions, their files, folders, checks.

Nothing here is done by the acquisition loop: the history process answers (decision 0019).
"""

from spikedaq.library.places import LibraryConfig, Places, plain_name
from spikedaq.library.requests import LIBRARY_OPERATIONS, Asker, Library
from spikedaq.library.writable import MIN_FREE_BYTES, Room, check_room, look_for_room

__all__ = [
    "LIBRARY_OPERATIONS",
    "MIN_FREE_BYTES",
    "Asker",
    "Library",
    "LibraryConfig",
    "Places",
    "Room",
    "check_room",
    "look_for_room",
    "plain_name",
]
