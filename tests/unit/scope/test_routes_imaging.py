"""Orders to imaging simulations: who may give them, what is refused, and what is told. The process is a stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from spikedaq.model import CommandRejected
from spikedaq.scope import imaging_runs
from spikedaq.scope.access import Access
from spikedaq.scope.app import make_app
from spikedaq.scope.hub import Hub

VIEWER, CONTROLLER = "viewer-" + "v" * 16, "controller-" + "c" * 16
DEVICE = {"bench": "lab", "device": "alpha"}


def write_two(folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "one.nwb", folder / "one.csv"]
    for path in paths:
        path.write_bytes(b"x" * 1234)
    return [str(path) for path in paths]


class Process:
    """Takes orders as the child does, and writes files where it is told to."""

    refuse: str = ""

    def __init__(self, asked: dict[str, Any], tell: Any) -> None:
        self.asked, self.tell, self.orders, self.failure = asked, tell, [], ""
        self.over = asyncio.Event()

    async def start(self) -> None:
        if self.refuse:
            raise CommandRejected(self.refuse, code="exists")
        self.tell({"state": "running", "text": "", "frames": 0, "files": []})

    async def order(self, do: str, **args: Any) -> dict[str, Any]:
        self.orders.append((do, args))
        if do == "record":
            return {"session": "", "files": write_two(Path(args["folder"]))}
        return {}

    async def ended(self) -> int:
        await self.over.wait()
        return 0

    async def end(self) -> None:
        self.over.set()


class Feed:
    name, url = "lab", "tcp://127.0.0.1:9"

    def __init__(self, data: Path) -> None:
        self.lease: dict[str, Any] | None = None
        self.data = data
        self.traces: dict[str, Any] = {}

    @property
    def state(self) -> dict[str, Any]:
        device = {"name": "alpha", "lease": self.lease}
        return {"bench": "lab", "status": {"devices": [device], "data": str(self.data), "recording": None}}

    async def run(self) -> None:
        await asyncio.Event().wait()


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    return Feed(tmp_path)


@pytest.fixture
def client(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(imaging_runs, "ImagingProcess", Process)
    monkeypatch.setattr(Process, "refuse", "")
    hub = Hub([])
    hub.feeds = [feed]  # type: ignore[list-item]
    hub.urls["lab"] = feed.url
    app = make_app(hub, Access("127.0.0.1", viewer_token=VIEWER, controller_token=CONTROLLER))
    with TestClient(app, base_url="http://127.0.0.1", headers={"authorization": f"Bearer {CONTROLLER}"}) as client:
        yield client


def order(client: TestClient, what: str, **more: Any) -> tuple[int, dict[str, Any]]:
    answer = client.post(f"/api/imaging/{what}", json={**DEVICE, **more})
    return answer.status_code, answer.json()


def test_the_table_has_each_setting_with_unit_range_and_default(client: TestClient) -> None:
    table = client.get("/api/imaging/table").json()
    (rate,) = (each for each in table["settings"] if each["name"] == "frame_rate_hz")
    assert (rate["unit"], rate["minimum"], rate["maximum"], rate["default"]) == ("Hz", 1, 10_000, 100)
    assert [each["dff_max"] for each in table["indicators"] if each["name"] == "GCaMP6s"] == [60]


def test_from_start_to_download(client: TestClient) -> None:
    """Changes are told the process; what is recorded can be fetched once it is complete, and only by its name."""
    assert order(client, "start")[1]["state"] == "running"
    status, told = order(client, "change", indicator="gcamp6f", settings={"laser": 1.5}, seed="18446744073709551615")
    assert status == 200 and told["indicator"] == "GCaMP6f" and told["seed"] == "18446744073709551615"
    assert (told["settings"]["hill"], told["settings"]["laser"]) == (3.0, 1.5)
    assert order(client, "record")[1]["session"] == ""
    assert order(client, "change", indicator="Generic")[1]["code"] == "recording"
    assert client.get("/api/imaging/file", params={**DEVICE, "name": "one.csv"}).status_code == 409
    told = order(client, "stop_recording")[1]
    assert told["session"] is None
    assert told["files"][1] == {"name": "one.csv", "bytes": 1234, "growing": False}
    answer = client.get("/api/imaging/file", params={**DEVICE, "name": "one.csv"})
    assert answer.content == b"x" * 1234 and "one.csv" in answer.headers["content-disposition"]
    for name in ("../one.csv", "/etc/passwd", "", "two.csv"):
        assert client.get("/api/imaging/file", params={**DEVICE, "name": name}).status_code == 404
    assert order(client, "stop")[1]["state"] == "off"
    assert client.get("/api/imaging/state", params=DEVICE).json()["indicator"] == "GCaMP6f"


def test_a_viewer_may_look_only(client: TestClient) -> None:
    for what in ("start", "stop", "change", "record", "stop_recording"):
        answer = client.post(f"/api/imaging/{what}", json=DEVICE, headers={"authorization": f"Bearer {VIEWER}"})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    answer = client.get("/api/imaging/state", params=DEVICE, headers={"authorization": f"Bearer {VIEWER}"})
    assert answer.json()["state"] == "off"


def test_who_has_the_lease_is_not_disturbed(client: TestClient, feed: Feed) -> None:
    """`Mia` of the page "secret" has the tag 2bb80d (sha256 of "secret"), which no other page has."""
    feed.lease = {"holder": "Mia#2bb80d@127.0.0.1", "device": "alpha", "left_s": 9}
    assert order(client, "start")[1]["code"] == "leased"
    answer = client.post("/api/imaging/start?name=Mia&page=other", json=DEVICE)
    assert answer.json()["code"] == "leased"
    answer = client.post("/api/imaging/start?name=Mia&page=secret", json=DEVICE)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("what", "more", "status", "text"),
    [
        ("change", {"settings": {"laser": 7}}, 400, "from 0 to 2"),
        ("change", {"settings": {"lasre": 1}}, 400, "did you mean 'laser'"),
        ("change", {"settings": {"laser": None}}, 400, "laser"),
        ("change", {"settings": {"laser": [1]}}, 400, "laser"),
        ("change", {"settings": [1]}, 400, "map"),
        ("change", {"indicator": "GCaMP9"}, 400, "GCaMP9"),
        ("change", {"seed": -1}, 400, "2**64"),
        ("change", {"seed": 1.5}, 400, "whole number"),
        ("record", {}, 409, "start it first"),
        ("start", {"device": "../x"}, 404, "no device"),
        ("start", {"bench": "x"}, 404, "no bench"),
        ("start", {"device": 7}, 400, "texts"),
        ("erase", {}, 404, "start, stop"),
        ("start", {"junk": "x" * 30_000}, 413, "most"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    client: TestClient, what: str, more: dict[str, Any], status: int, text: str
) -> None:
    before = client.get("/api/imaging/state", params=DEVICE).json()
    answer = order(client, what, **more)
    assert answer[0] == status and text in answer[1]["text"]
    assert client.get("/api/imaging/state", params=DEVICE).json() == before


def test_a_bench_that_refuses_leaves_it_off(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Process, "refuse", "somebody publishes the stream 'imaging' of alpha already")
    assert order(client, "start") == (
        409,
        {"code": "exists", "text": "somebody publishes the stream 'imaging' of alpha already"},
    )
    told = client.get("/api/imaging/state", params=DEVICE).json()
    assert (told["state"], told["note"]) == ("off", "somebody publishes the stream 'imaging' of alpha already")


def test_what_nobody_looks_at_ends_unless_it_is_recorded(
    feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imaging_runs, "ImagingProcess", Process)
    now_s = [0.0]

    async def test() -> None:
        hub = Hub([])
        hub.urls["lab"] = feed.url
        runs = imaging_runs.ImagingRuns(hub, lambda _: tmp_path, now_s=lambda: now_s[0])
        run = await runs.start("lab", "alpha", "Mia")
        await runs.record("lab", "alpha")
        now_s[0] = 1000.0
        await runs._look_at(run)
        assert run.state == "running"
        await runs.stop_recording("lab", "alpha")
        now_s[0] = 1059.0
        await runs._look_at(run)
        assert run.state == "running"
        now_s[0] = 1061.0
        await runs._look_at(run)
        assert run.state == "off" and "nobody had looked at alpha" in run.note

    asyncio.run(test())
