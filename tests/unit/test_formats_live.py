"""Spikes and loops of a running bench: what is told live is what the recording says afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.formats_recordings import Maker, device_info, spiking
from spikedaq.bus import SAMPLES, Message, Unavailable, topic_for
from spikedaq.bus.samples import payload_of, samples_header
from spikedaq.cli.main import main
from spikedaq.formats.found_spikes import SpikeRule
from spikedaq.formats.live_analysis import LiveAnalysis
from spikedaq.formats.live_recording import LiveRecording
from spikedaq.formats.loop_averages import LoopRule
from spikedaq.model import Block, BlockFlag, ChannelInfo, ClampMode, ConfigError
from store_data import CHANNELS, CLAMP_CHANNELS

BLOCK = 100


def message(first_step: int, rows: np.ndarray, *, boot: int = 7, mode: ClampMode = ClampMode.CURRENT) -> Message:
    """A block as it is on the bus."""
    flags = BlockFlag.VOLTAGE_CLAMP if mode is ClampMode.VOLTAGE else BlockFlag(0)
    block = Block(boot, 0, 0, first_step, first_step * 100, 100, flags, rows)
    header = samples_header(block, n=0, epoch="e", t_ns=None, u_ns=None)
    return Message(topic_for("bench", "alpha", SAMPLES), header, payload_of(block))


def blocks(first_step: int, rows: np.ndarray, **of: Any) -> list[Message]:
    return [message(first_step + k, rows[k : k + BLOCK], **of) for k in range(0, len(rows), BLOCK)]


class FakeFollower:
    def __init__(self, items: list[Message | Unavailable]) -> None:
        self.items: Iterator[Message | Unavailable] = iter(items)
        self.closed = False

    def next(self, timeout_s: float) -> Message | Unavailable | None:
        return next(self.items, None)

    def close(self) -> None:
        self.closed = True


class FakeBench:
    """Its devices send what they are given."""

    def __init__(self, **items: list[Message | Unavailable]) -> None:
        self.followers = {name: FakeFollower(those) for name, those in items.items()}

    @property
    def devices(self) -> list[str]:
        return list(self.followers)

    def status(self) -> dict[str, Any]:
        return {"devices": [{"name": name, "sequence": "counted"} for name in self.followers]}

    def channels(self, device: str, mode: ClampMode) -> tuple[ChannelInfo, ...]:
        return CLAMP_CHANNELS if mode is ClampMode.VOLTAGE else CHANNELS

    def follow(self, device: str, **_: object) -> FakeFollower:
        return self.followers[device]


def followed(rule: LoopRule | None = None, **items: list[Message | Unavailable]) -> LiveAnalysis:
    analysis = LiveAnalysis(FakeBench(**items), [], SpikeRule(), rule)
    while analysis.poll(0.0):
        pass
    return analysis


def offline(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[dict[str, Any], Path]:
    out = folder / "offline"
    assert main([*map(str, arguments), "--json", "--out", str(out)]) == 0
    return json.loads(capsys.readouterr().out), out


# A gap of 110 samples from step 1000 on, in which a loop ends; pieces that are no whole blocks.
PIECES = [(0, 1000), (1110, 91), (1201, 900)]


def live_blocks() -> list[Message | Unavailable]:
    return [one for first, n in PIECES for one in blocks(first, spiking(n, start=first))]


@pytest.fixture
def session(tmp_path: Path) -> Path:
    maker = Maker(tmp_path / "demo").open().samples(0, spiking(1000)).gap(1000, 110)
    maker.samples(1110, spiking(991, start=1110)).close()
    return tmp_path / "demo"


def test_spikes_are_those_of_the_recording(session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers, and tables to the byte; nothing in the gap or right after it."""
    document, out = offline(tmp_path, capsys, "spikes", session)
    (recording,) = followed(alpha=live_blocks()).recordings
    expected = document["neurons"][0]
    found = recording.document("vm")
    for key in ("path", "recording", "notes"):
        expected.pop(key)
        found.pop(key, None)
    assert {key: pytest.approx(value, nan_ok=True) for key, value in expected.items()} == found
    tables = recording.spike_tables("vm")
    assert sorted(table.name for table in tables) == sorted(path.name for path in out.iterdir())
    for table in tables:
        assert "".join(table.lines()) == (out / table.name).read_text(), table.name


def test_averages_are_those_of_the_recording(session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The loop with the gap and the one that was cut by the end are left out, in both."""
    document, out = offline(tmp_path, capsys, "average", session)
    (recording,) = followed(LoopRule(), alpha=live_blocks()).recordings
    assert recording.usual_loop()[:2] == (4, 510)
    loops = recording.loops()
    averages = recording.averages("vm", loops)
    expected = document["neurons"][0]
    found = recording.loop_document("vm", loops, averages)
    for key in ("path", "recording", "notes"):
        expected.pop(key)
        found.pop(key, None)
    assert found == {key: pytest.approx(value, nan_ok=True) for key, value in expected.items()}
    assert found["left_out"] == {"gap": 1, "incomplete": 1}
    tables = recording.loop_tables("vm", loops, averages)
    assert sorted(table.name for table in tables) == sorted(path.name for path in out.iterdir())
    for table in tables:
        theirs = np.genfromtxt((out / table.name).open(), delimiter=",", skip_header=1, dtype=str)
        ours = np.genfromtxt(iter("".join(table.lines()).splitlines()), delimiter=",", skip_header=1, dtype=str)
        assert ours.shape == theirs.shape, table.name
        for mine, their in zip(ours.ravel(), theirs.ravel(), strict=True):
            assert mine == their or float(mine) == pytest.approx(float(their), abs=1e-9), table.name


def test_a_reboot_is_another_recording_and_voltage_clamp_is_none() -> None:
    """Named as the files are: the second boot's second part, since its first was of voltage clamp."""
    items = [
        *blocks(0, spiking(500)),
        *blocks(0, np.full((300, len(CLAMP_CHANNELS)), 3000, np.int16), boot=8, mode=ClampMode.VOLTAGE),
        *blocks(300, spiking(400, start=300), boot=8),
    ]
    analysis = followed(alpha=items)
    assert [(one.name, one.n_samples) for one in analysis.recordings] == [("alpha", 500), ("alpha_boot2_part2", 400)]
    assert [one.spikes("vm").tolist() for one in analysis.recordings] == [[200, 400], [100, 300]]
    assert [one.name for one in analysis.newest] == ["alpha_boot2_part2"]


def test_what_cannot_be_had_is_a_gap() -> None:
    """Step 600 is high and the last one before the gap was low, but nobody saw the rise."""
    missing = Unavailable((7, 300), (7, 600), 300, "the daemon has deleted it")
    analysis = followed(alpha=[*blocks(0, spiking(300)), missing, *blocks(600, spiking(300, start=600))])
    (recording,) = analysis.recordings
    assert analysis.unavailable == 1
    assert recording.breaks.tolist() == [300]
    assert recording.times_ms(recording.spikes("vm")).tolist() == [20.0, 80.0]


def test_several_devices_each_by_itself_and_a_synapse_that_spikes() -> None:
    rows = spiking(600)
    rows[:, 5] = rows[:, 0]
    analysis = followed(alpha=blocks(0, rows), beta=blocks(10, spiking(300, start=10)))
    alpha, beta = analysis.recordings
    assert (alpha.neurons, beta.neurons) == (["vm", "syn2_vm"], ["vm"])
    assert (alpha.n_spikes("syn2_vm"), beta.n_spikes("vm")) == (2, 1)
    assert beta.times_ms(beta.spikes("vm")).tolist() == [19.0]


@pytest.mark.parametrize("pieces", [1024, 3])
def test_the_newest_spikes_and_the_newest_rate(pieces: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the last second of model time, however long it runs; spikes that were told are not told again."""
    monkeypatch.setattr("spikedaq.formats.live_recording._PIECES", pieces)
    recording = LiveRecording("alpha", "alpha", CHANNELS, SpikeRule())
    quiet = spiking(100)
    quiet[:, 0] = -6500
    for k in range(0, 10_000, 100):
        recording.take(k, spiking(100, start=k))
    assert recording.new_spikes_ms("vm", 47) == [960.0, 980.0]
    assert recording.new_spikes_ms("vm", 49) == []
    assert recording.recent_rate_hz("vm") == 49.0
    for k in range(10_000, 20_000, 100):
        recording.take(k, quiet)
    assert recording.recent_rate_hz("vm") == 0.0
    assert recording.n_spikes("vm") == 49
    assert recording.spikes("vm").tolist() == list(range(200, 10_000, 200))


def test_a_board_that_counts_no_steps_is_noted() -> None:
    """Of a stock firmware nobody sees what is missing."""
    bench = FakeBench(alpha=blocks(0, spiking(300)))
    bench.status = lambda: {"devices": [{"name": "alpha", "sequence": "none"}]}  # type: ignore[method-assign]
    analysis = LiveAnalysis(bench, [], SpikeRule())
    while analysis.poll(0.0):
        pass
    (note,) = analysis.recordings[0].document("vm")["notes"]
    assert "counts no steps" in note


def test_what_cannot_be_followed_is_named() -> None:
    with pytest.raises(ConfigError, match="no device gamma; it has alpha"):
        LiveAnalysis(FakeBench(alpha=[]), ["gamma"], SpikeRule())
    with pytest.raises(ConfigError, match="has no device; plug one in"):
        LiveAnalysis(FakeBench(), [], SpikeRule())
    with pytest.raises(ConfigError, match="no channel trigger"):
        LiveRecording("alpha", "alpha", CHANNELS[:7], SpikeRule(), LoopRule())
    with pytest.raises(ConfigError, match="give one in mV"):
        LiveRecording("alpha", "alpha", CHANNELS, SpikeRule(threshold_mv=None))
    bench = FakeBench(alpha=[])
    with LiveAnalysis(bench, [], SpikeRule()):
        pass
    assert bench.followers["alpha"].closed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["spikes"], "name a recording or a folder of recordings, or --live"),
        (["average"], "name a recording"),
        (["spikes", "x", "--seconds", "3"], "--seconds is of a running bench; add --live"),
        (["spikes", "--live", "--start", "1"], "--start is of a recording"),
        (["spikes", "--live", "--fi", "stimulus"], "--fi is of a recording"),
        (["average", "--live", "--sta", "5"], "--sta is of a recording"),
        (["spikes", "--live", "--plot"], "--plot is of a recording"),
        (["average", "--live", "--length", "0.01"], "a loop of 0.01 ms is shorter than a step"),
        (["spikes", "--live", "--threshold", "auto"], "--threshold auto needs the whole recording"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    assert said in capsys.readouterr().err


def test_a_place_that_is_taken_is_said_before_following(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kept.csv").write_text("1")
    assert main(["spikes", "--live", "--out", str(tmp_path)]) == 1
    assert "is not empty; choose another place with --out" in capsys.readouterr().err


def test_the_boards_own_description_is_used() -> None:
    """Scale and offset of each channel: a board may count in tenths of a mV."""
    channels = device_info().channels
    recording = LiveRecording("alpha", "alpha", channels, SpikeRule(threshold_mv=29.9))
    recording.take(0, spiking(1000))
    assert recording.n_spikes("vm") == 4
