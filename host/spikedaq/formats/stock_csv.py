"""The stock software's nine-column CSV, hardware dialect: header, number format, time column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from spikedaq.formats.text_tables import (
    BytesArray,
    arrival_time_columns,
    join_columns,
    model_time_columns,
    value_table,
    wall_time_columns,
)
from spikedaq.model import ChannelInfo, ClampMode, StoreError

TimeColumn = Literal["model", "wall", "arrival", "stock"]
TIME_HEADERS: dict[TimeColumn, str] = {
    "model": "Time (ms)",
    "wall": "Time (s)",
    "arrival": "Time (ms)",
    "stock": "Time (ms)",
}
ARRIVAL_WARNING = (
    "Time (ms) is the measured time since the first row: the board's firmware counts no steps. The stock software's "
    "rule, row x 0.1 ms, is --time stock"
)
STOCK_TIME_WARNING = (
    "Time (ms) is row x 0.1 ms, the stock software's rule: neither real time nor, where rows are missing, model time"
)


@dataclass(frozen=True, slots=True)
class StockColumn:
    """One column: the channel it comes from, its unit, its header, its decimals."""

    channel: str
    unit: str
    header: str
    decimals: int


# Decimals of the hardware dialect: Vm and currents come as int16/100, synapse Vm as int16 in whole mV.
STOCK_COLUMNS = (
    StockColumn("vm", "mV", "Spikeling Vm (mV)", 2),
    StockColumn("stimulus", "%", "Stimulus (%)", 0),
    StockColumn("i_total", "a.u.", "Total Current Input (a.u.)", 2),
    StockColumn("syn1_vm", "mV", "Synapse 1 Vm (mV)", 0),
    StockColumn("syn1_i", "a.u.", "Synapse 1 Input (a.u.)", 2),
    StockColumn("syn2_vm", "mV", "Synapse 2 Vm (mV)", 0),
    StockColumn("syn2_i", "a.u.", "Synapse 2 Input (a.u.)", 2),
    StockColumn("trigger", "1", "Trigger", 0),
)


CLAMP_COLUMNS = (
    STOCK_COLUMNS[0],
    StockColumn("v_command", "mV", "Command (mV)", 2),
    StockColumn("i_clamp_out", "a.u.", "Clamp Output (a.u.)", 2),
    *STOCK_COLUMNS[3:],
)
# As the stock software has it: whole millivolts called per cent, and the controller's output called the total current.
_STOCK_CLAMP_COLUMNS = (
    STOCK_COLUMNS[0],
    StockColumn("v_command", "mV", STOCK_COLUMNS[1].header, 0),
    StockColumn("i_clamp_out", "a.u.", STOCK_COLUMNS[2].header, 2),
    *STOCK_COLUMNS[3:],
)
STOCK_HEADER_WARNING = (
    "voltage clamp under the stock header: 'Stimulus (%)' holds the command in mV and 'Total Current Input (a.u.)' the "
    "output of the clamp's controller"
)


def columns_of(mode: ClampMode, *, as_stock: bool = False) -> tuple[StockColumn, ...]:
    """Return the columns after the time, headed by what they hold, or as the stock software heads them."""
    if mode is ClampMode.CURRENT:
        return STOCK_COLUMNS
    return _STOCK_CLAMP_COLUMNS if as_stock else CLAMP_COLUMNS


def stock_header(time: TimeColumn, columns: Sequence[StockColumn] = STOCK_COLUMNS) -> bytes:
    """Return the header line with its line feed; exactly the stock one for model time and the stock's columns."""
    return (",".join([TIME_HEADERS[time], *(c.header for c in columns)]) + "\n").encode()


class RowFormatter:
    """Turns blocks of raw samples into lines of the stock CSV.

    Parameters
    ----------
    channels : sequence of ChannelInfo
        The device's channels, in the order of the samples' columns.
    device : str
        Name for messages.
    columns : sequence of StockColumn
        What the lines hold after the time.
    partial : bool
        A column whose channel the board does not have stays empty and is named in ``absent``.

    Raises
    ------
    StoreError
        A stock column has no channel, or the channel has another unit.
    """

    def __init__(
        self,
        channels: Sequence[ChannelInfo],
        *,
        device: str,
        columns: Sequence[StockColumn] = STOCK_COLUMNS,
        partial: bool = False,
    ) -> None:
        at = {channel.name: index for index, channel in enumerate(channels)}
        missing = [c.channel for c in columns if c.channel not in at]
        self.absent = [c.header for c in columns if c.channel in missing] if partial else []
        if missing and not partial:
            raise StoreError(
                f"{device}: the recording has no channel {', '.join(missing)}, which the stock CSV needs; "
                "read the NWB file itself, it holds every channel there is"
            )
        self._columns: list[tuple[str, int, BytesArray]] = []
        for column in columns:
            end = b"\n" if column is columns[-1] else b","
            if column.channel in missing:
                self._columns.append((column.channel, 0, np.full(2**16, end, dtype=np.bytes_)))
                continue
            channel = channels[at[column.channel]]
            if channel.unit != column.unit:
                raise StoreError(
                    f"{device}: channel {channel.name} is in {channel.unit!r}, the stock CSV needs {column.unit!r}; "
                    "read the NWB file itself, it says each channel's unit"
                )
            table = value_table(channel, decimals=column.decimals, end=end)
            self._columns.append((column.channel, at[column.channel], table))

    def model_rows(self, steps: npt.NDArray[np.int64], samples: npt.NDArray[np.int16]) -> bytes:
        """Lines with model time.

        Parameters
        ----------
        steps : int64 array, shape (n,)
            Steps since the first row of the CSV.
        samples : int16 array, shape (n, n_channels)
        """
        return self._rows(model_time_columns(steps), samples)

    def wall_rows(self, seconds: npt.NDArray[np.float64], samples: npt.NDArray[np.int16]) -> bytes:
        """Lines with real time in seconds; arrays as in `model_rows`."""
        return self._rows(wall_time_columns(seconds), samples)

    def arrival_rows(self, seconds: npt.NDArray[np.float64], samples: npt.NDArray[np.int16]) -> bytes:
        """Lines with milliseconds; ``seconds`` (n,) since the first row of the CSV."""
        return self._rows(arrival_time_columns(seconds), samples)

    def _rows(self, time: list[tuple[str, BytesArray]], samples: npt.NDArray[np.int16]) -> bytes:
        if not len(samples):
            return b""
        values = [
            (name, table[np.ascontiguousarray(samples[:, index]).view(np.uint16)])
            for name, index, table in self._columns
        ]
        return join_columns(time + values)
