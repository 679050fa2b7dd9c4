"""`spikedaq replay`: journals, or the part of them that a session is, as live devices of a bench of their own."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikedaq.cli.child import DaemonChild
from spikedaq.cli.common import add_json_option, console, gaps_text, print_json
from spikedaq.cli.demo import command_name, ended_by_signals
from spikedaq.cli.watch import watch
from spikedaq.inlet import connect
from spikedaq.journal import list_segments
from spikedaq.link.replay import REPLAY_ENDED
from spikedaq.model import CommandError, ConfigError
from spikedaq.recorder import read_newest, read_plan

_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Source:
    """One journal to replay, from offset ``first`` to ``last``, or to its end."""

    name: str
    folder: Path
    first: int = 0
    last: int | None = None

    @property
    def n_bytes(self) -> int:
        """Bytes of it that are there."""
        total = 0
        for segment in list_segments(self.folder):
            end = segment.base_offset + segment.size()
            total += max(0, min(end, end if self.last is None else self.last) - max(segment.base_offset, self.first))
        return total

    def url(self, speed: str, *, loop: bool) -> str:
        """Return the URL of its link."""
        part = (f"&from={self.first}" if self.first else "") + ("" if self.last is None else f"&to={self.last}")
        return f"replay:{self.folder}?speed={speed}{'&loop=1' if loop else ''}{part}"


def add_commands(commands: Any) -> None:
    """Add this module's command."""
    parser = commands.add_parser(
        "replay",
        help="play journals as live devices, in their own time, faster, or as fast as possible",
        description="PATH is a journal (DATA/journal/alpha), a data folder, or the folder of a session.",
        epilog="example: spikedaq replay data/recordings/first-try --speed 10",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    parser.add_argument("--speed", type=speed, default="1", metavar="N", help="device seconds per second, or max (1)")
    parser.add_argument("--loop", action="store_true", help="begin anew at the end, until Ctrl-C")
    parser.add_argument("--device", action="append", metavar="NAME", help="only this one (again for more)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep what the replay's daemon writes (default: not)")
    parser.add_argument("--url-only", action="store_true", help="only print the links, for a daemon of your own")
    add_json_option(parser)
    parser.set_defaults(run=run_replay)


def speed(text: str) -> str:
    """Read a speed: a number above 0 and up to 100, or max."""
    if text == "max":
        return text
    with contextlib.suppress(ValueError):
        if 0 < float(text) <= 100:
            return f"{float(text):g}"
    raise argparse.ArgumentTypeError(f"{text!r} is no speed; give a number above 0 and up to 100, or max")


def sources(paths: Iterable[Path], wanted: list[str] | None) -> list[Source]:
    """Return the journals that some paths stand for, each under a name of its own.

    Raises
    ------
    ConfigError, StoreError
        There are none, or not those wanted.
    """
    found = [source for path in paths for source in _of(path.absolute())]
    if wanted is not None:
        missing = [name for name in wanted if name not in {source.name for source in found}]
        if missing:
            there = ", ".join(source.name for source in found)
            raise ConfigError(f"there is no journal of {', '.join(missing)}; there are {there}")
        found = [source for source in found if source.name in wanted]
    named: dict[str, Source] = {}
    for source in found:
        name, n = source.name, 2
        while name in named:
            name, n = f"{source.name}-{n}", n + 1
        named[name] = Source(name, source.folder, source.first, source.last)
    return list(named.values())


def _of(path: Path) -> list[Source]:
    if not path.is_dir():
        raise ConfigError(f"{path} is not a folder; give a journal, a data folder or a session's folder")
    if (path / "session.json").exists():
        return _of_session(path)
    if list_segments(path):
        return [Source(path.name, path)]
    for folder in (path / "journal", path):
        journals = [sub for sub in sorted(folder.iterdir()) if list_segments(sub)] if folder.is_dir() else []
        if journals:
            return [Source(sub.name, sub) for sub in journals]
    raise ConfigError(f"{path} holds no journal; give DATA/journal/DEVICE, a data folder or a session's folder")


def _of_session(path: Path) -> list[Source]:
    found = []
    for device in read_plan(path).devices:
        # The paths of the plan are those of the computer it was made on; the data folder may have been moved since.
        folder = next((f for f in (device.journal, path.parent.parent / "journal" / device.name) if f.is_dir()), None)
        segments = list_segments(folder) if folder is not None else []
        if folder is None or not segments:
            raise ConfigError(f"the journal of {device.name} is gone ({device.journal}), so its session is no replay")
        manifest = read_newest(path / device.name)
        last = manifest.cursor if manifest is not None else None
        if last is not None and segments[0].base_offset >= last:
            raise ConfigError(f"the journal of {device.name} no longer holds this session; only its files do")
        found.append(Source(device.name, folder, device.start_offset, last))
    return found


def run_replay(arguments: argparse.Namespace) -> int:
    """Replay until everything has ended, or Ctrl-C."""
    chosen = sources(arguments.paths, arguments.device)
    urls = {source.name: source.url(arguments.speed, loop=arguments.loop) for source in chosen}
    if arguments.url_only and arguments.json:
        print_json(urls)
        return 0
    if arguments.url_only:
        for name, url in urls.items():
            print(f"{name}={url}")
        return 0
    out = console()
    for source in chosen:
        held = list_segments(source.folder)[0].base_offset
        if held > source.first:
            out.print(f"{source.name}: the first {held - source.first} bytes were deleted; it begins after them")
    sizes = {source.name: max(1, source.n_bytes) for source in chosen}
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(ended_by_signals())
        data = arguments.data
        if data is None:
            data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spikedaq-replay-")))
        daemon = stack.enter_context(DaemonChild(data=data.absolute(), bench="replay", devices=urls))
        daemon.wait_until_ready(stop.is_set)
        if not arguments.json:
            how = "as fast as possible" if arguments.speed == "max" else f"at {arguments.speed}x"
            out.print(f"replaying {', '.join(urls)} {how}; elsewhere: SPIKEDAQ_URL={daemon.url} {command_name()} watch")
        shown = _Progress(daemon, sizes)
        with connect(daemon.url) as bench:
            if arguments.json:
                while not (stop.wait(_LOOK_S) or shown.is_over()):
                    pass
            else:
                watch(bench, out, until=lambda: stop.is_set() or shown.is_over(), title=shown.title)
        entries = shown.entries
    if arguments.json:
        print_json([{key: entry[key] for key in ("name", "state", "detail", "samples", "gaps")} for entry in entries])
    else:
        for entry in entries:
            print(f"{entry['name']}: {entry['samples']} samples, gaps {gaps_text(entry['gaps'])}; {entry['detail']}")
    return 0


class _Progress:
    """How far each replay is."""

    def __init__(self, daemon: DaemonChild, sizes: dict[str, int]) -> None:
        self._daemon = daemon
        self._sizes = sizes
        self._looked_s = 0.0
        self.entries: list[dict[str, Any]] = []

    def is_over(self) -> bool:
        """Look now and then; True once all have ended. A journal that cannot be replayed ends it with an error."""
        if time.monotonic() - self._looked_s < _LOOK_S:
            return False
        self._looked_s = time.monotonic()
        self._daemon.check_alive()
        self.entries = self._daemon.client.call("status")["devices"]
        wrong = [
            e for e in self.entries if e["state"] == "lost" and e["blocks"] == 0 and REPLAY_ENDED not in e["detail"]
        ]
        if wrong:
            raise CommandError(f"{wrong[0]['name']} cannot be replayed: {wrong[0]['detail']}")
        return all(REPLAY_ENDED in entry["detail"] for entry in self.entries)

    def title(self) -> str:
        """Return how far everything is. Answers and the daemon's own records count for little of a journal."""
        parts = []
        for entry in self.entries:
            share = (
                100
                if REPLAY_ENDED in entry["detail"]
                else min(99, 100 * entry["link_bytes"] // self._sizes[entry["name"]])
            )
            parts.append(f"{entry['name']} {share} %")
        return ", ".join(parts) + "; Ctrl-C ends"
