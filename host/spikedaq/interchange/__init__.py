"""Spikes in the files of other tools: loaders and exporters, under the names that users of SpikeLab know."""

from spikedaq.interchange.csv_tables import (
    AveragedTraces,
    export_spikes_to_csv,
    load_averages_from_csv,
    load_spikes_from_csv,
)
from spikedaq.interchange.errors import (
    ContentError,
    FlaggedWarning,
    MissingContentError,
    MissingFileError,
    UntrustedError,
    UnwrittenWarning,
)
from spikedaq.interchange.formats import FORMATS, load_spikes, save_spikes
from spikedaq.interchange.hdf5_export import export_spikedata_to_hdf5
from spikedaq.interchange.hdf5_load import load_spikedata_from_hdf5
from spikedaq.interchange.hdf5_raw import load_spikedata_from_hdf5_raw_thresholded
from spikedaq.interchange.ibl import load_spikedata_from_ibl, query_ibl_probes
from spikedaq.interchange.kilosort_export import export_spikedata_to_kilosort
from spikedaq.interchange.kilosort_load import load_spikedata_from_kilosort, sampling_rate_of
from spikedaq.interchange.neo_trains import export_spikedata_to_neo, load_spikedata_from_neo, to_neo_block
from spikedaq.interchange.nwb_export import export_spikedata_to_nwb
from spikedaq.interchange.nwb_load import load_spikedata_from_nwb
from spikedaq.interchange.pickles import export_to_pickle, load_from_pickle, load_spikedata_from_pickle
from spikedaq.interchange.sorted_npz import load_spikedata_from_spikelab_sorted_npz
from spikedaq.interchange.sortings import (
    load_spikedata_from_spikeinterface,
    load_spikedata_from_spikeinterface_recording,
    to_spikeinterface_sorting,
)
from spikedaq.interchange.spikelab import from_spikelab, to_spikelab

__all__ = [
    "FORMATS",
    "AveragedTraces",
    "ContentError",
    "FlaggedWarning",
    "MissingContentError",
    "MissingFileError",
    "UntrustedError",
    "UnwrittenWarning",
    "export_spikedata_to_hdf5",
    "export_spikedata_to_kilosort",
    "export_spikedata_to_neo",
    "export_spikedata_to_nwb",
    "export_spikes_to_csv",
    "export_to_pickle",
    "from_spikelab",
    "load_averages_from_csv",
    "load_from_pickle",
    "load_spikedata_from_hdf5",
    "load_spikedata_from_hdf5_raw_thresholded",
    "load_spikedata_from_ibl",
    "load_spikedata_from_kilosort",
    "load_spikedata_from_neo",
    "load_spikedata_from_nwb",
    "load_spikedata_from_pickle",
    "load_spikedata_from_spikeinterface",
    "load_spikedata_from_spikeinterface_recording",
    "load_spikedata_from_spikelab_sorted_npz",
    "load_spikes",
    "load_spikes_from_csv",
    "query_ibl_probes",
    "sampling_rate_of",
    "save_spikes",
    "to_neo_block",
    "to_spikeinterface_sorting",
    "to_spikelab",
]
