"""A live bench: the devices of one daemon."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.bus import ALARMS, BENCH, EVENTS, SAMPLES, STATUS, Message, decode_mode, decode_samples, topic_for
from spikedaq.inlet.address import reached_by
from spikedaq.inlet.closing import Closing
from spikedaq.inlet.control import DEFAULT_CONTROL_URL, ControlClient
from spikedaq.inlet.derived import DerivedBlock, derived_block
from spikedaq.inlet.follow import Follower
from spikedaq.inlet.history import HistoryClient
from spikedaq.inlet.library import LibraryClient
from spikedaq.inlet.subscriber import Subscriber
from spikedaq.keys import ClientKey
from spikedaq.model import ChannelInfo, ClampMode, CommandRejected

_LIBRARY_S = 20.0
"""It reads disks, and says after 15 s that one of them hangs."""


@dataclass(frozen=True, slots=True, eq=False)
class LiveBlock:
    """Consecutive samples of one device as they come.

    Attributes
    ----------
    samples : int16 array, shape (n_samples, n_channels)
        Raw values; read-only.
    mode : ClampMode
        It decides which channels the samples are of: see `Bench.channels`.
    missed : int
        Blocks that were published before this one and never came here.
    header : map
        Everything else the message says (docs/reference/bus.md).
    """

    device: str
    first_step: int
    first_tick: int
    step_us: int
    t_host_ns: int | None
    uncertainty_ns: int | None
    samples: npt.NDArray[np.int16]
    mode: ClampMode
    missed: int
    header: dict[str, Any]


def control_url(url: str | None = None) -> str:
    """Return the daemon's address: the argument, else the environment's ``SPIKEDAQ_URL``, else the default."""
    return url or os.environ.get("SPIKEDAQ_URL") or DEFAULT_CONTROL_URL


def connect(
    url: str | None = None,
    *,
    timeout_s: float = 5.0,
    key: ClientKey | str | os.PathLike[str] | None = None,
    name: str | None = None,
) -> Bench:
    """Connect to a running daemon.

    Parameters
    ----------
    key, name
        As for `ControlClient`.

    Raises
    ------
    CommandTimeout
        Nobody answers there.
    ConfigError
        The daemon demands a key and there is none.
    """
    client = ControlClient(control_url(url), timeout_s=timeout_s, key=key, name=name)
    try:
        return Bench(client, client.call("hello"))
    except BaseException:
        client.close()
        raise


class Bench(Closing):
    """The devices of one daemon, live. Made by `connect`; close it, or use it in a ``with`` statement."""

    def __init__(self, client: ControlClient, hello: dict[str, Any]) -> None:
        self.client = client
        self.name: str = hello["bench"]
        self.publish_url: str = reached_by(client.url, hello["publish"])
        self.hello = hello

    @property
    def devices(self) -> list[str]:
        """Names of the devices."""
        return [entry["name"] for entry in self.client.call("list")]

    def describe(self, device: str) -> dict[str, Any]:
        """Channels (in current clamp, and ``clamp_channels`` in voltage clamp), parameters and presets of a device."""
        value: dict[str, Any] = self.client.call("describe", device=device)
        return value

    def channels(self, device: str, mode: ClampMode) -> list[ChannelInfo]:
        """Channels of a device in a clamp mode, in the order of its blocks' columns."""
        key = "clamp_channels" if mode is ClampMode.VOLTAGE else "channels"
        return [ChannelInfo(**channel) for channel in self.describe(device).get(key, ())]

    def get(self, device: str, name: str) -> float:
        """Value of one parameter, in its unit."""
        return float(self.client.call("get", device=device, name=name)["value"])

    def set(self, device: str, **values: float | None) -> None:
        """Set parameters, all or none; None hands one back to its knob."""
        self.client.call("set", device=device, values=values)

    def status(self) -> dict[str, Any]:
        """State of the daemon, its devices and the recording."""
        value: dict[str, Any] = self.client.call("status")
        return value

    def subscribe(self, *streams: str, devices: Sequence[str] = ()) -> Subscriber:
        """Subscribe to streams (``samples``, ``events``, ``status``) of some devices, or of all that are there now.

        ``alarms`` are those of the whole bench. `topic` names what can be added to the subscription later.
        """
        names = list(devices) or self.devices
        topics = [self.topic(name, stream) for stream in streams for name in (names if stream != ALARMS else [BENCH])]
        return Subscriber(self.publish_url, topics, key=self.client.key)

    def topic(self, device: str, stream: str) -> str:
        """Topic of a device's stream, for `Subscriber.add`."""
        return topic_for(self.name, device, stream)

    def history(self) -> HistoryClient:
        """Return a client of what was before; close it.

        Raises
        ------
        CommandRejected
            The daemon has no history running.
        """
        return HistoryClient(self._history_client(self.client.timeout_s))

    def library(self) -> LibraryClient:
        """Return a client of what was recorded; close it. Raises as `history` does."""
        return LibraryClient(self._history_client(max(self.client.timeout_s, _LIBRARY_S)))

    def check_folder(self, folder: str, session: str | None = None) -> dict[str, Any]:
        """Return whether every device could be recorded in a folder of the daemon's computer, and for how long.

        Parameters
        ----------
        session : str, optional
            The name that the recording is to have.

        Returns
        -------
        map
            ``ok`` and ``why_not``, ``free_bytes`` and more as `folder_check` of docs/reference/library.md, and
            ``time_left_s``: how long the disk lasts; None where that is not known yet, or nothing streams.

        Raises
        ------
        CommandRejected
            The folder may not be looked at.
        """
        with self.library() as library:
            found = library.check_folder(folder, session)
        return {**found, "time_left_s": time_left_s(found, self.status().get("disk") or {})}

    def _history_client(self, timeout_s: float) -> ControlClient:
        # Asked anew: the history may have been started again since, or the daemon.
        endpoint = self.client.call("hello").get("history")
        if not endpoint:
            message = f"the daemon at {self.client.url} has no history running now; try again in a moment"
            raise CommandRejected(message, code="not_running")
        url = reached_by(self.client.url, endpoint)
        return ControlClient(url, timeout_s=timeout_s, key=self.client.key, name=self.client.name)

    def follow(
        self,
        device: str,
        *,
        since: tuple[int, int] | None = None,
        patience_s: float = 30.0,
        timeout_s: float | None = None,
    ) -> Follower:
        """Return an iterator over blocks and events, as `Message`, that fetches what was missed; see `Follower`."""
        return Follower(self, device, since=since, patience_s=patience_s, timeout_s=timeout_s)

    def blocks(self, device: str, *, timeout_s: float | None = None) -> Iterator[LiveBlock]:
        """Yield the device's blocks as they come; ends when ``timeout_s`` seconds pass without one."""
        with self.subscribe(SAMPLES, devices=[device]) as subscriber:
            missed_before = 0
            while (message := subscriber.recv(timeout_s)) is not None:
                missed = subscriber.counters[message.topic].missed
                yield _live_block(device, message, missed - missed_before)
                missed_before = missed

    def derived(self, device: str, stream: str, *, timeout_s: float | None = None) -> Iterator[DerivedBlock]:
        """Yield what a client publishes as a derived stream; ends when ``timeout_s`` seconds pass without any.

        ``describe`` tells its channels under ``derived``, while it is published.
        """
        with self.subscribe(stream, devices=[device]) as subscriber:
            while (message := subscriber.recv(timeout_s)) is not None:
                yield derived_block(device, message)

    def events(self, device: str, *, timeout_s: float | None = None) -> Iterator[dict[str, Any]]:
        """Yield the device's events (spikes, parameter changes, gaps, ...) as maps."""
        yield from self._headers(EVENTS, device, timeout_s)

    def statuses(self, device: str, *, timeout_s: float | None = None) -> Iterator[dict[str, Any]]:
        """Yield the device's status: once a second, and as a recording of it begins or is over."""
        yield from self._headers(STATUS, device, timeout_s)

    def _headers(self, stream: str, device: str, timeout_s: float | None) -> Iterator[dict[str, Any]]:
        with self.subscribe(stream, devices=[device]) as subscriber:
            while (message := subscriber.recv(timeout_s)) is not None:
                yield message.header

    def close(self) -> None:
        """Disconnect; may be called twice."""
        self.client.close()


def time_left_s(folder: Mapping[str, Any], disk: Mapping[str, Any]) -> float | None:
    """Return how long a folder's disk lasts for a recording of every device, None where nobody knows.

    Parameters
    ----------
    folder : map
        What `folder_check` tells.
    disk : map
        ``disk`` of the daemon's ``status``.
    """
    if folder.get("same_disk"):
        left = disk.get("time_left_recording_s")
        return None if left is None else float(left)
    free, rate = folder.get("free_bytes"), disk.get("recording_bytes_per_s")
    if free is None or not rate:
        return None
    return max(0.0, (float(free) - float(folder.get("reserve_bytes") or 0)) / float(rate))


def _live_block(device: str, message: Message, missed: int) -> LiveBlock:
    header = message.header
    return LiveBlock(
        device=device,
        first_step=header["step"],
        first_tick=header["tick"],
        step_us=header["step_us"],
        t_host_ns=header.get("t_ns"),
        uncertainty_ns=header.get("u_ns"),
        samples=decode_samples(message),
        mode=decode_mode(message),
        missed=missed,
        header=header,
    )
