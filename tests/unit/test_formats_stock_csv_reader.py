"""Reading nine-column CSVs: what is in them, what may be odd about them, and which line cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.formats_recordings import Maker, spiking
from spikedaq.formats import export_csv, number_csv, stock_csv_reader
from spikedaq.formats.stock_csv_reader import STOCK_NOTE, read_stock_csv
from spikedaq.model import ClampMode, StoreError

HEADER = (
    "Time (ms),Spikeling Vm (mV),Stimulus (%),Total Current Input (a.u.),Synapse 1 Vm (mV),Synapse 1 Input (a.u.),"
    "Synapse 2 Vm (mV),Synapse 2 Input (a.u.),Trigger"
)
ROWS = (
    "0.0,-70.0,20.0,27.0,-115.0,0.0,-115.0,0.0,1.0",
    "0.1,-69.5,20.0,26.5,-112.0,0.0,-113.0,0.0,0.0",
    "0.2,30.0,0.0,1.22e-14,-115.0,0.0,-115.0,-4.89e-14,0.0",
)


@pytest.fixture
def written(tmp_path):
    def write(*lines, end="\n", last=True, encoding="utf-8"):
        path = tmp_path / "test.csv"
        path.write_bytes((end.join(lines) + (end if last else "")).encode(encoding))
        return path

    return write


def check(read):
    assert read.steps.tolist() == [0, 1, 2]
    assert read.times_ms.tolist() == pytest.approx([0, 0.1, 0.2])
    assert read.channels["vm"].tolist() == [-70, -69.5, 30]
    assert read.channels["i_total"].tolist() == [27, 26.5, 1.22e-14]
    assert read.channels["syn2_i"].tolist() == [0, 0, -4.89e-14]
    assert read.channels["trigger"].tolist() == [1, 0, 0]
    assert read.mode is ClampMode.CURRENT


def test_a_file_of_the_stock_software(written):
    read = read_stock_csv(written(HEADER, *ROWS))
    check(read)
    assert list(read.channels) == ["vm", "stimulus", "i_total", "syn1_vm", "syn1_i", "syn2_vm", "syn2_i", "trigger"]
    assert read.notes == (STOCK_NOTE,)
    assert (read.resolution("vm"), read.resolution("stimulus")) == (0.01, 1)


def test_line_ends_marks_blank_lines_and_a_missing_last_line_feed(written):
    check(read_stock_csv(written(HEADER, *ROWS, end="\r\n")))
    check(read_stock_csv(written(HEADER, *ROWS, encoding="utf-8-sig")))
    check(read_stock_csv(written(HEADER, *ROWS, last=False)))
    check(read_stock_csv(written(HEADER, ROWS[0], "", ROWS[1], ROWS[2], "", "")))


def test_semicolons_with_decimal_commas_and_tabs(written):
    lines = [line.replace(",", ";").replace(".", ",") for line in ROWS]
    check(read_stock_csv(written(HEADER.replace(",", ";"), *lines)))
    check(read_stock_csv(written(*(line.replace(",", "\t") for line in (HEADER, *ROWS)))))


def test_a_column_more_and_columns_in_another_order(written):
    """A column that nobody knows is left out."""
    lines = [",".join([line.split(",")[0], "7", *line.split(",")[:0:-1]]) for line in ROWS]
    names = HEADER.split(",")
    check(read_stock_csv(written(",".join([names[0], "Mood", *names[:0:-1]]), *lines)))


def test_an_empty_field_is_a_missing_value(written):
    read = read_stock_csv(written(HEADER, ROWS[0], ROWS[1][:-3], ROWS[2]))
    assert read.channels["trigger"].tolist() == pytest.approx([1, float("nan"), 0], nan_ok=True)


def test_times_that_jump_are_gaps_and_noise_of_sums_is_not(written):
    rows = [f"{t!r},-70,0,0,0,0,0,0,0" for t in (1332.8000000000002, 1332.9, 1335.0)]
    read = read_stock_csv(written(HEADER, *rows))
    assert (read.steps.tolist(), read.notes) == ([0, 1, 22], ())


def test_measured_times_count_rows(written):
    """Of a board that counts no steps: milliseconds of arrival."""
    rows = [f"{t!r},-70,0,0,0,0,0,0,0" for t in (0.0, 1.987, 4.031, 4.032)]
    read = read_stock_csv(written(HEADER, *rows))
    assert read.steps.tolist() == [0, 1, 2, 3]
    assert read.times_ms.tolist() == [0, 1.987, 4.031, 4.032]
    assert "was measured" in read.notes[0]


def test_real_time_shows_gaps_too(written):
    """Seconds, 2 ms apart, with 3 rows missing; or so uneven that nothing can be said."""
    times = [k * 0.002 for k in range(500) if k not in (400, 401, 402)]
    rows = [f"{t:.6f},-70,0,0,0,0,0,0,0" for t in times]
    read = read_stock_csv(written(HEADER.replace("(ms)", "(s)", 1), *rows))
    assert np.flatnonzero(np.diff(read.steps) != 1).tolist() == [399]
    assert read.steps[-1] == 499
    assert read.times_ms[1] == 2
    uneven = [f"{t},-70,0,0,0,0,0,0,0" for t in (0, 1, 2, 4, 5, 9)]
    read = read_stock_csv(written(HEADER.replace("(ms)", "(s)", 1), *uneven))
    assert read.steps.tolist() == [0, 1, 2, 3, 4, 5]
    assert "not evenly spaced" in read.notes[0]


def test_a_part_and_some_channels(written):
    read = read_stock_csv(written(HEADER, *ROWS), start_s=0.0001, stop_s=0.0002, channels=["trigger", "vm", "x"])
    assert {name: values.tolist() for name, values in read.channels.items()} == {"vm": [-69.5], "trigger": [0]}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("0.1,-70", "line 3: 2 fields where the header has 9"),
        ("0.1,-70,0,0,0,0,0,0,0,0", "line 3: 10 fields where the header has 9"),
        ("0.1,-70,0,x,0,0,0,0,0", "line 3: 'x' is no number"),
        ("0.1,inf,0,0,0,0,0,0,0", "line 3: 'inf' is no number that a recording can have"),
        ("0.1,1e999,0,0,0,0,0,0,0", "line 3: '1e999' is no number"),
        ("0.1,1_0,0,0,0,0,0,0,0", "line 3: '1_0' is no number"),
        ("0.1,\x00,0,0,0,0,0,0,0", "line 3: "),
        (",-70,0,0,0,0,0,0,0", "line 3: it has no time"),
        ("nan,-70,0,0,0,0,0,0,0", "line 3: it has no time"),
        ("0.0,-70,0,0,0,0,0,0,0", "line 3: its time 0.0 is not after 0.0 of the row before"),
        ("-5,-70,0,0,0,0,0,0,0", "line 3: its time -5.0 is not after 0.0"),
    ],
)
def test_a_line_that_cannot_be_is_named(written, line, says):
    path = written(HEADER, ROWS[0], line, "0.3,-70,0,0,0,0,0,0,0")
    with pytest.raises(StoreError) as caught:
        read_stock_csv(path)
    assert str(caught.value).startswith(f"{path}, {says}")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"Stim,Trigger\n0.0,1.0\n", "is no recording of the Spikeling software: its first line is 'Stim,Trigger'"),
        (b"\n" + HEADER.encode(), "first line is ''"),
        (HEADER.encode() + b",Trigger\n", "two columns called Trigger"),
        (HEADER.encode() + b"\n\xff\xfe\n", "no text"),
        (b"x" * 100_000, "more than 65536 bytes"),
    ],
)
def test_a_file_that_is_something_else_is_refused(tmp_path, content, says):
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=says):
        read_stock_csv(path)


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(StoreError, match=r"cannot read .*; check the path"):
            read_stock_csv(path)


def test_a_header_alone_has_no_rows(written):
    read = read_stock_csv(written(HEADER))
    assert len(read.steps) == len(read.channels["vm"]) == 0


def test_a_file_too_long_for_memory_is_refused(written, monkeypatch):
    monkeypatch.setattr(stock_csv_reader, "MAX_ROWS", 2)
    path = written(HEADER, *ROWS)
    with pytest.raises(StoreError, match="more than 2 rows; choose a part of it with --start and --stop"):
        read_stock_csv(path)
    assert len(read_stock_csv(path, stop_s=0.0002).steps) == 2


@pytest.mark.parametrize("piece", [1, 7, 64, 150, 1000])
def test_pieces_of_any_size_make_the_same_rows(written, monkeypatch, piece):
    """A bad line keeps its number whatever piece it falls into."""
    monkeypatch.setattr(number_csv, "_PIECE_BYTES", piece)
    seen = []
    check(read_stock_csv(written(HEADER, *ROWS, encoding="utf-8-sig"), progress=lambda *of: seen.append(of)))
    assert seen[-1][0] == seen[-1][1]
    with pytest.raises(StoreError, match="line 4: 1 fields"):
        read_stock_csv(written(HEADER, *ROWS[:2], "oops"))
    with pytest.raises(StoreError, match=r"line 4: its time 0.1 is not after 0.1"):
        read_stock_csv(written(HEADER, ROWS[0], ROWS[1], ROWS[1]))


def test_what_we_export_comes_back(tmp_path):
    """Values as rounded by the export, the gap where it was, clamp mode by its header."""
    maker = Maker(tmp_path / "demo").open().samples(100, spiking(300)).gap(400, 50).samples(450, spiking(200))
    maker.close().open(mode=ClampMode.VOLTAGE).samples(700, spiking(100)).close()
    current, voltage = export_csv(tmp_path / "demo")
    read = read_stock_csv(current.csv)
    assert read.steps.tolist() == [*range(300), *range(350, 550)]
    expected = np.concatenate([spiking(300), spiking(200)])
    np.testing.assert_allclose(read.channels["vm"], expected[:, 0] / 100)
    np.testing.assert_array_equal(read.channels["trigger"], expected[:, 7])
    assert read.notes == ()
    read = read_stock_csv(voltage.csv)
    assert read.mode is ClampMode.VOLTAGE
    assert "v_command" in read.channels
    by_wall = export_csv(tmp_path / "demo", time="wall", overwrite=True)[0]
    assert read_stock_csv(by_wall.csv).steps.tolist() == [*range(300), *range(350, 550)]


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_give_rows_or_a_store_error(tmp_path_factory, data, with_header):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes((HEADER.encode() + b"\n" if with_header else b"") + data)
    try:
        read = read_stock_csv(path)
    except StoreError as error:
        assert str(path) in str(error)
    else:
        assert len(read.steps) == len(read.channels["vm"])
