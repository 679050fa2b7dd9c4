"""The page about the configuration says what the code does, and its example can be used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from spikedaq.daemon import load_config

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^( *)```toml\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(found[2], id=f"{page.name}-{number}")
    for page in sorted(ROOT.glob("docs/**/*.md"))
    for number, found in enumerate(FENCE.finditer(page.read_text("utf-8")), start=1)
]


def test_the_page_is_current() -> None:
    """It is what the generator makes of the descriptions in config.py: else run `make configuration-docs`."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "configuration_docs.py"), "--check"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_the_example_can_be_used() -> None:
    """All keys of the example are known and mean something."""
    config = load_config(ROOT / "docs" / "reference" / "spikedaq.toml")
    assert [device.name for device in config.devices] == ["left", "right", "old", "practice"]
    assert config.data == ROOT / "docs" / "reference" / "data"
    assert config.devices[0].parameters == {"preset": 0, "i_clamp": 15}
    assert not config.adopts


@pytest.mark.parametrize("block", BLOCKS)
def test_every_configuration_in_the_docs_can_be_used(tmp_path: Path, block: str) -> None:
    path = tmp_path / "spikedaq.toml"
    path.write_text(textwrap.dedent(block))
    load_config(path)


def test_there_are_configurations_in_the_docs() -> None:
    """The pattern that finds them finds them."""
    assert len(BLOCKS) >= 7
