"""The imaging simulation of a live device: its samples in, frames to the bus and into files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from spikedaq.analysis.imaging import Imager
from spikedaq.analysis.imaging_block import FRAME_CHANNELS, NEURONS, ImagingBlock
from spikedaq.bus import DerivedPlace
from spikedaq.formats.imaging import Simulation
from spikedaq.formats.imaging_files import ImagingFiles, Outputs, Tally
from spikedaq.formats.imaging_gather import later
from spikedaq.formats.imaging_inflow import Inflow
from spikedaq.inlet import Bench, DerivedPublisher
from spikedaq.model import ConfigError, StoreError
from spikedaq.store import FileMeta, ImagingMeta


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
        self._bench = bench
        self._info = bench.describe(device)
        self._imager = Imager(simulation.settings, seed=simulation.seed)
        self._files: ImagingFiles | None = ImagingFiles(outputs, self._meta) if outputs.paths else None
        self._written: list[Path] = []
        self._published_before = self._unpublished_before = 0
        self._tallies: list[Tally] = []
        self._beside = beside
        self._inflow = Inflow(bench, device, int(self._info["step_us"]), _reference_ns(beside))
        self._newest: list[float] = []
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
    def unpublished(self) -> int:
        """Return how many frames the daemon did not take; `DerivedPublisher.reason` says why of the newest."""
        return self._unpublished_before + self.publisher.unpublished

    @property
    def unavailable(self) -> int:
        """Return how many stretches of samples nobody could give any more."""
        return self._inflow.unavailable

    @property
    def session(self) -> str | None:
        """Return the session beside which files are being written, "" beside none; None where none are written."""
        return None if self._files is None else self._beside.session if self._beside is not None else ""

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
        self._unpublished_before += self.publisher.unpublished
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
        self._inflow.count_from(_reference_ns(beside))

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
        for still_come in self._inflow.pieces():
            self._feed()
            if not still_come:
                # The device is stopped or away; the daemon is told that we are not.
                self.publisher.publish(self._inflow.place, np.empty((0, len(FRAME_CHANNELS))))
            yield

    def _feed(self) -> None:
        for source, place in self._inflow.take():
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
        return ImagingMeta(
            bench=self._bench.name,
            device=self.device,
            unique_id=info["unique_id"],
            board=info["board"],
            boot_id=boot_id,
            reference_utc_ns=self._inflow.reference_utc_ns,
            time="host",
            first_step=first_step,
            pitch_steps=settings.steps_per_frame,
            step_us=self._inflow.place.step_us,
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
        lost = f", {self.unpublished} frames not published" if self.unpublished else ""
        return f"{self.frames} frames; dF/F0: {values}{lost}"

    def summary(self) -> dict[str, Any]:
        """Return what was done, as JSON values."""
        return {
            "device": self.device,
            "topic": self.publisher.topic,
            **self.simulation.described(),
            "boots": [asdict(tally) for tally in self._tallies],
            "published": self.frames,
            "unpublished": self.unpublished,
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
        # A file that could not be written cannot be completed either: the first reason is the one to tell.
        with contextlib.suppress(*([StoreError] if isinstance(error, StoreError) else [])):
            self.close("stopped" if kind in (None, KeyboardInterrupt) else "interrupted")


def _reference_ns(beside: FileMeta | None) -> tuple[int, int] | None:
    return None if beside is None else (beside.reference_host_ns, beside.reference_utc_ns)


def _whole(value: float) -> str:
    """Return a number without a fraction, and without a sign where nothing is left of it."""
    return f"{value:.0f}" if not abs(value) < 0.5 else "0"
