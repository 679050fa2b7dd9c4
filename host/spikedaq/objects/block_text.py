"""A block of Neo as one table of text.

Comment lines, which begin with ``#``; one line with the names of the columns; then one line per instant, parted by
tabs: the segment's number, the time in ms, the value of every signal's every channel (nan where it has none), and in
the last column the number of the spike train that has a spike at this instant, or -1. A spike has a line of its own,
with nan for all signals, so that its time is exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.formats.output import written_whole
from spikedaq.model import ConfigError, StoreError
from spikedaq.objects.block_content import Arrays, describe_block, from_json, make_block, to_json

_ABOUT = "# about: "
_ROWS = 1 << 14
FloatArray = npt.NDArray[np.float64]


def write_text(block: Any, path: Path, *, overwrite: bool) -> None:
    """Write a block as a table; errors as of `written_whole`."""
    about, arrays = describe_block(block)
    if any(segment["irregular"] for segment in about["segments"]):
        raise ConfigError(f"{path}: a table has no place for signals with times of their own; write .npz, .nix or .nwb")
    for segment in about["segments"]:
        for signal in segment["signals"]:
            signal["n_samples"], signal["n_channels"] = arrays[signal["array"]].shape
        for mark in (*segment["epochs"], *segment["events"]):  # the table has no place for them
            mark["times_ms"] = arrays[mark["array"]].tolist()
            if "durations" in mark:
                mark["durations_ms"] = arrays[mark["durations"]].tolist()
    columns = _columns(about, arrays)
    names = ["segment", "time_ms", *columns, "spike_of"]
    with written_whole(path, overwrite=overwrite) as file:
        file.write(b"# A block of spikedaq as one table; numpy.loadtxt(skiprows=3), or pandas.read_csv(sep='\\t', ")
        file.write(f"comment='#')\n{_ABOUT}{to_json(about)}\n".encode())
        file.write(("\t".join(names) + "\n").encode())
        for number, segment in enumerate(about["segments"]):
            table = _table(segment, number, arrays, list(columns))
            for start in range(0, len(table), _ROWS):
                file.write("".join(map(_line, table[start : start + _ROWS].tolist())).encode())


def read_text(path: Path) -> Any:
    """Read a block that `write_text` wrote. Raises StoreError where it is none, or a line is damaged."""
    try:
        with path.open(encoding="utf-8") as file:
            head = [next(file, "") for _ in range(3)]
            if not head[1].startswith(_ABOUT):
                raise StoreError(f"{path} is no table that spikedaq wrote: its second line should begin {_ABOUT!r}")
            about = from_json(head[1].removeprefix(_ABOUT), str(path))
            names = head[2].rstrip("\n").split("\t")
            table = np.array(list(_parsed(file, path, len(names))), dtype=float).reshape(-1, len(names))
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} cannot be read as .txt: {error}") from error
    return make_block(about, _arrays(about, names, table, path), str(path))


def _columns(about: dict[str, Any], arrays: Arrays) -> dict[str, None]:
    return {
        name: None
        for segment in about["segments"]
        for signal in segment["signals"]
        for name in _names(signal, arrays[signal["array"]].shape[1])
    }


def _names(signal: dict[str, Any], n_channels: int) -> list[str]:
    """Return a signal's columns: its name, whose channel it is, its unit."""
    sources = signal["annotations"].get("source_population")
    labels = sources.split(";") if isinstance(sources, str) else []
    whose = labels if len(set(labels)) == len(labels) == n_channels else [str(k) for k in range(n_channels)]
    return [_clean(f"{signal['name'] or 'signal'}[{one}] ({signal['units']})") for one in whose]


def _clean(name: str) -> str:
    return re.sub(r"[\t\n\r#]", " ", name)


def _table(segment: dict[str, Any], number: int, arrays: Arrays, columns: list[str]) -> FloatArray:
    parts = []
    for signals in _of_one_time(segment):
        values = [arrays[signal["array"]] for signal in signals]
        rows = np.full((len(values[0]), len(columns) + 3), np.nan)
        rows[:, 0], rows[:, 1], rows[:, -1] = number, _times_ms(signals[0]), -1
        for signal, array in zip(signals, values, strict=True):
            for k, name in enumerate(_names(signal, array.shape[1])):
                rows[:, columns.index(name) + 2] = array[:, k]
        parts.append(rows)
    for n, train in enumerate(segment["spiketrains"]):
        times = arrays[train["array"]]
        rows = np.full((len(times), len(columns) + 3), np.nan)
        rows[:, 0], rows[:, 1], rows[:, -1] = number, times, n
        parts.append(rows)
    table = np.concatenate(parts) if parts else np.empty((0, len(columns) + 3))
    return table[np.argsort(table[:, 1], kind="stable")]


def _of_one_time(segment: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return the signals, together where they share their times and no two have a column in common."""
    groups: list[tuple[tuple[Any, ...], set[str], list[dict[str, Any]]]] = []
    for signal in segment["signals"]:
        key = (signal["t_start_ms"], signal["sampling_rate_hz"], signal["n_samples"])
        names = set(_names(signal, signal["n_channels"]))
        for known, taken, signals in groups:
            if known == key and not taken & names:
                taken.update(names)
                signals.append(signal)
                break
        else:
            groups.append((key, names, [signal]))
    return [signals for _, _, signals in groups]


def _times_ms(signal: dict[str, Any]) -> FloatArray:
    times: FloatArray = signal["t_start_ms"] + np.arange(signal["n_samples"]) * (1000 / signal["sampling_rate_hz"])
    return times


def _line(row: list[float]) -> str:
    cells = [str(int(row[0])), *(repr(value) for value in row[1:-1]), str(int(row[-1]))]
    return "\t".join(cells) + "\n"


def _parsed(file: Any, path: Path, n_columns: int) -> Iterator[list[float]]:
    for number, line in enumerate(file, start=4):
        cells = line.rstrip("\n").split("\t")
        try:
            if len(cells) != n_columns:
                raise StoreError(f"{path}, line {number}: there are {len(cells)} columns where {n_columns} belong")
            yield [float(cell) for cell in cells]
        except ValueError as error:
            raise StoreError(f"{path}, line {number}: {error}; write the file again") from error


def _arrays(about: dict[str, Any], names: list[str], table: FloatArray, path: Path) -> Arrays:
    """Take the arrays that a description names out of the table."""
    arrays: Arrays = {}
    try:
        for number, segment in enumerate(about["segments"]):
            rows = table[table[:, 0] == number]
            samples, spikes = rows[rows[:, -1] < 0], rows[rows[:, -1] >= 0]
            groups = _of_one_time(segment)
            times = [_times_ms(signals[0]) for signals in groups]
            # Lines are in the order of their times, those of one time in the order of the signals.
            order = np.argsort(np.concatenate([*times, np.empty(0)]), kind="stable")
            if len(order) != len(samples):
                raise StoreError(
                    f"{path} is incomplete: segment {number} has {len(samples)} lines and not {len(order)}"
                )
            unsorted = np.empty_like(samples)
            unsorted[order] = samples
            starts = np.cumsum([0, *map(len, times)])
            for start, stop, signals in zip(starts, starts[1:], groups, strict=False):
                for signal in signals:
                    columns = [names.index(name) for name in _names(signal, signal["n_channels"])]
                    arrays[signal["array"]] = unsorted[start:stop][:, columns]
            for n, train in enumerate(segment["spiketrains"]):
                arrays[train["array"]] = spikes[spikes[:, -1] == n, 1]
            for mark in (*segment["epochs"], *segment["events"]):
                arrays[mark["array"]] = np.array(mark["times_ms"], float)
                if "durations" in mark:
                    arrays[mark["durations"]] = np.array(mark["durations_ms"], float)
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(f"{path} is incomplete: {error}; write it again") from error
    return arrays
