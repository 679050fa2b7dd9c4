"""`spikedaq watch`: what every device is doing and what is wrong, live."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from spikedaq.bus import ALARMS, STATUS, DeviceStatus, Message, split_topic
from spikedaq.cli.common import add_json_option, add_url_option, console, positive_seconds, print_json
from spikedaq.cli.display import Growth, alarm_text, status_line, status_table
from spikedaq.cli.traces import TraceFeed
from spikedaq.inlet import Bench, Subscriber, connect
from spikedaq.model import CommandError, RemoteProtocolError

# Statuses come once a second; after this long without one the daemon is gone or stuck.
STALE_S = 3.0
# How often it asks for devices that were plugged in meanwhile.
_LOOK_S = 2.0
_POLL_S = 0.25
_ASK_TIMEOUT_S = 1.0


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser("watch", help="show potential, rate, gaps and files of every device, and alarms, live")
    parser.add_argument(
        "--no-traces", action="store_true", help="leave out the potentials: 160 kB/s less for a device at 10 kHz"
    )
    parser.add_argument("--seconds", type=positive_seconds, metavar="N", help="end after this long")
    add_url_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_watch)


def run_watch(arguments: argparse.Namespace) -> int:
    """Watch until Ctrl-C."""
    end_s = None if arguments.seconds is None else time.monotonic() + arguments.seconds
    with connect(arguments.url, key=arguments.key) as bench:
        title = f"bench {bench.name}, {bench.client.url}; Ctrl-C ends"
        try:
            watch(
                bench,
                console(),
                until=lambda: end_s is not None and time.monotonic() >= end_s,
                title=lambda: title,
                as_json=arguments.json,
                with_traces=not arguments.no_traces,
            )
        except KeyboardInterrupt:
            return 0
    return 0


def watch(
    bench: Bench,
    out: Console,
    *,
    until: Callable[[], bool],
    title: Callable[[], str],
    as_json: bool = False,
    with_traces: bool = True,
) -> None:
    """Show statuses and alarms as they come until ``until`` says so.

    On a terminal a live table and, where ``with_traces``, the devices' potentials below it; lines elsewhere.
    """
    board = Board()
    with bench.subscribe(ALARMS) as subscriber:
        news = _News(bench, subscriber)
        if as_json or not out.is_terminal:
            while not until():
                message = news.next()
                if as_json:
                    if message is not None:
                        print_json({"topic": message.topic, **message.header})
                    continue
                for line in board.lines(message):
                    print(line, flush=True)
            return
        feed = TraceFeed(bench) if with_traces else None
        try:
            with Live(console=out, auto_refresh=False) as live:
                while not until():
                    message = news.next()
                    if message is not None:
                        board.take(message)
                    shown = board.render(title(), out.width)
                    live.update(_with_traces(shown, board, feed, out) if feed else shown, refresh=True)
        finally:
            if feed is not None:
                feed.close()


def _with_traces(shown: Group, board: Board, feed: TraceFeed, out: Console) -> Group:
    """Return what is shown with the traces below it, as many as the window has room for."""
    feed.follow(set(board.statuses))
    feed.drain()
    used = len(out.render_lines(shown, pad=False))
    is_unicode = "utf" in (out.encoding or "").lower()
    lines = feed.traces.render(
        sorted(board.statuses), width=out.width, n_lines=out.height - used - 1, is_unicode=is_unicode
    )
    return Group(*shown.renderables, *lines)


class _News:
    """Messages of a bench whose devices come and go."""

    def __init__(self, bench: Bench, subscriber: Subscriber) -> None:
        self._bench = bench
        self._subscriber = subscriber
        self._known: set[str] = set()
        self._looked_s = -math.inf

    def next(self) -> Message | None:
        """Return the next message, None where none comes for a moment."""
        if time.monotonic() - self._looked_s > _LOOK_S:
            self._look()
        return self._subscriber.recv(_POLL_S)

    def _look(self) -> None:
        try:
            entries = self._bench.client.call("list", timeout_s=_ASK_TIMEOUT_S)
        except (CommandError, RemoteProtocolError):
            entries = []  # the daemon is gone or busy; its silence is shown
        for name in {entry["name"] for entry in entries} - self._known:
            self._known.add(name)
            self._subscriber.add(self._bench.topic(name, STATUS))
        self._looked_s = time.monotonic()


class Board:
    """The newest status of each device, and the alarms that stand."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self.growth = Growth(now_s)
        self.statuses: dict[str, DeviceStatus] = {}
        self.alarms: list[dict[str, Any]] = []
        self._more = 0
        self._told: dict[tuple[str, str], dict[str, Any]] = {}
        self._silent: frozenset[str] = frozenset()
        self._arrived_s: dict[str, float] = {}

    def take(self, message: Message) -> DeviceStatus | None:
        """Take a message; the status where it is one, and complete."""
        if split_topic(message.topic).stream == ALARMS:
            self.alarms, self._more = list(message.header["alarms"]), int(message.header["more"])
            return None
        try:
            status = DeviceStatus.from_map(message.header)
        except RemoteProtocolError:
            return None
        self._arrived_s[status.device] = self._now_s()
        if status.state == "removed":
            self.statuses.pop(status.device, None)
            self._arrived_s.pop(status.device, None)
            return status
        self.statuses[status.device] = status
        self.growth.update(status)
        return status

    def lines(self, message: Message | None) -> list[str]:
        """Take a message, if there is one, and return what is to be printed where there is no terminal."""
        status = self.take(message) if message is not None else None
        lines = [] if status is None else [status_line(status, self.growth)]
        standing = {(alarm["kind"], alarm["subject"]): alarm for alarm in self.alarms}
        lines += [f"ALARM {alarm_text(standing[key])}" for key in standing if key not in self._told]
        lines += [f"alarm ended: {alarm_text(self._told[key])}" for key in self._told if key not in standing]
        stale = self.stale()
        lines += [f"{name}: no news for {STALE_S:.0f} s; the daemon is gone or stuck" for name in stale - self._silent]
        self._told, self._silent = standing, stale
        return lines

    def stale(self) -> frozenset[str]:
        """Devices from which no status came for `STALE_S`."""
        now_s = self._now_s()
        return frozenset(name for name, arrived_s in self._arrived_s.items() if now_s - arrived_s > STALE_S)

    def render(self, title: str, width: int) -> Group:
        """Return the table, with a line for each alarm and for each device that has something to say."""
        statuses = [self.statuses[name] for name in sorted(self.statuses)]
        stale = self.stale()
        told = {alarm["subject"] for alarm in self.alarms}
        details = [Text(alarm_text(alarm), style="red") for alarm in self.alarms]
        if self._more:
            details.append(Text(f"and {self._more} more alarms: spikedaq status", style="red"))
        details += [
            Text(f"{status.device}: {status.detail}", style="red")
            for status in statuses
            if status.detail and status.state not in ("running", "stopped") and status.device not in told
        ]
        if not statuses:
            details.append(Text("waiting for the first status ...", style="dim"))
        table = status_table(statuses, self.growth, width=width, stale=stale)
        return Group(Text(title, style="dim"), table, *details)
