"""A recorded device, handled as one of PyNN's populations."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spikedaq.model import EventKind
from spikedaq.objects.contents import tells_spikes
from spikedaq.pynn.device import DeviceData, in_order
from spikedaq.pynn.resets import reset_of
from spikedaq.pynn.stretches import FloatArray, Stretch
from spikedaq.recording import Channel, Recording


class RecordedDevice(DeviceData):
    """A recording, whose samples stay in its files until they are asked for."""

    def __init__(self, recording: Recording, cell_id: int, label: str, reference_utc_ns: int | None) -> None:
        super().__init__()
        self.recording = recording
        self.label = label
        self.bench = recording.bench or ""
        self.cell_id = cell_id
        self.reference_utc_ns = reference_utc_ns
        self._forgotten_s = -math.inf
        self.refresh()

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What it records."""
        return self.recording.channels

    @property
    def step_us(self) -> float:
        """Microseconds between samples."""
        return 1e6 / self.recording.sampling_frequency

    @property
    def has_spikes(self) -> bool:
        """False for what was no board's recording, such as a CSV."""
        return tells_spikes(self.recording)

    @property
    def is_live(self) -> bool:
        """False: also of a recording that still grows."""
        return False

    def refresh(self) -> None:
        """Look how far the recording has grown."""
        self.recording.refresh()
        found = (reset_of(note) for note in self.recording.notes)
        self.resets = [reset for reset in found if reset is not None and reset.began_s > self._forgotten_s]

    def stretches(self) -> list[Stretch]:
        """Return what is there of its samples, in order."""
        every = [self._stretch(index) for index, one in enumerate(self.recording.segments) if one.n_frames]
        if self._forgotten_s == -math.inf:
            return every
        parts = (one.within(math.nextafter(self._forgotten_s, math.inf), math.inf) for one in every)
        return [one for one in parts if one is not None]

    def _stretch(self, index: int) -> Stretch:
        recording, segment = self.recording, self.recording.segments[index]
        ids = recording.channel_ids

        def values(start: int, stop: int, columns: Sequence[int]) -> FloatArray:
            chosen = [ids[k] for k in columns]
            found: FloatArray = recording.get_traces(index, start, stop, chosen, return_in_units=True)
            return found

        first_step = segment.first_step
        if first_step is None:  # nobody counted: by its time
            first_step = round(segment.t_start_s * recording.sampling_frequency)
        return Stretch(
            boot_id=segment.boot_id,
            first_step=first_step,
            n=segment.n_frames,
            step_us=self.step_us,
            channels=self.channels,
            times_s=segment.times_s,
            values=values,
        )

    def spikes_s(self) -> FloatArray:
        """Return the times of the spikes that the board told of."""
        found = (event.time_s for event in self.recording.events if event.kind == EventKind.SPIKE)
        return in_order([time_s for time_s in found if time_s > self._forgotten_s])

    def _forget(self) -> None:
        stretches = self.stretches()
        if stretches:
            self._forgotten_s = stretches[-1].last_s
        self.resets = [reset for reset in self.resets if reset.began_s > self._forgotten_s]

    def close(self) -> None:
        """Close the recording's files."""
        self.recording.close()
