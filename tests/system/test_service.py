"""The daemon under a service manager: ready when it answers, alive while it works, and back where it was."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from harness import wait_for
from helpers.configured_daemon import ConfiguredDaemon
from helpers.fake_systemd import FakeSystemd
from spikedaq.store import find_files, open_recording


def test_a_service_is_ready_watched_and_resumes_its_session(tmp_path: Path) -> None:
    """Killed, and stuck: each time it is started again and goes on with the session, and no sample is missing."""
    daemon = ConfiguredDaemon(tmp_path / "data", {"alpha": "sim:alpha?param.i_clamp=15"})
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
        assert daemon.call("record_stop")["state"] == "complete"
    assert "STOPPING=1" in systemd.heard
    files = find_files(tmp_path / "data" / "recordings" / "s")
    assert sum(len(open_recording(path).samples()) for path in files) > 0


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
