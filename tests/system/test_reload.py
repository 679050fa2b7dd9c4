"""Reloading spikedaq.toml: devices come, go and are renamed beside others that notice nothing; or nothing happens."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import DaemonProcess, wait_for
from spikedaq.model import CommandRejected
from spikedaq.store import find_files, open_recording

HEAD = """
bench = "lab"
control = "{control}"
publish = "tcp://127.0.0.1:{publish}"
data = "data"
"""
ALPHA = '[[device]]\nname = "alpha"\nurl = "sim:alpha?preset=0&param.i_clamp=15"\n'
BETA = '[[device]]\nname = "beta"\nurl = "sim:beta"\n'


class Configured(DaemonProcess):
    """A daemon that has all it knows from a file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "data", {}, bench="lab")
        self.path = folder / "spikedaq.toml"

    def arguments(self) -> list[str]:
        return ["--config", str(self.path)]

    def write(self, text: str) -> None:
        self.path.write_text(HEAD.format(control=self.url, publish=self.publish_port) + text)

    def reload(self, text: str) -> list[str]:
        self.write(text)
        return self.call("reload")["changes"]  # type: ignore[index]

    def entry(self, name: str) -> dict[str, Any]:
        return next(e for e in self.call("status")["devices"] if e["name"] == name)  # type: ignore[index]

    def names(self) -> list[str]:
        return [e["name"] for e in self.call("list")]  # type: ignore[union-attr]

    def runs(self, *names: str) -> None:
        for name in names:
            wait_for(f"{name} to run", lambda name=name: self.entry(name)["state"] == "running")


@pytest.fixture
def daemon(tmp_path: Path) -> Configured:
    return Configured(tmp_path)


def test_devices_come_go_and_are_renamed_beside_one_that_notices_nothing(daemon: Configured) -> None:
    """Every change of a device list, while another device's stream has no gap, no reconnect and no new link."""
    daemon.write(ALPHA + BETA)
    with daemon:
        daemon.runs("alpha", "beta")
        link = daemon.entry("alpha")["link_bytes"]
        assert daemon.reload(ALPHA) == ["device beta is removed"]
        assert daemon.names() == ["alpha"]
        assert daemon.reload(ALPHA + BETA) == ["device beta is added (sim:beta)"]
        daemon.runs("beta")
        assert daemon.reload(ALPHA + BETA.replace('name = "beta"', 'name = "gamma"')) == [
            "device beta is called gamma now"
        ]
        daemon.runs("gamma")
        assert daemon.names() == ["alpha", "gamma"]
        more = BETA.replace('name = "beta"', 'name = "gamma"').replace("sim:beta", "sim:gamma?preset=3")
        assert daemon.reload(ALPHA + more) == ["device gamma is sim:gamma?preset=3 now"]
        daemon.runs("gamma")
        assert daemon.call("get", device="gamma", name="preset")["value"] == 3  # type: ignore[index]
        assert daemon.reload(ALPHA + more) == []
        alpha = daemon.entry("alpha")
        assert alpha["link_bytes"] > link
        assert (alpha["gaps"], alpha["reconnects"]) == ({"lost": 0, "overrun": 0, "dropped": 0}, 0)
        assert daemon.stop() == 0


def test_parameters_are_set_at_each_connection_and_by_a_reload(daemon: Configured) -> None:
    """What the file says is set before the first sample, after a reboot again, and anew when the file changes."""
    daemon.write(ALPHA + "parameters = { preset = 2, i_clamp = 7.5, no_such = 1 }\n")
    with daemon:
        daemon.runs("alpha")
        assert "no_such" in daemon.entry("alpha")["detail"]

        def value(name: str) -> float:
            return daemon.call("get", device="alpha", name=name)["value"]  # type: ignore[index]

        assert (value("preset"), value("i_clamp")) == (2, 7.5)
        boot = daemon.entry("alpha")["boot"]
        daemon.call("reset", device="alpha", scope="reboot")
        wait_for("the new boot", lambda: daemon.entry("alpha")["boot"] not in (boot, None))
        daemon.runs("alpha")
        assert (value("preset"), value("i_clamp")) == (2, 7.5)
        assert daemon.reload(ALPHA + "parameters = { preset = 2, i_clamp = 9 }\n") == [
            "device alpha has other settings"
        ]
        assert value("i_clamp") == 9
        with pytest.raises(CommandRejected, match="i_clamp of alpha cannot be 1000000"):
            daemon.reload(ALPHA + "parameters = { i_clamp = 1e6 }\n")
        assert value("i_clamp") == 9
        assert daemon.stop() == 0


def test_what_cannot_be_taken_up_changes_nothing(daemon: Configured) -> None:
    """A broken file, an unknown key, a key that needs a restart, a device being recorded: told, and all stays."""
    daemon.write(ALPHA + BETA)
    with daemon:
        daemon.runs("alpha", "beta")
        before = daemon.call("configuration")
        daemon.call("record_start", session="one", devices=["alpha"], timeout_s=30)
        for text, words in (
            (ALPHA + "[[device", "is not TOML"),
            ("rol_s = 3\n" + ALPHA, "unknown key 'rol_s'"),
            (ALPHA + BETA + '[recording]\nroll_s = 5\n[[device]]\nname="c"\nurl="usb:1"', "no known scheme"),
            ("[journal]\nring_bytes = 1\n" + BETA, "alpha cannot be changed: it is being recorded"),
            (BETA + ALPHA.replace('"alpha"', '"anna"'), "alpha cannot be changed: it is being recorded"),
        ):
            with pytest.raises(CommandRejected, match=words.replace("[", "\\[")):
                daemon.reload(text)
            assert daemon.call("configuration") == before
        daemon.write(ALPHA)
        daemon.path.write_text(daemon.path.read_text().replace('bench = "lab"', 'bench = "other"'))
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("the refusal in the log", lambda: "configuration not reloaded" in daemon.log())
        assert "bench: 'lab' -> 'other'" in daemon.log()
        assert daemon.call("configuration") == before
        assert daemon.names() == ["alpha", "beta"]
        daemon.call("record_stop", timeout_s=60)
        daemon.path.unlink()
        with pytest.raises(CommandRejected, match="cannot be read"):
            daemon.call("reload")
        assert daemon.stop() == 0


def test_a_reload_shows_in_the_files(daemon: Configured) -> None:
    """A session holds the configuration it began with and a note of the reload; the next one the new configuration."""
    daemon.write(ALPHA + "record = false\n" + BETA)
    with daemon:
        daemon.runs("alpha", "beta")
        daemon.call("record_start", session="one", timeout_s=30)
        daemon.write(ALPHA + BETA + '[recording]\nroll_s = 77\nexperimenter = "Doe, Jane"\n')
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: daemon.call("configuration")["recording"]["roll_s"] == 77)  # type: ignore[index]
        daemon.call("record_stop", timeout_s=60)
        daemon.call("record_start", session="two", timeout_s=30)
        daemon.call("record_stop", timeout_s=60)
        assert daemon.stop() == 0
    recordings = daemon.data / "recordings"
    assert [path.parent.name for path in find_files(recordings / "one")] == ["beta"]
    with open_recording(find_files(recordings / "one")[0]) as file:
        assert (file.config["recording"]["roll_s"], file.config["device"][0]["record"]) == (3600.0, False)
        assert [n.text for n in file.notes if n.origin == "SIGHUP"] == [
            "configuration reloaded: [recording] roll_s: 3600.0 -> 77.0; [recording] experimenter: nothing -> "
            "'Doe, Jane'; device alpha has other settings"
        ]
    assert [path.parent.name for path in find_files(recordings / "two")] == ["alpha", "beta"]
    with open_recording(find_files(recordings / "two")[0]) as file:
        assert (file.config["recording"]["roll_s"], file.config["device"][0]["record"]) == (77.0, True)


def test_those_who_keep_keys_of_their_own_are_told(daemon: Configured, tmp_path: Path) -> None:
    """What the parts make of each key is in tests/unit/test_reload_effects.py; here, that the daemon tells them."""
    told = tmp_path / "told"
    daemon.write(ALPHA)
    with daemon:
        daemon.reload(ALPHA + f'[disk]\nlow_bytes = {2**62}\n[alarms]\ncommand = ["touch", "{told}"]\n')
        wait_for("the alarm command", told.exists)
        assert daemon.stop() == 0


def test_a_start_that_asks_for_a_schedule_is_in_the_files(daemon: Configured) -> None:
    """Beside the configuration, which says continuous; with the trigger that somebody armed."""
    daemon.write(ALPHA)
    with daemon:
        daemon.runs("alpha")
        daemon.call("trigger_arm", trigger={"name": "mine", "when": "stimulus"})
        mode = {"kind": "scheduled", "every_s": 2, "for_s": 1}
        daemon.call("record_start", session="one", mode=mode, roll_s=20.0, timeout_s=30)
        files = daemon.data / "recordings"
        wait_for("a file", lambda: find_files(files / "one"))
        daemon.call("record_stop", timeout_s=60)
        assert daemon.stop() == 0
    with open_recording(find_files(files / "one")[0]) as file:
        assert file.config["recording"]["mode"]["kind"] == "continuous"
        said = file.meta.recording
        assert (said["mode"]["kind"], said["mode"]["every_s"], said["roll"]["seconds"]) == ("scheduled", 2, 20.0)
        assert [(trigger["name"], trigger["edge"]) for trigger in said["triggers"]] == [("mine", "rising")]


def test_without_a_file_there_is_nothing_to_reload(tmp_path: Path) -> None:
    """A daemon from the command line alone says so, and a SIGHUP does not end it."""
    with DaemonProcess(tmp_path / "data", {"alpha": "sim:alpha"}) as daemon:
        with pytest.raises(CommandRejected, match="without a configuration file"):
            daemon.call("reload")
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("the answer in the log", lambda: "configuration not reloaded" in daemon.log())
        assert daemon.stop() == 0


def test_check_says_what_a_reload_would_do(daemon: Configured, tmp_path: Path) -> None:
    """Beside a running daemon --check compares; it changes nothing, and tells what needs a restart."""

    def check() -> str:
        command = [sys.executable, "-m", "spikedaq.cli.daemon", "--config", str(daemon.path), "--check"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    daemon.write(ALPHA + BETA)
    assert "a reload" not in check()
    with daemon:
        assert check().splitlines()[-2:][0].endswith("a reload would change:")
        assert check().splitlines()[-1] == "  nothing"
        daemon.write("metrics = 0\n" + ALPHA + "[recording]\nroll_s = 9\n")
        said = check()
        assert "  [recording] roll_s: 3600.0 -> 9.0\n  device beta is removed\n" in said
        assert "but is refused, because these need a restart:\n  metrics: nothing -> 0\n" in said
        assert daemon.names() == ["alpha", "beta"]
        assert daemon.stop() == 0
