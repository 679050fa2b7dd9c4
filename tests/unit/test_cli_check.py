"""`spikedaqd --check` finds what a start, or the start of a recording, would refuse."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spikedaq.cli import check as check_module
from spikedaq.cli.check import check
from spikedaq.daemon import DaemonConfig, RecordingConfig
from spikedaq.daemon.config import RecordingModeConfig
from spikedaq.daemon.trigger_config import TriggerConfig
from spikedaq.daemon.triggers import SavedTriggers
from spikedaq.daemon.triggers.saved import FILE_NAME, save
from spikedaq.model import ConfigError

LOCAL = "tcp://127.0.0.1"


def config(folder: Path, **changes: Any) -> DaemonConfig:
    return DaemonConfig(**{"control": f"{LOCAL}:*", "publish": f"{LOCAL}:*", "data": folder, **changes})


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No daemon runs with the data folder."""
    monkeypatch.setattr(check_module, "_running", lambda _: None)


@pytest.fixture
def port() -> Iterator[int]:
    """A port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield int(holder.getsockname()[1])


def test_what_can_be_is_not_refused(tmp_path: Path) -> None:
    assert check(config(tmp_path, history=f"{LOCAL}:*", metrics=0)) == 0


def test_an_endpoint_of_the_history_that_others_reach_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at a start, without keys; also where the daemon runs already and would meet it at its next one."""
    wild = config(tmp_path, history="tcp://0.0.0.0:5999")
    with pytest.raises(ConfigError, match="could be reached from other computers"):
        check(wild)
    monkeypatch.setattr(check_module, "_running", lambda _: (1, config(tmp_path)))
    with pytest.raises(ConfigError, match="could be reached from other computers"):
        check(wild)


def test_a_port_of_the_history_in_use_is_refused(tmp_path: Path, port: int) -> None:
    with pytest.raises(ConfigError, match=f"{LOCAL}:{port} is already in use, held by .* with 'history'"):
        check(config(tmp_path, history=f"{LOCAL}:{port}"))


def test_one_port_for_two_is_refused(tmp_path: Path) -> None:
    """Each by itself is free."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        endpoint = f"{LOCAL}:{holder.getsockname()[1]}"
    with pytest.raises(ConfigError, match=r"is already in use, .* with --publish"):
        check(config(tmp_path, control=endpoint, publish=endpoint))


def test_a_metrics_port_in_use_is_refused(tmp_path: Path, port: int) -> None:
    with pytest.raises(ConfigError, match=f"the metrics port {port} cannot be bound .* choose another with 'metrics'"):
        check(config(tmp_path, metrics=port))


TRIGGERED = RecordingConfig(mode=RecordingModeConfig(kind="triggered", triggers=("level",)))
LEVEL = TriggerConfig(name="level", when="level", channel="vm", level=-30, pre_s=1)


@pytest.mark.parametrize(
    ("triggers", "says"),
    [
        ((TriggerConfig(name="levle", when="hand", post_s=1),), r"\[recording.mode\] .* no trigger 'level'.*levle"),
        ((TriggerConfig(name="level", when="hand"),), "level only marks"),
    ],
)
def test_a_mode_that_no_recording_can_begin_with_is_refused(
    tmp_path: Path, triggers: tuple[TriggerConfig, ...], says: str
) -> None:
    """Its trigger has another name, or no window: each recording would be refused until somebody looks."""
    with pytest.raises(ConfigError, match=says):
        check(config(tmp_path, recording=TRIGGERED, triggers=triggers))


def test_a_mode_may_name_what_was_armed_by_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is kept in the data folder; where that cannot be read, this is said."""
    assert check(config(tmp_path, recording=TRIGGERED, triggers=(LEVEL,))) == 0
    save(tmp_path, SavedTriggers([LEVEL]))
    assert check(config(tmp_path, recording=TRIGGERED)) == 0
    (tmp_path / FILE_NAME).write_text("{")
    with pytest.raises(ConfigError, match="no trigger 'level'"):
        check(config(tmp_path, recording=TRIGGERED))
    assert f"triggers: {tmp_path / FILE_NAME}" in capsys.readouterr().out
