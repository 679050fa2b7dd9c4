"""Spike trains out of the folders of KiloSort and Phy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.errors import ContentError
from spikedaq.interchange.phy_folder import OWN_FILE, load_array, read_params, read_table
from spikedaq.interchange.places import PathOrUrl, absolute, read_from
from spikedaq.interchange.plain import from_json
from spikedaq.interchange.times import TimeUnit, checked_fs_hz, checked_unit, to_ms
from spikedaq.interchange.window import Content, trains_of

_KEPT = {"good", "mua", "mua good"}


def load_spikedata_from_kilosort(
    folder: PathOrUrl,
    *,
    fs_Hz: float,  # noqa: N803 - SpikeLab's name
    spike_times_file: str = "spike_times.npy",
    spike_clusters_file: str = "spike_clusters.npy",
    cluster_info_tsv: str | None = None,
    time_unit: TimeUnit = "samples",
    include_noise: bool = False,
    length_ms: float | None = None,
    channel_map_file: str = "channel_map.npy",
    channel_positions_file: str = "channel_positions.npy",
) -> SpikeTrains:
    """Read the clusters of a folder of KiloSort or Phy.

    Parameters
    ----------
    folder : path or URL
    fs_Hz : float
        Sampling rate in Hz; `sampling_rate_of` finds it in params.py.
    cluster_info_tsv : str, optional
        A table in the folder with the columns ``group`` or ``KSLabel``, ``cluster_id`` or ``id``, and ``ch``. With it
        only clusters that are good or mua stay. Default: all clusters.
    time_unit : {"samples", "ms", "s"}
    include_noise : bool
        With a table: keep all clusters that it lists.
    length_ms : float, optional
        Later spikes are left out and counted.

    Returns
    -------
    SpikeTrains
        Attributes of units: ``unit_id`` (the cluster), ``electrode``, ``location``, and what the table says.

    Raises
    ------
    ArgumentError
        No rate, an unknown unit.
    MissingFileError
        No folder, no spikes in it.
    ContentError
        Files that do not fit one another.
    """
    fs_hz = checked_fs_hz(fs_Hz, "a KiloSort folder")
    unit = checked_unit(time_unit, "time_unit", fs_hz)
    with read_from(folder, "folder") as path:
        # MATLAB writes columns.
        times = load_array(path, spike_times_file).ravel()
        clusters = load_array(path, spike_clusters_file).ravel()
        if len(times) != len(clusters):
            raise ContentError(
                f"{path}: {spike_times_file} has {len(times)} spikes and {spike_clusters_file} {len(clusters)}; they "
                "are of two sortings, or one is cut short"
            )
        if clusters.dtype.kind == "f" and not (clusters == np.floor(clusters)).all():
            raise ContentError(f"{path / spike_clusters_file}: clusters must be whole numbers")
        clusters = clusters.astype(np.int64)
        own = _own(path)
        content = Content(f"{path / spike_times_file}", [])
        said_hz = read_params(path).get("sample_rate")
        if isinstance(said_hz, int | float) and abs(said_hz - fs_hz) > 1e-9 * fs_hz:
            content.flag(f"times are counted by fs_Hz={fs_hz:g}, and params.py says {said_hz:g}")
        table = _table(path, cluster_info_tsv, content)
        ids = sorted({*np.unique(clusters).tolist(), *_without_spikes(own)})
        if table is not None:
            ids = [i for i in ids if i in table and (include_noise or table[i].get("label", "").lower() in _KEPT)]
        channels = _Channels(path, clusters, (channel_map_file, channel_positions_file), content)
        order = np.argsort(clusters, kind="stable")
        in_order = clusters[order]
        shift_ms = float(own.get("shift_ms", 0.0))
        attributes: list[dict[str, Any]] = []
        for cluster in ids:
            start, stop = np.searchsorted(in_order, (cluster, cluster + 1)).tolist()
            content.trains_ms.append(to_ms(times[order[start:stop]], unit, fs_hz) - shift_ms)
            attributes.append(
                {"unit_id": cluster, **channels.of(cluster, table), **(table or {}).get(cluster, {}).get("rest", {})}
            )
        _put_own(content, attributes, own, ids)
    content.attributes = attributes
    content.metadata.update(source_folder=absolute(folder), source_format="KiloSort", cluster_ids=ids, fs_Hz=fs_hz)
    trains = trains_of(content, length_ms=length_ms)
    if own.get("gaps_ms"):
        trains.gaps_ms = np.array(own["gaps_ms"], dtype=np.float64).reshape(-1, 2)
    return trains


def sampling_rate_of(folder: PathOrUrl) -> float | None:
    """Return the sampling rate that a folder's params.py says, in Hz; None where it says none."""
    with read_from(folder, "folder") as path:
        found = read_params(path).get("sample_rate")
    return float(found) if isinstance(found, int | float) and found > 0 else None


class _Channels:
    """Which channel each cluster is at, and where that is."""

    def __init__(self, path: Path, clusters: npt.NDArray[np.int64], files: tuple[str, str], content: Content) -> None:
        self._map = _column(path, files[0])
        positions = load_array(path, files[1]) if (path / files[1]).is_file() else None
        self._positions = positions if positions is not None and positions.ndim == 2 else None
        self._dominant = _dominant_channels(path, clusters) if self._map is not None else None
        present = np.unique(clusters)
        if self._map is not None and self._dominant is None and not np.array_equal(present, np.arange(len(present))):
            content.flag(
                "channels are looked up by number of cluster, which is wrong after curation; name a table with the "
                "column ch, or keep templates.npy and spike_templates.npy in the folder"
            )

    def of(self, cluster: int, table: dict[int, dict[str, Any]] | None) -> dict[str, Any]:
        """Return electrode and location, as far as they are known."""
        channel = None if table is None else table.get(cluster, {}).get("ch")
        if channel is not None and self._map is not None:
            row = next(iter(np.flatnonzero(self._map == channel).tolist()), None)
        elif channel is None and self._dominant is not None:
            row = self._dominant.get(cluster)
        else:
            row = cluster if channel is None and self._map is not None else None
        if channel is None and row is not None and self._map is not None and row < len(self._map):
            channel = int(self._map[row])
        found: dict[str, Any] = {} if channel is None else {"electrode": channel}
        if channel is not None and row is not None and self._positions is not None and row < len(self._positions):
            found["location"] = [float(x) for x in self._positions[row]]
        return found


def _column(path: Path, name: str) -> npt.NDArray[Any] | None:
    return load_array(path, name).ravel() if (path / name).is_file() else None


def _dominant_channels(path: Path, clusters: npt.NDArray[np.int64]) -> dict[int, int] | None:
    """Return for each cluster the channel on which the template of most of its spikes is largest."""
    of_spikes = _column(path, "spike_templates.npy")
    if of_spikes is None or not (path / "templates.npy").is_file():
        return None
    templates = load_array(path, "templates.npy")
    if templates.ndim != 3 or len(of_spikes) != len(clusters):
        return None
    peaks = np.abs(templates).max(axis=1, initial=0).argmax(axis=1) if templates.size else np.empty(0, np.int64)
    of_spikes = of_spikes.astype(np.int64)
    known = (of_spikes >= 0) & (of_spikes < len(peaks))
    present, places = np.unique(clusters[known], return_inverse=True)
    pairs, counts = np.unique(places * max(len(peaks), 1) + of_spikes[known], return_counts=True)
    dominant: dict[int, int] = {}
    for k in np.argsort(counts, kind="stable"):  # the most frequent last
        place, template = divmod(int(pairs[k]), max(len(peaks), 1))
        dominant[int(present[place])] = int(peaks[template])
    return dominant


def _table(path: Path, name: str | None, content: Content) -> dict[int, dict[str, Any]] | None:
    """Return what a table says of each cluster: ``label``, ``ch``, and the rest; None where all are to be kept."""
    if name is None:
        return None
    file = path / name
    if not file.is_file():
        content.flag(f"there is no {file}, so all clusters are kept")
        return None
    rows = read_table(file)
    columns = set(rows[0]) if rows else set()
    id_column = next((c for c in ("cluster_id", "id") if c in columns), None)
    label_column = next((c for c in ("group", "KSLabel") if c in columns), None)
    if rows and (id_column is None or label_column is None):
        content.flag(f"{name} has no columns cluster_id and group (or id, KSLabel), so all clusters are kept")
        return None
    found: dict[int, dict[str, Any]] = {}
    for number, row in enumerate(rows, start=2):
        try:
            cluster = int(float(row[id_column or ""]))
            channel = int(float(row["ch"])) if row.get("ch") else None
        except ValueError as error:
            raise ContentError(f"{file}, line {number}: {error}; mend the line") from error
        rest = {c: _number(v) for c, v in row.items() if c not in (id_column, "ch") and v}
        found[cluster] = {"label": row[label_column or ""], "ch": channel, "rest": rest}
    return found


def _number(text: str) -> Any:
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() and "." not in text and "e" not in text.lower() else value


def _own(path: Path) -> dict[str, Any]:
    file = path / OWN_FILE
    if not file.is_file():
        return {}
    found = from_json(file.read_bytes(), str(file))
    if not isinstance(found, dict):
        raise ContentError(f"{file} is no description of ours; take it out of the folder")
    return found


def _without_spikes(own: dict[str, Any]) -> list[int]:
    """Return the clusters that had no spikes when they were written. Others that have none now were merged in Phy."""
    return [c for c, n in zip(own.get("cluster_ids", ()), own.get("n_spikes", ()), strict=False) if n == 0]


def _put_own(content: Content, attributes: list[dict[str, Any]], own: dict[str, Any], ids: list[int]) -> None:
    if not own:
        return
    content.start_ms, content.length_ms = own.get("start_time_ms"), own.get("length_ms")
    content.metadata = {**own.get("metadata", {}), **content.metadata}
    known = dict(zip(own.get("cluster_ids", ()), own.get("neuron_attributes") or (), strict=False))
    had_electrodes = any("electrode" in one or "channel" in one or "ch" in one for one in known.values())
    for cluster, one in zip(ids, attributes, strict=True):
        if not had_electrodes:
            # The channel is one that was made up, so that Phy has one.
            one.pop("electrode", None)
            one.pop("location", None)
        one.update(known.get(cluster, {}))
