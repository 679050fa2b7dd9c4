"""Where a renamed port is looked for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from serial.tools import list_ports

from spikedaq.link import PortFinder
from spikedaq.model import LinkOpenError


def usb(device: str, vid: int | None = 0x10C4, pid: int = 0xEA60, serial_number: str | None = "A1") -> SimpleNamespace:
    return SimpleNamespace(device=device, vid=vid, pid=pid, serial_number=serial_number)


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    found: list[SimpleNamespace] = []
    monkeypatch.setattr(list_ports, "comports", lambda: found)
    return found


def test_a_plain_url_is_itself(ports: list[SimpleNamespace]) -> None:
    """What names one thing is tried as it stands, even when it makes no sense."""
    for url in ("tcp:h:1", "sim:alpha", "pty:/x", "serial:/dev/ttyUSB0", "nonsense"):
        assert PortFinder(url).candidates() == [url]


def test_a_pattern_is_every_port_that_matches_the_last_first(tmp_path: Path) -> None:
    """Options stay, and where the device was last it is looked for first."""
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    finder = PortFinder(f"pty:{tmp_path}/*?id=00112233AABBCCDD")
    assert finder.unique_id == "00112233aabbccdd"
    assert finder.candidates() == [f"pty:{tmp_path}/{name}?id=00112233AABBCCDD" for name in "abc"]
    finder.found(f"pty:{tmp_path}/b")
    assert [Path(url.partition("?")[0]).name for url in finder.candidates()] == ["b", "a", "c"]


def test_a_pattern_without_a_match_says_so(tmp_path: Path) -> None:
    """The error names the pattern."""
    with pytest.raises(LinkOpenError, match="no port matches"):
        PortFinder(f"pty:{tmp_path}/*").candidates()


def test_a_renamed_usb_port_is_found_by_its_usb_identity(ports: list[SimpleNamespace], tmp_path: Path) -> None:
    """When the configured port is gone, only ports with the same vendor, product and serial number are tried."""
    first, second, third = (str(tmp_path / name) for name in ("ttyUSB0", "ttyUSB1", "ttyUSB2"))
    Path(first).touch()
    ports[:] = [usb(first), usb(second, serial_number="B2")]
    finder = PortFinder(f"serial:{first}?baud=921600")
    finder.found(f"serial:{first}?baud=921600")
    assert finder.candidates() == [f"serial:{first}?baud=921600"]
    Path(first).unlink()
    ports[:] = [usb(second, serial_number="B2"), usb(third), usb("/dev/ttyS0", vid=None)]
    assert finder.candidates() == [f"serial:{third}?baud=921600"]
    ports[:] = [usb(second, serial_number="B2")]
    assert finder.candidates() == [f"serial:{first}?baud=921600"]
