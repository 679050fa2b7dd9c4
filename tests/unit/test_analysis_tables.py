"""Tables: headers and rows as the stock software names them, and our own, by hand."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from spikedaq.analysis import tables
from spikedaq.analysis.averages import average
from spikedaq.analysis.fi import fi_curve
from spikedaq.analysis.intervals import inter_spike_intervals_ms
from spikedaq.analysis.loops import find_loops, raster
from spikedaq.analysis.steps import StimulusStep, StimulusSteps
from spikedaq.model import ConfigError

NAN = float("nan")


def text(table):
    return "".join(table.lines())


def test_the_stock_exports_have_their_headers_and_names():
    spikes, rate = np.array([3, 17]), np.array([0.0, 71.5])
    table = tables.stock_spike_table(spikes)
    assert (table.name, text(table)) == ("Spikeling_spike.csv", "Spikeling Spike Events (timepoints)\n3\n17\n")
    table = tables.stock_rate_table(rate)
    assert (table.name, text(table)) == ("Spikeling_spikerate.csv", "Spikeling SpikeRate\n0.0\n71.5\n")
    table = tables.stock_spike_table(spikes, neuron="Aux Neuron 1")
    assert (table.name, table.header) == ("AuxNeuron1_spike.csv", ("Aux Neuron 1 Spike Events (timepoints)",))
    table = tables.stock_rate_table(rate, neuron="Aux Neuron 2")
    assert (table.name, table.header) == ("AuxNeuron2_spikerate.csv", ("Aux Neuron 2 SpikeRate",))
    table = tables.stock_means_table(rate, np.array([-70.0, -69.5]), np.array([0.0, 2.25]))
    assert table.name == "Spikeling_means.csv"
    assert text(table) == (
        "Spikeling SpikeRate Average,Spikeling Vm Average,Spikeling Current Average\n0.0,-70.0,0.0\n71.5,-69.5,2.25\n"
    )
    with pytest.raises(ConfigError, match="know no neuron 'Aux'"):
        tables.stock_spike_table(spikes, neuron="Aux")


def test_the_stock_raster_has_every_loop():
    """The stock software keeps the last loop only, and not which."""
    found = raster([1, 12, 15], find_loops([0, 10], 20), 20)
    table = tables.stock_raster_table(found)
    assert table.name == "Spikeling_rasterplot.csv"
    assert text(table) == "Spikeling Spike Raster Plot,Loop\n1,0\n2,1\n5,1\n"


def test_one_row_per_spike_with_nothing_where_nothing_is_known():
    """Spikes at samples 1, 3 and 5, a gap of 10 steps before sample 4; loops of 2 at samples 2 and 4."""
    steps = np.array([0, 1, 2, 3, 14, 15])
    times_ms = np.round(steps * 0.1, 9)
    spikes = np.array([1, 3, 5])
    loops = find_loops([2, 4], 6, steps=steps, length=2)
    intervals = inter_spike_intervals_ms(spikes, times_ms, breaks=[4])
    of_spikes = {"steps": steps[spikes], "times_ms": times_ms[spikes]}
    table = tables.spike_table(spikes, **of_spikes, intervals_ms=intervals, loops=loops, step_ms=0.1)
    lines = list(csv.DictReader(io.StringIO(text(table))))
    assert [line["time (ms)"] for line in lines] == ["0.1", "0.3", "1.5"]
    assert [line["step"] for line in lines] == ["1", "3", "15"]
    assert [float(line["interval (ms)"] or "nan") for line in lines] == pytest.approx([NAN, 0.2, NAN], nan_ok=True)
    assert [float(line["rate (Hz)"] or "nan") for line in lines] == pytest.approx([NAN, 5000, NAN], nan_ok=True)
    assert [line["loop"] for line in lines] == ["", "0", "1"]
    assert [line["time in loop (ms)"] for line in lines] == ["", "0.1", "0.1"]
    empty = tables.spike_table(
        spikes[:0],
        steps=steps[:0],
        times_ms=times_ms[:0],
        intervals_ms=np.empty(0),
        loops=find_loops([], 6),
        step_ms=0.1,
    )
    assert empty.n_rows == 0
    assert text(empty).count("\n") == 1


def test_averages_loops_and_curves_have_units_in_their_headers():
    loops = find_loops([0, 2, 4, 9], 11)
    rows = np.array([[1.0, 2.0], [3.0, 6.0]])
    table = tables.average_table({"vm (mV)": average(rows)}, step_ms=0.1)
    assert table.header == ("time in loop (ms)", "vm (mV) mean", "vm (mV) sd", "vm (mV) sem", "vm (mV) n")
    assert [row[:2] for row in table.rows()] == [(0.0, 2.0), (0.1, 4.0)]
    assert text(tables.loop_table(loops, step_ms=0.1)).splitlines() == [
        "loop,first sample,samples,length (ms),left out because",
        "0,0,2,0.2,",
        "1,2,2,0.2,",
        "2,4,5,0.5,ragged",
        "3,9,2,0.2,",
    ]
    curve = fi_curve([150], StimulusSteps(0.0, 0.1, (StimulusStep(100, 200, 10.0),)))
    assert text(tables.fi_table(curve, unit="%")) == (
        "level (%),steps,rate (Hz),rate sd (Hz),first interval (Hz),steady (Hz),latency (ms)\n"
        "10.0,1,100.0,,,200.0,5.0\n"
    )
    with pytest.raises(ConfigError, match="no average"):
        tables.average_table({}, step_ms=0.1)


def test_long_tables_come_in_pieces_that_join(monkeypatch):
    monkeypatch.setattr(tables, "_PIECE", 4)
    for n in (0, 3, 4, 5, 8, 9):
        table = tables.Table("t.csv", ("k", "half"), (np.arange(n), np.arange(n) / 2))
        assert text(table) == "k,half\n" + "".join(f"{k},{k / 2}\n" for k in range(n))


def test_texts_that_would_break_a_row_are_quoted():
    table = tables.Table("t.csv", ("a", "b"), (['x,"y"', "z\n"], [-0.0, NAN]))
    assert list(csv.reader(io.StringIO(text(table)))) == [["a", "b"], ['x,"y"', "0.0"], ["z\n", ""]]


def test_columns_of_one_length_only():
    with pytest.raises(ConfigError, match=r"t.csv: 2 headers, columns of \[1, 2\] rows"):
        tables.Table("t.csv", ("a", "b"), ([1], [1, 2]))
