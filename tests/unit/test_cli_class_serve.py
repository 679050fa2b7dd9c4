"""`spikedaq class serve`: the page of all benches, never without tokens, with one address for the students."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from spikedaq.cli import lesson_serve, scope
from spikedaq.cli.main import main


def test_all_benches_are_served_and_tokens_are_demanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    served: list[argparse.Namespace] = []
    monkeypatch.setattr(lesson_serve, "run_scope", lambda arguments: served.append(arguments) or 0)
    listed = tmp_path / "benches.txt"
    listed.write_text("lab2\n# the old one: lab9\nlab3:6000\n")
    assert main(["class", "serve", "--url", "tcp://127.0.0.1:1", "--list", str(listed)]) == 0
    (arguments,) = served
    assert arguments.url == ["tcp://127.0.0.1:1", "tcp://lab2:5571", "tcp://lab3:6000"]
    assert arguments.needs_token is True
    assert arguments.listen == "0.0.0.0:5580"


def test_the_students_address_is_that_of_the_viewers(capsys: pytest.CaptureFixture[str]) -> None:
    """And the QR code is of it, not of the teacher's."""
    qr: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scope, "qr_lines", lambda text: [qr.append(text) or "QR"])
        addresses = {"viewers": "http://lab:5580/?token=v", "controllers": "http://lab:5580/?token=c"}
        scope._print(addresses, ("students watch at", "you control at"), with_qr=True)
    said: Any = capsys.readouterr().out.splitlines()
    assert said[:3] == ["students watch at: http://lab:5580/?token=v", "you control at: http://lab:5580/?token=c", "QR"]
    assert qr == ["http://lab:5580/?token=v"]
