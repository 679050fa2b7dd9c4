"""A journal with triggers in it, and the truth about which samples their windows hold."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from fake_stream import T0_NS, FakeDevice, expected, record_plan

from spikedaq.journal import JournalWriter, SessionStart, SessionStop, TriggerRecord
from spikedaq.model import GapCause
from spikedaq.store import RecordingFile, find_files, open_recording

UNIQUE = "01"


@dataclass
class TriggeredJournal:
    """One boot of one device whose step 0 is at the session's reference time, and its clock the host's.

    ``wanted`` says of each step whether a window holds it, told by the definition of a window and by nothing else.
    """

    root: Path
    step_us: int = 2000
    block_samples: int = 50
    pre_s: float | None = None
    post_s: float | None = None
    device: FakeDevice = field(init=False)
    writer: JournalWriter = field(init=False)
    triggers: list[TriggerRecord] = field(default_factory=list)
    lost: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.device = FakeDevice(step_us=self.step_us, block_samples=self.block_samples)
        self.first_tick = self.device.tick
        self.folder = self.root / "journal" / "alpha"
        self.writer = JournalWriter(
            self.folder,
            device="alpha",
            unique_id=UNIQUE,
            segment_bytes=2**20,
            host_boot_id="b",
            boottime_ns=lambda: self.device.t_host_ns,
        )
        self.device.introduce(self.writer)
        self.start = self.writer.append(SessionStart(T0_NS, "s", 0, "{}"))

    def plan(self, folder: Path, mode: dict[str, object] | None, **more: object) -> Path:
        """Write a session's plan; return its folder."""
        record_plan(folder, "s", {"alpha": self.folder}, start=self.start, mode=mode, **more)  # type: ignore[arg-type]
        return folder

    def blocks(self, n: int = 1, *, spike: bool = False) -> None:
        for _ in range(n):
            frames = [self.device.event(0, value=1.0)] if spike else []
            block = self.device.block()
            self.writer.append_frames(self.device.t_host_ns, [*frames, block])

    def lose(self, n: int) -> None:
        """Make a block that does not arrive."""
        self.lost.append((self.device.step, self.device.step + n))
        self.device.block(n)
        self.device.produced.pop()

    def host_ns(self, step: int) -> int:
        return T0_NS + step * self.step_us * 1000

    def fire(
        self,
        step: int,
        pre_s: float = 0.0,
        post_s: float = 0.0,
        *,
        device: str = "alpha",
        name: str = "t",
        late_ns: int = 0,
        off_ns: int = 0,
    ) -> TriggerRecord:
        """Journal a trigger at a step, after the blocks so far; off by some ns where it is another device's."""
        own = device == "alpha"
        instant_ns = self.host_ns(step) + (0 if own else off_ns)
        tick = self.first_tick + step * self.step_us if own else 0
        record = TriggerRecord(
            self.device.t_host_ns + late_ns, name, device, 1 if device else 0, step if device else 0, tick, instant_ns,
            float(step), round(pre_s * 1e6), round(post_s * 1e6),
        )  # fmt: skip
        self.writer.append(record)
        self.triggers.append(record)
        return record

    def stop(self) -> None:
        self.writer.append(SessionStop(self.device.t_host_ns, "s", "asked"))

    def wanted(self, triggers: Iterable[TriggerRecord] | None = None) -> npt.NDArray[np.bool_]:
        wanted = np.zeros(self.device.step, bool)
        steps = np.arange(self.device.step, dtype=np.int64)
        for t in self.triggers if triggers is None else triggers:
            pre_us = t.pre_us if self.pre_s is None else round(self.pre_s * 1e6)
            post_us = t.post_us if self.post_s is None else round(self.post_s * 1e6)
            if t.device == "alpha":
                since_us = (steps - t.step) * self.step_us
            else:
                since_us = (self.host_ns(0) + steps * self.step_us * 1000 - t.t_trigger_ns) / 1000
            wanted |= (since_us >= -pre_us) & (since_us < post_us)
        return wanted

    def arrived(self) -> npt.NDArray[np.bool_]:
        arrived = np.ones(self.device.step, bool)
        for a, b in self.lost:
            arrived[a:b] = False
        return arrived


def fire_at_random(journal: TriggeredJournal, n: int, rng: random.Random) -> None:
    """Blocks with ``n`` triggers of every kind between them, in bunches and with pauses, windows of every length."""
    while len(journal.triggers) < n:
        journal.blocks(rng.choice([1, 1, 2, 5, 20, 60, 200, 400]), spike=rng.random() < 0.1)
        if rng.random() < 0.05:
            journal.lose(rng.randrange(1, 120))
            journal.blocks()
        for _ in range(rng.choice([1, 1, 2, 6, 20])):
            now = journal.device.step
            long_s = rng.uniform(0, 60) if rng.random() < 0.05 else 0.5
            pre_s = rng.choice([0.0, 0.0, 0.002, 0.1, 1.0, rng.uniform(0, 3), long_s])
            post_s = rng.choice([0.0, 0.002, 0.5, 1.0, rng.uniform(0, 3), long_s])
            device = rng.choice(["alpha", "alpha", "alpha", "beta", ""])
            # Its own are of the block before; what another device and its link take is up to a second.
            back = rng.randrange(1, journal.block_samples) if device == "alpha" else rng.randrange(-20, 500)
            journal.fire(max(0, now - back), pre_s, post_s, device=device, off_ns=rng.randrange(-(10**6), 10**6))
    journal.blocks(30)


def check_windows(folder: Path, journal: TriggeredJournal, wanted: npt.NDArray[np.bool_]) -> list[RecordingFile]:
    """Compare a session's files with the truth, sample for sample, and their gaps with what is between."""
    files = [open_recording(p) for p in find_files(folder, "alpha")]
    steps = np.concatenate([f.steps() for f in files]) if files else np.empty(0, np.int64)
    truth = np.flatnonzero(wanted & journal.arrived())
    np.testing.assert_array_equal(steps, truth)
    last = None
    for file in files:
        mine = file.steps()
        runs = np.split(mine, np.flatnonzero(np.diff(mine) != 1) + 1)
        data = np.concatenate([expected(1, int(run[0]), len(run)) for run in runs])
        np.testing.assert_array_equal(file.samples(), data)
        seconds = (mine * journal.step_us) / 1e6
        np.testing.assert_allclose(file.timestamps(), seconds, atol=1e-6)
        missing = np.zeros(journal.device.step, int)
        for gap in file.gaps:
            g = gap.gap
            missing[g.first_step : g.first_step + g.n_steps] += 1
            inside = wanted[g.first_step : g.first_step + g.n_steps]
            assert not inside.any() if g.cause is GapCause.OUTSIDE else inside.all(), g
            assert math.isclose(gap.stop_s, (g.first_step + g.n_steps) * journal.step_us / 1e6, abs_tol=2e-6)
        first = int(mine[0]) if last is None else last + 1
        between = np.setdiff1d(np.arange(first, int(mine[-1]) + 1), mine)
        assert (missing[between] == 1).all(), "each missing step in one gap"
        assert (missing[mine] == 0).all()
        last = int(mine[-1])
    return files
