"""Recordings as objects; import and export. So far: the stock nine-column CSV, with the hardware's state beside it."""

from spikedaq.formats.device_recording import DeviceRecording, Traces
from spikedaq.formats.export import ExportedFile, export_csv
from spikedaq.formats.session import Session, open_session
from spikedaq.formats.stock_csv import TimeColumn

__all__ = ["DeviceRecording", "ExportedFile", "Session", "TimeColumn", "Traces", "export_csv", "open_session"]
