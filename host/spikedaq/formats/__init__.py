"""Import and export of files. So far: the stock nine-column CSV, with the hardware's state beside it."""

from spikedaq.formats.export import ExportedFile, export_csv
from spikedaq.formats.stock_csv import TimeColumn

__all__ = ["ExportedFile", "TimeColumn", "export_csv"]
