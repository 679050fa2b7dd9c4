"""Link URLs: what they mean, and what is refused with which words."""

from __future__ import annotations

import pytest

from spikedaq.link import parse_url
from spikedaq.link.sim import device_arguments
from spikedaq.model import LinkOpenError


@pytest.mark.parametrize(
    ("url", "scheme", "target"),
    [
        ("serial:/dev/ttyUSB0", "serial", "/dev/ttyUSB0"),
        ("serial:/dev/ttyUSB0?baud=921600", "serial", "/dev/ttyUSB0"),
        ("pty:/tmp/a b", "pty", "/tmp/a b"),
        ("tcp:127.0.0.1:80", "tcp", "127.0.0.1:80"),
        ("tcp:[::1]:80", "tcp", "[::1]:80"),
        ("sim:alpha", "sim", "alpha"),
    ],
)
def test_parts(url: str, scheme: str, target: str) -> None:
    """A good URL comes apart into scheme and target."""
    parsed = parse_url(url)
    assert (parsed.scheme, parsed.target) == (scheme, target)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", ["no known scheme", "serial:/dev/ttyUSB0"]),
        ("/dev/ttyUSB0", ["did you mean serial:/dev/ttyUSB0?"]),
        ("usb:1", ["no known scheme"]),
        ("serial:", ["names nothing"]),
        ("serial:/dev/ttyUSB0?baud=fast", ["'fast'", "positive whole number"]),
        ("serial:/dev/ttyUSB0?baud=0", ["'0'"]),
        ("serial:/dev/ttyUSB0?bauds=9600", ["'bauds'", "did you mean 'baud'?"]),
        ("pty:/x?rate=3", ["'rate'", "no options"]),
        ("sim:alpha?presett=3", ["did you mean 'preset'?"]),
        ("sim:alpha?param=3", ["'param'"]),
        ("sim:alpha?rate", ["name=value"]),
        ("tcp:localhost", ["host and a port"]),
        ("tcp::80", ["host and a port"]),
        ("tcp:h:99999", ["host and a port"]),
    ],
)
def test_bad_urls_name_the_remedy(url: str, words: list[str]) -> None:
    """A bad URL is refused before anything is opened, saying what would be right."""
    with pytest.raises(LinkOpenError) as caught:
        parse_url(url)
    for word in words:
        assert word in str(caught.value)
    assert caught.value.url == url


def test_sim_options_become_arguments() -> None:
    """Each option of a sim: URL is the argument of spikedaq-device it stands for, repeated ones included."""
    url = parse_url(
        "sim:alpha?preset=3&rate=5000&param.i_clamp=15&param.noise_sd=1&knob.i=7&fast=1&loopback=0&truth=/t"
    )
    assert device_arguments(url) == [
        *("--name", "alpha", "--preset", "3", "--rate", "5000", "--param", "i_clamp=15", "--param", "noise_sd=1"),
        *("--knob", "i=7", "--as-fast-as-possible", "--record-truth", "/t"),
    ]
