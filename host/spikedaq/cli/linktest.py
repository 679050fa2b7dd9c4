"""`spikedaq linktest`: what a cable carries, what it damages, and how long it takes."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from spikedaq.cli.child import DaemonChild
from spikedaq.cli.common import (
    add_json_option,
    add_url_option,
    bytes_text,
    clock_text,
    console,
    open_client,
    positive_seconds,
    print_json,
)
from spikedaq.inlet import ControlClient
from spikedaq.link import parse_url
from spikedaq.model import CommandRejected

DEFAULT_SECONDS = 10.0
_PING_PERIOD_S = 0.0937
"""Ten a second are enough for a p99 in ten seconds and no load; not round, so that it beats with no USB frame."""
_START_TIMEOUT_S = 30.0
_SLOW_NS = 20_000_000
"""A USB serial adapter holds bytes back for up to 16 ms unless told otherwise; more than that is something else."""
_NAME = "linktest"


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser(
        "linktest",
        help="measure a device's cable: rate, errors, resends, round trip",
        description="Measures through the running daemon, or, for a link URL, with a daemon of its own for as long.",
    )
    parser.add_argument("device", help="a device of the bench, or a link URL such as serial:/dev/ttyUSB0")
    parser.add_argument("--seconds", type=positive_seconds, default=DEFAULT_SECONDS, help="default: 10")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_link_test)


@dataclass(frozen=True, slots=True)
class LinkReport:
    """What was measured.

    Attributes
    ----------
    rate_hz, nominal_hz : float
        Samples per second that came, and that the device promises.
    frames_missing, frames_resent, resend_requests, resend_given_up, duplicates : int
        As in the device's status, counted while it was measured.
    round_trip_ns : map
        p50, p99 and max of the pings that were answered; empty where none was.
    sequence : str
        "counted", or "none" for a board that numbers nothing.
    verdict : str
        good, fair or bad.
    findings : list of str
        What was found and what to do about it.
    """

    device: str
    url: str
    seconds: float
    blocks: int = 0
    block_rate_hz: float = 0.0
    rate_hz: float = 0.0
    nominal_hz: float = 0.0
    bytes_per_s: float = 0.0
    bad_frames: int = 0
    frames_missing: int = 0
    frames_resent: int = 0
    resend_requests: int = 0
    resend_given_up: int = 0
    duplicates: int = 0
    lost_samples: int = 0
    overrun_samples: int = 0
    sequence: str = "counted"
    reconnects: int = 0
    pings: int = 0
    pings_lost: int = 0
    round_trip_ns: dict[str, int] = field(default_factory=dict)
    clock_u_ns: int | None = None
    verdict: str = ""
    findings: list[str] = field(default_factory=list)


def run_link_test(arguments: argparse.Namespace) -> int:
    """Measure, and say what was found; 1 for a bad link."""
    if ":" in arguments.device:
        parse_url(arguments.device)
        report = _with_own_daemon(arguments.device, arguments.seconds)
    else:
        with open_client(arguments) as client:
            report = measure(client, arguments.device, arguments.seconds)
    if arguments.json:
        print_json(asdict(report))
    else:
        show(report)
    return 1 if report.verdict == "bad" else 0


def _with_own_daemon(url: str, seconds: float) -> LinkReport:
    with (
        tempfile.TemporaryDirectory(prefix="spikedaq-linktest-") as folder,
        DaemonChild(data=Path(folder), bench=_NAME, devices={_NAME: url}) as daemon,
    ):
        daemon.wait_until_ready(lambda: False)
        end_s = time.monotonic() + _START_TIMEOUT_S
        while (entry := _entry(daemon.client, _NAME))["state"] not in ("running", "refused"):
            if time.monotonic() > end_s:
                break
            daemon.check_alive()
            time.sleep(_PING_PERIOD_S)
        if entry["state"] != "running":
            raise CommandRejected(f"{url} cannot be measured, it is {entry['state']}: {entry['detail']}")
        return measure(daemon.client, _NAME, seconds)


def _entry(client: ControlClient, name: str) -> dict[str, Any]:
    for entry in client.call("status")["devices"]:
        if entry["name"] == name:
            return dict(entry)
    client.call("describe", device=name)  # says which names there are
    raise CommandRejected(f"the bench has no device {name!r}", code="unknown_device")


def measure(
    client: ControlClient,
    name: str,
    seconds: float,
    *,
    clock_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> LinkReport:
    """Watch a device's counters and ping it for so many seconds."""
    before, start_s = _entry(client, name), clock_s()
    round_trips: list[int | None] = []
    while clock_s() - start_s < seconds:
        try:
            round_trips.append(client.call("ping", device=name)["round_trip_ns"])
        except CommandRejected:
            round_trips.append(None)  # the device is away; its status says why
        sleep(_PING_PERIOD_S)
    after, elapsed_s = _entry(client, name), clock_s() - start_s
    return report_of(before, after, elapsed_s, round_trips)


def report_of(
    before: Mapping[str, Any], after: Mapping[str, Any], seconds: float, round_trips: Sequence[int | None]
) -> LinkReport:
    """Make the report of two statuses of a device and the round trips between them."""

    def grown(key: str) -> int:
        return int(after[key]) - int(before[key])

    def counted(table: str, key: str) -> int:
        # A board that numbers nothing has None here: what it loses nobody can count.
        now, then = after.get(table, {}).get(key), before.get(table, {}).get(key)
        return 0 if now is None else int(now) - int(then or 0)

    answered = sorted(ns for ns in round_trips if ns is not None)
    report = LinkReport(
        device=after["name"],
        url=after["url"],
        seconds=seconds,
        blocks=grown("blocks"),
        block_rate_hz=grown("blocks") / seconds,
        rate_hz=grown("samples") / seconds,
        nominal_hz=after["nominal_hz"],
        bytes_per_s=grown("link_bytes") / seconds,
        bad_frames=grown("bad_frames"),
        frames_missing=counted("link", "frames_missing"),
        frames_resent=counted("link", "frames_resent"),
        resend_requests=counted("link", "resend_requests"),
        resend_given_up=counted("link", "resend_given_up"),
        duplicates=counted("link", "duplicates"),
        lost_samples=counted("gaps", "lost"),
        overrun_samples=counted("gaps", "overrun"),
        sequence=after.get("sequence", "counted"),
        reconnects=grown("reconnects"),
        pings=len(round_trips),
        pings_lost=len(round_trips) - len(answered),
        round_trip_ns={q: _at(answered, share) for q, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}
        if answered
        else {},
        clock_u_ns=after["clock_u_ns"],
    )
    verdict, findings = judge(report, state=after["state"], detail=after["detail"])
    values = asdict(report)
    return LinkReport(**{**values, "verdict": verdict, "findings": findings})


def _at(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def judge(report: LinkReport, *, state: str, detail: str) -> tuple[str, list[str]]:
    """Say in words what the figures mean, and what to do: good, fair (nothing was lost) or bad."""
    bad, fair = [], []
    cable = "try a shorter or shielded cable, another plug, no hub, or a lower baud rate"
    if state == "stopped":
        fair.append("the device is stopped, so only pings were measured; start it (spikedaq device start NAME)")
    elif not report.blocks:
        bad.append(f"no block came; the device is {state}" + (f": {detail}" if detail else ""))
    if report.reconnects:
        bad.append(
            f"the link was lost {report.reconnects} times; a loose plug or a hub that resets: plug the board into the "
            "computer itself"
        )
    if report.lost_samples:
        bad.append(f"{report.lost_samples} samples are lost for good; {cable}")
    if report.overrun_samples:
        bad.append(
            f"the board discarded {report.overrun_samples} samples because the link is too slow for them; use a higher "
            "baud rate, a longer step, or a computer that is less busy"
        )
    damaged = report.bad_frames + report.frames_resent
    if damaged and not report.lost_samples:
        per = report.frames_resent / report.blocks if report.blocks else 0.0
        fair.append(
            f"{report.bad_frames} damaged frames came, {report.frames_resent} frames were sent again "
            f"({per:.2g} per block) and no sample is missing; it will not stay so on a worse day: {cable}"
        )
    if report.sequence != "counted":
        fair.append("the board's firmware numbers nothing, so that losses and round trips cannot be measured")
    elif report.pings_lost:
        fair.append(f"{report.pings_lost} of {report.pings} pings got no answer; {cable}")
    p99_ns = report.round_trip_ns.get("p99", 0)
    if p99_ns > _SLOW_NS:
        fair.append(
            f"answers take up to {p99_ns / 1e6:.0f} ms, which makes times less certain; a hub, a busy computer, or an "
            "adapter's latency timer (echo 1 > /sys/bus/usb-serial/devices/ttyUSB0/latency_timer)"
        )
    if bad:
        return "bad", bad + fair
    if fair:
        return "fair", fair
    return "good", ["every frame came whole, at once and in time"]


def show(report: LinkReport) -> None:
    """Print a report for people."""
    out = console()
    table = Table(box=None, pad_edge=False, show_header=False)
    trip = report.round_trip_ns
    rows = [
        ("link", report.url),
        ("measured for", f"{report.seconds:.1f} s"),
        ("samples", f"{report.rate_hz:.1f} Hz of {report.nominal_hz:.0f} Hz, in {report.block_rate_hz:.1f} blocks/s"),
        ("bytes", f"{bytes_text(report.bytes_per_s)}/s"),
        ("bad frames", str(report.bad_frames)),
        ("frames sent again", f"{report.frames_resent} ({report.resend_requests} requests)"),
        ("frames missing", f"{report.frames_missing} ({report.resend_given_up} asked for in vain)"),
        ("samples missing", f"{report.lost_samples} lost, {report.overrun_samples} overrun"),
        ("link lost", f"{report.reconnects} times"),
        (
            "round trip",
            f"p50 {trip['p50'] / 1e6:.2f} ms, p99 {trip['p99'] / 1e6:.2f} ms, at most {trip['max'] / 1e6:.2f} ms"
            if trip
            else "no answer",
        ),
        ("pings lost", f"{report.pings_lost} of {report.pings}"),
        ("clock", clock_text(report.clock_u_ns)),
    ]
    for name, value in rows:
        table.add_row(name, value)
    out.print(table)
    for number, finding in enumerate(report.findings):
        out.print(f"{report.verdict if number == 0 else '  and'}: {finding}", markup=False)
