"""What the fault campaign takes as passed, and what of a stage's words goes into its table."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def campaign() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fault_campaign", ROOT / "tools" / "fault_campaign.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_skip_is_no_pass(campaign: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages run with SPIKEDAQ_NO_SKIPS unless somebody unset it; a test that cannot run fails its stage then."""
    stage = campaign.Stage("skips", (sys.executable, "-c", "import os; print(os.environ['SPIKEDAQ_NO_SKIPS'] or 'no')"))
    for given, seen in ((None, "1"), ("", "no")):
        monkeypatch.delenv("SPIKEDAQ_NO_SKIPS", raising=False)
        if given is not None:
            monkeypatch.setenv("SPIKEDAQ_NO_SKIPS", given)
        assert campaign.run(stage, time.monotonic() + 60).output.split() == [seen]


@pytest.mark.parametrize(
    "line",
    [
        ".200 x unplugged, seed 11: back after p50 0.36 s, p95 0.60 s, at most 0.82 s",
        "10 x a full disk, seed 40: slowest alarm 0.57 s, recording again after at most 2.03 s",
        "355 x a flipped byte in a closed file of 200000 bytes, seed 4: each found",
        "8 h, -100 ppm, jitter of USB, seed 1: p50 61, p99 228, at most 402 us",
        "16 x a board at 10 kHz, 20 clients, 5 of them stalled: 0 samples missing in files, 0 wrong; p99 8.0 ms, held",
        "200000 blocks, seed 1, 204000 frames; 17 bits flipped",
        "50000 malformed requests, seed 1: memory grown by 2.7 MB to 51 MB; 4000 a second; {}",
        "3000000 bytes, seed 1: 60 connections; traced 2.1 MiB at most, the process grew by 9.0 MiB",
        "fuzz-frames: seed 1763821087, bytes: 2000 stat::number_of_executed_units: 10 stat::peak_rss_mb: 80",
        "=== 3 passed in 4.05s ===",
    ],
)
def test_figures_with_their_seeds_are_in_the_table(campaign: ModuleType, line: str) -> None:
    said = f"collected 3 items\n\n{line}\nE   assert 4 == 5\n"
    outcome = campaign.Outcome(campaign.Stage("s", ()), 1.0, "ok", said)
    assert outcome.figures == [line.strip(" .=")]
    assert any(line.strip(" .=") in shown for shown in campaign.table([outcome]))


def test_every_test_of_a_fault_is_in_one_stage(campaign: ModuleType) -> None:
    """Once, whether it has a stage of its own or not."""
    named = [Path(word).name for stage in campaign.stages() for word in stage.command if "tests/fault/test_" in word]
    assert sorted(named) == sorted(path.name for path in (ROOT / "tests" / "fault").glob("test_*.py"))


def test_the_crowd_is_the_one_that_is_promised(campaign: ModuleType) -> None:
    """16 boards, 20 clients, 5 stalled, with nothing beside them that would make blocks late."""
    (stage,) = [stage for stage in campaign.stages() if any("test_crowd" in word for word in stage.command)]
    assert stage.alone
    assert stage.sizes == {"SPIKEDAQ_CROWD": "full"}
