"""How a manifest is written and read: JSON, its list of files a line each.

So that hundreds of files take no memory but their own while they are read or written one by one, which the daemon does
each minute for as long as a recording lasts. Any other JSON of the same content is read as well, all at once.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, TextIO, TypeVar

Table = dict[str, Any]
Made = TypeVar("Made")

_FILES = ' "files": ['
_FILES_END, _END = " ]", "}"


class DocumentWriter:
    """Writes a manifest to a text file: `begin`, `add` for each file, `end`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._n_files = 0

    def begin(self, head: Table) -> None:
        """Write what there is beside the files, at least one key; what was written before is written anew."""
        self._out.seek(0)
        self._out.truncate()
        self._n_files = 0
        self._out.write(json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}") + f",\n{_FILES}")

    def add(self, file: Table) -> None:
        """Write a file's table."""
        self._out.write(("," if self._n_files else "") + "\n  " + json.dumps(file, ensure_ascii=False))
        self._n_files += 1

    def end(self) -> None:
        """Write the end."""
        self._out.write(f"\n{_FILES_END}\n{_END}\n")


def read_document(
    file: TextIO, begin: Callable[[Table], None], make: Callable[[Table], Made | None]
) -> tuple[Table, list[Made]]:
    """Read what `DocumentWriter` wrote, or other JSON.

    Parameters
    ----------
    file : text file
        At its beginning, seekable.
    begin : callable
        Given the head before any file; raises what it will. Called a second time where a file turns out to be laid out
        in another way: what was made is made anew.
    make : callable
        Given each file's table; None leaves the file out.

    Returns
    -------
    head : dict
        What there is beside the files.
    files : list
        What was made of them.

    Raises
    ------
    ValueError
        It is no JSON.
    KeyError, TypeError
        It is something else, or has no files.
    """
    try:
        return _by_lines(file, begin, make)
    except ValueError:
        file.seek(0)
    head = json.load(file)
    if not isinstance(head, dict):
        raise TypeError("its content, which is no table")
    tables = head.pop("files", None)
    begin(head)
    if tables is None:
        raise KeyError("files")
    made = map(make, tables)
    return head, [one for one in made if one is not None]


def _by_lines(
    file: TextIO, begin: Callable[[Table], None], make: Callable[[Table], Made | None]
) -> tuple[Table, list[Made]]:
    before: list[str] = []
    for line in file:
        if line.rstrip("\n") == _FILES:
            break
        before.append(line)
    else:
        raise ValueError("its files are not a line each")
    head = json.loads("".join(before).rstrip().removesuffix(",") + _END)
    tables = _tables(file)
    first = list(itertools.islice(tables, 1))  # where it is another layout, its head may be no more than a beginning
    begin(head)
    made = map(make, itertools.chain(first, tables))
    return head, [one for one in made if one is not None]


def _tables(file: TextIO) -> Iterator[Table]:
    for line in file:
        if line.rstrip("\n") == _FILES_END:
            break
        yield json.loads(line.strip().removesuffix(","))
    if file.read().strip() != _END:
        raise ValueError("it does not end where it should")
