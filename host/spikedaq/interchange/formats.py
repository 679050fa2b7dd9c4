"""The formats of spikes by name and by extension: one call to load any of them, and one to save."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.errors import ContentError
from spikedaq.interchange.hdf5_file import open_hdf5, text_of
from spikedaq.interchange.hdf5_load import layout_of, load_spikedata_from_hdf5
from spikedaq.interchange.kilosort_load import sampling_rate_of
from spikedaq.interchange.places import PathOrUrl, is_url, read_from, write_folder_to
from spikedaq.interchange.window import cut_at
from spikedaq.model import ArgumentError, require

_HERE = "spikedaq.interchange"
_SI_FILES = ("si_folder.json", "spikeinterface_info.json", "numpysorting_info.json")


@dataclass(frozen=True, slots=True)
class SpikeFormat:
    """A format of spikes.

    Attributes
    ----------
    name, title : str
    suffixes : tuple of str
        Of files; the first is given to new ones. Empty for folders.
    loader, exporter : str
        ``module:function``; empty where there is none.
    options : dict of str to str
        Common options that the exporter takes, and what it calls them.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    loader: str
    exporter: str
    options: Mapping[str, str]

    def __str__(self) -> str:
        return self.name


FORMATS: Mapping[str, SpikeFormat] = {
    one.name: one
    for one in (
        SpikeFormat("hdf5", "HDF5 in SpikeLab's four layouts", (".h5", ".hdf5"), f"{_HERE}.formats:load_any_hdf5",
                    f"{_HERE}.formats:save_hdf5", {"style": "style", "time_unit": "time_unit", "fs_hz": "fs_Hz",
                                                   "bin_ms": "raster_bin_size_ms"}),
        SpikeFormat("nwb", "NWB, a table of units", (".nwb",), f"{_HERE}.nwb_load:load_spikedata_from_nwb",
                    f"{_HERE}.nwb_export:export_spikedata_to_nwb", {"fs_hz": "fs_Hz"}),
        SpikeFormat("kilosort", "a folder of KiloSort or Phy", (), f"{_HERE}.formats:load_kilosort",
                    f"{_HERE}.kilosort_export:export_spikedata_to_kilosort", {"fs_hz": "fs_Hz",
                                                                              "time_unit": "time_unit"}),
        SpikeFormat("pickle", "a pickle of SpikeTrains or SpikeData", (".pkl", ".pickle"),
                    f"{_HERE}.pickles:load_spikedata_from_pickle", f"{_HERE}.pickles:export_to_pickle", {}),
        SpikeFormat("spikelab-npz", "SpikeLab's sorted units", (".npz",),
                    f"{_HERE}.sorted_npz:load_spikedata_from_spikelab_sorted_npz", "", {}),
        SpikeFormat("spikeinterface", "a sorting of SpikeInterface, a folder", (), f"{_HERE}.formats:load_sorting",
                    f"{_HERE}.formats:save_sorting", {"fs_hz": "fs_Hz"}),
        SpikeFormat("neo", "Neo: NIX, MATLAB", (".nix", ".mat"), f"{_HERE}.neo_trains:load_spikedata_from_neo",
                    f"{_HERE}.neo_trains:export_spikedata_to_neo", {}),
        SpikeFormat("csv", "a row for each spike", (".csv",), f"{_HERE}.csv_tables:load_spikes_from_csv",
                    f"{_HERE}.csv_tables:export_spikes_to_csv", {}),
    )
}  # fmt: skip
"""By name."""


def format_named(name: str) -> SpikeFormat:
    """Return a format by its name.

    Raises
    ------
    ArgumentError
        There is none of that name.
    """
    if name not in FORMATS:
        raise ArgumentError(f"the format {name!r} is unknown; it is one of {', '.join(FORMATS)}")
    return FORMATS[name]


def format_of_target(target: PathOrUrl) -> SpikeFormat:
    """Return the format that a name to be written says.

    Raises
    ------
    ArgumentError
        Its extension says none.
    """
    suffix = Path(str(target)).suffix.lower()
    found = next((one for one in FORMATS.values() if suffix and suffix in one.suffixes), None)
    if found is None or not found.exporter:
        raise ArgumentError(f"{target}: its extension says no format that is written; name one of "
                            f"{', '.join(one.name for one in FORMATS.values() if one.exporter)}")  # fmt: skip
    return found


def format_of_source(source: PathOrUrl) -> SpikeFormat:
    """Return the format of a file or folder that is there, by its name and what is in it.

    Raises
    ------
    MissingFileError
        There is none.
    ContentError
        It is of no format that is known.
    """
    if is_url(source):
        # What is in it is not looked at: it would have to be fetched.
        suffix = Path(str(source).rstrip("/")).suffix.lower()
        named = [one for one in FORMATS.values() if suffix in one.suffixes]
        return named[0] if named else FORMATS["kilosort"]
    with read_from(source, "file or folder") as path:
        if path.is_dir():
            names = {entry.name for entry in path.iterdir()}
            if names & {"spike_times.npy", "spike_clusters.npy", "params.py"}:
                return FORMATS["kilosort"]
            if names & set(_SI_FILES):
                return FORMATS["spikeinterface"]
            raise ContentError(f"{path} holds no spikes of KiloSort, Phy or SpikeInterface; name a folder of theirs")
        suffix = path.suffix.lower()
        if suffix in (".h5", ".hdf5"):
            with open_hdf5(path) as file:
                if text_of(file.attrs, "format") == "nix":
                    return FORMATS["neo"]
                if "units/spike_times_index" in file:
                    return FORMATS["nwb"]
            return FORMATS["hdf5"]
        for one in FORMATS.values():
            if suffix in one.suffixes:
                return one
    raise ContentError(f"{source}: its extension says no format; name one of {', '.join(FORMATS)}")


def load_spikes(source: PathOrUrl, *, format: str | None = None, **options: Any) -> SpikeTrains:  # noqa: A002 - as elsewhere
    """Load spike trains of any format.

    Parameters
    ----------
    source : path or URL
    format : str, optional
        One of `FORMATS`. Default: by name and content.
    **options
        Of the format's loader: ``length_ms`` of most, ``trust`` of pickles, ``fs_Hz`` of KiloSort without params.py.

    Raises
    ------
    ArgumentError, StoreError
        As the loader; an option that it does not know.
    """
    chosen = format_of_source(source) if format is None else format_named(format)
    found: SpikeTrains = _call(chosen.loader, chosen, source, **options)
    return found


def save_spikes(
    sd: SpikeTrains | Any,
    target: PathOrUrl,
    *,
    format: str | None = None,  # noqa: A002 - as elsewhere
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Save spike trains in any format that is written.

    Parameters
    ----------
    sd : SpikeTrains
        Or a SpikeData of SpikeLab.
    target : path or URL
    format : str, optional
        One of `FORMATS`. Default: by the extension.
    overwrite : bool
        Replace what is there.
    **options
        Those of `SpikeFormat.options`: ``style``, ``time_unit``, ``fs_hz``, ``bin_ms``.

    Raises
    ------
    ArgumentError, StoreError
        As the exporter; an option that the format does not have.
    """
    chosen = format_of_target(target) if format is None else format_named(format)
    if not chosen.exporter:
        raise ArgumentError(f"{chosen} is read, not written; choose another format")
    if unknown := [name for name in options if name not in chosen.options]:
        has = ", ".join(chosen.options) or "none"
        raise ArgumentError(f"{chosen} has no option {', '.join(unknown)}; it has {has}")
    _call(chosen.exporter, chosen, sd, target, overwrite=overwrite,
          **{chosen.options[name]: value for name, value in options.items()})  # fmt: skip


def _call(name: str, chosen: SpikeFormat, *arguments: Any, **options: Any) -> Any:
    module, _, function = name.partition(":")
    call: Callable[..., Any] = getattr(importlib.import_module(module), function)
    try:
        return call(*arguments, **options)
    except TypeError as error:
        if "unexpected keyword" in str(error) or "required keyword" in str(error):
            raise ArgumentError(f"{chosen}: {error}") from error
        raise


# -- what some formats need beside their own functions


def load_any_hdf5(source: PathOrUrl, *, time_unit: str | None = None, **options: Any) -> SpikeTrains:
    """Load HDF5 in whichever layout it says, or has under the usual names; ``time_unit`` is that of its times."""
    with read_from(source) as path:
        layout = {} if _names_a_layout(options) else layout_of(path)
    if time_unit is not None:
        layout |= dict.fromkeys(("spike_times_unit", "group_time_unit", "times_unit"), time_unit)
    return load_spikedata_from_hdf5(source, **(layout | options))


def _names_a_layout(options: Mapping[str, Any]) -> bool:
    return any(key.endswith("_dataset") or key == "group_per_unit" for key in options)


def save_hdf5(sd: SpikeTrains | Any, target: PathOrUrl, *, time_unit: str | None = None, **options: Any) -> None:
    """Save HDF5; ``time_unit`` is that of the style."""
    export = importlib.import_module(f"{_HERE}.hdf5_export").export_spikedata_to_hdf5
    keyword = {"group": "group_time_unit", "paired": "times_unit"}.get(options.get("style", ""), "spike_times_unit")
    export(sd, target, **options, **({} if time_unit is None else {keyword: time_unit}))


def load_kilosort(source: PathOrUrl, *, fs_Hz: float | None = None, **options: Any) -> SpikeTrains:  # noqa: N803
    """Load a folder of KiloSort; without ``fs_Hz`` by the sampling rate that its params.py says."""
    fs_hz = sampling_rate_of(source) if fs_Hz is None else fs_Hz
    if fs_hz is None:
        raise ArgumentError(f"{source} has no params.py with a sample_rate; give fs_Hz (--fs)")
    load = importlib.import_module(f"{_HERE}.kilosort_load").load_spikedata_from_kilosort
    found: SpikeTrains = load(source, fs_Hz=fs_hz, **options)
    return found


def load_sorting(source: PathOrUrl, *, length_ms: float | None = None, **options: Any) -> SpikeTrains:
    """Load a sorting that SpikeInterface saved."""
    core = require("spikeinterface.core", "spikeinterface")
    with read_from(source, "folder") as path:
        try:
            sorting = core.load(path)
        except (ValueError, OSError, KeyError, TypeError, AssertionError, AttributeError) as error:
            raise ContentError(f"SpikeInterface cannot load {source}: {type(error).__name__}: {error}") from error
        found = importlib.import_module(f"{_HERE}.sortings").load_spikedata_from_spikeinterface(sorting, **options)
        return cut_at(found, length_ms)


def save_sorting(sd: SpikeTrains | Any, target: PathOrUrl, *, fs_Hz: float, overwrite: bool = False) -> None:  # noqa: N803
    """Save a sorting as SpikeInterface does, a folder that its ``load`` opens."""
    sorting = importlib.import_module(f"{_HERE}.sortings").to_spikeinterface_sorting(sd, fs_Hz=fs_Hz)
    with write_folder_to(target, overwrite=overwrite, is_ours=_is_of_sorting) as path:
        # It makes the folder itself.
        made = path / "sorting"
        sorting.save(folder=made)
        for entry in made.iterdir():
            entry.rename(path / entry.name)
        made.rmdir()


def _is_of_sorting(name: str) -> bool:
    return name in {*_SI_FILES, "properties", "provenance.json", "provenance.pkl", "spikes.npy", "si_folder.json",
                    "annotations.json"}  # fmt: skip
