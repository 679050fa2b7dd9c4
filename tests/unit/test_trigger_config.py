"""A trigger's table: what it means, and what is refused with which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import fields

from spikedaq.daemon import load_config
from spikedaq.daemon.config_file import config_from, trigger_from
from spikedaq.daemon.trigger_config import TriggerConfig, condition_of
from spikedaq.model import ConfigError, EventKind
from spikedaq.trigger import Condition, Edge, Level, OnEvent, SpikeCount, StimulusStart

FILE = """
[[trigger]]
name = "burst"
when = "spikes"
devices = ["alpha"]
spikes = 5
window_s = 0.1
holdoff_s = 2
pre_s = 60
post_s = 1.5
targets = ["alpha", "beta"]
  [[trigger.command]]
  do = "set"
  device = "beta"
  values = { i_clamp = 15, noise_sd = 0.5 }
  [[trigger.command]]
  do = "play"
  loop = true
[[trigger]]
name = "mark"
when = "hand"
"""


def test_everything_can_be_said(tmp_path: Path) -> None:
    """Each key of the file arrives, and is given back in the form it was written in."""
    path = tmp_path / "spikedaq.toml"
    path.write_text(FILE)
    burst, mark = load_config(path).triggers
    assert (burst.holdoff_s, burst.window_us, burst.targets) == (2, (60_000_000, 1_500_000), ("alpha", "beta"))
    assert [c.do for c in burst.commands] == ["set", "play"]
    assert burst.commands[0].values == {"i_clamp": 15, "noise_sd": 0.5}
    assert mark.to_map() == {"name": "mark", "when": "hand"}
    assert trigger_from(burst.to_map(), source="x") == burst


def test_the_configuration_names_what_holds_by_default(tmp_path: Path) -> None:
    """Who opens a file years later need not know which defaults there were; read back, it is the same configuration."""
    path = tmp_path / "spikedaq.toml"
    path.write_text(FILE)
    config = load_config(path)
    burst, mark = config.to_json()["trigger"]
    assert config.triggers[0].to_full_map() == burst
    assert set(burst) == set(mark) == {info.encode_name for info in fields(TriggerConfig)}
    assert (mark["holdoff_s"], mark["edge"], mark["within_s"], mark["pre_s"]) == (0.001, "rising", 1.0, 0.0)
    assert burst["command"][1] == {"do": "play", "device": "", "values": None, "rows": None, "loop": True}
    assert config_from(json.loads(json.dumps(config.to_json())), source="x", base=tmp_path) == config


@pytest.mark.parametrize(
    ("values", "condition"),
    [
        ({"when": "level", "channel": "vm", "level": -30}, Level("vm", -30)),
        (
            {"when": "level", "channel": "vm", "level": 0, "edge": "either", "hysteresis": 2},
            Level("vm", 0, Edge.EITHER, 2),
        ),
        ({"when": "spikes", "spikes": 3, "window_s": 0.0333}, SpikeCount(3, 33_300)),
        # 20 spikes per second are reached with 2 in 0.1 s, and 20.1 with 3.
        ({"when": "rate", "rate_hz": 20, "window_s": 0.1}, SpikeCount(2, 100_000, as_rate=True)),
        ({"when": "rate", "rate_hz": 20.1, "window_s": 0.1}, SpikeCount(3, 100_000, as_rate=True)),
        (
            {"when": "rate", "rate_hz": 0.5, "window_s": 1, "edge": "falling"},
            SpikeCount(1, 1_000_000, Edge.FALLING, as_rate=True),
        ),
        ({"when": "stimulus"}, StimulusStart()),
        ({"when": "event", "event": "parameter", "index": 4}, OnEvent(EventKind.PARAMETER, 4)),
        ({"when": "event", "event": "any"}, OnEvent()),
        ({"when": "event", "event": 77}, OnEvent(77)),
        ({"when": "hand"}, None),
    ],
)
def test_conditions(values: dict[str, Any], condition: Condition | None) -> None:
    """What each table waits for."""
    assert condition_of(trigger_from({"name": "t", **values}, source="x")) == condition


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"when": "levl"}, "'when' in x cannot be 'levl'; did you mean 'level'?"),
        ({"when": "level", "channel": "vm"}, "trigger 't' waits for 'level', so it needs 'level'"),
        ({"when": "hand", "spikes": 3}, "'spikes' means nothing; leave it out"),
        ({"when": "level", "channel": "vm", "level": float("nan")}, "'level' in x"),
        ({"when": "spikes", "spikes": 0, "window_s": 1}, "'spikes' in x must be at least 1"),
        ({"when": "rate", "rate_hz": 1e6, "window_s": 3600}, "asks for 3600000000 spikes"),
        ({"when": "event", "event": "spke"}, "a device has no event 'spke'; there are spike, trigger,"),
        ({"when": "hand", "pre_s": -1}, "'pre_s' in x must be at least 0"),
        ({"when": "hand", "pre": 1}, "unknown key 'pre' in x; did you mean 'pre_s'?"),
        ({"when": "hand", "holdoff_s": 0}, "'holdoff_s' in x must be at least 0.001"),
        ({"when": "hand", "devices": "alpha"}, "'devices' in x must be a list"),
        ({"when": "hand", "command": {"do": "stop"}}, "write [[command]]"),
        ({"when": "hand", "command": [{"do": "set"}]}, "the command 'set' needs 'values'"),
        ({"when": "hand", "command": [{"do": "stop", "rows": [1]}]}, "the command 'stop' takes no 'rows'"),
        ({"when": "hand", "command": [{"do": "stop", "loop": True}]}, "takes no 'loop'"),
        ({"when": "hand", "command": [{"do": "stop", "device": "*"}]}, "the command 'stop' names no one device"),
        ({"when": "hand", "command": [{"do": "set", "values": {"a": "b"}}]}, "'values' in x, command 1 must be a num"),
        ({"when": "hand", "command": [{"do": "stimulus", "rows": [0] * 100_001}]}, "may have at most 100000 entries"),
        ({"when": "hand", "command": [{"do": "stop"}] * 17}, "may have at most 16 entries"),
        ({"name": "a/b", "when": "hand"}, "the trigger name 'a/b' has '/' in it"),
        ({"when": "hand", "name": 3}, "'name' in x must be a text"),
    ],
)
def test_mistakes_are_named(values: dict[str, Any], words: str) -> None:
    """A trigger that cannot be meant is refused, naming the place and the remedy."""
    with pytest.raises(ConfigError) as caught:
        trigger_from({"name": "t", **values}, source="x")
    assert words in str(caught.value)


def test_two_of_one_name(tmp_path: Path) -> None:
    """A name stands for one trigger."""
    path = tmp_path / "spikedaq.toml"
    path.write_text(FILE + '[[trigger]]\nname = "burst"\nwhen = "hand"\n')
    with pytest.raises(ConfigError, match="two triggers are called 'burst'"):
        load_config(path)
