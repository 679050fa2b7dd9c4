"""A live simulation keeps count over changes of its settings. Bench and publisher are stand-ins."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from spikedaq.analysis.imaging_settings import ImagingSettings
from spikedaq.formats import imaging_live
from spikedaq.formats.imaging import Simulation
from spikedaq.formats.imaging_files import Outputs
from spikedaq.formats.imaging_live import LiveImaging


def test_frames_that_nobody_got_are_still_counted_after_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each change opens the stream anew, of which the publisher's own counts begin at 0."""

    def publisher(*_: object, **__: object) -> Any:
        return SimpleNamespace(published=0, unpublished=0, reason="", topic="t", close=lambda: None)

    monkeypatch.setattr(imaging_live, "DerivedPublisher", publisher)
    bench: Any = SimpleNamespace(describe=lambda _: {"step_us": 100}, client=None)
    simulation = Simulation(ImagingSettings(), 0, "Generic")
    with LiveImaging(bench, "alpha", simulation, Outputs(None, None), stream="imaging", replace=False) as live:
        live.publisher.published, live.publisher.unpublished = 90, 7
        live.change(Simulation(ImagingSettings(laser=1.5), 0, "Generic"))
        assert (live.frames, live.unpublished) == (90, 7)
        live.publisher.published, live.publisher.unpublished = 10, 1
        assert (live.frames, live.unpublished, live.session) == (100, 8, None)
        assert (live.summary()["published"], live.summary()["unpublished"]) == (100, 8)
