"""The self-test: every input of a board, read once."""

from __future__ import annotations

from spikedaq.device.requests import Requests
from spikedaq.model import CommandRejected, DeviceInfo, InputReading, RemoteProtocolError, Trait
from spikedaq.wire import Reply, SelfTest

MAX_INPUTS = 256
"""An index is one byte."""
_FIELDS = 5


async def read_inputs(device: str, info: DeviceInfo, requests: Requests, *, origin: str) -> list[InputReading]:
    """Read every input of a board, in the board's order.

    Raises
    ------
    CommandRejected
        The board has no self-test (``unsupported``), or refuses.
    RemoteProtocolError
        An answer that is no reading.
    """
    if info.is_translated:
        message = (
            f"{device} runs stock firmware, which has no self-test; flash the firmware of this project "
            "(docs/reference/boards) to see its inputs"
        )
        raise CommandRejected(message, code="unsupported")
    if not info.traits & Trait.SELF_TEST:
        message = (
            f"{device} (board {info.board}, firmware {info.firmware_version}) has no self-test; "
            "an older firmware lacks it, and so does v1, whose flash has no room for it"
        )
        raise CommandRejected(message, code="unsupported")
    readings: list[InputReading] = []
    for index in range(MAX_INPUTS):
        try:
            answer = await requests.call(lambda i, n=index: SelfTest(i, n), what=f"self-test {index}", origin=origin)  # type: ignore[misc]
        except CommandRejected as error:
            if error.code == "out_of_range" and index > 0:
                break
            raise
        readings.append(_reading(device, index, answer.value if isinstance(answer, Reply) else None))
    return readings


def _reading(device: str, index: int, value: object) -> InputReading:
    if isinstance(value, tuple | list) and len(value) >= _FIELDS:
        name, raw, number, unit, period_us = value[:_FIELDS]
        texts = isinstance(name, str) and isinstance(unit, str)
        if texts and _is_int(raw) and (_is_int(number) or isinstance(number, float)) and _is_int(period_us):
            return InputReading(name, raw, float(number), unit, period_us)
    raise RemoteProtocolError(f"{device} answered 'self-test {index}' with {value!r}, not with a reading of an input")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
