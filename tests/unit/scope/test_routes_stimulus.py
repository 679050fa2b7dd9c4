"""Waveforms by HTTP: what a page is told of them, and that nothing it sends does harm."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from starlette.testclient import TestClient

from spikedaq.scope.access import Access
from spikedaq.scope.app import make_app
from spikedaq.scope.hub import Hub
from spikedaq.scope.routes_stimulus import MAX_CSV_BYTES, MAX_SPEC_BYTES

CSV = {"content-type": "text/csv"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    # Without its lifespan, so that no bench is looked for.
    yield TestClient(make_app(Hub([]), Access("127.0.0.1")), base_url="http://127.0.0.1:5580")


def spec(generator: str, **values: float) -> dict[str, object]:
    return {"generator": generator, "values": values}


def test_the_table_says_all_that_a_form_needs(client: TestClient) -> None:
    """Names, units, ranges and defaults of every generator."""
    said = client.get("/api/stimulus/generators").json()
    assert said["row_ms"] == 0.1
    assert said["limit_percent"] == 100.0
    by_name = {one["name"]: one for one in said["generators"]}
    assert {"steps", "ramp", "sine", "triangle", "chirp_linear", "noise_gaussian", "pulses"} <= set(by_name)
    amplitude = next(p for p in by_name["sine"]["parameters"] if p["name"] == "amplitude")
    assert (amplitude["unit"], amplitude["minimum"], amplitude["maximum"], amplitude["default"]) == ("%", 0, 100, 50)


def test_preview_of_two_pulses(client: TestClient) -> None:
    """Rows, duration, extremes and mean of a waveform that is small enough to be counted by hand."""
    body = spec("pulses", count=2, amplitude=40, level=-10, width_ms=0.2, period_ms=0.5)
    said = client.post("/api/stimulus/preview", json=body).json()
    assert (said["n_rows"], said["duration_ms"]) == (10, 1.0)
    assert (said["minimum_percent"], said["maximum_percent"], said["n_clipped"]) == (-10.0, 40.0, 0)
    assert said["mean_percent"] == 10.0  # 4 rows of 40, 6 of -10
    assert said["least_percent"] == said["greatest_percent"] == [40, 40, -10, -10, -10] * 2


def test_preview_of_a_long_waveform_keeps_its_shortest_pulse(client: TestClient) -> None:
    """One row in a hundred thousand is seen."""
    body = {"sequence": [
        spec("constant", level=0, duration_ms=7000), spec("constant", level=-77, duration_ms=0.1),
        spec("constant", level=0, duration_ms=3000),
    ]}  # fmt: skip
    said = client.post("/api/stimulus/preview", json=body).json()
    assert said["n_rows"] == 100_001
    assert len(said["least_percent"]) == len(said["greatest_percent"]) == 720
    # Column 504 begins at row 504 * 100001 // 720 = 70000.
    assert [k for k, least in enumerate(said["least_percent"]) if least == -77.0] == [504]
    assert set(said["greatest_percent"]) == {0.0}


def test_rows_are_what_a_device_is_sent(client: TestClient) -> None:
    """int16, little-endian, 0.01 %."""
    answer = client.post("/api/stimulus/rows", json=spec("ramp", start=-1, end=1, duration_ms=0.3, post_ms=0.1))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content == bytes.fromhex("9cff 0000 6400 0000".replace(" ", ""))


def test_a_file_comes_back_as_it_went(client: TestClient) -> None:
    """Rows of a CSV, with what people's programs leave in one."""
    text = "\ufeffStim;Trigger;Number of Steps\r\n12,5;1;3\r\n\r\n-1e1;0;3\r\n0;1;3\r\n"
    said = client.post("/api/stimulus/preview?name=mine.csv", content=text.encode(), headers=CSV).json()
    assert said["n_rows"] == 3
    assert said["least_percent"] == [12.5, -10.0, 0.0]
    assert said["ignored_columns"] == ["Number of Steps"]
    assert said["n_ignored_triggers"] == 1
    rows = client.post("/api/stimulus/rows", content=text.encode(), headers=CSV).content
    assert np.frombuffer(rows, "<i2").tolist() == [1250, -1000, 0]
    written = client.post("/api/stimulus/csv?name=mine.csv", content=text.encode(), headers=CSV)
    assert written.content == b"Stim,Trigger\n12.5,1.0\n-10.0,0.0\n0.0,0.0\n"
    assert written.headers["content-disposition"] == 'attachment; filename="mine.csv"'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Stim,Trigger\n1,1\n2,0\nabc,0\n", "up.csv, line 4: Stim is 'abc'"),
        ("Stim,Trigger\n1,1\n\n250,0\n", "up.csv, line 4: Stim is 250 %"),
        ("Stim,Trigger\n1,1\nnan,0\n", "up.csv, line 3: Stim is 'nan'"),
        ("Stim,Trigger\n,1\n", "up.csv, line 2: Stim is empty"),
        ("Stim,Trigger\n", "up.csv has no row"),
        ("a,b\n1,2\n", "up.csv has no column 'Stim'"),
        ("", "up.csv is empty"),
    ],
)
def test_a_malformed_file_is_refused_by_line_and_value(client: TestClient, text: str, says: str) -> None:
    """In words that a page can show as they are."""
    answer = client.post("/api/stimulus/preview?name=up.csv", content=text.encode(), headers=CSV)
    assert answer.status_code == 400
    assert answer.json()["code"] == "config"
    assert answer.json()["text"].startswith(says)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "the specification is no JSON"),
        (b"[" * 5000, "the specification is no JSON"),
        (b"[]", "a stimulus specification is a map"),
        (b'{"generator": "sinus"}', "there is no stimulus generator 'sinus'; did you mean 'sine'?"),
        (b'{"generator": "sine", "values": {"amplitude": NaN}}', "amplitude of sine is nan"),
        (b'{"generator": "sine", "values": {"amplitude": 101}}', "amplitude of sine is 101; give a number from 0"),
        (b'{"generator": "noise_gaussian", "values": {"duration_ms": 600000}, "x": 1}', "a stimulus specification"),
        (json.dumps({"sequence": [{"generator": "constant"}], "repeat": 6_000_000}).encode(), "the stimulus would"),
    ],
)
@pytest.mark.parametrize("route", ["preview", "rows", "csv"])
def test_a_specification_that_cannot_be_is_refused(client: TestClient, route: str, body: bytes, says: str) -> None:
    """The same on every route, before any memory is taken."""
    answer = client.post(f"/api/stimulus/{route}", content=body)
    assert answer.status_code == 400
    assert answer.json()["text"].startswith(says)


def test_an_upload_of_two_gigabytes_is_refused_before_it_comes(client: TestClient) -> None:
    """By what it says of its length: none of it is read."""
    n_read = 0

    def parts() -> Iterator[bytes]:
        nonlocal n_read
        n_read += 1
        yield b"Stim,Trigger\n"

    headers = {**CSV, "content-length": str(2 << 30)}
    answer = client.post("/api/stimulus/preview?name=big.csv", content=parts(), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["text"] == "the file big.csv has more than 8 MB, which is the most"
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(("headers", "bound"), [(CSV, MAX_CSV_BYTES), ({}, MAX_SPEC_BYTES)])
def test_an_upload_that_keeps_its_length_to_itself_is_refused(
    client: TestClient, headers: dict[str, str], bound: int
) -> None:
    """A chunked body is counted as it comes."""
    parts = (b" " * 100_000 for _ in range(bound // 100_000 + 1))
    assert client.post("/api/stimulus/rows", content=parts, headers=headers).status_code == 413


def test_a_name_cannot_write_headers_or_markup(client: TestClient) -> None:
    """What a file is called comes from whoever has it."""
    name = '..\\"; filename=evil.exe\r\nset-cookie: a=b<script>.csv'
    answer = client.post("/api/stimulus/csv", params={"name": name}, json=spec("constant", duration_ms=0.1))
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    said = answer.headers["content-disposition"]
    assert said.startswith('attachment; filename="') and said.count('"') == 2
    assert not set(said.split('"')[1]) & set("\\/;:<> \r\n")


def test_other_sites_are_kept_out(client: TestClient) -> None:
    """The guard covers these routes, too."""
    headers = {"origin": "http://evil.example"}
    assert client.post("/api/stimulus/preview", json=spec("sine"), headers=headers).status_code == 403
