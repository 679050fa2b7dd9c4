"""What a live handle makes of a board's messages: boots, clocks that are not known yet, journals that were deleted."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import quantities as pq

import spikedaq.pynn
from spikedaq.bus import Message
from spikedaq.inlet import Bench
from spikedaq.model import (
    ChannelInfo,
    ClampMode,
    CommandError,
    CommandRejected,
    CommandTimeout,
    ConfigError,
    RecordingWarning,
    RemoteProtocolError,
)
from spikedaq.pynn import opening
from spikedaq.pynn.live import _MAX_WAITING
from spikedaq.pynn.resets import reset_of
from spikedaq.store import StoredNote

HOST_NS, UTC_NS = 5_000_000_000_000, 1_777_628_096_000_000_000
"""The bench's clock as the handle is made; model steps are counted from there."""


class Reading:
    def __init__(self, messages: list[Message], holes: int) -> None:
        self.holes = holes
        self._messages = messages

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages)


class FakeBench(Bench):
    """A bench that tells what it is given, once; what was asked for is noted."""

    def __init__(self, *names: str) -> None:
        self.name = "bench"
        self.messages: list[Message] = []
        self.holes = 0
        self.host_ns = HOST_NS
        self.called: list[Any] = []
        self.refused: dict[tuple[str, str], Exception] = {}
        self.asked: list[dict[str, Any]] = []
        self.client = SimpleNamespace(call=self._call, close=lambda: None)  # type: ignore[assignment]
        self._names = list(names) or ["alpha"]
        self.n_closed = 0

    def _call(self, op: str, **args: Any) -> Any:
        if op == "clock":
            return {"host_ns": self.host_ns, "utc_ns": UTC_NS + self.host_ns - HOST_NS}
        if error := self.refused.get((op, args["device"])):
            raise error
        self.called.append((op, args))
        self.host_ns += 2_000_000  # a board takes its time
        return None

    @property
    def devices(self) -> list[str]:
        return self._names

    def describe(self, device: str) -> dict[str, Any]:
        if device == "absent":
            raise CommandRejected("absent is not connected", code="not_connected")
        return {"step_us": 100}

    def channels(self, device: str, mode: ClampMode) -> list[ChannelInfo]:
        second = (
            ChannelInfo("stimulus", "%", 1, 0) if mode is ClampMode.CURRENT else ChannelInfo("v_command", "mV", 1, -2)
        )
        return [ChannelInfo("vm", "mV", 1, -2), second]

    def history(self) -> Any:
        return SimpleNamespace(read=self._read, close=self._closed)

    def _read(self, device: str, **asked: Any) -> Reading:
        self.asked.append(asked)
        told, self.messages = self.messages, []
        return Reading(told, self.holes)

    def _closed(self) -> None:
        self.n_closed += 1


def block(
    step: int, n: int = 100, *, boot: int = 1, timed: bool = True, mode: str = "current", n_channels: int = 2
) -> Message:
    """Value of sample k is its step, modulo 10 000, in hundredths of a mV."""
    values = np.repeat((np.arange(step, step + n) % 10_000).astype("<i2")[:, None], n_channels, axis=1)
    header = {"boot": boot, "seq": step // 100, "step": step, "tick": step * 100, "step_us": 100, "count": n,
              "channels": n_channels, "layout": "channel-major", "mode": mode, "flags": 0,
              "t_ns": HOST_NS + step * 100_000 if timed else None}  # fmt: skip
    return Message("bench/alpha/samples/", header, values.T.tobytes())


def spike(step: int, *, boot: int = 1, timed: bool = True) -> Message:
    header = {"kind": "spike", "boot": boot, "seq": step // 100, "step": step, "tick": step * 100,
              "t_ns": HOST_NS + step * 100_000 if timed else None}  # fmt: skip
    return Message("bench/alpha/events/", header)


@pytest.fixture
def bench() -> FakeBench:
    return FakeBench()


@pytest.fixture
def alpha(bench: FakeBench) -> spikedaq.pynn.Population:
    return spikedaq.pynn.connect(bench)["alpha"]


def test_blocks_become_one_signal(bench: FakeBench, alpha: spikedaq.pynn.Population) -> None:
    """From the beginning of the run on, in units; asked for once each."""
    bench.messages = [block(-50), block(50), spike(120), block(150), Message("bench/alpha/events/", {"kind": "note"})]
    (segment,) = alpha.get_data().segments
    (v,) = segment.filter(name="v")
    assert (v.shape, float(v.t_start.rescale("ms"))) == ((250, 1), 0)
    np.testing.assert_allclose(v.magnitude[:, 0], np.arange(250) / 100)
    assert segment.spiketrains[0].magnitude.tolist() == pytest.approx([12.0])
    assert segment.rec_datetime.isoformat() == "2026-05-01T09:34:56"
    alpha.get_data()
    assert bench.asked == [{"after": None, "t_ns": HOST_NS}, {"after": (1, 1), "t_ns": None}]


def test_a_boot_begins_a_run_and_a_lost_block_is_nan(bench: FakeBench, alpha: spikedaq.pynn.Population) -> None:
    bench.messages = [block(0), block(200), block(1000, boot=2), spike(1050, boot=2)]
    first, second = alpha.get_data().segments
    assert [s.annotations["run_begins"] for s in (first, second)] == ["start", "boot"]
    (v,) = first.filter(name="v")
    assert np.flatnonzero(np.isnan(v.magnitude[:, 0])).tolist() == list(range(100, 200))
    assert second.filter(name="v")[0].shape == (100, 1)
    assert second.spiketrains[0].magnitude.tolist() == pytest.approx([5.0])


def test_what_came_before_its_clock_was_known_is_put_in_its_place(
    bench: FakeBench, alpha: spikedaq.pynn.Population
) -> None:
    """By the board's own microseconds, over as many calls as it takes."""
    bench.messages = [block(0, timed=False), spike(50, timed=False), block(100, timed=False)]
    assert len(alpha.get_data().segments[0].analogsignals) == 0
    bench.messages = [block(200), block(300, timed=False)]
    (segment,) = alpha.get_data().segments
    np.testing.assert_allclose(segment.filter(name="v")[0].magnitude[:, 0], np.arange(400) / 100)
    assert segment.spiketrains[0].magnitude.tolist() == pytest.approx([5.0])


def test_what_never_gets_a_time_is_counted(bench: FakeBench, alpha: spikedaq.pynn.Population) -> None:
    """A boot that ended before its clock was known, and more than may wait."""
    bench.messages = [block(0, timed=False), block(500, boot=2)]
    with pytest.warns(RecordingWarning, match="alpha: 100 samples and 0 spikes were let go"):
        assert alpha.get_data().annotations["dropped_samples"] == 100
    bench.messages = [block(k, n=1, boot=3, timed=False) for k in range(_MAX_WAITING + 7)]
    with pytest.warns(RecordingWarning):
        assert alpha.get_data().annotations["dropped_samples"] == 107


def test_what_the_journal_had_deleted_is_said(bench: FakeBench, alpha: spikedaq.pynn.Population) -> None:
    bench.messages, bench.holes = [block(0)], 1
    assert alpha.get_data().annotations["unavailable"] == 0  # before the first run there is nothing to miss
    bench.messages = [block(50_000)]
    with pytest.warns(RecordingWarning, match="1 times the journal had deleted"):
        found = alpha.get_data()
    assert found.annotations["unavailable"] == 1
    assert [s.annotations["run_begins"] for s in found.segments] == ["start", "gap"]


def test_each_clamp_mode_has_its_channels(bench: FakeBench, alpha: spikedaq.pynn.Population) -> None:
    bench.messages = [block(0), block(100, mode="voltage")]
    alpha.get_data()
    assert alpha.variables == ["v", "stimulus", "v_command", "spikes"]
    first, second = alpha.get_data().segments
    assert [[s.name for s in one.analogsignals] for one in (first, second)] == [["v", "stimulus"], ["v", "v_command"]]
    assert second.annotations["run_begins"] == "clamp"
    np.testing.assert_allclose(second.analogsignals[1].magnitude[:, 0], np.arange(100, 200) / 100)


def test_other_channels_than_described_are_refused(bench: FakeBench, alpha: spikedaq.pynn.Population) -> None:
    """And the connection to the history is made anew."""
    bench.messages = [block(0, n_channels=3)]
    with pytest.raises(RemoteProtocolError, match="alpha sends 3 channels and describes 2; connect again"):
        alpha.get_data()
    assert bench.n_closed == 1


def test_a_reset_takes_all_devices_and_is_noted() -> None:
    """The last run ends before the first board is reset, the next begins after the last one is."""
    both = spikedaq.pynn.connect(FakeBench("alpha", "beta"))
    bench = both._devices[0].connection
    bench.host_ns += 100_000_000
    both.reset(annotations={"dose": 2 * pq.mV})
    assert [(op, args.get("scope")) for op, args in bench.called] == [("reset", "neuron")] * 2 + [("note", None)] * 2
    for device, (_, args) in zip(both._devices, bench.called[2:], strict=True):
        (reset,) = device.resets
        assert (reset.ended_s, reset.began_s) == pytest.approx((0.1, 0.104))
        found = reset_of(StoredNote(0.2, HOST_NS + 200_000_000, args["text"], "cli", 0))
        assert found is not None
        assert (found.ended_s, found.began_s, found.annotations) == (
            pytest.approx(0.1), pytest.approx(0.104), {"dose": 2 * pq.mV},
        )  # fmt: skip
    both.reset(model=False)
    assert [op for op, _ in bench.called[4:]] == ["note", "note"]


@pytest.mark.parametrize(
    ("op", "error", "message", "n_resets"),
    [
        ("reset", CommandRejected("no", code="unsupported"), "beta did not reset: no; alpha did, and has", [1, 0]),
        ("reset", CommandTimeout("late", code="timeout"), "beta may not have reset: late; alpha did, and has", [1, 0]),
        (
            "note",
            CommandRejected("no", code="leased"),
            "the reset of beta could not be noted: no; alpha, beta did",
            [1, 1],
        ),
    ],
)
def test_half_a_reset_is_told(op: str, error: Exception, message: str, n_resets: list[int]) -> None:
    both = spikedaq.pynn.connect(FakeBench("alpha", "beta"))
    both._devices[0].connection.refused[op, "beta"] = error
    with pytest.raises(CommandError, match=message) as caught:
        both.reset()
    assert caught.value.code == error.code  # type: ignore[attr-defined]
    assert [len(device.resets) for device in both._devices] == n_resets


def test_names_that_segments_have_are_no_annotations(alpha: spikedaq.pynn.Population) -> None:
    with pytest.raises(ConfigError, match="begins_s is what a segment says of itself"):
        alpha.reset(annotations={"begins_s": 3})


def test_a_device_that_is_away_is_named() -> None:
    with pytest.raises(ConfigError, match=r"absent on bench cannot be used now: .*; plug it in, or name the others"):
        spikedaq.pynn.connect(FakeBench("alpha", "absent"))
    assert [p.label for p in spikedaq.pynn.connect(FakeBench("alpha", "absent"), devices=["alpha"]).populations] == [
        "alpha"
    ]
    with pytest.raises(ConfigError, match="bench has no devices"):
        opening._assembled([FakeBench()], [], [], 1)
