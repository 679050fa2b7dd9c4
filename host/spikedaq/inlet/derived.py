"""Derived streams from the client's side: publishing one through the daemon, and what a subscriber gets of it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.bus import DerivedPlace, Message, decode_derived, derived_payload
from spikedaq.inlet.closing import Closing
from spikedaq.inlet.control import ControlClient
from spikedaq.model import CommandRejected, CommandTimeout, RemoteProtocolError, SpikedaqError


@dataclass(frozen=True, slots=True, eq=False)
class DerivedBlock:
    """Consecutive values of a derived stream.

    Attributes
    ----------
    boot_id, steps : int, and int64 array, shape (n_values,)
        The model steps that the values are of.
    values : float32 array, shape (n_values, n_channels)
        In the units that ``describe`` tells; NaN where there is none.
    header : map
        Everything that the message says (docs/reference/bus.md).
    """

    device: str
    stream: str
    boot_id: int
    steps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]
    header: dict[str, Any]


def derived_block(device: str, message: Message) -> DerivedBlock:
    """Decode a message of a derived stream.

    Raises
    ------
    RemoteProtocolError
        It is none, as `spikedaq.bus.decode_derived` has it.
    """
    values, header = decode_derived(message), message.header
    try:
        first, pitch = int(header["step"]), int(header["pitch_steps"])
        boot_id, stream = int(header["boot"]), str(header["stream"])
    except (KeyError, TypeError, ValueError) as error:
        raise RemoteProtocolError(f"a message on {message.topic!r} lacks or garbles {error}") from error
    steps = first + pitch * np.arange(len(values), dtype=np.int64)
    return DerivedBlock(device, stream, boot_id, steps, values, header)


class DerivedPublisher(Closing):
    """Publishes one derived stream of a device; close it, or use it in a ``with`` statement.

    Where the daemon was started anew, or took this publisher for gone, the stream is opened again with the next values.

    Parameters
    ----------
    client : ControlClient
        Of a controller. Not closed with this.
    channels : sequence of (name, unit)
    pitch_steps : int
        Model steps from value to value.
    settings : map
        How it is computed, as ``describe`` tells others.
    replace : bool
        Take the place of a stream of this name that the same user published before.

    Attributes
    ----------
    topic : str
        Where it is published.
    published, unpublished : int
        Values that went out, and values that the daemon did not take: it was away, or they were too many.
    reason : str
        Why the newest of those were not taken.

    Raises
    ------
    CommandRejected
        The daemon refuses the stream.
    """

    def __init__(
        self,
        client: ControlClient,
        device: str,
        stream: str,
        channels: Sequence[tuple[str, str]],
        pitch_steps: int,
        *,
        settings: Mapping[str, Any] | None = None,
        ttl_s: float = 10.0,
        replace: bool = False,
    ) -> None:
        self._client = client
        self._definition: dict[str, Any] = {
            "device": device,
            "stream": stream,
            "channels": [{"name": name, "unit": unit} for name, unit in channels],
            "pitch_steps": pitch_steps,
            "settings": dict(settings or {}),
            "ttl_s": ttl_s,
        }
        self.published = self.unpublished = 0
        self.reason = ""
        self.topic = ""
        self._id = ""
        self._open(replace=replace)

    def _open(self, *, replace: bool) -> None:
        answer = self._client.call("derive_open", replace=replace, **self._definition)
        self._id, self.topic = answer["id"], answer["topic"]

    def publish(self, place: DerivedPlace, values: npt.NDArray[np.floating[Any]]) -> bool:
        """Publish values, shape (n_values, n_channels), the first at ``place``; none only says that we are there.

        Returns
        -------
        bool
            The daemon took them. Where not, ``reason`` says why, and they are counted.
        """
        try:
            self._send(place, values)
        except CommandRejected as error:
            if error.code != "unknown_stream":
                return self._lost(len(values), error)
            try:
                # Another daemon, or a pause of ours. Who took the name meanwhile keeps it.
                self._open(replace=False)
                self._send(place, values)
            except SpikedaqError as again:
                return self._lost(len(values), again)
        except (CommandTimeout, RemoteProtocolError) as error:
            return self._lost(len(values), error)
        self.published += len(values)
        return True

    def _send(self, place: DerivedPlace, values: npt.NDArray[np.floating[Any]]) -> None:
        where = {"boot": place.boot_id, "step": place.step, "step_us": place.step_us}
        times = {"tick": place.tick, "t_ns": place.t_ns, "u_ns": place.u_ns}
        names = {key: self._definition[key] for key in ("device", "stream")}
        self._client.call("derive", id=self._id, samples=derived_payload(values), **names, **where, **times)

    def _lost(self, n: int, error: SpikedaqError) -> bool:
        self.unpublished += n
        self.reason = str(error)
        return False

    def close(self) -> None:
        """End the stream; where the daemon is away it ends by itself."""
        if self._id:
            names = {key: self._definition[key] for key in ("device", "stream")}
            with contextlib.suppress(SpikedaqError):
                self._client.call("derive_close", id=self._id, **names)
            self._id = ""
