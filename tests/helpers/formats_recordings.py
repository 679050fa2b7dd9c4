"""Small recordings made with the store's own writer, for tests of export and documents."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spikedaq.model import (
    Block,
    BlockFlag,
    ClampMode,
    ClockMap,
    DeviceInfo,
    Event,
    Gap,
    GapCause,
    Holder,
    ParameterInfo,
    ParameterType,
    PresetInfo,
    Trait,
)
from spikedaq.store import FileMeta, RecordingWriter, file_name
from store_data import CHANNELS, CLAMP_CHANNELS

PRESETS = (
    PresetInfo("Tonic spiking", *map(float, np.float32([0.02, 0.2, -65, 6, -70]))),
    PresetInfo("Phasic spiking", *map(float, np.float32([0.02, 0.25, -65, 6, -64]))),
)

BLOCK = 100
REFERENCE_UTC_NS = 1_777_628_096_000_000_000  # 2026-05-01T09:34:56Z
REFERENCE_HOST_NS = 5_000_000_000


def parameter(name, unit, value, *, default=None, kind=ParameterType.FLOAT, holder=Holder.KNOB, has_knob=False):
    """One description, with the 32-bit value that a board would send."""
    value = float(np.float32(value))
    default = value if default is None else float(np.float32(default))
    return ParameterInfo(name, unit, kind, -1000.0, 1e6, default, value, holder, has_knob=has_knob)


def parameters(**changed):
    """The parameters of the virtual board; ``changed`` overrides values."""
    rows = [
        *[
            ("preset", "1", 0),
            ("a", "1", 0.02),
            ("b", "1", 0.2),
            ("c", "mV", -65),
            ("d", "1", 6),
            ("v_rest", "mV", -70),
        ],
        *[("i_clamp", "a.u.", 0), ("noise_sd", "a.u.", 0), ("photo_gain", "1", -2.5), ("photo_decay", "1/step", 0.001)],
        *[("photo_recovery", "1/step", 0.025), ("syn1_gain", "a.u.", 0), ("syn1_decay", "1/step", 0.995)],
        *[("syn2_gain", "a.u.", 0), ("syn2_decay", "1/step", 0.99), ("stim_strength", "%", 0)],
        *[("stim_period", "step", 510), ("step_us", "us", 100)],
    ]
    kinds = dict.fromkeys(("preset", "stim_period", "step_us"), ParameterType.INTEGER)
    return tuple(
        parameter(n, u, changed.get(n, v), default=v, kind=kinds.get(n, ParameterType.FLOAT)) for n, u, v in rows
    )


def device_info(boot_id=7, **changed):
    """A virtual board's hello and descriptions."""
    return DeviceInfo(
        unique_id="00112233445566ff",
        boot_id=boot_id,
        board="native",
        firmware_version="0.1.0",
        build_hash="abc123",
        protocol_version=(1, 0),
        step_us=100,
        block_samples=BLOCK,
        resend_depth=0,
        stimulus_capacity=20000,
        codecs=1,
        max_request_bytes=1024,
        running=True,
        channels=changed.pop("channels", CHANNELS),
        clamp_channels=CLAMP_CHANNELS,
        traits=Trait.VOLTAGE_CLAMP,
        parameters=changed.pop("parameters", None) or parameters(**changed),
        presets=PRESETS,
        counts=(8, 18, 2),
    )


def meta(info, *, device="alpha", number=0, session="demo", mode=ClampMode.CURRENT, bench="bench", later_ns=0):
    """What a file is told before its first sample."""
    return FileMeta(
        session=session,
        bench=bench,
        device=device,
        number=number,
        info=info,
        reference_utc_ns=REFERENCE_UTC_NS + later_ns,
        reference_host_ns=REFERENCE_HOST_NS + later_ns,
        step_us=info.step_us,
        config={},
        mode=mode,
    )


def clock(boot_id=7):
    """A device clock that agrees with the host's and starts at the reference time."""
    return ClockMap(boot_id, 0, REFERENCE_HOST_NS, 1000.0, 50_000)


class Maker:
    """Writes one device's files, with journal offsets that rise by themselves."""

    def __init__(self, session_folder: Path, *, device="alpha", info=None, session="demo", bench="bench", later_ns=0):
        self.folder = Path(session_folder) / device
        self.folder.mkdir(parents=True, exist_ok=True)
        self.device = device
        self.session = session
        self.bench = bench
        self.later_ns = later_ns
        self.info = info or device_info()
        self.number = 0
        self.offset = 0
        self.seq = 0
        self.writer = None
        self.paths = []

    def open(self, info=None, *, mode=ClampMode.CURRENT):
        """Start the next file."""
        self.info = info or self.info
        self.mode = mode
        name = file_name(self.session, self.device, "20260501T093456Z", self.number)
        self.paths.append(self.folder / name)
        self.writer = RecordingWriter.create(
            self.paths[-1],
            meta(
                self.info,
                device=self.device,
                number=self.number,
                session=self.session,
                mode=mode,
                bench=self.bench,
                later_ns=self.later_ns,
            ),
            self.offset,
        )
        self.number += 1
        return self

    def next_offset(self):
        self.offset += 100
        return self.offset

    def samples(self, first_step, samples, *, flags=0):
        """Append rows from ``first_step`` on, in blocks."""
        samples = np.asarray(samples, dtype=np.int16)
        flags |= BlockFlag.VOLTAGE_CLAMP if self.mode is ClampMode.VOLTAGE else 0
        for k in range(0, len(samples), BLOCK):
            piece = samples[k : k + BLOCK]
            step = first_step + k
            boot = self.info.boot_id
            block = Block(boot, self.seq, 0, step, step * 100, 100, BlockFlag(flags), piece)
            self.seq += 1
            self.writer.append_block(block, clock(boot), self.next_offset())
        return self

    def gap(self, first_step, n_steps, cause=GapCause.LOST):
        gap = Gap(self.info.boot_id, 0, first_step, n_steps, first_step * 100, cause)
        self.writer.rows.append_gap(gap, clock(self.info.boot_id), self.next_offset())
        return self

    def event(self, kind, step, *, index=0, value=0.0, origin=""):
        boot = self.info.boot_id
        event = Event(boot, self.seq, kind, step, step * 100, index, float(np.float32(value)))
        self.seq += 1
        self.writer.rows.append_event(event, clock(boot), self.next_offset(), origin=origin)
        return self

    def changed(self, name, step, value, origin=""):
        """A change of a parameter that the device reports, and whose it is."""
        index = [p.name for p in self.info.parameters].index(name)
        return self.event(2, step, index=index, value=value, origin=origin)

    def asked(self, name, wall_s, value, who="cli"):
        """A request of a host."""
        t_host_ns = REFERENCE_HOST_NS + round(wall_s * 1e9)
        self.writer.rows.append_parameter(t_host_ns, name, value, who, self.next_offset())
        return self

    def note(self, wall_s, text, who="cli"):
        t_host_ns = REFERENCE_HOST_NS + round(wall_s * 1e9)
        self.writer.rows.append_note(t_host_ns, text, who, self.next_offset())
        return self

    def close(self, reason="rolled"):
        self.writer.close(reason)
        return self


def spiking(n, *, start=0):
    """Raw samples that look like a tonic neuron with a square stimulus: int16 array, shape (n, 8)."""
    k = np.arange(start, start + n)
    samples = np.zeros((n, 8), dtype=np.int16)
    samples[:, 0] = np.where(k % 200 < 5, 3000, -6500 + (k % 200) * 7)
    samples[:, 1] = np.where(k % 510 < 255, 20, 0)
    samples[:, 2] = 1000 + k % 300
    samples[:, 3] = -11200 + k % 120
    samples[:, 4] = k % 90 - 45
    samples[:, 5] = -11000
    samples[:, 7] = k % 510 == 0
    return samples
