"""What a service manager is told: datagrams as sd_notify(3) describes them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from spikedaq.daemon.service_manager import ServiceManager


@pytest.fixture
def manager(tmp_path: Path) -> socket.socket:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield listener


def heard(listener: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(listener.recv(4096).decode())
        except BlockingIOError:
            return found


def test_without_a_service_manager_nothing_is_sent_and_nothing_fails() -> None:
    quiet = ServiceManager({})
    quiet.ready()
    quiet.alive(1.0)
    quiet.status("x")
    quiet.close()
    assert quiet.watchdog_s is None


def test_each_state_is_one_datagram(manager: socket.socket) -> None:
    told = ServiceManager({"NOTIFY_SOCKET": manager.getsockname()})
    told.ready()
    told.status("2 of 2 devices run\nnothing else")
    told.status("2 of 2 devices run nothing else")
    told.reloading()
    told.stopping()
    ready, status, reloading, stopping = heard(manager)
    assert (ready, status, stopping) == ("READY=1", "STATUS=2 of 2 devices run nothing else", "STOPPING=1")
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    told.close()


def test_signs_of_life_come_three_times_a_period(manager: socket.socket) -> None:
    told = ServiceManager({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "3000000"})
    assert told.watchdog_s == 3.0
    for tick in range(41):  # 10 s, four times a second
        told.alive(tick * 0.25)
    assert heard(manager) == ["WATCHDOG=1"] * 11
    told.close()


@pytest.mark.parametrize("usec", ["", "0", "-5", "soon"])
def test_no_watchdog_without_a_period(usec: str) -> None:
    assert ServiceManager({"WATCHDOG_USEC": usec}).watchdog_s is None


def test_another_process_watchdog_is_not_ours() -> None:
    assert ServiceManager({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog_s is None
    assert ServiceManager({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": str(os.getpid())}).watchdog_s == 1.0


def test_children_inherit_nothing_to_speak_with(manager: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    ServiceManager(environment).close()
    assert environment == {"HOME": "/"}


def test_a_manager_that_went_or_does_not_read_holds_up_nobody(manager: socket.socket) -> None:
    told = ServiceManager({"NOTIFY_SOCKET": manager.getsockname()})
    for n in range(10_000):
        told.status(str(n))
    manager.close()
    told.ready()
    told.close()
    told.ready()


def test_the_abstract_namespace_and_unknown_addresses() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = f"spikedaq-test-{os.getpid()}"
        listener.bind("\0" + name)
        told = ServiceManager({"NOTIFY_SOCKET": "@" + name})
        told.ready()
        assert listener.recv(100) == b"READY=1"
        told.close()
    ServiceManager({"NOTIFY_SOCKET": "vsock:2:1234"}).ready()
