"""Spikes in S3 buckets, against a server on loopback: every format both ways, whole or not at all, refusals."""

import pickle

import pytest

from helpers.formats_recordings import Maker, spiking
from helpers.s3_server import s3_server
from helpers.spike_trains import assert_same, quiet, some_trains
from spikedaq.cli.main import main
from spikedaq.formats.s3 import S3Path
from spikedaq.interchange import (
    ContentError,
    MissingFileError,
    UntrustedError,
    export_spikedata_to_hdf5,
    export_to_pickle,
    load_spikedata_from_hdf5,
    load_spikedata_from_pickle,
    load_spikes,
    save_spikes,
)
from spikedaq.interchange.places import s3_url
from spikedaq.model import StoreError

RAGGED = {"spike_times_dataset": "spike_times", "spike_times_index_dataset": "spike_times_index"}


@pytest.fixture(scope="module", autouse=True)
def _server():
    with s3_server():
        yield


@pytest.mark.parametrize(
    ("name", "format_name"),
    [
        ("a b.h5", "hdf5"),
        ("spikes.nwb", "nwb"),
        ("spikes.nix", "neo"),
        ("ks", "kilosort"),
        ("sorting", "spikeinterface"),
        ("ü.pkl", "pickle"),
    ],
)
def test_every_format_goes_there_and_comes_back(name, format_name):
    url = f"s3://bucket/lab/{name}"
    options = {"fs_hz": 10000.0} if format_name in ("kilosort", "spikeinterface") else {}
    more = {"trust": True, "allow_remote": True} if format_name == "pickle" else {}
    with quiet():
        save_spikes(some_trains(), url, format=format_name, **options)
        found = load_spikes(url, format=format_name, **more)
        with pytest.raises(StoreError, match="exists"):
            save_spikes(some_trains(), url, format=format_name, **options)
    assert_same(found, some_trains(), atol_ms=1e-6)


def test_what_fails_leaves_the_old_object(monkeypatch):
    export_spikedata_to_hdf5(some_trains(), "s3://bucket/old.h5")
    with pytest.raises(ValueError, match="samples"):
        export_spikedata_to_hdf5(some_trains(), "s3://bucket/old.h5", spike_times_unit="samples", overwrite=True)
    assert_same(load_spikedata_from_hdf5("s3://bucket/old.h5", **RAGGED), some_trains(), atol_ms=1e-6)


def test_errors_name_the_address(tmp_path):
    """Not the copy that was read."""
    with pytest.raises(MissingFileError, match=r"there is no file s3://bucket/none\.h5; check bucket and key"):
        load_spikedata_from_hdf5("s3://bucket/none.h5", **RAGGED)
    (tmp_path / "bad.h5").write_text("no HDF5")
    S3Path("s3://bucket/bad.h5").put(tmp_path / "bad.h5")
    with pytest.raises(ContentError, match=r"cannot read s3://bucket/bad\.h5"):
        load_spikedata_from_hdf5("s3://bucket/bad.h5", **RAGGED)


def test_without_credentials_the_remedy_is_named(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StoreError, match="there are no credentials; set AWS_ACCESS_KEY_ID"):
        load_spikes("s3://bucket/a.h5")
    given = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    export_to_pickle(some_trains(), "s3://bucket/given.pkl", s3_upload=True, **given)
    with quiet():
        found = load_spikedata_from_pickle("s3://bucket/given.pkl", allow_remote=True, trust=True, **given)
    assert_same(found, some_trains())


def test_a_pickle_from_there_needs_both_words(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps([1]))
    S3Path("s3://bucket/x.pkl").put(tmp_path / "x.pkl")
    with pytest.raises(ValueError, match="allow_remote=True"):
        load_spikedata_from_pickle("s3://bucket/x.pkl", trust=True)
    with quiet(), pytest.raises(UntrustedError, match=r"s3://bucket/x\.pkl is pickled"):
        load_spikedata_from_pickle("s3://bucket/x.pkl", allow_remote=True)


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("s3://b/k.h5", "s3://b/k.h5"),
        ("  S3://b/k.h5", "S3://b/k.h5"),
        ("https://b.s3.eu-west-1.amazonaws.com/x/k%20k.h5", "s3://b/x/k k.h5"),
        ("https://b.c.s3.amazonaws.com/k.h5", "s3://b.c/k.h5"),
        ("HTTPS://s3.us-east-1.amazonaws.com/b/k.h5", "s3://b/k.h5"),
        ("https://s3-us-west-2.amazonaws.com/b/k.h5", "s3://b/k.h5"),
        ("https://s3.evil.amazonaws.com.attacker.example/b/k.h5", None),
        ("https://example.com/s3.amazonaws.com/b", None),
        ("s3:/b/k.h5", None),
        ("spikes.h5", None),
        (7, None),
    ],
)
def test_addresses_of_s3_are_known_in_every_form(place, url):
    assert s3_url(place) == url


def test_the_commands_take_addresses(tmp_path, capsys):
    Maker(tmp_path / "demo").open().samples(0, spiking(1000)).close()
    url = "s3://bucket/demo/spikes.h5"
    assert main(["export", str(tmp_path / "demo"), "--to", "hdf5", "--out", url]) == 0
    assert capsys.readouterr().out.startswith(f"{url}: 1 units, 4 spikes")
    assert main(["import", url, "--out", "s3://bucket/demo/spikes.nwb"]) == 0
    assert main(["import", "s3://bucket/demo/spikes.nwb"]) == 0
    assert "1 units, 4 spikes" in capsys.readouterr().out
    export_to_pickle(some_trains(), "s3://bucket/demo/spikes.pkl")
    assert main(["import", "s3://bucket/demo/spikes.pkl"]) == 1
    assert "--trust" in capsys.readouterr().err
    assert main(["import", "s3://bucket/demo/spikes.pkl", "--trust"]) == 0
