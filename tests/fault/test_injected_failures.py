"""Kinds of failure, injected into real processes: each is told by its alarm, or refused, within two seconds.

What they are is in ``tests/helpers/failures``. Printed is, for each, the time from the failure until the daemon raised
the alarm, or refused what was asked for. Where the daemon cannot know at once (a board that is unplugged, a viewer with
buffers that fill first), the time counts from when it could, and the line says from when.
``SPIKEDAQ_SLACK`` multiplies the two seconds for a computer that is busy otherwise.
``SPIKEDAQ_FAILURES=all`` runs every kind, otherwise those run that are marked as quick.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from helpers.failures import KINDS, Kind

RELIABILITY = Path(__file__).parents[2] / "docs" / "reference" / "reliability.md"
CHOSEN = [kind for kind in KINDS if kind.quick or os.environ.get("SPIKEDAQ_FAILURES") == "all"]


@pytest.mark.parametrize("kind", CHOSEN, ids=lambda kind: kind.name.replace(" ", "_"))
def test_failure_is_told(kind: Kind, tmp_path: Path) -> None:
    """Each kind raises its alarm, or is refused, in time, and is over when its cause is."""
    kind.run(tmp_path)
    assert bool(kind.told) is bool(kind.raises)
    assert kind.told or kind.refused


def test_thirty_kinds_raise_an_alarm() -> None:
    """Apart from those that are refused, or go on all the same; the page has both numbers, and who is told late."""
    raising = [kind for kind in KINDS if kind.raises]
    assert len(raising) >= 30
    text = RELIABILITY.read_text("utf-8")
    assert f"{len(raising)} that raise an alarm, {len(KINDS) - len(raising)} that" in text
    for kind in raising:
        assert not kind.since or f"| {kind.name} | {kind.since} |" in text, f"{kind.name} is told from {kind.since}"
