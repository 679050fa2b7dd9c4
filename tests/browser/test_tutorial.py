"""docs/tutorials/the-page.md, step by step; its pictures are taken here (SPIKEDAQ_SCREENSHOTS=1)."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from helpers.chromium import RECONNECTING, Complaints, picture
from helpers.demo_page import demo
from helpers.page_frames import PageFrames, wait_until_it_moves

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs/tutorials/the-page.md"


def test_the_tutorial_can_be_followed(page: Page, tmp_path: Path, complaints: Complaints) -> None:
    """See spikes, change the neuron, record on both boards, stop, and find whole files."""
    complaints.expect(RECONNECTING)
    data = tmp_path / "data"
    with demo(data, "--no-record") as (_, address, _):
        frames = PageFrames(page)
        page.goto(address)
        wait_until_it_moves(page)
        frames.wait_for_live(page, "alpha")
        picture(page, "page-1-scope")

        page.get_by_label("Preset").select_option(label="2: Tonic bursting")
        expect(page.get_by_label("Preset")).to_have_value("2")
        wait_until_it_moves(page)
        picture(page, "page-2-bursts")

        page.get_by_role("link", name="Overview").click()
        alpha = page.get_by_test_id("tile-demo-alpha")
        expect(alpha.get_by_test_id("spike-rate")).to_contain_text("spikes/s")
        page.get_by_label("Session of the class").fill("first-try")
        page.get_by_test_id("start-all").click()
        result = page.get_by_test_id("class-result")
        expect(result).to_contain_text("session first-try is being recorded")
        expect(alpha.get_by_test_id("recording")).to_be_visible()
        picture(page, "page-3-recording")

        page.get_by_test_id("stop-all").click()
        expect(result).to_contain_text("session first-try is complete")
        expect(result).to_contain_text(re.compile(r"demo/alpha: [1-9]\d* samples"))
        picture(page, "page-4-stopped")
    for device in ("alpha", "beta"):
        assert list(data.glob(f"recordings/first-try/{device}/*.nwb"))


def test_every_picture_of_the_docs_is_there() -> None:
    """And each that is there is small, and shown somewhere."""
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    shown = {
        (page.parent / path).resolve()
        for page in pages
        for path in re.findall(r"!\[[^\]]*\]\(([^)]+\.png)\)", page.read_text("utf-8"))
    }
    missing = [str(path) for path in shown if not path.exists()]
    assert missing == [], "make screenshots takes them"
    kept = set((ROOT / "docs/images").glob("*.png"))
    assert all(path.stat().st_size < 150_000 for path in kept)
