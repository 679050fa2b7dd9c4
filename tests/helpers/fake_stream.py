"""A deterministic device for tests of journal and recorder: its samples are a function of boot, step and channel."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikedaq.journal import ClockMapRecord, JournalWriter
from spikedaq.model import ClockMap
from spikedaq.recorder import read_plan
from spikedaq.recorder.process import Recorder
from spikedaq.recorder.reporter import Reporter
from spikedaq.store import RecordingFile, find_files, open_recording
from spikedaq.wire import BlockMessage, Description, EventMessage, Hello, Status, encode_frame, encode_message

N_CHANNELS = 8
CHANNELS = (
    ("vm", "mV", 1, -2, 0),
    ("stimulus", "%", 1, 0, 0),
    ("i_total", "a.u.", 1, -2, 0),
    ("syn1_vm", "mV", 1, -2, 0),
    ("syn1_i", "a.u.", 1, -2, 0),
    ("syn2_vm", "mV", 1, -2, 0),
    ("syn2_i", "a.u.", 1, -2, 0),
    ("trigger", "1", 1, 0, 0),
)
CLAMP_CHANNELS = (
    CHANNELS[0],
    ("v_command", "mV", 1, -2, 0),
    ("i_clamp_out", "a.u.", 1, -2, 0),
    *CHANNELS[3:],
)
VOLTAGE_CLAMP = 8
UNIQUE_ID = bytes.fromhex("0102030405060708")
T0_NS = 1_000_000_000_000


def expected(boot_id: int, first_step: int, n: int) -> npt.NDArray[np.int16]:
    """Samples that the device of this boot makes, shape (n, N_CHANNELS)."""
    step = np.arange(first_step, first_step + n, dtype=np.uint64)[:, None]
    channel = np.arange(N_CHANNELS, dtype=np.uint64)[None, :]
    mixed = step * np.uint64(2654435761) + channel * np.uint64(40503 * 65537) + np.uint64(boot_id * 977)
    value = ((mixed >> np.uint64(9)) & np.uint64(0xFFFF)).astype(np.int64) - 32767
    return np.minimum(value, 32767).astype(np.int16)


@dataclass
class FakeDevice:
    """Makes raw frames. `tick0` is far above 2**32, so that widening matters."""

    boot_id: int = 1
    step: int = 0
    step_us: int = 100
    block_samples: int = 100
    tick: int = 5 * 2**32 + 2**32 - 300_000
    seq: int = 0
    flags: int = 4
    unique_id: bytes = UNIQUE_ID
    channels: tuple[tuple[str, str, int, int, int], ...] = CHANNELS
    t_host_ns: int = T0_NS
    clamp: bool = False
    """Has a voltage clamp, and says so."""
    clamped: bool = False
    """Is in voltage clamp: blocks say so."""
    produced: list[tuple[int, int, int]] = field(default_factory=list)

    def next_seq(self) -> int:
        """Use up a sequence number."""
        return self._take()

    def _take(self) -> int:
        seq = self.seq
        self.seq = (seq + 1) % 2**32
        return seq

    def hello(self) -> bytes:
        m = Hello(
            self._take(), 1, 0, "0.1.0", "abcdef", "fake", self.unique_id, self.boot_id, self.step_us,
            self.block_samples, len(self.channels), 1, 0, 0, 0, 1, 256, True, 2 if self.clamp else 0,
        )  # fmt: skip
        return encode_frame(encode_message(m))

    def descriptions(self) -> list[bytes]:
        bodies = [(0, i, c) for i, c in enumerate(self.channels)]
        if self.clamp:
            bodies += [(3, i, c) for i, c in enumerate(CLAMP_CHANNELS)]
        bodies.append((1, 0, ("i_clamp", "a.u.", 0, -100.0, 100.0, 0.0, 0.0, 0, 0)))
        return [encode_frame(encode_message(Description(self._take(), 7, k, i, b))) for k, i, b in bodies]

    def status(self) -> bytes:
        m = Status(self._take(), self.tick, self.step, 0, 0, 0, 0, 0, 0, 0, 0)
        return encode_frame(encode_message(m))

    def event(
        self, kind: int, *, step: int | None = None, tick: int | None = None, index: int = 0, value: float = 0.0
    ) -> bytes:
        s, t = self.step if step is None else step, self.tick if tick is None else tick
        return encode_frame(encode_message(EventMessage(self._take(), kind, s, t % 2**32, index, value)))

    def block(self, n: int | None = None) -> bytes:
        n = n or self.block_samples
        samples = expected(self.boot_id, self.step, n)
        payload = np.ascontiguousarray(samples.T).astype("<i2").tobytes()
        flags = self.flags | (VOLTAGE_CLAMP if self.clamped else 0)
        m = BlockMessage(self._take(), 0, self.step, self.tick % 2**32, self.step_us, n, 0, payload, flags)
        self.produced.append((self.boot_id, self.step, n))
        self.flags = 0
        self.skip(n)
        return encode_frame(encode_message(m))

    def skip(self, n: int) -> None:
        """Let n steps pass unsent."""
        self.step += n
        self.tick += n * self.step_us
        self.t_host_ns += n * self.step_us * 1000

    def overrun(self, n: int) -> bytes:
        """Discard n samples on the device; the next block says so."""
        step, tick = self.step, self.tick
        self.skip(n)
        self.flags |= 2
        return self.event(3, step=step, tick=tick, index=n)

    def reboot(self, boot_id: int) -> None:
        self.boot_id, self.seq, self.step, self.tick, self.flags = boot_id, 0, 0, 1000, 4

    def clock_map(self, uncertainty_ns: int = 50_000) -> ClockMapRecord:
        return ClockMapRecord(ClockMap(self.boot_id, self.tick, self.t_host_ns, 1000.0, uncertainty_ns), self.t_host_ns)

    def introduce(self, writer: JournalWriter, *, clock: bool = True) -> None:
        """Journal hello, descriptions, a status and a clock map."""
        writer.append_frames(self.t_host_ns, [self.hello()])
        writer.append_frames(self.t_host_ns, self.descriptions())
        writer.append_frames(self.t_host_ns, [self.status()])
        if clock:
            writer.append(self.clock_map())

    def frames(self, n: int) -> Iterator[bytes]:
        """n blocks, with a status now and then."""
        for i in range(n):
            yield self.block()
            if i % 100 == 99:
                yield self.status()


def record_plan(
    folder: Path,
    session: str,
    devices: dict[str, Path],
    *,
    roll_s: float | None = None,
    start: int = 0,
    mode: dict[str, object] | None = None,
    aligned: str | None = None,
    reserve_bytes: int = 0,
    roll_bytes: int | None = None,
) -> None:
    """Write the session.json that a daemon would."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = {
        "version": 1,
        "session": session,
        "bench": "bench",
        "started_utc_ns": 1_800_000_000_000_000_000,
        "started_host_ns": T0_NS,
        "roll": {"seconds": roll_s, "bytes": roll_bytes, "aligned": aligned},
        "mode": mode,
        "notes": "",
        "experimenter": None,
        "reserve_bytes": reserve_bytes,
        "devices": [
            {"name": n, "unique_id": UNIQUE_ID.hex(), "journal": str(j), "start_offset": start}
            for n, j in devices.items()
        ],
        "state": "recording",
        "reason": None,
        "config": {"made by": "a test"},
    }
    (folder / "session.json").write_text(json.dumps(plan))


def recorder_process(folder: Path) -> subprocess.Popen[bytes]:
    """Start the real recorder process on a session folder, stdin and stdout piped."""
    return subprocess.Popen(
        [sys.executable, "-m", "spikedaq.recorder", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def record_in_process(folder: Path) -> int:
    """Run a recorder over what the journals hold, as one that is told to end; return its status."""
    (wake, keep), say = os.pipe(), os.open(os.devnull, os.O_WRONLY)
    os.close(keep)
    try:
        return Recorder(read_plan(folder), Reporter(say), wake, lambda: 0.0).run()
    finally:
        os.close(wake)
        os.close(say)


def check_files(folder: Path, blocks: list[tuple[int, int, int]], device: str = "alpha") -> list[RecordingFile]:
    """Compare a session's files with what was produced, sample for sample; the opened files, to be closed by nobody."""
    files = [open_recording(p) for p in find_files(folder, device)]
    manifest = json.loads((folder / device / "manifest.json").read_text())
    assert [f["name"] for f in manifest["files"]] == [f.path.name for f in files]
    rows = []
    for file, listed in zip(files, manifest["files"], strict=True):
        assert hashlib.sha256(file.path.read_bytes()).hexdigest() == listed["sha256"], file.path
        table = file.blocks
        rows += [(int(r["boot_id"]), int(r["first_step"]), int(r["n_samples"])) for r in table]
        samples = file.samples()
        assert len(samples) == listed["n_samples"] == sum(int(r["n_samples"]) for r in table)
        at = 0
        for r in table:
            n = int(r["n_samples"])
            np.testing.assert_array_equal(samples[at : at + n], expected(int(r["boot_id"]), int(r["first_step"]), n))
            at += n
    assert rows == blocks, f"{len(rows)} blocks in the files, {len(blocks)} were produced"
    return files
