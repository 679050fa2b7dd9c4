"""`spikedaq watch`: what every device is doing, live."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from spikedaq.bus import STATUS, DeviceStatus
from spikedaq.cli.common import add_json_option, add_url_option, console, positive_seconds, print_json
from spikedaq.cli.display import Growth, status_line, status_table
from spikedaq.inlet import Subscriber, connect
from spikedaq.model import RemoteProtocolError

# Statuses come once a second; after this long without one the daemon is gone or stuck.
STALE_S = 3.0
_POLL_S = 0.25


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser("watch", help="show rate, gaps, clock and files of every device, live")
    parser.add_argument("--seconds", type=positive_seconds, metavar="N", help="end after this long")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_watch)


def run_watch(arguments: argparse.Namespace) -> int:
    """Watch until Ctrl-C."""
    end_s = None if arguments.seconds is None else time.monotonic() + arguments.seconds
    with connect(arguments.url, key=arguments.key) as bench, bench.subscribe(STATUS) as subscriber:
        out = console()
        title = f"bench {bench.name}, {bench.client.url}; Ctrl-C ends"
        try:
            watch(
                subscriber,
                out,
                until=lambda: end_s is not None and time.monotonic() >= end_s,
                title=lambda: title,
                as_json=arguments.json,
            )
        except KeyboardInterrupt:
            return 0
    return 0


def watch(
    subscriber: Subscriber, out: Console, *, until: Callable[[], bool], title: Callable[[], str], as_json: bool = False
) -> None:
    """Show statuses as they come until ``until`` says so: a live table on a terminal, lines elsewhere."""
    board = Board()
    if as_json or not out.is_terminal:
        while not until():
            message = subscriber.recv(_POLL_S)
            if message is not None and as_json:
                print_json(message.header)
            elif message is not None and (status := board.take(message.header)) is not None:
                print(status_line(status, board.growth), flush=True)
        return
    with Live(console=out, auto_refresh=False) as live:
        while not until():
            message = subscriber.recv(_POLL_S)
            if message is not None:
                board.take(message.header)
            live.update(board.render(title(), out.width), refresh=True)


class Board:
    """The newest status of each device."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self.growth = Growth(now_s)
        self.statuses: dict[str, DeviceStatus] = {}
        self._arrived_s: dict[str, float] = {}

    def take(self, header: dict[str, Any]) -> DeviceStatus | None:
        """Take the header of a status message; None where it is not complete."""
        try:
            status = DeviceStatus.from_map(header)
        except RemoteProtocolError:
            return None
        self.statuses[status.device] = status
        self._arrived_s[status.device] = self._now_s()
        self.growth.update(status)
        return status

    def stale(self) -> frozenset[str]:
        """Devices from which no status came for `STALE_S`."""
        now_s = self._now_s()
        return frozenset(name for name, arrived_s in self._arrived_s.items() if now_s - arrived_s > STALE_S)

    def render(self, title: str, width: int) -> Group:
        """Return the table, with a line for each device that has something to say."""
        statuses = [self.statuses[name] for name in sorted(self.statuses)]
        stale = self.stale()
        details = [
            Text(f"{status.device}: {status.detail}", style="red")
            for status in statuses
            if status.detail and status.state not in ("running", "stopped")
        ]
        if not statuses:
            details.append(Text("waiting for the first status ...", style="dim"))
        table = status_table(statuses, self.growth, width=width, stale=stale)
        return Group(Text(title, style="dim"), table, *details)
