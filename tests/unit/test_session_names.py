"""The convention for names of sessions: built, read, and refused with the reason."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.model import ConfigError, SessionParts, name_part, next_run, parse_session_name, session_name

DAY = date(2026, 5, 1)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({}, "2026-05-01_tonic_sine20_3"),
        ({"group": "g4"}, "2026-05-01_g4_tonic_sine20_3"),
        ({"group": "g4", "condition": "dark"}, "2026-05-01_g4_dark_tonic_sine20_3"),
        ({"condition": "dark"}, "2026-05-01__dark_tonic_sine20_3"),
    ],
)
def test_each_combination_has_one_name_that_is_read_back(parts: dict[str, str], name: str) -> None:
    """A condition alone and a group alone cannot be mistaken for each other."""
    assert session_name(day=DAY, mode="tonic", protocol="sine20", run=3, **parts) == name
    assert parse_session_name(name) == SessionParts(DAY, "tonic", "sine20", 3, **parts)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"mode": ""}, "the mode is missing"),
        ({"protocol": ""}, "the protocol is missing"),
        ({"run": 0}, "the run is 0; give a whole number from 1 to 9999"),
        ({"run": 10_000}, "the run is 10000"),
        ({"run": True}, "the run is True"),
        ({"run": "1"}, "the run is '1'"),
        ({"mode": "Tonic spiking"}, "the mode 'Tonic spiking' has ' ' in it, which not every disk and program takes"),
        ({"mode": "Tonic spiking"}, "write 'tonic-spiking'"),
        ({"protocol": "a/b"}, "the protocol 'a/b' has '/' in it"),
        ({"protocol": ".."}, "the protocol '..' begins or ends with '.'"),
        ({"protocol": "a..b"}, "has '..' in it"),
        ({"group": "-x"}, "the group '-x' begins or ends"),
        ({"group": "a_b"}, "the group 'a_b' has '_' in it, which stands between the parts of a name; write 'a-b'"),
        ({"condition": "d\u00fcster"}, "the condition 'd\u00fcster' has '\u00fc' in it"),
        ({"condition": "<script>"}, "the condition '<script>' has '<' '>' in it"),
        ({"condition": "a\nb"}, "has '\\n' in it"),
        ({"mode": "m" * 80}, "at most 80 are possible"),
    ],
)
def test_what_cannot_be_a_name_is_refused_with_the_reason(parts: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        session_name(**{"day": DAY, "mode": "tonic", "protocol": "sine", "run": 1, **parts})  # type: ignore[arg-type]
    assert text in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("first-try", "has 1 parts"),
        ("2026-05-01_a_b_c_d_e_1", "has 7 parts"),
        ("2026-13-01_tonic_sine_1", "does not begin with a date"),
        ("20260501_tonic_sine_1", "does not begin with a date"),
        ("2026-05-01_tonic_sine_x", "does not end with a run number"),
        ("2026-05-01_tonic_sine_0", "does not end with a run number"),
        ("2026-05-01_tonic_sine_12345", "does not end with a run number"),
        ("2026-05-01__sine_1", "the mode is missing"),
        ("2026-05-01__tonic_sine_1", "has an empty part"),
        ("2026-05-01_g__tonic_sine_1", "has an empty part"),
        ("2026-05-01_tonic__1", "the protocol is missing"),
        ("2026-05-01_tonic_-sine_1", "the protocol '-sine'"),
        ("../x_a_b_1", "has '/' in it"),
    ],
)
def test_a_name_of_another_kind_says_so(name: str, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_session_name(name)
    assert text in str(refused.value)


def test_the_next_run_is_behind_the_greatest_of_its_kind() -> None:
    existing = [
        "2026-05-01_tonic_sine_1", "2026-05-01_tonic_sine_007", "2026-05-01_g_tonic_sine_20",
        "2026-05-02_tonic_sine_30", "2026-05-01_tonic_steps_40", "2026-05-01_Tonic_sine_50", "first-try", "x/../y", "",
    ]  # fmt: skip
    assert next_run(existing, day=DAY, mode="tonic", protocol="sine") == 8
    assert next_run(existing, day=DAY, mode="tonic", protocol="sine", group="g") == 21
    assert next_run(existing, day=DAY, mode="tonic", protocol="sine", condition="g") == 1
    assert next_run([], day=DAY, mode="tonic", protocol="sine") == 1


def test_texts_become_parts() -> None:
    assert name_part("Depolarising after-potential") == "depolarising-after-potential"
    assert name_part("sine_50i_20Hz_200ms") == "sine-50i-20hz-200ms"
    assert name_part(" ../% ") == ""


PART = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,8}[A-Za-z0-9])?", fullmatch=True)


@given(st.dates(), PART, PART, st.integers(1, 9999), PART | st.just(""), PART | st.just(""))
def test_every_name_is_read_back(day: date, mode: str, protocol: str, run: int, group: str, condition: str) -> None:
    name = session_name(day=day, mode=mode, protocol=protocol, run=run, group=group, condition=condition)
    assert parse_session_name(name) == SessionParts(day, mode, protocol, run, group, condition)


@given(st.text(max_size=60))
def test_any_text_is_a_part_or_empty(text: str) -> None:
    part = name_part(text)
    if part:
        assert session_name(day=DAY, mode=part, protocol="p", run=1)
