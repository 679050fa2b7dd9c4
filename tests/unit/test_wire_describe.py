"""From hello and descriptions to DeviceInfo."""

from dataclasses import replace

import pytest

from spikedaq.model import ChannelInfo, Holder, LocalProtocolError, ParameterType, PresetInfo, RemoteProtocolError
from spikedaq.wire import Description, Hello, check_version, decode_message, device_info, encode_message

HELLO = Hello(0, 1, 3, "0.1.0", "abc", "native", b"\1\2\3\xff", 7, 100, 10, 2, 1, 1, 64, 1000, 1, 1024, True)
VM = Description(1, 1, 0, 0, ("vm", "mV", 1, -2, 0))
STIMULUS = Description(2, 2, 0, 1, ("stimulus", "%", 1, 0, 0, "a later field"))
CLAMP = Description(3, 3, 1, 0, ("i_clamp", "a.u.", 0, -100, 100, 0, 12, 1, 3))
TONIC = Description(4, 4, 2, 0, ("tonic spiking", 0.5, 0.25, -65, 6, -70))


def test_device_info():
    """Every field lands where it belongs, in the order of the indices, whatever the order of arrival."""
    descriptions = [TONIC, STIMULUS, CLAMP, VM, Description(5, 5, 9, 0, ("unknown kind",))]
    wired = [decode_message(encode_message(d)) for d in descriptions]
    info = device_info(HELLO, wired)
    assert (info.unique_id, info.boot_id, info.protocol_version, info.counts) == ("010203ff", 7, (1, 3), (2, 1, 1))
    assert (info.board, info.firmware_version, info.build_hash, info.running) == ("native", "0.1.0", "abc", True)
    assert (info.step_us, info.block_samples, info.resend_depth) == (100, 10, 64)
    assert (info.stimulus_capacity, info.codecs, info.max_request_bytes) == (1000, 1, 1024)
    assert info.channels == (ChannelInfo("vm", "mV", 1, -2), ChannelInfo("stimulus", "%", 1, 0))
    (parameter,) = info.parameters
    assert (parameter.type, parameter.holder) == (ParameterType.FLOAT, Holder.HOST)
    assert parameter.read_only
    assert parameter.has_knob
    assert isinstance(parameter.value, float)
    assert info.presets == (PresetInfo("tonic spiking", 0.5, 0.25, -65.0, 6.0, -70.0),)


def test_nothing_described_yet():
    """A hello alone makes a DeviceInfo that tells how much there would be to know."""
    info = device_info(HELLO, [])
    assert (info.channels, info.parameters, info.presets, info.counts) == ((), (), (), (2, 1, 1))


def test_later_description_holds():
    """Of two descriptions of one thing the later one counts."""
    assert device_info(HELLO, [VM, replace(VM, body=("vm", "V", 1, -5, 0))]).channels[0].unit == "V"


def test_hole():
    """A missing description before one that is there would shift the indices: refused by name."""
    with pytest.raises(LocalProtocolError, match="channel 0 is missing"):
        device_info(HELLO, [STIMULUS])


@pytest.mark.parametrize(("position", "value"), [(2, 3), (7, 2)])
def test_parameter_of_a_type_nobody_knows(position, value):
    """An unknown type or holder is the device's fault, and names the parameter."""
    body = list(CLAMP.body)
    body[position] = value
    with pytest.raises(RemoteProtocolError, match="i_clamp"):
        device_info(HELLO, [replace(CLAMP, body=tuple(body))])


def test_check_version():
    """Another minor version passes; another major one is refused naming both."""
    check_version(HELLO)
    with pytest.raises(RemoteProtocolError, match=r"protocol 2\.5 and this package protocol 1\.1; update this package"):
        check_version(replace(HELLO, major=2, minor=5))
    with pytest.raises(RemoteProtocolError, match="update the device's firmware"):
        check_version(replace(HELLO, major=0))
