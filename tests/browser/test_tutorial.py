"""docs/tutorials/the-page.md, step by step; its pictures are taken here (SPIKEDAQ_SCREENSHOTS=1)."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from playwright.sync_api import Page, expect

from helpers.chromium import MAX_PICTURE_BYTES, RECONNECTING, Complaints, picture
from helpers.demo_page import demo
from helpers.page_frames import PageFrames, wait_until_it_moves

ROOT = Path(__file__).parents[2]
RECORD_S = 90_000
"""Milliseconds that the first block may take to reach the disk on a busy computer, and a CSV to be made."""


def test_the_tutorial_can_be_followed(page: Page, tmp_path: Path, complaints: Complaints) -> None:
    """See spikes, change the neuron, record both boards from the panel, stop, download whole files."""
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

        page.get_by_role("tab", name="Recording").click()
        page.get_by_label("Mode (neuron)").fill("bursting")
        page.get_by_label("Protocol (stimulus)").fill("spontaneous")
        name = page.get_by_test_id("session-name")
        expect(name).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d_bursting_spontaneous_1$"))
        session = name.inner_text()
        page.get_by_test_id("record-start").click()
        now = page.get_by_test_id("now")
        expect(now).to_have_attribute("data-state", "recording", timeout=RECORD_S)
        # A busy computer may have been late with the first of it.
        expect(page.get_by_text("no alarms")).to_be_visible(timeout=RECORD_S)
        expect(now).to_have_attribute("data-state", "recording", timeout=RECORD_S)
        in_the_demo = {str(data): "/home/you/spikedaq/demo-data"}
        picture(page, "page-3-recording", in_the_demo)

        page.get_by_test_id("record-stop").click()
        expect(now).to_have_attribute("data-state", "none", timeout=RECORD_S)
        row = page.get_by_test_id(f"session-{session}")
        row.locator("summary").first.click()
        for button, ending in (("download-nwb", ".zip"), ("download-csv", "_csv.zip")):
            expect(row.get_by_test_id(button)).to_be_enabled()
            with page.expect_download(timeout=RECORD_S) as download:
                row.get_by_test_id(button).click()
            assert download.value.suggested_filename == session + ending
            download.value.save_as(tmp_path / button)
        row.scroll_into_view_if_needed()
        picture(page, "page-4-download", in_the_demo)
    names = {}
    for button in ("download-nwb", "download-csv"):
        with zipfile.ZipFile(tmp_path / button) as files:
            assert files.testzip() is None
            names[button] = files.namelist()
    for device in ("alpha", "beta"):
        (file,) = data.glob(f"recordings/{session}/{device}/*.nwb")
        assert f"{session}/{device}/{file.name}" in names["download-nwb"]
        assert f"{session}_{device}.csv" in names["download-csv"]


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
    assert all(path.stat().st_size < MAX_PICTURE_BYTES for path in kept)
    assert sorted(path.name for path in kept - shown) == [], "no page shows them"
