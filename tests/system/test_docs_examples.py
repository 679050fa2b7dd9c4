"""Python in README and docs runs as written, and links in them lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.formats_recordings import Maker, spiking

ROOT = Path(__file__).parents[2]
# Pages whose examples need a recording and nothing else; test_closed_loop.py, test_pynn_live.py and
# test_library_daemon.py do theirs, which need a daemon.
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/how-to/*.md"), *ROOT.glob("docs/tutorials/*.md")])
PAGES.append(ROOT / "docs" / "reference" / "recording.md")
PAGES.remove(ROOT / "docs" / "how-to" / "closed-loop.md")
PAGES.remove(ROOT / "docs" / "how-to" / "run-a-bench-like-a-simulation.md")  # test_pynn_live.py
PAGES.remove(ROOT / "docs" / "how-to" / "fetch-recordings.md")
PAGES.remove(ROOT / "docs" / "how-to" / "from-the-lab-to-a-figure.md")  # test_lab_to_figure.py
EVERY_PAGE = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "protocol" / "README.md"])
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def examples():
    for page in PAGES:
        for number, found in enumerate(FENCE.finditer(page.read_text("utf-8")), start=1):
            yield pytest.param(found[1], id=f"{page.relative_to(ROOT)}-{number}")


def anchors(page):
    """What a heading can be linked by."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder as the tutorial leaves it: two rolled files of one device."""
    folder = tmp_path_factory.mktemp("docs")
    maker = Maker(folder / "my-data" / "recordings" / "first-try", session="first-try")
    maker.open().samples(0, spiking(20000)).gap(20000, 100).samples(20100, spiking(9900)).close()
    maker.open().samples(30000, spiking(5000)).close("session stopped")
    return folder


@pytest.mark.parametrize("code", list(examples()))
def test_an_example_runs_as_written(folder, code):
    """In a fresh interpreter, in the folder that holds my-data."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), "an example that shows nothing shows nothing"


def test_there_are_examples():
    """The pattern that finds them finds some."""
    assert len(list(examples())) >= 6


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Every relative link names a file of the repository, and every part of a page a heading of it."""
    for target in LINK.findall(page.read_text("utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        name, _, part = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), f"{page.relative_to(ROOT)} links to {target}"
        if part:
            assert part in anchors(linked), f"{page.relative_to(ROOT)} links to {target}"
