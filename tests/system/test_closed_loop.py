"""docs/how-to/closed-loop.md, done from top to bottom as it is written."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from harness import DaemonProcess, wait_for
from spikedaq.journal import JournalReader, RequestRecord

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "closed-loop.md"
FENCE = re.compile(r"^```(toml|sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class PageDaemon(DaemonProcess):
    """With the page's configuration, on ports of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "my-data", {})
        self.config = folder / "spikedaq.toml"

    def arguments(self) -> list[str]:
        return ["--config", str(self.config), *super().arguments()]


@pytest.mark.slow
def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    """Every command succeeds, the rate swings between the bounds, beta is driven, and the file has the epochs."""
    daemon = PageDaemon(tmp_path)
    said: list[str] = []
    env = {**os.environ, "SPIKEDAQ_URL": daemon.url, "PYTHONPATH": os.pathsep.join(sys.path)}

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *words], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, (words, done.stderr)
        said.append(done.stdout)
        return done.stdout

    def firings(name: str) -> int:
        listed = daemon.call("trigger_list")
        assert isinstance(listed, list)
        return next(t["firings"] for t in listed if t["name"] == name)

    try:
        for kind, code in FENCE.findall(PAGE.read_text("utf-8")):
            if kind == "toml":
                daemon.config.write_text(code)
            elif kind == "python":
                assert run("-c", code).strip(), "an example that shows nothing shows nothing"
            elif code.startswith("spikedaqd"):
                daemon.start()
                wait_for("both devices", lambda: all(d["state"] == "running" for d in daemon.call("list")))
                wait_for("the loop to turn", lambda: firings("too-fast") >= 2 and firings("too-slow") >= 2)
            else:
                for line in code.splitlines():
                    run("-m", "spikedaq.cli", *shlex.split(line)[1:])
        listed = {t["name"]: t for t in daemon.call("trigger_list")}  # type: ignore[union-attr,attr-defined]
        for name in ("too-fast", "too-slow"):
            commands = listed[name]["commands"]
            assert commands["done"] >= listed[name]["firings"] - 1 and not commands["failed"], (name, commands)
        assert listed["drive"]["commands"]["done"]
        assert daemon.call("get", device="beta", name="i_clamp")["value"] == 10  # type: ignore[index]
        assert daemon.stop() == 0
    finally:
        if daemon.process is not None and daemon.process.poll() is None:
            daemon.kill()
    epochs = said[-1]
    assert epochs.count("too-fast on step") and epochs.count("too-slow on step"), epochs
    reader, origins = JournalReader(tmp_path / "my-data" / "journal" / "beta"), set()
    while entries := reader.poll():
        origins |= {entry.item.origin for entry in entries if isinstance(entry.item, RequestRecord)}
    assert "trigger drive" in origins
