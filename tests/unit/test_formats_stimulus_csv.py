"""The stock stimulus CSV: what people's spreadsheets leave is read, what has two meanings or none is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.formats.stimulus_csv import MAX_BYTES, load_stimulus, parse_stimulus, save_stimulus, stimulus_csv
from spikedaq.model import ConfigError, StoreError
from spikedaq.stimulus import Waveform, make, spec_of


def rows_of(text: str | bytes) -> list[int]:
    return parse_stimulus(text if isinstance(text, bytes) else text.encode(), "f.csv").waveform.rows.tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Stim,Trigger\n0.0,1.0\n12.345,0.0\n-100,0\n", [0, 1235, -10_000]),
        ("Stim,Trigger\n1.22e-14,1.0\n-4.89e-14,0.0\n5e1,0\n-2.5E+01,0\n", [0, 0, 5000, -2500]),
        ("Stim,Trigger\r\n1,1\r\n\r\n2,0\r\n", [100, 200]),
        ("\ufeffStim,Trigger\n1,1\n", [100]),
        ("\n\n  \nStim,Trigger\n1,1\n,\n2,0\n\n\n", [100, 200]),
        ("Stim;Trigger\n0,5;1,0\n-1,25;0,0\n7;0\n", [50, -125, 700]),
        ("Stim;Trigger\n0.5;1\n1.25;0\n", [50, 125]),
        ("Stim\tTrigger\n0,5\t1\n", [50]),
        ('"Stim","Trigger"\n"1.5","1"\n', [150]),
        (" stim , TRIGGER \n 1 , 1 \n", [100]),
        ("Trigger,Stim\n1,3\n0,4\n", [300, 400]),
        ("Stim\n1\n2\n", [100, 200]),
        ("Stim,Trigger\n1\n2,\n", [100, 200]),
        ("Stim,Trigger\n100.00000000000001,1\n100.0049,0\n-100.0049,0\n", [10_000, 10_000, -10_000]),
        ("Stim,Trigger\n.5,1\n+5.,0\n", [50, 500]),
        ("Stim,Trigger\n1,1\n2,0", [100, 200]),
        ("Stim,Trigger\r1,1\r2,0\r", [100, 200]),
        ("Stim,Trigger\n1,1\n".encode("utf-16"), [100]),
        (b"Stim,Trigger,Dauer (\xb5s)\n1,1,x\n", [100]),
        ("Stim,Trigger,Note\n1,1,\x0c a page\n2,0,\u2028\n", [100, 200]),
    ],
)
def test_what_can_only_be_meant_in_one_way_is_read(text: str | bytes, expected: list[int]) -> None:
    assert rows_of(text) == expected


def test_extra_columns_and_marks_elsewhere_are_told() -> None:
    """Nothing of them is used, and nobody is to believe that it was."""
    loaded = parse_stimulus(b"Stim,Trigger,N,Step Length,\n1,1,10,50,\n2,0,10,50,\n3,1,10,50,\n", "f")
    assert loaded.ignored_columns == ("N", "Step Length")
    assert loaded.n_ignored_triggers == 1
    assert parse_stimulus(b"Stim,Trigger\n1,1.0\n2,0.0\n", "f").n_ignored_triggers == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f.csv is empty"),
        ("\n\r\n", "f.csv is empty"),
        ("Stim,Trigger\n", "no row behind its header"),
        ("Stim,Trigger\n,\n", "no row behind its header"),
        ("0.0,1.0\n0.1,0.0\n", "has no column 'Stim'; its line 1 is '0.0,1.0', and must be 'Stim,Trigger'"),
        ("Stim,Stim\n1,1\n", "more than one column 'Stim'"),
        ("Stim,Trigger\n1,1\nnan,0\n", "line 3: Stim is 'nan'"),
        ("Stim,Trigger\n1,1\n-inf,0\n", "line 3: Stim is '-inf'"),
        ("Stim,Trigger\n1_0,1\n", "line 2: Stim is '1_0'"),
        ("Stim,Trigger\n0x10,1\n", "line 2: Stim is '0x10'"),
        ("Stim,Trigger\n\u0663,1\n", "line 2: Stim is '\u0663'"),
        ("Stim,Trigger\n1 000,1\n", "line 2: Stim is '1 000'"),
        ("Stim,Trigger\n1e5,1\n", "line 2: Stim is 1e5 %; it must be from -100 to 100"),
        ("Stim,Trigger\n1e9999,1\n", "line 2: Stim is 1e9999 %"),
        ("Stim,Trigger\n1e99999,1\n", "line 2: Stim is '1e99999'"),
        ("Stim,Trigger\n1,1\n100.005,0\n", "line 3: Stim is 100.005 %"),
        ("Stim,Trigger\n-100.01,1\n", "line 2: Stim is -100.01 %"),
        ("Stim,Trigger\n1,1\n\n,0\n", "line 4: Stim is empty"),
        ("Trigger,Stim\n1,2\n0\n", "line 3: Stim is empty"),
        ("Stim,Trigger\n0,5,1,0\n", "line 2 has 4 cells, and the header 2; a decimal comma needs semicolons"),
        ("Stim\n0,5\n", "line 2 has 2 cells, and the header 1; a decimal comma needs"),
        ("Stim;Trigger\n0,5;1\n0.5;0\n", "line 3: Stim is '0.5', with '.', and cells before have ','"),
        ("Stim;Trigger\n1.000,5;1\n", "line 2: Stim is '1.000,5'"),
        ('Stim,Trigger\n1,1\n"2,0\n3,0\n', ": unexpected end of data; look at its quotes"),
        ("Stim,Trigger\n" + "1" * 2000 + ",1\n", "line 2: a cell has more than 1000 characters"),
        ("PK\x03\x04\0\0", "f.csv is no text: it has zero bytes"),
        ("<html>\n<body>\n", "has no column 'Stim'"),
    ],
)
def test_what_cannot_be_a_stimulus_is_refused_with_line_and_value(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        rows_of(text)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_broken_utf16_is_refused() -> None:
    with pytest.raises(ConfigError, match="no readable UTF-16"):
        rows_of(b"\xff\xfeS\0t")


def test_the_file_is_as_the_stock_program_writes_it(tmp_path: Path) -> None:
    """Plain numbers, 1.0 in the first row only, and the same rows when it is read again."""
    waveform = Waveform(np.array([0, 1, -1, 63, -10_000, 10_000, 1230], np.int16))
    path = tmp_path / "s.csv"
    save_stimulus(waveform, path)
    assert path.read_bytes() == (
        b"Stim,Trigger\n0.0,1.0\n0.01,0.0\n-0.01,0.0\n0.63,0.0\n-100.0,0.0\n100.0,0.0\n12.3,0.0\n"
    )
    assert load_stimulus(path).waveform.rows.tolist() == waveform.rows.tolist()


def test_an_existing_file_is_replaced_only_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("mine")
    with pytest.raises(StoreError, match="exists"):
        save_stimulus(make(spec_of("sine")), path)
    assert path.read_text() == "mine"
    save_stimulus(make(spec_of("sine")), path, overwrite=True)
    assert path.read_bytes().startswith(b"Stim,Trigger\n0.0,1.0\n0.63,0.0\n")


def test_files_that_are_none_or_too_large_are_refused_unread(tmp_path: Path) -> None:
    """A file of two gigabytes takes no memory (it is sparse: it takes no disk either)."""
    with pytest.raises(StoreError, match="cannot be read"):
        load_stimulus(tmp_path / "absent.csv")
    with pytest.raises(StoreError, match="is no file"):
        load_stimulus(tmp_path)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(StoreError, match="is no file"):
        load_stimulus(tmp_path / "pipe.csv")
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(StoreError, match=f"has 2147483648 bytes; such a file has at most {MAX_BYTES}"):
        load_stimulus(large)


@given(st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=50))
def test_what_is_written_is_read_again(rows: list[int]) -> None:
    waveform = Waveform(np.array(rows, np.int16))
    assert rows_of(stimulus_csv(waveform)) == rows
    # As a spreadsheet of a country with decimal commas saves it.
    assert rows_of(stimulus_csv(waveform).replace(b",", b";").replace(b".", b",").replace(b"\n", b"\r\n")) == rows


@given(st.binary(max_size=200) | st.text(alphabet='Stim,;\t"\n\r.0123456789eE+-Trg', max_size=80).map(str.encode))
def test_bytes_of_any_kind_are_read_or_refused(data: bytes) -> None:
    for whole in (data, b"Stim,Trigger\n" + data, b"Stim;Trigger\n" + data):
        try:
            loaded = parse_stimulus(whole, "f")
        except ConfigError as error:
            assert str(error)
        else:
            assert np.abs(loaded.waveform.rows.astype(int)).max() <= 10_000
