"""The daemon's configuration: what a file may say, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikedaq.daemon import (
    DaemonConfig,
    DeviceConfig,
    JournalConfig,
    RecordingConfig,
    load_config,
    with_overrides,
)
from spikedaq.model import ConfigError


def load(tmp_path: Path, text: str) -> DaemonConfig:
    path = tmp_path / "spikedaq.toml"
    path.write_text(text)
    return load_config(path)


def test_everything_can_be_said(tmp_path: Path) -> None:
    """Each key of the file arrives where it belongs; the data folder counts from the file's."""
    config = load(
        tmp_path,
        """
        bench = "bench3"
        control = "tcp://127.0.0.1:6001"
        publish = "ipc:///tmp/p"
        data = "here"
        [recording]
        roll_s = 10
        roll_bytes = 1000000
        experimenter = "Doe, Jane"
        [journal]
        ring_bytes = 5000000
        [[device]]
        name = "alpha"
        url = "serial:/dev/ttyUSB0?baud=921600"
        [[device]]
        name = "beta"
        url = "sim:beta?preset=2"
        """,
    )
    assert config == DaemonConfig(
        bench="bench3",
        control="tcp://127.0.0.1:6001",
        publish="ipc:///tmp/p",
        data=tmp_path / "here",
        devices=(DeviceConfig("alpha", "serial:/dev/ttyUSB0?baud=921600"), DeviceConfig("beta", "sim:beta?preset=2")),
        recording=RecordingConfig(roll_s=10, roll_bytes=1_000_000, experimenter="Doe, Jane"),
        journal=JournalConfig(ring_bytes=5_000_000),
    )


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    """Nothing has to be said."""
    assert load(tmp_path, "") == DaemonConfig(data=tmp_path / "spikedaq-data")


ONE = '[[device]]\nname="a"\nurl="sim:a"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("banch = 'x'", "unknown key 'banch' in {path}; did you mean 'bench'?"),
        ("[recording]\nroll = 3", "did you mean 'roll_s'?"),
        ("[[devices]]\nname='a'\nurl='sim:a'", "did you mean 'device'?"),
        ("[[device]]\nname='a'\nulr='sim:a'", "unknown key 'ulr' in {path}, device 1; did you mean 'url'?"),
        ("[[device]]\nurl='sim:a'", "'name' in {path}, device 1 must be given; it is missing"),
        ("[[device]]\nname='a'", "device 1 in {path}, 'a', has neither 'url' nor 'unique_id'"),
        ("[[device]]\nname='a'\nunique_id='xyz'", "device 'a': the unique_id 'xyz' is not a board's"),
        (
            "[[device]]\nname='a'\nunique_id='AABBCCDD'\n[[device]]\nname='b'\nunique_id='aabbccdd'",
            "devices 'a' and 'b' are one board, aabbccdd",
        ),
        (
            "[[device]]\nname='a'\nurl='sim:a'\nparameters={x='y'}",
            "every value of 'parameters' in {path}, device 1 must be a number",
        ),
        ("[discovery]\nlinks=['usb:1']", "[discovery] links: the link URL 'usb:1' has no known scheme"),
        ("[discovery]\nusb=['1a86']", "'usb' in {path}, [discovery] has an entry that is not vendor:product"),
        ("[device]\nname='a'\nurl='sim:a'", "write [[device]]"),
        ("bench = 3", "'bench' in {path} must be a text"),
        ("data = 0", "'data' in {path} must be a text"),
        ("[security]\nkeys = 3", "'keys' in {path}, [security] must be a text"),
        ("bench = 'a b'", "the bench name 'a b' has ' ' in it"),
        ("bench = ''", "the bench name is empty"),
        ("[recording]\nroll_s = 0", "'roll_s' in {path}, [recording] must be greater than 0"),
        ("[recording]\nroll_bytes = 1000", "'roll_bytes' in {path}, [recording] must be at least 1000000"),
        ("[recording]\nroll_s = true", "must be a number"),
        ("[recording]\nroll_s = inf", "must be at most"),
        ("[journal]\nring_bytes = 1.5", "must be a whole number"),
        ("recording = 3", "must be a table: [recording]"),
        (ONE + ONE, "two devices are called 'a'"),
        ("[[device]]\nname='../x'\nurl='sim:a'", "device name"),
        ("[[device]]\nname='a'\nurl='usb:3'", "device 'a': the link URL 'usb:3' has no known scheme"),
        (
            "[[device]]\nname='a'\nurl='pty:/p'\n[[device]]\nname='b'\nurl='serial:/p'",
            "devices 'a' and 'b' share /p; one port carries one device",
        ),
        ("bench = ", "is not TOML"),
    ],
)
def test_mistakes_are_named_with_the_remedy(tmp_path: Path, text: str, words: str) -> None:
    """A configuration that cannot be meant is refused, naming the place and the nearest right thing."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert words.replace("{path}", str(tmp_path / "spikedaq.toml")) in str(caught.value)


def test_absent_file(tmp_path: Path) -> None:
    """A configuration that is not there is named."""
    with pytest.raises(ConfigError, match=r"nothing\.toml cannot be read"):
        load_config(tmp_path / "nothing.toml")


def test_command_line_lies_over_the_file() -> None:
    """Options replace keys; a device of the same name is replaced, another added."""
    base = DaemonConfig(devices=(DeviceConfig("a", "sim:a"), DeviceConfig("b", "sim:b")))
    config = with_overrides(base, bench="x", data=Path("/d"), devices=["b=pty:/p", "c=sim:c?preset=1"], roll_s=2.5)
    assert (config.bench, config.data, config.recording.roll_s, config.control) == ("x", Path("/d"), 2.5, base.control)
    assert [(d.name, d.url) for d in config.devices] == [("a", "sim:a"), ("b", "pty:/p"), ("c", "sim:c?preset=1")]


@pytest.mark.parametrize("text", ["alpha", "=sim:a", "alpha=", "al/pha=sim:a"])
def test_bad_device_option(text: str) -> None:
    """A device option that is not NAME=URL is refused."""
    with pytest.raises(ConfigError):
        with_overrides(DaemonConfig(), devices=[text])
