"""The benches of a class: which they are, and what is recorded there."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from spikedaq.cli.common import add_json_option, add_url_option
from spikedaq.inlet import ClockReading, ControlClient, control_url
from spikedaq.model import CommandRejected, CommandTimeout, ConfigError, SpikedaqError

ENDED = ("complete", "interrupted")
"""States of a session that is over."""

_Bench = TypeVar("_Bench")
_Result = TypeVar("_Result")


@dataclass(slots=True)
class Seat:
    """One bench of the class.

    Attributes
    ----------
    devices : list of str
        What is recorded there.
    reading : ClockReading or None
        Its clock against ours as the session began.
    may_record : bool
        It was asked to begin the session and has not refused, whether or not it has answered.
    remark : str
        What went wrong there without keeping the session from beginning.
    """

    url: str
    bench: str
    publish: str
    devices: list[str]
    reading: ClockReading | None = None
    may_record: bool = False
    remark: str = ""

    def to_map(self) -> dict[str, Any]:
        """Return what others are told, and what is remembered until the session is stopped."""
        reading = None if self.reading is None else asdict(self.reading)
        return {
            "url": self.url,
            "bench": self.bench,
            "publish": self.publish,
            "devices": self.devices,
            "reading": reading,
        }


def add_bench_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which benches."""
    parser.add_argument(
        "--bench", action="append", default=[], metavar="ADDRESS", help="another bench (again for more)"
    )
    parser.add_argument("--list", type=Path, metavar="FILE", help="benches, one address a line; '#' begins a remark")
    add_url_option(parser)
    add_json_option(parser)


def addresses(arguments: argparse.Namespace) -> list[str]:
    """Return the benches asked for, this computer's first; that one only where it is asked for or answers."""
    given = [_address(text) for text in arguments.bench]
    if arguments.list is not None:
        try:
            lines = arguments.list.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the list of benches {arguments.list} cannot be read ({error})") from error
        given += [_address(text) for line in lines if (text := line.partition("#")[0].strip())]
    own = control_url(arguments.url)
    if arguments.url is not None or not given or _answers(own, arguments):
        given.insert(0, own)
    return list(dict.fromkeys(given))


def _address(text: str) -> str:
    """Complete ``lab3`` and ``lab3:5571`` to an endpoint."""
    if "://" in text:
        return text
    return f"tcp://{text}" if text.rpartition(":")[2].isdecimal() and ":" in text else f"tcp://{text}:5571"


def _answers(url: str, arguments: argparse.Namespace) -> bool:
    try:
        with ControlClient(url, key=arguments.key, timeout_s=2.0) as client:
            client.call("hello")
    except CommandTimeout:
        return False
    return True


def ready_seat(url: str, arguments: argparse.Namespace) -> Seat:
    """Return a bench with what is to be recorded there.

    Raises
    ------
    CommandRejected
        It records already, one of its boards does not run, or it has none.
    CommandTimeout
        It does not answer.
    """
    with ControlClient(url, key=arguments.key) as client:
        hello, entries = client.call("hello"), client.call("list")
        recording = client.call("record_status")
    if recording is not None and recording["state"] not in ENDED:
        raise CommandRejected(f"bench {hello['bench']} records session {recording['session']!r} already", code="busy")
    without = {text.partition("/")[2] for text in arguments.without if text.partition("/")[0] == hello["bench"]}
    wanted = [e for e in entries if e.get("record", True) and e["name"] not in without]
    wanted = [e for e in wanted if e.get("configured", True) or e.get("port")]
    absent = [
        f"{e['name']} is {e['state']} ({e['detail'] or 'no reason given'})" for e in wanted if e["state"] != "running"
    ]
    if absent:
        text = f"bench {hello['bench']}: {'; '.join(absent)}; leave it out with --without {hello['bench']}/DEVICE"
        raise CommandRejected(text, code="not_running")
    if not wanted:
        raise CommandRejected(f"bench {hello['bench']} at {url} has no board to record", code="not_running")
    return Seat(url, hello["bench"], hello["publish"], [e["name"] for e in wanted])


def everywhere(benches: Sequence[_Bench], do: Callable[[_Bench], _Result]) -> list[_Result | SpikedaqError]:
    """Do something at all benches at once; what fails is returned in its place."""

    def tried(bench: _Bench) -> _Result | SpikedaqError:
        try:
            return do(bench)
        except SpikedaqError as error:
            return error

    with ThreadPoolExecutor(max_workers=max(1, len(benches))) as pool:
        return list(pool.map(tried, benches))
