"""`spikedaq trigger`: what its options ask the daemon for, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.control_thread import ControlThread
from spikedaq.cli.main import main
from spikedaq.daemon.config_file import trigger_from
from spikedaq.model import CommandRejected


def entry(definition: dict[str, Any], **other: Any) -> dict[str, Any]:
    commands = {"done": 0, "failed": 0, "late": 0, "dropped": 0}
    known = {"state": "armed", "configured": False, "firings": 0, "suppressed": 0, "last": None, "problems": []}
    return {"name": definition["name"], "definition": definition, "commands": commands, **known, **other}


FULL = entry(
    {
        "name": "burst", "when": "spikes", "spikes": 5, "window_s": 0.1, "devices": ["alpha", "beta"], "pre_s": 60,
        "command": [{"do": "stop"}],
    },
    firings=7,
    commands={"done": 5, "failed": 2, "late": 0, "dropped": 0},
    problems=["beta: there is no channel 'vm'; there are: light"],
)  # fmt: skip
FIRED = {"trigger": "burst", "firings": 8, "device": "", "written": ["alpha"], "value": None}


class TriggerDaemon(ControlThread):
    """Answers as docs/reference/bus.md says, and remembers what it was asked, but for who it is."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.triggers = [FULL]
        self.keeps = False
        self.begin()

    async def answer(self, op: str, args: dict[str, Any], who: Any) -> Any:
        if op == "hello":
            return {"epoch": "e"}
        self.asked.append((op, args))
        if op == "trigger_list":
            return self.triggers
        if op == "trigger_fire":
            return FIRED
        if op == "trigger_disarm" and self.keeps:
            raise CommandRejected("not now", code="store")
        if op == "trigger_arm" and "trigger" in args:
            if args["trigger"].get("when") == "refused":
                raise CommandRejected("that cannot be", code="bad_arguments")
            return entry(args["trigger"])
        return FULL


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[TriggerDaemon]:
    scripted = TriggerDaemon()
    monkeypatch.setenv("SPIKEDAQ_URL", scripted.url)
    yield scripted
    scripted.close()


@pytest.mark.parametrize(
    ("options", "table"),
    [
        ("--level vm=-30", {"when": "level", "channel": "vm", "level": -30}),
        (
            "--level vm=-30.5 --edge either --hysteresis 2 --hold-off 0.5 --device alpha --device beta",
            {
                "when": "level", "channel": "vm", "level": -30.5, "edge": "either", "hysteresis": 2, "holdoff_s": 0.5,
                "devices": ["alpha", "beta"],
            },
        ),
        ("--spikes 5 --window 0.1", {"when": "spikes", "spikes": 5, "window_s": 0.1}),
        ("--rate 20 --window 1", {"when": "rate", "rate_hz": 20, "window_s": 1}),
        ("--stimulus", {"when": "stimulus"}),
        ("--event parameter --index 3", {"when": "event", "event": "parameter", "index": 3}),
        ("--event 77", {"when": "event", "event": 77}),
        (
            "--by-hand --pre 60 --post 0.5 --target alpha --target beta",
            {"when": "hand", "pre_s": 60, "post_s": 0.5, "targets": ["alpha", "beta"]},
        ),
        (
            "--by-hand --set i_clamp=1 --set rig.1.i_clamp=2 --set rig.1.noise_sd= --stop alpha --play beta --within 2",
            {
                "when": "hand", "within_s": 2,
                "command": [
                    {"do": "set", "device": "", "values": {"i_clamp": 1}},
                    {"do": "set", "device": "rig.1", "values": {"i_clamp": 2, "noise_sd": None}},
                    {"do": "stop", "device": "alpha"},
                    {"do": "play", "device": "beta"},
                ],
            },
        ),
    ],
)  # fmt: skip
def test_options_make_a_definition(daemon: TriggerDaemon, options: str, table: dict[str, Any]) -> None:
    """Each option is the key of a [[trigger]] that the daemon takes."""
    assert main(["trigger", "arm", "t", *options.split()]) == 0
    assert daemon.asked[-1] == ("trigger_arm", {"trigger": {"name": "t", **table}})
    trigger_from({"name": "t", **table}, source="x")


def test_a_name_alone_arms_again(daemon: TriggerDaemon) -> None:
    """Without a condition the daemon's own definition holds."""
    assert main(["trigger", "arm", "burst"]) == 0
    assert daemon.asked[-1] == ("trigger_arm", {"name": "burst"})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("t --edge rising", "a trigger needs a condition"),
        ("", "which trigger?"),
        ("t --file x.toml", "leave the others out"),
        ("--file /nowhere/x.toml", "/nowhere/x.toml cannot be read"),
    ],
)
def test_incomplete_arm(daemon: TriggerDaemon, capsys: pytest.CaptureFixture[str], arguments: str, words: str) -> None:
    """What is missing is said, and the daemon is not asked to arm anything."""
    assert main(["trigger", "arm", *arguments.split()]) == 1
    assert words in capsys.readouterr().err
    assert all(op != "trigger_arm" for op, _ in daemon.asked)


def test_a_file_is_armed_whole_or_not_at_all(
    daemon: TriggerDaemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where one is refused, those before it are taken back, but for what was there before."""
    path = tmp_path / "t.toml"
    path.write_text(
        "".join(f'[[trigger]]\nname = "{n}"\nwhen = "{w}"\n' for n, w in (("a", "hand"), ("b", "stimulus")))
    )
    assert main(["trigger", "arm", "--file", str(path), "--json"]) == 0
    assert [trigger["name"] for trigger in json.loads(capsys.readouterr().out)] == ["a", "b"]
    path.write_text(
        "".join(
            f'[[trigger]]\nname = "{n}"\nwhen = "{w}"\n'
            for n, w in (("burst", "hand"), ("a", "hand"), ("b", "refused"))
        )
    )
    daemon.asked.clear()
    assert main(["trigger", "arm", "--file", str(path)]) == 1
    assert "that cannot be" in capsys.readouterr().err
    disarmed = [args for op, args in daemon.asked if op == "trigger_disarm"]
    assert disarmed == [{"name": "a", "forget": True}]


@pytest.mark.parametrize("defined", ["otherwise", "alike"])
def test_a_disarmed_trigger_has_its_definition_back_where_the_file_is_refused(
    daemon: TriggerDaemon, tmp_path: Path, defined: str
) -> None:
    """It was redefined and armed by a trigger of the file that came before the refused one."""
    old = entry({"name": "a", "when": "hand" if defined == "alike" else "stimulus"}, state="disarmed")
    daemon.triggers = [FULL, old]
    path = tmp_path / "t.toml"
    path.write_text("".join(f'[[trigger]]\nname = "{n}"\nwhen = "{w}"\n' for n, w in (("a", "hand"), ("b", "refused"))))
    assert main(["trigger", "arm", "--file", str(path)]) == 1
    undone = daemon.asked[3:]
    disarm = ("trigger_disarm", {"name": "a"})
    assert undone == (
        [disarm] if defined == "alike" else [disarm, ("trigger_arm", {"trigger": old["definition"]}), disarm]
    )


def test_what_cannot_be_taken_back_is_named_beside_what_was_refused(
    daemon: TriggerDaemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The refusal itself is still told."""
    daemon.keeps = True
    path = tmp_path / "t.toml"
    path.write_text("".join(f'[[trigger]]\nname = "{n}"\nwhen = "{w}"\n' for n, w in (("a", "hand"), ("b", "refused"))))
    assert main(["trigger", "arm", "--file", str(path)]) == 1
    err = capsys.readouterr().err
    assert "that cannot be; what was armed before it could not all be taken back: a (not now)" in err


def test_disarm(daemon: TriggerDaemon) -> None:
    """By name; kept on the list unless told otherwise."""
    assert main(["trigger", "disarm", "burst"]) == 0
    assert main(["trigger", "disarm", "burst", "--forget"]) == 0
    assert [args["forget"] for _, args in daemon.asked] == [False, True]


def test_fire(daemon: TriggerDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    """It says where the firing was written."""
    assert main(["trigger", "fire", "burst"]) == 0
    assert capsys.readouterr().out == "burst fired (firing 8); written to alpha\n"
    assert main(["trigger", "fire", "burst", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == FIRED


def test_list(daemon: TriggerDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    """Conditions in words, counts, and what is wrong."""
    assert main(["trigger", "list"]) == 0
    out = capsys.readouterr().out
    for words in (
        "burst", "armed", "number of spikes in 0.1 s reaches 5", "alpha, beta", "-60 to 0 s", "7", "5 done, 2 failed",
        "burst: beta: there is no channel 'vm'; there are: light",
    ):  # fmt: skip
        assert words in out
    assert main(["trigger", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [FULL]
    daemon.triggers = []
    assert main(["trigger", "list"]) == 0
    assert "there are no triggers" in capsys.readouterr().out
