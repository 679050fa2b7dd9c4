"""What boards with a stock firmware of Spikeling send and take. Pure: bytes in, rows and lines out; no clock or I/O."""

from spikedaq.stock.arrival import USUAL_PERIODS_US, ArrivalClock, nominal_period_us
from spikedaq.stock.binary import BinaryDecoder
from spikedaq.stock.board import Change, Refusal, StockBoard
from spikedaq.stock.commands import ABSENT
from spikedaq.stock.dialects import BAUDS, DECODERS, DIALECTS, Dialect, dialect_named
from spikedaq.stock.items import Decoder, DecoderCounters, LogLine, Rows, Skipped
from spikedaq.stock.recognise import Recogniser, SynapseScale, Verdict
from spikedaq.stock.settings import Setting
from spikedaq.stock.text import TextDecoder, TextFormat

__all__ = [
    "ABSENT",
    "BAUDS",
    "DECODERS",
    "DIALECTS",
    "USUAL_PERIODS_US",
    "ArrivalClock",
    "BinaryDecoder",
    "Change",
    "Decoder",
    "DecoderCounters",
    "Dialect",
    "LogLine",
    "Recogniser",
    "Refusal",
    "Rows",
    "Setting",
    "Skipped",
    "StockBoard",
    "SynapseScale",
    "TextDecoder",
    "TextFormat",
    "Verdict",
    "dialect_named",
    "nominal_period_us",
]
