"""Recording files: NWB written under SWMR, repair after a crash, reading. The only room that knows h5py."""

from spikedaq.store.check import FileCheck, between, check_apart, check_file
from spikedaq.store.closing import describe_closed, sha256_of
from spikedaq.store.create import specifications_path
from spikedaq.store.folder import file_name, find_files, is_file_name
from spikedaq.store.foreign import check_self_contained
from spikedaq.store.imaging import Frames, ImagingFile, ImagingWriter, open_imaging, repair_imaging
from spikedaq.store.imaging_layout import ImagingMeta
from spikedaq.store.meta import ClosedFile, Epoch, FileMeta, LastBlock, countable
from spikedaq.store.reader import RecordingFile, open_recording
from spikedaq.store.repair import RepairResult, repair
from spikedaq.store.runs import Run
from spikedaq.store.series import SeriesFile, SeriesInfo, new_file
from spikedaq.store.stored import StoredEpoch, StoredEvent, StoredGap, StoredNote, StoredParameter
from spikedaq.store.writer import RecordingWriter

__all__ = [
    "ClosedFile",
    "Epoch",
    "FileCheck",
    "FileMeta",
    "Frames",
    "ImagingFile",
    "ImagingMeta",
    "ImagingWriter",
    "LastBlock",
    "RecordingFile",
    "RecordingWriter",
    "RepairResult",
    "Run",
    "SeriesFile",
    "SeriesInfo",
    "StoredEpoch",
    "StoredEvent",
    "StoredGap",
    "StoredNote",
    "StoredParameter",
    "between",
    "check_apart",
    "check_file",
    "check_self_contained",
    "countable",
    "describe_closed",
    "file_name",
    "find_files",
    "is_file_name",
    "new_file",
    "open_imaging",
    "open_recording",
    "repair",
    "repair_imaging",
    "sha256_of",
    "specifications_path",
]
