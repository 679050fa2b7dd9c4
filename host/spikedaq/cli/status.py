"""`spikedaq status`: everything at a glance."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from spikedaq.bus import DeviceStatus, RecordingStatus
from spikedaq.cli.common import (
    add_json_option,
    add_url_option,
    bytes_text,
    console,
    link_text,
    open_client,
    print_json,
    printable,
    span_text,
)
from spikedaq.cli.display import Growth, alarm_title, recording_caption, status_table

EXIT_ALARMS = 3
"""Everything could be asked, and something is wrong. 1 is for a daemon that does not answer."""


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser(
        "status",
        help="show devices, recording, disk and alarms",
        description="Show how everything is. The exit status is 0 where nothing is wrong, 3 where an alarm stands, 1 "
        "where the daemon does not answer.",
    )
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_status)


def run_status(arguments: argparse.Namespace) -> int:
    """Show the state of everything once."""
    with open_client(arguments) as client:
        status = client.call("status")
    if arguments.json:
        print_json(status)
    else:
        print_status(status, console())
    return EXIT_ALARMS if status.get("alarms") else 0


def print_status(status: dict[str, Any], out: Console) -> None:
    """Print the reply to `status`."""
    for part in status_parts(status, out.width):
        out.print(part)


def status_parts(status: dict[str, Any], width: int) -> Iterator[RenderableType]:
    """Yield what is printed, from the most to the least urgent."""
    yield Text(
        f"bench {status['bench']}, spikedaqd {status['version']}, process {status['pid']}, up "
        f"{span_text(status['uptime_s'])}"
    )
    yield from _alarms(status.get("alarms") or [])
    statuses = [DeviceStatus.from_map({"device": entry["name"], **entry}) for entry in status["devices"]]
    if statuses:
        yield status_table(statuses, Growth(), width=width, once=True)
    else:
        yield Text("no devices: plug one in, or give spikedaqd one with --device NAME=URL")
    for device in statuses:
        remarks = [device.detail] if device.detail else []
        if link := link_text(device.link):
            remarks.append(f"link: {link}")
        if device.saturated_blocks:
            remarks.append(f"{device.saturated_blocks} blocks with values that were cut")
        for remark in remarks:
            yield _indented(Text(printable(f"{device.device}: {remark}")))
    yield from _summary(status)


def _alarms(alarms: list[dict[str, Any]]) -> Iterator[RenderableType]:
    if not alarms:
        return
    yield Text(f"{len(alarms)} {'alarm' if len(alarms) == 1 else 'alarms'}", style="bold red")
    for alarm in alarms:
        age = f", for {span_text(alarm['age_s'])}" if "age_s" in alarm else ""
        yield _indented(Text.assemble((alarm_title(alarm), "red"), f"{age}: {printable(alarm['text'])}"))


def _summary(status: dict[str, Any]) -> Iterator[RenderableType]:
    lines = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    lines.add_column(no_wrap=True, style="dim")
    lines.add_column(overflow="fold")
    recording = status.get("recording")
    lines.add_row("recording", _recording(RecordingStatus.from_map(recording)) if recording else Text("nothing"))
    disk = status.get("disk") or {}
    lines.add_row("disk", _disk(disk, status["free_bytes"], status["data"]))
    for session, other in (disk.get("elsewhere") or {}).items():
        lines.add_row("disk", _disk(other, other["free_bytes"], f"another one, of session {session}"))
    for lease in status.get("leases") or ():
        what = lease["device"] or "the whole bench"
        lines.add_row("lease", Text(f"{what}: {printable(lease['holder'])}, {span_text(lease['left_s'])} left"))
    yield lines


def _recording(recording: RecordingStatus) -> Text:
    styles = {"recording": "", "complete": "", "stalled": "bold red"}
    return Text(recording_caption(recording), style=styles.get(recording.state, "yellow"))


def _disk(disk: dict[str, Any], free_bytes: int | None, which: str) -> Text:
    text = Text(f"{bytes_text(free_bytes)} free")
    rate, left_s = disk.get("bytes_per_s"), disk.get("time_left_s")
    if left_s is not None:
        text.append(f", lasts {span_text(left_s)}" + (f" at {bytes_text(rate)}/s" if rate else ""))
    elif rate is not None:
        text.append(", not getting less")
    return text.append(f"; {printable(which)}")


def _indented(text: Text) -> RenderableType:
    return Padding(text, (0, 0, 0, 2))
