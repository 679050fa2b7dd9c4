"""Every key that the reference marks with *reload* does something else once the configuration is read anew."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest
from msgspec import Struct
from msgspec.structs import fields

from spikedaq.bus import FileStatus
from spikedaq.daemon import DaemonConfig, discovery, load_config, recorder_run, retention
from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.bench import Bench
from spikedaq.daemon.commands.recordings import RecordingCommands
from spikedaq.daemon.config_changes import is_reloaded
from spikedaq.daemon.data_folder import DataFolder
from spikedaq.daemon.discovery import Discovery
from spikedaq.daemon.disk import DiskWatch
from spikedaq.daemon.health import Health, watcher
from spikedaq.daemon.health.devices import DeviceSight
from spikedaq.daemon.health.files import FileLook
from spikedaq.daemon.held_links import HeldLinks
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.leases import Leases
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.daemon.reload import Reloader, tell_changes
from spikedaq.daemon.retention import Retention
from spikedaq.daemon.session import SESSION_FILE
from spikedaq.daemon.sessions import Sessions
from spikedaq.daemon.triggers import SavedTriggers, TriggerEngine
from spikedaq.device import DeviceState
from spikedaq.journal import NoteRecord
from spikedaq.link import FoundPort, host_now_ns

WAIT_S = 20.0
DAY_NS = 86_400 * 10**9
REPORT = '{"device": "alpha", "state": "recording", "file": "s_0000.nwb", "samples": 9, "rows_on_disk": 9, "bytes": 9}'
RECORDER = f"#!/bin/sh\necho '{REPORT}'\nread _line\n"
PATH = "/data/s/alpha/s_alpha_0000.nwb"
THINGS = """
[[device]]
name = "alpha"
url = "pty:/nowhere"
[[trigger]]
name = "a"
when = "hand"
pre_s = 1
"""
SIGHT = DeviceSight(
    name="alpha", state=DeviceState.RUNNING, detail="", wanted=True, blocks=1, samples=100, missing=0,
    nominal_hz=10_000.0, block_period_s=0.01, clock_u_ns=50_000, clock_age_s=0.5,
)  # fmt: skip


def text_of(keys: dict[str, str]) -> str:
    """Return a configuration with these keys, as ``[table] key``, of these values, as TOML has them."""
    tables: dict[str, list[str]] = defaultdict(list)
    for key, value in {"[journal] segment_bytes": "524288", **keys}.items():
        table, _, name = key.rpartition(" ")
        tables[table].append(f"{name} = {value}")
    return "\n".join("\n".join([table, *lines]) for table, lines in tables.items()) + THINGS


class Held:
    """What a probe gives back."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.hello = SimpleNamespace(unique_id=b"\1\2\3\4", board="native")

    async def close(self) -> None:
        pass


class Rig:
    """The parts of a daemon that read the configuration, with nothing behind them that would run by itself."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        self.path = path / "spikedaq.toml"
        self.path.write_text(text)
        config = load_config(self.path)
        self.now_s, self.utc_ns, self.free_bytes = 1000.0, 0, 1500
        self.scanned: list[tuple[Any, Any]] = []
        self.opened: list[str] = []
        self.begun = 0
        self._outside(path, monkeypatch)
        self.live = LiveConfig(config)
        self.alarms = Alarms(lambda: 0)
        self.data = DataFolder(config.data)
        monkeypatch.setattr(self.data, "recordings_free_bytes", lambda: self.free_bytes)
        self.journals = Journals(self.data.journal, config.journal)
        bus: Any = SimpleNamespace(publish=lambda *_: True, viewer_drops=0, stalled_viewers=lambda: 0)
        leases = Leases(host_now_ns)
        self.bench = Bench(self.live, self.journals, bus, "e", leases=leases)
        recordable: Any = SimpleNamespace(check_recordable=lambda _: ["alpha"])
        self.sessions = Sessions(self.live, self.data, self.journals, recordable, self.alarms)
        self.triggers = TriggerEngine(
            config, self.bench, self.journals, self.alarms, saved=SavedTriggers(), leases=leases, now_ns=host_now_ns
        )
        self.disk = DiskWatch(self.live, self.data, self.journals, self.sessions, self.alarms)
        self.retention = Retention(self.live, self.data, self.sessions, self.alarms, utc_ns=lambda: 1000 * DAY_NS)
        monkeypatch.setattr(self.retention, "_delete", lambda *_: True)
        names: Any = SimpleNamespace(of=lambda unique_id, _: f"board-{unique_id}")
        self.discovery = Discovery(
            self.live, self.bench, names, HeldLinks(), scanner=SimpleNamespace(scan=self._scan)  # type: ignore[arg-type]
        )  # fmt: skip
        self.health = Health(
            config, self.alarms, bench=self.bench, sessions=self.sessions, journals=self.journals, disk=self.disk,
            publisher=bus, control=SimpleNamespace(), epoch="e",  # type: ignore[arg-type]
        )  # fmt: skip
        self._watched(monkeypatch)
        self.reloader = Reloader(self.live, self.bench, self.journals, lambda: load_config(self.path))
        tell_changes(
            self.live, journals=self.journals, discovery=self.discovery, triggers=self.triggers, health=self.health
        )

    def _outside(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put something in the place of recorders, boards and files."""
        script = path / "recorder"
        script.write_text(RECORDER)
        script.chmod(0o755)
        monkeypatch.setattr(recorder_run, "sys", SimpleNamespace(executable=str(script)))

        async def open_link(url: str) -> str:
            self.opened.append(url)
            return url

        async def probe(url: str, _: object) -> Held:
            return Held(url)

        monkeypatch.setattr(discovery, "open_link", open_link)
        monkeypatch.setattr(discovery, "probe", probe)
        files = [closed(f"f_{k:04d}.nwb", 10 - k) for k in range(10)] + [closed("r_0000.nwb", 3, "b", running=True)]
        monkeypatch.setattr(retention, "closed_files", lambda *_: files)

    def _watched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the watcher see what a test says, when a test says."""
        self.sight, self.rows = SIGHT, 0
        recorder = SimpleNamespace(files={}, restarts=0, error=None, is_full=False, silent_s=lambda: 0.2)
        self.session = SimpleNamespace(name="s", recorder=recorder, shown={})
        self.seen = SimpleNamespace(all=list, current=None, left=SimpleNamespace(failed={}))
        self.found: dict[str, FileLook] = {}
        looks = SimpleNamespace(take=lambda _: None, found=self.found, hangs_s=lambda: 0.0, close=self._nothing)
        eye = self.health._watcher
        for name, value in {
            "_now_s": lambda: self.now_s, "_utc_ns": lambda: host_now_ns() + self.utc_ns, "_sessions": self.seen,
            "_files": looks,
        }.items():  # fmt: skip
            monkeypatch.setattr(eye, name, value)
        monkeypatch.setattr(watcher, "sight_of", lambda member: replace(self.sight, name=member.name))

    def _scan(self, usb: Any, links: Any) -> list[FoundPort]:
        self.scanned.append((usb, links))
        return [FoundPort("pty:/x", "x")]

    async def _nothing(self) -> None:
        pass

    async def reload(self, text: str) -> list[str]:
        self.path.write_text(text)
        return await self.reloader.reload("me")

    async def close(self) -> None:
        await self.sessions.abandon(0.0)
        await self.health.close()
        await self.journals.close()
        self.data.close()

    # ---- what the watcher sees

    def look(self, after_s: float = 0.25, **changes: Any) -> None:
        self.now_s += after_s
        self.sight = replace(self.sight, **changes)
        self.health._watcher.look()

    def streams(self, seconds: float, *, grows: bool = True) -> None:
        """Let blocks come, and the file grow."""
        for _ in range(round(seconds / 0.25)):
            self.rows += 2500 * grows
            self.session.recorder.files["alpha"] = FileStatus(
                "recording", file=PATH, rows_on_disk=self.rows, bytes=self.rows
            )
            self.found[PATH] = FileLook(self.rows, self.rows)
            self.look(blocks=self.sight.blocks + 25, samples=self.sight.samples + 2500)

    def stands(self, kind: AlarmKind) -> bool:
        return any(kind == standing for standing, _ in self.alarms.standing)


def closed(name: str, age_days: float, device: str = "a", *, running: bool = False) -> Any:
    stop_ns = round((1000 - age_days) * DAY_NS)
    entry = SimpleNamespace(name=name, stop_utc_ns=stop_ns, n_bytes=1000, deleted_why=None)
    return SimpleNamespace(path=name, device=device, entry=entry, is_running=running, is_pinned=False)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.002)


# ---- what a key does


async def plan_of_next(rig: Rig) -> dict[str, Any]:
    """Begin a recording as a request does that says nothing of itself; return its plan."""
    rig.begun += 1
    commands = RecordingCommands(rig.bench, rig.sessions, rig.journals, rig.triggers).operations()
    await commands["record_start"].run("who", session=f"s{rig.begun}")
    session = rig.sessions.current
    assert session is not None
    plan: dict[str, Any] = json.loads((session.folder / SESSION_FILE).read_text())
    await rig.sessions.stop(None)
    return plan


def planned(*path: str) -> Callable[[Rig], Awaitable[Any]]:
    async def observe(rig: Rig) -> Any:
        value: Any = await plan_of_next(rig)
        for key in path:
            value = value[key]
        return value

    return observe


async def scans_usb(rig: Rig) -> Any:
    await rig.discovery.look()
    return list(rig.scanned[-1][0])


async def scans_links(rig: Rig) -> Any:
    await rig.discovery.look()
    return list(rig.scanned[-1][1])


async def opens(rig: Rig) -> Any:
    await rig.discovery.look()
    await asyncio.gather(*(port.task for port in rig.discovery.ports if port.task))
    return list(rig.opened)


async def rings(rig: Rig) -> Any:
    """Of a journal that is open, and of one that is opened now."""
    rig.begun += 1
    alpha, other = rig.journals.get("alpha"), await rig.journals.open(f"other{rig.begun}", "cd")
    assert alpha is not None
    return alpha.writer.ring_bytes, other.writer.ring_bytes


async def disk_is_low(rig: Rig) -> Any:
    """With 100 kB beyond the reserve, of which a journal takes some 3 kB/s."""
    alpha = rig.journals.get("alpha")
    assert alpha is not None
    for _ in range(2):
        alpha.writer.append(NoteRecord(0, "x" * 100_000, ""))
        rig.now_s += 30.0
        rig.disk._look(rig.now_s, rig.live.now.disk.reserve_bytes + 100_000, {})
    return rig.stands(AlarmKind.DISK_LOW)


async def deletes(rig: Rig) -> Any:
    return await rig.retention.look()


async def is_stalled(rig: Rig) -> Any:
    rig.streams(2)
    for _ in range(6):
        rig.look()
    stalled = rig.stands(AlarmKind.STREAM_STALLED)
    rig.streams(1)
    return stalled


async def is_frozen(rig: Rig) -> Any:
    rig.seen.all = lambda: [rig.session]
    rig.streams(5)
    rig.streams(3, grows=False)
    frozen = rig.stands(AlarmKind.FILE_FROZEN)
    rig.streams(1)
    return frozen


async def clock_is_unfit(rig: Rig) -> Any:
    rig.streams(2)
    rig.look(clock_u_ns=60_000_000)
    return rig.stands(AlarmKind.CLOCK_UNFIT)


async def has_gaps(rig: Rig) -> Any:
    """With 150 samples that are missing, 0.15 % of ten seconds."""
    rig.streams(40)
    rig.look(missing=rig.sight.missing + 150)
    return rig.stands(AlarmKind.GAP_RATE)


async def utc_has_stepped(rig: Rig) -> Any:
    rig.seen.current = None
    rig.look()
    rig.seen.current = rig.session
    rig.utc_ns += 5 * 10**9
    rig.look()
    return rig.stands(AlarmKind.UTC_STEPPED)


async def is_late(rig: Rig) -> Any:
    rig.streams(11)
    rig.look(after_s=3.0)
    return rig.stands(AlarmKind.DAEMON_LATE)


async def is_late_still(rig: Rig) -> Any:
    await is_late(rig)
    rig.streams(5)
    return rig.stands(AlarmKind.DAEMON_LATE)


async def command_runs(rig: Rig, *, again: bool = False) -> tuple[int, int]:
    """Raise an alarm, end it, perhaps raise it again; how often the command ran for that, and failed."""
    command = rig.health._command
    before = command.runs, command.failures
    rig.begun += 1
    for raised in (True, False, True)[: 3 if again else 2]:
        if raised:
            rig.alarms.put(AlarmKind.WRITE_FAILED, f"s{rig.begun}", "no room")
        else:
            rig.alarms.clear(AlarmKind.WRITE_FAILED, f"s{rig.begun}")
    await until(lambda: not command._running)
    return command.runs - before[0], command.failures - before[1]


async def command_runs_twice(rig: Rig) -> tuple[int, int]:
    return await command_runs(rig, again=True)


@dataclass(frozen=True)
class Row:
    """One key: two values of it, the first None for none, and what is seen with each."""

    key: str
    values: tuple[str | None, str]
    observe: Callable[[Rig], Awaitable[Any]]
    seen: tuple[Any, Any]
    given: dict[str, str] = field(default_factory=dict)


TRIGGERED = {"[recording.mode] kind": '"triggered"'}
SCHEDULED = {"[recording.mode] kind": '"scheduled"', "[recording.mode] every_s": "10", "[recording.mode] for_s": "5"}
FROM, UNTIL = ('"2026-01-01T00:00"', '"2026-01-02T00:00"'), ('"2098-01-01T00:00"', '"2099-01-01T00:00"')
TRUE = {"[alarms] command": '["true"]'}

ROWS = [
    Row("[discovery] enabled", ("false", "true"), opens, ([], ["pty:/x"])),
    Row("[discovery] usb", ('["1a86:*"]', '["303a:*"]'), scans_usb, (["1a86:*"], ["303a:*"])),
    Row("[discovery] links", (None, '["pty:/b/*"]'), scans_links, ([], ["pty:/b/*"])),
    Row("[recording] roll_s", (None, "77"), planned("roll", "seconds"), (3600.0, 77.0)),
    Row("[recording] roll_bytes", (None, "1000000"), planned("roll", "bytes"), (None, 1_000_000)),
    Row("[recording] roll_aligned", (None, '"utc"'), planned("roll", "aligned"), (None, "UTC")),
    Row("[recording] experimenter", (None, '"Doe, Jane"'), planned("experimenter"), (None, "Doe, Jane")),
    Row("[recording] institution", (None, '"Here"'), planned("institution"), (None, "Here")),
    Row("[recording] lab", (None, '"Ours"'), planned("lab"), (None, "Ours")),
    Row("[recording.mode] kind", (None, '"triggered"'), planned("mode", "kind"), ("continuous", "triggered")),
    Row("[recording.mode] triggers", (None, '["a"]'), planned("mode", "triggers"), (None, ["a"]), TRIGGERED),
    Row("[recording.mode] pre_s", (None, "2"), planned("mode", "pre_s"), (None, 2.0), TRIGGERED),
    Row("[recording.mode] post_s", (None, "2"), planned("mode", "post_s"), (None, 2.0), TRIGGERED),
    Row("[recording.mode] max_pre_s", (None, "90"), planned("mode", "max_pre_s"), (60.0, 90.0), TRIGGERED),
    Row("[recording.mode] every_s", ("10", "20"), planned("mode", "every_s"), (10, 20), SCHEDULED),
    Row("[recording.mode] for_s", ("5", "6"), planned("mode", "for_s"), (5.0, 6.0), SCHEDULED),
    Row(
        "[recording.mode] from", FROM, planned("mode", "from"),
        ("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"), SCHEDULED,
    ),
    Row(
        "[recording.mode] until", UNTIL, planned("mode", "until"),
        ("2098-01-01T00:00:00+00:00", "2099-01-01T00:00:00+00:00"), SCHEDULED,
    ),
    Row("[recording.mode] zone", (None, '"Asia/Tokyo"'), planned("mode", "zone"), ("UTC", "Asia/Tokyo"), SCHEDULED),
    Row("[journal] ring_bytes", ("1000000", "5000"), rings, ((10**6, 10**6), (5000, 5000))),
    Row("[disk] low_bytes", ("1", "1000000000"), disk_is_low, (False, True), {"[disk] low_s": "0"}),
    Row("[disk] low_s", ("0", "600"), disk_is_low, (False, True), {"[disk] low_bytes": "1"}),
    Row("[retention] keep_days", (None, "7.5"), deletes, (0, 3)),
    Row("[retention] keep_files", (None, "8"), deletes, (0, 2)),
    Row("[retention] free_bytes", (None, "5000"), deletes, (0, 4)),
    Row("[retention] running", (None, "true"), deletes, (10, 11), {"[retention] keep_files": "0"}),
    Row("[alarms] stalled_s", (None, "5"), is_stalled, (True, False)),
    Row("[alarms] frozen_s", (None, "10"), is_frozen, (True, False)),
    Row("[alarms] clock_s", (None, "0.1"), clock_is_unfit, (True, False)),
    Row("[alarms] gap_share", (None, "0.01"), has_gaps, (True, False)),
    Row("[alarms] gap_window_s", (None, "30"), has_gaps, (True, False)),
    Row("[alarms] utc_step_s", (None, "10"), utc_has_stepped, (True, False)),
    Row("[alarms] late_s", (None, "5"), is_late, (True, False)),
    Row("[alarms] hold_s", (None, "1"), is_late_still, (True, False)),
    Row("[alarms] command", ('["true"]', '["false"]'), command_runs, ((1, 0), (1, 1))),
    Row("[alarms] command_when_ended", (None, "true"), command_runs, ((1, 0), (2, 0)), TRUE),
    Row("[alarms] command_quiet_s", (None, "0"), command_runs_twice, ((1, 0), (2, 0)), TRUE),
]  # fmt: skip
BY_THEMSELVES = {"device", "trigger", "[discovery] period_s", "[alarms] command_timeout_s"}


def reloaded_keys(table: type[Struct], path: str = "") -> Iterator[str]:
    """Yield the keys that the reference marks with *reload*."""
    hints, plain = get_type_hints(table, include_extras=True), get_type_hints(table)
    for key in fields(table):
        if is_reloaded(hints[key.name]):
            yield f"[{path}] {key.encode_name}" if path else key.encode_name
        elif isinstance(plain[key.name], type) and issubclass(plain[key.name], Struct):
            yield from reloaded_keys(plain[key.name], f"{path}.{key.encode_name}".lstrip("."))


def test_no_key_is_left_out() -> None:
    assert sorted(reloaded_keys(DaemonConfig)) == sorted([*(row.key for row in ROWS), *BY_THEMSELVES])


def rig_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, check: Callable[[Rig], Awaitable[None]]
) -> None:
    async def run() -> None:
        rig = Rig(tmp_path, monkeypatch, text)
        try:
            await rig.journals.open("alpha", "ab")
            await check(rig)
        finally:
            await rig.close()

    asyncio.run(run())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_a_key_takes_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: Row) -> None:
    """It holds as the daemon starts, and its other value from the reload on."""
    before, after = row.values
    first = {**row.given, **({} if before is None else {row.key: before})}

    async def check(rig: Rig) -> None:
        seen = await row.observe(rig)
        (change,) = await rig.reload(text_of({**row.given, row.key: after}))
        assert change.startswith(f"{row.key}: ")
        assert (seen, await row.observe(rig)) == row.seen

    rig_test(tmp_path, monkeypatch, text_of(first), check)


def test_ports_are_looked_at_as_often_as_is_said_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only once the time is over that was said before, which may be an hour."""

    async def check(rig: Rig) -> None:
        looking = asyncio.create_task(rig.discovery.run())
        try:
            await until(lambda: rig.scanned)
            await rig.reload(text_of({"[discovery] period_s": "0.001"}))
            await until(lambda: len(rig.scanned) > 4)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    rig_test(tmp_path, monkeypatch, text_of({"[discovery] period_s": "3600"}), check)


def test_what_is_asked_for_during_a_look_is_another_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would come a whole period later."""

    async def check(rig: Rig) -> None:
        look = rig.discovery.look

        async def asked_meanwhile() -> None:
            await look()
            if len(rig.scanned) == 1:
                rig.discovery.rescan()

        monkeypatch.setattr(rig.discovery, "look", asked_meanwhile)
        looking = asyncio.create_task(rig.discovery.run())
        try:
            await until(lambda: len(rig.scanned) == 2)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    rig_test(tmp_path, monkeypatch, text_of({"[discovery] period_s": "3600"}), check)


def test_an_alarm_command_has_the_time_that_is_said_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"[alarms] command": '["sleep", "60"]'}

    async def check(rig: Rig) -> None:
        await rig.reload(text_of({**given, "[alarms] command_timeout_s": "0.01"}))
        assert await command_runs(rig) == (1, 1)

    rig_test(tmp_path, monkeypatch, text_of({**given, "[alarms] command_timeout_s": "3600"}), check)


def test_devices_and_triggers_are_those_of_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = '[[device]]\nname = "beta"\nurl = "pty:/b"\n[[trigger]]\nname = "b"\nwhen = "hand"\n'

    async def check(rig: Rig) -> None:
        await rig.reload(text_of({}) + more)
        assert list(rig.bench.members) == ["alpha", "beta"]
        assert list(rig.triggers.triggers) == ["a", "b"]

    rig_test(tmp_path, monkeypatch, text_of({}), check)
