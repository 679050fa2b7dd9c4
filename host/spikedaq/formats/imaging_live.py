"""The imaging simulation of a live device: its samples in, frames to the bus and into files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from spikedaq.analysis.imaging import Imager
from spikedaq.analysis.imaging_block import FRAME_CHANNELS, NEURONS, ImagingBlock
from spikedaq.bus import SAMPLES, DerivedPlace, Message, Unavailable, decode_mode, decode_samples, split_topic
from spikedaq.formats.imaging import Simulation
from spikedaq.formats.imaging_files import ImagingFiles, Outputs, Tally
from spikedaq.formats.imaging_gather import Gathered, later
from spikedaq.inlet import Bench, DerivedPublisher
from spikedaq.model import ChannelInfo, ClampMode, ConfigError
from spikedaq.store import FileMeta, ImagingMeta

# Blocks are gathered for so long: each computation has its price, however short the block.
_GATHER_S = 0.05
_MAX_GATHERED = 4000
"""Samples; what the history gives at once is not held back further."""
_QUIET_S = 1.0


class LiveImaging:
    """One simulation of a live device; use it in a ``with`` statement.

    Samples that this computer missed are fetched from the daemon's history, so that what comes out is what the
    recording gives. It begins once the device's clock is known.

    Parameters
    ----------
    beside : FileMeta, optional
        Of a file of the recording that it is written beside: times then count from the same instant.

    Attributes
    ----------
    publisher : DerivedPublisher
    frames : int
        Published so far.
    unavailable : int
        Stretches of samples that nobody could give any more.
    """

    def __init__(
        self,
        bench: Bench,
        device: str,
        simulation: Simulation,
        outputs: Outputs,
        *,
        stream: str,
        replace: bool,
        beside: FileMeta | None = None,
    ) -> None:
        self.device = device
        self.simulation = simulation
        self.unavailable = 0
        self._bench = bench
        self._info = bench.describe(device)
        self._imager = Imager(simulation.settings, seed=simulation.seed)
        self._files: ImagingFiles | None = ImagingFiles(outputs, self._meta) if outputs.paths else None
        self._written: list[Path] = []
        self._published_before = 0
        self._tallies: list[Tally] = []
        self._channels: dict[tuple[int, ClampMode], list[ChannelInfo]] = {}
        self._beside = beside
        self._reference: tuple[int, int] | None = None
        if beside is not None:
            self._reference = (beside.reference_host_ns, beside.reference_utc_ns)
        self._place: DerivedPlace | None = None
        self._gathered = Gathered()
        self._newest: list[float] = []
        self._step_us = int(self._info["step_us"])
        self._stream = stream
        self.publisher = self._open(simulation, replace=replace)

    def _open(self, simulation: Simulation, *, replace: bool) -> DerivedPublisher:
        return DerivedPublisher(
            self._bench.client,
            self.device,
            self._stream,
            FRAME_CHANNELS,
            simulation.settings.steps_per_frame,
            settings={
                "indicator": simulation.indicator,
                "seed": str(simulation.seed),
                "simulated": True,
                **simulation.settings.to_map(),
            },
            replace=replace,
        )

    @property
    def frames(self) -> int:
        """Return how many frames were published."""
        return self._published_before + self.publisher.published

    @property
    def newest_dff(self) -> list[float]:
        """Return dF/F0 of the newest frame, percent; empty before the first."""
        return self._newest

    @property
    def is_recording(self) -> bool:
        """Return whether files are being written."""
        return self._files is not None

    @property
    def written(self) -> list[Path]:
        """Return the files so far, complete or growing."""
        return self._written + (self._files.written if self._files is not None else [])

    def change(self, simulation: Simulation) -> None:
        """Go on with other settings, from where calcium and saturation stand.

        Raises
        ------
        ConfigError
            Files are being written: one file is of one set of settings.
        CommandRejected
            Somebody else publishes the stream by now. Nothing has changed then.
        """
        if self.is_recording:
            raise ConfigError(
                "the imaging is being recorded, and a file has one set of settings; stop the recording first"
            )
        self._feed()
        publisher = self._open(simulation, replace=True)
        self._published_before += self.publisher.published
        self.publisher = publisher
        self._imager = Imager(simulation.settings, seed=simulation.seed, state=self._imager.state)
        self.simulation = simulation

    def record(self, outputs: Outputs, beside: FileMeta | None = None) -> None:
        """Write files from the next sample on, at rest again: so what they have can be computed from the samples.

        Raises
        ------
        ConfigError
            Files are being written already.
        StoreError
            Something is in the way.
        """
        if self.is_recording:
            raise ConfigError("the imaging is being recorded already; stop it first")
        self._feed()
        self._files = ImagingFiles(outputs, self._meta)
        self._imager = Imager(self.simulation.settings, seed=self.simulation.seed)
        self._beside = beside
        self._reference = None if beside is None else (beside.reference_host_ns, beside.reference_utc_ns)

    def stop_recording(self, reason: str) -> None:
        """Complete the files, and go on without them."""
        files = self._files
        if files is None:
            return
        try:
            self._feed()
        finally:
            self._files = None
            self._written += files.written
            files.close(reason)

    def run(self) -> Iterator[None]:
        """Compute and publish for good; yields now and then."""
        with self._bench.follow(self.device, timeout_s=_QUIET_S) as follower:
            fed_s = time.monotonic()
            while True:
                for message in follower:
                    if isinstance(message, Unavailable):
                        self.unavailable += 1
                    elif split_topic(message.topic).stream == SAMPLES:
                        self._gather(message)
                    if time.monotonic() - fed_s >= _GATHER_S or self._gathered.n_samples >= _MAX_GATHERED:
                        self._feed()
                        fed_s = time.monotonic()
                        yield
                self._feed()
                # The device is stopped or away; the daemon is told that we are not.
                place = self._place or DerivedPlace(0, 0, self._step_us)
                self.publisher.publish(place, np.empty((0, len(FRAME_CHANNELS))))
                yield

    def _gather(self, message: Message) -> None:
        header = message.header
        t_ns = self._time_of(header)
        if t_ns is None:
            return  # the clock will be known in a moment
        mode = decode_mode(message)
        key = (header["boot"], mode)
        if key not in self._channels:
            self._channels[key] = self._bench.channels(self.device, mode)
        place = DerivedPlace(
            header["boot"], header["step"], header["step_us"], header["tick"], t_ns, header.get("u_ns")
        )
        self._place = place
        if self._reference is None:
            clock = self._bench.client.call("clock")
            self._reference = (t_ns, clock["utc_ns"] + t_ns - clock["host_ns"])
        start_s = (t_ns - self._reference[0]) / 1e9
        self._gathered.add(place, self._channels[key], decode_samples(message), start_s)

    def _time_of(self, header: dict[str, Any]) -> int | None:
        """Return the host time of a block's first sample; by the block before it where the clock is not known."""
        t_ns, before = header.get("t_ns"), self._place
        if t_ns is not None:
            return int(t_ns)
        if before is None or before.t_ns is None or before.boot_id != header["boot"]:
            return None
        return before.t_ns + (int(header["step"]) - before.step) * int(header["step_us"]) * 1000

    def _feed(self) -> None:
        for source, place in self._gathered.take():
            block = self._imager.feed(source.boot_id, source.first_step, source.vm_mv)
            if block.restarted:
                self._tallies.append(Tally(block.boot_id, block.first_step))
            self._tallies[-1].add(block)
            self._publish(block, place)
            if self._files is not None:
                self._files.take(block, source)

    def _publish(self, block: ImagingBlock, place: DerivedPlace) -> None:
        if not len(block.frame_steps):
            return
        self._newest = block.frame_values[-1, len(NEURONS) : 2 * len(NEURONS)].tolist()
        first = later(place, int(block.frame_steps[0]) - place.step)
        self.publisher.publish(first, block.frame_values)

    def _meta(self, boot_id: int, first_step: int) -> ImagingMeta:
        simulation, info = self.simulation, self._info
        settings = simulation.settings
        place = self._place
        return ImagingMeta(
            bench=self._bench.name,
            device=self.device,
            unique_id=info["unique_id"],
            board=info["board"],
            boot_id=boot_id,
            reference_utc_ns=self._reference[1] if self._reference else 0,
            time="host",
            first_step=first_step,
            pitch_steps=settings.steps_per_frame,
            step_us=place.step_us if place else self._step_us,
            seed=simulation.seed,
            settings=settings.to_map(),
            source=f"live, published on {self.publisher.topic}",
            indicator=simulation.indicator,
            session=self._beside.session if self._beside else "",
            notes=self._beside.notes if self._beside else "",
            experimenter=self._beside.experimenter if self._beside else None,
        )

    def line(self) -> str:
        """Return how it is going, for a terminal."""
        if not self._tallies:
            return f"waiting for samples of {self.device}"
        values = ", ".join(f"{name} {_whole(dff)} %" for name, dff in zip(NEURONS, self._newest, strict=False))
        lost = f", {self.publisher.unpublished} frames not published" if self.publisher.unpublished else ""
        return f"{self.frames} frames; dF/F0: {values}{lost}"

    def summary(self) -> dict[str, Any]:
        """Return what was done, as JSON values."""
        return {
            "device": self.device,
            "topic": self.publisher.topic,
            **self.simulation.described(),
            "boots": [asdict(tally) for tally in self._tallies],
            "published": self.frames,
            "unpublished": self.publisher.unpublished,
            "reason": self.publisher.reason,
            "unavailable": self.unavailable,
            "files": [str(path) for path in self.written],
        }

    def close(self, reason: str) -> None:
        """Compute what waits, end the stream, complete the files."""
        try:
            self._feed()
        finally:
            self.publisher.close()
            if self._files is not None:
                self._files.close(reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close("stopped" if kind in (None, KeyboardInterrupt) else "interrupted")


def _whole(value: float) -> str:
    """Return a number without a fraction, and without a sign where nothing is left of it."""
    return f"{value:.0f}" if not abs(value) < 0.5 else "0"
