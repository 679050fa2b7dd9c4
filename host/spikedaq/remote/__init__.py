"""Recording on another computer: journals are copied from the daemon's history, and recorded as they are there."""

from spikedaq.remote.missing import Missing
from spikedaq.remote.recording import Progress, RemoteRecording
from spikedaq.remote.session import RemoteSession, SessionEndedError, find_unfinished

__all__ = ["Missing", "Progress", "RemoteRecording", "RemoteSession", "SessionEndedError", "find_unfinished"]
