"""The unit files that `spikedaq service` makes; systemd itself looks them over where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from spikedaq.cli.main import main
from spikedaq.cli.service_unit import ServiceSetup, unit_text


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "spikedaq.toml"
    path.write_text('bench = "lab"\ndata = "week one"\n')
    return path


def system_unit(config: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["service", "show", "--config", str(config), "--run-as", "root", *options]) == 0
    return capsys.readouterr().out


def test_the_unit_says_what_systemd_must_know(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = system_unit(config, capsys).splitlines()
    for line in (
        "Type=notify", "WatchdogSec=30", "Restart=on-failure", "StartLimitIntervalSec=0", "RestartPreventExitStatus=2",
        "KillMode=mixed", "User=root", "SupplementaryGroups=dialout", "NoNewPrivileges=yes", "ProtectSystem=strict",
        "UMask=0027",
        f'ReadWritePaths="{config.parent}/week one"', "WantedBy=multi-user.target",
    ):  # fmt: skip
        assert line in lines
    (start,) = [line for line in lines if line.startswith("ExecStart=/")]
    assert start.endswith(f" --config {config}")


def test_a_user_unit_asks_for_no_rights(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unit = system_unit(config, capsys, "--user")
    assert "WantedBy=default.target" in unit
    assert "UMask=0027" in unit, "as the page says, for both kinds"
    for key in ("User=", "ProtectSystem", "Nice=", "CapabilityBoundingSet"):
        assert key not in unit


def test_root_says_as_whom_the_service_runs(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell of root without sudo names nobody: no service with all rights is made unasked, nor its folder."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    asked = ["--config", str(config)]
    for sudo_user in (None, "root"):
        monkeypatch.delenv("SUDO_USER", raising=False)
        if sudo_user:
            monkeypatch.setenv("SUDO_USER", sudo_user)
        for action in ("show", "install"):
            assert main(["service", action, *asked]) == 1
            said = capsys.readouterr()
            assert "name a user with --run-as NAME" in said.err
            assert "User=" not in said.out
    assert not (config.parent / "week one").exists()
    assert "User=root" in system_unit(config, capsys).splitlines(), "who asks for it gets it"
    assert main(["service", "show", "--user", *asked]) == 0, "one's own systemd gives no rights"
    capsys.readouterr()
    monkeypatch.setenv("SUDO_USER", "pi")
    assert main(["service", "show", *asked]) == 0
    assert "User=pi" in capsys.readouterr().out.splitlines()


def test_sockets_in_tmp_stay_reachable(tmp_path: Path) -> None:
    setup = ServiceSetup(False, "root", tmp_path / "c.toml", [tmp_path])
    assert "PrivateTmp=yes" in unit_text(setup)
    assert "PrivateTmp" not in unit_text(ServiceSetup(False, "root", tmp_path / "c.toml", [tmp_path], shares_tmp=True))


@pytest.mark.parametrize("odd", ["a b", "100%", 'quo"te', "back\\slash"])
@pytest.mark.parametrize("kind", ["--user", "--writable=/tmp"])
def test_systemd_finds_nothing_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str], odd: str, kind: str) -> None:
    """`systemd-analyze verify`, with folder names that need quoting."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    folder = tmp_path / odd
    folder.mkdir()
    (folder / "spikedaq.toml").touch()
    unit = tmp_path / "spikedaqd.service"
    unit.write_text(system_unit(folder / "spikedaq.toml", capsys, kind))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_install_for_a_user_says_what_is_next_and_replaces_nothing_unasked(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    install = ["service", "install", "--user", "--config", str(config)]
    assert main(install) == 0
    said = capsys.readouterr().out
    unit = tmp_path / "home" / "systemd" / "user" / "spikedaqd.service"
    assert str(unit) in said and "systemctl --user enable --now spikedaqd" in said and "enable-linger" in said
    assert (config.parent / "week one").is_dir()
    assert main(install) == 0, "the same again is fine"
    unit.write_text("mine")
    assert main(install) == 1
    assert "replace it with --force" in capsys.readouterr().err
    assert unit.read_text() == "mine"
    assert main([*install, "--force"]) == 0
    assert "Type=notify" in unit.read_text()


def test_a_missing_or_wrong_configuration_is_refused_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["service", "show", "--config", str(tmp_path / "none.toml")]) == 1
    assert "does not exist" in capsys.readouterr().err
    (tmp_path / "bad.toml").write_text("bensh = 1\n")
    assert main(["service", "install", "--user", "--config", str(tmp_path / "bad.toml")]) == 1
    assert "did you mean 'bench'" in capsys.readouterr().err
