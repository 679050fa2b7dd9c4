"""What is known of units and of all of them, as JSON: for formats that have no place of their own for it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from spikedaq.interchange.errors import ContentError

_ARRAY = "__array__"


def to_json(value: Any) -> str:
    """Return a value as JSON; arrays keep their dtype, numpy numbers become numbers, anything else its text."""
    return json.dumps(_plain(value), ensure_ascii=False)


def is_name(key: Any) -> bool:
    """Say whether something can be the name of an attribute in HDF5, of a column, or of a file."""
    name = str(key)
    return bool(name) and name.isprintable() and not set(name) & set("/:\\") and name not in (".", "..")


def fits(value: Any) -> bool:
    """Say whether HDF5 takes a number, which must be of 64 bits, or a text, without a NUL; other things do."""
    if isinstance(value, str):
        return "\0" not in value
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def from_json(text: str | bytes, place: str) -> Any:
    """Return what `to_json` was given; NaN and infinities, too.

    Raises
    ------
    ContentError
        It is no JSON, or arrays in it are none.
    """
    try:
        return json.loads(text, object_hook=_revived)
    except (ValueError, TypeError) as error:
        raise ContentError(f"{place}: {error}; the file is damaged, export it again") from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biuf":
            return {_ARRAY: value.tolist(), "dtype": value.dtype.str, "shape": list(value.shape)}
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _revived(found: dict[str, Any]) -> Any:
    if set(found) != {_ARRAY, "dtype", "shape"}:
        return found
    dtype = np.dtype(found["dtype"])
    if dtype.kind not in "biuf":
        raise ValueError(f"an array of {dtype}")
    return np.array(found[_ARRAY], dtype=dtype).reshape(found["shape"])
