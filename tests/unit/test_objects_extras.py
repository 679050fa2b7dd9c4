"""Without the packages of others: everything can be imported, and what needs one names the command that installs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pytest

import spikedaq.pynn
from spikedaq.model import MissingExtraError
from spikedaq.objects import register_with_neo, to_neo, to_spikeinterface, write_block
from spikedaq.recording import Recording

FOREIGN = (
    "neo",
    "nixio",
    "quantities",
    "spikeinterface",
    "probeinterface",
    "matplotlib",
    "pandas",
    "scipy",
    "pynwb",
    "pyNN",
)


def test_importing_needs_none_of_them() -> None:
    """And loads none: a bench that only records must not wait for matplotlib."""
    code = f"""
import sys
for name in {FOREIGN!r}:
    sys.modules[name] = None
import spikedaq.objects, spikedaq.pynn
try:
    spikedaq.objects.SpikedaqIO
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True
    )
    assert "pip install 'spikedaq[neo]'" in done.stdout


@pytest.mark.parametrize(
    ("absent", "extra", "call"),
    [
        ("neo", "neo", lambda made, _: to_neo(made)),
        ("neo", "neo", lambda made, _: spikedaq.pynn.open(made).get_data()),
        ("neo.rawio", "neo", lambda _made, _: register_with_neo()),
        ("spikeinterface.core", "spikeinterface", lambda made, _: to_spikeinterface(made)),
        ("matplotlib", "analysis", lambda made, _: spikedaq.pynn.plot(to_neo(made))),
        ("nixio", "neo", lambda _, folder: write_block(neo.Block(), folder / "x.nix")),
        ("scipy.io", "analysis", lambda _, folder: write_block(neo.Block(), folder / "x.mat")),
        ("pynwb", "nwb", lambda _, folder: write_block(neo.Block(), folder / "x.nwb")),
    ],
)
def test_what_is_absent_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, absent: str, extra: str, call: Any
) -> None:
    made = Recording.from_numpy(np.ones((5, 2)), 1000.0)
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'spikedaq\[{extra}\]'"):
        call(made, tmp_path)
    assert list(tmp_path.iterdir()) == []
