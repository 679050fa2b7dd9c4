"""What is said of a device, from what is counted: literal sights, one after the other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.config import AlarmsConfig
from spikedaq.daemon.health.devices import DeviceSight, DeviceWatch
from spikedaq.device import DeviceState

GOOD = DeviceSight(
    name="alpha", state=DeviceState.RUNNING, detail="", wanted=True, blocks=1, samples=100, missing=0,
    nominal_hz=10_000.0, block_period_s=0.01, clock_u_ns=50_000, clock_age_s=0.5,
)  # fmt: skip


class Rig:
    def __init__(self, **config: float) -> None:
        self.alarms = Alarms(lambda: 0)
        self.watch = DeviceWatch("alpha", self.alarms, AlarmsConfig(**config))
        self.sight, self.now_s = GOOD, 0.0

    def streams(self, seconds: float) -> None:
        """Let blocks come, and look four times a second."""
        for _ in range(round(seconds / 0.25)):
            self.sight = replace(self.sight, blocks=self.sight.blocks + 25, samples=self.sight.samples + 2500)
            self.look()

    def look(self, after_s: float = 0.25, **changes: object) -> None:
        self.now_s += after_s
        self.sight = replace(self.sight, **changes)  # type: ignore[arg-type]
        self.watch.look(self.sight, self.now_s)

    def quiet(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.25)):
            self.look()

    @property
    def kinds(self) -> list[str]:
        return [str(kind) for kind, _ in self.alarms.standing]


def test_a_stream_that_stops_is_told_within_two_seconds_and_forgotten_with_the_next_block() -> None:
    rig = Rig()
    rig.streams(5)
    assert rig.kinds == [] and rig.watch.streams
    rig.quiet(1.0)
    assert rig.kinds == []
    rig.quiet(0.5)
    assert rig.kinds == ["stream_stalled"] and not rig.watch.streams
    rig.look(state=DeviceState.SILENT, detail="nothing has come from it for 2.0 s")
    assert rig.kinds == ["stream_stalled"]
    rig.look(state=DeviceState.RUNNING)
    assert rig.kinds == ["stream_stalled"], "it is not over before a block has come"
    rig.streams(0.25)
    assert rig.kinds == []


def test_a_device_that_was_stopped_is_not_stalled() -> None:
    rig = Rig()
    rig.streams(1)
    rig.look(state=DeviceState.STOPPED, wanted=False)
    rig.quiet(10)
    assert rig.kinds == []


def test_long_blocks_are_waited_for() -> None:
    """A board whose blocks take two seconds is not stalled between them."""
    rig = Rig()
    rig.look(blocks=5, block_period_s=2.0, nominal_hz=50.0)
    rig.quiet(7.5)
    assert rig.kinds == []
    rig.quiet(1)
    assert rig.kinds == ["stream_stalled"]


def test_lost_and_refused_replace_each_other_and_the_stall() -> None:
    rig = Rig()
    rig.streams(1)
    rig.quiet(2)
    assert rig.kinds == ["stream_stalled"]
    rig.look(state=DeviceState.LOST, detail="/dev/ttyUSB0 does not exist; plug the board in")
    assert rig.kinds == ["device_lost"]
    for state in (DeviceState.OPENING, DeviceState.IDENTIFYING):
        rig.look(state=state)
        assert rig.kinds == ["device_lost"], "it is not back before it answers"
    rig.look(state=DeviceState.REFUSED, detail="another board")
    assert rig.kinds == ["device_refused"]
    rig.look(state=DeviceState.RUNNING)
    assert rig.kinds == []


def test_a_link_that_is_back_has_a_second_to_send_its_first_block() -> None:
    rig = Rig()
    rig.streams(1)
    rig.look(after_s=600, state=DeviceState.LOST)
    rig.look(state=DeviceState.RUNNING)
    rig.quiet(0.75)
    assert rig.kinds == []
    rig.quiet(0.75)
    assert rig.kinds == ["stream_stalled"]


@pytest.mark.parametrize(
    ("changes", "unfit"),
    [
        ({"clock_u_ns": 49_000_000, "clock_age_s": 0.0}, False),
        ({"clock_u_ns": 51_000_000, "clock_age_s": 0.0}, True),
        ({"clock_u_ns": 50_000, "clock_age_s": 499.0}, False),  # 100 ppm of it is 49.9 ms
        ({"clock_u_ns": 50_000, "clock_age_s": 501.0}, True),
        ({"clock_u_ns": None, "clock_age_s": 0.0}, True),
    ],
)
def test_a_clock_is_unfit_by_its_uncertainty_and_its_age(changes: dict[str, object], unfit: bool) -> None:
    rig = Rig()
    rig.streams(2)
    rig.look(blocks=rig.sight.blocks + 1, **changes)
    assert rig.kinds == (["clock_unfit"] if unfit else [])
    rig.look(clock_u_ns=50_000, clock_age_s=0.0)
    assert rig.kinds == []


def test_gaps_are_told_by_their_share_of_a_whole_window() -> None:
    """100 of 100000 samples are 0.1 %, the limit; one more is too many, and ten seconds later all is well."""
    rig = Rig()
    rig.streams(20)
    rig.sight = replace(rig.sight, missing=100)
    rig.streams(0.25)
    assert rig.kinds == []
    rig.sight = replace(rig.sight, missing=101)
    rig.streams(0.25)
    assert rig.kinds == ["gap_rate"]
    rig.streams(9)
    assert rig.kinds == ["gap_rate"]
    rig.streams(1.5)
    assert rig.kinds == []


def test_another_board_under_the_same_name_counts_from_zero() -> None:
    rig = Rig()
    rig.sight = replace(rig.sight, missing=5000)
    rig.streams(1)
    rig.look(samples=10, missing=0, blocks=rig.sight.blocks + 1)
    assert rig.kinds == []


def test_a_device_that_is_removed_takes_its_alarms_with_it() -> None:
    rig = Rig()
    rig.look(state=DeviceState.LOST)
    assert rig.kinds == [AlarmKind.DEVICE_LOST]
    rig.watch.end()
    assert rig.kinds == []
