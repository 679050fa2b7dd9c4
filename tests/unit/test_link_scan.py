"""Which ports are found, when one counts as another, and which of them a configured link stands for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from spikedaq.daemon.config import KNOWN_USB
from spikedaq.link import PortScanner, covers


def usb(device: Path | str, vid: int | None, pid: int | None, serial_number: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(
        device=str(device), vid=vid, pid=pid, serial_number=serial_number, description="n/a" if vid else "ttyS0"
    )


@pytest.mark.parametrize(
    ("vid", "pid", "known"),
    [
        (0x1A86, 0x7523, True),
        (0x0403, 0x6001, True),
        (0x10C4, 0xEA60, True),
        (0x2341, 0x0043, True),
        (0x303A, 0x1001, True),
        (0x1A86, 0x7524, False),
        (0x046D, 0xC52B, False),
        (None, None, False),
    ],
)
def test_a_port_is_told_by_its_usb_ids(tmp_path: Path, vid: int | None, pid: int | None, known: bool) -> None:
    """The defaults know the boards' bridges, and nothing else is listed."""
    found = PortScanner(lambda: [usb(tmp_path / "ttyUSB0", vid, pid)]).scan(KNOWN_USB, ())
    assert [port.url for port in found] == ([f"serial:{tmp_path}/ttyUSB0"] if known else [])


def test_ids_may_be_written_in_capitals(tmp_path: Path) -> None:
    """1A86:7523 is 1a86:7523."""
    assert PortScanner(lambda: [usb(tmp_path / "t", 0x1A86, 0x7523)]).scan(["1A86:7523"], ())


def test_another_thing_under_the_same_name_has_another_key(tmp_path: Path) -> None:
    """A replugged board, and another board at its place, are new ports; one that stays is the same."""
    port, listed = tmp_path / "ttyUSB0", [usb(tmp_path / "ttyUSB0", 0x1A86, 0x7523)]
    scanner = PortScanner(lambda: listed)

    def key() -> str:
        (found,) = scanner.scan(KNOWN_USB, ())
        return found.key

    port.touch()
    keys = [key(), key()]
    assert keys[0] == keys[1]
    other = tmp_path / "other"
    other.touch()
    other.rename(port)
    keys.append(key())
    listed[0] = usb(port, 0x10C4, 0xEA60)
    keys.append(key())
    listed[0] = usb(port, 0x10C4, 0xEA60, "A1")
    keys.append(key())
    assert len(set(keys)) == 4


def test_further_links(tmp_path: Path) -> None:
    """A pattern is every port that matches, an absent port none, a link to nowhere none, an address always itself."""
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    links = [f"pty:{tmp_path}/*?dialect=none", f"pty:{tmp_path}/a", "serial:/no/such", "tcp:127.0.0.1:9"]
    found = PortScanner(list).scan((), links)
    assert [port.url for port in found] == [
        f"pty:{tmp_path}/a?dialect=none",
        f"pty:{tmp_path}/b?dialect=none",
        "tcp:127.0.0.1:9",
    ]


def test_the_real_list_of_ports_is_read_anew_only_when_dev_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second look asks for no USB ids: that is what makes looking once a second cheap."""
    asked = []
    monkeypatch.setattr("spikedaq.link.scan.list_ports.comports", lambda: asked.append(1) or [])
    scanner = PortScanner()
    for _ in range(3):
        scanner.scan(KNOWN_USB, ())
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("url", "covered"),
    [
        ("serial:{}/ttyUSB0?baud=921600", True),
        ("serial:{}/by-id", True),
        ("pty:{}/ttyUSB0", True),
        ("fault:flip=1e-5,seed=7;serial:{}/ttyUSB0", True),
        ("serial:{}/ttyUSB*", True),
        ("serial:{}/ttyUSB1", False),
        ("serial:{}/ttyACM*", False),
        ("sim:ttyUSB0", False),
        ("tcp:127.0.0.1:9", False),
        ("replay:{}/ttyUSB0", False),
    ],
)
def test_a_configured_port_is_left_to_its_device(tmp_path: Path, url: str, covered: bool) -> None:
    """Also when it is configured under another name, by a pattern, or behind a fault."""
    (tmp_path / "ttyUSB0").touch()
    (tmp_path / "by-id").symlink_to(tmp_path / "ttyUSB0")
    assert covers(url.format(tmp_path), f"serial:{tmp_path}/ttyUSB0") == covered
    assert not covers(url.format(tmp_path), "tcp:127.0.0.1:10")


def test_an_address_covers_itself() -> None:
    """A TCP link is known by host and port."""
    assert covers("tcp:h:1?id=aabbccdd", "tcp:h:1")
