"""Small CSV tables of the stock software, as people and their spreadsheets leave them: bytes to numbered lines.

What is tolerated: a byte order mark, CRLF, blank lines, quotes, semicolons or tabs for commas, and with those a decimal
comma. What could be read in two ways is refused.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spikedaq.model import ConfigError, StoreError

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_SHOWN_CHARS = 40
_MAX_CELL_CHARS = 1000
"""Numbers have some twenty; without a bound a quote that is never closed swallows the file."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose lines are yet to be read.

    Attributes
    ----------
    name : str
        What it is called in errors: its path.
    header : tuple of str
        Names of the columns, without blanks around them.
    header_line : int
        Number of the header's line, from 1.
    """

    name: str
    header: tuple[str, ...]
    header_line: int
    _reader: Iterator[tuple[int, list[str]]]
    _decimal: list[str]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of each line that is not blank, and its cells; to be called once.

        Raises
        ------
        ConfigError
            A line that is no part of a table.
        """
        return self._reader

    def number(self, text: str, line: int, column: str) -> float:
        """Return a cell as a number.

        Raises
        ------
        ConfigError
            Empty, not a number (nan and inf are none), or with another decimal sign than the cells before.
        """
        cell = text.strip()
        where = f"{self.name}, line {line}: {column}"
        if not cell:
            raise ConfigError(f"{where} is empty; give a number")
        if not _NUMBER.fullmatch(cell):
            raise ConfigError(f"{where} is {cell[:_SHOWN_CHARS]!r}; give a number such as 12.5 or 1.2e-3")
        for sign in ".,":
            if sign in cell:
                if self._decimal and self._decimal[0] != sign:
                    raise ConfigError(
                        f"{where} is {cell[:_SHOWN_CHARS]!r}, with {sign!r}, and cells before have "
                        f"{self._decimal[0]!r}; write every number with the same decimal sign"
                    )
                if not self._decimal:
                    self._decimal.append(sign)
        return float(cell.replace(",", "."))


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Return what a file holds, looking at its size before anything is read.

    Raises
    ------
    StoreError
        It cannot be read, is no file, or is longer than ``max_bytes``.
    """
    try:
        if path.exists() and not path.is_file():
            raise StoreError(f"{path} is no file; give a CSV file")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
            if len(data) > max_bytes:
                n_bytes = path.stat().st_size
                raise StoreError(f"{path} has {n_bytes} bytes; such a file has at most {max_bytes}")
            return data
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror or error})") from error


def open_table(data: bytes, name: str) -> Table:
    """Return the table that a file's bytes hold.

    Parameters
    ----------
    data : bytes
    name : str
        The file's path, for errors.

    Raises
    ------
    ConfigError
        Empty, or no text of a table.
    """
    text = _text_of(data, name)
    lines = re.split(r"\r\n|\r|\n", text)  # not at the page breaks that splitlines() takes for ends of lines
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise ConfigError(f"{name} is empty; its first line must name the columns")
    delimiter = next((sign for sign in ";\t" if sign in lines[first]), ",")
    reader = _cells(lines[first:], first, delimiter, name)
    number, header = next(reader, (0, []))
    if not header:
        raise ConfigError(f"{name} is empty; its first line must name the columns")
    return Table(name, tuple(cell.strip() for cell in header), number, reader, ["."] if delimiter == "," else [])


def _text_of(data: bytes, name: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{name} is no readable UTF-16 text ({error.reason}); save it as CSV, UTF-8") from error
    if b"\0" in data:
        raise ConfigError(f"{name} is no text: it has zero bytes; save it as CSV, UTF-8")
    # Only the cells that are wanted have to be readable: a column's name may be in any encoding.
    return data.decode("utf-8-sig", errors="replace")


def _cells(lines: list[str], n_before: int, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ConfigError(f"{name}, line {n_before + reader.line_num}: {error}; look at its quotes") from error
        line = n_before + reader.line_num
        if any(len(cell) > _MAX_CELL_CHARS for cell in cells):
            raise ConfigError(
                f"{name}, line {line}: a cell has more than {_MAX_CELL_CHARS} characters; this is no table"
            )
        if any(cell.strip() for cell in cells):
            yield line, cells
