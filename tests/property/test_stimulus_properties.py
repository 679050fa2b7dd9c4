"""Any specification gives rows within the limits or a refusal; the same specification the same rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.model import ConfigError
from spikedaq.stimulus import GENERATORS, Generator, Parameter, make, quantised

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def values_of(parameter: Parameter) -> st.SearchStrategy[float]:
    """Values that a parameter takes; times and counts short, so that a run ends."""
    if parameter.type == "integer":
        return st.integers(int(parameter.minimum), int(min(parameter.maximum, 20)))
    if parameter.unit == "ms":
        return st.integers(round(parameter.minimum * 10), 200).map(lambda tenths: tenths / 10)
    return st.floats(parameter.minimum, parameter.maximum)


def spec_for(one: Generator) -> st.SearchStrategy[dict[str, Any]]:
    values = st.fixed_dictionaries({}, optional={p.name: values_of(p) for p in one.parameters})
    return values.map(lambda given_values: {"generator": one.name, "values": given_values})


SPECS = st.one_of([spec_for(one) for one in GENERATORS])


@given(SPECS)
def test_rows_are_within_the_limits_and_the_same_again(spec: dict[str, Any]) -> None:
    try:
        waveform = make(spec)
    except ConfigError as error:
        assert "longer than period_ms" in str(error)
        return
    assert waveform.rows.dtype == np.int16
    assert np.abs(waveform.rows.astype(int)).max() <= 10_000
    assert 0 <= waveform.n_clipped <= waveform.n_rows
    again = make(json.loads(json.dumps(waveform.spec)))
    np.testing.assert_array_equal(again.rows, waveform.rows)


@given(st.lists(SPECS, min_size=1, max_size=3), st.integers(1, 4))
def test_a_sequence_is_its_parts(specs: list[dict[str, Any]], repeat: int) -> None:
    try:
        parts = [make(spec) for spec in specs]
    except ConfigError:
        return
    whole = make({"sequence": specs, "repeat": repeat})
    np.testing.assert_array_equal(whole.rows, np.tile(np.concatenate([part.rows for part in parts]), repeat))
    assert whole.n_clipped == repeat * sum(part.n_clipped for part in parts)


@given(JUNK | st.builds(lambda g, v: {"generator": g, "values": v}, st.just("sine") | JUNK, JUNK)
       | st.builds(lambda s, r: {"sequence": s, "repeat": r}, JUNK, JUNK))  # fmt: skip
def test_junk_is_refused_and_nothing_else_happens(spec: object) -> None:
    try:
        make(spec)
    except ConfigError as error:
        assert str(error)


@given(st.lists(st.floats(-200, 200), min_size=1, max_size=50))
def test_rounding_is_off_by_half_a_row_at_most(percent: list[float]) -> None:
    waveform = quantised(np.array(percent))
    cut = np.clip(percent, -100, 100)
    assert np.abs(waveform.percent - cut).max() <= 0.005 + 1e-9
    np.testing.assert_array_equal(quantised(-np.array(percent)).rows, -waveform.rows)
