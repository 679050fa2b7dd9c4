"""The commands against a scripted daemon on a real control socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.control_thread import ControlThread
from spikedaq.bus import DeviceStatus, FileStatus, RecordingStatus, encode, status_header, topic_for
from spikedaq.cli.main import main
from spikedaq.model import CommandRejected
from spikedaq.outlet import Publisher

FILE = FileStatus("recording", file="/d/recordings/s/alpha/f.nwb", bytes=1000, samples=20000).to_map()
SESSION = RecordingStatus("s", "recording", "/d/recordings/s", devices={"alpha": FILE}).to_map()
ALPHA = DeviceStatus("alpha", "sim:alpha", "running", board="native", unique_id="ab12", rate_hz=1e4, free_bytes=10**10)
BETA = DeviceStatus("beta", "serial:/dev/ttyUSB9", "opening", detail="there is no /dev/ttyUSB9; plug the board in")
PARAMETER = {
    "name": "i_clamp", "unit": "a.u.", "type": "float", "minimum": -100.0, "maximum": 100.0, "default": 0.0,
    "value": 0.0, "holder": "knob", "read_only": False, "has_knob": True,
}  # fmt: skip

PORT = {"description": "USB Serial", "usb": "1a86:7523", "board": "", "unique_id": "", "device": "", "detail": ""}
USED = {**PORT, "url": "serial:/dev/ttyUSB0", "state": "used", "device": "alpha"}
REFUSED = {**PORT, "url": "serial:/dev/ttyUSB3", "state": "refused", "detail": "nothing answers on [it]"}
INPUT = {"name": "photodiode", "raw": 620, "value": 0.5, "unit": "V", "period_us": 500}


class ScriptedDaemon(ControlThread):
    """Answers as docs/reference/bus.md says, and remembers what it was asked, but for who it is."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.publisher = Publisher("tcp://127.0.0.1:0")
        self.devices = [{**status.to_map(), "name": status.device} for status in (ALPHA, BETA)]
        self.alarms: list[dict[str, Any]] = []
        self.begin()

    async def beside(self) -> None:
        n = 0
        while not self.end.is_set():
            for status in (ALPHA, BETA):
                topic = topic_for("b", status.device, "status")
                self.publisher.publish(topic, encode(topic, status_header(status, n=n, epoch="e", t_ns=n)))
            n += 1
            try:
                await asyncio.wait_for(self.end.wait(), 0.02)
            except TimeoutError:
                continue

    async def answer(self, op: str, args: dict[str, Any], who: Any) -> Any:
        if op != "hello":
            self.asked.append((op, args))
        if args.get("device") not in (None, "alpha", "beta"):
            raise CommandRejected(
                f"there is no device {args['device']!r}; there are alpha, beta", code="unknown_device"
            )
        common = {"bench": "b", "version": "1", "epoch": "e", "pid": 1, "data": "/d"}
        values: dict[str, Any] = {
            "hello": {**common, "publish": self.publisher.endpoint},
            "list": self.devices,
            "status": {
                **common, "uptime_s": 5.0, "free_bytes": 10**10, "devices": self.devices, "recording": SESSION,
                "alarms": self.alarms,
            },
            "describe": {"name": "alpha", "parameters": [PARAMETER]},
            "get": {"value": 15.0, "holder": "host"},
            "self_test": [INPUT],
            "ports": [USED, REFUSED],
            "lease_release": None,
            "name_device": {"unique_id": "ab12", "name": "left"},
            "reload": {"changes": ["[recording] roll_s: 3600.0 -> 10.0"]},
            "set": {"i_clamp": {"value": 15.0, "holder": "host"}},
            "start": {"first_step": 7},
            "record_start": SESSION,
            "record_stop": {**SESSION, "state": "complete"},
            "record_status": SESSION,
        }  # fmt: skip
        return values.get(op)

    def close(self) -> None:
        super().close()
        self.publisher.close()


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedDaemon]:
    daemon = ScriptedDaemon()
    monkeypatch.setenv("SPIKEDAQ_URL", daemon.url)
    monkeypatch.setenv("COLUMNS", "160")
    yield daemon
    daemon.close()


def test_devices_lists_them_with_what_is_wrong(daemon: ScriptedDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "alpha" in out
    assert "ab12" in out
    assert "beta: there is no /dev/ttyUSB9; plug the board in" in out
    assert "serial:/dev/ttyUSB3 USB Serial (1a86:7523): refused: nothing answers on [it]" in out
    assert "ttyUSB0" not in out


@pytest.mark.parametrize("command", ["devices", "status"])
def test_a_pipe_gets_no_blanks_behind_lines(
    daemon: ScriptedDaemon, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """A file of a status a minute would be mostly them: indented lines were filled up to 2,000 characters."""
    assert main([command]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 3
    assert [line for line in lines if line != line.rstrip()] == []


def test_rescan_rename_and_reload_ask_for_it(daemon: ScriptedDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    """Each asks the daemon, and says what became of it."""
    assert main(["devices", "--rescan"]) == 0
    assert [op for op, _ in daemon.asked] == ["rescan", "list", "ports"]
    capsys.readouterr()
    assert main(["rename", "alpha", "left"]) == 0
    assert daemon.asked[-1] == ("name_device", {"device": "alpha", "name": "left"})
    assert "board ab12 is called left now" in capsys.readouterr().out
    assert main(["rename", "alpha", "a/b"]) == 1
    assert "device name" in capsys.readouterr().err
    assert main(["reload"]) == 0
    assert capsys.readouterr().out == "[recording] roll_s: 3600.0 -> 10.0\n"


@pytest.mark.parametrize(
    "argv", [["devices"], ["status"], ["get", "alpha"], ["record", "status"], ["record", "start", "s"],
             ["selftest", "alpha"], ["reload"]]
)  # fmt: skip
def test_json_is_one_document(argv: list[str], daemon: ScriptedDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*argv, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)
    assert captured.err == ""


def test_status_shows_devices_recording_and_disk(daemon: ScriptedDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    out = capsys.readouterr().out
    for text in ("bench b", "alpha", "running", "10000 Hz", "10.0 GB", "session s: recording, in /d/recordings/s"):
        assert text in out


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_status_ends_with_3_while_an_alarm_stands(
    daemon: ScriptedDaemon, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """A script that asks every minute needs no more than the exit status (docs/reference/alarms.md)."""
    alarm = {"kind": "stream_stalled", "subject": "alpha", "text": "no samples for 2 s", "since_ns": 1, "age_s": 7.0}
    daemon.alarms = [alarm]
    assert main(["status", *options]) == 3
    out = capsys.readouterr().out
    assert json.loads(out)["alarms"] == [alarm] if options else "no samples for 2 s" in out
    daemon.alarms = []
    assert main(["status", *options]) == 0


def test_get_shows_values_and_names_what_it_does_not_know(
    daemon: ScriptedDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["get", "alpha", "i_clamp"]) == 0
    out = capsys.readouterr().out
    assert "15" in out
    assert "host" in out
    assert main(["get", "alpha", "i_clmp"]) == 1
    assert "did you mean 'i_clamp'?" in capsys.readouterr().err


def test_set_sends_all_values_at_once(daemon: ScriptedDaemon) -> None:
    assert main(["set", "alpha", "i_clamp=15", "preset=", "a=-0.5"]) == 0
    assert daemon.asked == [("set", {"device": "alpha", "values": {"i_clamp": 15.0, "preset": None, "a": -0.5}})]


def test_start_and_stop(daemon: ScriptedDaemon) -> None:
    assert main(["device", "start", "alpha"]) == 0
    assert main(["device", "stop", "beta"]) == 0
    assert daemon.asked == [("start", {"device": "alpha"}), ("stop", {"device": "beta"})]


def test_record_start_says_what_it_was_told(daemon: ScriptedDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["record", "start", "trial-1", "--device", "alpha", "--device", "beta", "--roll", "10", "--notes", "n"]
    argv += ["--end-after", "10min"]
    assert main(argv) == 0
    expected = {"session": "trial-1", "devices": ["alpha", "beta"], "folder": None, "mode": None}
    expected |= {"roll_s": 10.0, "roll_aligned": None, "notes": "n", "end_after_s": 600.0}
    assert daemon.asked == [("record_start", expected)]
    assert "/d/recordings/s/alpha/f.nwb" in capsys.readouterr().out


def test_record_stop_and_note(daemon: ScriptedDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["record", "stop"]) == 0
    assert "complete" in capsys.readouterr().out
    assert main(["note", "light on", "--device", "alpha"]) == 0
    assert daemon.asked[-1] == ("note", {"device": "alpha", "text": "light on"})


def test_a_refusal_is_one_line_on_stderr_and_exit_status_1(
    daemon: ScriptedDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["set", "gamma", "i_clamp=1"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "spikedaq: there is no device 'gamma'; there are alpha, beta\n"
    assert captured.out == ""


def test_watch_off_a_terminal_prints_lines(daemon: ScriptedDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "--seconds", "0.5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.isprintable() for line in lines)
    assert {line.split(":")[0] for line in lines} == {"alpha", "beta"}


def test_watch_as_json_prints_the_statuses(daemon: ScriptedDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "--seconds", "0.5", "--json"]) == 0
    headers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {header["device"] for header in headers} == {"alpha", "beta"}


def test_no_daemon_is_one_line_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPIKEDAQ_URL", "tcp://127.0.0.1:9")
    for argv in (["devices"], ["status"], ["watch"], ["record", "stop"], ["set", "alpha", "a=1"]):
        assert main(argv) == 1
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 1
        assert "no spikedaqd answers at tcp://127.0.0.1:9" in err
        assert "spikedaqd --device NAME=URL --data DIR" in err


def test_selftest_prints_a_line_per_input(daemon: ScriptedDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selftest", "alpha"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == ["photodiode", "620", "0.500", "V"]
    assert ("self_test", {"device": "alpha"}) in daemon.asked
    assert main(["selftest", "gamma"]) == 1
    assert "there is no device 'gamma'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["set", "alpha", "i_clamp=15"], {"i_clamp": {"value": 15.0, "holder": "host"}}),
        (["device", "start", "alpha"], {"first_step": 7}),
        (["rename", "alpha", "left"], {"unique_id": "ab12", "name": "left"}),
        (["lease", "release", "alpha"], {"device": "alpha"}),
        (["lease", "release"], {"device": None}),
    ],
)
def test_what_changes_something_says_so_as_json(
    daemon: ScriptedDaemon, capsys: pytest.CaptureFixture[str], argv: list[str], expected: dict[str, Any]
) -> None:
    """One document, and nothing else, on stdout."""
    assert main([*argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == expected


def test_keys_say_what_they_did_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Public halves and files only: no secret is printed."""

    def said(*argv: str) -> dict[str, Any]:
        assert main(["keys", *argv, "--folder", str(tmp_path / "keys"), "--json"]) == 0
        return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]

    daemon = said("new", "--daemon")
    assert daemon["file"] == str(tmp_path / "keys" / "daemon.key")
    anna = said("new", "anna", "--out", str(tmp_path / "anna.key"))
    assert anna.keys() == {"file", "name", "public"}
    allowed = {"name": "anna", "role": "observer", "public": anna["public"], "file": None}
    assert said("allow", "anna", anna["public"]) == allowed
    ben = said("allow", "ben", "--new", str(tmp_path / "ben.key"), "--role", "controller")
    assert (ben["role"], ben["file"]) == ("controller", str(tmp_path / "ben.key"))
    assert said("revoke", "anna") == {"name": "anna"}
    assert [key["public"] for key in said("list")["keys"]] == [ben["public"]]


def test_pin_says_what_it_did_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for arguments, pinned in (([], True), (["--remove"], False)):
        assert main(["pin", str(tmp_path), *arguments, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["path"], said["pinned"]) == (str(tmp_path), pinned)
