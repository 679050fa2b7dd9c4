"""The benches of a class, and what is recorded there."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from spikedaq.inlet import ClockReading, ControlClient
from spikedaq.keys import ClientKey
from spikedaq.model import CommandRejected, SpikedaqError

ENDED = ("complete", "interrupted")
"""States of a session that is over."""
_REMEDY = "leave it out, or look at its cable and its bench"

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
    demands_key : bool
        Nobody is let in without a key; else everybody who reaches it may change everything.
    remark : str
        What went wrong there without keeping the session from beginning.
    """

    url: str
    bench: str
    publish: str
    devices: list[str]
    reading: ClockReading | None = None
    may_record: bool = False
    demands_key: bool = False
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


def ready_seat(
    url: str,
    without: Collection[str] = (),
    *,
    key: ClientKey | str | os.PathLike[str] | None = None,
    remedy: str = _REMEDY,
) -> Seat:
    """Return a bench with what is to be recorded there.

    Parameters
    ----------
    url : str
        Its control endpoint.
    without : collection of str
        Boards that are left out, as ``BENCH/DEVICE``.
    remedy : str
        What to do about a board that does not run; ``{bench}`` stands for the bench.

    Raises
    ------
    CommandRejected
        It records already, one of its boards does not run, it has none, or not the one that is to be left out.
    CommandTimeout
        It does not answer.
    """
    with ControlClient(url, key=key) as client:
        hello, entries = client.call("hello"), client.call("list")
        recording = client.call("record_status")
    if recording is not None and recording["state"] not in ENDED:
        raise CommandRejected(f"bench {hello['bench']} records session {recording['session']!r} already", code="busy")
    left_out = {text.partition("/")[2] for text in without if text.partition("/")[0] == hello["bench"]}
    unknown = sorted(left_out - {e["name"] for e in entries} - {""})
    if unknown:
        there = ", ".join(e["name"] for e in entries) or "none"
        text = f"bench {hello['bench']} has no board {unknown[0]!r} that could be left out; it has {there}"
        raise CommandRejected(text, code="unknown_device")
    wanted = [e for e in entries if e.get("record", True) and e["name"] not in left_out]
    wanted = [e for e in wanted if e.get("configured", True) or e.get("port")]
    absent = [
        f"{e['name']} is {e['state']} ({e['detail'] or 'no reason given'})" for e in wanted if e["state"] != "running"
    ]
    if absent:
        text = f"bench {hello['bench']}: {'; '.join(absent)}; {remedy.format(bench=hello['bench'])}"
        raise CommandRejected(text, code="not_running")
    if not wanted:
        raise CommandRejected(f"bench {hello['bench']} at {url} has no board to record", code="not_running")
    names = [e["name"] for e in wanted]
    return Seat(url, hello["bench"], hello["publish"], names, demands_key=client.key is not None)


def ready_seats(
    urls: Sequence[str],
    without: Collection[str] = (),
    *,
    key: ClientKey | str | os.PathLike[str] | None = None,
    remedy: str = _REMEDY,
) -> list[Seat]:
    """Return all benches, ready to begin.

    Raises
    ------
    CommandRejected
        Code ``not_ready``, with everything that keeps the class from beginning.
    """
    found = everywhere(urls, lambda url: ready_seat(url, without, key=key, remedy=remedy))
    problems = [f"{url}: {each}" for url, each in zip(urls, found, strict=True) if isinstance(each, SpikedaqError)]
    seats = [each for each in found if isinstance(each, Seat)]
    names = [seat.bench for seat in seats]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        problems.append(f"several benches are called {', '.join(twice)}; give each its own name (bench = ...)")
    if problems:
        raise CommandRejected(f"the class was not started, nothing records: {'; '.join(problems)}", code="not_ready")
    return seats


def everywhere(benches: Sequence[_Bench], do: Callable[[_Bench], _Result]) -> list[_Result | SpikedaqError]:
    """Do something at all benches at once; what fails is returned in its place."""

    def tried(bench: _Bench) -> _Result | SpikedaqError:
        try:
            return do(bench)
        except SpikedaqError as error:
            return error

    with ThreadPoolExecutor(max_workers=max(1, len(benches))) as pool:
        return list(pool.map(tried, benches))
