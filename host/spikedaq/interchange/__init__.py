"""Spikes in the files of other tools: loaders and exporters, under the names that users of SpikeLab know."""

from spikedaq.interchange.errors import (
    ContentError,
    FlaggedWarning,
    MissingContentError,
    MissingFileError,
    UntrustedError,
    UnwrittenWarning,
)
from spikedaq.interchange.hdf5_export import export_spikedata_to_hdf5
from spikedaq.interchange.hdf5_load import load_spikedata_from_hdf5
from spikedaq.interchange.kilosort_export import export_spikedata_to_kilosort
from spikedaq.interchange.kilosort_load import load_spikedata_from_kilosort, sampling_rate_of
from spikedaq.interchange.nwb_export import export_spikedata_to_nwb
from spikedaq.interchange.nwb_load import load_spikedata_from_nwb
from spikedaq.interchange.spikelab import from_spikelab, to_spikelab

__all__ = [
    "ContentError",
    "FlaggedWarning",
    "MissingContentError",
    "MissingFileError",
    "UntrustedError",
    "UnwrittenWarning",
    "export_spikedata_to_hdf5",
    "export_spikedata_to_kilosort",
    "export_spikedata_to_nwb",
    "from_spikelab",
    "load_spikedata_from_hdf5",
    "load_spikedata_from_kilosort",
    "load_spikedata_from_nwb",
    "sampling_rate_of",
    "to_spikelab",
]
