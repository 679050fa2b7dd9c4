"""Who may use the page: by token, and never from another web site."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from enum import StrEnum
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from spikedaq.model import ConfigError

COOKIE = "spikedaq_token"
MIN_TOKEN_CHARS = 16
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class WebRole(StrEnum):
    """What somebody may do with the page."""

    VIEWER = "viewer"
    CONTROLLER = "controller"


class Access:
    """Tokens and what they allow.

    Without tokens everybody who can reach the page may do everything, which is why that is possible on loopback only.

    Parameters
    ----------
    host : str
        Address the page is bound to.
    viewer_token, controller_token : str or None
        Both or none.

    Raises
    ------
    ConfigError
        Off loopback without tokens, or tokens that are too short to be secret, or alike.
    """

    def __init__(self, host: str, *, viewer_token: str | None = None, controller_token: str | None = None) -> None:
        self.is_local = is_loopback(host)
        tokens = [token for token in (viewer_token, controller_token) if token is not None]
        if not tokens and not self.is_local:
            raise ConfigError(
                f"{host} can be reached from other computers, so the page there needs tokens; leave the choice to "
                "spikedaq scope (it makes and prints them), or give --viewer-token and --controller-token"
            )
        if any(len(token) < MIN_TOKEN_CHARS for token in tokens):
            raise ConfigError(f"a token needs at least {MIN_TOKEN_CHARS} characters; leave it out to have one made")
        if viewer_token is not None and viewer_token == controller_token:
            raise ConfigError("the viewers' token and the controllers' token must be different")
        self.viewer_token = viewer_token
        self.controller_token = controller_token

    @property
    def needs_token(self) -> bool:
        """Whether nobody gets in without a token."""
        return self.viewer_token is not None or self.controller_token is not None

    def role(self, headers: Mapping[str, str], query: Mapping[str, str] | None = None) -> WebRole | None:
        """Return what a request may do, None where it may do nothing.

        The token is taken from ``?token=``, from the cookie that the page has set, or from ``Authorization: Bearer``.
        """
        if not self.needs_token:
            return WebRole.CONTROLLER
        given = (query or {}).get("token") or _cookie(headers) or _bearer(headers)
        if given is None:
            return None
        if self.controller_token is not None and _same(given, self.controller_token):
            return WebRole.CONTROLLER
        if self.viewer_token is not None and _same(given, self.viewer_token):
            return WebRole.VIEWER
        return None

    def is_foreign(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a request was made by another web site's page, or for a name that is not ours.

        A page of any site can open a connection to this computer; a browser says from where with ``Origin``. On
        loopback the name asked for must be one of this computer, otherwise a site could have its own name lead here.
        """
        host = headers.get("host", "")
        if self.is_local and _name(host) not in _LOOPBACK_NAMES:
            return True
        origin = headers.get("origin")
        return origin is not None and _netloc(origin) != host


def new_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(18)


def is_loopback(host: str) -> bool:
    """Tell whether an address is of this computer only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _netloc(origin: str) -> str | None:
    """Return host and port of an Origin header, None where it is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _name(host: str) -> str:
    """Return the name of a Host header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), token.encode())


def _cookie(headers: Mapping[str, str]) -> str | None:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel is not None else None


def _bearer(headers: Mapping[str, str]) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token if kind.lower() == "bearer" and token else None
