"""The analysis page: what it says of a recording is what `spikedaq spikes` says, and what it saves can be used."""

from __future__ import annotations

import http.client
import json
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from harness import DaemonProcess
from helpers.chromium import Complaints, fits_every_screen
from helpers.page_server import PageProcess
from spikedaq.cli.main import main
from spikedaq.formats import export_csv

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from library_server import make_real_session

SESSION = "analysis-steps"
REFUSED = r"Failed to load resource: the server responded with a status of 4\d\d"


def steps_and_spikes() -> np.ndarray:
    """Ten loops of 400 ms of model time: rests of 60 ms, steps of 10, 20 and 30 % of 60 ms with more and more spikes.

    A spike rises from -60 mV over -35 mV to 30 mV; before it a hump up to -45 mV, which is none.
    """
    rows = np.zeros((40_000, 8), np.int16)
    rows[:, 0] = -6500
    for loop in range(10):
        rows[loop * 4000 : loop * 4000 + 10, 7] = 1
        for k, (level, n_spikes) in enumerate(((10, 0), (20, 3), (30, 6))):
            onset = loop * 4000 + 600 + 1200 * k
            rows[onset : onset + 600, 1] = level
            rows[onset : onset + 600, 2] = level * 100
            for spike in range(n_spikes):
                at = onset + 20 + 95 * spike + loop
                rows[at - 8 : at, 0] = np.linspace(-6000, -3500, 8)
                rows[at : at + 5, 0] = 3000
            rows[onset + 580 : onset + 590, 0] = -4500
    return rows


@pytest.fixture
def session(shared_bench: DaemonProcess) -> Iterator[Path]:
    """A session among those of the bench: two closed files of alpha."""
    folder = make_real_session(shared_bench.data / "recordings", SESSION, steps_and_spikes())
    yield folder
    shutil.rmtree(folder)


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def go(page: Page, server: PageProcess, token: str = "") -> None:
    page.goto(server.address + (f"?token={token}" if token else "") + "#/analysis")
    if token:
        page.goto(server.address + "#/analysis")
    expect(page.get_by_test_id("analysis-upload")).to_be_visible()


def open_session(page: Page) -> None:
    page.get_by_test_id(f"analyse-{SESSION}-alpha").click()
    page.get_by_test_id("analysis-open-files").click()
    expect(page.get_by_test_id("analysis-count")).to_be_visible()


def saved(page: Page, test_id: str, into: Path) -> Path:
    with page.expect_download() as waiting:
        page.get_by_test_id(test_id).click()
    path = into / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_a_recording_of_the_bench(
    page: Page, shared_server: PageProcess, session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Opened, counted, its threshold dragged, its events and figures saved; every number as of the command line."""
    go(page, shared_server)
    open_session(page)
    (neuron,) = told(capsys, "spikes", session, "--fi", "stimulus", "--out", tmp_path / "cli")["neurons"]
    assert neuron["n_spikes"] == 90
    expect(page.get_by_test_id("analysis-count")).to_have_text("90 spikes")
    expect(page.get_by_test_id("number-n_spikes")).to_have_text("90")
    expect(page.get_by_test_id("number-rate_hz")).to_have_text(f"{neuron['rate_hz']:.4g} Hz")
    expect(page.get_by_test_id("number-cv")).to_have_text(f"{neuron['cv']:.4g}")
    expect(page.get_by_test_id("number-mean_interval_ms")).to_have_text(f"{neuron['mean_interval_ms']:.4g} ms")
    expect(page.get_by_test_id("number-loops")).to_have_text("10 of 10")
    expect(page.get_by_test_id("figure-fi")).to_contain_text("between 10 % and 20 %")
    for figure in ("trace", "threshold", "raster", "rate", "intervals", "loops-vm", "before", "phase", "fi"):
        expect(page.get_by_test_id(f"figure-{figure}")).to_be_visible()

    page.get_by_test_id("analysis-tables").locator("summary").click()
    for name in ("spikes.csv", "Spikeling_spike.csv", "Spikeling_spikerate.csv", "fi_curve.csv"):
        assert saved(page, f"table-{name}", tmp_path).read_bytes() == (tmp_path / "cli" / name).read_bytes(), name
    page.get_by_test_id("analysis-tables").locator("summary").click()

    tree = ET.parse(saved(page, "svg-fi", tmp_path))
    texts = [element.text for element in tree.iter() if element.tag.endswith("}text")]
    assert {"F-I curve", "Stimulus (%)", "Rate (Hz)"} <= set(texts)
    assert tree.getroot().find(".//{*}script") is None
    png = saved(page, "png-trace", tmp_path).read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(png[16:20]), int.from_bytes(png[20:24])) == (1440, 880)

    # Below the humps at -45 mV each of the 30 steps adds one.
    canvas = page.get_by_test_id("figure-threshold").locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 120)
    page.mouse.down()
    page.mouse.move(box["x"] + 58 + (box["width"] - 72) * 0.13, box["y"] + 120, steps=5)
    expect(page.get_by_test_id("analysis-count")).to_have_text("120 spikes")
    page.mouse.up()
    expect(page.get_by_test_id("number-n_spikes")).to_have_text("120")
    at_mv = float(page.get_by_test_id("analysis-threshold").input_value())
    assert -60 < at_mv < -45
    (neuron,) = told(capsys, "spikes", session, "--threshold", at_mv)["neurons"]
    assert neuron["n_spikes"] == 120


def test_the_keyboard_moves_the_threshold(page: Page, shared_server: PageProcess, session: Path) -> None:
    go(page, shared_server)
    open_session(page)
    slider = page.get_by_test_id("analysis-slider")
    slider.focus()
    slider.press("Home")
    expect(page.get_by_test_id("analysis-count")).to_have_text("0 spikes")
    field = page.get_by_test_id("analysis-threshold")
    field.fill("-50")
    field.press("Enter")
    expect(page.get_by_test_id("number-n_spikes")).to_have_text("120")
    field.fill("high")
    field.press("Enter")
    expect(page.get_by_text('"high" is no number')).to_be_visible()
    expect(page.get_by_test_id("number-n_spikes")).to_have_text("120")


def test_a_time_range(
    page: Page, shared_server: PageProcess, session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    go(page, shared_server)
    open_session(page)
    field = page.get_by_test_id("analysis-start")
    field.fill("2")
    field.press("Enter")
    (neuron,) = told(capsys, "spikes", session, "--start", 2)["neurons"]
    assert neuron["n_spikes"] == 45
    expect(page.get_by_test_id("number-n_spikes")).to_have_text("45")
    page.get_by_test_id("analysis-closer").click()
    expect(page.get_by_test_id("analysis-whole")).to_be_enabled()


def test_a_viewer_may_analyse_a_file_of_its_own(
    page: Page, guarded_server: PageProcess, session: Path, tmp_path: Path
) -> None:
    """With the token that changes nothing."""
    (exported,) = export_csv(session, tmp_path)
    go(page, guarded_server, guarded_server.viewer_token or "")
    page.get_by_test_id("analysis-upload").set_input_files(exported.csv)
    expect(page.get_by_test_id("analysis-count")).to_have_text("90 spikes")
    expect(page.get_by_test_id("figure-phase")).to_contain_text("what a and b were is not known")


def test_a_malformed_csv_is_named_by_line(
    page: Page, shared_server: PageProcess, tmp_path: Path, complaints: Complaints
) -> None:
    """And what it says is shown as text, whatever it is."""
    complaints.expect(REFUSED)
    bad = tmp_path / "bad.csv"
    bad.write_text("Time (ms),Spikeling Vm (mV)\n0.0,-70\n0.1,<img src=x onerror=alert(1)>\n")
    go(page, shared_server)
    page.get_by_test_id("analysis-upload").set_input_files(bad)
    problem = page.get_by_test_id("analysis-problem")
    expect(problem).to_contain_text("bad.csv, line 3: '<img src=x onerror=alert(1)>' is no number")
    assert problem.locator("img").count() == 0


def test_too_large_is_refused_at_once(page: Page, shared_server: PageProcess, tmp_path: Path) -> None:
    """By the page before it sends a byte, by the server before it reads one."""
    big = tmp_path / "big.csv"
    with big.open("wb") as file:
        file.truncate(65_000_000)
    go(page, shared_server)
    page.get_by_test_id("analysis-upload").set_input_files(big)
    expect(page.get_by_test_id("analysis-problem")).to_contain_text("at most 64 MB can be uploaded")
    connection = http.client.HTTPConnection("127.0.0.1", shared_server.port, timeout=20)
    connection.putrequest("POST", "/api/analysis/upload?name=big.csv")
    connection.putheader("Content-Length", "2000000000")
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (413, "too_large")
    connection.close()


def test_it_fits_every_screen(page: Page, shared_server: PageProcess, session: Path) -> None:
    """Readable from 1024 pixels up: nothing wider than the page, light and dark."""
    go(page, shared_server)
    open_session(page)

    def fits() -> None:
        assert page.evaluate("document.querySelector('.analysis').scrollWidth <= innerWidth")

    fits_every_screen(page, "analysis", fits, kept=("small",))
