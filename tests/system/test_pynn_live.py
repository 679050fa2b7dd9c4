"""A running bench, handled as PyNN handles a simulation: runs, resets, spikes, files; and the recording of the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import quantities as pq

import spikedaq.pynn
from harness import DaemonProcess, wait_for
from spikedaq.inlet import connect
from spikedaq.model import CommandError, CommandRejected, CommandTimeout, ConfigError, RecordingWarning
from spikedaq.objects import read_block

PATIENCE_S = 120.0
"""For a computer that is busy with other things; nothing here waits that long otherwise."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """Two boards that spike by themselves."""
    folder = tmp_path_factory.mktemp("pynn")
    urls = {name: f"sim:{name}?preset=0&param.i_clamp={current}" for name, current in (("alpha", 15), ("beta", 25))}
    with DaemonProcess(folder / "data", urls) as running:
        wait_for("the devices to run", lambda: all(d["state"] == "running" for d in running.call("list")), PATIENCE_S)  # type: ignore[attr-defined]
        yield running


@pytest.fixture
def bench(daemon: DaemonProcess) -> Iterator[spikedaq.pynn.Assembly]:
    with spikedaq.pynn.connect(daemon.url) as assembly:
        yield assembly


def test_runs_resets_and_what_is_recorded_of_them(
    daemon: DaemonProcess, bench: spikedaq.pynn.Assembly, tmp_path: Path
) -> None:
    """What a handle gives live is what the recording of the same minute gives, run by run, sample by sample."""
    daemon.call("record_start", session="pynn", timeout_s=75.0)
    assert [p.label for p in bench.populations] == ["alpha", "beta"]
    bench.run(300, patience_s=PATIENCE_S)
    bench.reset(annotations={"temperature": 32 * pq.degC, "dose": 1})
    bench.reset(annotations={"nothing": "came between"})
    bench.run(200, patience_s=PATIENCE_S)
    block = bench.get_data()
    daemon.call("record_stop", timeout_s=75.0)
    first, last = block.segments[0], block.segments[-1]
    assert first.annotations["temperature"] == 32 * pq.degC
    assert first.annotations["dose"] == 1
    assert last.annotations["run_begins"] == "reset"
    (v,) = first.filter(name="v")
    assert v.shape[1] == 2
    assert len(v) >= 2950
    assert float(v.t_start.rescale("ms")) < 100
    assert not np.isnan(v.magnitude[200:-200]).any()
    assert (block.annotations["dropped_samples"], block.annotations["unavailable"]) == (0, 0)
    counts = [len(train) for train in first.spiketrains]
    assert counts[0] > 2
    for k, train in enumerate(first.spiketrains):
        for time_ms in train.magnitude:
            at = round((time_ms - float(v.t_start.rescale("ms"))) * 10)
            # The board tells of a spike at the step at which the model crossed its peak.
            assert np.nanmax(v.magnitude[max(0, at - 20) : at + 20, k]) > 0

    recorded = spikedaq.pynn.open(daemon.data / "recordings" / "pynn")
    again = recorded.get_data()
    ends = [s for s in again.segments if s.annotations.get("dose") == 1]
    (same,) = ends
    assert same.annotations["temperature"] == 32 * pq.degC
    for name in ("alpha", "beta"):
        one = bench[name].get_data(["v", "stimulus"]).segments[0].filter(name="v")[0].magnitude[:, 0]
        other = recorded[name].get_data("v").segments[same.index].filter(name="v")[0].magnitude[:, 0]
        n = min(len(one), len(other))
        assert n >= 2900
        np.testing.assert_array_equal(one[-n:], other[-n:])
    (path,) = bench.write_data(tmp_path / "live.nix", "v", clear=True)
    assert len(read_block(path).segments) == len(block.segments)


def test_the_example_of_the_page_runs(daemon: DaemonProcess, tmp_path: Path) -> None:
    """docs/how-to/run-a-bench-like-a-simulation.md, as written."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "run-a-bench-like-a-simulation.md"
    (code,) = re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    environment = {**os.environ, "SPIKEDAQ_URL": daemon.url, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    first, second, *_ = done.stdout.splitlines()
    assert (first.split()[:2], second.split()[:2]) == (["segment000", "10.0"], ["segment001", "20.0"])
    assert (tmp_path / "live.nix").exists()


def test_clear_goes_on_with_what_comes(bench: spikedaq.pynn.Assembly) -> None:
    """The same run with its times; not a sample twice, none missing."""
    alpha = bench["alpha"]
    alpha.run(100, patience_s=PATIENCE_S)
    (first,) = alpha.get_data("v", clear=True).segments
    alpha.run(100, patience_s=PATIENCE_S)
    (second,) = alpha.get_data("v").segments
    assert (first.name, second.name) == ("segment000", "segment000")
    (a,), (b,) = first.filter(name="v"), second.filter(name="v")
    assert float(b.t_start.rescale("ms")) == pytest.approx(float(a.t_stop.rescale("ms")), abs=0.06)
    assert len(b) >= 950
    alpha.reset()
    alpha.run(20, patience_s=PATIENCE_S)
    assert [s.name for s in alpha.get_data("v").segments] == ["segment000", "segment001"]


def test_memory_is_bounded_and_says_what_it_let_go(daemon: DaemonProcess) -> None:
    with spikedaq.pynn.connect(daemon.url, devices=["alpha"], memory_bytes=20_000) as small:
        small.run(300, patience_s=PATIENCE_S)
        with pytest.warns(RecordingWarning, match=r"alpha: .* samples .* were let go"):
            block = small.get_data("v")
        kept = len(block.segments[0].filter(name="v")[0])
        assert 500 <= kept <= 20_000 / 16
        assert block.annotations["dropped_samples"] + kept >= 2900


def test_parameters_are_those_of_the_board(daemon: DaemonProcess, bench: spikedaq.pynn.Assembly) -> None:
    alpha = bench["alpha"]
    alpha.set(i_clamp=17.5)
    assert alpha.get("i_clamp") == 17.5
    assert bench.get("i_clamp") == [17.5, 25.0]
    alpha.set(i_clamp=15)
    assert bench.is_live
    assert "2 live Spikeling devices" in bench.describe()


def test_what_cannot_be_done_is_said_before_anything_is(daemon: DaemonProcess, bench: spikedaq.pynn.Assembly) -> None:
    with pytest.raises(ConfigError, match="Neo does not take these annotations"):
        bench.reset(annotations={"f": object()})
    with pytest.raises(ConfigError, match="it has at most 10000; annotate less"):
        bench.reset(annotations={"text": "x" * 20_000})
    with pytest.raises(ConfigError, match="there is no device gamma on bench"):
        spikedaq.pynn.connect(daemon.url, devices=["gamma"])
    with pytest.raises(CommandTimeout):
        spikedaq.pynn.connect("tcp://127.0.0.1:1")
    assert all(not device.resets for device in bench._devices)


def test_a_lease_of_somebody_else_holds(daemon: DaemonProcess, bench: spikedaq.pynn.Assembly) -> None:
    """The device that is not leased has its run; the message says so."""
    with connect(daemon.url, name="teacher") as other:
        other.client.call("lease_take", device="beta", ttl_s=60)
        with pytest.raises(CommandError, match=r"beta did not reset: .*; alpha did, and has a new run") as caught:
            bench.reset()
        assert caught.value.code == "leased"
        assert isinstance(caught.value.__cause__, CommandRejected)
        other.client.call("lease_release", device="beta")
    assert [len(device.resets) for device in bench._devices] == [1, 0]


def test_a_device_that_is_stopped_is_named(daemon: DaemonProcess, bench: spikedaq.pynn.Assembly) -> None:
    daemon.call("stop", device="beta")
    try:
        with pytest.raises(CommandTimeout, match="no samples come from beta; look at spikedaq status"):
            bench.run(1, patience_s=1.0)
        found: Any = bench.get_data("v").segments[0].filter(name="v")
        assert "alpha" in found[0].annotations["source_population"]
    finally:
        daemon.call("start", device="beta")


def test_a_connection_that_was_given_stays_open(daemon: DaemonProcess) -> None:
    with connect(daemon.url) as given:
        spikedaq.pynn.connect(given).close()
        assert given.devices == ["alpha", "beta"]


def test_a_board_that_boots_begins_a_run(daemon: DaemonProcess, bench: spikedaq.pynn.Assembly) -> None:
    """Also while its clock is not known yet: what it sent until then is in its place."""
    alpha = bench["alpha"]
    alpha.run(50, patience_s=PATIENCE_S)
    daemon.call("reset", device="alpha", scope="reboot")
    wait_for("the device to run", lambda: daemon.call("list")[0]["state"] == "running", PATIENCE_S)  # type: ignore[index]
    alpha.run(50, patience_s=PATIENCE_S)
    first, *_, last = alpha.get_data("v").segments
    assert (first.annotations["run_begins"], last.annotations["run_begins"]) == ("start", "boot")
    v = last.filter(name="v")[0]
    assert len(v) >= 490
    assert not np.isnan(v.magnitude).any()
