"""A device under asyncio: identify, describe, fit its clock, stream, command, reconnect."""

from spikedaq.device.device import Device
from spikedaq.device.parameters import nearest
from spikedaq.device.probe import HeldLink, NotABoard, probe
from spikedaq.device.seams import DeviceJournal, DeviceListener, DeviceState, JournalOpener, Timing

__all__ = [
    "Device",
    "DeviceJournal",
    "DeviceListener",
    "DeviceState",
    "HeldLink",
    "JournalOpener",
    "NotABoard",
    "Timing",
    "nearest",
    "probe",
]
