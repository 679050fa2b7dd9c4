"""The stock software's stimulus CSV: one row per 0.1 ms of model time, in per cent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spikedaq.formats.output import written_whole
from spikedaq.formats.stock_table import open_table, read_bytes
from spikedaq.model import ConfigError
from spikedaq.stimulus import LIMIT_CENTIPERCENT, MAX_ROWS, Waveform, quantised

MAX_BYTES = 256_000_000
"""`MAX_ROWS` rows of forty characters; a longer file has more rows than any stimulus may have."""
HEADER = "Stim,Trigger"
_STIM, _TRIGGER = "stim", "trigger"
_KNOWN_TEXTS = 50_000
"""Texts whose value is remembered: more than the 20,001 that we write. A long file reads three times as fast."""


@dataclass(frozen=True, slots=True)
class LoadedStimulus:
    """A stimulus from a file.

    Attributes
    ----------
    waveform : Waveform
    ignored_columns : tuple of str
        What else the file has; nothing of it is used.
    n_ignored_triggers : int
        Trigger marks elsewhere than in the first row. A device marks the first row of each loop, and no other.
    """

    waveform: Waveform
    ignored_columns: tuple[str, ...] = ()
    n_ignored_triggers: int = 0


def load_stimulus(path: Path) -> LoadedStimulus:
    """Read a stimulus CSV; see `parse_stimulus`.

    Raises
    ------
    StoreError
        It cannot be read, or is too large.
    ConfigError
        What is in it cannot be a stimulus.
    """
    return parse_stimulus(read_bytes(path, MAX_BYTES), str(path))


def parse_stimulus(data: bytes, name: str) -> LoadedStimulus:
    """Read the bytes of a stimulus CSV.

    The column ``Stim`` is used, in per cent; others may be there. Values are rounded to 0.01 %.

    Parameters
    ----------
    data : bytes
    name : str
        What to call it in errors: its path.

    Raises
    ------
    ConfigError
        No column ``Stim`` or two of it, no rows or too many, or a value that is missing, is no number, or is beyond
        100 %; the text names the line and the value.
    """
    table = open_table(data, name)
    names = [cell.casefold() for cell in table.header]
    if names.count(_STIM) != 1:
        has = "has no column 'Stim'" if _STIM not in names else "has more than one column 'Stim'"
        raise ConfigError(
            f"{name} {has}; its line {table.header_line} is {','.join(table.header)[:80]!r}, and must be '{HEADER}'"
        )
    stim = names.index(_STIM)
    trigger = names.index(_TRIGGER) if _TRIGGER in names else None
    values: list[float] = []
    known: dict[str, float] = {}
    n_triggers = 0
    for line, cells in table.rows():
        if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
            raise ConfigError(
                f"{name}, line {line} has {len(cells)} cells, and the header {len(names)}; a decimal comma needs "
                "semicolons between the columns"
            )
        text = cells[stim] if stim < len(cells) else ""
        value = known.get(text)
        if value is None:
            value = table.number(text, line, "Stim")
            # As rounded: 100.00000000000001 is what a sine of 100 % may give.
            if not abs(value) * 100 < LIMIT_CENTIPERCENT + 0.5:
                raise ConfigError(f"{name}, line {line}: Stim is {text.strip()[:40]} %; it must be from -100 to 100")
            if len(known) < _KNOWN_TEXTS:
                known[text] = value
        if trigger is not None and values and trigger < len(cells) and cells[trigger].strip() not in ("", "0", "0.0"):
            n_triggers += 1
        values.append(value)
        if len(values) > MAX_ROWS:
            raise ConfigError(f"{name} has more than {MAX_ROWS} rows, {MAX_ROWS // 10_000} s of model time; shorten it")
    if not values:
        raise ConfigError(f"{name} has no row behind its header; give one value of Stim per 0.1 ms")
    others = tuple(cell for k, cell in enumerate(table.header) if k not in (stim, trigger) and cell)
    return LoadedStimulus(quantised(np.array(values), limits="refuse"), others, n_triggers)


def stimulus_csv(waveform: Waveform) -> bytes:
    """Return a stimulus CSV as the stock software writes and reads it: ``Trigger`` is 1.0 in the first row only.

    Never with an exponent, which the stock program hands on to boards that cannot read it.
    """
    # Few values differ: a text for each of those 20,001 that there may be.
    texts = np.array([repr(centi / 100) for centi in range(-LIMIT_CENTIPERCENT, LIMIT_CENTIPERCENT + 1)], dtype=object)
    stims = texts[waveform.rows.astype(np.int64) + LIMIT_CENTIPERCENT].tolist()
    lines = [f"{HEADER}\n{stims[0]},1.0\n", *(f"{stim},0.0\n" for stim in stims[1:])]
    return "".join(lines).encode()


def save_stimulus(waveform: Waveform, path: Path, *, overwrite: bool = False) -> None:
    """Write a stimulus CSV; it appears whole or not at all.

    Raises
    ------
    StoreError
        ``path`` exists and ``overwrite`` is false, or it cannot be written.
    """
    with written_whole(path, overwrite=overwrite) as file:
        file.write(stimulus_csv(waveform))
