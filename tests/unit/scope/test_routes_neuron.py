"""The stock neuron CSV by HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from spikedaq.scope.access import Access
from spikedaq.scope.app import make_app
from spikedaq.scope.hub import Hub

WRITTEN = (
    "a,b,c,d,PhotoGain( %),PhotoDecay(1 / ms),PhotoRecovery(1 / ms),Syn1 Gain( %),Syn1 Decay(1 / ms),Syn2 Gain( %),"
    "Syn2 Decay(1 / ms)\n"
)
VALUES = {
    "a": 0.02, "b": 0.25, "c": -50.0, "d": 2.0, "photo_gain": 5.0, "photo_decay": 0.001, "photo_recovery": 0.01,
    "syn1_gain": 10.0, "syn1_decay": 0.995, "syn2_gain": -25.0, "syn2_decay": 0.99,
}  # fmt: skip


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    yield TestClient(make_app(Hub([]), Access("127.0.0.1")), base_url="http://127.0.0.1:5580")


def test_a_file_becomes_parameters_in_our_units(client: TestClient) -> None:
    """Gains are a tenth and a quarter of the file's per cent."""
    row = "0.02,0.25,-50,2,50,0.001,0.01,40,0.995,-100,0.99\n"
    said = client.post("/api/neuron/parse?name=n.csv", content=(WRITTEN + row).encode()).json()
    assert said["values"] == VALUES
    assert said["units"]["c"] == "mV"


def test_parameters_become_a_file_that_the_stock_program_loads(client: TestClient) -> None:
    """With 32-bit floats as a device says them."""
    device = {**VALUES, "a": 0.019999999552965164, "syn1_decay": 0.9950000047683716}
    answer = client.post("/api/neuron/csv?name=my neuron", json=device)
    header, row, _ = answer.text.split("\n")
    assert header.startswith("a,b,c,d,PhotoGain (%),PhotoDecay (1/ms)")
    assert row == "0.02,0.25,-50,2,50,0.001,0.01,40,0.995,-100,0.99"
    assert answer.headers["content-disposition"] == 'attachment; filename="my_neuron.csv"'


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("0.02,0.25,-50,2,50,0.001,0.01,40,995,-100,0.99\n", "n.csv, line 2: Syn1 Decay (1/ms) is 995"),
        ("0.02,0.25,-50,2,50,0.001,0.01,40,x,-100,0.99\n", "n.csv, line 2: Syn1 Decay (1/ms) is 'x'"),
        ("", "n.csv has 0 rows"),
    ],
)
def test_a_file_that_cannot_be_is_refused_by_line_and_column(client: TestClient, row: str, says: str) -> None:
    """In words that a page can show as they are."""
    answer = client.post("/api/neuron/parse?name=n.csv", content=(WRITTEN + row).encode())
    assert answer.status_code == 400
    assert answer.json()["text"].startswith(says)


def test_a_file_that_is_too_long_is_refused(client: TestClient) -> None:
    """Nothing of eleven numbers has a megabyte."""
    answer = client.post("/api/neuron/parse?name=n.csv", content=b" " * 1_000_000)
    assert answer.status_code == 413
    assert "n.csv has more than 100000 bytes" in answer.json()["text"]


def test_the_bound_that_is_told_is_the_bound(client: TestClient) -> None:
    """It said a megabyte of whatever is bounded by less."""
    answer = client.post("/api/neuron/csv", content=b" " * 20_001)
    assert (answer.status_code, answer.json()["text"]) == (413, "the neuron has more than 20 kB, which is the most")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"a": "1"}', b'{"a": NaN}', b'{"a": true}', b'{"a": 1' + b"0" * 400 + b"}"]
)
def test_what_is_no_neuron_is_refused(client: TestClient, body: bytes) -> None:
    """A map of names to finite numbers, or an error."""
    answer = client.post("/api/neuron/csv", content=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_arguments"


def test_a_missing_parameter_is_named(client: TestClient) -> None:
    """A board without synapses has no such file."""
    values = {name: value for name, value in VALUES.items() if name != "syn2_gain"}
    answer = client.post("/api/neuron/csv", json=values)
    assert answer.status_code == 400
    assert answer.json()["text"].startswith("syn2_gain is not known")
