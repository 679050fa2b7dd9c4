"""Who gets in: by token, and never from another site's page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.model import ConfigError
from spikedaq.scope.access import MIN_TOKEN_CHARS, Access, WebRole, is_loopback, new_token

VIEWER, CONTROLLER = "viewer-token-0123", "controller-token-01"


@pytest.fixture
def guarded() -> Access:
    return Access("0.0.0.0", viewer_token=VIEWER, controller_token=CONTROLLER)


@pytest.mark.parametrize(
    ("headers", "query", "role"),
    [
        ({}, {}, None),
        ({}, {"token": VIEWER}, WebRole.VIEWER),
        ({}, {"token": CONTROLLER}, WebRole.CONTROLLER),
        ({}, {"token": CONTROLLER + "x"}, None),
        ({}, {"token": ""}, None),
        ({"cookie": f"spikedaq_token={VIEWER}"}, {}, WebRole.VIEWER),
        ({"cookie": f"a=b; spikedaq_token={CONTROLLER}; c=d"}, {}, WebRole.CONTROLLER),
        ({"cookie": "spikedaq_token=\x00;;;=\xff"}, {}, None),
        ({"authorization": f"Bearer {CONTROLLER}"}, {}, WebRole.CONTROLLER),
        ({"authorization": f"bearer {VIEWER}"}, {}, WebRole.VIEWER),
        ({"authorization": f"Basic {CONTROLLER}"}, {}, None),
        ({"authorization": "Bearer"}, {}, None),
        # A wrong token in the address is not made good by a right one elsewhere.
        ({"cookie": f"spikedaq_token={CONTROLLER}"}, {"token": "wrong"}, None),
    ],
)
def test_roles(guarded: Access, headers: dict[str, str], query: dict[str, str], role: WebRole | None) -> None:
    assert guarded.role(headers, query) is role


@given(st.text())
def test_no_other_text_is_a_token(text: str) -> None:
    """Whatever it holds, lone surrogates included."""
    access = Access("0.0.0.0", viewer_token=VIEWER, controller_token=CONTROLLER)
    if text not in (VIEWER, CONTROLLER):
        assert access.role({}, {"token": text}) is None
        assert access.role({"cookie": f"spikedaq_token={text}"}, {}) is None


def test_on_loopback_everybody_controls_unless_there_are_tokens() -> None:
    assert Access("127.0.0.1").role({}, {}) is WebRole.CONTROLLER
    assert Access("127.0.0.1", viewer_token=VIEWER, controller_token=CONTROLLER).role({}, {}) is None


@pytest.mark.parametrize(
    ("host", "viewer", "controller", "word"),
    [
        ("0.0.0.0", None, None, "tokens"),
        ("bench.example", None, None, "tokens"),
        ("127.0.0.1", "x" * (MIN_TOKEN_CHARS - 1), CONTROLLER, "16 characters"),
        ("127.0.0.1", VIEWER, VIEWER, "different"),
    ],
)
def test_what_would_not_be_safe_is_refused(host: str, viewer: str | None, controller: str | None, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        Access(host, viewer_token=viewer, controller_token=controller)


@pytest.mark.parametrize(
    ("headers", "is_foreign"),
    [
        ({"host": "127.0.0.1:5580"}, False),
        ({"host": "localhost:5580", "origin": "http://localhost:5580"}, False),
        ({"host": "[::1]:5580", "origin": "http://[::1]:5580"}, False),
        ({"host": "127.0.0.1:5580", "origin": "http://evil.example"}, True),
        ({"host": "127.0.0.1:5580", "origin": "http://127.0.0.1:5581"}, True),
        ({"host": "127.0.0.1:5580", "origin": "null"}, True),
        ({"host": "127.0.0.1:5580", "origin": "http://[::1"}, True),
        # A name of somebody else's that leads to this computer.
        ({"host": "evil.example:5580", "origin": "http://evil.example:5580"}, True),
        ({"host": "127.0.0.1.evil.example"}, True),
        ({"host": "[::1"}, True),
        ({}, True),
    ],
)
def test_other_sites_on_loopback(headers: dict[str, str], is_foreign: bool) -> None:
    assert Access("127.0.0.1").is_foreign(headers) is is_foreign


def test_off_loopback_any_name_will_do_but_no_other_origin(guarded: Access) -> None:
    assert not guarded.is_foreign({"host": "bench.local:5580", "origin": "http://bench.local:5580"})
    assert guarded.is_foreign({"host": "bench.local:5580", "origin": "http://other.local:5580"})


def test_loopback_and_new_tokens() -> None:
    assert [is_loopback(host) for host in ("127.3.2.1", "::1", "[::1]", "localhost", "0.0.0.0", "::", "10.0.0.1")] == [
        True, True, True, True, False, False, False,
    ]  # fmt: skip
    assert len({new_token() for _ in range(50)}) == 50
    assert len(new_token()) >= MIN_TOKEN_CHARS
