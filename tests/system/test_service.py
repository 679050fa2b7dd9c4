"""The daemon under a service manager: ready when it answers, alive while it works, and back where it was."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import wait_for
from helpers.configured_daemon import ConfiguredDaemon
from helpers.damaging_proxy import DamagingProxy
from helpers.fake_systemd import FakeSystemd
from helpers.lasting_board import assert_recorded, board
from helpers.simulated_link import Channel


@pytest.mark.timeout(240)
def test_a_service_is_ready_watched_and_resumes_its_session(tmp_path: Path) -> None:
    """Killed, and stuck: each time it is started again and goes on with the session, and no sample is missing.

    The board is one that goes on meanwhile and remembers what it sent, as a real one does.
    """
    truth = tmp_path / "truth"
    with (
        board(truth, "--rate", "500", "--resend-depth", "4000", "--resend-bytes", "4000000") as port,
        DamagingProxy(port, Channel(1), Channel(2)) as proxy,
    ):
        daemon = ConfiguredDaemon(tmp_path / "data", {"alpha": proxy.url})
        with FakeSystemd(daemon, tmp_path, watchdog_s=6.0) as systemd:
            assert daemon.call("hello", timeout_s=5)["bench"] == "bench", "ready means that requests are answered"
            daemon.running("alpha")
            daemon.call("record_start", session="s")
            wait_for("signs of life", lambda: systemd.count("WATCHDOG=1") >= 3, 30)
            wait_for("a line for people", lambda: systemd.count("1 of 1 devices run, session s recording, no alarms"))
            assert systemd.aborts == 0

            os.kill(daemon.pid, signal.SIGKILL)
            wait_for("the second start", lambda: systemd.count("READY=1") == 2, 60)
            wait_for("the session to go on", lambda: daemon.call("record_status")["state"] == "recording", 60)

            os.kill(daemon.pid, signal.SIGSTOP)
            wait_for("the watchdog", lambda: systemd.aborts == 1, 60)
            wait_for("the third start", lambda: systemd.count("READY=1") == 3, 60)
            wait_for("the session to go on", lambda: daemon.call("record_status")["state"] == "recording", 60)

            os.kill(daemon.pid, signal.SIGHUP)
            wait_for("the reload", lambda: systemd.count("RELOADING=1") == 1 and systemd.count("READY=1") == 4)
            wait_for("samples of the third daemon", lambda: daemon.device("alpha")["samples"] > 0)
            link = daemon.device("alpha")["link"]
            assert link["frames_resent"] > 0, link
            assert link["frames_missing"] == 0, link
            assert daemon.call("record_stop")["state"] == "complete"
        assert "STOPPING=1" in systemd.heard
    assert_recorded(tmp_path / "data" / "recordings" / "s", truth, 6 * 500)


@pytest.fixture
def umask_of_the_unit() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask_of_the_unit")
def test_what_a_service_writes_is_its_users_and_his_groups(tmp_path: Path) -> None:
    """As docs/how-to/run-as-a-service.md has it: with UMask=0027 nobody else reads a recording or a journal."""
    daemon = ConfiguredDaemon(tmp_path / "data", {"alpha": "sim:alpha"})
    with daemon:
        daemon.running("alpha")
        daemon.call("record_start", session="s")
        daemon.call("record_stop")
        found = {path: path.stat().st_mode & 0o777 for path in (tmp_path / "data").rglob("*") if not path.is_socket()}
        kinds = {path.suffix for path in found}
        assert {".nwb", ".json", ".spj"} <= kinds
        assert {oct(mode) for path, mode in found.items() if path.is_file()} == {"0o640"}, found
        assert {oct(mode) for path, mode in found.items() if path.is_dir()} == {"0o750"}, found


def test_children_of_a_service_cannot_speak_for_it(tmp_path: Path) -> None:
    """Neither boards nor recorders inherit the socket of the service manager."""
    daemon = ConfiguredDaemon(tmp_path / "data", {"alpha": "sim:alpha"})
    with FakeSystemd(daemon, tmp_path, watchdog_s=30.0):
        daemon.running("alpha")
        daemon.call("record_start", session="s")
        found = 0
        for entry in Path("/proc").iterdir():
            try:
                if (
                    entry.name.isdigit()
                    and int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == daemon.pid
                ):
                    found += 1
                    assert b"NOTIFY_SOCKET" not in (entry / "environ").read_bytes()
            except OSError:
                continue
        assert found >= 2
