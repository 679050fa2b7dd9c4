"""The page beside another command: where it is served, and what is said where it cannot be."""

from __future__ import annotations

import argparse
import json
import socket
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from spikedaq.cli import demo, served_page
from spikedaq.model import ConfigError
from spikedaq.scope import app

NOBODY = "tcp://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A built page, whether or not there is Node.js here."""
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>page</title>")
    monkeypatch.setattr(app, "PAGE", folder)


def test_it_serves_until_left_and_leaves_no_thread(tmp_path: Path) -> None:
    """The address answers inside, and nothing of it is left outside."""
    before = threading.active_count()
    with served_page.served_page([NOBODY], log_path=tmp_path / "scope.log", port=0) as address:
        with urllib.request.urlopen(f"{address}api/health", timeout=10) as answer:
            health = json.load(answer)
        assert [bench["bench"] for bench in health["benches"]] == [NOBODY]
        assert health["role"] == "controller"
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{address}api/health", timeout=10)
    assert threading.active_count() <= before + 1  # what was asked of a bench that is not there may still wait


def test_a_port_that_is_taken_gives_way_to_one_that_is_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with served_page.served_page([NOBODY], log_path=tmp_path / "scope.log", port=port) as address:
            assert address.startswith("http://127.0.0.1:")
            assert not address.endswith(f":{port}/")


def test_a_page_that_was_not_built_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "PAGE", tmp_path / "nowhere")
    with (
        pytest.raises(ConfigError, match=r"apt-get install nodejs npm.*make page"),
        served_page.served_page([NOBODY], log_path=tmp_path / "scope.log", port=0),
    ):
        pass


def test_a_missing_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "spikedaq.scope.server", raising=False)
    with (
        pytest.raises(ConfigError, match=r"uvicorn is not installed: pip install 'spikedaq\[scope\]'"),
        served_page.served_page([NOBODY], log_path=tmp_path / "scope.log", port=0),
    ):
        pass


def test_a_log_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"scope\.log cannot be written"),
        served_page.served_page([NOBODY], log_path=tmp_path / "no" / "scope.log", port=0),
    ):
        pass


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, "linux", False),
        ({"DISPLAY": ":0", "CI": "true"}, "linux", False),
        ({}, "darwin", True),
        ({"SSH_TTY": "/dev/ttys001"}, "darwin", False),
        ({"CI": "1"}, "win32", False),
    ],
)
def test_a_page_is_opened_only_where_somebody_sits_before_a_screen(
    environment: dict[str, str], platform: str, expected: bool
) -> None:
    assert served_page.has_browser(environment, platform=platform) is expected


@pytest.mark.parametrize("text", ["-1", "65536", "x", "", "5580.0", "\u0665"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no port"):
        demo.port_number(text)


def test_ports_are_read() -> None:
    assert (demo.port_number("0"), demo.port_number("65535")) == (0, 65535)
