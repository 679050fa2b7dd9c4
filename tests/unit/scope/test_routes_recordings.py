"""Recordings by HTTP: names, who may what, and answers in words whatever is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from spikedaq.model import CommandRejected, CommandTimeout
from spikedaq.scope import routes_recordings
from spikedaq.scope.access import Access
from spikedaq.scope.app import make_app
from spikedaq.scope.hub import Hub
from spikedaq.scope.libraries import Libraries

VIEWER, CONTROLLER = "v" * 20, "c" * 20
DAY = "2026-05-01"


class FakeLibraries(Libraries):
    """Benches whose sessions are given, and which refuse or are away when told."""

    def __init__(self) -> None:
        super().__init__({})
        self.sessions: list[str] = []
        self.error: Exception | None = None
        self.asked: list[str] = []

    async def ask(self, bench: str, work: Callable[[Any], Any]) -> Any:
        self.asked.append(bench)
        if self.error is not None:
            raise self.error
        return {"bench": bench}

    async def ask_bench(self, bench: str, work: Callable[[Any], Any]) -> Any:
        self.asked.append(bench)
        if self.error is not None:
            raise self.error
        return self.sessions


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = make_app(Hub([]), Access("127.0.0.1", viewer_token=VIEWER, controller_token=CONTROLLER))
    app.state.libraries = FakeLibraries()
    # Without its lifespan, so that no bench is looked for.
    client = TestClient(app, base_url="http://127.0.0.1:5580")
    client.headers["authorization"] = f"Bearer {CONTROLLER}"
    yield client


def libraries(client: TestClient) -> FakeLibraries:
    found: FakeLibraries = client.app.state.libraries  # type: ignore[attr-defined]
    return found


def name(client: TestClient, **parts: str) -> dict[str, Any]:
    answer = client.get("/api/recordings/name", params={"bench": "b", "day": DAY, **parts})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_name_with_the_next_run(client: TestClient) -> None:
    """After the greatest run of the same parts; other parts, and other days, count for themselves."""
    libraries(client).sessions = [f"{DAY}_tonic_sine_2", f"{DAY}_tonic_sine_7", f"{DAY}_g_tonic_sine_9", "other"]
    assert name(client, mode="tonic", protocol="sine") == {
        "name": f"{DAY}_tonic_sine_8", "run": 8, "taken": False, "wrong": {}, "next_problem": None,
    }  # fmt: skip
    assert name(client, mode="tonic", protocol="sine", group="g")["name"] == f"{DAY}_g_tonic_sine_10"
    assert name(client, mode="tonic", protocol="sine", condition="dark")["name"] == f"{DAY}__dark_tonic_sine_1"


def test_a_run_that_is_taken_is_told(client: TestClient) -> None:
    libraries(client).sessions = [f"{DAY}_tonic_sine_2"]
    told = name(client, mode="tonic", protocol="sine", run="2")
    assert (told["name"], told["taken"]) == (f"{DAY}_tonic_sine_2", True)


@pytest.mark.parametrize(
    ("part", "value", "reason"),
    [
        ("mode", "", "the mode is missing"),
        ("protocol", "", "the protocol is missing"),
        ("mode", "../../etc", "in it"),
        ("mode", "a/b", "'/' in it"),
        ("group", "..", "'..' in it"),
        ("group", "g_4", "'_' in it"),
        ("condition", "dark\u0000", "in it"),
        ("condition", "<script>", "in it"),
        ("protocol", "sine wave", "' ' in it, which not every disk"),
        ("run", "0", "from 1 to 9999"),
        ("run", "10000", "from 1 to 9999"),
        ("run", "two", "from 1 to 9999"),
        ("run", "\u0662", "from 1 to 9999"),
        ("run", "9" * 3000, "from 1 to 9999"),
    ],
)
def test_what_is_wrong_is_said_of_the_part(client: TestClient, part: str, value: str, reason: str) -> None:
    """And of no other; there is no name then, and no bench is asked."""
    told = name(client, **{"mode": "tonic", "protocol": "sine", part: value})
    assert told["name"] is None
    assert list(told["wrong"]) == [part]
    assert reason in told["wrong"][part]
    assert libraries(client).asked == []


def test_a_name_that_is_too_long_as_a_whole(client: TestClient) -> None:
    told = name(client, mode="m" * 40, protocol="p" * 40)
    assert told["name"] is None
    assert "characters" in told["wrong"]["name"]


def test_without_the_bench_a_run_of_ones_own_is_needed(client: TestClient) -> None:
    libraries(client).error = CommandTimeout("nobody answers", code="timeout")
    told = name(client, mode="tonic", protocol="sine")
    assert told["name"] is None
    assert "give the run's number" in told["next_problem"]
    assert name(client, mode="tonic", protocol="sine", run="3")["name"] == f"{DAY}_tonic_sine_3"


def test_a_viewer_looks_and_changes_nothing(client: TestClient) -> None:
    client.headers["authorization"] = f"Bearer {VIEWER}"
    assert client.get("/api/recordings", params={"bench": "b"}).json() == {"bench": "b"}
    asked = len(libraries(client).asked)
    for path in ("recordings/verify", "recordings/verify-stop", "trial", "trial/abort"):
        answer = client.post(f"/api/{path}", params={"bench": "b", "session": "s", "page": "p"}, content=b"{}")
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed"), path
    assert len(libraries(client).asked) == asked


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("recordings", {}, "bad_arguments"),
        ("recordings", {"bench": "b", "before": "["}, "bad_arguments"),
        ("recordings", {"bench": "b", "before": "[" * 4000}, "bad_arguments"),
        ("recordings", {"bench": "b" * 5000}, "bad_arguments"),
        ("recordings/session", {"bench": "b"}, "bad_arguments"),
        ("recordings/name", {"bench": "b", "day": "tomorrow"}, "bad_arguments"),
        ("recordings/csv", {"id": "../../etc/passwd"}, "unknown_file"),
        ("recordings/csv/file", {"id": "x", "name": "../x"}, "unknown_file"),
    ],
)
def test_requests_that_cannot_be(client: TestClient, path: str, params: dict[str, str], code: str) -> None:
    answer = client.get(f"/api/{path}", params=params)
    assert answer.status_code in (400, 404)
    assert answer.json()["code"] == code
    assert len(answer.json()["text"]) > 10


@pytest.mark.parametrize(("code", "status"), [("unknown_session", 404), ("not_closed", 409), ("store", 400)])
def test_what_a_bench_refuses_is_said_in_its_words(client: TestClient, code: str, status: int) -> None:
    libraries(client).error = CommandRejected("it is gone; look again", code=code)
    for path in ("recordings/session", "recordings/file", "recordings/zip"):
        answer = client.get(f"/api/{path}", params={"bench": "b", "session": "s", "folder": "/f", "name": "x.nwb"})
        assert (answer.status_code, answer.json()) == (status, {"code": code, "text": "it is gone; look again"})


TRIAL = {"session": "s", "device": "alpha", "stimulus": "steps", "spec": {"generator": "constant"}}


@pytest.mark.parametrize(
    "change",
    [
        {"spec": None},
        {"csv": "AAAA"},
        {"device": ""},
        {"device": 3},
        {"session": "../x"},
        {"session": "a/b"},
        {"baseline_s": -1},
        {"after_s": 1e9},
        {"baseline_s": True},
        {"baseline_s": None},
        {"others": "beta"},
        {"notes": "n" * 9000},
        {"spec": {"generator": "no such"}},
        {"spec": None, "csv": "no base64!"},
        {"spec": None, "csv": 7},
    ],
)
def test_trials_that_cannot_be(client: TestClient, change: dict[str, Any]) -> None:
    """Refused in words before any bench is asked."""
    client.app.state.hub.urls["b"] = "tcp://127.0.0.1:1"  # type: ignore[attr-defined]
    body = json.dumps({**TRIAL, **change})
    answer = client.post("/api/trial", params={"bench": "b", "page": "p"}, content=body)
    assert answer.status_code == 400, answer.text
    assert len(answer.json()["text"]) > 10
    assert client.get("/api/trial", params={"bench": "b"}).json() == {"trial": None}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000, b"\xff", b"null"])
def test_trials_of_junk(client: TestClient, body: bytes) -> None:
    client.app.state.hub.urls["b"] = "tcp://127.0.0.1:1"  # type: ignore[attr-defined]
    answer = client.post("/api/trial", params={"bench": "b", "page": "p"}, content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_arguments")


def test_parts_of_a_name_are_those_of_the_convention() -> None:
    assert routes_recordings._PARTS == ("group", "condition", "mode", "protocol")
