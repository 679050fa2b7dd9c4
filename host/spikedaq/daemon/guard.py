"""Keeps a task of the daemon going: a defect in one must not end the acquisition."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

AFTER_DEFECT_S = 5.0

log = structlog.get_logger(__name__)


async def kept_going(what: str, run: Callable[[], Awaitable[None]], *, after_s: float = AFTER_DEFECT_S) -> None:
    """Run something for good; where it fails, say so and begin it again ``after_s`` later."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("internal error, it is begun again", task=what)
        await asyncio.sleep(after_s)
