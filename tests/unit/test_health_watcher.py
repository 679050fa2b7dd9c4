"""When the watcher looks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from spikedaq.daemon.alarms import Alarms
from spikedaq.daemon.config import AlarmsConfig
from spikedaq.daemon.health.watcher import PERIOD_S, Watcher


@pytest.mark.parametrize(
    ("late_s", "looks"),
    [(0.0, "1111"), (3.0, "1010")],
    ids=["in time", "late for good"],
)
def test_one_look_in_a_row_is_left_out(late_s: float, looks: str) -> None:
    """After a pause the devices get a moment; on a computer that is always late they are looked at all the same."""
    now_s = 0.0
    seen = ""

    class Sessions:
        current = None
        left = SimpleNamespace(failed={})

        def all(self) -> list[Any]:
            nonlocal seen
            seen = seen[:-1] + "1"
            return []

    bench: Any = SimpleNamespace(members={})
    others: Any = SimpleNamespace(viewer_drops=0, all=dict)
    sessions: Any = Sessions()
    watcher = Watcher(
        AlarmsConfig(), Alarms(int), bench, sessions=sessions, journals=others, viewers=others, now_s=lambda: now_s
    )
    for _ in range(4):
        seen += "0"
        watcher.look()
        now_s += PERIOD_S + late_s
    assert seen == looks
