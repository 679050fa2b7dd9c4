"""Quick figures: what PyNN users write works, and nothing of matplotlib is left changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import neo
import numpy as np
import pytest
import quantities as pq
from matplotlib import pyplot as plt

from spikedaq.model import ConfigError, StoreError
from spikedaq.pynn import Figure, Panel, plot

mpl.use("agg")


@pytest.fixture
def segment() -> Any:
    """Two neurons: one is 20 mV above the other."""
    block = neo.Block(name="demo")
    made = neo.Segment(name="segment000")
    v = np.stack([np.arange(50.0) - 65, np.arange(50.0) - 45], axis=1)
    made.analogsignals.append(
        neo.AnalogSignal(v, units="mV", sampling_rate=10 / pq.ms, name="v", source_population="alpha;beta",
                         array_annotations={"channel_index": np.array([0, 1])})
    )  # fmt: skip
    for k, times in enumerate([[1.0, 2.5], []]):
        made.spiketrains.append(neo.SpikeTrain(times, units="ms", t_start=0, t_stop=5, source_index=k))
    block.segments.append(made)
    block.check_relationships()
    return made


def test_a_figure_as_pynn_users_write_it(segment: Any, tmp_path: Path) -> None:
    before, figures = dict(mpl.rcParams), plt.get_fignums()
    figure = Figure(
        Panel(segment.filter(name="v")[0], ylabel="Membrane potential (mV)", data_labels=["ours"], yticks=True,
              ylim=(-80, 0), line_properties=[{"color": "r"}]),
        Panel(segment.spiketrains, xlabel="Time (ms)", xticks=True),
        Panel(np.ones((3, 4)), legend=False),
        title="Network activity",
        annotations="made in a test",
    )  # fmt: skip
    path = figure.save(tmp_path / "new" / "figure.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in path.parent.iterdir()] == ["figure.png"]
    volts, raster, image = figure.fig.axes
    assert [line.get_label() for line in volts.lines] == ["ours alpha", "ours beta"]
    assert volts.lines[0].get_color() == "r"
    np.testing.assert_allclose(volts.lines[1].get_xydata()[[0, -1]], [[0, -45], [4.9, 4]])
    assert (volts.get_ylabel(), volts.get_ylim()) == ("Membrane potential (mV)", (-80, 0))
    assert [line.get_xdata().tolist() for line in raster.lines] == [[1.0, 2.5], []]
    assert (raster.get_ylim(), raster.get_xlim(), raster.get_xlabel()) == ((-0.5, 1.5), (0, 5), "Time (ms)")
    assert len(image.collections) == 1
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == figures


def test_one_call_draws_a_run(segment: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.svg"
    figure = plot(segment.block, path)
    assert [axes.get_ylabel() for axes in figure.fig.axes] == ["v (mV)", "Neuron index"]
    assert "demo, segment000" in path.read_text("utf-8")
    assert len(plot(segment, title="").fig.axes) == 2
    with pytest.raises(ConfigError, match="demo has 1 segments, and no segment 1"):
        plot(segment.block, segment=1)
    with pytest.raises(ConfigError, match="there is nothing to draw in empty"):
        plot(neo.Segment(name="empty"))


def test_channels_are_drawn_above_one_another(segment: Any) -> None:
    (axes,) = Figure(Panel(segment.analogsignals[0], y_offset=0.1 * pq.V, ylabel="auto")).fig.axes
    assert axes.lines[1].get_ydata()[0] == pytest.approx(55)


def test_what_cannot_be_drawn_is_said(segment: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one panel"):
        Figure()
    for wrong, what in ((7, "int"), (np.ones(3), r"ndarray of shape \(3,\)"), ([1, 2], "list"), ("x", "str")):
        with pytest.raises(ConfigError, match=f"a panel cannot draw {what}"):
            Figure(Panel(wrong))
    figure = Figure(Panel([], segment.analogsignals[0]))  # of no neuron there are no spikes
    with pytest.raises(ConfigError, match=r"figure.xyz: a figure is saved as one of .*png"):
        figure.save(tmp_path / "figure.xyz")
    (tmp_path / "here.png").write_bytes(b"mine")
    with pytest.raises(StoreError, match="exists"):
        figure.save(tmp_path / "here.png", overwrite=False)
