"""Recordings as objects, from whatever holds them: read lazily, cut without copying, given to other tools."""

from spikedaq.recording.opening import open_recordings, open_session
from spikedaq.recording.recording import Recording
from spikedaq.recording.segments import ArraySegment, Channel, Segment
from spikedaq.recording.session import Session
from spikedaq.recording.sources.source import ArraySource, Source
from spikedaq.recording.traces import Traces

__all__ = [
    "ArraySegment",
    "ArraySource",
    "Channel",
    "Recording",
    "Segment",
    "Session",
    "Source",
    "Traces",
    "open_recordings",
    "open_session",
]
