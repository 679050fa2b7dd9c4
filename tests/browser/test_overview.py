"""The overview: every board of every bench at a glance, and a class's recording on all of them from one bar."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from harness import DaemonProcess
from helpers.chromium import fits_every_screen
from helpers.page_frames import wait_until_it_moves
from helpers.page_server import BenchMaker, PageProcess, ServerMaker

ONE = {"alpha": "sim:alpha?preset=0&param.i_clamp=15&seed=1&rate=10000"}
TWO = {"beta": "sim:beta?preset=2&param.i_clamp=15&seed=2&rate=1000"}
HAS_ITS_LEFT_HALF = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width / 2, canvas.height);
  for (let k = 3; k < data.length; k += 4) if (data[k] > 0) return true;
  return false;
}"""
"""Whether something is drawn there: the older two of four seconds."""


def recording_state(bench: DaemonProcess) -> str:
    status = bench.call("record_status")
    return "none" if status is None else status["state"]


def test_a_class_is_seen_at_a_glance_and_recorded_from_one_bar(
    page: Page, make_bench: BenchMaker, make_server: ServerMaker
) -> None:
    """Two benches: tiles that move and count spikes, found by a word; recorded everywhere, stopped everywhere."""
    one, two = make_bench("lab1", ONE), make_bench("lab2", TWO)
    page.goto(f"{make_server(one, two).address}#/overview")
    alpha, beta = page.get_by_test_id("tile-lab1-alpha"), page.get_by_test_id("tile-lab2-beta")
    expect(alpha.get_by_test_id("state")).to_have_text("running")
    expect(beta.get_by_test_id("state")).to_have_text("running")
    wait_until_it_moves(page, "[data-testid=tile-lab1-alpha] canvas", n_images=3)
    expect(alpha.get_by_test_id("spike-rate")).to_have_text(re.compile(r"^[1-9][0-9.]* spikes/s$"))

    page.get_by_label("Find").fill("LAB2")
    expect(alpha).to_have_count(0)
    expect(page.get_by_test_id("tile-count")).to_have_text("1 of 2 boards")
    page.get_by_label("Find").fill("")

    page.get_by_label("Session of the class").fill("2026-05-01_tonic_1")
    page.get_by_label("Notes").fill("<b>first</b> lesson")
    page.get_by_test_id("start-all").click()
    result = page.get_by_test_id("class-result")
    expect(result).to_contain_text("session 2026-05-01_tonic_1 is being recorded")
    expect(result).to_contain_text("lab1: alpha")
    expect(result).to_contain_text("lab2: beta")
    expect(alpha.get_by_test_id("recording")).to_contain_text("recording")
    expect(beta.get_by_test_id("recording")).to_contain_text("recording")
    assert (recording_state(one), recording_state(two)) == ("recording", "recording")
    canvas = alpha.locator("canvas")
    page.wait_for_function(HAS_ITS_LEFT_HALF, arg=canvas.element_handle())

    def fits() -> None:
        expect(page.get_by_test_id("stop-all")).to_be_in_viewport()
        assert canvas.evaluate(HAS_ITS_LEFT_HALF), "what was drawn outlives a change of theme"

    fits_every_screen(page, "overview", fits)

    page.get_by_test_id("stop-all").click()
    # The page's status of the boards is up to a second old; what the stop answered counts at once.
    page.wait_for_function(
        """() => document.querySelector("[data-testid=class-result]").textContent.includes("is complete")"""
    )
    assert page.get_by_test_id("recording").count() == 0
    expect(page.get_by_test_id("stop-all")).to_be_disabled()
    expect(result).to_contain_text("lab1: session 2026-05-01_tonic_1 is complete")
    expect(result).to_contain_text(re.compile(r"lab2/beta: [1-9]\d* samples, no gaps"))
    assert (recording_state(one), recording_state(two)) == ("complete", "complete")

    alpha.get_by_role("link").click()
    expect(page.get_by_label("Device")).to_have_value("lab1/alpha")


def test_where_one_bench_cannot_record_none_does_and_the_page_says_why(
    page: Page, make_bench: BenchMaker, make_server: ServerMaker
) -> None:
    """A bad name, a bench that records already, one that went away: nothing begins, until that one is left out."""
    one, two = make_bench("lab1", ONE), make_bench("lab2", TWO)
    page.goto(f"{make_server(one, two).address}#/overview")
    expect(page.get_by_test_id("tile-lab2-beta").get_by_test_id("state")).to_have_text("running")
    result, start = page.get_by_test_id("class-result"), page.get_by_test_id("start-all")

    page.get_by_label("Session of the class").fill("../etc")
    start.click()
    expect(result).to_contain_text("use letters, digits")

    two.call("record_start", session="other", timeout_s=60.0)
    page.get_by_label("Session of the class").fill("lesson")
    start.click()
    expect(result).to_contain_text("bench lab2 records session 'other' already")
    assert recording_state(one) == "none"

    two.kill()
    away = page.get_by_test_id("away-lab2")
    expect(away).to_be_visible()
    start.click()
    expect(result).to_contain_text("no spikedaqd answers")
    assert recording_state(one) == "none"

    away.get_by_label("record with the class").uncheck()
    start.click()
    expect(result).to_contain_text("session lesson is being recorded")
    assert recording_state(one) == "recording"


def test_a_viewer_cannot_record_the_class(page: Page, guarded_server: PageProcess, shared_bench: DaemonProcess) -> None:
    """Everything is disabled and says why; the request itself is refused, too."""
    server = guarded_server
    page.goto(f"{server.address}?token={server.viewer_token}")
    page.get_by_role("link", name="Overview").click()
    start = page.get_by_test_id("start-all")
    expect(start).to_be_disabled()
    expect(start).to_have_attribute("title", re.compile("viewer's token"))
    said = page.evaluate(
        """() => new Promise(resolve => {
            const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws");
            socket.onopen = () => socket.send(JSON.stringify(
                {do: "everywhere", id: 9, op: "record_start", args: {session: "mine"}}));
            socket.onmessage = event => {
                const said = typeof event.data === "string" ? JSON.parse(event.data) : {};
                if (said.id === 9) resolve(said.code);
            };
        })"""
    )
    assert said == "not_allowed"
    assert recording_state(shared_bench) == "none"
