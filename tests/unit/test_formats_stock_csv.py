"""The text of the stock CSV: every number as Python prints it, every header byte for byte."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedaq.formats.stock_csv import RowFormatter, stock_header
from spikedaq.model import ChannelInfo, StoreError

CHANNELS = (
    ChannelInfo("vm", "mV", 1, -2),
    ChannelInfo("stimulus", "%", 1, 0),
    ChannelInfo("i_total", "a.u.", 1, -2),
    ChannelInfo("syn1_vm", "mV", 1, -2),
    ChannelInfo("syn1_i", "a.u.", 1, -2),
    ChannelInfo("syn2_vm", "mV", 1, -2),
    ChannelInfo("syn2_i", "a.u.", 1, -2),
    ChannelInfo("trigger", "1", 1, 0),
)


def rows(samples, steps=None):
    samples = np.asarray(samples, dtype=np.int16)
    steps = np.arange(len(samples)) if steps is None else np.asarray(steps, dtype=np.int64)
    return RowFormatter(CHANNELS, device="alpha").model_rows(steps, samples).decode()


def test_header_is_the_stock_one_byte_for_byte():
    """Nine columns, comma, line feed, as course scripts expect."""
    assert stock_header("model") == (
        b"Time (ms),Spikeling Vm (mV),Stimulus (%),Total Current Input (a.u.),Synapse 1 Vm (mV),"
        b"Synapse 1 Input (a.u.),Synapse 2 Vm (mV),Synapse 2 Input (a.u.),Trigger\n"
    )
    assert stock_header("wall").startswith(b"Time (s),Spikeling Vm (mV),")


def test_a_row_at_rest_and_a_row_of_a_spike():
    """The literal lines a stock board gives for these values."""
    assert rows([[-7000, 0, 0, -11500, 0, -11500, 0, 0], [-3888, 20, 2700, -11200, -5, -11300, 10, 1]]) == (
        "0.0,-70.0,0.0,0.0,-115.0,0.0,-115.0,0.0,0.0\n0.1,-38.88,20.0,27.0,-112.0,-0.05,-113.0,0.1,1.0\n"
    )


@pytest.mark.parametrize(
    ("raw", "text"),
    [(49, "0.0"), (50, "1.0"), (-49, "0.0"), (-50, "-1.0"), (-11149, "-111.0"), (-11150, "-112.0"), (32767, "328.0")],
)
def test_synapse_vm_is_whole_millivolts_rounded_half_away_from_zero(raw, text):
    """A tie goes away from zero, and nothing is ever -0.0."""
    assert rows([[0, 0, 0, raw, 0, 0, 0, 0]]).split(",")[4] == text


def test_every_raw_value_prints_as_python_prints_the_float():
    """All 65536 values of a centi-unit channel and of a whole-unit channel."""
    raw = np.arange(-32768, 32768)
    samples = np.zeros((65536, 8), dtype=np.int16)
    samples[:, 0] = raw
    samples[:, 1] = raw
    got = [line.split(",") for line in rows(samples).splitlines()]
    assert [row[1] for row in got] == [repr(v / 100) for v in raw.tolist()]
    assert [row[2] for row in got] == [repr(float(v)) for v in raw.tolist()]


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=20))
def test_model_time_is_the_exact_decimal_of_the_step(steps):
    """No float noise at any size: the text is the decimal of step / 10, which Python prints alike."""
    got = [line.split(",")[0] for line in rows(np.zeros((len(steps), 8)), steps).splitlines()]
    assert got == [str(Decimal(step) / 10) if step % 10 else f"{step // 10}.0" for step in steps]
    assert got == [repr(step / 10) for step in steps]


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=20))
def test_wall_time_has_six_decimals_and_the_right_sign(micros):
    """Microseconds survive, before and after the reference time."""
    formatter = RowFormatter(CHANNELS, device="alpha")
    text = formatter.wall_rows(np.array(micros) / 1e6, np.zeros((len(micros), 8), dtype=np.int16)).decode()
    assert [line.split(",")[0] for line in text.splitlines()] == [f"{Decimal(m) / 1000000:.6f}" for m in micros]


def test_a_column_order_of_its_own_is_followed_by_name():
    """Channels are found by name, not by place."""
    formatter = RowFormatter(CHANNELS[::-1], device="alpha")
    line = formatter.model_rows(np.array([3]), np.array([[1, 7, 6, 5, 4, 3, 2, -7000]], dtype=np.int16))
    assert line == b"0.3,-70.0,2.0,0.03,0.0,0.05,0.0,0.07,1.0\n"


def test_another_scale_is_converted_not_copied():
    """A board that sends synapse Vm in whole millivolts and Vm in tenths is printed in the same units."""
    channels = list(CHANNELS)
    channels[0] = ChannelInfo("vm", "mV", 5, -1, offset_mantissa=1)
    channels[3] = ChannelInfo("syn1_vm", "mV", 1, 0)
    line = RowFormatter(channels, device="a").model_rows(
        np.array([0]), np.array([[-140, 0, 0, -115, 0, 0, 0, 0]], dtype=np.int16)
    )
    assert line.decode().split(",")[1] == "-69.9"
    assert line.decode().split(",")[4] == "-115.0"


def test_a_missing_channel_or_another_unit_is_refused_by_name():
    """A stock file with an invented column would be worse than none."""
    with pytest.raises(StoreError, match=r"alpha: the recording has no channel syn2_i, trigger"):
        RowFormatter(CHANNELS[:6], device="alpha")
    with pytest.raises(StoreError, match=r"channel vm is in 'V'"):
        RowFormatter((ChannelInfo("vm", "V", 1, -5), *CHANNELS[1:]), device="alpha")


def test_no_rows_is_no_text():
    """An empty block adds nothing, not an empty line."""
    assert rows(np.zeros((0, 8))) == ""
