"""The Recording panel: record, note, stop, verify, download, and what is refused; other programs open the files."""

from __future__ import annotations

import csv
import re
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pynwb
from playwright.sync_api import Page, expect

from harness import DaemonProcess, wait_for
from helpers.chromium import picture
from helpers.page_server import BenchMaker, PageProcess, ServerMaker

RECORD_S = 90_000
"""Milliseconds that the first block of a recording may take to reach the disk on a busy computer."""
SCRIPT = "<img src=x onerror=window.hacked=1>"
ALPHA = {"alpha": "sim:alpha?preset=0&param.i_clamp=15&seed=1&rate=2000"}
BOTH = {**ALPHA, "beta": "sim:beta?preset=2&param.i_clamp=15&seed=2&rate=2000"}


def open_panel(page: Page, server: PageProcess, token: str = "") -> None:
    page.goto(f"{server.address}?token={token}" if token else server.address)
    page.get_by_role("tab", name="Recording").click()
    expect(page.get_by_test_id("now")).to_be_visible()


def give_name(page: Page, mode: str = "tonic", protocol: str = "none") -> str:
    """Fill in what a name needs; return the name."""
    page.get_by_test_id("name-mode").fill(mode)
    page.get_by_test_id("name-protocol").fill(protocol)
    name = page.get_by_test_id("session-name")
    expect(name).to_have_attribute("data-name", re.compile(rf"_{mode}_{protocol}_\d+$"))
    return str(name.get_attribute("data-name"))


def record(page: Page) -> None:
    page.get_by_test_id("record-start").click()
    expect(page.get_by_test_id("now")).to_have_attribute("data-state", "recording", timeout=RECORD_S)


def stop(page: Page) -> None:
    page.get_by_test_id("record-stop").click()
    expect(page.get_by_test_id("now")).to_have_attribute("data-state", "none", timeout=RECORD_S)


def opened_row(page: Page, session: str) -> Any:
    row = page.get_by_test_id(f"session-{session}")
    row.locator("summary").first.click()
    return row


def downloaded(page: Page, row: Any, button: str, folder: Path) -> Path:
    with page.expect_download(timeout=RECORD_S) as download:
        row.get_by_test_id(button).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_record_note_stop_verify_download(
    page: Page, make_bench: BenchMaker, make_server: ServerMaker, tmp_path: Path
) -> None:
    """One device from the button to files that h5py, pynwb and a spreadsheet open, alike sample for sample."""
    bench = make_bench("lab", ALPHA)
    open_panel(page, make_server(bench))
    session = give_name(page)
    assert session.endswith("_tonic_none_1")
    record(page)
    page.get_by_test_id("note-text").fill(SCRIPT)
    page.get_by_test_id("note-add").click()
    expect(page.get_by_test_id("note-done")).to_have_text("noted in the files")
    status = bench.call("record_status")
    assert status["session"] == session
    picture(page, "recording-panel")
    stop(page)
    row = opened_row(page, session)
    row.get_by_test_id("verify").click()
    expect(row).to_have_attribute("data-verified", "good", timeout=RECORD_S)

    nwb = downloaded(page, row, "download-nwb", tmp_path)
    (original,) = bench.data.glob(f"recordings/{session}/alpha/*.nwb")
    assert nwb.name == original.name
    assert nwb.read_bytes() == original.read_bytes()
    with h5py.File(nwb) as file:
        assert SCRIPT in [text.decode() for text in file["events/notes/annotation"][:]]
    with pynwb.NWBHDF5IO(str(nwb), "r") as io:
        vm = io.read().acquisition["vm"]
        vm_mv = np.asarray(vm.data[:]) * vm.conversion * 1e3
    table = downloaded(page, row, "download-csv", tmp_path)
    assert table.name == f"{session}_alpha.csv"
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(vm_mv) > 1000
    got = np.array([float(row["Spikeling Vm (mV)"]) for row in rows])
    # The CSV shows 30.0 on each step at or above -30 mV, as the stock software does.
    assert np.array_equal(got, np.where(np.round(vm_mv, 2) >= -30, 30.0, np.round(vm_mv, 2)))
    assert page.evaluate("window.hacked") is None
    assert give_name(page).endswith("_tonic_none_2"), "the next run is suggested by itself"


def test_a_session_of_two_devices_comes_as_an_archive(
    page: Page, make_bench: BenchMaker, make_server: ServerMaker, tmp_path: Path
) -> None:
    """Whole, in its folders, and `testzip` finds every CRC right; a second page sees the recording by itself."""
    bench = make_bench("lab", BOTH)
    server = make_server(bench)
    open_panel(page, server)
    other = page.context.new_page()
    open_panel(other, server)
    session = give_name(page, "bursting", "none")
    record(page)
    expect(other.get_by_test_id("now-session")).to_have_text(session)
    stop(page)
    expect(other.get_by_test_id("now")).to_have_attribute("data-state", "none", timeout=RECORD_S)
    row = opened_row(other, session)
    archive = downloaded(other, row, "download-nwb", tmp_path)
    assert archive.name == f"{session}.zip"
    with zipfile.ZipFile(archive) as files:
        assert files.testzip() is None
        folder = bench.data / "recordings"
        wanted = {str(path.relative_to(folder)) for path in folder.rglob("*.nwb")}
        assert len(wanted) == 2
        names = set(files.namelist())
        assert names == wanted | {f"{session}/session.json", *(f"{session}/{d}/manifest.json" for d in BOTH)}
        assert all(files.read(name) == (folder / name).read_bytes() for name in wanted)


def test_what_cannot_be_is_said_before_record_can_be_pressed(
    page: Page, make_bench: BenchMaker, make_server: ServerMaker
) -> None:
    """Special characters in a name, and a folder that cannot be written."""
    bench = make_bench("lab", ALPHA, config='[recording]\nfolders = ["/sys/kernel"]\n')
    open_panel(page, make_server(bench))
    start = page.get_by_test_id("record-start")
    expect(start).to_be_disabled()
    page.get_by_test_id("name-protocol").fill("none")
    for bad, reason in (("a/b", "'/' in it"), ("../x", "in it"), ("a_b", "'_' in it"), ("µ", "in it")):
        page.get_by_test_id("name-mode").fill(bad)
        expect(page.get_by_test_id("name-mode-wrong")).to_contain_text(reason)
        expect(start).to_be_disabled()
    give_name(page)
    expect(start).to_be_enabled()
    page.get_by_test_id("folder-choose").click()
    browser = page.get_by_test_id("folder-browser")
    browser.get_by_role("button", name="All roots").click()
    browser.get_by_role("button", name="/sys/kernel/").click()
    expect(page.get_by_test_id("browser-why-not")).to_be_visible()
    expect(page.get_by_test_id("folder-use")).to_be_disabled()
    assert not list(bench.data.glob("recordings/*"))


def test_a_trial_with_one_button(page: Page, make_bench: BenchMaker, make_server: ServerMaker) -> None:
    """Baseline, the stimulus of the panel beside, tail, stop; what was played is what was wanted."""
    bench = make_bench("lab", ALPHA)
    open_panel(page, make_server(bench))
    page.get_by_role("tab", name="Stimulus").click()
    page.get_by_test_id("stimulus-generator").select_option("sine")
    page.get_by_role("tab", name="Recording").click()
    page.get_by_test_id("trial-baseline").fill("0.5")
    page.get_by_test_id("trial-after").fill("0.5")
    session = give_name(page, "tonic", "sine")
    page.get_by_test_id("trial-start").click()
    trial = page.get_by_test_id("trial")
    expect(trial).to_have_attribute("data-state", "running")
    expect(trial).to_have_attribute("data-state", "done", timeout=2 * RECORD_S)
    expect(page.get_by_test_id("trial-result")).to_contain_text("the stimulus began at step")
    assert bench.call("record_status")["session"] == session
    assert bench.call("record_status")["state"] == "complete"


def test_a_viewer_looks_and_changes_nothing(page: Page, make_bench: BenchMaker, make_server: ServerMaker) -> None:
    server = make_server(make_bench("lab", ALPHA), tokens=True)
    open_panel(page, server, str(server.viewer_token))
    expect(page.get_by_test_id("record-lock")).to_contain_text("you may watch, not change")
    for hook in ("record-start", "trial-start", "note-text", "name-mode"):
        expect(page.get_by_test_id(hook)).to_be_disabled()


def test_downloads_by_plain_http(page: Page, make_bench: BenchMaker, make_server: ServerMaker) -> None:
    """Whole and in ranges; of a file that was deleted meanwhile, and of a daemon that has gone, an answer in words."""
    bench = make_bench("lab", ALPHA)
    server = make_server(bench)
    bench.call("record_start", session="s", timeout_s=60)
    wait_for("samples on disk", lambda: _rows(bench) > 2000, 60)
    bench.call("record_stop", session="s", timeout_s=60)
    (original,) = bench.data.glob("recordings/s/alpha/*.nwb")
    content = original.read_bytes()
    query = f"api/recordings/file?bench=lab&session=s&device=alpha&name={original.name}"
    status, headers, body = server.get(query)
    assert (status, body, headers["accept-ranges"]) == (200, content, "bytes")
    tag = headers["etag"]
    status, headers, part = server.get(query, headers={"Range": "bytes=100-199", "If-Range": tag})
    assert (status, part, headers["content-range"]) == (206, content[100:200], f"bytes 100-199/{len(content)}")
    assert server.get(query, headers={"Range": "bytes=100-199", "If-Range": '"other"'})[2] == content
    assert server.get(query, headers={"Range": f"bytes={len(content)}-"})[0] == 416
    for name in ("../session.json", "..", "a/b", "/etc/passwd", "%00"):
        assert server.get(f"api/recordings/file?bench=lab&session=s&device=alpha&name={name}")[0] in (400, 404), name
    original.unlink()
    assert server.get(query)[0] == 404
    bench.kill()
    status, _, text = server.get(query)
    assert status in (404, 504)
    assert b"did not answer" in text or b"no bench" in text
    assert "Traceback" not in server.log()


def _rows(bench: DaemonProcess) -> int:
    status = bench.call("record_status")
    return 0 if status is None else min(d["rows_on_disk"] for d in status["devices"].values())
