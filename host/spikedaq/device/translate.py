"""A stock board's bytes in, frames of our protocol out, and the other way round (protocol/README.md, section 11).

No I/O and no clock: every call says when. Everything above sees an ordinary device with the trait *translated*.

Steps count the rows that were read. Ticks are microseconds of this computer's clock, of the row's arrival, or the
board's own where it sends them (v1). A ping is answered with the tick of a row that was surely made after the ping was
sent, because it arrived later than any latency assumed here, and surely before the answer. So what a ping and its pong
say is true, and the clock's fit states the uncertainty that follows from it; nothing needs to know that a translator is
there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from spikedaq.device.stock_blocks import BlockBuilder
from spikedaq.device.stock_out import DEBUG, INFO, WARNING, FrameSender
from spikedaq.device.stock_requests import StockRequests
from spikedaq.model import EventKind, LocalProtocolError, RemoteProtocolError, Trait
from spikedaq.stock import (
    USUAL_PERIODS_US,
    ArrivalClock,
    Change,
    Dialect,
    LogLine,
    Rows,
    StockBoard,
    SynapseScale,
    nominal_period_us,
)
from spikedaq.wire import (
    PROTOCOL_VERSION,
    EventMessage,
    Frame,
    FrameDecoder,
    Hello,
    HelloRequest,
    Ping,
    Pong,
    Status,
    decode_message,
)

TRANSPORT_NS: Final = 20_000_000
"""What a byte may take from a board to this program on a quiet computer: common USB bridges hold it back for 16 ms."""
WARM_UP_NS: Final = 1_000_000_000
MAX_PINGS: Final = 32
MAX_REQUEST_BYTES: Final = 1024
_STATUS_NS: Final = 1_000_000_000
_MAX_CHUNKS: Final = 4096
_U32: Final = 2**32
_UNKNOWN_COMMAND: Final = "Unknown command:"
_BOOT_LINE: Final = "BOOT:"


class Translator:
    """One stock board, as the rest of spikedaq sees it.

    Parameters
    ----------
    dialect : Dialect
    unique_id : bytes
    t_ns : int
        Now, CLOCK_BOOTTIME.
    draw_boot_id : callable
        Gives a fresh random 32-bit number.
    scale : int or None
        Of the synapses' voltages, where it has been seen.

    Attributes
    ----------
    ready : bool
        The step period has been measured; there can be a hello.
    lost_bytes : int
        Bytes of the board that could not be read.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        unique_id: bytes,
        t_ns: int,
        draw_boot_id: Callable[[], int],
        scale: int | None = None,
    ) -> None:
        self.dialect = dialect
        self.ready = False
        self.scale = SynapseScale()
        self.scale.scale = dialect.syn_scale or scale
        self._unique_id = unique_id
        self._draw_boot_id = draw_boot_id
        self._t0_ns = t_ns - WARM_UP_NS
        self._decoder = dialect.decoder()
        self._host = FrameDecoder()
        self._chunks: deque[tuple[int, int]] = deque(maxlen=_MAX_CHUNKS)  # end offset, when read
        self._offset = 0
        self._arrival: ArrivalClock | None = None
        self._first: tuple[int, int] | None = None
        self._n_rows = 0
        self._out = FrameSender()
        self._requests: StockRequests | None = None
        self._board: StockBoard | None = None
        self._blocks: BlockBuilder | None = None
        self._boot_id = draw_boot_id()
        self._running = False
        self._pings: deque[tuple[int, int]] = deque(maxlen=MAX_PINGS)
        self._newest_tick = 0
        self._board_tick: int | None = None
        self._next_status_ns = t_ns
        self._skipped_before = 0  # what the first, incomplete row had is no loss
        self._skipped_told = 0

    # ---- what others ask ----

    @property
    def about(self) -> str:
        """One clear line for people."""
        text = f"stock firmware {self.dialect.firmware.split()[0]} (no sequence numbers)"
        if self.dialect.kind == "binary" and self.scale.scale is None:
            text += f", unit of the synapse voltages not known yet ({self.scale.undecided_rows} rows)"
        if self.lost_bytes:
            text += f", {self.lost_bytes} bytes could not be read"
        return text

    @property
    def lost_bytes(self) -> int:
        """Bytes of the board that are part of no row and no line."""
        return self._decoder.counters.skipped_bytes - self._skipped_before

    @property
    def jitter_ns(self) -> float:
        """How unevenly rows have arrived in the last ten seconds."""
        return self._arrival.jitter_ns if self._arrival else 0.0

    def frames(self) -> bytes:
        """Return, and forget, what is to be given to the host."""
        return self._out.taken()

    def commands(self) -> bytes:
        """Return, and forget, what is to be written to the board."""
        return self._requests.commands() if self._requests else b""

    # ---- from the board ----

    def board_bytes(self, data: bytes, t_ns: int) -> None:
        """Take bytes of the board, read at ``t_ns``."""
        self._offset += len(data)
        self._chunks.append((self._offset, t_ns))
        for item in self._decoder.feed(data):
            if isinstance(item, Rows):
                self._rows(item, t_ns)
            elif isinstance(item, LogLine):
                self._line(item.text, t_ns)
        if self._requests is None:
            self._warm_up()
            return
        self._requests.settle(t_ns)
        self._keep_pace(t_ns)
        if self._n_rows and t_ns >= self._next_status_ns:
            self._next_status_ns = t_ns + _STATUS_NS
            self._send_status(t_ns)

    def _rows(self, rows: Rows, t_ns: int) -> None:
        if self._arrival is None:
            self._arrival = ArrivalClock(float(self.dialect.nominal_us or 2000))
        if self.dialect.kind == "binary" and self.scale.scale is None:
            before = self.scale.undecided_rows
            self.scale.see(rows.values)
            if self.scale.scale is not None and self.ready:
                unit = "1 mV" if self.scale.scale == 1 else "0.01 mV"
                text = f"synapse voltages come in {unit}; they were 0 in the {before} rows before this was known"
                self._out.log(WARNING, text, t_ns)
        samples, saturated = self.dialect.samples(rows.values, self.scale.scale)
        ticks = self._widened(rows.ticks, t_ns) if rows.ticks is not None else None
        first_row = self._n_rows
        arrivals = self._note_arrivals(rows.end_offsets)
        if self._blocks is not None:
            self._blocks.add(samples, first_row, ticks, saturated=saturated)
            self._give_blocks()
        if ticks is not None and len(ticks):
            self._newest_tick = int(ticks[-1])
        elif self._arrival is not None:
            self._newest_tick = max(self._newest_tick, self._arrival_tick(self._n_rows - 1))
        self._answer_pings(arrivals)

    def _note_arrivals(self, ends: npt.NDArray[np.int64]) -> int:
        """Tell the arrival clock of the last row of each read; return when the newest row came."""
        at, newest_ns = 0, 0
        while at < len(ends):
            while len(self._chunks) > 1 and self._chunks[0][0] < ends[at]:
                self._chunks.popleft()
            chunk_end, newest_ns = self._chunks[0]
            n = int(np.searchsorted(ends[at:], chunk_end, side="right")) or 1
            at += n
            self._n_rows += n
            if self._arrival is not None:
                self._arrival.came(self._n_rows - 1, newest_ns)
            if self._first is None:
                self._first = (self._n_rows - 1, newest_ns)
        return newest_ns

    def _arrival_tick(self, row: int) -> int:
        if self._arrival is None:
            return 0
        return max(0, round((self._arrival.time_ns(row) - self._t0_ns) / 1000))

    def _widened(self, ticks: npt.NDArray[np.int64], t_ns: int) -> npt.NDArray[np.int64]:
        """Widen the board's own microseconds; a step back is a reboot of the board."""
        if self._board_tick is None:
            self._board_tick = int(ticks[0])
        steps = np.diff(ticks, prepend=self._board_tick % _U32) % _U32
        if (steps >= _U32 // 2).any():
            self._reboot("its clock started again", t_ns)
            self._board_tick = int(ticks[0])
            steps = np.diff(ticks, prepend=self._board_tick % _U32) % _U32
            steps[steps >= _U32 // 2] = 0
        wide: npt.NDArray[np.int64] = self._board_tick + np.cumsum(steps)
        self._board_tick = int(wide[-1])
        return wide

    def _line(self, text: str, t_ns: int) -> None:
        level = INFO
        if text.startswith(_UNKNOWN_COMMAND):
            word = text[len(_UNKNOWN_COMMAND) :].strip()
            level = DEBUG  # what a hello? looks like to a stock board, unless it is the answer to a command
            if self._requests is not None and self._requests.unknown(word):
                level = WARNING
        elif self.ready and text.startswith(_BOOT_LINE):
            self._reboot("it says so", t_ns)
        if self.ready:
            self._out.log(level, f"the board says: {text}", t_ns)

    def _warm_up(self) -> None:
        if self._arrival is None or self._first is None:
            return
        row, t_ns = self._first
        newest_ns = self._chunks[-1][1]
        if newest_ns - t_ns < WARM_UP_NS or self._n_rows - 1 <= row:
            return
        measured_us = (newest_ns - t_ns) / (self._n_rows - 1 - row) / 1000
        self.ready = True
        self._skipped_before = self._decoder.counters.skipped_bytes
        self._arrival.sped(measured_us)
        usual = USUAL_PERIODS_US if self.dialect.nominal_us else ()
        self._begin(nominal_period_us(measured_us, usual))

    def _begin(self, step_us: int) -> None:
        self._board = StockBoard(self.dialect, step_us=step_us)
        self._blocks = BlockBuilder(step_us, self._arrival_tick)
        self._requests = StockRequests(self._out, self.dialect, self._board, self._blocks, self._obeyed)
        self._out.send(self.hello())

    def _reboot(self, why: str, t_ns: int) -> None:
        """Begin another boot: what the host had set is gone, and so is the tick's origin."""
        if not self.ready or self._blocks is None or self._board is None:
            return
        step_us = self._blocks.step_us
        self._blocks.close()
        self._give_blocks()
        self._pings.clear()
        self._boot_id = self._draw_boot_id()
        self._out.boot()
        self._running = False
        self._n_rows = 0
        self._newest_tick = 0
        self._t0_ns = t_ns - WARM_UP_NS
        self._arrival = ArrivalClock(float(step_us))
        self._begin(step_us)
        self._out.log(WARNING, f"the board has rebooted ({why})", t_ns)

    def _keep_pace(self, t_ns: int) -> None:
        """Take over a period that has changed for good without our asking."""
        if self._arrival is None or self._blocks is None or self._board is None:
            return
        lasting_us = self._arrival.lasting_period_us(self._blocks.step_us)
        if lasting_us is None:
            return
        usual = USUAL_PERIODS_US if self.dialect.nominal_us else ()
        old_us, new_us = self._blocks.step_us, nominal_period_us(lasting_us, usual)
        if new_us == old_us:
            return
        self._blocks.pace(new_us)
        self._give_blocks()
        self._board.measured(new_us)
        self._arrival.sped(new_us)
        index = next(k for k, setting in enumerate(self._board.settings) if setting.name == "step_us")
        self._parameter_event(index, float(new_us))
        self._out.log(WARNING, f"rows now come each {new_us} us, no longer each {old_us} us", t_ns)

    def _give_blocks(self) -> None:
        if self._blocks is None:
            return
        for block in self._blocks.taken():
            if self._running:
                self._out.send(block(self._out.next()))

    def _answer_pings(self, newest_ns: int) -> None:
        """Answer the pings that were sent long enough before the newest row came."""
        while self._pings and self._blocks is not None:
            token, t_send_ns = self._pings[0]
            if newest_ns - t_send_ns < TRANSPORT_NS + 3 * self.jitter_ns + 1000 * self._blocks.step_us:
                return
            self._pings.popleft()
            self._out.send(Pong(self._out.next(), token, self._newest_tick, max(0, self._n_rows - 1)))

    def _send_status(self, t_ns: int) -> None:
        skipped = self.lost_bytes
        if skipped > self._skipped_told:
            text = f"{skipped - self._skipped_told} bytes of the board could not be read ({skipped} in all)"
            self._out.log(WARNING, text, t_ns)
            self._skipped_told = skipped
        saturated = self._blocks.saturated if self._blocks else 0
        self._out.send(Status(self._out.next(), self._newest_tick, self._n_rows, 0, 0, 0, 0, 0, 0, saturated, 0))

    # ---- from the host ----

    def host_bytes(self, data: bytes, t_ns: int) -> None:
        """Take bytes that the host writes, at ``t_ns``."""
        for frame in self._host.feed(data):
            if not isinstance(frame, Frame):
                continue
            try:
                message = decode_message(frame.message)
            except RemoteProtocolError:
                continue
            if isinstance(message, HelloRequest):
                if self.ready:
                    self._out.send(self.hello())
            elif isinstance(message, Ping):
                self._pings.append((message.token, t_ns))
            elif self._requests is not None and hasattr(message, "request_id"):
                self._requests.take(message, t_ns, self._n_rows, self._start)

    def hello(self) -> Hello:
        """Return the next hello."""
        if self._blocks is None:
            raise LocalProtocolError("a translator has no hello before it has measured the board's step period")
        traits = int(Trait.TRANSLATED) | (int(Trait.VOLTAGE_CLAMP) if self.dialect.clamp_channels else 0)
        dialect = self.dialect
        return Hello(
            self._out.next(), *PROTOCOL_VERSION, dialect.firmware, "stock", dialect.name, self._unique_id,
            self._boot_id, self._blocks.step_us, self._blocks.block_samples, len(dialect.channels),
            len(dialect.settings), len(dialect.presets), 0, 0, 1, MAX_REQUEST_BYTES, self._running, traits,
        )  # fmt: skip

    def _start(self, on: bool) -> None:
        if self._blocks is None or on is self._running:
            return
        self._blocks.close()
        self._give_blocks()  # what came before a start goes nowhere
        self._running = on
        if on:
            self._blocks.started()

    def _obeyed(self, change: Change) -> None:
        board, blocks = self._board, self._blocks
        if board is None or blocks is None:
            return
        for index, value in board.obeyed(change):
            self._parameter_event(index, value)
        step_us = round(board.value("step_us"))
        if "step_us" in change.values and step_us != blocks.step_us:
            blocks.pace(step_us)
            if self._arrival is not None:
                self._arrival.sped(step_us)
        if blocks.in_clamp != board.in_clamp:
            blocks.clamp(board.in_clamp)
        self._give_blocks()

    def _parameter_event(self, index: int, value: float) -> None:
        tick = self._newest_tick % _U32
        self._out.send(EventMessage(self._out.next(), EventKind.PARAMETER, self._n_rows, tick, index, value))
