"""Kinds of failure, injected into real processes: each is told by its alarm, or refused, within two seconds.

Printed is, for each, the time from the failure until the daemon raised the alarm. Where the daemon cannot know at once
(a board that keeps silent may have long blocks; a viewer that stopped has buffers that fill first), it counts from when
it could. ``SPIKEDAQ_SLACK`` multiplies the two seconds for a computer that is busy otherwise.
``SPIKEDAQ_FAILURES=all`` runs every kind, otherwise those run that are marked as quick.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq

from harness import free_ports, recorder_pids, wait_for
from helpers.configured_daemon import ConfiguredDaemon
from helpers.faulty_device import FaultyDevice
from helpers.small_disk import small_disk
from spikedaq.link import find_device_program
from spikedaq.model import CommandError

LIMIT_S = 2.0 * float(os.environ.get("SPIKEDAQ_SLACK", "1"))
SIM = "sim:alpha?param.i_clamp=15"
Failure = Callable[[Path], None]


@dataclass(frozen=True)
class Kind:
    name: str
    run: Failure
    quick: bool


KINDS: list[Kind] = []


def failure(name: str, *, quick: bool = False) -> Callable[[Failure], Failure]:
    def add(run: Failure) -> Failure:
        KINDS.append(Kind(name, run, quick))
        return run

    return add


def told(name: str, seconds: float, what: str) -> None:
    print(f"1 x {name}: {what} after {seconds:.2f} s")
    assert seconds <= LIMIT_S, f"{name}: {what} took {seconds:.2f} s"


def refused(name: str, daemon: ConfiguredDaemon, words: str, op: str, **args: object) -> None:
    """A request that cannot be done says so: never ok without its effect."""
    begin = time.monotonic()
    with pytest.raises(CommandError, match=words):
        daemon.call(op, **args)
    print(f"1 x {name}: refused after {time.monotonic() - begin:.2f} s")


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


def limit_file_size(pid: int, n_bytes: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (n_bytes, resource.RLIM_INFINITY))


# ---- boards ----


@failure("board unplugged", quick=True)
def unplugged(tmp_path: Path) -> None:
    path = tmp_path / "tty"
    with FaultyDevice(path, "alpha") as board, bench(tmp_path, {"alpha": f"pty:{path}"}) as daemon:
        daemon.running()
        at = board.do("unplug 4", "unplug")
        told("board unplugged", *daemon.alarm_after(("device_lost",), at.time_s))
        refused("set on an unplugged board", daemon, "takes no commands", "set", device="alpha", values={"i_clamp": 1})
        refused("record an unplugged board", daemon, "cannot be recorded|cannot record", "record_start", session="s")
        wait_for("it to be back", lambda: "device_lost" not in daemon.alarms(), 30)


@failure("samples missing for good")
def gaps(tmp_path: Path) -> None:
    """Longer away than the board's memory lasts: told as soon as it is back and its first block shows the gap."""
    path = tmp_path / "tty"
    with FaultyDevice(path, "alpha") as board, bench(tmp_path, {"alpha": f"pty:{path}"}) as daemon:
        daemon.running()
        board.do("unplug 3", "unplug")
        wait_for("the gap to be counted", lambda: daemon.device("alpha")["gaps"]["lost"] > 0, 30)
        told("samples missing for good", *daemon.alarm_after(("gap_rate",), time.monotonic()))
        wait_for("the alarm to end", lambda: "gap_rate" not in daemon.alarms(), 30)


@failure("board's program killed")
def board_killed(tmp_path: Path) -> None:
    path = tmp_path / "tty"
    with FaultyDevice(path, "alpha") as board, bench(tmp_path, {"alpha": f"pty:{path}"}) as daemon:
        daemon.running()
        at = time.monotonic()
        board.process.kill()
        told("board's program killed", *daemon.alarm_after(("device_lost",), at))


@failure("board stops", quick=True)
def board_stops(tmp_path: Path) -> None:
    path = tmp_path / "tty"
    with FaultyDevice(path, "alpha") as board, bench(tmp_path, {"alpha": f"pty:{path}"}) as daemon:
        daemon.running()
        at = time.monotonic()
        board.process.send_signal(signal.SIGSTOP)
        told("board stops", *daemon.alarm_after(("stream_stalled",), at))
        refused(
            "set on a board that stands still", daemon, "answer|takes no", "set", device="alpha", values={"i_clamp": 1}
        )
        board.process.send_signal(signal.SIGCONT)
        wait_for("it to stream again", lambda: not {"stream_stalled", "device_lost"} & set(daemon.alarms()), 30)


@failure("link stalls")
def link_stalls(tmp_path: Path) -> None:
    path = tmp_path / "tty"
    with FaultyDevice(path, "alpha") as board, bench(tmp_path, {"alpha": f"pty:{path}"}) as daemon:
        daemon.running()
        at = board.do("stall 4", "stall")
        told("link stalls", *daemon.alarm_after(("stream_stalled",), at.time_s))
        wait_for("it to end", lambda: "stream_stalled" not in daemon.alarms(), 30)


@failure("wrong board while recording", quick=True)
def wrong_board(tmp_path: Path) -> None:
    path = tmp_path / "tty"
    board = FaultyDevice(path, "alpha")
    with bench(tmp_path, {"alpha": f"pty:{path}"}) as daemon:
        daemon.running()
        daemon.call("record_start", session="s")
        board.end()
        wait_for("it to be missed", lambda: "device_lost" in daemon.alarms())
        with FaultyDevice(path, "another"):
            seconds, kind = daemon.alarm_after(("device_refused",), time.monotonic())
            told("wrong board while recording", max(0.0, seconds), kind)
            wait_for("it not to be told as recording", lambda: shown(daemon) == "waiting")
        with FaultyDevice(path, "alpha"):
            wait_for("the right one", lambda: not {"device_refused", "device_lost"} & set(daemon.alarms()), 40)
            grows_again(daemon)


def at_start(name: str, kind: str, url: Callable[[Path], str]) -> Failure:
    """A device that cannot be had from the beginning: told once the daemon knows its state."""

    def run(tmp_path: Path) -> None:
        with bench(tmp_path, {"alpha": url(tmp_path)}) as daemon:
            states = ("refused",) if kind == "device_refused" else ("lost",)
            wait_for("the state", lambda: daemon.device("alpha")["state"] in states, 40)
            seconds, raised = daemon.alarm_after((kind,), time.monotonic())
            told(name, max(0.0, seconds), raised)
            refused(f"{name}, recorded", daemon, "cannot record", "record_start", session="s")

    return run


def plain_file(tmp_path: Path) -> str:
    (tmp_path / "plain").touch()
    return f"serial:{tmp_path}/plain"


for about, raises, where in (
    ("another protocol version", "device_refused", lambda _: "sim:future?protocol_major=9"),
    ("port is missing", "device_lost", lambda tmp_path: f"serial:{tmp_path}/ttyUSB7"),
    ("port is no serial port", "device_lost", plain_file),
    ("board's host refuses", "device_lost", lambda _: f"tcp:127.0.0.1:{free_ports(1)[0]}"),
):
    failure(about)(at_start(about, raises, where))


@failure("connection is cut")
def connection_cut(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    command = [str(find_device_program()), "--tcp", f"127.0.0.1:{port}", "--name", "alpha", "--die-with-parent"]
    board = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with bench(tmp_path, {"alpha": f"tcp:127.0.0.1:{port}"}) as daemon:
            daemon.running()
            at = time.monotonic()
            board.kill()
            told("connection is cut", *daemon.alarm_after(("device_lost",), at))
    finally:
        board.kill()
        board.wait()


@failure("clock unfit")
def clock_unfit(tmp_path: Path) -> None:
    """A link with a delay that the limit does not allow: told once the device runs."""
    link, config = f"fault:delay_ms=5,jitter_ms=5,seed=1;{SIM}", "[alarms]\nclock_s = 0.001\n"
    with bench(tmp_path, {"alpha": link}, config=config) as daemon:
        daemon.running()
        seconds, kind = daemon.alarm_after(("clock_unfit",), time.monotonic())
        told("clock unfit", max(0.0, seconds), kind)


# ---- files ----


@failure("recorder killed", quick=True)
def recorder_killed(tmp_path: Path) -> None:
    with recording(tmp_path) as (daemon, folder):
        at = time.monotonic()
        os.kill(recorder_pid(folder), signal.SIGKILL)
        told("recorder killed", *daemon.alarm_after(("recorder_restarted",), at))
        grows_again(daemon, "recorder_restarted", "file_frozen")


@failure("recorder stopped", quick=True)
def recorder_stopped(tmp_path: Path) -> None:
    with recording(tmp_path) as (daemon, folder):
        pid, at = recorder_pid(folder), time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        told("recorder stopped", *daemon.alarm_after(("file_frozen",), at))
        assert shown(daemon) == "stalled"
        with pytest.raises(CommandError):
            daemon.call("record_stop", timeout_s=2)  # not answered ok while nothing is closed
        os.kill(pid, signal.SIGCONT)
        wait_for("the end", lambda: daemon.call("record_status")["state"] == "complete")
        wait_for("the alarm to end", lambda: "file_frozen" not in daemon.alarms())


def to_the_file(name: str, harm: Callable[[Path], object], kinds: tuple[str, ...]) -> Failure:
    def run(tmp_path: Path) -> None:
        with recording(tmp_path) as (daemon, folder):
            (path,) = (folder / "alpha").glob("*.nwb")
            before, at = rows(daemon), time.monotonic()
            harm(path)
            told(name, *daemon.alarm_after(kinds, at))
            grows_again(daemon, *kinds)
            status = daemon.call("record_status")["devices"]["alpha"]
            assert status["gaps"] == {"lost": 0, "overrun": 0, "dropped": 0}
            assert status["rows_on_disk"] > before, "it was made again from the journal"
            assert daemon.call("record_stop")["state"] == "complete"

    return run


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"nothing")
    other.replace(path)


for about, harm_, raise_, is_quick in (
    ("file deleted", Path.unlink, ("file_frozen",), True),
    ("file replaced", replace, ("file_frozen",), False),
    ("file cut", lambda path: os.truncate(path, 0), ("file_frozen", "recorder_restarted"), False),
    ("device folder removed", lambda path: shutil.rmtree(path.parent), ("file_frozen", "recorder_restarted"), False),
    (
        "session folder removed",
        lambda path: shutil.rmtree(path.parents[1]),
        ("file_frozen", "recorder_restarted", "write_failed"),
        False,
    ),
):
    failure(about, quick=is_quick)(to_the_file(about, harm_, raise_))


@failure("file cannot be written")
def write_error(tmp_path: Path) -> None:
    with recording(tmp_path) as (daemon, folder):
        at = time.monotonic()
        limit_file_size(recorder_pid(folder), 1)
        # The next chunk is written within a second and a half.
        told("file cannot be written", *daemon.alarm_after(("write_failed", "recorder_restarted"), at))
        grows_again(daemon, "write_failed", "recorder_restarted")


@failure("journal cannot be written")
def journal_error(tmp_path: Path) -> None:
    with recording(tmp_path) as (daemon, _):
        at = time.monotonic()
        limit_file_size(daemon.pid, 1)
        told("journal cannot be written", *daemon.alarm_after(("journal_failed",), at))
        limit_file_size(daemon.pid, resource.RLIM_INFINITY)
        grows_again(daemon, "journal_failed")


@failure("journal deleted")
def journal_deleted(tmp_path: Path) -> None:
    with recording(tmp_path) as (daemon, _):
        at = time.monotonic()
        shutil.rmtree(tmp_path / "data" / "journal" / "alpha")
        told("journal deleted", *daemon.alarm_after(("journal_removed",), at))
        assert list((tmp_path / "data" / "journal" / "alpha").glob("*.spj"))
        grows_again(daemon, "journal_removed")


@failure("disk full")
def disk_full(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "small", 400 * 2**20) as disk,
        bench(tmp_path, config="[disk]\nreserve_bytes = 60_000_000\n") as daemon,
    ):
        daemon.running("alpha")
        daemon.call("record_start", session="s", folder=str(disk))
        free = shutil.disk_usage(disk).free
        at = time.monotonic()
        with (disk / "ballast").open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, free - 30_000_000)
        told("disk full", *daemon.alarm_after(("disk_full",), at))
        refused(
            "record on a full disk",
            daemon,
            "s.*is being recorded|full",
            "record_start",
            session="t",
            folder=str(disk),
        )
        (disk / "ballast").unlink()
        grows_again(daemon, "disk_full", "file_frozen")
        daemon.call("record_stop")


@failure("session cannot be taken up", quick=True)
def unreadable_session(tmp_path: Path) -> None:
    with recording(tmp_path) as (daemon, folder):
        daemon.kill()
        wait_for("its recorder to end", lambda: not recorder_pids(folder))
        (folder / "session.json").write_text("{")
        daemon.start()
        seconds, kind = daemon.alarm_after(("recording_ended",), time.monotonic())
        told("session cannot be taken up", max(0.0, seconds), kind)
        assert daemon.call("status")["recording"] is None
        refused(
            "dismiss what did not end",
            daemon,
            "no recording 'other' ended by itself; s did",
            "record_dismiss",
            session="other",
        )
        assert daemon.call("record_dismiss") == ["s"]
        wait_for("the alarm to end", lambda: "recording_ended" not in daemon.alarms())
        assert daemon.call("record_dismiss") == []
        daemon.kill()
        daemon.start()
        daemon.running("alpha")
        daemon.call("record_start", session="another")
        assert "recording_ended" not in daemon.alarms()


@failure("recording folder is a file")
def folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with bench(tmp_path) as daemon:
        daemon.running("alpha")
        refused(
            "recording folder is a file",
            daemon,
            "is a file",
            "record_start",
            session="s",
            folder=str(tmp_path / "file"),
        )
        assert daemon.call("status")["recording"] is None


# ---- the computer and the daemon itself ----

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


@failure("date is set")
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
        told("date is set", *daemon.alarm_after(("utc_stepped",), at))
        daemon.call("record_stop")
        wait_for("the alarm to end", lambda: "utc_stepped" not in daemon.alarms())


@failure("daemon stands still")
def daemon_stands_still(tmp_path: Path) -> None:
    with bench(tmp_path, config="[alarms]\nhold_s = 3\n") as daemon:
        daemon.running("alpha")
        os.kill(daemon.pid, signal.SIGSTOP)
        begin = time.monotonic()
        wait_for("three seconds", lambda: time.monotonic() > begin + 3)
        at = time.monotonic()
        os.kill(daemon.pid, signal.SIGCONT)
        told("daemon stands still", *daemon.alarm_after(("daemon_late",), at))
        wait_for("it to end", lambda: "daemon_late" not in daemon.alarms())


@failure("viewer stops")
def viewer_stops(tmp_path: Path) -> None:
    """A subscriber that never reads; the clock starts when its queue is found full."""
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
            told("viewer stops", *daemon.alarm_after(("viewer_dropping",), time.monotonic()))
            wait_for(
                "it to stand although nothing is dropped anew", lambda: daemon.alarms()["viewer_dropping"]["age_s"] > 4
            )
        finally:
            context.destroy(linger=0)
        wait_for("it to end", lambda: "viewer_dropping" not in daemon.alarms())


@failure("history killed")
def history_killed(tmp_path: Path) -> None:
    with bench(tmp_path) as daemon:
        daemon.running("alpha")
        (pid,) = wait_for("its process", lambda: children(daemon.pid, b"spikedaq.history"))
        at = time.monotonic()
        os.kill(pid, signal.SIGKILL)

        def again() -> object:
            found = children(daemon.pid, b"spikedaq.history")
            return found and found != [pid]

        # One that is killed is started again at once; the alarm is for one that does not come back.
        wait_for("another", again)
        print(f"1 x history killed: another runs after {time.monotonic() - at:.2f} s")
        wait_for("no alarm", lambda: "history_failed" not in daemon.alarms())


def children(pid: int, word: bytes) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if entry.name.isdigit() and word in (entry / "cmdline").read_bytes().split(b"\0"):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent == pid:
                    found.append(int(entry.name))
    return found


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
        print(f"1 x log cannot be written: recorded all the same in {time.monotonic() - begin:.2f} s")
        assert daemon.stop() == 0


@failure("configuration refused on reload", quick=True)
def bad_reload(tmp_path: Path) -> None:
    with bench(tmp_path) as daemon:
        daemon.config = "[alarms]\nstaled_s = 1\n"
        daemon.write_config()
        at = time.monotonic()
        os.kill(daemon.pid, signal.SIGHUP)
        told("configuration refused on reload", *daemon.alarm_after(("config_refused",), at))
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
        wait_for("the count", lambda: daemon.metrics()["spikedaq_alarm_command_failures_total"] == 1)
        assert "the alarm command failed" in daemon.log()
        print("1 x alarm command fails: counted")


def not_startable(name: str, words: str, take: Callable[[ConfiguredDaemon, contextlib.ExitStack], None]) -> Failure:
    """What a daemon needs is in another's hands: it ends with 2 and says by whom or what to do."""

    def run(tmp_path: Path) -> None:
        daemon = ConfiguredDaemon(tmp_path / "data", {"alpha": SIM})
        with contextlib.ExitStack() as stack:
            take(daemon, stack)
            begin = time.monotonic()
            daemon.start(wait=False)
            assert daemon.process is not None
            assert daemon.process.wait(30) == 2, daemon.log()
            assert words in daemon.log()
            print(f"1 x {name}: refused after {time.monotonic() - begin:.2f} s")

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


CHOSEN = [kind for kind in KINDS if kind.quick or os.environ.get("SPIKEDAQ_FAILURES") == "all"]


@pytest.mark.parametrize("kind", CHOSEN, ids=lambda kind: kind.name.replace(" ", "_"))
def test_failure_is_told(kind: Kind, tmp_path: Path) -> None:
    """Each kind raises its alarm, or is refused, and is over when its cause is."""
    kind.run(tmp_path)


def test_there_are_thirty_kinds() -> None:
    assert len(KINDS) >= 30
    assert len({kind.name for kind in KINDS}) == len(KINDS)
