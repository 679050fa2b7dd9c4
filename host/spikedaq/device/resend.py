"""What to ask for again, when, and when to give it up. No clock and no I/O of its own."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from spikedaq.device.seams import Timing
from spikedaq.wire import Connection, Reply, ReplyCode

_MODULUS: Final = 2**32
_HALF: Final = 2**31
_MAX_COUNT: Final = 2**16 - 1
_MAX_HOLE: Final = 2
"""Frames that are here and lie between missing ones: so many come again rather than cost a request of their own."""
_FIRST_ROUND_TRIP_NS: Final = 50_000_000
"""Believed until a reply or a pong has shown another."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for ``count`` frames from ``first_seq`` on, then say `Resend.asked`.

    ``n_missing`` of them are missing; ``older_too`` says that older ones are missing which are not asked for.
    """

    first_seq: int
    count: int
    n_missing: int
    older_too: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Call `Connection.give_up` with ``before_seq``."""

    before_seq: int


@dataclass(slots=True)
class ResendCounters:
    """What became of it.

    Attributes
    ----------
    requests, timeouts : int
        Requests sent, and those of them after which nothing came for a while.
    given_up : int
        Frames that were not waited for any longer.
    """

    requests: int = 0
    timeouts: int = 0
    given_up: int = 0


@dataclass(slots=True)
class _Wave:
    """Missing frames that were noticed at one time: those before ``end_seq`` and after the wave before it."""

    end_seq: int
    since_ns: int
    moved_ns: int  # when the last of them came
    tries: int = 0


@dataclass(slots=True)
class _Request:
    """The one that is under way."""

    request_id: int
    ask: Ask
    sent_ns: int
    heard_ns: int  # when the last frame of it, or its reply, came
    n_missing: int


class Resend:
    """Follows what is missing in a connection, with one request under way at a time.

    Call `next` whenever something came, and at `due_ns`, and do what it says until it says None.

    Parameters
    ----------
    timing : Timing
        Its ``resend_...`` fields.
    """

    def __init__(self, timing: Timing) -> None:
        self.counters = ResendCounters()
        self._first_ns = round(timing.resend_first_s * 1e9)
        self._last_ns = round(timing.resend_last_s * 1e9)
        self._patience_ns = round(timing.resend_patience_s * 1e9)
        self._longest_ns = round(timing.resend_longest_s * 1e9)
        self._tries = timing.resend_tries
        self._waves: deque[_Wave] = deque()
        self._request: _Request | None = None
        self._gone_before: int | None = None
        self._reach = 0  # frames that the device can remember
        self._measured = False
        self._round_trip_ns = _FIRST_ROUND_TRIP_NS
        self._deviation_ns = _FIRST_ROUND_TRIP_NS // 2

    @property
    def timeout_ns(self) -> int:
        """How long nothing may come before it is asked again: by RFC 6298, between the timing's bounds."""
        tries = self._waves[0].tries if self._waves else 0
        usual_ns = max(self._round_trip_ns + 4 * self._deviation_ns, self._first_ns)
        return min(usual_ns << max(tries - 1, 0), self._last_ns)

    @property
    def due_ns(self) -> int | None:
        """When `next` has something to do although nothing comes; None while nothing is missing."""
        if not self._waves:
            return None
        wave = self._waves[0]
        due_ns = min(wave.moved_ns + self._patience_ns, wave.since_ns + self._longest_ns)
        if self._request is not None:
            due_ns = min(due_ns, self._request.heard_ns + self.timeout_ns)
        return due_ns

    def round_trip(self, round_trip_ns: int) -> None:
        """Take a measured round trip of a request or a ping."""
        if not self._measured:
            self._measured = True
            self._round_trip_ns, self._deviation_ns = round_trip_ns, round_trip_ns // 2
            return
        off_ns = abs(round_trip_ns - self._round_trip_ns)
        self._deviation_ns += (off_ns - self._deviation_ns) // 4
        self._round_trip_ns += (round_trip_ns - self._round_trip_ns) // 8

    def reset(self) -> None:
        """Forget what is under way: the link is gone, and with it whatever it carried."""
        self._waves.clear()
        self._request = self._gone_before = None

    def asked(self, ask: Ask, request_id: int, now_ns: int) -> None:
        """Say that a request was sent."""
        self.counters.requests += 1
        if self._waves:
            self._waves[0].tries += 1
        self._request = _Request(request_id, ask, now_ns, now_ns, ask.n_missing)

    def answered(self, reply: Reply, now_ns: int) -> bool:
        """Take a reply; False where it is none to the request that is under way."""
        request = self._request
        if request is None or reply.request_id != request.request_id:
            return False
        self.round_trip(now_ns - request.sent_ns)
        request.heard_ns = now_ns
        has = reply.value if reply.code == ReplyCode.OK and isinstance(reply.value, int) else 0
        # A device forgets the oldest first, so that what it has no more lies at the beginning, and before it. Where it
        # has none of as many as it can remember, perhaps they were never sent: a hello or the end of patience tells.
        if has > 0 or not request.ask.older_too:
            self._gone_before = (request.ask.first_seq + request.ask.count - max(has, 0)) % _MODULUS
        return True

    def next(self, connection: Connection, now_ns: int) -> Ask | GiveUp | None:
        """Say what to do now."""
        missing = connection.missing()
        if not missing or connection.info is None:
            self.reset()
            return None
        self._reach = connection.info.resend_depth
        self._follow(missing, now_ns)
        gone_before, self._gone_before = self._gone_before, None
        if gone_before is not None and 0 < (gone_before - missing[0][0]) % _MODULUS < _HALF:
            return self._give_up(missing, gone_before)
        wave = self._waves[0]
        spent = self._request is None and wave.tries >= self._tries
        if spent or now_ns - wave.moved_ns >= self._patience_ns or now_ns - wave.since_ns >= self._longest_ns:
            self._request = None
            return self._give_up(missing, wave.end_seq)
        if self._request is not None:
            return None
        ask = self._range(missing, connection.held.newest)
        if ask is None and missing[0][1] < self._reach:
            return self._give_up(missing, wave.end_seq)
        return ask

    def _follow(self, missing: list[tuple[int, int]], now_ns: int) -> None:
        """Bring waves and request up to what is missing now."""
        base = missing[0][0]
        while self._waves and not 0 < (self._waves[0].end_seq - base) % _MODULUS < _HALF:
            self._waves.popleft()
            if self._waves:
                # It waited for its turn; now it has as much time as any.
                self._waves[0].moved_ns = now_ns
        end_seq = sum(missing[-1]) % _MODULUS
        if not self._waves or 0 < (end_seq - self._waves[-1].end_seq) % _MODULUS < _HALF:
            self._waves.append(_Wave(end_seq, now_ns, now_ns))
        request = self._request
        if request is None:
            return
        n_missing = _count_between(missing, request.ask.first_seq, request.ask.count)
        if n_missing == 0:
            self._request = None
        elif n_missing < request.n_missing:
            request.n_missing = n_missing
            request.heard_ns = self._waves[0].moved_ns = now_ns
            self._waves[0].tries = min(self._waves[0].tries, 1)
        elif now_ns - request.heard_ns >= self.timeout_ns:
            self.counters.timeouts += 1
            self._request = None

    def _give_up(self, missing: list[tuple[int, int]], before_seq: int) -> GiveUp:
        base = missing[0][0]
        self.counters.given_up += _count_between(missing, base, (before_seq - base) % _MODULUS)
        return GiveUp(before_seq)

    def _range(self, missing: list[tuple[int, int]], newest_seq: int) -> Ask | None:
        """Return the oldest missing frames that the device may still have, runs close to each other together."""
        limit = min(self._reach, _MAX_COUNT)
        first = end = None
        for run_first, run_count in missing:
            run_end = (run_first + run_count) % _MODULUS
            # Those further back than it can remember are passed over: a reply shows whether they are gone.
            back = (newest_seq - run_first) % _MODULUS
            begin = run_first if back < limit else (newest_seq - limit + 1) % _MODULUS
            if not 0 < (run_end - begin) % _MODULUS < _HALF:
                continue
            if first is None or end is None:
                first, end = begin, run_end
            elif (begin - end) % _MODULUS <= _MAX_HOLE:
                end = run_end
            else:
                break
        if first is None or end is None:
            return None
        count = min((end - first) % _MODULUS, limit)
        return Ask(first, count, _count_between(missing, first, count), first != missing[0][0])


def _count_between(missing: list[tuple[int, int]], first_seq: int, count: int) -> int:
    """How many of the frames ``first_seq .. first_seq + count - 1`` are missing."""
    n = 0
    for run_first, run_count in missing:
        begin = _signed(run_first - first_seq)
        n += max(0, min(begin + run_count, count) - max(begin, 0))
    return n


def _signed(difference: int) -> int:
    return (difference + _HALF) % _MODULUS - _HALF
