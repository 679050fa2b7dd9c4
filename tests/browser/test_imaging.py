"""The imaging simulation from the page: begun, seen, changed, recorded, fetched, and opened by other programs."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
from playwright.sync_api import BrowserContext, Page, expect
from pynwb import NWBHDF5IO

from harness import DaemonProcess
from helpers.chromium import picture, resize
from helpers.page_frames import wait_in
from helpers.page_server import PageProcess
from spikedaq.formats.imaging_csv import read_imaging_csv


def open_panel(page: Page, server: PageProcess) -> None:
    page.goto(server.address)
    page.get_by_role("tab", name="Imaging").click()
    expect(page.get_by_test_id("imaging-state")).to_be_visible()


def value(page: Page, of: str) -> float | None:
    text = page.get_by_test_id(f"imaging-{of}").get_attribute("data-value")
    return float(text) if text else None


def fetched(page: Page, end: str, folder: Path) -> Path:
    with page.expect_download() as downloading:
        page.get_by_test_id("imaging-files").get_by_role("link").filter(has_text=end).click()
    path = folder / downloading.value.suggested_filename
    downloading.value.save_as(path)
    return path


def test_from_start_to_files_that_others_open(
    page: Page, context: BrowserContext, shared_server: PageProcess, shared_bench: DaemonProcess, tmp_path: Path
) -> None:
    """F moves with the spikes of alpha; another page sees the same without a click; h5py and PyNWB read the file."""
    other = context.new_page()
    open_panel(other, shared_server)
    open_panel(page, shared_server)
    expect(page.get_by_test_id("imaging-record")).to_be_disabled()
    page.get_by_test_id("imaging-start").click()
    state = page.get_by_test_id("imaging-state")
    expect(state).to_have_attribute("data-state", "running")
    expect(other.get_by_test_id("imaging-state")).to_have_attribute("data-state", "running")
    wait_in(page, "dF/F0 of a neuron that spikes", lambda: (value(page, "dff-vm") or 0) > 20)
    assert abs(value(page, "dff-syn1") or 0) < 20, "no spike reaches the jacks"
    wait_in(page, "calcium above rest", lambda: (value(page, "ca-vm") or 0) > 0.051)

    page.get_by_label("Indicator", exact=True).select_option("GCaMP6f")
    expect(state).to_contain_text("GCaMP6f")
    expect(other.get_by_test_id("imaging-state")).to_contain_text("GCaMP6f")
    (derived,) = shared_bench.call("describe", device="alpha")["derived"]
    assert (derived["stream"], derived["settings"]["kd_um"]) == ("imaging", 0.375)

    page.get_by_text("Microscope", exact=True).click()
    rate = page.get_by_label("Frame rate")
    rate.fill("20000")
    rate.press("Enter")
    expect(page.get_by_test_id("setting-frame_rate_hz")).to_contain_text("10000")
    expect(page.get_by_test_id("setting-frame_rate_hz").get_by_role("alert")).to_be_visible()
    rate.fill("50")
    rate.press("Enter")
    expect(other.get_by_test_id("imaging-state")).to_contain_text("50 frames/s")

    page.get_by_test_id("imaging-record").click()
    stop = page.get_by_test_id("imaging-record-stop")
    expect(stop).to_be_enabled()
    expect(page.get_by_label("Indicator", exact=True)).to_be_disabled()
    files = page.get_by_test_id("imaging-files")
    expect(files).to_contain_text("being written")
    wait_in(page, "a CSV that grows", lambda: "MB" in files.inner_text())
    stop.click()
    for size in ("small", "medium", "large"):
        resize(page, size, "dark" if size == "small" else "light")
        expect(page.get_by_test_id("imaging-pane-dff")).to_be_visible()
        if size == "medium":
            picture(page, "page-imaging")
    nwb, csv = (fetched(page, end, tmp_path) for end in (".nwb", ".csv"))
    page.get_by_test_id("imaging-stop").click()
    expect(state).to_have_attribute("data-state", "off")
    expect(other.get_by_test_id("imaging-state")).to_have_attribute("data-state", "off")
    assert shared_bench.call("describe", device="alpha")["derived"] == []

    with h5py.File(nwb, "r") as file:
        steps = file["/processing/ophys/step/data"][:]
        dff = file["/processing/ophys/dff/data"][:]
        told = json.loads(file["/general/data_collection"][()])
    assert set(np.diff(steps)) == {200}, "50 frames per second of model time, none missing"
    assert dff.shape == (len(steps), 3) and dff[-1, 0] > 20
    assert told["indicator"] == "GCaMP6f" and told["settings"]["frame_rate_hz"] == 50
    with NWBHDF5IO(str(nwb), "r") as io:
        assert io.read().processing["ophys"]["fluorescence"].data.shape == dff.shape
    table = read_imaging_csv(csv)
    assert table.fluorescence.shape[1] == 3 and len(table.time_ms) > len(steps) * 190
