"""The Recording panel: record, note, stop, verify, download, and what is refused; other programs open the files."""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pynwb
import pytest
from playwright.sync_api import Page, expect

from harness import START_S, DaemonProcess, wait_for
from helpers.page_server import BenchMaker, PageProcess, ServerMaker

RECORD_S = 90_000
"""Milliseconds that the first block of a recording may take to reach the disk on a busy computer."""
SCRIPT = "<img src=x onerror=window.hacked=1>"
ALPHA = {"alpha": "sim:alpha?preset=0&param.i_clamp=15&seed=1&rate=2000"}
BOTH = {**ALPHA, "beta": "sim:beta?preset=2&param.i_clamp=15&seed=2&rate=2000"}
ENDED = ("complete", "interrupted")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A bench with alpha and beta, and with a folder for recordings that nobody can write."""
    data = tmp_path_factory.mktemp("lab") / "data"
    with DaemonProcess(data, BOTH, bench="lab", config='[recording]\nfolders = ["/sys/kernel"]\n') as bench:
        wait_for("its boards", lambda: {one["state"] for one in bench.call("list")} == {"running"}, START_S)
        yield bench


@pytest.fixture(scope="module")
def server(lab: DaemonProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageProcess]:
    """Its page."""
    with PageProcess([lab.url], tmp_path_factory.mktemp("scope") / "scope.log") as running:
        yield running


@pytest.fixture
def bench(lab: DaemonProcess) -> Iterator[DaemonProcess]:
    """The bench of this file; it records nothing before and after each test."""
    yield lab
    status = lab.call("record_status")
    if status is not None and status["state"] not in ENDED:
        lab.call("record_stop", session=None, timeout_s=60)


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


def leave_out(page: Page, device: str) -> None:
    page.get_by_test_id(f"device-{device}").uncheck()


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
    page: Page, bench: DaemonProcess, server: PageProcess, tmp_path: Path
) -> None:
    """One device from the button to files that h5py, pynwb and a spreadsheet open, alike sample for sample."""
    open_panel(page, server)
    session = give_name(page)
    assert session.endswith("_tonic_none_1")
    leave_out(page, "beta")
    page.get_by_test_id("record-notes").fill(SCRIPT)
    record(page)
    page.get_by_test_id("note-text").fill(SCRIPT)
    page.get_by_test_id("note-add").click()
    expect(page.get_by_test_id("note-done")).to_have_text("noted in the files")
    status = bench.call("record_status")
    assert status["session"] == session
    stop(page)
    row = opened_row(page, session)
    expect(row.get_by_text(SCRIPT)).to_be_visible()
    assert page.locator("img").count() == 0, "what people wrote is text"
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
    page: Page, bench: DaemonProcess, server: PageProcess, tmp_path: Path
) -> None:
    """Whole, in its folders, and `testzip` finds every CRC right; a second page sees the recording by itself."""
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
        wanted = {str(path.relative_to(folder)) for path in folder.glob(f"{session}/*/*.nwb")}
        assert len(wanted) == 2
        names = set(files.namelist())
        assert names == wanted | {f"{session}/session.json", *(f"{session}/{d}/manifest.json" for d in BOTH)}
        assert all(files.read(name) == (folder / name).read_bytes() for name in wanted)


def test_what_cannot_be_is_said_before_record_can_be_pressed(
    page: Page, bench: DaemonProcess, server: PageProcess
) -> None:
    """Special characters in a name, and a folder that cannot be written."""
    before = list(bench.data.glob("recordings/*"))
    open_panel(page, server)
    start = page.get_by_test_id("record-start")
    expect(start).to_be_disabled()
    page.get_by_test_id("name-protocol").fill("none")
    for bad, reason in (("a/b", "'/' in it"), ("../x", "in it"), ("a_b", "'_' in it"), ("µ", "in it")):
        page.get_by_test_id("name-mode").fill(bad)
        expect(page.get_by_test_id("name-mode-wrong")).to_contain_text(reason)
        expect(start).to_be_disabled()
    give_name(page)
    expect(start).to_be_enabled()
    # Until the server has said what the session is called now, it would be the name from before the last letter.
    page.get_by_test_id("name-mode").press("x")
    expect(start).to_be_disabled(timeout=250)
    expect(page.get_by_test_id("session-name")).to_have_attribute("data-name", re.compile("_xtonic_none_"))
    expect(start).to_be_enabled()
    page.get_by_test_id("folder-choose").click()
    browser = page.get_by_test_id("folder-browser")
    browser.get_by_role("button", name="All roots").click()
    browser.get_by_role("button", name="/sys/kernel/").click()
    expect(page.get_by_test_id("browser-why-not")).to_be_visible()
    expect(page.get_by_test_id("folder-use")).to_be_disabled()
    assert list(bench.data.glob("recordings/*")) == before


def prepare_trial(page: Page, mode: str, seconds: str) -> str:
    """Choose a sine in the panel beside, and so much before and after it; return the session's name."""
    page.get_by_role("tab", name="Stimulus").click()
    page.get_by_test_id("stimulus-generator").select_option("sine")
    page.get_by_role("tab", name="Recording").click()
    page.get_by_test_id("trial-baseline").fill(seconds)
    page.get_by_test_id("trial-after").fill(seconds)
    return give_name(page, mode, "sine")


def test_a_trial_with_one_button(page: Page, bench: DaemonProcess, server: PageProcess) -> None:
    """Baseline, the stimulus of the panel beside, tail, stop; what was played is what was wanted."""
    open_panel(page, server)
    session = prepare_trial(page, "trial", "0.5")
    page.get_by_test_id("trial-start").click()
    trial = page.get_by_test_id("trial")
    expect(trial).to_have_attribute("data-state", "running")
    expect(trial).to_have_attribute("data-state", "done", timeout=2 * RECORD_S)
    expect(page.get_by_test_id("trial-result")).to_contain_text("the stimulus began at step")
    assert bench.call("record_status")["session"] == session
    assert bench.call("record_status")["state"] == "complete"


def test_a_trial_that_is_aborted_keeps_what_it_has(page: Page, bench: DaemonProcess, server: PageProcess) -> None:
    """In the middle of its baseline: the stimulus never plays, the recording is closed in order."""
    open_panel(page, server)
    session = prepare_trial(page, "aborted", "600")
    page.get_by_test_id("trial-start").click()
    trial = page.get_by_test_id("trial")
    expect(trial).to_have_attribute("data-phase", "baseline", timeout=RECORD_S)
    expect(page.get_by_test_id("record-start")).to_be_disabled()
    page.get_by_test_id("trial-abort").click()
    expect(trial).to_have_attribute("data-state", "aborted", timeout=RECORD_S)
    expect(page.get_by_test_id("now")).to_have_attribute("data-state", "none")
    status = bench.call("record_status")
    assert (status["session"], status["state"]) == (session, "complete")
    assert bench.call("status")["devices"][0]["stimulus"] is None
    (file,) = bench.data.glob(f"recordings/{session}/alpha/*.nwb")
    with h5py.File(file) as opened:
        assert len(opened["acquisition/vm/data"]) > 0


def test_triggers_are_defined_armed_fired_and_forgotten(page: Page, bench: DaemonProcess, server: PageProcess) -> None:
    """From the panel alone; a name that cannot be is refused before anything is sent."""
    open_panel(page, server)
    page.get_by_test_id("group-triggers").locator("summary").first.click()
    page.get_by_text("New trigger on alpha").click()
    page.get_by_test_id("trigger-name").fill("../hot")
    page.get_by_test_id("trigger-define").click()
    expect(page.get_by_test_id("trigger-name-wrong")).to_contain_text("use letters, digits")
    assert bench.call("trigger_list") == []
    page.get_by_test_id("trigger-name").fill("hot")
    page.get_by_test_id("trigger-define").click()
    trigger = page.get_by_test_id("trigger-hot")
    expect(trigger).to_have_attribute("data-state", "armed")
    expect(trigger).to_contain_text("vm rising through -30")
    expect(trigger).not_to_have_attribute("data-firings", "0")

    page.get_by_test_id("trigger_disarm-hot").click()
    expect(trigger).to_have_attribute("data-state", "disarmed")
    expect(page.get_by_test_id("trigger_fire-hot")).to_have_count(0)
    firings = bench.call("trigger_list")[0]["firings"]
    page.get_by_test_id("trigger_arm-hot").click()
    page.get_by_test_id("trigger_fire-hot").click()
    wait_for("a firing", lambda: bench.call("trigger_list")[0]["firings"] > firings)
    page.get_by_test_id("trigger_disarm-hot").click()
    page.get_by_role("button", name="Forget").click()
    expect(trigger).to_have_count(0)
    assert bench.call("trigger_list") == []


def test_a_csv_that_is_cancelled_does_not_come(page: Page, bench: DaemonProcess, server: PageProcess) -> None:
    """Nor is it an error; asked for again it comes, also while another panel is looked at."""
    bench.call("record_start", session="cancelled", devices=["alpha"], timeout_s=60)
    bench.call("record_stop", session="cancelled", timeout_s=60)
    open_panel(page, server)
    downloads: list[str] = []
    page.on("download", lambda download: downloads.append(download.suggested_filename))
    row = opened_row(page, "cancelled")
    row.get_by_test_id("download-csv").click()
    row.get_by_test_id("csv-cancel").click()
    expect(row.get_by_test_id("csv-progress")).to_have_count(0)
    expect(row.get_by_test_id("csv-error")).to_have_count(0)
    with page.expect_download(timeout=RECORD_S) as coming:
        row.get_by_test_id("download-csv").click()
        page.get_by_role("tab", name="Neuron").click()
    assert coming.value.suggested_filename == "cancelled_alpha.csv"
    page.get_by_role("tab", name="Recording").click()
    row = opened_row(page, "cancelled")
    expect(row.get_by_test_id("csv-files")).to_contain_text("cancelled_alpha.csv")
    assert downloads == ["cancelled_alpha.csv"]


def test_a_viewer_looks_and_changes_nothing(page: Page, bench: DaemonProcess, make_server: ServerMaker) -> None:
    server = make_server(bench, tokens=True)
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
