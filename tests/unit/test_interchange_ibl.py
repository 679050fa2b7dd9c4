"""Probes of the Brain-Wide Map, against a client that is made up: nothing here reaches a network."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from spikedaq.interchange import ContentError, FlaggedWarning, load_spikedata_from_ibl, query_ibl_probes
from spikedaq.model import ArgumentError, MissingExtraError

UNITS = pd.DataFrame(
    [
        ("e1", "p1", 10, 1, "MOs"),
        ("e1", "p1", 11, 0.6, "MOs"),  # not good
        ("e1", "p1", 12, 1, "CA1"),
        ("e2", "p2", 20, 1, "CA1"),
        ("e2", "p2", 21, 1, "CA1"),
        ("e2", "p2", 22, 1, "MOp"),
        ("e3", "p3", 30, 1, "VISp"),
    ],
    columns=["eid", "pid", "cluster_id", "label", "Beryl"],
)


class Client:
    """Has the spikes of p1 in one collection, and the trials of e1."""

    collection = "alf/probe01/pykilosort"
    asked: list[str]

    def __init__(self, password):
        assert password == "international"
        Client.asked = []

    @staticmethod
    def setup(base_url, silent):
        assert silent

    def load_object(self, eid, kind, collection=None):
        if kind == "trials":
            frame = pd.DataFrame({"intervals_0": [1.0, 3.0], "stimOn_times": [1.5, np.nan], "choice": [1.0, -1.0]})
            return SimpleNamespace(to_df=lambda: frame)
        Client.asked.append(collection)
        if eid != "e1" or collection != Client.collection:
            raise ValueError("not there")
        return {"clusters": np.array([12, 10, 11, 12]), "times": np.array([0.5, 0.25, 9.0, 1.75])}


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setitem(sys.modules, "one", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "one.api", SimpleNamespace(ONE=Client))
    monkeypatch.setitem(sys.modules, "brainwidemap", SimpleNamespace(bwm_units=lambda one: UNITS))


@pytest.mark.usefixtures("client")
def test_probes_with_most_good_units_first():
    probes, stats = query_ibl_probes()
    assert probes == [("e2", "p2"), ("e1", "p1"), ("e3", "p3")]
    assert stats.to_dict("list") == {
        "eid": ["e2", "e1", "e3"],
        "pid": ["p2", "p1", "p3"],
        "n_good_units": [3, 2, 1],
    }
    assert query_ibl_probes(min_units=3)[0] == [("e2", "p2")]


@pytest.mark.usefixtures("client")
def test_probes_in_regions():
    probes, stats = query_ibl_probes(["MOs", "MOp"])
    assert probes == [("e2", "p2"), ("e1", "p1")], "p3 has no unit there"
    assert stats["n_in_target"].tolist() == [1, 1]
    assert stats["fraction_in_target"].tolist() == [1 / 3, 0.5]
    assert query_ibl_probes(["MOs", "MOp"], min_fraction_in_target=0.5)[0] == [("e1", "p1")]
    assert query_ibl_probes(["nowhere"])[0] == []
    with pytest.raises(ArgumentError, match="a list"):
        query_ibl_probes("MOs")
    with pytest.raises(ArgumentError, match="0 to 1"):
        query_ibl_probes(["MOs"], min_fraction_in_target=30)


@pytest.mark.usefixtures("client")
def test_good_units_and_trials_in_ms():
    found = load_spikedata_from_ibl("e1", "p1")
    assert [t.tolist() for t in found.trains] == [[250.0], [500.0, 1750.0]]
    assert found.neuron_attributes == [{"cluster_id": 10, "region": "MOs"}, {"cluster_id": 12, "region": "CA1"}]
    assert found.length == 1750.0
    assert Client.asked == ["alf/probe00/pykilosort", "alf/probe01/pykilosort"]
    assert found.metadata["n_trials"] == 2
    assert found.metadata["trial_start_times"].tolist() == [1000.0, 3000.0]
    assert np.isnan(found.metadata["stim_on_times"][1])
    assert found.metadata["choice"].tolist() == [1.0, -1.0]
    with pytest.warns(FlaggedWarning, match="1 spikes after"):
        assert load_spikedata_from_ibl("e1", "p1", length_ms=1000.0, collection=Client.collection).length == 1000.0
    assert Client.asked == [Client.collection]


@pytest.mark.usefixtures("client")
def test_a_probe_without_spikes():
    with (
        pytest.warns(FlaggedWarning, match="no spikes were found"),
        pytest.raises(ContentError, match="give length_ms"),
    ):
        load_spikedata_from_ibl("e2", "p2")
    with pytest.warns(FlaggedWarning):
        found = load_spikedata_from_ibl("e2", "p2", length_ms=500.0)
    assert (found.N, found.length) == (3, 500.0)


@pytest.mark.parametrize("call", [query_ibl_probes, lambda: load_spikedata_from_ibl("e", "p")])
def test_absent_packages_are_named(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "one.api", None)
    with pytest.raises(MissingExtraError, match=r"one\.api is not installed.*pip install one-api"):
        call()
