"""CSVs in every dialect as segments: columns by name, gaps, times that contradict themselves, and lazily read rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.formats_recordings import Maker, spiking
from spikedaq.formats import export_csv, neuron
from spikedaq.model import StoreError
from spikedaq.recording.sources import csv_scan
from spikedaq.recording.sources.csv import CsvTable

HEADER = (
    "Time (ms),Spikeling Vm (mV),Stimulus (%),Total Current Input (a.u.),Synapse 1 Vm (mV),Synapse 1 Input (a.u.),"
    "Synapse 2 Vm (mV),Synapse 2 Input (a.u.),Trigger"
)
NAMES = ["vm", "stimulus", "i_total", "syn1_vm", "syn1_i", "syn2_vm", "syn2_i", "trigger"]
COUNTED = "its time is counted in rows: rows lost before it was written cannot be seen in it"


def line(time, vm=-70, trigger=0, stimulus=0):
    return f"{time},{vm},{stimulus},0.5,-115,0,-115,0,{trigger}"


@pytest.fixture
def opened(tmp_path):
    def make(*lines, end="\n", last=True, encoding="utf-8", name="test.csv"):
        path = tmp_path / name
        path.write_bytes((end.join(lines) + (end if last else "")).encode(encoding))
        return CsvTable(path)

    return make


def rows(k, time=lambda k: round(k * 0.1, 6)):
    return [line(time(i), vm=-70 + i) for i in range(k)]


def test_a_stock_file(opened):
    """Channels, values, times and rate of the plain dialect."""
    table = opened(HEADER, *rows(5))
    (segment,) = table.segments
    assert [(c.name, c.unit) for c in table.channels][:3] == [("vm", "mV"), ("stimulus", "%"), ("i_total", "a.u.")]
    assert [c.name for c in table.channels] == NAMES
    assert (segment.n_frames, segment.t_start_s, segment.first_step, segment.boot_id) == (5, 0.0, 0, None)
    assert table.scan.sampling_frequency == 10_000.0
    assert segment.read(0, 5)[:, 0].tolist() == [-70, -69, -68, -67, -66]
    assert segment.read(1, 3, [7, 0]).tolist() == [[0, -69], [0, -68]]
    assert segment.times_s(2, 4).tolist() == pytest.approx([0.0002, 0.0003], abs=1e-12)
    assert table.scan.flags == (COUNTED,)


@pytest.mark.parametrize(
    "change",
    [
        {"end": "\r\n"},
        {"encoding": "utf-8-sig"},
        {"last": False},
        {"name": "1234   .csv"},
        {"name": "Ünï.csv"},
    ],
)
def test_dialects_of_a_file(opened, change):
    """CRLF, a mark, no last line feed, trailing blanks in the name."""
    (segment,) = opened(HEADER, *rows(5), **change).segments
    assert segment.read(0, 5, [0])[:, 0].tolist() == [-70, -69, -68, -67, -66]


def test_semicolons_with_decimal_commas_and_padded_headers(opened):
    """A spreadsheet's dialect; names with blanks around and within, other capitals."""
    german = [text.replace(",", ";").replace(".", ",") for text in rows(4)]
    header = HEADER.replace(",", " ; ").replace("Time (ms)", '" time  (ms)"').replace("Vm (mV)", "VM(mV)")
    table = opened(header, *german, "", end="\r\n", encoding="utf-8-sig")
    assert [c.name for c in table.channels] == NAMES
    assert table.segments[0].read(0, 4, [0, 2]).tolist() == [[-70, 0.5], [-69, 0.5], [-68, 0.5], [-67, 0.5]]
    assert table.scan.flags == (COUNTED,)


def test_a_renamed_column_is_left_out_and_named(opened):
    table = opened(HEADER.replace("Synapse 1 Vm (mV)", "Syn. 1 Vm (mV)"), *rows(3))
    assert [c.name for c in table.channels] == [name for name in NAMES if name != "syn1_vm"]
    assert "it has no column 'Synapse 1 Vm (mV)'; 'Syn. 1 Vm (mV)' may be it, and is left out" in table.scan.flags


def test_missing_and_unknown_columns_are_flagged(opened):
    table = opened("Mood,Time (ms),Spikeling Vm (mV)", "1,0.0,-70", "2,0.1,-69")
    assert [c.name for c in table.channels] == ["vm"]
    assert "it has no column 'Trigger'" in table.scan.flags
    assert "nobody knows what 'Mood' is; left out" in table.scan.flags


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("Time,Spikeling Vm (mV)", "line 1: there is no column 'Time (ms)' or 'Time (s)'; is it 'Time'?"),
        ("Stim,Vm1 (mV)", "there is no column 'Time (ms)' or 'Time (s)'; its columns are 'Stim, Vm1 (mV)'"),
        ("Stim,Trigger", "is no recording; it is a stimulus, which 'spikedaq stimulus play' takes"),
        (neuron.HEADER, "is no recording; it is a neuron, which 'spikedaq neuron load' takes"),
        ("Time (ms),Spikeling V (mV)", "no column 'Spikeling Vm (mV)' or 'Vm1 (mV)'; is it 'Spikeling V (mV)'?"),
        ("Time (ms),a", "is it another kind of file"),
        ("Time (ms),Stimulus (%),Stimulus  (%),Spikeling Vm (mV)", None),
        ("Time (ms),Vm1 (mV),Spikeling Vm (mV),Ca1 (uM)", "two columns are vm; take one of them out"),
    ],
)
def test_a_header_that_cannot_be_names_the_remedy(opened, header, says):
    fields = ",".join(["1"] * len(header.split(",")))
    if says is None:
        assert [c.name for c in opened(header, fields).channels] == ["stimulus", "vm"]
        return
    with pytest.raises(StoreError) as caught:
        opened(header, fields)
    assert says in str(caught.value)


def test_no_row_is_refused(opened):
    with pytest.raises(StoreError, match="a line of names and no row under it"):
        opened(HEADER)


def test_a_short_last_row_is_left_out_and_flagged(opened):
    """A program that was killed, or a full disk, cuts the last line."""
    table = opened(HEADER, *rows(4), "0.4,-70,0", last=False)
    assert [s.n_frames for s in table.segments] == [4]
    assert "line 6, the last one, is cut off and left out" in table.scan.flags
    assert table.segments[0].read(3, 4, [0])[0, 0] == -67


def test_a_short_row_before_the_last_one_is_an_error(opened):
    with pytest.raises(StoreError, match="line 3: 2 fields where the header has 9"):
        opened(HEADER, line(0), "0.1,-70", line(0.2))


@pytest.mark.parametrize(
    ("text", "says"), [("nan", "line 3: it has no time"), ("0.0", "line 3: its time 0.0 is not after 0.0")]
)
def test_nan_times_and_an_index_that_is_not_monotonic_are_named(opened, text, says):
    with pytest.raises(StoreError, match=says):
        opened(HEADER, line(0.0), line(text), line(0.2))


def test_jumps_are_gaps_between_segments(opened):
    """Two and 21 steps further: three segments, whose steps and times say where they are."""
    times = [0.0, 0.1, 0.2, 0.5, 0.6, 2.7, 2.8]
    table = opened(HEADER, *[line(t, vm=k) for k, t in enumerate(times)] + rows(0))
    # Two jumps in seven rows are more than a few.
    assert len(table.segments) == 1
    many = [*np.round(np.arange(1000) * 0.1, 1), *np.round(100.5 + np.arange(500) * 0.1, 1)]
    table = opened(HEADER, *[line(t, vm=k) for k, t in enumerate(many)])
    assert [(s.n_frames, s.first_step, s.t_start_s) for s in table.segments] == [
        (1000, 0, 0.0),
        (500, 1005, pytest.approx(0.1005)),
    ]
    assert table.segments[1].read(0, 2, [0])[:, 0].tolist() == [1000, 1001]
    assert table.segments[1].times_s(0, 2).tolist() == pytest.approx([0.1005, 0.1006])
    assert table.scan.flags == ()


def test_noise_of_sums_is_no_jitter(opened):
    """The emulator adds 0.1 up: 1332.8000000000002."""
    times = np.cumsum(np.full(20_000, 0.1)).tolist()
    table = opened(HEADER, *[line(repr(t)) for t in times])
    assert (len(table.segments), table.scan.is_even, table.scan.sampling_frequency) == (1, True, 10_000.0)


def test_a_time_column_that_contradicts_itself_is_flagged(opened):
    """Rows 0.1, 0.37 and 5 ms apart, all of them: the rows are read, and nobody is told that times are right."""
    times = np.cumsum([0, *([0.1, 0.37, 5.0] * 30)])
    table = opened(HEADER, *[line(float(t), vm=k) for k, t in enumerate(times)])
    (segment,) = table.segments
    assert (segment.n_frames, table.scan.is_even) == (91, False)
    assert "contradicts itself: rows are 0.1 to 5 ms apart" in table.scan.flags[0]
    assert segment.times_s(0, 4).tolist() == pytest.approx([0, 0.0001, 0.00047, 0.00547])


def test_seconds_under_a_header_of_milliseconds_are_flagged(opened):
    table = opened(HEADER, *rows(50, lambda k: f"{k * 0.0001:.4f}"))
    assert "are seconds, call the column 'Time (s)'" in " ".join(table.scan.flags)


def test_rows_of_another_pace(opened):
    """A millisecond apart: 1 kHz, one segment, and said."""
    table = opened(HEADER, *rows(50, lambda k: k))
    assert (len(table.segments), table.scan.sampling_frequency) == (1, 1000.0)
    assert table.scan.flags == ("its rows are 1 ms apart, not 0.1 ms as those of the stock software",)


def test_empty_fields_are_nan_and_counted(opened):
    table = opened(HEADER, line(0), "0.1,,0,0,0,0,0,0,0", line(0.2))
    assert np.isnan(table.segments[0].read(1, 2, [0])[0, 0])
    assert "1 fields are empty and read as NaN" in table.scan.flags


def test_unequal_trigger_spacing_is_flagged_with_the_loss(opened):
    marks = {280, 513, 979, 2143}
    table = opened(HEADER, *[line(round(k / 10, 1), trigger=int(k in marks)) for k in range(2200)])
    (flag,) = [text for text in table.scan.flags if "stimulus loops" in text]
    assert flag.startswith(
        "its stimulus loops are 233 to 1164 rows long, and 3 of 8 have their trigger mark: about 62%"
    )
    assert "31% to 86%" in flag


def test_gaps_that_the_times_show_are_no_loss_of_marks(opened):
    """Loops of 500 steps with 100 rows missing in one: known, so it is not estimated again."""
    steps = [k for k in range(20_000) if not 7_100 <= k < 7_200]
    table = opened(HEADER, *[line(round(k / 10, 1), trigger=int(k % 500 == 0)) for k in steps])
    assert len(table.segments) == 2
    assert not [text for text in table.scan.flags if "stimulus loops" in text]


def test_imaging_files_of_both_headers(opened):
    """Names of the channels are those of recordings, whoever wrote the file."""
    header = (
        "Time (ms),Stim,Trigger,Vm1 (mV),Vm2 (mV),Vm3 (mV),Ca1 (uM),Ca2 (uM),Ca3 (uM),F1 (a.u.),F2 (a.u.),F3 (a.u.)"
    )
    table = opened(header, "0.0,1,1,-70,-71,-72,0.1,0.2,0.3,nan,nan,nan", "0.1,1,0,-69,-71,-72,0.1,0.2,0.3,5,6,7")
    assert [c.name for c in table.channels] == [
        *("stimulus", "trigger", "vm", "syn1_vm", "syn2_vm", "ca1", "ca2", "ca3", "f1", "f2", "f3")
    ]
    assert table.segments[0].read(1, 2)[0].tolist() == [1, 0, -69, -71, -72, 0.1, 0.2, 0.3, 5, 6, 7]
    header = "Time (ms),Stimulus (%),Trigger," + ",".join(
        f"{n} {w}" for n in ("Spikeling", "Neuron Aux1", "Neuron Aux2") for w in ("Fluorescence", "Calcium", "Vm (mV)")
    )
    table = opened(header, "0.0,1,1,5,0.1,-70,6,0.2,-71,7,0.3,-72")
    by_name = dict(zip([c.name for c in table.channels], table.segments[0].read(0, 1)[0].tolist(), strict=True))
    assert by_name["vm"], by_name["ca2"] == (-70, 0.2)
    assert [by_name[name] for name in ("vm", "syn1_vm", "syn2_vm", "ca1", "f3")] == [-70, -71, -72, 0.1, 7]


@pytest.mark.parametrize("time", ["model", "wall", "stock"])
def test_our_own_export_with_each_time_column(tmp_path, time):
    """Values as recorded; the gap shows in model and wall time, and cannot in the stock's."""
    maker = Maker(tmp_path / "demo")
    samples = spiking(6000)
    maker.open().samples(0, samples[:4000]).gap(4000, 50).samples(4050, samples[4000:]).close()
    (exported,) = export_csv(tmp_path / "demo", time=time)
    table = CsvTable(exported.csv)
    assert [s.n_frames for s in table.segments] == ([6000] if time == "stock" else [4000, 2000])
    read = np.concatenate([s.read(0, s.n_frames, [0])[:, 0] for s in table.segments])
    assert read == pytest.approx(samples[:, 0] * 0.01)
    times = np.concatenate([s.times_s(0, s.n_frames) for s in table.segments])
    expected = np.arange(6000) + (np.arange(6000) >= 4000) * 50 * (time != "stock")
    assert times == pytest.approx(expected * 1e-4, abs=2e-6)
    assert table.scan.sampling_frequency == pytest.approx(10_000, rel=0.02)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_window_is_that_of_the_whole(data, tmp_path_factory):
    """Rows are found again wherever spans of the file end, with blank lines and a mark in between."""
    n = data.draw(st.integers(1, 60))
    blanks = data.draw(st.sets(st.integers(0, n - 1)))
    text = "\ufeff" + HEADER + "\r\n"
    text += "".join(line(round(k / 10, 1), vm=k) + ("\r\n\r\n" if k in blanks else "\r\n") for k in range(n))
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_scan, "_SPAN_BYTES", data.draw(st.integers(1, 400)))
        (segment,) = CsvTable(path).segments
    start = data.draw(st.integers(0, n))
    stop = data.draw(st.integers(start, n))
    assert segment.read(start, stop, [0])[:, 0].tolist() == list(range(start, stop))


def test_a_file_that_changed_since_is_named(opened, tmp_path):
    table = opened(HEADER, *rows(100))
    (tmp_path / "test.csv").write_text(HEADER + "\n" + line(0) + "\n")
    with pytest.raises(StoreError, match="it was changed since it was opened"):
        table.segments[0].read(0, 1)
    (tmp_path / "test.csv").unlink()
    with pytest.raises(StoreError, match="was it moved"):
        table.segments[0].read(0, 1)
