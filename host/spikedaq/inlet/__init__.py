"""The receiving end of the bus, and the client of the control socket."""

from spikedaq.bus import Unavailable
from spikedaq.inlet.bench import Bench, LiveBlock, connect, control_url
from spikedaq.inlet.clocks import ClockReading, read_clock
from spikedaq.inlet.control import DEFAULT_CONTROL_URL, RECORD_TIMEOUT_S, ControlClient
from spikedaq.inlet.derived import DerivedBlock, DerivedPublisher
from spikedaq.inlet.fetch import Fetched, fetch_session
from spikedaq.inlet.follow import Follower
from spikedaq.inlet.history import HistoryClient, JournalPiece, Reading
from spikedaq.inlet.library import FilePiece, LibraryClient
from spikedaq.inlet.security import default_name, new_key_pair
from spikedaq.inlet.stimulus import check_fits, play_waveform, stimulus_name, upload_waveform
from spikedaq.inlet.subscriber import Subscriber

__all__ = [
    "DEFAULT_CONTROL_URL",
    "RECORD_TIMEOUT_S",
    "Bench",
    "ClockReading",
    "ControlClient",
    "DerivedBlock",
    "DerivedPublisher",
    "Fetched",
    "FilePiece",
    "Follower",
    "HistoryClient",
    "JournalPiece",
    "LibraryClient",
    "LiveBlock",
    "Reading",
    "Subscriber",
    "Unavailable",
    "check_fits",
    "connect",
    "control_url",
    "default_name",
    "fetch_session",
    "new_key_pair",
    "play_waveform",
    "read_clock",
    "stimulus_name",
    "upload_waveform",
]
