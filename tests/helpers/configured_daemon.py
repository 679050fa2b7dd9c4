"""A daemon with a configuration file, a metrics port, and surroundings of the test's choice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from harness import DaemonProcess, wait_for

START_S = 90.0
"""For a computer on which everything else runs as well."""


class ConfiguredDaemon(DaemonProcess):
    """Devices are in the file rather than on the command line.

    Parameters
    ----------
    config : str
        More of the file, after the devices.
    top : str
        More of the file, before any table.
    """

    def __init__(self, data: Path, devices: dict[str, str], *, config: str = "", top: str = "") -> None:
        super().__init__(data, devices)
        self.config_path = data.parent / f"{data.name}.toml"
        self.config, self.top = config, top
        self.environment: dict[str, str] = {}
        self.write_config()

    def write_config(self) -> None:
        """Write the file from ``top``, ``devices`` and ``config``."""
        lines = [self.top]
        for name, url in self.devices.items():
            lines += ["[[device]]", f'name = "{name}"', f"url = '{url}'"]
        self.config_path.write_text("\n".join([*lines, self.config, ""]))

    def arguments(self) -> list[str]:
        """Say where the file is, and nothing about devices."""
        devices, self.devices = self.devices, {}
        try:
            return [*super().arguments(), "--config", str(self.config_path)]
        finally:
            self.devices = devices

    def start(self, *, wait: bool = True) -> None:
        """Start it in its surroundings."""
        command = [sys.executable, "-m", "spikedaq.cli.daemon", *self.arguments()]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **self.environment})
        if wait:
            try:
                wait_for("the daemon to answer", lambda: self.call("hello"), START_S)
            except AssertionError:
                self.kill()
                raise

    # ---- what it says ----

    @property
    def pid(self) -> int:
        """Its process."""
        assert self.process is not None
        return self.process.pid

    def alarms(self) -> dict[str, dict[str, object]]:
        """Return the standing alarms by kind."""
        return {str(alarm["kind"]): alarm for alarm in self.call("alarms")["alarms"]}

    def running(self, *names: str) -> None:
        """Wait until devices stream."""
        for name in names or tuple(self.devices):
            wait_for(f"{name} to stream", lambda n=name: self.device(n)["samples"] > 0, START_S)

    def device(self, name: str) -> dict[str, object]:
        """Return a device's status."""
        return next(entry for entry in self.call("status")["devices"] if entry["name"] == name)

    def alarm_after(self, kinds: tuple[str, ...], since_s: float, timeout_s: float = 30.0) -> tuple[float, str]:
        """Wait for any of some alarms; return seconds from ``since_s`` (time.monotonic) until it was raised, and which.

        The time is the daemon's: when we come to ask is another matter on a busy computer.
        """

        def raised() -> object:
            found = self.alarms()
            return next((kind for kind in kinds if kind in found), None)

        kind = str(wait_for(f"an alarm of {' or '.join(kinds)}", raised, timeout_s))
        age_s = float(self.alarms().get(kind, {"age_s": 0.0})["age_s"])
        return time.monotonic() - age_s - since_s, kind

    def metrics(self) -> dict[str, float]:
        """Scrape it: values by name with labels."""
        url = self.call("status")["metrics"]
        with urllib.request.urlopen(str(url), timeout=10) as response:
            lines = response.read().decode().splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}
