"""Specifications: what a waveform is made of, as plain values that JSON can hold.

A specification is either ``{"generator": NAME, "values": {PARAMETER: NUMBER, ...}}``, where parameters that are left
out have their defaults, or ``{"sequence": [SPEC, ...], "repeat": N}``, which plays others one after the other, N times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spikedaq.model import ConfigError
from spikedaq.stimulus import shapes
from spikedaq.stimulus.generators import generator
from spikedaq.stimulus.parameters import Plan, shown
from spikedaq.stimulus.plans import rows_of
from spikedaq.stimulus.waveform import MAX_ROWS, Limits, Waveform, check_n_rows, quantised

MAX_PARTS = 1000
"""Generators in one specification; a row each is less work than its check."""
MAX_DEPTH = 8
"""Sequences within sequences; Python's own limit on recursion must not be what refuses them."""


def spec_of(name: str, /, **values: float) -> dict[str, Any]:
    """Return the specification of one generator: ``spec_of("sine", frequency_hz=5)``."""
    return checked_spec({"generator": name, "values": values})


def checked_spec(spec: object) -> dict[str, Any]:
    """Return a specification with every default filled in.

    Raises
    ------
    ConfigError
        It is none, names what there is not, or has a value that cannot be; the text says what and what would do.
    """
    n_parts = [0]
    return _checked(spec, 0, n_parts)


def make(spec: object, *, limits: Limits = "clip") -> Waveform:
    """Compute a waveform. The same specification always gives the same rows.

    Parameters
    ----------
    spec : map
        See above.
    limits : {"clip", "refuse"}
        What becomes of rows beyond 100 %: cut and counted (`Waveform.n_clipped`), or an error.

    Raises
    ------
    ConfigError
        As `checked_spec`; no rows, or more than `MAX_ROWS`, which is found before any memory is taken.
    """
    whole = checked_spec(spec)
    plan = _plan(whole)
    check_n_rows(plan.n_rows)
    return quantised(plan.build(), limits=limits, spec=whole)


def _checked(spec: object, depth: int, n_parts: list[int]) -> dict[str, Any]:
    if not isinstance(spec, Mapping) or ("generator" in spec) == ("sequence" in spec):
        raise ConfigError(
            'a stimulus specification is a map with either "generator" and "values", or "sequence" and "repeat"; '
            f"this is {shown(spec)}"
        )
    n_parts[0] += 1
    if n_parts[0] > MAX_PARTS:
        raise ConfigError(f"the stimulus has more than {MAX_PARTS} parts; repeat some of them instead")
    keys = ("generator", "values") if "generator" in spec else ("sequence", "repeat")
    for key in spec:
        if key not in keys:
            raise ConfigError(f"a stimulus specification has no {shown(key)}; beside {keys[0]!r} it has {keys[1]!r}")
    if "generator" in spec:
        return _checked_generator(spec)
    return _checked_sequence(spec, depth, n_parts)


def _checked_generator(spec: Mapping[str, Any]) -> dict[str, Any]:
    found = generator(spec["generator"])
    values = spec.get("values", {})
    if not isinstance(values, Mapping):
        raise ConfigError(f'"values" of {found.name} must be a map of names to numbers; it is {shown(values)}')
    return {"generator": found.name, "values": found.checked(values)}


def _checked_sequence(spec: Mapping[str, Any], depth: int, n_parts: list[int]) -> dict[str, Any]:
    if depth >= MAX_DEPTH:
        raise ConfigError(f"the stimulus has sequences within sequences, more than {MAX_DEPTH} deep; flatten them")
    parts, repeat = spec["sequence"], spec.get("repeat", 1)
    if not isinstance(parts, list | tuple) or not parts:
        raise ConfigError('"sequence" must be a list of at least one specification')
    # No repeat can be more than the rows there may be, and a bound here keeps the product below small.
    if isinstance(repeat, bool) or not isinstance(repeat, int) or not 1 <= repeat <= MAX_ROWS:
        raise ConfigError(f'"repeat" is {shown(repeat)}; give a whole number from 1 to {MAX_ROWS}')
    return {"sequence": [_checked(part, depth + 1, n_parts) for part in parts], "repeat": repeat}


def _plan(spec: Mapping[str, Any]) -> Plan:
    """Return the plan of a checked specification."""
    if "generator" in spec:
        found = generator(spec["generator"])
        v = spec["values"]
        shape, pre, post = found.plan(v), rows_of(v["pre_ms"]), rows_of(v["post_ms"])
        return Plan(
            pre + shape.n_rows + post,
            lambda: np.concatenate(
                [shapes.constant(pre, v["pre_level"]), shape.build(), shapes.constant(post, v["post_level"])]
            ),
        )
    plans, repeat = [_plan(part) for part in spec["sequence"]], int(spec["repeat"])
    return Plan(
        sum(plan.n_rows for plan in plans) * repeat,
        lambda: np.tile(np.concatenate([plan.build() for plan in plans]), repeat),
    )
