"""Writes docs/reference/configuration.md from the descriptions in host/spikedaq/daemon/config.py."""

from __future__ import annotations

import argparse
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import FieldInfo, fields

from spikedaq.daemon.config import DaemonConfig
from spikedaq.daemon.config_changes import is_reloaded

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "configuration.md"
HEAD = """\
# spikedaq.toml, key by key

<!-- Made by `make configuration-docs` from host/spikedaq/daemon/config.py; do not edit. -->

`spikedaqd --config spikedaq.toml` reads this file; everything in it may be left out. [An example](spikedaq.toml) to
begin with; [how it is checked and reloaded](../how-to/configure-a-bench.md). An unknown key is refused, with the
nearest one that there is. Options of the command line go before the file.

A key with *reload* is taken up while the daemon runs, on SIGHUP or `spikedaq reload`; any other holds from the next
start, and a reload that would change one is refused as a whole. Where a bound is given, a value outside is refused. The
whole effective configuration is stored in every recording file.
"""
WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path"}


def main() -> int:
    """Write the page, or say whether it is current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare; 1 where the page is not current")
    arguments = parser.parse_args()
    text = page()
    if arguments.check:
        if not PAGE.exists() or PAGE.read_text("utf-8") != text:
            print(f"{PAGE.name} is not what config.py says: run make configuration-docs", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text, "utf-8")
    return 0


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *tables(DaemonConfig, "", is_list=False)])


def tables(table: type[Struct], path: str, *, is_list: bool, reloaded: bool = False) -> Iterator[str]:
    """Yield the lines of a table, and of those in it."""
    title = "Outside of any table" if not path else f"`[[{path}]]`" if is_list else f"`[{path}]`"
    yield f"## {title}\n"
    yield f"{(table.__doc__ or '').strip().splitlines()[0]}\n"
    yield "| key | value | default | reload | meaning |\n|---|---|---|---|---|"
    hints = get_type_hints(table, include_extras=True)
    inner = []
    for info in fields(table):
        kind = hints[info.name]
        found = struct_in(kind)
        if found is not None:
            name = f"{path}.{info.encode_name}".lstrip(".")
            inner.append((found, name, holds_list(kind), reloaded or is_reloaded(kind)))
            if not holds_list(kind):
                continue
        yield row(info, kind, found, reloaded=reloaded)
    yield ""
    for found, name, many, also in inner:
        yield from tables(found, name, is_list=many, reloaded=also)


def row(info: FieldInfo, kind: Any, found: type[Struct] | None, *, reloaded: bool) -> str:
    """Return a key's line."""
    value = "tables" if found is not None else words(kind)
    reload = "reload" if reloaded or is_reloaded(kind) else ""
    meaning = description(kind)
    if not meaning:
        raise SystemExit(f"the key {info.encode_name!r} has no description; give it a Meta(description=...)")
    cells = (f"`{info.encode_name}`", value, default(info), reload, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def description(kind: Any) -> str:
    """Return what a key's annotation says of it."""
    return next((m.description for m in metas(kind) if m.description), "")


def metas(kind: Any) -> Iterator[Meta]:
    """Yield the notes of an annotation, the outermost first."""
    if get_origin(kind) is Annotated:
        inner, *notes = get_args(kind)
        yield from reversed([note for note in notes if isinstance(note, Meta)])
        yield from metas(inner)
    else:
        for part in get_args(kind):
            yield from metas(part)


def words(kind: Any) -> str:
    """Return a value's type and bounds in words."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return ", ".join([words(parts[0]), *(bound for note in parts[1:] for bound in bounds(note))])
    if origin in (Union, types.UnionType):
        return " or ".join(words(part) for part in parts if part is not type(None))
    if origin is tuple or origin is list:
        return f"list of {words(parts[0])}"
    if origin is dict:
        return f"table of name = {words(parts[1])}"
    if get_origin(kind) is not None or not isinstance(kind, type):
        return "one of " + ", ".join(f"`{part}`" for part in parts) if parts else str(kind)
    if kind in WORDS:
        return WORDS[kind]
    members = getattr(kind, "__members__", None)
    return "one of " + ", ".join(f"`{m.value}`" for m in members.values()) if members else kind.__name__


def bounds(note: Any) -> Iterator[str]:
    """Yield the bounds of one note, but for those that only keep nonsense out."""
    if not isinstance(note, Meta):
        return
    for sign, bound in (("above", note.gt), ("at least", note.ge), ("below", note.lt), ("at most", note.le)):
        if bound is not None and abs(bound) < 1e15:
            yield f"{sign} {bound}"


def default(info: FieldInfo) -> str:
    """Return the value a key has where it is left out."""
    value = info.default
    if value is NODEFAULT:
        value = info.default_factory() if info.default_factory is not NODEFAULT else NODEFAULT
    if value is NODEFAULT:
        return "must be given"
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list | tuple | dict):
        shown = ", ".join(f'"{item}"' for item in value)
        return f"`[{shown}]`" if shown else ""
    return f'`"{value}"`' if isinstance(value, str | Path) else f"`{value}`"


def struct_in(kind: Any) -> type[Struct] | None:
    """Return the table that a value is, or is a list of."""
    if isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, Struct):
        return kind
    return next((found for part in get_args(kind) if (found := struct_in(part)) is not None), None)


def holds_list(kind: Any) -> bool:
    """Whether a value is a list of tables."""
    return get_origin(kind) in (tuple, list) or any(holds_list(part) for part in get_args(kind))


if __name__ == "__main__":
    sys.exit(main())
