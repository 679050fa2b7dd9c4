"""Recordings in S3, in a server on this computer: read in ranges, put there whole, and why somebody is not let in."""

from __future__ import annotations

import os

import numpy as np
import pytest
import s3fs

import spikedaq
from helpers.formats_recordings import Maker, spiking
from helpers.s3_server import s3_server
from spikedaq.formats import export_csv
from spikedaq.formats.s3 import S3Path, is_url, parse_url, sent_whole
from spikedaq.formats.s3 import access as access_module
from spikedaq.formats.s3 import path as path_module
from spikedaq.model import StoreError
from spikedaq.recording import Recording


@pytest.fixture(scope="module")
def server():
    with s3_server():
        yield


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("session") / "demo"
    maker = Maker(folder)
    maker.open().samples(0, np.random.default_rng(1).integers(-9000, 9000, (60_000, 8), np.int16)).close()
    maker.open().samples(60_000, spiking(2000)).gap(62_000, 10).samples(62_010, spiking(90)).close()
    return folder


@pytest.fixture(scope="module")
def url(server, session):
    """The session of two rolls under a prefix, with something else beside it."""
    for file in sorted(session.rglob("*")):
        if file.is_file():
            S3Path(f"s3://bucket/lab 1/demo/{file.relative_to(session).as_posix()}").put(file)
    return "s3://bucket/lab 1/demo"


def same(one, other):
    assert (one.channel_ids, one.num_segments) == (other.channel_ids, other.num_segments)
    for k in range(one.num_segments):
        assert np.array_equal(one.get_traces(k), other.get_traces(k))
        assert np.array_equal(one.get_times(k), other.get_times(k))


def test_a_prefix_a_pattern_and_a_file_open_as_on_a_disk(session, url, tmp_path):
    """Rolls are put together; a description finds them again."""
    local = spikedaq.open(session)
    found = spikedaq.open(url)
    same(found, local)
    assert (found.device, found.reference_utc_ns, found.gaps) == ("alpha", local.reference_utc_ns, local.gaps)
    assert [str(path) for path in found.paths] == [f"{url}/alpha/{path.name}" for path in local.paths]
    same(spikedaq.open(f"{url}/alpha/*_0001.nwb"), spikedaq.open(local.paths[1]))
    same(spikedaq.open(f"{url}/alpha/{local.paths[0].name}"), spikedaq.open(local.paths[0]))
    found.frame_slice(59_990, 60_010).dump(tmp_path / "a.json", relative_to=tmp_path)
    same(Recording.load(tmp_path / "a.json"), local.frame_slice(59_990, 60_010))


def test_a_window_fetches_a_part_of_the_file(server, tmp_path, monkeypatch):
    """Some blocks of 64 KiB for 10 ms of one channel: what describes a file of 5 MB, and little of its samples."""
    monkeypatch.setattr(path_module, "_BLOCK_BYTES", 1 << 16)
    fetched = []
    whole = s3fs.core.S3File._fetch_range

    def counted(self, start, end):
        fetched.append(end - start)
        return whole(self, start, end)

    monkeypatch.setattr(s3fs.core.S3File, "_fetch_range", counted)
    maker = Maker(tmp_path / "long")
    maker.open().samples(0, np.random.default_rng(2).integers(-9000, 9000, (240_000, 8), np.int16)).close()
    (path,) = maker.paths
    S3Path(f"s3://bucket/long/{path.name}").put(path)
    found = spikedaq.open(f"s3://bucket/long/{path.name}")
    part = found.get_traces(0, 130_000, 130_100, channel_ids=["vm"])
    assert np.array_equal(part, spikedaq.open(path).get_traces(0, 130_000, 130_100, channel_ids=["vm"]))
    n_bytes = os.path.getsize(path)
    assert n_bytes > 4_500_000 and sum(fetched) < n_bytes / 3, f"{sum(fetched)} of {n_bytes} bytes"


@pytest.mark.parametrize("kind", ["binary", "zarr", "nwb"])
def test_what_is_saved_there_reads_as_it_was(session, server, tmp_path, kind):
    recording = spikedaq.open(session).frame_slice(59_000, 62_050)
    recording.annotate(mood="ü")
    url = f"s3://bucket/saved/{kind}.nwb"
    saved = recording.save(url, format=kind)
    same(saved, recording)
    assert saved.annotations == {"mood": "ü"}
    assert np.array_equal(saved.get_traces(0, 5, 9, channel_ids=["trigger"]), recording.get_traces(0, 5, 9)[:, 7:])
    with pytest.raises(StoreError, match="exists"):
        recording.save(url, format=kind)
    part = recording.channel_slice(["vm"])
    if kind == "nwb":
        assert part.save(url, format=kind, overwrite=True).channel_ids == ("vm",)
    else:
        with pytest.raises(StoreError, match="no folder in S3 is replaced"):
            part.save(url, format=kind, overwrite=True)


def test_a_csv_is_exported_from_a_bucket_to_a_bucket(session, server, url):
    """As one file and as several, with the description beside it; what is there is not replaced."""
    (exported,) = export_csv(url, "s3://bucket/out/a.csv")
    assert (str(exported.csv), str(exported.description)) == ("s3://bucket/out/a.csv", "s3://bucket/out/a.json")
    found = spikedaq.open("s3://bucket/out/a.csv")
    assert [segment.n_frames for segment in found.segments] == [62_000, 90]
    assert found.get_traces(0, 59_999, 60_000)[0, 0] == spikedaq.open(session).get_traces(0, 59_999, 60_000)[0, 0] / 100
    with pytest.raises(StoreError, match=r"s3://bucket/out/a\.csv exists"):
        export_csv(session, "s3://bucket/out/a.csv")
    (exported,) = export_csv(session, "s3://bucket/more")
    assert str(exported.csv) == "s3://bucket/more/demo_alpha.csv"
    with pytest.raises(StoreError, match="name with --out"):
        export_csv(url)


def test_a_csv_is_read_in_ranges(server, tmp_path):
    lines = ["Time (ms);Spikeling Vm (mV)", *(f"{k / 10:.1f};{-70 - k / 4:.2f}".replace(".", ",") for k in range(99))]
    (tmp_path / "a  .csv").write_text("\n".join(lines))
    S3Path("s3://bucket/a  .csv").put(tmp_path / "a  .csv")
    found = spikedaq.open("s3://bucket/a  .csv")
    assert found.get_traces(0, 40, 42).tolist() == [[-80.0], [-80.25]]
    assert (found.name, [str(path) for path in found.paths]) == ("a", ["s3://bucket/a  .csv"])


def test_what_cannot_be_sent_whole_is_not_there(server, session, tmp_path, monkeypatch):
    """The third object of a folder fails: the first two go again; an object that was there stays."""
    recording = spikedaq.open(session).frame_slice(0, 100)
    n = []
    put = S3Path.put

    def failing(self, local):
        n.append(local)
        if len(n) == 3:
            raise StoreError("the network is gone")
        put(self, local)

    with monkeypatch.context() as patch:
        patch.setattr(S3Path, "put", failing)
        with pytest.raises(StoreError, match="network is gone"):
            recording.save("s3://bucket/half", format="binary")
    assert not S3Path("s3://bucket/half").exists()
    (tmp_path / "a").write_text("old")
    S3Path("s3://bucket/old").put(tmp_path / "a")
    with pytest.raises(KeyboardInterrupt), sent_whole("s3://bucket/old", overwrite=True) as local:
        local.write_text("new")
        raise KeyboardInterrupt
    assert S3Path("s3://bucket/old").read_text() == "old"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("s3://", "names no bucket"),
        ("s3:///key", "names no bucket"),
        ("s3://bucket/nothing", "there is nothing at s3://bucket/nothing; check bucket and key"),
        ("s3://nobucket/a.nwb", "there is nothing at s3://nobucket/a.nwb"),
        ("s3://bucket/nothing/*.nwb", "there is no recording at"),
        ("s3://bucket", "there is no recording at s3://bucket"),
    ],
)
def test_addresses_with_nothing_there(server, url, says, monkeypatch):
    if url == "s3://bucket":
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("empty")
        url, says = "s3://empty", "there is no(thing| recording) at s3://empty"
    with pytest.raises(StoreError, match=says):
        spikedaq.open(url)


def test_addresses_to_write_to_that_cannot_be(server, session, tmp_path):
    recording = spikedaq.open(session).frame_slice(0, 10)
    with pytest.raises(StoreError, match="names no key"):
        recording.save("s3://bucket", format="binary")
    with pytest.raises(StoreError, match="there is no bucket nobucket; make it first"):
        recording.save("s3://nobucket/a.nwb", format="nwb")
    with pytest.raises(StoreError, match="some are in S3 and some are not"):
        spikedaq.open("s3://bucket/a", str(session))


def test_without_credentials_the_remedy_is_named(server, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StoreError, match="there are no credentials; set AWS_ACCESS_KEY_ID") as caught:
        spikedaq.open("s3://bucket/a.nwb")
    assert "s3://bucket/a.nwb" in str(caught.value)
    # Public data need none; this server lets everybody in.
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "yes")
    with pytest.raises(StoreError, match="there is nothing at s3://bucket/a"):
        spikedaq.open("s3://bucket/a.nwb")


def test_an_endpoint_that_does_not_answer_is_named(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StoreError, match="the endpoint does not answer; check network, region and AWS_ENDPOINT_URL"):
        spikedaq.open("s3://bucket/a.nwb")


def test_who_is_denied_is_told(server, monkeypatch):
    """As s3fs says it of a bucket that others own."""

    class Denying:
        def info(self, path):
            raise PermissionError("Access Denied")

    monkeypatch.setattr(access_module, "_connected", lambda *_: Denying())
    with pytest.raises(StoreError, match=r"denied \(Access Denied\); check the credentials and what they allow"):
        spikedaq.open("s3://bucket/a.nwb")


def test_addresses_are_told_from_paths():
    assert [is_url(one) for one in ("s3://a/b", " S3://a/b", "s3:/a", "a/s3://", "https://a", 3)] == [
        *(True, True, False, False, False, False)
    ]
    assert parse_url("S3://bucket/a b/c.nwb") == ("bucket", "a b/c.nwb")
    path = S3Path("s3://bucket/a b//c.nwb")
    assert (str(path), path.name, path.stem, path.suffix) == ("s3://bucket/a b/c.nwb", "c.nwb", "c", ".nwb")
    assert (str(path.parent), str(path.parent / "d/e")) == ("s3://bucket/a b", "s3://bucket/a b/d/e")
