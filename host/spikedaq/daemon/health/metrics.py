"""The daemon's figures in the words of Prometheus. docs/reference/metrics.md lists them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from spikedaq.bus import DeviceStatus
from spikedaq.daemon.alarms import Alarm, AlarmKind

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The figures of one moment, taken in the loop; they are put into words elsewhere.

    Attributes
    ----------
    totals : dict of str to float
        Counters of the daemon as a whole, by name without prefix and ``_total``.
    time_left_s : float or None
        Until the disk of the data folder is full.
    other_disks : map
        As `DiskStatus.elsewhere`.
    """

    version: str
    bench: str
    uptime_s: float
    late_s: float
    devices: Sequence[DeviceStatus]
    alarms: Sequence[Alarm]
    raised: dict[AlarmKind, int]
    totals: dict[str, float]
    free_bytes: int | None
    time_left_s: float | None = None
    recorder_restarts: int | None = None
    session: str = ""
    other_disks: Mapping[str, Mapping[str, float | int | None]] = field(default_factory=dict)


class Exposition(Collector):
    """Turns snapshots into the text that a scrape gets."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        self._snapshot: Snapshot | None = None

    def text(self, snapshot: Snapshot) -> bytes:
        """Return the exposition of a snapshot; for a thread, one at a time."""
        self._snapshot = snapshot
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Yield every metric; called by the registry."""
        found = self._snapshot
        if found is None:
            return
        yield InfoMetricFamily(
            "spikedaq_build", "Which program serves which bench", {"version": found.version, "bench": found.bench}
        )
        yield GaugeMetricFamily("spikedaq_uptime_seconds", "Since the daemon's start", found.uptime_s)
        yield GaugeMetricFamily(
            "spikedaq_loop_late_seconds", "Longest time that the daemon's loop lately stood still", found.late_s
        )
        if found.free_bytes is not None:
            yield GaugeMetricFamily("spikedaq_disk_free_bytes", "On the disk of the data folder", found.free_bytes)
        if found.time_left_s is not None:
            yield GaugeMetricFamily("spikedaq_disk_time_left_seconds", "Until the disk is full", found.time_left_s)
        yield from _other_disks(found.other_disks)
        for name, total in found.totals.items():
            yield CounterMetricFamily(f"spikedaq_{name}", _TOTALS.get(name, name.replace("_", " ")), total)
        yield from _alarms(found)
        yield from _devices(found.devices)
        yield from _recordings(found)


_TOTALS = {
    "bus_messages": "Messages published on the bus",
    "bus_bytes": "Bytes published on the bus",
    "bus_viewer_drops": "Times at which a viewer's queue was found full",
    "control_requests": "Requests to the control endpoint",
    "control_refused": "Requests refused because too many were under way",
    "alarm_command_runs": "Runs of the alarm command",
    "alarm_command_failures": "Runs of the alarm command that failed",
    "alarm_command_skipped": "Alarms for which the alarm command was not run",
    "log_lines_lost": "Lines of the log that nobody took",
}


def _other_disks(disks: Mapping[str, Mapping[str, float | int | None]]) -> Iterator[Metric]:
    """Yield what is told of each session that is recorded on another disk than the data folder's."""
    for name, about, key in (
        ("free_bytes", "On the other disk that the session is recorded on", "free_bytes"),
        ("time_left_seconds", "Until that is full", "time_left_s"),
    ):
        gauge = GaugeMetricFamily(f"spikedaq_session_disk_{name}", about, labels=("session",))
        for session, disk in disks.items():
            value = disk[key]
            if value is not None:
                gauge.add_metric((session,), value)
        yield gauge


def _alarms(found: Snapshot) -> Iterator[Metric]:
    standing = GaugeMetricFamily("spikedaq_alarm", "1 for each alarm that stands", labels=("kind", "subject"))
    for alarm in found.alarms:
        standing.add_metric((str(alarm.kind), alarm.subject), 1)
    yield standing
    raised = CounterMetricFamily("spikedaq_alarms_raised", "Alarms raised since the daemon's start", labels=("kind",))
    for kind, n in found.raised.items():
        raised.add_metric((str(kind),), n)
    yield raised


_GAUGES = (
    ("sample_rate_hertz", "Samples that came in the last second", lambda d: d.rate_hz),
    ("nominal_rate_hertz", "Samples per second that the device promises", lambda d: d.nominal_hz),
    ("running", "1 while the device runs", lambda d: float(d.state == "running")),
    ("journal_bytes", "Kept of the device's journal", lambda d: d.journal_bytes),
    ("frames_held", "Frames that wait for missing ones before them", lambda d: d.link["frames_held"]),
)
_COUNTERS = (
    ("samples", "Samples received", lambda d: d.samples),
    ("blocks", "Blocks received", lambda d: d.blocks),
    ("link_bytes", "Bytes received over the link", lambda d: d.link_bytes),
    ("bad_frames", "Damaged frames", lambda d: d.bad_frames),
    ("saturated_blocks", "Blocks in which a value was cut", lambda d: d.saturated_blocks),
    ("reconnects", "Times the link was opened again", lambda d: d.reconnects),
    ("frames_missing", "Frames missing for good", lambda d: d.link["frames_missing"]),
    ("frames_resent", "Frames that came on request", lambda d: d.link["frames_resent"]),
    ("resend_given_up", "Frames asked for in vain", lambda d: d.link["resend_given_up"]),
)


def _devices(devices: Sequence[DeviceStatus]) -> Iterator[Metric]:
    for name, about, value in _GAUGES:
        gauge = GaugeMetricFamily(f"spikedaq_device_{name}", about, labels=("device",))
        for device in devices:
            gauge.add_metric((device.device,), value(device))
        yield gauge
    for name, about, value in _COUNTERS:
        counter = CounterMetricFamily(f"spikedaq_device_{name}", about, labels=("device",))
        for device in devices:
            counter.add_metric((device.device,), value(device))
        yield counter
    clock = GaugeMetricFamily(
        "spikedaq_device_clock_uncertainty_seconds",
        "Of the device's clock; absent while not fitted",
        labels=("device",),
    )
    missing = CounterMetricFamily(
        "spikedaq_device_missing_samples",
        "Samples missing for good, by cause; absent where none can be seen",
        labels=("device", "cause"),
    )
    for device in devices:
        if device.clock_u_ns is not None:
            clock.add_metric((device.device,), device.clock_u_ns / 1e9)
        for cause, n in device.gaps.items():
            if n is not None:
                missing.add_metric((device.device, cause), n)
    yield clock
    yield missing


def _recordings(found: Snapshot) -> Iterator[Metric]:
    recorded = [device for device in found.devices if device.recording]
    labels = ("device", "session")
    growing = GaugeMetricFamily("spikedaq_recording_growing", "1 while the file on the disk grows", labels=labels)
    on_disk = GaugeMetricFamily("spikedaq_recording_rows", "Samples of the session readable on disk", labels=labels)
    size = GaugeMetricFamily("spikedaq_recording_bytes", "Size of the session's files", labels=labels)
    behind = GaugeMetricFamily(
        "spikedaq_recording_behind_bytes", "Of the journal that the recorder has not taken yet", labels=labels
    )
    for device in recorded:
        file = device.recording or {}
        key = (device.device, str(file.get("session", "")))
        growing.add_metric(key, float(file.get("state") == "recording"))
        on_disk.add_metric(key, file.get("rows_on_disk", 0))
        size.add_metric(key, file.get("bytes", 0))
        behind.add_metric(key, max(0, device.journal_offset - file.get("offset", 0)))
    yield from (growing, on_disk, size, behind)
    if found.recorder_restarts is not None:
        restarts = CounterMetricFamily(
            "spikedaq_recorder_restarts", "Times the session's recorder was started again", labels=("session",)
        )
        restarts.add_metric((found.session,), found.recorder_restarts)
        yield restarts
