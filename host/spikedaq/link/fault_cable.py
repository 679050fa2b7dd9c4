"""The bad cables of this process: what each has done, and what its script still holds."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from spikedaq.link.base import host_now_ns
from spikedaq.link.fault_spec import FaultAction, FaultSpec, parse_script, parse_spec
from spikedaq.link.faults import FaultRandom, FaultSchedule, FaultStream
from spikedaq.link.url import LinkUrl
from spikedaq.model import ConfigError, LinkOpenError

_MAX_DONE = 10_000

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class FaultCable:
    """A bad cable. It stays when the link through it is lost: time, seed and script go on at the next opening.

    Attributes
    ----------
    to_host, to_device : FaultStream
    stalls, unplugs, refused : int
        So often nothing passed, the link was lost, and it could not be opened.
    done : list
        What the schedule did, as JSON values; the first 10000.
    """

    url: LinkUrl
    spec: FaultSpec
    schedule: FaultSchedule
    report_path: Path | None
    start_ns: int
    to_host: FaultStream = field(init=False)
    to_device: FaultStream = field(init=False)
    random: FaultRandom = field(init=False)
    stalls: int = 0
    unplugs: int = 0
    refused: int = 0
    done: list[dict[str, Any]] = field(default_factory=list)
    stalled_until_s: float = 0.0
    unplugged_until_s: float = 0.0

    def __post_init__(self) -> None:
        """Make both directions."""
        self.to_host = FaultStream(self.spec, 0)
        self.to_device = FaultStream(self.spec, 1)
        self.random = FaultRandom(self.spec.seed * 16 + 7)

    def now_s(self) -> float:
        """Seconds since the cable was first used."""
        return (host_now_ns() - self.start_ns) * 1e-9

    def act(self, now_s: float) -> None:
        """Do what is due by now."""
        for action in self.schedule.due(now_s):
            self._do(action, now_s)

    def _do(self, action: FaultAction, now_s: float) -> None:
        if action.what == "stall":
            self.stalls += 1
            self.stalled_until_s = max(self.stalled_until_s, now_s + action.amount)
        elif action.what == "unplug":
            self.unplugs += 1
            self.unplugged_until_s = max(self.unplugged_until_s, now_s + action.amount)
        elif action.what == "lose":
            self.to_host.lose(int(action.amount))
        else:
            self.spec = self.spec.changed(action.what, action.value)
            self.to_host.change(self.spec)
            self.to_device.change(self.spec)
        entry = {"time_s": round(now_s, 6), "what": action.what, "detail": action.value or f"{action.amount:g}"}
        log.info("fault", link=self.url.text, **entry)
        if len(self.done) < _MAX_DONE:
            self.done.append(entry)

    def delivery_s(self, now_s: float) -> float:
        """When bytes that come now are let out."""
        late_ms = self.spec.delay_ms
        if self.spec.jitter_ms:
            late_ms += self.random.uniform() * self.spec.jitter_ms
        return now_s + late_ms * 1e-3

    def report(self) -> dict[str, Any]:
        """Say what was done, as JSON values; what the virtual board's report says under ``faults``."""
        return {
            "seed": self.spec.seed,
            "to_host": self.to_host.counts.to_map(),
            "to_device": self.to_device.counts.to_map(),
            "stalls": self.stalls,
            "unplugs": self.unplugs,
            "refused": self.refused,
            "actions": self.done,
        }

    def write_report(self) -> None:
        """Write the report where the URL wants it."""
        if self.report_path is None:
            return
        try:
            self.report_path.write_text(json.dumps(self.report(), indent=1) + "\n", "utf-8")
        except OSError as error:
            log.warning("the fault report cannot be written", path=str(self.report_path), reason=error.strerror)


_cables: dict[str, FaultCable] = {}


def cable_of(url: LinkUrl) -> FaultCable:
    """Return the cable of a ``fault:`` URL, which is one and the same for as long as this process lives.

    Raises
    ------
    LinkOpenError
        Its script cannot be read, or has a line that is none.
    """
    found = _cables.get(url.text)
    if found is not None:
        return found
    script = url.option("script", "")
    report = url.option("report", "")
    try:
        text = Path(script).read_text("utf-8") if script else ""
        actions = parse_script(text, script)
        spec = parse_spec((name, value) for name, value in url.options if name not in ("script", "report"))
    except (OSError, UnicodeDecodeError) as error:
        raise LinkOpenError(
            f"the fault script {script} of {url.text} cannot be read ({error})", url=url.text
        ) from error
    except ConfigError as error:
        raise LinkOpenError(f"{url.text}: {error}", url=url.text) from error
    cable = FaultCable(url, spec, FaultSchedule(spec, actions), Path(report) if report else None, host_now_ns())
    _cables[url.text] = cable
    return cable
