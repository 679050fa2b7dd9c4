"""A daemon to which something is done, and its recording, which must go on afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from harness import recorder_pids, wait_for
from helpers.configured_daemon import ConfiguredDaemon

SIM = "sim:alpha?param.i_clamp=15"


@contextlib.contextmanager
def bench(tmp_path: Path, devices: dict[str, str] | None = None, **config: str) -> Iterator[ConfiguredDaemon]:
    """A running daemon; at its end it must be in order, whatever was done to it."""
    daemon = ConfiguredDaemon(tmp_path / "data", devices or {"alpha": SIM}, **config)
    with daemon:
        yield daemon
        assert daemon.process is not None and daemon.process.poll() is None, daemon.log()[-3000:]
        assert "Traceback" not in daemon.log()


@contextlib.contextmanager
def recording(tmp_path: Path, **config: str) -> Iterator[tuple[ConfiguredDaemon, Path]]:
    """A daemon that records; at the end of the failure its file must grow again."""
    with bench(tmp_path, **config) as daemon:
        daemon.running("alpha")
        daemon.call("record_start", session="s")
        folder = tmp_path / "data" / "recordings" / "s"
        wait_for("a second of it", lambda: rows(daemon) > 10_000)
        yield daemon, folder


def rows(daemon: ConfiguredDaemon) -> int:
    return int(daemon.call("record_status")["devices"]["alpha"]["rows_on_disk"])


def shown(daemon: ConfiguredDaemon) -> str:
    return str(daemon.call("record_status")["state"])


def grows_again(daemon: ConfiguredDaemon, *kinds: str) -> None:
    """Nothing says recording before the file grows; then the alarms end by themselves."""
    wait_for("the file to grow again", lambda: shown(daemon) == "recording", 40)
    before = rows(daemon)
    wait_for("more rows", lambda: rows(daemon) > before)
    wait_for("the alarms to end", lambda: not set(kinds) & set(daemon.alarms()), 40)


def recorder_pid(folder: Path) -> int:
    return int(wait_for("the recorder", lambda: recorder_pids(folder))[0])


def reload(daemon: ConfiguredDaemon) -> None:
    """Have the daemon read its configuration as it is now."""
    daemon.write_config()
    os.kill(daemon.pid, signal.SIGHUP)
