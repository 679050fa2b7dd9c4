"""Who is told of an alarm: the bus, the user's program, Prometheus, and a log that nobody may be reading."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness import runs, wait_for
from spikedaq.bus import DeviceStatus, FileStatus, decode
from spikedaq.daemon.alarms import Alarm, AlarmKind, Alarms
from spikedaq.daemon.config import AlarmsConfig
from spikedaq.daemon.health import command
from spikedaq.daemon.health.announce import Announcer
from spikedaq.daemon.health.command import AlarmCommand
from spikedaq.daemon.health.metrics import Exposition, Snapshot
from spikedaq.daemon.health.metrics_server import MetricsServer
from spikedaq.daemon.log_writer import MAX_LINES, LogWriter
from spikedaq.model import ConfigError

LOST = Alarm(AlarmKind.DEVICE_LOST, "alpha", "gone; plug it in", 5)


# ---- the bus ----


class _Bus:
    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def publish(self, topic: str, message: bytes) -> bool:
        self.sent.append((topic, decode(message).header))
        return True


def test_the_bus_hears_each_change_and_what_stands() -> None:
    bus, alarms = _Bus(), Alarms(lambda: 7)
    announcer = Announcer(bus, "lab", "e1", alarms, lambda: 9)
    alarms.listeners.append(announcer.changed)
    alarms.put(AlarmKind.DEVICE_LOST, "alpha", "gone")
    announcer.repeat()
    alarms.clear(AlarmKind.DEVICE_LOST, "alpha")
    lost = {"kind": "device_lost", "subject": "alpha", "text": "gone", "since_ns": 7}
    common = {"v": 1, "epoch": "e1", "t_ns": 9, "more": 0}
    assert bus.sent == [
        ("lab/bench/alarms/", {**common, "n": 0, "alarms": [lost], "raised": lost, "ended": None}),
        ("lab/bench/alarms/", {**common, "n": 1, "alarms": [lost], "raised": None, "ended": None}),
        ("lab/bench/alarms/", {**common, "n": 2, "alarms": [], "raised": None, "ended": lost}),
    ]


def test_any_number_of_alarms_fits_a_message() -> None:
    bus, alarms = _Bus(), Alarms(lambda: 7)
    for n in range(500):
        alarms.put(AlarmKind.DEVICE_LOST, f"device-{n}", "ä" * 5000)
    Announcer(bus, "lab", "e1", alarms, lambda: 9).repeat()
    header = bus.sent[0][1]
    assert len(header["alarms"]) == 64 and header["more"] == 436
    assert len(header["alarms"][0]["text"]) == 400


# ---- the command ----


def run_command(*changes: tuple[Alarm, bool], **config: Any) -> AlarmCommand:
    async def run() -> AlarmCommand:
        command = AlarmCommand(AlarmsConfig(**config), "lab")
        for alarm, raised in changes:
            command.changed(alarm, raised)
        while command._running:
            await asyncio.wait(command._running)
            await asyncio.sleep(0)  # what ended starts the next
        await command.close()
        return command

    return asyncio.run(run())


def test_the_command_gets_the_alarm_in_its_environment_and_as_json(tmp_path: Path) -> None:
    """No shell comes between: what the text says is never run."""
    told = tmp_path / "told"
    text = '$(touch pwned) `x` "; rm -rf /'
    script = "import json,os,sys; json.dump([json.load(sys.stdin), dict(os.environ)], open(sys.argv[1], 'w'))"
    command = run_command((replace(LOST, text=text), True), command=(sys.executable, "-c", script, str(told)))
    about, environment = json.loads(told.read_text())
    assert (command.runs, command.failures, command.skipped) == (1, 0, 0)
    assert about.pop("since").endswith("+00:00")
    assert about == {"bench": "lab", "kind": "device_lost", "subject": "alpha", "text": text, "state": "raised"}
    assert environment["SPIKEDAQ_ALARM_KIND"] == "device_lost"
    assert environment["SPIKEDAQ_ALARM_TEXT"] == text
    assert environment["SPIKEDAQ_BENCH"] == "lab"
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "command",
    [("/nowhere/mail",), (sys.executable, "-c", "raise SystemExit(3)"), ("a\0b",), ("/tmp",)],
    ids=["missing", "status 3", "no name", "a folder"],
)
def test_a_command_that_fails_is_counted(command: tuple[str, ...]) -> None:
    assert run_command((LOST, True), command=command).failures == 1


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    script = (
        "import subprocess,sys,time; p=subprocess.Popen(['sleep','1000']); "
        "open(sys.argv[1],'w').write(str(p.pid)); time.sleep(1000)"
    )
    pid_path = tmp_path / "pid"
    found = run_command((LOST, True), command=(sys.executable, "-c", script, str(pid_path)), command_timeout_s=2.0)
    assert found.failures == 1
    child = int(pid_path.read_text())
    wait_for("the child's end, some time after the signal", lambda: not runs(child))


def test_an_alarm_that_flaps_is_told_once_a_minute_and_ends_only_on_demand() -> None:
    quick = (sys.executable, "-c", "")
    assert run_command(*[(LOST, True), (LOST, False)] * 20, command=quick).skipped == 19
    both = run_command((LOST, True), (LOST, False), command=quick, command_when_ended=True)
    assert (both.runs, both.skipped) == (2, 0)


def script_that_notes(path: Path) -> tuple[str, ...]:
    note = "import os, sys; open(sys.argv[1], 'a').write(os.environ['SPIKEDAQ_ALARM_STATE'] + chr(10))"
    return (sys.executable, "-c", note, str(path))


@pytest.mark.parametrize(
    ("ended", "changes", "told"),
    [
        (True, "+-+", ["raised", "ended", "raised"]),
        (False, "+-+", ["raised", "raised"]),
        (True, "+-+-", ["raised", "ended"]),
        (False, "+-+-", ["raised"]),
    ],
)
def test_what_stands_at_the_end_of_the_quiet_time_is_told(
    tmp_path: Path, ended: bool, changes: str, told: list[str]
) -> None:
    """Raised, over, raised again for good: who was told that it is over must hear that it is not."""
    path = tmp_path / "told"

    async def run() -> None:
        config = AlarmsConfig(command=script_that_notes(path), command_when_ended=ended, command_quiet_s=0.3)
        command = AlarmCommand(config, "lab")
        for change in changes:
            command.changed(LOST, change == "+")
        async with asyncio.timeout(20):
            while command._running or any(subject.timer for subject in command._subjects.values()):  # noqa: ASYNC110  it has no event
                await asyncio.sleep(0.005)
        await command.close()

    asyncio.run(run())
    assert sorted(path.read_text().split()) == sorted(told)


def test_the_end_waits_a_moment_for_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for as long as a program may take, and nothing is begun or left behind."""
    monkeypatch.setattr(command, "_END_S", 0.05)
    pid_path = tmp_path / "pid"
    script = "import os,sys,time; open(sys.argv[1],'w').write(str(os.getpid())); time.sleep(1000)"

    async def run() -> None:
        config = AlarmsConfig(command=(sys.executable, "-c", script, str(pid_path)), command_timeout_s=3600.0)
        alarm_command = AlarmCommand(config, "lab")
        alarm_command.changed(LOST, True)
        async with asyncio.timeout(20):
            while not (pid_path.exists() and pid_path.read_text()):  # noqa: ASYNC110  a file has no event
                await asyncio.sleep(0.005)
        async with asyncio.timeout(10):
            await alarm_command.close()
        alarm_command.changed(replace(LOST, subject="beta"), True)
        assert (alarm_command.runs, alarm_command.skipped) == (1, 1)

    asyncio.run(run())
    assert not (Path("/proc") / pid_path.read_text()).exists()


def test_a_flood_of_alarms_is_bounded_and_counted() -> None:
    flood = [(replace(LOST, subject=str(n)), True) for n in range(60)]
    found = run_command(*flood, command=("/nowhere/mail",))
    assert found.runs + found.skipped == 60
    assert found.skipped == 8  # two run, fifty wait


# ---- Prometheus ----

ALPHA = DeviceStatus(
    device='al"pha\n\\', url="sim:a", state="running", rate_hz=9999.5, nominal_hz=10_000.0, samples=123,
    gaps={"lost": 7, "overrun": 0, "dropped": 0}, clock_u_ns=52_000, journal_offset=5000,
    recording={**FileStatus("recording", rows_on_disk=100, bytes=2000, offset=4000).to_map(), "session": "s"},
)  # fmt: skip
STOCK = DeviceStatus(device="stock", url="sim:b", state="lost", gaps={"lost": None, "overrun": None, "dropped": 0})
SNAPSHOT = Snapshot(
    version="0.1", bench="lab", uptime_s=5.0, late_s=0.25, devices=[ALPHA, STOCK], alarms=[LOST],
    raised={AlarmKind.DEVICE_LOST: 3}, totals={"bus_messages": 10.0}, free_bytes=10**9, time_left_s=3600.0,
    recorder_restarts=2, session="s",
    other_disks={"s": {"free_bytes": 5, "bytes_per_s": None, "time_left_s": None},
                 "t": {"free_bytes": 6, "bytes_per_s": 1.0, "time_left_s": 7.0}},
)  # fmt: skip


def values_of(text: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    families = text_string_to_metric_families(text.decode())
    return {
        (s.name, tuple(value for _, value in sorted(s.labels.items()))): s.value
        for family in families
        for s in family.samples
    }


def test_the_metrics_are_what_prometheus_reads() -> None:
    values = values_of(Exposition().text(SNAPSHOT))
    expected = {
        ("spikedaq_alarm", ("device_lost", "alpha")): 1,
        ("spikedaq_alarms_raised_total", ("device_lost",)): 3,
        ("spikedaq_device_sample_rate_hertz", (ALPHA.device,)): 9999.5,
        ("spikedaq_device_samples_total", (ALPHA.device,)): 123,
        ("spikedaq_device_missing_samples_total", ("lost", ALPHA.device)): 7,
        ("spikedaq_device_clock_uncertainty_seconds", (ALPHA.device,)): 5.2e-5,
        ("spikedaq_device_running", ("stock",)): 0,
        ("spikedaq_recording_growing", (ALPHA.device, "s")): 1,
        ("spikedaq_recording_behind_bytes", (ALPHA.device, "s")): 1000,
        ("spikedaq_recorder_restarts_total", ("s",)): 2,
        ("spikedaq_disk_time_left_seconds", ()): 3600,
        ("spikedaq_disk_free_bytes", ()): 10**9,
        ("spikedaq_session_disk_free_bytes", ("s",)): 5,
        ("spikedaq_session_disk_time_left_seconds", ("t",)): 7,
        ("spikedaq_bus_messages_total", ()): 10,
        ("spikedaq_loop_late_seconds", ()): 0.25,
    }
    assert {key: values.get(key) for key in expected} == expected
    assert values["process_resident_memory_bytes", ()] > 0
    # What nobody can know is absent, not zero.
    assert ("spikedaq_session_disk_time_left_seconds", ("s",)) not in values
    assert ("spikedaq_device_missing_samples_total", ("lost", "stock")) not in values
    assert ("spikedaq_device_clock_uncertainty_seconds", ("stock",)) not in values


def test_every_metric_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()
    names = {name for name, _ in values_of(Exposition().text(SNAPSHOT)) if name.startswith("spikedaq_")}
    assert not {name for name in names if f"`{name}`" not in text}


def test_the_server_gives_one_page_on_loopback_and_survives_the_rest() -> None:
    async def run() -> None:
        snapshots = 0

        def snapshot() -> Snapshot:
            nonlocal snapshots
            snapshots += 1
            return SNAPSHOT

        server = MetricsServer(0, snapshot)
        await server.start()
        port = int(server.url.rsplit(":", 1)[1].split("/")[0])
        assert server.url.startswith("http://127.0.0.1:")
        with pytest.raises(ConfigError, match="choose another with 'metrics'"):
            await MetricsServer(port, snapshot).start()

        async def ask(request: bytes) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            try:
                return await asyncio.wait_for(reader.read(), 10)
            except ConnectionResetError:
                return b""
            finally:
                writer.close()

        for _ in range(50):
            page = await ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert page.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
        assert snapshots < 50, "a hasty scraper costs the loop nothing"
        assert b"spikedaq_alarm{" in page
        head = await ask(b"HEAD /metrics HTTP/1.1\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200") and head.endswith(b"\r\n\r\n")
        assert (await ask(b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404")
        assert (await ask(b"POST /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405")
        assert (await ask(b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400")
        assert await ask(b"x" * 100_000) == b""
        # Those who connect and say nothing take no place for long, and the others are turned away, not kept.
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for _, writer in idle:
            writer.close()
        await server.close()

    asyncio.run(run())


# ---- the log ----


def test_a_log_that_nobody_reads_holds_up_nobody() -> None:
    """A pipe holds 64 KiB; the rest waits within its bound, and what is beyond is counted."""
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w") as out:
        writer = LogWriter(out)
        for _ in range(3 * MAX_LINES):
            writer.write("x" * 99 + "\n")
        assert writer.lost > 0
        os.close(read_end)
        writer.close()


def test_a_log_on_a_full_disk_loses_lines_and_nothing_else() -> None:
    with Path("/dev/full").open("w") as out:
        writer = LogWriter(out)
        writer.write("lost\n")
        writer.close()
        assert writer.lost == 1
