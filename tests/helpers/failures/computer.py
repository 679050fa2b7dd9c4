"""What can happen to the computer, and to the daemon itself."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import zmq

from harness import free_ports, history_pids, wait_for
from helpers.configured_daemon import START_S, ConfiguredDaemon
from helpers.failures.benches import SIM, bench
from helpers.failures.kinds import LIMIT_S, Failure, alarm, failure, was_refused

_SET_CLOCK = """
import os, time
_real, _path = time.time_ns, os.environ.get("TEST_UTC_STEP", "")
def _stepped():
    try:
        with open(_path) as file:
            return _real() + int(file.read() or 0)
    except OSError:
        return _real()
time.time_ns = _stepped
"""


@failure("date is set", "utc_stepped")
def date_set(tmp_path: Path) -> None:
    """The daemon's clock of the date is stepped by an hour, as a time server does to a computer without a battery."""
    (tmp_path / "sitecustomize.py").write_text(_SET_CLOCK)
    daemon = ConfiguredDaemon(tmp_path / "data", {"alpha": SIM})
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    daemon.environment = {"PYTHONPATH": os.pathsep.join(paths), "TEST_UTC_STEP": str(tmp_path / "step")}
    with daemon:
        daemon.running("alpha")
        daemon.call("record_start", session="s")
        at = time.monotonic()
        (tmp_path / "step").write_text(str(3600 * 10**9))
        alarm("date is set", daemon, at)
        daemon.call("record_stop")
        wait_for("the alarm to end", lambda: "utc_stepped" not in daemon.alarms())


@failure("daemon stands still", "daemon_late", since="when it goes on, 3 s later")
def daemon_stands_still(tmp_path: Path) -> None:
    with bench(tmp_path, config="[alarms]\nhold_s = 3\n") as daemon:
        daemon.running("alpha")
        os.kill(daemon.pid, signal.SIGSTOP)
        begin = time.monotonic()
        wait_for("three seconds", lambda: time.monotonic() > begin + 3)
        at = time.monotonic()
        os.kill(daemon.pid, signal.SIGCONT)
        alarm("daemon stands still", daemon, at)
        wait_for("it to end", lambda: "daemon_late" not in daemon.alarms())


@failure("viewer stops", "viewer_dropping", since="when its queue is full, which takes its time")
def viewer_stops(tmp_path: Path) -> None:
    """A subscriber that never reads. For a while the buffers on the way take all that comes, and nothing is lost."""
    with bench(tmp_path, top="metrics = 0", config="[alarms]\nhold_s = 3\n") as daemon:
        daemon.running("alpha")
        context = zmq.Context()
        viewer = context.socket(zmq.SUB)
        viewer.setsockopt(zmq.RCVHWM, 1)
        viewer.setsockopt(zmq.RCVBUF, 4096)
        viewer.connect(f"tcp://127.0.0.1:{daemon.publish_port}")
        viewer.subscribe(b"")
        try:
            wait_for("its queue to be full", lambda: daemon.metrics()["spikedaq_bus_viewer_drops_total"] > 0, 120)
            alarm("viewer stops", daemon, time.monotonic())
            wait_for(
                "it to stand although nothing is dropped anew", lambda: daemon.alarms()["viewer_dropping"]["age_s"] > 4
            )
        finally:
            context.destroy(linger=0)
        wait_for("it to end", lambda: "viewer_dropping" not in daemon.alarms())


@failure("history killed")
def history_killed(tmp_path: Path) -> None:
    """It is started again at once, and no alarm is raised: who fetches something then waits a moment longer."""
    with bench(tmp_path) as daemon:
        daemon.running("alpha")
        (pid,) = wait_for("its process", lambda: history_pids(daemon))
        endpoint = wait_for("its endpoint", lambda: daemon.call("hello")["history"])
        at = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait_for("another", lambda: history_pids(daemon) not in ([], [pid]))
        was_refused("history killed", time.monotonic() - at, "another runs")
        wait_for("it to be where it was", lambda: daemon.call("hello")["history"] == endpoint)
        wait_for("no alarm", lambda: "history_failed" not in daemon.alarms())


@failure("history dies each time", "history_failed")
def history_dies(tmp_path: Path) -> None:
    with bench(tmp_path) as daemon:
        daemon.running("alpha")
        wait_for("its endpoint", lambda: daemon.call("hello")["history"])
        ended = threading.Event()

        def kill_each() -> None:
            while not ended.is_set():
                for pid in history_pids(daemon):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                ended.wait(0.05)

        at = time.monotonic()
        killer = threading.Thread(target=kill_each)
        killer.start()
        try:
            alarm("history dies each time", daemon, at)
        finally:
            ended.set()
            killer.join()
        wait_for("the alarm to end", lambda: "history_failed" not in daemon.alarms(), 30)


@failure("log cannot be written", quick=True)
def log_full(tmp_path: Path) -> None:
    """With its log on a full disk the daemon goes on: it serves, and records."""
    daemon = ConfiguredDaemon(tmp_path / "data", {"alpha": SIM})
    daemon.log_path = Path("/dev/full")
    with daemon:
        daemon.running("alpha")
        begin = time.monotonic()
        assert daemon.call("record_start", session="s")["state"] == "recording"
        assert daemon.call("record_stop")["state"] == "complete"
        was_refused("log cannot be written", time.monotonic() - begin, "recorded all the same", limit_s=3 * LIMIT_S)
        assert daemon.stop() == 0


@failure("configuration refused on reload", "config_refused", quick=True)
def bad_reload(tmp_path: Path) -> None:
    with bench(tmp_path) as daemon:
        daemon.config = "[alarms]\nstaled_s = 1\n"
        daemon.write_config()
        at = time.monotonic()
        os.kill(daemon.pid, signal.SIGHUP)
        alarm("configuration refused on reload", daemon, at)
        assert "did you mean 'stalled_s'" in str(daemon.alarms()["config_refused"]["text"])
        daemon.config = "[alarms]\nstalled_s = 5\n"
        daemon.write_config()
        os.kill(daemon.pid, signal.SIGHUP)
        wait_for("the alarm to end", lambda: "config_refused" not in daemon.alarms())


@failure("alarm command fails", quick=True)
def bad_command(tmp_path: Path) -> None:
    """It is counted and logged, and the alarm stands all the same."""
    config = '[alarms]\ncommand = ["/nowhere/mail"]\n'
    with bench(tmp_path, {"alpha": f"serial:{tmp_path}/none"}, top="metrics = 0", config=config) as daemon:
        wait_for("the alarm", lambda: "device_lost" in daemon.alarms())
        at = time.monotonic()
        wait_for("the count", lambda: daemon.metrics()["spikedaq_alarm_command_failures_total"] == 1)
        assert "the alarm command failed" in daemon.log()
        was_refused("alarm command fails", time.monotonic() - at, "counted")


def not_startable(name: str, words: str, take: Callable[[ConfiguredDaemon, contextlib.ExitStack], None]) -> Failure:
    """What a daemon needs is in another's hands: it ends with 2 and says by whom or what to do."""

    def run(tmp_path: Path) -> None:
        daemon = ConfiguredDaemon(tmp_path / "data", {"alpha": SIM})
        with contextlib.ExitStack() as stack:
            take(daemon, stack)
            begin = time.monotonic()
            daemon.start(wait=False)
            assert daemon.process is not None
            assert daemon.process.wait(START_S) == 2, daemon.log()
            assert words in daemon.log()
            # Most of it is Python's own start, which a busy computer makes as long as it likes.
            was_refused(name, time.monotonic() - begin, "the start is refused", limit_s=START_S)

    return run


def take_port(port: int, stack: contextlib.ExitStack) -> None:
    stack.enter_context(socket.create_server(("127.0.0.1", port)))


def take_metrics(daemon: ConfiguredDaemon, stack: contextlib.ExitStack) -> None:
    port = free_ports(1)[0]
    take_port(port, stack)
    daemon.top = f"metrics = {port}"
    daemon.write_config()


def take_data(daemon: ConfiguredDaemon, stack: contextlib.ExitStack) -> None:
    stack.enter_context(ConfiguredDaemon(daemon.data, {}))


for about, said, take_ in (
    ("control port is taken", "already in use", lambda daemon, stack: take_port(daemon.control_port, stack)),
    ("publish port is taken", "already in use", lambda daemon, stack: take_port(daemon.publish_port, stack)),
    ("metrics port is taken", "choose another with 'metrics'", take_metrics),
    ("data folder is taken", "is already used by another spikedaqd", take_data),
):
    failure(about)(not_startable(about, said, take_))
