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
        ("fault:flip=1e-5,seed=7;tcp:127.0.0.1:80", "fault", "127.0.0.1:80"),
        ("fault:;sim:alpha?preset=3", "fault", "alpha"),
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
        ("serial:/dev/ttyUSB0?dialect=v9", ["'v9'", "stock-v2.4", "auto"]),
        ("serial:/dev/ttyUSB0?bauds=9600", ["'bauds'", "did you mean 'baud'?"]),
        ("pty:/x?rate=3", ["'rate'", "pty: knows id, dialect"]),
        ("pty:/x?id=123", ["'123'", "8 to 32 hex digits"]),
        ("fault:flip=1e-5", ["is not fault:name=value", "fault:flip=1e-5,seed=7;serial:/dev/ttyUSB0"]),
        ("fault:flip;tcp:h:1", ["is not fault:name=value"]),
        ("fault:flip=2;tcp:h:1", ["flip=2", "from 0 to 1"]),
        ("fault:flop=2;tcp:h:1", ["no such fault", "flip, drop"]),
        ("fault:reboot_every_s=2;tcp:h:1", ["happens to a board"]),
        ("fault:flip=0.1;usb:1", ["inside 'fault:flip=0.1;usb:1'", "no known scheme"]),
        ("fault:flip=0.1;fault:drop=0.1;tcp:h:1", ["one fault: inside another"]),
        ("fault:flip=0.1;serial:/dev/ttyUSB*", ["a pattern of ports"]),
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


def test_a_faults_parts() -> None:
    """The link inside keeps its own options, and both guard the same port."""
    url = parse_url("fault:flip=1e-5,script=/s;serial:/dev/ttyUSB0?baud=921600")
    assert url.options == (("flip", "1e-5"), ("script", "/s"))
    assert url.inner == parse_url("serial:/dev/ttyUSB0?baud=921600")
    assert url.port == "/dev/ttyUSB0"


@pytest.mark.parametrize(
    ("url", "port", "pattern"),
    [
        ("serial:/dev/ttyUSB0", "/dev/ttyUSB0", False),
        ("serial:/dev/ttyUSB*?id=0011223344556677", None, True),
        ("pty:/run/x/[ab]", None, True),
        ("sim:alpha", None, False),
        ("tcp:h:80", "h:80", False),
    ],
)
def test_what_no_other_link_may_use(url: str, port: str | None, pattern: bool) -> None:
    """A pattern stands for many ports and guards none; two virtual devices may have one name."""
    assert (parse_url(url).port, parse_url(url).is_pattern) == (port, pattern)
