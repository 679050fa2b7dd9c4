"""The link that a device is on now: what is sent over it, and what became of it."""

from __future__ import annotations

import asyncio

from spikedaq.device.clock import ClockKeeper
from spikedaq.device.receive import Receiver
from spikedaq.device.requests import Requests
from spikedaq.device.seams import Timing
from spikedaq.link import Link, host_now_ns, pace_of
from spikedaq.model import LinkLostError
from spikedaq.wire import HelloRequest, Ping, encode_frame, encode_message


class PresentLink:
    """One link after another, at most one at a time.

    Parameters
    ----------
    url : str
        Of the device, for errors.
    received : Receiver
        Takes the link's bytes, and the journal's notes of what is sent and lost.
    requests : Requests
        Is told when there is nothing any more to send them over.
    clock : ClockKeeper
        Is told of each ping.
    timing : Timing

    Attributes
    ----------
    link : Link or None
        None while there is none.
    """

    def __init__(self, url: str, received: Receiver, requests: Requests, clock: ClockKeeper, timing: Timing) -> None:
        self.link: Link | None = None
        self._url = url
        self._received = received
        self._requests = requests
        self._clock = clock
        self._timing = timing
        self._lost: LinkLostError | None = None

    # ---- its life ----

    def begin(self, link: Link) -> None:
        """Start a fresh link and use it."""
        self._lost = None
        self._received.attention.clear()
        self.take_over(link)

    def take_over(self, link: Link) -> None:
        """Use a link in place of the one it stands on."""
        self.link = link
        self._clock.pace(pace_of(link.url))
        link.start(self._received.bytes_came, self._on_lost)

    async def let_go(self, opened: Link) -> None:
        """Close what is used, else ``opened``, and have the journal say what became of it."""
        link = self.link or opened  # a stock board's has a translator on it
        self.link = None
        self._requests.detach(str(self._lost) if self._lost else f"{self._url} is closed")
        self._received.end(host_now_ns())
        self._received.link(host_now_ns(), "lost" if self._lost else "closed", link.url, str(self._lost or ""))
        self._received.release()
        await link.close()

    def check_lost(self) -> None:
        """Raise `LinkLostError` if the link is lost."""
        if self._lost is not None:
            raise self._lost

    def _on_lost(self, error: LinkLostError) -> None:
        self._lost = error
        self._requests.detach(str(error))
        self._received.attention.set()
        self._received.pong.set()

    def _present(self) -> Link:
        if self.link is None:
            raise self._lost or LinkLostError(f"{self._url} is closed", url=self._url)
        return self.link

    # ---- sending ----

    def send_request(self, message: bytes, origin: str) -> None:
        """Journal a message to the device, and send it.

        Raises
        ------
        LinkLostError
            By this and all that follow, where there is no link any more.
        """
        link = self._present()
        self._received.request(host_now_ns(), message, origin)
        link.write(encode_frame(message))

    def ask_hello(self) -> None:
        """Ask who is there."""
        self.send_request(encode_message(HelloRequest()), "watchdog")

    def ping(self) -> int:
        """Send a ping; return its token."""
        link = self._present()
        token = self._clock.next_token()
        frame = encode_frame(encode_message(Ping(token)))
        t_send_ns = host_now_ns()
        link.write(frame)
        self._clock.sent(token, t_send_ns)
        self._received.ping_sent(t_send_ns, token)
        return token

    async def quick_pings(self) -> None:
        """Exchange the first pings of a boot, from which its clock is fitted."""
        for number in range(self._timing.quick_pings):
            if number:
                await asyncio.sleep(self._timing.quick_ping_s)
            self._received.pong.clear()
            self.ping()
            try:
                async with asyncio.timeout(self._timing.quick_pong_s):
                    await self._received.pong.wait()
            except TimeoutError:
                self.check_lost()

    async def round_trip_ns(self) -> int | None:
        """Measure one round trip; None where no answer came within `Timing.ping_patience_s`."""
        token = self.ping()
        try:
            async with asyncio.timeout(self._timing.ping_patience_s):
                while self._clock.waits_for(token):
                    self.check_lost()
                    self._received.pong.clear()
                    await self._received.pong.wait()
        except (TimeoutError, LinkLostError):
            return None
        return self._clock.round_trip_ns
