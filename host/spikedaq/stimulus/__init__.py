"""Stimulus waveforms: generators as a table, specifications that can be kept as JSON, rows as a device takes them.

Nothing here does I/O. A row is 0.1 ms of model time; its value is a whole number of 0.01 %, from -10000 to 10000
(protocol/README.md, section 7).
"""

from spikedaq.stimulus.generators import GENERATORS, generator, table
from spikedaq.stimulus.parameters import Generator, Parameter
from spikedaq.stimulus.preview import braille_plot, envelope
from spikedaq.stimulus.spec import checked_spec, make, spec_of
from spikedaq.stimulus.waveform import (
    LIMIT_CENTIPERCENT,
    MAX_ROWS,
    ROW_MS,
    Waveform,
    concatenated,
    quantised,
    repeated,
)

__all__ = [
    "GENERATORS",
    "LIMIT_CENTIPERCENT",
    "MAX_ROWS",
    "ROW_MS",
    "Generator",
    "Parameter",
    "Waveform",
    "braille_plot",
    "checked_spec",
    "concatenated",
    "envelope",
    "generator",
    "make",
    "quantised",
    "repeated",
    "spec_of",
    "table",
]
