"""What `spikedaq linktest` makes of a device's counters, in figures and in words."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from spikedaq.cli.linktest import LinkReport, judge, measure, report_of, show
from spikedaq.model import CommandRejected

MS = 1_000_000


def status(**values: Any) -> dict[str, Any]:
    link = {"frames_missing": 0, "frames_resent": 0, "resend_requests": 0, "resend_given_up": 0, "duplicates": 0}
    return {
        "name": "alpha", "url": "serial:/dev/ttyUSB0", "state": "running", "detail": "", "blocks": 100,
        "samples": 10_000, "link_bytes": 60_000, "nominal_hz": 10_000.0, "bad_frames": 5, "reconnects": 2,
        "gaps": {"lost": 7, "overrun": 0, "dropped": 0}, "clock_u_ns": 40_000, "link": link, **values,
    }  # fmt: skip


def later(**values: Any) -> dict[str, Any]:
    return status(**{"blocks": 1100, "samples": 110_000, "link_bytes": 660_000, **values})


def test_only_what_happened_meanwhile_counts() -> None:
    """Figures are differences over the time between; old errors are not this cable's."""
    report = report_of(status(), later(), 10.0, [2 * MS] * 99 + [5 * MS])
    assert (report.blocks, report.block_rate_hz, report.rate_hz, report.bytes_per_s) == (
        1000,
        100.0,
        10_000.0,
        60_000.0,
    )
    assert (report.bad_frames, report.lost_samples, report.reconnects) == (0, 0, 0)
    assert report.round_trip_ns == {"p50": 2 * MS, "p99": 5 * MS, "max": 5 * MS}
    assert (report.verdict, report.findings) == ("good", ["every frame came whole, at once and in time"])


@pytest.mark.parametrize(
    ("values", "trips", "verdict", "words"),
    [
        (
            {"bad_frames": 9, "link": {"frames_resent": 6}},
            [MS],
            "fair",
            ["4 damaged frames", "6 frames were sent again"],
        ),
        ({"gaps": {"lost": 307}}, [MS], "bad", ["300 samples are lost for good", "shorter or shielded cable"]),
        ({"gaps": {"lost": 7, "overrun": 50}}, [MS], "bad", ["discarded 50 samples", "higher baud rate"]),
        ({"reconnects": 5}, [MS], "bad", ["lost 3 times", "loose plug or a hub"]),
        ({"blocks": 100, "state": "silent", "detail": "no power"}, [], "bad", ["no block came", "silent: no power"]),
        ({"blocks": 100, "state": "stopped"}, [MS], "fair", ["is stopped"]),
        ({"sequence": "none", "gaps": {"lost": None}}, [None], "fair", ["numbers nothing"]),
        ({}, [MS, None], "fair", ["1 of 2 pings got no answer"]),
        ({}, [MS, 30 * MS], "fair", ["answers take up to 30 ms", "latency_timer"]),
    ],
)
def test_the_verdict_names_the_remedy(
    values: dict[str, Any], trips: list[int | None], verdict: str, words: list[str]
) -> None:
    """Lost samples are bad, what was mended is fair, and each finding says what to do."""
    report = report_of(status(), later(**values), 10.0, trips)
    assert report.verdict == verdict
    for word in words:
        assert word in " ".join(report.findings)


def test_bad_comes_before_fair() -> None:
    """The worst is said first."""
    report = LinkReport("a", "u", 1.0, blocks=1, lost_samples=1, pings=2, pings_lost=1)
    verdict, findings = judge(report, state="running", detail="")
    assert verdict == "bad"
    assert "lost for good" in findings[0]
    assert "pings" in findings[1]


class Client:
    """A daemon that answers by a script."""

    def __init__(self) -> None:
        self.entries = [status(), later()]
        self.pings: list[Any] = [2 * MS, None, CommandRejected("away", code="not_connected"), 3 * MS]

    def call(self, op: str, **_: Any) -> Any:
        if op == "status":
            return {"devices": [self.entries.pop(0)]}
        answer = self.pings.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"round_trip_ns": answer}


def test_measuring_pings_until_the_time_is_over() -> None:
    """A lost pong, and a device that is away for a moment, are pings without an answer and end nothing."""
    now = [0.0]

    def sleep(_: float) -> None:
        now[0] += 0.25

    report = measure(Client(), "alpha", 1.0, clock_s=lambda: now[0], sleep=sleep)  # type: ignore[arg-type]
    assert (report.pings, report.pings_lost, report.seconds) == (4, 2, 1.0)
    assert report.round_trip_ns["max"] == 3 * MS


def test_it_is_shown_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """For people: every figure with its unit, then the verdict."""
    show(report_of(status(), later(gaps={"lost": 9}), 10.0, [2 * MS]))
    said = capsys.readouterr().out
    for word in ("10000.0 Hz of 10000 Hz", "60.0 kB/s", "p50 2.00 ms", "2 lost, 0 overrun", "bad: 2 samples"):
        assert word in said


def test_a_report_is_json() -> None:
    """--json prints what there is."""
    assert json.loads(json.dumps(asdict(report_of(status(), later(), 1.0, []))))["round_trip_ns"] == {}
