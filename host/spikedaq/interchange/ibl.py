"""Probes of the International Brain Laboratory's Brain-Wide Map: which there are, and their spikes.

Its packages are no extra of ours: one of them is not on the Python Package Index.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.errors import ContentError
from spikedaq.interchange.window import Content, trains_of
from spikedaq.model import ArgumentError, MissingExtraError

_SERVER = "https://openalyx.internationalbrainlab.org"
_PUBLIC = "international"  # the password that the laboratory publishes for reading
_COLLECTIONS = ("alf/probe00/pykilosort", "alf/probe01/pykilosort", "alf")
_GOOD = 1
_TIMES = {
    "trial_start_times": "intervals_0",
    "trial_end_times": "intervals_1",
    "stim_on_times": "stimOn_times",
    "stim_off_times": "stimOff_times",
    "go_cue_times": "goCue_times",
    "response_times": "response_times",
    "feedback_times": "feedback_times",
    "first_movement_times": "firstMovement_times",
}
_VALUES = {
    "choice": "choice",
    "feedback_type": "feedbackType",
    "contrast_left": "contrastLeft",
    "contrast_right": "contrastRight",
    "probability_left": "probabilityLeft",
}
# What the client raises where a collection is not there.
_ABSENT = (ValueError, KeyError, FileNotFoundError)


def query_ibl_probes(
    target_regions: Sequence[str] | None = None, *, min_units: int = 0, min_fraction_in_target: float = 0.0
) -> tuple[list[tuple[str, str]], Any]:
    """Return the probes with enough good units.

    Parameters
    ----------
    target_regions : sequence of str, optional
        Regions of the Beryl atlas; only probes with a good unit in one of them.
    min_units : int
        Good units that a probe must have, wherever they are.
    min_fraction_in_target : float
        Share of them, 0 to 1, that must be in the regions.

    Returns
    -------
    probes : list of (eid, pid)
        Those with most good units first.
    stats : pandas.DataFrame
        A row for each: ``eid``, ``pid``, ``n_good_units``; with regions ``n_in_target`` and ``fraction_in_target``.

    Raises
    ------
    ArgumentError
        A share that is none, or regions that are one text.
    MissingExtraError
        ``one-api`` or ``brainwidemap`` is not installed.
    """
    if isinstance(target_regions, str):
        raise ArgumentError(f"target_regions is {target_regions!r}; give a list: [{target_regions!r}]")
    if not 0 <= min_fraction_in_target <= 1:
        raise ArgumentError(f"min_fraction_in_target is {min_fraction_in_target}; give a share from 0 to 1")
    one, units_of = _client()
    units = units_of(one)
    good = units[units["label"] == _GOOD]
    stats = good.groupby(["eid", "pid"], as_index=False).agg(n_good_units=("cluster_id", "count"))
    if target_regions is not None:
        inside = good[good["Beryl"].isin(list(target_regions))]
        counts = inside.groupby(["eid", "pid"], as_index=False).agg(n_in_target=("cluster_id", "count"))
        stats = stats.merge(counts, on=["eid", "pid"], how="inner")
        stats["fraction_in_target"] = stats["n_in_target"] / stats["n_good_units"]
        stats = stats[stats["fraction_in_target"] >= min_fraction_in_target]
    stats = stats[stats["n_good_units"] >= min_units]
    stats = stats.sort_values("n_good_units", ascending=False, kind="stable").reset_index(drop=True)
    return list(zip(stats["eid"].tolist(), stats["pid"].tolist(), strict=True)), stats


def load_spikedata_from_ibl(
    eid: str, pid: str, *, length_ms: float | None = None, collection: str | None = None
) -> SpikeTrains:
    """Return the good units of a probe, and the session's trials.

    Parameters
    ----------
    eid, pid : str
        Of the session and of the probe, as of `query_ibl_probes`.
    length_ms : float, optional
        Later spikes are left out and counted. Default: up to the last spike.
    collection : str, optional
        Where the spikes are. Default: looked for in the usual places.

    Returns
    -------
    SpikeTrains
        Attributes of units: ``region``, ``cluster_id``. Metadata: ``eid``, ``pid``, ``n_trials``, and for each trial
        times in ms (``trial_start_times``, ``stim_on_times`` and so on), ``choice``, ``contrast_left`` and so on.

    Raises
    ------
    ContentError
        No spike and no ``length_ms``, so nobody knows how long it was looked (ValueError, too).
    MissingExtraError
        ``one-api`` or ``brainwidemap`` is not installed.
    """
    one, units_of = _client()
    units = units_of(one)
    good = units[(units["pid"] == pid) & (units["label"] == _GOOD)]
    spikes = _spikes(one, eid, pid, collection)
    content = Content(f"IBL probe {pid}", [])
    attributes = []
    for cluster, region in zip(good["cluster_id"].tolist(), good["Beryl"].tolist(), strict=True):
        times_s = np.empty(0) if spikes is None else spikes["times"][spikes["clusters"] == cluster]
        content.trains_ms.append(np.asarray(times_s, dtype=np.float64) * 1000.0)
        attributes.append({"cluster_id": cluster, "region": region})
    if spikes is None and len(good):
        content.flag(f"no spikes were found for its {len(good)} good units; check eid and pid, or give the collection")
    if length_ms is None and not any(len(train) for train in content.trains_ms):
        raise ContentError(f"{content.place} has no spike, so its length is not known; give length_ms")
    content.attributes = attributes
    content.metadata |= {"eid": eid, "pid": pid, **_trials(one, eid)}
    return trains_of(content, length_ms=length_ms)


def _client() -> tuple[Any, Callable[[Any], Any]]:
    """Return a client of the public server, and what lists all units.

    Raises
    ------
    MissingExtraError
        One of the packages is not installed.
    """
    found = []
    for module in ("one.api", "brainwidemap", "pandas"):
        try:
            found.append(importlib.import_module(module))
        except ImportError as error:
            raise MissingExtraError(
                f"{module} is not installed, and IBL's data need it: pip install one-api pandas, and brainwidemap from "
                "the International Brain Laboratory's paper-brain-wide-map on GitHub"
            ) from error
    api, brainwidemap, _ = found
    api.ONE.setup(base_url=_SERVER, silent=True)
    return api.ONE(password=_PUBLIC), brainwidemap.bwm_units


def _spikes(one: Any, eid: str, pid: str, collection: str | None) -> Any:
    """Return the spikes of the first collection that has some; None where there is none."""
    likely = [f"alf/probe{pid[-2:]}/pykilosort"] if pid[-2:] in ("00", "01") else []
    for name in [collection] if collection is not None else dict.fromkeys((*likely, *_COLLECTIONS)):
        try:
            return one.load_object(eid, "spikes", collection=name)
        except _ABSENT:
            continue
    return None


def _trials(one: Any, eid: str) -> dict[str, Any]:
    trials = one.load_object(eid, "trials").to_df()

    def column(name: str) -> npt.NDArray[np.float64]:
        values: npt.NDArray[np.float64] = trials[name].to_numpy(dtype=float)
        return values

    times = {key: column(name) * 1000.0 for key, name in _TIMES.items() if name in trials}
    values = {key: column(name) for key, name in _VALUES.items() if name in trials}
    return {"n_trials": len(trials), **times, **values}
