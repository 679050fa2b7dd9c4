"""The trigger engine on scripted boards: what it writes, tells and commands, and what disturbs nobody."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from helpers.device_rig import FAST, WAIT_S
from helpers.scripted_board import ScriptedBoard
from spikedaq.bus import decode
from spikedaq.daemon import DaemonConfig, DeviceConfig
from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.bench import Bench
from spikedaq.daemon.commands import triggers
from spikedaq.daemon.commands.triggers import TriggerCommands
from spikedaq.daemon.config import JournalConfig
from spikedaq.daemon.config_file import trigger_from
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.leases import Leases
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.daemon.trigger_config import TriggerCommand, TriggerConfig
from spikedaq.daemon.triggers import SavedTriggers, TriggerEngine, load_triggers
from spikedaq.daemon.triggers.orders import MAX_WAITING
from spikedaq.device import DeviceState
from spikedaq.journal import JournalReader, TriggerRecord
from spikedaq.link import host_now_ns
from spikedaq.model import CommandRejected, ConfigError, StoreError
from spikedaq.outlet import Peer
from spikedaq.trigger import Watch
from spikedaq.wire import BlockMessage, EventMessage, Set, Stop

ME = Peer("local", "me")
LEVEL: dict[str, Any] = {"name": "t", "when": "level", "channel": "vm", "level": -30, "devices": ["alpha"]}
SET = {"do": "set", "device": "beta", "values": {"i_clamp": 15}}


class Bus:
    """Remembers what was published."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def publish(self, topic: str, message: bytes) -> bool:
        self.sent.append((topic, decode(message).header))
        return True

    def fired(self, device: str) -> list[dict[str, Any]]:
        topic = f"bench/{device}/events/"
        return [header for name, header in self.sent if name == topic and header["kind"] == "fired"]


class EngineRig:
    """A bench of scripted boards with an engine."""

    def __init__(self, folder: Path, boards: dict[str, ScriptedBoard], saved: SavedTriggers, *tables: Any) -> None:
        self.boards = boards
        self.folder = folder
        self.crossed_at = 0
        self.bus = Bus()
        self.alarms = Alarms(host_now_ns)
        devices = tuple(DeviceConfig(name=name, url=f"pty:/{name}") for name in boards)
        configured = tuple(trigger_from(table, source="x") for table in tables)
        self.config = DaemonConfig(devices=devices, triggers=configured)
        self.live = LiveConfig(self.config)
        self.journals = Journals(folder / "journal", JournalConfig())
        self.leases = Leases(host_now_ns)
        self.bench = Bench(self.live, self.journals, self.bus, "e", leases=self.leases, opener=self._open)
        for member in self.bench.members.values():
            member.device._timing = member.device._requests._timing = FAST
        self.engine = TriggerEngine(
            self.config,
            self.bench,
            self.journals,
            self.alarms,
            saved=saved,
            leases=self.leases,
            now_ns=host_now_ns,
        )
        self.live.listeners.append(self.engine.configure)
        self.commands = TriggerCommands(self.bench, self.engine, self.leases, folder)

    async def _open(self, url: str) -> Any:
        return await self.boards[url.removeprefix("pty:/")].open(url)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():  # noqa: ASYNC110  what is waited for is in the daemon, which has no such event
                await asyncio.sleep(0.002)

    async def ask(self, op: str, peer: Peer = ME, **args: Any) -> Any:
        operation = self.commands.operations()[f"trigger_{op}"]
        return await operation.run(peer if operation.wants_peer else peer.who, **args)

    def records(self, device: str) -> list[TriggerRecord]:
        reader = JournalReader(self.folder / "journal" / device)
        found = []
        while entries := reader.poll():
            found += [entry.item for entry in entries if isinstance(entry.item, TriggerRecord)]
        reader.close()
        return found

    def trigger(self, name: str = "t") -> Any:
        return self.engine.triggers[name]

    async def cross(self, device: str = "alpha", n: int = 1) -> int:
        """Send blocks with one crossing each, at their fifth sample; return the step of the last."""
        board, before = self.boards[device], self.bench.members[device].device.received.blocks
        step = 0
        for _ in range(n):
            step, self.crossed_at = board.step + 5, board.tick + 500
            send_vm(board, [-7000] * 5 + [3000] + [-7000] * 14)
        await self.until(lambda: self.bench.members[device].device.received.blocks >= before + n)
        return step


def send_vm(board: ScriptedBoard, vm: list[int]) -> None:
    samples = np.zeros((len(vm), 2), "<i2")
    samples[:, 0] = vm
    payload = samples.T.tobytes()
    board.send(BlockMessage(board._next(), 0, board.step, board.tick % 2**32, 100, len(vm), 0, payload, 0))
    board.step += len(vm)
    board.tick += 100 * len(vm)


@contextlib.asynccontextmanager
async def running(folder: Path, *tables: Any, saved: SavedTriggers | None = None) -> AsyncIterator[EngineRig]:
    boards = {name: ScriptedBoard(unique_id=name.encode()) for name in ("alpha", "beta")}
    rig = EngineRig(folder, boards, saved or SavedTriggers(), *tables)
    tasks = [asyncio.create_task(rig.engine.run()), asyncio.create_task(rig.bench.run())]
    try:
        await rig.until(lambda: all(m.device.state is DeviceState.RUNNING for m in rig.bench.members.values()))
        yield rig
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await rig.journals.close()


def test_a_firing_is_written_told_and_acted_upon(tmp_path: Path) -> None:
    """Record and message on every target, the mark where it fired, the command on another board, with its origin."""

    async def test() -> None:
        table = {**LEVEL, "pre_s": 1, "post_s": 2.5, "targets": ["beta"], "command": [SET]}
        async with running(tmp_path, table) as rig:
            step = await rig.cross()
            await rig.until(lambda: rig.trigger().commands["done"])
            (sets,) = [m for m in rig.boards["beta"].seen if isinstance(m, Set)]
            assert tuple(sets.pairs) == (0, 15.0)
            (record,) = rig.records("beta")
            (mark,) = rig.records("alpha")
            tick = rig.crossed_at
            assert (record.trigger, record.device, record.boot_id, record.step) == ("t", "alpha", 7, step)
            assert (record.tick, record.value, record.pre_us, record.post_us) == (tick, 30.0, 1_000_000, 2_500_000)
            assert (mark.step, mark.tick, mark.pre_us, mark.post_us) == (step, tick, 0, 0)
            clock_map = rig.bench.members["alpha"].device.clock.map
            assert clock_map is not None and abs(record.t_trigger_ns - clock_map.host_ns(tick)) < 1_000_000
            (told,) = rig.bus.fired("beta")
            assert (told["trigger"], told["number"], told["device"], told["step"]) == ("t", 1, "alpha", step)
            assert (told["value"], told["pre_us"], told["t_ns"]) == (30.0, 1_000_000, record.t_trigger_ns)
            assert [h["pre_us"] for h in rig.bus.fired("alpha")] == [0]
            # The message comes after that of the block it is about.
            kinds = [t.split("/")[2] + str(h.get("kind", "")) for t, h in rig.bus.sent if t.startswith("bench/alpha/")]
            assert kinds.index("samples") < kinds.index("eventsfired")

    asyncio.run(test())


def test_each_command_does_what_it_says(tmp_path: Path) -> None:
    """In the order given, on the device that fired where none is named."""

    async def test() -> None:
        commands = [
            {"do": "set", "values": {"i_clamp": 1, "preset": 3}},
            {"do": "stimulus", "rows": [100, 200], "loop": True},
            {"do": "play"},
            {"do": "stimulus_stop"},
            {"do": "stop"},
            {"do": "start"},
        ]
        async with running(tmp_path, {**LEVEL, "command": commands}) as rig:
            before = len(rig.boards["alpha"].seen)
            await rig.cross()
            await rig.until(lambda: rig.trigger().commands["done"] == len(commands))
            kinds = [type(m).__name__ for m in rig.boards["alpha"].seen[before:]]
            kinds = [kind for kind in kinds if kind not in ("Ping", "Describe")]
            assert kinds == ["Set", "StimulusBegin", "StimulusData", "StimulusPlay", "StimulusPlay", "StimulusStop",
                             "Stop", "Start"]  # fmt: skip
            assert not [m for m in rig.boards["beta"].seen if isinstance(m, Set)]
            assert not rig.alarms.standing

    asyncio.run(test())


def test_a_board_that_does_not_answer_holds_nobody_up(tmp_path: Path) -> None:
    """Blocks go on, every firing is written; commands time out, or find no room; each is counted, an alarm stands."""

    async def test() -> None:
        async with running(tmp_path, {**LEVEL, "holdoff_s": 0.001, "command": [SET], "within_s": 60}) as rig:
            rig.boards["beta"].deaf.add(Set)
            await rig.cross(n=3 * MAX_WAITING)
            assert len(rig.records("alpha")) == 3 * MAX_WAITING
            commands = rig.trigger().commands
            assert commands["dropped"] >= MAX_WAITING - 1
            await rig.until(lambda: commands["failed"] + commands["dropped"] == 3 * MAX_WAITING)
            (alarm,) = rig.alarms.standing.values()
            assert (alarm.kind, alarm.subject) == (AlarmKind.TRIGGER_COMMAND, "beta")
            assert "'set' of trigger 't' to beta was not carried out" in alarm.text
            rig.boards["beta"].deaf.clear()
            await rig.cross()
            await rig.until(lambda: not rig.alarms.standing)
            assert commands["done"] == 1

    asyncio.run(test())


def test_a_command_that_has_become_too_late_is_not_sent(tmp_path: Path) -> None:
    """The first waits for its answers in vain; those behind it are older than `within_s` by then."""

    async def test() -> None:
        async with running(tmp_path, {**LEVEL, "command": [SET], "within_s": 0.01}) as rig:
            rig.boards["beta"].deaf.add(Set)
            await rig.cross(n=3)
            commands = rig.trigger().commands
            await rig.until(lambda: sum(commands.values()) == 3)
            assert commands["late"] >= 2 and not commands["done"]
            assert any("within 0.01 s" in a.text or "did not answer" in a.text for a in rig.alarms.standing.values())

    asyncio.run(test())


def test_a_lease_keeps_triggers_of_others_from_writing(tmp_path: Path) -> None:
    """Armed before the lease was taken: it still records, and writes only once its own person has the lease."""

    async def scenario() -> None:
        async with running(tmp_path) as rig:
            await rig.ask("arm", trigger={"name": "t", **LEVEL, "holdoff_s": 0.001, "command": [SET]})
            rig.leases.take("beta", "somebody", "somebody else")
            await rig.cross()
            await rig.until(lambda: rig.trigger().commands["failed"] == 1)
            (alarm,) = rig.alarms.standing.values()
            assert "leased by somebody else" in alarm.text
            assert rig.records("alpha"), "it is a trigger all the same"
            rig.leases.release("beta", "somebody")
            rig.leases.take("beta", ME.holder, ME.who)
            await rig.cross()
            await rig.until(lambda: rig.trigger().commands["done"] == 1)
            assert not rig.alarms.standing

    asyncio.run(scenario())


@pytest.mark.parametrize("armed", ["by the configuration", "by another"])
def test_fired_by_hand_it_writes_in_the_name_of_who_fires(tmp_path: Path, armed: str) -> None:
    """An answer "ok" has its effect: the lease that was asked about is that of the one whose command is sent."""
    table = {"name": "t", "when": "hand", "command": [{"do": "set", "values": {"i_clamp": 15}}], "targets": ["beta"]}

    async def scenario() -> None:
        async with running(tmp_path, *([] if armed == "by another" else [table])) as rig:
            if armed == "by another":
                await rig.ask("arm", Peer("other", "another"), trigger=table)
            rig.leases.take("alpha", "somebody", "somebody else")  # where nothing is sent
            rig.leases.take("beta", ME.holder, ME.who)
            await rig.ask("fire", name="t")
            commands = rig.trigger().commands
            await rig.until(lambda: sum(commands.values()))
            assert commands == {"done": 1}
            with pytest.raises(CommandRejected) as caught:
                await rig.ask("fire", Peer("other", "another"), name="t")
            assert caught.value.code == "leased"

    asyncio.run(scenario())


def test_the_alarm_of_a_command_ends_with_its_trigger(tmp_path: Path) -> None:
    """Also where one that was waiting fails after that."""

    async def scenario() -> None:
        async with running(tmp_path, {**LEVEL, "command": [SET], "within_s": 0.01}) as rig:
            rig.boards["beta"].refuse[Set] = (5, "not now")
            await rig.cross()
            await rig.until(lambda: rig.alarms.standing)
            rig.boards["beta"].refuse.clear()
            rig.boards["beta"].deaf.add(Set)
            commands = rig.trigger().commands
            await rig.cross(n=2)
            await rig.ask("disarm", name="t")
            assert not rig.alarms.standing
            await rig.until(lambda: sum(commands.values()) == 3)
            assert not rig.alarms.standing

    asyncio.run(scenario())


def test_every_device_can_be_written_with_a_star(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path, {**LEVEL, "devices": ["*"]}) as rig:
            await rig.ask("arm", trigger={**LEVEL, "name": "u", "devices": ["*"]})
            await rig.cross("beta")
            assert sorted(record.trigger for record in rig.records("beta")) == ["t", "u"]
            assert not rig.alarms.standing

    asyncio.run(scenario())


def test_a_refused_command_is_counted(tmp_path: Path) -> None:
    """What the board says stands in the alarm."""

    async def test() -> None:
        async with running(tmp_path, {**LEVEL, "command": [{"do": "stop", "device": "beta"}]}) as rig:
            rig.boards["beta"].refuse[Stop] = (5, "not now")
            await rig.cross()
            await rig.until(lambda: rig.trigger().commands["failed"] == 1)
            assert "not now" in next(iter(rig.alarms.standing.values())).text

    asyncio.run(test())


def test_a_reboot_and_a_lost_link_fire_nothing(tmp_path: Path) -> None:
    """Below the level before, above it after: no firing; then the next crossing fires."""

    async def test() -> None:
        async with running(tmp_path, LEVEL) as rig:
            board, device = rig.boards["alpha"], rig.bench.members["alpha"].device
            send_vm(board, [-7000] * 20)
            await rig.until(lambda: device.received.blocks == 1)
            board.reboot()
            await rig.until(lambda: device.info is not None and device.info.boot_id == 8 and board.running)
            send_vm(board, [3000] * 20)
            await rig.until(lambda: device.received.blocks == 2)
            assert not rig.records("alpha")
            step = await rig.cross()
            assert [(r.boot_id, r.step) for r in rig.records("alpha")] == [(8, step)]
            send_vm(board, [-7000] * 20)
            board.unplug()
            board.step += 100
            await rig.until(lambda: device.reconnects == 1 and device.state is DeviceState.RUNNING)
            blocks = device.received.blocks
            send_vm(board, [3000] * 20)
            await rig.until(lambda: device.received.blocks == blocks + 1)
            assert len(rig.records("alpha")) == 1

    asyncio.run(test())


def test_a_trigger_that_cannot_look_raises_an_alarm(tmp_path: Path) -> None:
    """A channel or a device that is not there: named, and ended by disarming."""

    async def test() -> None:
        tables = ({**LEVEL, "channel": "vmm"}, {"name": "u", "when": "hand", "targets": ["gamma"]})
        async with running(tmp_path, *tables) as rig:
            await rig.cross()
            alarms = {subject: alarm.text for (kind, subject), alarm in rig.alarms.standing.items()}
            assert "alpha: there is no channel 'vmm'; there are: vm, stimulus" in alarms["t"]
            assert "the bench has no device 'gamma'" in alarms["u"]
            assert (await rig.ask("list"))[0]["problems"]
            for name in ("t", "u"):
                await rig.ask("disarm", name=name)
            assert not rig.alarms.standing

    asyncio.run(test())


def test_a_defect_in_one_trigger_ends_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken one is left alone with an alarm; acquisition and the others go on."""

    async def test() -> None:
        async with running(tmp_path, LEVEL, {**LEVEL, "name": "broken", "channel": "stimulus"}) as rig:
            right = Watch.block

            def wrong(self: Watch, block: Any) -> Any:
                if self._detector is not None and self._detector._index == 1:  # type: ignore[attr-defined]
                    raise ZeroDivisionError
                return right(self, block)

            monkeypatch.setattr(Watch, "block", wrong)
            await rig.cross(n=3)
            assert [r.trigger for r in rig.records("alpha")] == ["t", "t", "t"]
            assert [subject for _, subject in rig.alarms.standing] == ["broken"]

    asyncio.run(test())


def test_by_hand(tmp_path: Path) -> None:
    """Any armed trigger, into the journals of its targets or of the whole bench, with no device's step."""

    async def test() -> None:
        hand = {"name": "h", "when": "hand", "pre_s": 60, "command": [{"do": "stop"}]}
        async with running(tmp_path, hand, {**LEVEL, "command": [SET]}) as rig:
            value = await rig.ask("fire", name="h")
            assert value["written"] == ["alpha", "beta"] and value["firings"] == 1
            (record,) = rig.records("beta")
            assert (record.device, record.boot_id, record.step, record.tick) == ("", 0, 0, 0)
            assert (record.pre_us, record.post_us) == (60_000_000, 0) and np.isnan(record.value)
            assert rig.bus.fired("alpha")[0]["value"] is None
            await rig.until(lambda: rig.trigger("h").commands["done"] == 2)
            assert (await rig.ask("fire", name="t"))["written"] == ["alpha"]
            await rig.ask("disarm", name="h")
            with pytest.raises(CommandRejected, match="disarmed; arm it first"):
                await rig.ask("fire", name="h")
            with pytest.raises(CommandRejected, match="there is no trigger 'x'"):
                await rig.ask("fire", name="x")

    asyncio.run(test())


def test_arming_is_kept_over_a_restart(tmp_path: Path) -> None:
    """What was armed by request is armed again; what was disarmed is not; forgotten ones are gone."""

    async def first() -> None:
        async with running(tmp_path, {"name": "c", "when": "hand"}) as rig:
            assert (await rig.ask("arm", trigger=LEVEL))["state"] == "armed"
            assert (await rig.ask("arm", trigger=LEVEL))["state"] == "armed"
            await rig.ask("arm", trigger={"name": "gone", "when": "hand"})
            await rig.ask("disarm", name="gone", forget=True)
            await rig.ask("arm", trigger={"name": "off", "when": "hand"})
            await rig.ask("disarm", name="off")
            await rig.ask("disarm", name="c")
            await rig.cross()
            assert len(rig.records("alpha")) == 1

    async def second() -> None:
        saved = load_triggers(tmp_path)
        async with running(tmp_path / "again", {"name": "c", "when": "hand"}, saved=saved) as rig:
            states = {t["name"]: (t["state"], t["configured"]) for t in await rig.ask("list")}
            assert states == {"c": ("disarmed", True), "t": ("armed", False), "off": ("disarmed", False)}
            await rig.cross()
            assert len(rig.records("alpha")) == 1
            rig.folder = tmp_path
            assert (await rig.ask("arm", name="c"))["state"] == "armed"
            # A definition may take the place of one that is disarmed.
            assert (await rig.ask("arm", trigger={"name": "off", "when": "stimulus"}))["state"] == "armed"

    asyncio.run(first())
    asyncio.run(second())


def test_what_cannot_be_kept_is_not_armed(tmp_path: Path) -> None:
    """A full disk: refused, and nothing has changed."""

    async def test() -> None:
        async with running(tmp_path) as rig:
            rig.commands._folder = tmp_path / "nowhere"
            with pytest.raises(StoreError, match="nothing was changed"):
                await rig.ask("arm", trigger=LEVEL)
            assert await rig.ask("list") == []

    asyncio.run(test())


@pytest.mark.parametrize("text", ["", "[]", '{"defined": [{"name": "x"}], "disarmed": []}', '{"defined": 3}', "\xff"])
def test_a_damaged_file_of_triggers_is_said(tmp_path: Path, text: str) -> None:
    """It names itself and the remedy; no other error gets out."""
    (tmp_path / "triggers.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(StoreError, match=r"triggers\.json.*arm them again"):
        load_triggers(tmp_path)


def test_the_alarm_of_a_damaged_file_ends_when_it_is_written(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(tmp_path) as rig:
            rig.alarms.put(AlarmKind.TRIGGER_UNUSABLE, "", "triggers.json cannot be used; arm them again")
            await rig.ask("arm", trigger=LEVEL)
            assert not rig.alarms.standing

    asyncio.run(test())


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "needs the 'name'"),
        ({"name": "x", "trigger": LEVEL}, "needs the 'name'"),
        ({"name": "x"}, "there is no trigger 'x'; there are: c"),
        ({"trigger": 3}, "must be a map"),
        ({"trigger": {**LEVEL, "devices": ["alhpa"]}}, "no device 'alhpa'; did you mean 'alpha'?"),
        ({"trigger": {**LEVEL, "targets": ["gamma"]}}, "no device 'gamma'"),
        ({"trigger": {**LEVEL, "channel": "v"}}, "trigger 't' on alpha: there is no channel 'v'"),
        ({"trigger": {**LEVEL, "command": [{**SET, "values": {"i_clmp": 1}}]}}, "did you mean 'i_clamp'?"),
        ({"trigger": {**LEVEL, "command": [{"do": "set", "values": {"i_clamp": 1e6}}]}}, "i_clamp of alpha cannot be"),
        ({"trigger": {"name": "c", "when": "stimulus"}}, "stands in the configuration"),
    ],
)
def test_arming_refuses_what_is_not_there(tmp_path: Path, args: dict[str, Any], words: str) -> None:
    """Devices, channels, parameters and values are checked against the boards as they are; nothing changes."""

    async def test() -> None:
        async with running(tmp_path, {"name": "c", "when": "hand"}) as rig:
            with pytest.raises((CommandRejected, ConfigError)) as caught:
                await rig.ask("arm", **args)
            assert words in str(caught.value)
            assert [t["name"] for t in await rig.ask("list")] == ["c"]

    asyncio.run(test())


def test_bounds_and_leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many triggers and no more; no commands to a board that somebody else has the lease of."""

    async def test() -> None:
        async with running(tmp_path) as rig:
            monkeypatch.setattr(triggers, "MAX_TRIGGERS", 5)
            for number in range(5):
                await rig.ask("arm", trigger={"name": f"t{number}", "when": "hand"})
            with pytest.raises(CommandRejected) as caught:
                await rig.ask("arm", trigger={"name": "more", "when": "hand"})
            assert caught.value.code == "too_many"
            await rig.ask("disarm", name="t0", forget=True)
            rig.leases.take("beta", "somebody", "somebody else")
            with pytest.raises(CommandRejected) as caught:
                await rig.ask("arm", trigger={**LEVEL, "command": [SET]})
            assert caught.value.code == "leased"
            await rig.ask("arm", trigger={**LEVEL, "targets": ["beta"]})
            with pytest.raises(CommandRejected, match="armed already"):
                await rig.ask("arm", trigger={**LEVEL, "level": 0})

    asyncio.run(test())


def test_a_reload_changes_what_changed(tmp_path: Path) -> None:
    """The same definition goes on with its counts; a new one is armed, one that is gone is looked for no more."""

    async def test() -> None:
        async with running(tmp_path, LEVEL, {**LEVEL, "name": "out"}) as rig:
            await rig.cross()
            new = (*rig.config.triggers[:1], trigger_from({**LEVEL, "name": "in"}, source="x"))
            rig.live.change(DaemonConfig(devices=rig.config.devices, triggers=new))
            await rig.cross()
            assert {t["name"]: t["firings"] for t in await rig.ask("list")} == {"t": 2, "in": 1}
            assert sum(r.trigger == "out" for r in rig.records("alpha")) == 1

    asyncio.run(test())


def test_a_reload_arms_nothing(tmp_path: Path) -> None:
    """One that somebody disarmed stays so when its definition changes, as over a restart; who armed it counts on."""

    async def test() -> None:
        async with running(tmp_path, LEVEL, {**LEVEL, "name": "u"}) as rig:
            await rig.ask("disarm", name="t")
            await rig.ask("arm", name="u")
            changed = tuple(trigger_from({**LEVEL, "name": n, "level": -20}, source="x") for n in ("t", "u", "v"))
            rig.live.change(DaemonConfig(devices=rig.config.devices, triggers=changed))
            assert [rig.trigger(n).armed for n in ("t", "u", "v")] == [False, True, True]
            assert rig.trigger("u").armed_by == ME.holder

    asyncio.run(test())


def test_devices_come_and_go(tmp_path: Path) -> None:
    """A trigger on every device looks at one that is added, too; one that is removed takes its commands with it."""

    async def test() -> None:
        everywhere = {key: value for key, value in LEVEL.items() if key != "devices"}
        async with running(tmp_path, {**everywhere, "command": [SET]}) as rig:
            rig.boards["gamma"] = ScriptedBoard(unique_id=b"gamma")
            member = rig.bench.add(DeviceConfig(name="gamma", url="pty:/gamma"))
            await rig.until(lambda: member.device.state is DeviceState.RUNNING)
            await rig.cross("gamma")
            assert [r.device for r in rig.records("gamma")] == ["gamma"]
            await rig.bench.remove(["beta"])
            assert [subject for _, subject in rig.alarms.standing] == ["t"]
            await rig.cross("alpha")
            await rig.until(lambda: sum(rig.trigger().commands.values()) == 2)
            rig.boards["beta"] = ScriptedBoard(unique_id=b"beta")
            rig.bench.add(DeviceConfig(name="beta", url="pty:/beta"))
            assert not rig.alarms.standing

    asyncio.run(test())


def test_events_fire_at_once(tmp_path: Path) -> None:
    """A device's own event, with its step, tick and value."""

    async def test() -> None:
        async with running(tmp_path, {"name": "e", "when": "event", "event": "spike", "devices": ["beta"]}) as rig:
            board = rig.boards["beta"]
            send_vm(board, [0] * 20)
            step, tick = board.step, board.tick  # its clock goes on meanwhile
            board.send(EventMessage(board._next(), 0, step, tick % 2**32, 0, 12.5))
            await rig.until(lambda: rig.trigger("e").firings == 1)
            (record,) = rig.records("beta")
            assert (record.step, record.tick, record.value) == (step, tick, 12.5)

    asyncio.run(test())


_KEYS = [info.encode_name for table in (TriggerConfig, TriggerCommand) for info in fields(table)]
_WORDS = ["level", "spikes", "rate", "stimulus", "event", "hand", "set", "rising", "*", "", "vm", "any", "play"]
_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.sampled_from(_WORDS),
    st.text(max_size=5), st.binary(max_size=4),
)  # fmt: skip
_NAMES = st.one_of(st.sampled_from(_KEYS), st.text(max_size=5), st.binary(max_size=3))
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_NAMES, inner, max_size=5)),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(_NAMES, _TREES, max_size=6), st.sampled_from(_WORDS), st.booleans())
def test_whatever_a_request_brings(values: dict[Any, Any], when: str, named: bool) -> None:
    """Any map that msgpack can carry is a definition, or refused in words."""
    table = {**values, "name": "a", "when": when} if named else values
    carried = msgpack.unpackb(msgpack.packb(table))
    with contextlib.suppress(ConfigError):
        config = trigger_from(carried, source="x")
        assert trigger_from(json.loads(json.dumps(config.to_map())), source="x") == config
