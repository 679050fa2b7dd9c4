"""docs/how-to/from-the-lab-to-a-figure.md, block after block, on a recording that its own first block makes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import spikeinterface.core as si
from PIL import Image

from harness import DaemonProcess, wait_for
from spikedaq.interchange import load_spikedata_from_nwb

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "from-the-lab-to-a-figure.md").read_text("utf-8")
VIRTUAL = re.search(r"--device alpha='(.*)'", PAGE)[1]  # type: ignore[index]
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_page_runs_as_written(tmp_path: Path) -> None:
    """Five steps of current give a figure that is no empty paper, and files that hold its spikes."""
    with DaemonProcess(tmp_path / "my-data", {"alpha": VIRTUAL}) as daemon:
        wait_for("the device to run", lambda: daemon.call("list")[0]["state"] == "running", 60)
        environment = {**os.environ, "SPIKEDAQ_URL": daemon.url, "PYTHONPATH": os.pathsep.join(sys.path)}
        said = []
        for language, code in BLOCKS:
            commands = (
                [[sys.executable, "-W", "ignore", "-c", code]]
                if language == "python"
                else [[sys.executable, "-m", "spikedaq.cli", *shlex.split(line)[1:]] for line in code.splitlines()]
            )
            for command in commands:
                done = subprocess.run(
                    command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
                )
                assert done.returncode == 0, f"{command[-1]}: {done.stdout} {done.stderr}"
                said.append(done.stdout)
    assert [language for language, _ in BLOCKS] == ["sh", "sh", "python", "python", "sh"]
    counted = next(int(text.split()[-2]) for text in said if text.endswith(" spikes\n"))
    assert counted > 20
    assert si.load(tmp_path / "figure-binary").get_num_channels() == 8
    found = load_spikedata_from_nwb(str(tmp_path / "figure-units.nwb"))
    assert sum(len(times) for times in found.trains) == counted
    with Image.open(tmp_path / "figure.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("L").resize((160, 120))))) > 20
