"""Whatever a file of another kind holds: it is read, or a StoreError names it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import spikedaq
from spikedaq.model import StoreError
from spikedaq.recording import Recording

HEADER = "Time (ms),Spikeling Vm (mV),Stimulus (%),Trigger"
CELLS = st.sampled_from(
    ["0", "0.1", "0.2", "0.30000000000000004", "", "nan", "-70", "1e400", "x", "1,5", '"', "\x00", " 7 "]
)
ROWS = st.lists(st.lists(CELLS, min_size=0, max_size=6).map(",".join), max_size=8)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def look(path):
    """Open and read all, or be told which file is wrong."""
    try:
        with spikedaq.open(path) as found:
            for k in range(found.num_segments):
                assert len(found.get_traces(k)) == len(found.get_times(k)) == found.get_num_frames(k)
            str(found)
    except StoreError as error:
        assert str(path) in str(error)


@pytest.mark.filterwarnings("ignore::spikedaq.model.RecordingWarning")
@SETTINGS
@given(
    header=st.sampled_from([HEADER, HEADER.replace(",", ";"), "Time (s),Vm1 (mV)", ""]),
    rows=ROWS,
    tail=st.binary(max_size=6),
)
def test_any_csv(tmp_path, header, rows, tail):
    """Cells that are no numbers, rows of any length, bytes that are no text."""
    path = tmp_path / "a.csv"
    path.write_bytes("\n".join([header, *rows]).encode() + tail)
    look(path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    made = Recording.from_numpy([np.zeros((5, 2), np.int16)] * 2, 10.0, t_starts_s=[0, 1])
    for kind in ("binary", "zarr", "nwb"):
        made.save(folder / f"a.{kind}", format=kind)
    return folder


@pytest.mark.filterwarnings("ignore::spikedaq.model.RecordingWarning")
@pytest.mark.parametrize("name", ["a.binary/binary.json", "a.binary/spikedaq.json", "a.zarr/.zattrs"])
@SETTINGS
@given(data=st.data())
def test_any_description(saved, name, data):
    """One value of it, at any depth, replaced by anything or taken out."""
    path = saved / name
    before = path.read_text()
    document = json.loads(before)
    place = document
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        break
    if isinstance(place, dict) and data.draw(st.booleans()):
        del place[key]
    else:
        place[key] = data.draw(ANYTHING)
    try:
        path.write_text(json.dumps(document))
        look(path.parent)
    finally:
        path.write_text(before)
